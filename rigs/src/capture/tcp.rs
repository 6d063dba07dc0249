//! A connection as TCP over IPv4. The bench sees a stream and no packets: addresses, ports, numbers and the packets of its
//! begin and end are made up, so that analysers put the stream together again; the bytes and their times are real.

use std::time::Duration;

use super::{Packet, moment};
use crate::line::{Channel, Direction, Ending, Event, Recording};

/// Addresses for benches (RFC 2544), which nothing in a network has: 198.18.0.0/16 is the bench, 198.19.0.1 the device.
const DEVICE: [u8; 4] = [198, 19, 0, 1];
/// The bench's ports: the dynamic ones. A bench that has used all of them comes from its next address.
const FIRST_PORT: u16 = 0xC000;
const PORTS: u64 = 0x4000;

/// The most bytes of a segment: what Ethernet takes of one.
pub const SEGMENT: usize = 1460;
/// Headers without options, of IPv4 and of TCP, have as many words of four bytes.
const HEADER_WORDS: u8 = 5;
const HEADER: usize = 4 * HEADER_WORDS as usize;
const PROTOCOL_TCP: u8 = 6;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const HOPS: u8 = 64;
const WINDOW: u16 = 0xFFFF;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// One connection, and how much of each way's stream has been told.
struct Talk<'c> {
    channel: &'c Channel,
    port: u16,
    line: usize,
    /// The next number of the bench and of the device.
    next: [u32; 2],
}

/// The packets of a connection. `events` are its own.
pub fn packets(
    recording: &Recording,
    channel: &Channel,
    port: u16,
    line: usize,
    events: &[&Event],
) -> Vec<Packet> {
    let mut talk = Talk {
        channel,
        port,
        line,
        next: [1, 1],
    };
    let mut packets = Vec::new();
    match moment(recording, channel.opened) {
        Some(at) => packets.extend(talk.handshake(at)),
        None => talk.join(events),
    }
    for event in events {
        talk.told(event, &mut packets);
    }
    packets.extend(talk.end(recording));
    packets
}

impl Talk<'_> {
    fn handshake(&self, at: Duration) -> [Packet; 3] {
        let opened = format!(
            "connection {} on {}",
            self.channel.number, self.channel.line
        );
        let mut first = self.packet(at, Direction::Sent, [0, 0], SYN, &[]);
        first.comment = Some(opened);
        [
            first,
            self.packet(at, Direction::Received, [0, 1], SYN | ACK, &[]),
            self.packet(at, Direction::Sent, [1, 1], ACK, &[]),
        ]
    }

    /// Joins a connection that was open before the recording began.
    fn join(&mut self, events: &[&Event]) {
        for direction in [Direction::Sent, Direction::Received] {
            let first = events.iter().find(|event| event.direction == direction);
            let before = first.map_or(self.channel.bytes(direction), |event| event.offset);
            self.next[side(direction)] = number(before);
        }
    }

    fn told(&mut self, event: &Event, packets: &mut Vec<Packet>) {
        let own = side(event.direction);
        for (place, part) in event.bytes.chunks(SEGMENT).enumerate() {
            let before = event.offset + (place * SEGMENT) as u64;
            let numbers = [number(before), self.next[1 - own]];
            packets.push(self.packet(event.at, event.direction, numbers, PSH | ACK, part));
            self.next[own] = number(before + part.len() as u64);
        }
    }

    /// Each side's end, the earlier one first.
    fn end(&mut self, recording: &Recording) -> Vec<Packet> {
        let mut ends: Vec<_> = [Direction::Sent, Direction::Received]
            .into_iter()
            .filter_map(|direction| {
                let (at, ending) = self.channel.ended(direction)?;
                Some((moment(recording, at)?, direction, ending))
            })
            .collect();
        ends.sort_by_key(|(at, ..)| *at);
        let packets = ends.into_iter().map(|(at, direction, ending)| {
            let own = side(direction);
            let flags = match ending {
                Ending::Orderly => FIN | ACK,
                Ending::Torn => RST | ACK,
            };
            let numbers = [self.next[own], self.next[1 - own]];
            // A FIN takes a number.
            self.next[own] = self.next[own].wrapping_add(1);
            self.packet(at, direction, numbers, flags, &[])
        });
        packets.collect()
    }

    fn packet(
        &self,
        at: Duration,
        direction: Direction,
        [own, other]: [u32; 2],
        flags: u8,
        bytes: &[u8],
    ) -> Packet {
        let bench = self.channel.number / PORTS;
        let bench = [198, 18, (bench >> 8) as u8, bench as u8];
        let bench = (bench, FIRST_PORT + (self.channel.number % PORTS) as u16);
        let device = (DEVICE, self.port);
        let (from, to) = match direction {
            Direction::Received => (device, bench),
            Direction::Sent | Direction::Note => (bench, device),
        };
        let segment = segment(
            from,
            to,
            own,
            if flags & ACK == 0 { 0 } else { other },
            flags,
            bytes,
        );
        Packet {
            at,
            line: self.line,
            direction,
            bytes: datagram(from.0, to.0, &segment),
            comment: None,
        }
    }
}

fn side(direction: Direction) -> usize {
    usize::from(direction == Direction::Received)
}

/// The number of a byte: the one of the SYN is 0.
fn number(before: u64) -> u32 {
    (before as u32).wrapping_add(1)
}

type End = ([u8; 4], u16);

/// RFC 9293 section 3.1.
fn segment(from: End, to: End, own: u32, other: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(HEADER + bytes.len());
    segment.extend(from.1.to_be_bytes());
    segment.extend(to.1.to_be_bytes());
    segment.extend(own.to_be_bytes());
    segment.extend(other.to_be_bytes());
    segment.extend([HEADER_WORDS << 4, flags]);
    segment.extend(WINDOW.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend(bytes);
    let length = (segment.len() as u16).to_be_bytes();
    let pseudo = [&from.0[..], &to.0, &[0, PROTOCOL_TCP], &length].concat();
    let sum = checksum(&[&pseudo, &segment]);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// RFC 791 section 3.1.
fn datagram(from: [u8; 4], to: [u8; 4], segment: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER + segment.len());
    header.extend([0x40 | HEADER_WORDS, 0]);
    header.extend(((HEADER + segment.len()) as u16).to_be_bytes());
    header.extend([0, 0]);
    header.extend(DO_NOT_FRAGMENT.to_be_bytes());
    header.extend([HOPS, PROTOCOL_TCP, 0, 0]);
    header.extend(from);
    header.extend(to);
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(segment);
    header
}

/// RFC 1071. Each part but the last has an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words
        .map(|word| {
            u32::from(u16::from_be_bytes([
                word[0],
                word.get(1).copied().unwrap_or(0),
            ]))
        })
        .sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
