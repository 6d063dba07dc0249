//! What comes from a broker, read strictly: whatever is not as the standard has it ends the connection.

/// Types of packets, the high nibble of their first byte.
pub(super) mod kind {
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const PUBREC: u8 = 5;
    pub const PUBREL: u8 = 6;
    pub const PUBCOMP: u8 = 7;
    pub const SUBACK: u8 = 9;
    pub const UNSUBACK: u8 = 11;
    pub const PINGRESP: u8 = 13;
    pub const DISCONNECT: u8 = 14;
}

/// Reason codes of MQTT 5.0 with which the device leaves.
pub(super) const MALFORMED: u8 = 0x81;
pub(super) const PROTOCOL_ERROR: u8 = 0x82;
pub(super) const TOPIC_NAME_INVALID: u8 = 0x90;
pub(super) const TOO_MANY_MESSAGES: u8 = 0x93;
pub(super) const ALIAS_INVALID: u8 = 0x94;
pub(super) const TOO_LARGE: u8 = 0x95;

/// The properties that each packet may have: identifier, size (0: a text or binary field, 1 pair of them as 8), packets.
const PROPERTIES: &[(u8, Size, &[u8])] = &[
    (0x01, Size::Bytes(1), &[kind::PUBLISH]),
    (0x02, Size::Bytes(4), &[kind::PUBLISH]),
    (0x03, Size::Text, &[kind::PUBLISH]),
    (0x08, Size::Text, &[kind::PUBLISH]),
    (0x09, Size::Field, &[kind::PUBLISH]),
    (0x0B, Size::Variable, &[kind::PUBLISH]),
    (0x11, Size::Bytes(4), &[kind::CONNACK]),
    (0x12, Size::Text, &[kind::CONNACK]),
    (0x13, Size::Bytes(2), &[kind::CONNACK]),
    (0x1A, Size::Text, &[kind::CONNACK]),
    (0x1C, Size::Text, &[kind::CONNACK, kind::DISCONNECT]),
    (0x1F, Size::Text, ANSWERS),
    (0x21, Size::Bytes(2), &[kind::CONNACK]),
    (0x22, Size::Bytes(2), &[kind::CONNACK]),
    (ALIAS, Size::Bytes(2), &[kind::PUBLISH]),
    (0x24, Size::Bytes(1), &[kind::CONNACK]),
    (0x25, Size::Bytes(1), &[kind::CONNACK]),
    (USER, Size::Pair, ALL),
    (0x27, Size::Bytes(4), &[kind::CONNACK]),
    (0x28, Size::Bytes(1), &[kind::CONNACK]),
    (0x29, Size::Bytes(1), &[kind::CONNACK]),
    (0x2A, Size::Bytes(1), &[kind::CONNACK]),
];
pub(super) const USER: u8 = 0x26;
pub(super) const ALIAS: u8 = 0x23;
const SUBSCRIPTION: u8 = 0x0B;
const ANSWERS: &[u8] = &[
    kind::CONNACK,
    kind::PUBACK,
    kind::PUBREC,
    kind::PUBREL,
    kind::PUBCOMP,
    kind::SUBACK,
    kind::UNSUBACK,
    kind::DISCONNECT,
];
const ALL: &[u8] = &[
    kind::CONNACK,
    kind::PUBLISH,
    kind::PUBACK,
    kind::PUBREC,
    kind::PUBREL,
    kind::PUBCOMP,
    kind::SUBACK,
    kind::UNSUBACK,
    kind::DISCONNECT,
];

#[derive(Clone, Copy)]
enum Size {
    Bytes(usize),
    Variable,
    Field,
    Text,
    Pair,
}

/// A packet that reads as one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'p> {
    ConnAck(u8),
    Publish {
        qos: u8,
        topic: &'p str,
        id: u16,
        payload: &'p [u8],
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP: the type and the identifier.
    Ack(u8, u16),
    SubAck(u16, &'p [u8]),
    PingResp,
    /// The server ends it, with a reason.
    Disconnect(u8),
}

/// How many bytes the packet takes that begins here: its header, and all of it. None where more have to come.
pub(super) fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, u8> {
    let mut value = 0;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((at + 2, at + 2 + value)));
        }
    }
    if bytes.len() > 4 {
        Err(MALFORMED)
    } else {
        Ok(None)
    }
}

/// Reads a packet; the error is a reason code.
pub(super) fn read(first: u8, body: &[u8], v5: bool) -> Result<Packet<'_>, u8> {
    let of = first >> 4;
    let flags = first & 15;
    if of != kind::PUBLISH && flags != if of == kind::PUBREL { 2 } else { 0 } {
        return Err(MALFORMED);
    }
    let mut fields = Fields(body);
    let packet = match of {
        kind::CONNACK => {
            let [present, code] = fields.array()?;
            if v5 {
                fields.properties(of)?;
            }
            // A clean session is never there already.
            if present != 0 {
                return Err(PROTOCOL_ERROR);
            }
            Packet::ConnAck(code)
        }
        kind::PUBLISH => return publish(flags, fields, v5),
        kind::PUBACK..=kind::PUBCOMP => {
            let id = fields.id()?;
            if v5 && !fields.0.is_empty() {
                let [_reason] = fields.array()?;
                if !fields.0.is_empty() {
                    fields.properties(of)?;
                }
            }
            Packet::Ack(of, id)
        }
        kind::SUBACK => {
            let id = fields.id()?;
            if v5 {
                fields.properties(of)?;
            }
            Packet::SubAck(id, std::mem::take(&mut fields.0))
        }
        kind::PINGRESP => Packet::PingResp,
        kind::DISCONNECT if v5 => {
            let reason = match fields.0 {
                [] => 0,
                _ => fields.array::<1>()?[0],
            };
            if !fields.0.is_empty() {
                fields.properties(of)?;
            }
            Packet::Disconnect(reason)
        }
        _ => return Err(PROTOCOL_ERROR),
    };
    if fields.0.is_empty() {
        Ok(packet)
    } else {
        Err(MALFORMED)
    }
}

