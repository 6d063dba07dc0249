//! What a client has sent, as a server that follows the standard reads it: what it owes, and when it must end the connection.
//!
//! Only what the standard leaves no doubt about is judged; everything else is [`Packet::Unclear`].

use slcert_rigs::mqtt::wire::Version;
use slcert_rigs::mqtt::wire::frame::{Length, PacketType, length};

/// A packet of a client, as a server has to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// It has to be acknowledged: with which type and identifier, and how many codes a SUBACK has.
    Owes(PacketType, u16, Option<usize>),
    /// It has to be answered with a PINGRESP.
    Ping,
    /// Nothing follows from it.
    Nothing,
    /// The client ends the connection.
    Leaves,
    /// The server must end the connection, by this statement of the standard.
    Breach(&'static str),
    /// The standard leaves room.
    Unclear,
}

/// What is left behind the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The next byte begins a packet.
    Nothing,
    /// The beginning of a packet.
    Part,
}

/// Reads what was sent in a session; reading ends where the connection has to.
pub fn read(bytes: &[u8], version: Version) -> (Vec<Packet>, Rest) {
    let mut packets = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        match length(rest) {
            Length::Malformed => {
                packets.push(Packet::Breach(
                    "a remaining length of five bytes [MQTT-1.5.5]",
                ));
                return (packets, Rest::Nothing);
            }
            Length::Bytes { header, total } if total <= rest.len() => {
                let packet = packet(rest[0], &rest[header..total], version);
                let over = matches!(packet, Packet::Breach(_) | Packet::Leaves);
                packets.push(packet);
                if over {
                    return (packets, Rest::Nothing);
                }
                rest = &rest[total..];
            }
            // A server may judge a first byte before the rest is there.
            _ => return (packets, Rest::Part),
        }
    }
    (packets, Rest::Nothing)
}

fn packet(first: u8, body: &[u8], version: Version) -> Packet {
    let kind = PacketType::of(first);
    let v5 = version == Version::V5;
    if kind != PacketType::Publish && first != kind.first_byte() {
        return Packet::Breach("reserved flags in a header [MQTT-2.2.2-2, MQTT-2.1.3-1]");
    }
    match kind {
        PacketType::Reserved => Packet::Breach("packet type 0 (section 2.1.2)"),
        PacketType::Auth if !v5 => Packet::Breach("packet type 15 in 3.1.1 (section 2.2.1)"),
        PacketType::Auth => Packet::Unclear,
        PacketType::Connect => Packet::Breach("a second CONNECT [MQTT-3.1.0-2]"),
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            Packet::Breach("a packet that only a server sends (section 2.1.2)")
        }
        PacketType::PingReq if body.is_empty() => Packet::Ping,
        PacketType::PingReq => Packet::Breach("a PINGREQ with a body (section 3.12)"),
        PacketType::Disconnect if body.is_empty() => Packet::Leaves,
        PacketType::Disconnect if v5 => Packet::Unclear,
        PacketType::Disconnect => {
            Packet::Breach("a DISCONNECT with a body in 3.1.1 (section 3.14)")
        }
        PacketType::Publish => publish(first, body, v5),
        PacketType::Subscribe => subscription(body, v5, true),
        PacketType::Unsubscribe => subscription(body, v5, false),
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            match body {
                [] | [_] => Packet::Breach(
                    "an acknowledgement without a packet identifier (sections 3.4 to 3.7)",
                ),
                _ => Packet::Unclear,
            }
        }
    }
}

fn publish(first: u8, body: &[u8], v5: bool) -> Packet {
    let qos = first >> 1 & 3;
    if qos == 3 {
        return Packet::Breach("a PUBLISH with QoS 3 [MQTT-3.3.1-4]");
    }
    if qos == 0 && first & 0x08 != 0 {
        return Packet::Breach("a PUBLISH with QoS 0 and DUP [MQTT-3.3.1-2]");
    }
    let Some((topic, rest)) = field(body) else {
        return Packet::Breach("a PUBLISH that ends inside its topic (section 3.3.2)");
    };
    if let Some(breach) = text(topic) {
        return Packet::Breach(breach);
    }
    if topic.iter().any(|byte| matches!(byte, b'#' | b'+')) {
        return Packet::Breach("a PUBLISH to a topic with wildcards [MQTT-3.3.2-2]");
    }
    if topic.is_empty() {
        // In 5.0 a topic alias may stand for it.
        return if v5 {
            Packet::Unclear
        } else {
            Packet::Breach("a PUBLISH without a topic [MQTT-4.7.3-1]")
        };
    }
    let (id, rest) = match (qos, rest) {
        (0, rest) => (0, rest),
        (_, [high, low, rest @ ..]) => (u16::from_be_bytes([*high, *low]), rest),
        _ => {
            return Packet::Breach(
                "a PUBLISH that ends inside its packet identifier (section 3.3.2)",
            );
        }
    };
    if qos > 0 && id == 0 {
        return Packet::Breach("packet identifier 0 [MQTT-2.3.1-1, MQTT-2.2.1-3]");
    }
    // A server need not take what it has no use for; where there are properties, their own rules apply.
    if v5 && rest.first() != Some(&0) {
        return Packet::Unclear;
    }
    match qos {
        0 => Packet::Nothing,
        1 => Packet::Owes(PacketType::PubAck, id, None),
        _ => Packet::Owes(PacketType::PubRec, id, None),
    }
}

