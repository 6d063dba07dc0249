//! The properties of MQTT 5.0 (§2.2.2), as a table.

use super::frame::{PacketType, sized, variable};
use super::reader::Reader;
use super::{EmitError, Illegal};

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PropertyValue {
    Byte(u8),
    Word(u16),
    Long(u32),
    Variable(u32),
    Text(String),
    Binary(Vec<u8>),
    Pair(String, String),
}

/// One property: an identifier of §2.2.2.2 and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The identifier; one of [`id`] where the packet is to be legal.
    pub id: u8,
    /// The value.
    pub value: PropertyValue,
}

/// Identifiers that are used by name.
#[allow(missing_docs)]
pub mod id {
    pub const SESSION_EXPIRY: u8 = 0x11;
    pub const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub const REASON_STRING: u8 = 0x1F;
    pub const RECEIVE_MAXIMUM: u8 = 0x21;
    pub const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub const TOPIC_ALIAS: u8 = 0x23;
    pub const USER: u8 = 0x26;
}

/// The properties of one packet, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(pub Vec<Property>);

#[derive(Clone, Copy)]
enum Kind {
    Byte,
    Word,
    Long,
    Variable,
    Text,
    Binary,
    Pair,
}

/// Table 2-4: identifier, type, and the packets of a server that may have it.
#[rustfmt::skip]
const TABLE: &[(u8, Kind, &[PacketType])] = {
    use Kind::*;
    use PacketType::*;
    &[
        (0x01, Byte, &[Publish]),
        (0x02, Long, &[Publish]),
        (0x03, Text, &[Publish]),
        (0x08, Text, &[Publish]),
        (0x09, Binary, &[Publish]),
        (0x0B, Variable, &[Publish]),
        (id::SESSION_EXPIRY, Long, &[ConnAck]),
        (id::ASSIGNED_CLIENT_ID, Text, &[ConnAck]),
        (id::SERVER_KEEP_ALIVE, Word, &[ConnAck]),
        (0x15, Text, &[ConnAck, Auth]),
        (0x16, Binary, &[ConnAck, Auth]),
        (0x17, Byte, &[]),
        (0x18, Long, &[]),
        (0x19, Byte, &[]),
        (0x1A, Text, &[ConnAck]),
        (0x1C, Text, &[ConnAck, Disconnect]),
        (id::REASON_STRING, Text, &[ConnAck, PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck, Disconnect, Auth]),
        (id::RECEIVE_MAXIMUM, Word, &[ConnAck]),
        (id::TOPIC_ALIAS_MAXIMUM, Word, &[ConnAck]),
        (id::TOPIC_ALIAS, Word, &[Publish]),
        (0x24, Byte, &[ConnAck]),
        (0x25, Byte, &[ConnAck]),
        (id::USER, Pair, &[ConnAck, Publish, PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck, Disconnect, Auth]),
        (0x27, Long, &[ConnAck]),
        (0x28, Byte, &[ConnAck]),
        (0x29, Byte, &[ConnAck]),
        (0x2A, Byte, &[ConnAck]),
    ]
};

/// Those that may stand more than once in a packet.
const REPEATED: [u8; 2] = [id::USER, 0x0B];
/// Bytes that are either 0 or 1.
const BOOLEAN: [u8; 6] = [0x01, 0x24, 0x25, 0x28, 0x29, 0x2A];
/// Numbers that may not be 0.
const NON_ZERO: [u8; 4] = [0x0B, id::RECEIVE_MAXIMUM, id::TOPIC_ALIAS, 0x27];

impl Properties {
    /// The reason string, for people: evidence of what a device tells a stranger.
    pub fn reason_string(&self) -> Option<&str> {
        self.text(id::REASON_STRING)
    }

    /// The client identifier that the server chose.
    pub fn assigned_client_id(&self) -> Option<&str> {
        self.text(id::ASSIGNED_CLIENT_ID)
    }

    /// Seconds the session outlives the connection.
    pub fn session_expiry(&self) -> Option<u32> {
        self.number(id::SESSION_EXPIRY)
    }

    /// Seconds of keep alive that the server wants.
    pub fn server_keep_alive(&self) -> Option<u32> {
        self.number(id::SERVER_KEEP_ALIVE)
    }

