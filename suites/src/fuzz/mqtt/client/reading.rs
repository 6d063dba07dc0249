//! What the bench has sent as a broker, as a client that follows the standard has to take it.

use slcert_rigs::mqtt::wire::frame::{Length, PacketType, length};
use slcert_rigs::mqtt::wire::{ServerPacket, Version, decode};

/// What was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Whether it ends inside a packet.
    pub part: bool,
    /// Why a client of 3.1.1 must end the connection. One of 5.0 should, and need not (section 4.13.1).
    pub breach: Option<&'static str>,
    /// Whether it holds a PUBLISH that is none: cut off, or with fields that do not read.
    pub unreadable: bool,
    /// The topics of those that are right.
    pub topics: Vec<String>,
}

/// Reads it, up to where a client has to end the connection.
pub fn read(bytes: &[u8], version: Version) -> Sent {
    let mut sent = Sent::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        match length(rest) {
            Length::Malformed => {
                sent.breach = certain(version, "a remaining length of five bytes [MQTT-4.8.0-1]");
                return sent;
            }
            Length::Bytes { total, .. } if total <= rest.len() => {
                let (packet, after) = rest.split_at(total);
                sent.packet(packet, version);
                if sent.breach.is_some() {
                    return sent;
                }
                rest = after;
            }
            _ => {
                sent.part = true;
                sent.unreadable |= PacketType::of(rest[0]) == PacketType::Publish;
                return sent;
            }
        }
    }
    sent
}

impl Sent {
    fn packet(&mut self, packet: &[u8], version: Version) {
        let kind = PacketType::of(packet[0]);
        let illegal = match decode(packet, version) {
            Ok(ServerPacket::Publish { topic, .. }) => return self.topics.push(topic),
            Ok(_) => return,
            Err(illegal) => illegal,
        };
        // Statements that say that the packet cannot be read; others leave room for taking it.
        let unreadable = [
            "§4.8",
            "§1.5.5",
            "MQTT-1.5.3-1",
            "MQTT-1.5.3-2",
            "MQTT-1.5.4-1",
            "MQTT-1.5.4-2",
            "MQTT-3.3.1-4",
        ];
        let unknown = illegal.what == "a property identifier that does not exist";
        self.unreadable |=
            kind == PacketType::Publish && (unknown || unreadable.contains(&illegal.statement));
        let breach = match (kind, illegal.statement) {
            (PacketType::Publish, "MQTT-3.3.1-4") => "a PUBLISH with QoS 3 [MQTT-3.3.1-4]",
            (PacketType::Publish, "MQTT-1.5.3-1") => "a topic that is no UTF-8 [MQTT-1.5.3-1]",
            (PacketType::Publish, "MQTT-1.5.3-2") => "a topic with NUL [MQTT-1.5.3-2]",
            (PacketType::Reserved | PacketType::Auth, _) => {
                "a reserved type of packet [MQTT-4.8.0-1]"
            }
            (
                PacketType::Connect
                | PacketType::Subscribe
                | PacketType::Unsubscribe
                | PacketType::PingReq,
                _,
            ) => "a packet that only a client sends [MQTT-4.8.0-1]",
            (_, "MQTT-2.2.2-1") => "reserved flags in a header [MQTT-2.2.2-2]",
            _ => return,
        };
        self.breach = certain(version, breach);
    }
}

fn certain(version: Version, breach: &'static str) -> Option<&'static str> {
    (version == Version::V311).then_some(breach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_311_must_end_the_connection_and_one_of_5_need_not() {
        for bytes in [
            &[0x36, 5, 0, 1, b'a', 0, 1][..],
            &[0x30, 4, 0, 2, 0xC3, 0x28],
            &[0x30, 3, 0, 1, 0],
            &[0x00, 0],
            &[0xF0, 0],
            &[0xC0, 0],
            &[0x91, 3, 0, 1, 0],
            &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        ] {
            assert!(read(bytes, Version::V311).breach.is_some(), "{bytes:02X?}");
            assert_eq!(read(bytes, Version::V5).breach, None, "{bytes:02X?}");
        }
        for bytes in [
            &[0x30, 3, 0, 1, b'a'][..],
            &[0x90, 3, 0, 9, 7],
            &[0x20, 2, 0, 0],
            &[0xE0, 0],
            &[0x40, 2, 0, 0],
            &[0x38, 3, 0, 1, b'a'],
        ] {
            assert_eq!(read(bytes, Version::V311).breach, None, "{bytes:02X?}");
        }
    }

    #[test]
    fn a_publish_that_does_not_read_is_told_from_one_that_does() {
        let right = [0x30, 3, 0, 1, b'a'];
        assert_eq!(read(&right, Version::V311).topics, ["a"]);
        assert!(!read(&right, Version::V311).unreadable);
        let cut = read(&[0x30, 9, 0, 1, b'a'], Version::V311);
        assert!(cut.unreadable && cut.part && cut.topics.is_empty());
        assert!(read(&[0x30, 5, 0, 1, b'a', 0x7F, b'5'], Version::V5).unreadable);
        assert!(read(&[0x36, 5, 0, 1, b'a', 0, 1], Version::V5).unreadable);
        // DUP at QoS 0 is wrong, and reads.
        assert!(!read(&[0x38, 3, 0, 1, b'a'], Version::V311).unreadable);
    }
}