fn subscription(body: &[u8], v5: bool, subscribes: bool) -> Packet {
    let [high, low, rest @ ..] = body else {
        return Packet::Breach(
            "a packet that ends inside its packet identifier (sections 3.8, 3.10)",
        );
    };
    let id = u16::from_be_bytes([*high, *low]);
    if id == 0 {
        return Packet::Breach("packet identifier 0 [MQTT-2.3.1-1, MQTT-2.2.1-3]");
    }
    let mut rest = match (v5, rest) {
        (false, rest) => rest,
        (true, [0, rest @ ..]) => rest,
        (true, _) => return Packet::Unclear,
    };
    let mut count = 0;
    let mut unclear = false;
    while !rest.is_empty() {
        let Some((filter, after)) = field(rest) else {
            return Packet::Breach("a packet that ends inside a topic filter (sections 3.8, 3.10)");
        };
        if let Some(breach) = text(filter) {
            return Packet::Breach(breach);
        }
        if filter.is_empty() {
            return Packet::Breach("an empty topic filter [MQTT-4.7.3-1]");
        }
        if misplaced(filter) {
            return Packet::Breach("a wildcard in the wrong place [MQTT-4.7.1-2, MQTT-4.7.1-3]");
        }
        // Shared subscriptions have rules of their own.
        unclear |= filter.starts_with(b"$");
        rest = after;
        if subscribes {
            let Some((options, after)) = rest.split_first() else {
                return Packet::Breach("a SUBSCRIBE that ends before its options (section 3.8.3)");
            };
            let reserved = if v5 { 0xC0 } else { 0xFC };
            if options & 3 == 3 || options & reserved != 0 || v5 && options & 0x30 == 0x30 {
                return Packet::Breach(
                    "subscription options that do not exist [MQTT-3.8.3-4, MQTT-3.8.3-5]",
                );
            }
            rest = after;
        }
        count += 1;
    }
    if count == 0 {
        return Packet::Breach("no topic filter [MQTT-3.8.3-3, MQTT-3.10.3-2]");
    }
    match (subscribes, v5) {
        _ if unclear => Packet::Unclear,
        (true, _) => Packet::Owes(PacketType::SubAck, id, Some(count)),
        (false, true) => Packet::Owes(PacketType::UnsubAck, id, Some(count)),
        (false, false) => Packet::Owes(PacketType::UnsubAck, id, None),
    }
}

/// A field with its length in front.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [high, low, rest @ ..] = bytes else {
        return None;
    };
    rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
}

fn text(bytes: &[u8]) -> Option<&'static str> {
    match std::str::from_utf8(bytes) {
        Err(_) => Some("text that is no UTF-8 [MQTT-1.5.3-1, MQTT-1.5.4-1]"),
        Ok(text) if text.contains('\0') => Some("text with NUL [MQTT-1.5.3-2, MQTT-1.5.4-2]"),
        Ok(_) => None,
    }
}

/// Whether a wildcard does not stand for a whole level, or # does not stand last.
fn misplaced(filter: &[u8]) -> bool {
    let mut levels = filter.split(|byte| *byte == b'/').peekable();
    while let Some(level) = levels.next() {
        let wild = level.iter().any(|byte| matches!(byte, b'#' | b'+'));
        let last = levels.peek().is_none();
        if wild && (level.len() > 1 || level == b"#" && !last) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bytes: &[u8], version: Version) -> Packet {
        let (mut packets, rest) = read(bytes, version);
        assert_eq!((packets.len(), rest), (1, Rest::Nothing));
        packets.remove(0)
    }

    #[test]
    fn what_is_right_owes_an_answer() {
        let publish = [0x32, 7, 0, 3, b'a', b'/', b'b', 0, 9];
        assert_eq!(
            one(&publish, Version::V311),
            Packet::Owes(PacketType::PubAck, 9, None)
        );
        let subscribe = [0x82, 6, 0, 9, 0, 1, b'a', 1];
        assert_eq!(
            one(&subscribe, Version::V311),
            Packet::Owes(PacketType::SubAck, 9, Some(1))
        );
        assert_eq!(one(&[0xC0, 0], Version::V5), Packet::Ping);
        assert_eq!(one(&[0xE0, 0], Version::V5), Packet::Leaves);
    }

    #[test]
    fn what_the_standard_forbids_ends_the_connection() {
        for bytes in [
            &[0xC1, 0][..],
            &[0xC0, 1, 0],
            &[0x36, 3, 0, 1, b'a'],
            &[0x38, 3, 0, 1, b'a'],
            &[0x30, 3, 0, 1, b'#'],
            &[0x30, 3, 0, 2, b'a'],
            &[0x32, 5, 0, 1, b'a', 0, 0],
            &[0x82, 2, 0, 1],
            &[0x82, 6, 0, 1, 0, 1, b'a', 3],
            &[0x82, 8, 0, 1, 0, 3, b'#', b'/', b'a', 0],
            &[0x20, 2, 0, 0],
            &[0x00, 0],
            &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        ] {
            assert!(
                matches!(one(bytes, Version::V311), Packet::Breach(_)),
                "{bytes:02X?}"
            );
        }
    }

    #[test]
    fn what_comes_behind_the_end_is_not_read() {
        let (packets, _) = read(&[0xE0, 0, 0xC0, 0], Version::V311);
        assert_eq!(packets, [Packet::Leaves]);
        let (packets, rest) = read(&[0xC0, 0, 0x30, 9, 0], Version::V311);
        assert_eq!((packets, rest), (vec![Packet::Ping], Rest::Part));
    }

    #[test]
    fn wildcards_stand_for_whole_levels() {
        for right in ["#", "+", "a/+/b", "a/#", "+/+/#"] {
            assert!(!misplaced(right.as_bytes()), "{right}");
        }
        for wrong in ["a#", "#/a", "a/b+", "+a"] {
            assert!(misplaced(wrong.as_bytes()), "{wrong}");
        }
    }
}
