//! A recording as a pcapng file that stock tshark and Wireshark decode without an option: Modbus frames of serial lines as
//! they are, all else as TCP. A console's lines are in the transcript.

mod block;
mod rtu;
mod tcp;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::line::{Carrier, Direction, Event, Recording, middle};
use crate::rig::{Interface, InterfaceKind, Server, ServerKind};

/// LINKTYPE_IPV4 and LINKTYPE_WIRESHARK_UPPER_PDU of tcpdump.org's list.
const RAW_IPV4: u16 = 228;
const UPPER_PDU: u16 = 252;

/// The longest remark of the bench that stands at a packet.
const MAX_REMARK: usize = 400;

/// The ports by which analysers know protocols, by IANA's registry.
const MODBUS: u16 = 502;
const MODBUS_TLS: u16 = 802;
const MQTT: u16 = 1883;
const MQTT_TLS: u16 = 8883;

impl Server {
    /// What a connection to the bench's server is to analysers.
    pub(crate) fn carrier(&self) -> Carrier {
        match self.kind.value {
            ServerKind::Mqtt => Carrier::Tcp(MQTT),
            ServerKind::ModbusTcp => Carrier::Tcp(MODBUS),
        }
    }
}

impl Interface {
    /// What a connection to the interface is to analysers; none for a console.
    pub(crate) fn carrier(&self) -> Option<Carrier> {
        match self.kind {
            InterfaceKind::Console => None,
            InterfaceKind::ModbusRtu => Some(Carrier::Rtu),
            InterfaceKind::ModbusTcp => Some(Carrier::Tcp(MODBUS)),
            InterfaceKind::ModbusTls => Some(Carrier::Tcp(MODBUS_TLS)),
            InterfaceKind::Mqtt if self.tls.is_some() => Some(Carrier::Tcp(MQTT_TLS)),
            InterfaceKind::Mqtt => Some(Carrier::Tcp(MQTT)),
        }
    }
}

/// A packet of a line.
struct Packet {
    /// When, since the recording began.
    at: Duration,
    /// The line's place in the list of lines.
    line: usize,
    direction: Direction,
    bytes: Vec<u8>,
    comment: Option<String>,
}

impl Recording {
    /// As a pcapng file; none where no line has anything for it. In a secret's place stand as many other bytes. Of one that
    /// is longer than `most` bytes, the beginning and the end stay. The bench's remarks are comments at the next packet.
    pub fn pcapng(&self, most: usize) -> Option<Vec<u8>> {
        self.file(most, None)
    }

    /// The same with the keys of the TLS sessions that were opened in it, so that analysers decrypt them: whatever secrets
    /// they carried can be read. None where no keys were kept.
    pub fn pcapng_with_keys(&self, most: usize) -> Option<Vec<u8>> {
        self.file(most, Some(self.keys()?))
    }

    fn file(&self, most: usize, keys: Option<&str>) -> Option<Vec<u8>> {
        let events = self.events();
        // Packets that are left out are never made.
        let sizes: Vec<usize> = events.iter().map(size).collect();
        let cut = middle(&sizes, most);
        let (lines, mut packets) = self.packets(cut.clone());
        if packets.is_empty() {
            return None;
        }
        if !cut.is_empty() {
            let after = events.get(cut.end).map_or(Duration::MAX, |event| event.at);
            let next = packets.partition_point(|packet| packet.at < after);
            if let Some(next) = packets.get_mut(next) {
                next.comment = Some(format!("{} events are left out before this one", cut.len()));
            }
        }
        remark(&mut packets, events);
        let left_out = self.left_out();
        let left_out = (left_out > 0).then(|| format!("{left_out} bytes more were not kept"));
        let application = concat!("slcert ", env!("CARGO_PKG_VERSION"));
        let mut file = block::section(application, left_out.as_deref());
        for (name, carrier) in &lines {
            let link_type = match carrier {
                Carrier::Tcp(_) => RAW_IPV4,
                Carrier::Rtu => UPPER_PDU,
            };
            file.extend(block::interface(link_type, name));
        }
        file.extend(keys.into_iter().flat_map(block::tls_keys));
        let began = self
            .began_at()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        for packet in &packets {
            let at = u64::try_from((began + packet.at).as_nanos()).unwrap_or(u64::MAX);
            let flags = match packet.direction {
                Direction::Received => block::INBOUND,
                Direction::Sent | Direction::Note => block::OUTBOUND,
            };
            let comment = packet.comment.as_deref();
            file.extend(block::packet(
                packet.line as u32,
                at,
                &packet.bytes,
                flags,
                comment,
            ));
        }
        Some(file)
    }

    /// The lines that analysers can read, and their packets in the order of time.
    fn packets(&self, cut: Range<usize>) -> (Vec<(String, Carrier)>, Vec<Packet>) {
        let all = self.events();
        let cut_out: HashSet<u64> = all[cut.clone()]
            .iter()
            .map(|event| event.channel.number)
            .collect();
        let mut of_channel: HashMap<u64, Vec<&Event>> = HashMap::new();
        for event in all[..cut.start].iter().chain(&all[cut.end..]) {
            of_channel
                .entry(event.channel.number)
                .or_default()
                .push(event);
        }
        let mut lines: Vec<(String, Carrier)> = Vec::new();
        let mut packets = Vec::new();
        for channel in self.channels() {
            let Some(carrier) = channel.carrier else {
                continue;
            };
            let events = of_channel.remove(&channel.number).unwrap_or_default();
            if events.is_empty() && cut_out.contains(&channel.number) {
                continue;
            }
            let line = (channel.line.to_string(), carrier);
            let place = lines.iter().position(|known| *known == line);
            let place = place.unwrap_or_else(|| {
                lines.push(line);
                lines.len() - 1
            });
            packets.extend(match carrier {
                Carrier::Tcp(port) => tcp::packets(self, &channel, port, place, &events),
                Carrier::Rtu => rtu::packets(place, &events),
            });
        }
        packets.sort_by_key(|packet: &Packet| packet.at);
        (lines, packets)
    }
}

/// About how long the packets of an event are; a console's event has none.
fn size(event: &Event) -> usize {
    match event.channel.carrier {
        Some(_) => {
            // The first one of each way stands for the packets that begin and end the connection.
            let ends = if event.offset == 0 { 250 } else { 0 };
            event.bytes.len() + 100 * (1 + event.bytes.len() / tcp::SEGMENT) + ends
        }
        None => 0,
    }
}

/// Puts each remark of the bench at the packet that comes next.
fn remark(packets: &mut [Packet], events: &[Event]) {
    let notes = events
        .iter()
        .filter(|event| event.direction == Direction::Note);
    for note in notes {
        let next = packets.partition_point(|packet| packet.at < note.at);
        let Some(packet) = packets.get_mut(next) else {
            return;
        };
        let text = format!("{}: {}", note.line(), note.bytes.escape_ascii());
        let comment = packet.comment.get_or_insert_default();
        if comment.len() + text.len() > MAX_REMARK {
            continue;
        }
        if !comment.is_empty() {
            comment.push_str("; ");
        }
        comment.push_str(&text);
    }
}

/// A moment since the recording began; none where it was before.
fn moment(recording: &Recording, at: Instant) -> Option<Duration> {
    at.checked_duration_since(recording.began())
}
