//! What a server sends, judged strictly: each refusal names the statement of the standard that is broken.

use super::frame::{Length, PacketType, length};
use super::reader::Reader;
use super::{Illegal, Properties, Version};

/// A legal packet of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerPacket {
    /// §3.2.
    ConnAck {
        /// Whether the server resumes a session.
        session_present: bool,
        /// Return code (3.1.1) or reason code (5.0); 0 is accepted.
        code: u8,
        /// Empty in 3.1.1.
        properties: Properties,
    },
    /// §3.3.
    Publish {
        /// The topic name; empty where a topic alias stands for it.
        topic: String,
        /// The payload.
        payload: Vec<u8>,
        /// 0..=2.
        qos: u8,
        /// Whether the message is a retained one.
        retain: bool,
        /// Whether it is sent again.
        dup: bool,
        /// 0 for QoS 0.
        packet_id: u16,
        /// Empty in 3.1.1.
        properties: Properties,
    },
    /// §3.4 to §3.7, and §3.11 in 3.1.1: an acknowledgement.
    Ack {
        /// PUBACK, PUBREC, PUBREL or PUBCOMP.
        kind: PacketType,
        /// That of the packet it acknowledges.
        packet_id: u16,
        /// 0 in 3.1.1.
        reason: u8,
        /// Empty in 3.1.1.
        properties: Properties,
    },
    /// §3.9 and §3.11.
    SubAck {
        /// SUBACK or UNSUBACK.
        kind: PacketType,
        /// That of the packet it acknowledges.
        packet_id: u16,
        /// One for each topic filter; none in an UNSUBACK of 3.1.1.
        codes: Vec<u8>,
        /// Empty in 3.1.1.
        properties: Properties,
    },
    /// §3.13.
    PingResp,
    /// §3.14, only in MQTT 5.0.
    Disconnect {
        /// Why.
        reason: u8,
        /// More about it.
        properties: Properties,
    },
    /// §3.15, only in MQTT 5.0.
    Auth {
        /// 0x00 or 0x18.
        reason: u8,
        /// Method and data.
        properties: Properties,
    },
}

/// Reads exactly one packet of a server.
///
/// ```
/// use slcert_rigs::mqtt::wire::{Version, decode};
///
/// assert!(decode(&[0x20, 2, 0, 5], Version::V311).is_ok());
/// let illegal = decode(&[0x20, 2, 1, 5], Version::V311).unwrap_err();
/// assert_eq!(illegal.statement, "MQTT-3.2.2-4");
/// ```
///
/// # Errors
/// [`Illegal`] names the statement that the packet breaks.
pub fn decode(bytes: &[u8], version: Version) -> Result<ServerPacket, Illegal> {
    let header = match length(bytes) {
        Length::Bytes { header, total } if total == bytes.len() => header,
        Length::Bytes { .. } | Length::Unknown => {
            return Err(Illegal::new(
                "§2.1.4",
                "the remaining length is not that of the packet",
            ));
        }
        Length::Malformed => {
            return Err(Illegal::new(
                "§2.1.4",
                "the remaining length has a fifth byte",
            ));
        }
    };
    if header > 2 && bytes[header - 1] == 0 && version == Version::V5 {
        return Err(Illegal::new(
            "MQTT-1.5.5-1",
            "the remaining length takes more bytes than it needs",
        ));
    }
    let first = bytes[0];
    let kind = PacketType::of(first);
    if kind != PacketType::Publish && first != kind.first_byte() {
        let statement = match version {
            Version::V311 => "MQTT-2.2.2-1",
            Version::V5 => "MQTT-2.1.3-1",
        };
        return Err(Illegal::new(
            statement,
            "reserved flags of the fixed header are set",
        ));
    }
    let mut reader = Reader::new(&bytes[header..], version);
    let packet = match kind {
        PacketType::ConnAck => connack(&mut reader, version),
        PacketType::Publish => publish(&mut reader, first & 0x0F, version),
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            ack(&mut reader, kind, version)
        }
        PacketType::SubAck | PacketType::UnsubAck => suback(&mut reader, kind, version),
        PacketType::PingResp => Ok(ServerPacket::PingResp),
        PacketType::Disconnect if version == Version::V5 => disconnect(&mut reader),
        PacketType::Auth if version == Version::V5 => auth(&mut reader),
        _ => Err(Illegal::new("§2.1.2", "a packet that no server sends")),
    }?;
    if !reader.is_empty() {
        return Err(Illegal::new("§2.1.4", "bytes follow the last field"));
    }
    Ok(packet)
}