    /// How many unacknowledged QoS 1 and 2 packets the sender takes.
    pub fn receive_maximum(&self) -> Option<u32> {
        self.number(id::RECEIVE_MAXIMUM)
    }

    /// The alias of a PUBLISH.
    pub fn topic_alias(&self) -> Option<u32> {
        self.number(id::TOPIC_ALIAS)
    }

    /// The user properties, in their order.
    pub fn user(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|property| match &property.value {
            PropertyValue::Pair(name, value) => Some((name.as_str(), value.as_str())),
            _ => None,
        })
    }

    fn text(&self, id: u8) -> Option<&str> {
        self.0
            .iter()
            .find(|property| property.id == id)
            .and_then(|property| match &property.value {
                PropertyValue::Text(text) => Some(text.as_str()),
                _ => None,
            })
    }

    fn number(&self, id: u8) -> Option<u32> {
        self.0
            .iter()
            .find(|property| property.id == id)
            .and_then(|property| match property.value {
                PropertyValue::Byte(value) => Some(value.into()),
                PropertyValue::Word(value) => Some(value.into()),
                PropertyValue::Long(value) | PropertyValue::Variable(value) => Some(value),
                _ => None,
            })
    }

    /// Writes the length and the properties, whatever they are.
    ///
    /// # Errors
    /// [`EmitError::Field`] if a text is too long.
    pub fn emit(&self) -> Result<Vec<u8>, EmitError> {
        let mut bytes = Vec::new();
        for property in &self.0 {
            bytes.push(property.id);
            match &property.value {
                PropertyValue::Byte(value) => bytes.push(*value),
                PropertyValue::Word(value) => bytes.extend(value.to_be_bytes()),
                PropertyValue::Long(value) => bytes.extend(value.to_be_bytes()),
                PropertyValue::Variable(value) => bytes.extend(variable(*value)),
                PropertyValue::Text(text) => bytes.extend(sized(text.as_bytes())?),
                PropertyValue::Binary(value) => bytes.extend(sized(value)?),
                PropertyValue::Pair(name, value) => {
                    bytes.extend(sized(name.as_bytes())?);
                    bytes.extend(sized(value.as_bytes())?);
                }
            }
        }
        Ok([variable(bytes.len() as u32), bytes].concat())
    }

    /// Reads the length and the properties of a packet from a server.
    pub(super) fn read(reader: &mut Reader<'_>, packet: PacketType) -> Result<Self, Illegal> {
        let length = reader.variable()?;
        let mut inside = Reader::new(reader.bytes(length as usize)?, super::Version::V5);
        let mut found = Self::default();
        while !inside.is_empty() {
            let id = inside.variable()?;
            let Some((id, kind, packets)) =
                TABLE.iter().find(|(known, ..)| u32::from(*known) == id)
            else {
                return Err(Illegal::new(
                    "§2.2.2.2",
                    "a property identifier that does not exist",
                ));
            };
            if !packets.contains(&packet) {
                return Err(Illegal::new(
                    "§2.2.2.2",
                    "a property that this packet may not have",
                ));
            }
            if !REPEATED.contains(id) && found.0.iter().any(|earlier| earlier.id == *id) {
                return Err(Illegal::new("§2.2.2.2", "a property that stands twice"));
            }
            let value = match kind {
                Kind::Byte => PropertyValue::Byte(inside.byte()?),
                Kind::Word => PropertyValue::Word(inside.word()?),
                Kind::Long => PropertyValue::Long(inside.long()?),
                Kind::Variable => PropertyValue::Variable(inside.variable()?),
                Kind::Text => PropertyValue::Text(inside.text()?),
                Kind::Binary => PropertyValue::Binary(inside.binary()?),
                Kind::Pair => PropertyValue::Pair(inside.text()?, inside.text()?),
            };
            found.0.push(Property { id: *id, value });
            let number = found.number(*id);
            if BOOLEAN.contains(id) && number > Some(1) {
                return Err(Illegal::new(
                    "§2.2.2.2",
                    "a property that is neither 0 nor 1",
                ));
            }
            if NON_ZERO.contains(id) && number == Some(0) {
                let statement = if *id == self::id::TOPIC_ALIAS {
                    "MQTT-3.3.2-8"
                } else {
                    "§2.2.2.2"
                };
                return Err(Illegal::new(statement, "a property that may not be 0"));
            }
        }
        Ok(found)
    }
}