fn publish(flags: u8, mut fields: Fields<'_>, v5: bool) -> Result<Packet<'_>, u8> {
    let qos = flags >> 1 & 3;
    if qos == 3 || qos == 0 && flags & 8 != 0 {
        return Err(MALFORMED);
    }
    let topic = fields.text()?;
    let id = if qos > 0 { fields.id()? } else { 0 };
    if v5 && fields.properties(kind::PUBLISH)?.contains(&ALIAS) {
        // None was allowed in CONNECT.
        return Err(ALIAS_INVALID);
    }
    if topic.is_empty() || topic.contains(['#', '+']) {
        return Err(TOPIC_NAME_INVALID);
    }
    Ok(Packet::Publish {
        qos,
        topic,
        id,
        payload: fields.0,
    })
}

pub(super) struct Fields<'p>(pub &'p [u8]);

impl<'p> Fields<'p> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], u8> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(*array)
    }

    fn id(&mut self) -> Result<u16, u8> {
        match u16::from_be_bytes(self.array()?) {
            0 => Err(PROTOCOL_ERROR),
            id => Ok(id),
        }
    }

    fn take(&mut self, size: usize) -> Result<&'p [u8], u8> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<&'p [u8], u8> {
        let size = u16::from_be_bytes(self.array()?);
        self.take(usize::from(size))
    }

    pub(super) fn text(&mut self) -> Result<&'p str, u8> {
        let text = std::str::from_utf8(self.field()?).map_err(|_| MALFORMED)?;
        if text.contains('\0') {
            return Err(MALFORMED);
        }
        Ok(text)
    }

    fn variable(&mut self) -> Result<usize, u8> {
        let mut value = 0;
        for at in 0..4 {
            let [byte] = self.array()?;
            value |= usize::from(byte & 0x7F) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(MALFORMED)
    }

    /// The identifiers of the properties that stand here.
    fn properties(&mut self, of: u8) -> Result<Vec<u8>, u8> {
        let size = self.variable()?;
        let mut inside = Fields(self.take(size)?);
        let mut found = Vec::new();
        while !inside.0.is_empty() {
            let id = inside.variable()?;
            let (id, size, packets) = PROPERTIES
                .iter()
                .find(|(known, ..)| usize::from(*known) == id)
                .ok_or(MALFORMED)?;
            let again = ![USER, SUBSCRIPTION].contains(id) && found.contains(id);
            if !packets.contains(&of) || again {
                return Err(PROTOCOL_ERROR);
            }
            match size {
                Size::Bytes(size) => drop(inside.take(*size)?),
                Size::Variable => drop(inside.variable()?),
                Size::Field => drop(inside.field()?),
                Size::Text => drop(inside.text()?),
                Size::Pair => drop((inside.text()?, inside.text()?)),
            }
            found.push(*id);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_reads_and_what_is_not_does_not() {
        assert_eq!(read(0x20, &[0, 0, 0], true), Ok(Packet::ConnAck(0)));
        assert_eq!(read(0x20, &[0, 5], false), Ok(Packet::ConnAck(5)));
        assert_eq!(read(0x20, &[1, 0], false), Err(PROTOCOL_ERROR));
        assert_eq!(read(0x90, &[0, 1, 0, 1], true), Ok(Packet::SubAck(1, &[1])));
        assert_eq!(read(0x40, &[0, 0], false), Err(PROTOCOL_ERROR));
        assert_eq!(read(0xE0, &[0x9D], true), Ok(Packet::Disconnect(0x9D)));
        assert_eq!(read(0xE0, &[], false), Err(PROTOCOL_ERROR));
        let publish = b"\0\x01a\0\x07on";
        assert!(matches!(
            read(0x32, publish, false),
            Ok(Packet::Publish { qos: 1, id: 7, .. })
        ));
        assert_eq!(read(0x36, publish, false), Err(MALFORMED));
        assert_eq!(
            read(0x30, b"\0\x01a\x03\x23\0\x01on", true),
            Err(ALIAS_INVALID)
        );
        assert_eq!(read(0x30, b"\0\x01a\x09\x26on", true), Err(MALFORMED));
        assert_eq!(read(0x30, b"\0\x02\xC3\x28", false), Err(MALFORMED));
        assert_eq!(length(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]), Err(MALFORMED));
        assert_eq!(length(&[0x30, 0x80]), Ok(None));
        assert_eq!(length(&[0x30, 0x80, 1]), Ok(Some((3, 131))));
    }
}