fn connack(reader: &mut Reader<'_>, version: Version) -> Result<ServerPacket, Illegal> {
    let v5 = version == Version::V5;
    let flags = reader.byte()?;
    if flags > 1 {
        let statement = if v5 { "MQTT-3.2.2-1" } else { "§3.2.2.1" };
        return Err(Illegal::new(
            statement,
            "reserved bits of the connect acknowledge flags are set",
        ));
    }
    let code = reader.byte()?;
    let legal = if v5 {
        CONNACK_V5.contains(&code)
    } else {
        code <= 5
    };
    if !legal {
        let statement = if v5 { "MQTT-3.2.2-8" } else { "MQTT-3.2.2-6" };
        return Err(Illegal::new(statement, "a code that CONNACK does not have"));
    }
    let session_present = flags == 1;
    if session_present && code != 0 {
        let statement = if v5 { "MQTT-3.2.2-6" } else { "MQTT-3.2.2-4" };
        return Err(Illegal::new(
            statement,
            "session present is set in a refusal",
        ));
    }
    let properties = properties(reader, PacketType::ConnAck, version)?;
    Ok(ServerPacket::ConnAck {
        session_present,
        code,
        properties,
    })
}

fn publish(reader: &mut Reader<'_>, flags: u8, version: Version) -> Result<ServerPacket, Illegal> {
    let (dup, qos, retain) = (flags & 8 != 0, flags >> 1 & 3, flags & 1 != 0);
    if qos == 3 {
        return Err(Illegal::new("MQTT-3.3.1-4", "both QoS bits are set"));
    }
    if dup && qos == 0 {
        return Err(Illegal::new("MQTT-3.3.1-2", "DUP is set at QoS 0"));
    }
    let topic = reader.text()?;
    if topic.contains(['#', '+']) {
        return Err(Illegal::new(
            "MQTT-3.3.2-2",
            "the topic name holds a wildcard",
        ));
    }
    let packet_id = if qos > 0 { reader.word()? } else { 0 };
    if qos > 0 && packet_id == 0 {
        let statement = match version {
            Version::V311 => "MQTT-2.3.1-1",
            Version::V5 => "MQTT-2.2.1-4",
        };
        return Err(Illegal::new(statement, "the packet identifier is 0"));
    }
    let properties = properties(reader, PacketType::Publish, version)?;
    if topic.is_empty() && properties.topic_alias().is_none() {
        return Err(Illegal::new("MQTT-4.7.3-1", "the topic name is empty"));
    }
    let payload = reader.rest().to_vec();
    Ok(ServerPacket::Publish {
        topic,
        payload,
        qos,
        retain,
        dup,
        packet_id,
        properties,
    })
}

fn ack(
    reader: &mut Reader<'_>,
    kind: PacketType,
    version: Version,
) -> Result<ServerPacket, Illegal> {
    let packet_id = packet_id(reader)?;
    let (mut reason, mut properties) = (0, Properties::default());
    if version == Version::V5 && !reader.is_empty() {
        reason = reader.byte()?;
        let (known, statement) = match kind {
            PacketType::PubAck => (PUBACK_V5, "MQTT-3.4.2-1"),
            PacketType::PubRec => (PUBACK_V5, "MQTT-3.5.2-1"),
            PacketType::PubRel => (PUBREL_V5, "MQTT-3.6.2-1"),
            _ => (PUBREL_V5, "MQTT-3.7.2-1"),
        };
        if !known.contains(&reason) {
            return Err(Illegal::new(
                statement,
                "a reason code that this packet does not have",
            ));
        }
        if !reader.is_empty() {
            properties = Properties::read(reader, kind)?;
        }
    }
    Ok(ServerPacket::Ack {
        kind,
        packet_id,
        reason,
        properties,
    })
}

