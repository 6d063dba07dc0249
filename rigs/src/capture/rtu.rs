//! Modbus frames of a serial line, each as a PDU that says by which dissector it is read (LINKTYPE_WIRESHARK_UPPER_PDU).

use std::time::Duration;

use super::Packet;
use crate::line::{Direction, Event};
use crate::modbus::wire::rtu::{MAX_FRAME, Rtu};

/// Between the bytes of one frame a line is silent for no longer: adapters and ptys hand them on late.
const GAP: Duration = Duration::from_millis(20);

/// Tags, each with a length, both big-endian.
const DISSECTOR: u16 = 12;
const SOURCE_IPV4: u16 = 20;
const DESTINATION_IPV4: u16 = 21;
const PORT_TYPE: u16 = 24;
const SOURCE_PORT: u16 = 25;
const DESTINATION_PORT: u16 = 26;
const END: u16 = 0;

const PORT_TYPE_TCP: u32 = 2;
/// By the server's port, requests and answers are told apart.
const SERVER: ([u8; 4], u32) = ([198, 19, 0, 1], 502);
const CLIENT: ([u8; 4], u32) = ([198, 18, 0, 0], 0xC000);

/// The frames of a connection. `events` are its own.
pub fn packets(line: usize, events: &[&Event]) -> Vec<Packet> {
    let mut frames: Vec<(Duration, Packet)> = Vec::new();
    for event in events {
        match frames.last_mut() {
            Some((last, frame)) if goes_on(frame, *last, event) => {
                frame.bytes.extend(&event.bytes);
                *last = event.at;
            }
            _ => frames.push((
                event.at,
                Packet {
                    at: event.at,
                    line,
                    direction: event.direction,
                    bytes: event.bytes.clone(),
                    comment: None,
                },
            )),
        }
    }
    let frames = frames.into_iter().map(|(_, mut frame)| {
        frame.bytes = exported(frame.direction, &frame.bytes);
        frame
    });
    frames.collect()
}

/// Whether bytes belong to the frame before them: it has no end yet, and no silence came after it.
fn goes_on(frame: &Packet, last: Duration, event: &Event) -> bool {
    frame.direction == event.direction
        && event.at.saturating_sub(last) <= GAP
        && frame.bytes.len() + event.bytes.len() <= MAX_FRAME
        && Rtu::new_checked(&frame.bytes).is_err()
}

fn exported(direction: Direction, frame: &[u8]) -> Vec<u8> {
    let (from, to) = match direction {
        Direction::Received => (SERVER, CLIENT),
        Direction::Sent | Direction::Note => (CLIENT, SERVER),
    };
    let mut bytes = Vec::with_capacity(64 + frame.len());
    tag(&mut bytes, DISSECTOR, b"mbrtu\0\0\0");
    tag(&mut bytes, SOURCE_IPV4, &from.0);
    tag(&mut bytes, DESTINATION_IPV4, &to.0);
    tag(&mut bytes, PORT_TYPE, &PORT_TYPE_TCP.to_be_bytes());
    tag(&mut bytes, SOURCE_PORT, &from.1.to_be_bytes());
    tag(&mut bytes, DESTINATION_PORT, &to.1.to_be_bytes());
    tag(&mut bytes, END, &[]);
    bytes.extend(frame);
    bytes
}

fn tag(bytes: &mut Vec<u8>, tag: u16, value: &[u8]) {
    bytes.extend(tag.to_be_bytes());
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
}