fn suback(
    reader: &mut Reader<'_>,
    kind: PacketType,
    version: Version,
) -> Result<ServerPacket, Illegal> {
    let packet_id = packet_id(reader)?;
    let properties = properties(reader, kind, version)?;
    let (known, statement): (&[u8], _) = match (kind, version) {
        (PacketType::SubAck, Version::V311) => (SUBACK_V311, "MQTT-3.9.3-2"),
        (PacketType::SubAck, Version::V5) => (SUBACK_V5, "MQTT-3.9.3-2"),
        (_, Version::V311) => (&[], "§3.11.3"),
        (_, Version::V5) => (UNSUBACK_V5, "MQTT-3.11.3-2"),
    };
    let codes = reader.rest().to_vec();
    if codes.iter().any(|code| !known.contains(code)) {
        return Err(Illegal::new(
            statement,
            "a code that this packet does not have",
        ));
    }
    if codes.is_empty() && !known.is_empty() {
        return Err(Illegal::new("MQTT-3.8.4-6", "no code for any topic filter"));
    }
    Ok(ServerPacket::SubAck {
        kind,
        packet_id,
        codes,
        properties,
    })
}

fn disconnect(reader: &mut Reader<'_>) -> Result<ServerPacket, Illegal> {
    let (mut reason, mut properties) = (0, Properties::default());
    if !reader.is_empty() {
        reason = reader.byte()?;
        if !DISCONNECT_V5.contains(&reason) {
            return Err(Illegal::new(
                "MQTT-3.14.2-1",
                "a reason code that a server's DISCONNECT does not have",
            ));
        }
        if !reader.is_empty() {
            properties = Properties::read(reader, PacketType::Disconnect)?;
        }
    }
    Ok(ServerPacket::Disconnect { reason, properties })
}

fn auth(reader: &mut Reader<'_>) -> Result<ServerPacket, Illegal> {
    let (mut reason, mut properties) = (0, Properties::default());
    if !reader.is_empty() {
        reason = reader.byte()?;
        if !matches!(reason, 0x00 | 0x18) {
            return Err(Illegal::new(
                "MQTT-3.15.2-1",
                "a reason code that a server's AUTH does not have",
            ));
        }
        properties = Properties::read(reader, PacketType::Auth)?;
    }
    Ok(ServerPacket::Auth { reason, properties })
}

fn packet_id(reader: &mut Reader<'_>) -> Result<u16, Illegal> {
    match reader.word()? {
        0 => Err(Illegal::new("MQTT-2.2.1-5", "the packet identifier is 0")),
        id => Ok(id),
    }
}

fn properties(
    reader: &mut Reader<'_>,
    packet: PacketType,
    version: Version,
) -> Result<Properties, Illegal> {
    match version {
        Version::V311 => Ok(Properties::default()),
        Version::V5 if reader.is_empty() => Err(Illegal::new(
            "MQTT-2.2.2-1",
            "the property length is missing",
        )),
        Version::V5 => Properties::read(reader, packet),
    }
}

const CONNACK_V5: &[u8] = &[
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
    0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
];
const PUBACK_V5: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const PUBREL_V5: &[u8] = &[0x00, 0x92];
const SUBACK_V311: &[u8] = &[0x00, 0x01, 0x02, 0x80];
const SUBACK_V5: &[u8] = &[
    0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
];
const UNSUBACK_V5: &[u8] = &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
const DISCONNECT_V5: &[u8] = &[
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];

#[cfg(test)]
mod tests;
