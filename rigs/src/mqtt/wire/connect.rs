//! CONNECT (§3.1), well-formed and taken apart for tests that are not.

use super::frame::{PacketType, packet, sized};
use super::{EmitError, Properties, Version};

/// The bits of the connect flags (§3.1.2.3).
#[allow(missing_docs)]
pub mod flag {
    pub const RESERVED: u8 = 0x01;
    pub const CLEAN: u8 = 0x02;
    pub const WILL: u8 = 0x04;
    pub const WILL_QOS_SHIFT: u8 = 3;
    pub const WILL_RETAIN: u8 = 0x20;
    pub const PASSWORD: u8 = 0x40;
    pub const USER: u8 = 0x80;
}

/// What the server publishes if the client vanishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// 0..=2.
    pub qos: u8,
    /// Whether the server keeps it.
    pub retain: bool,
    /// Only in MQTT 5.0.
    pub properties: Properties,
}

/// A client's first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Which MQTT.
    pub version: Version,
    /// May be empty; the server then chooses.
    pub client_id: String,
    /// User name.
    pub user: Option<String>,
    /// Password; bytes, not text.
    pub password: Option<Vec<u8>>,
    /// Seconds; 0 is off.
    pub keep_alive: u16,
    /// Clean session (3.1.1) or clean start (5.0).
    pub clean: bool,
    /// The will.
    pub will: Option<Will>,
    /// Only in MQTT 5.0.
    pub properties: Properties,
}

impl Connect {
    /// A clean session with nothing but a client identifier and 60 seconds of keep alive.
    pub fn new(version: Version, client_id: &str) -> Self {
        Self {
            version,
            client_id: client_id.to_owned(),
            user: None,
            password: None,
            keep_alive: 60,
            clean: true,
            will: None,
            properties: Properties::default(),
        }
    }

    /// Writes the packet.
    ///
    /// # Errors
    /// [`EmitError`] says what cannot be written legally.
    pub fn emit(&self) -> Result<Vec<u8>, EmitError> {
        if self.version == Version::V311 && self.password.is_some() && self.user.is_none() {
            return Err(EmitError::PasswordAlone);
        }
        self.parts()?.emit()
    }

    /// Takes the packet apart, so that a test can change any part and put it together again.
    ///
    /// # Errors
    /// [`EmitError::Field`] if a field is too long, [`EmitError::Qos`] if the will's QoS is above 2.
    pub fn parts(&self) -> Result<ConnectParts, EmitError> {
        let mut flags = if self.clean { flag::CLEAN } else { 0 };
        let mut payload = vec![sized(self.client_id.as_bytes())?];
        if let Some(will) = &self.will {
            if will.qos > 2 {
                return Err(EmitError::Qos(will.qos));
            }
            flags |= flag::WILL | will.qos << flag::WILL_QOS_SHIFT;
            flags |= if will.retain { flag::WILL_RETAIN } else { 0 };
            if self.version == Version::V5 {
                payload.push(will.properties.emit()?);
            }
            payload.extend([sized(will.topic.as_bytes())?, sized(&will.payload)?]);
        }
        if let Some(user) = &self.user {
            flags |= flag::USER;
            payload.push(sized(user.as_bytes())?);
        }
        if let Some(password) = &self.password {
            flags |= flag::PASSWORD;
            payload.push(sized(password)?);
        }
        Ok(ConnectParts {
            first: PacketType::Connect.first_byte(),
            name: sized(b"MQTT")?,
            level: self.version.level(),
            flags,
            keep_alive: self.keep_alive,
            properties: match self.version {
                Version::V311 => Vec::new(),
                Version::V5 => self.properties.emit()?,
            },
            payload,
        })
    }
}

/// The parts of a CONNECT, each of which may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectParts {
    /// Packet type and flags.
    pub first: u8,
    /// The protocol name with its length.
    pub name: Vec<u8>,
    /// The protocol level.
    pub level: u8,
    /// See [`flag`].
    pub flags: u8,
    /// Seconds.
    pub keep_alive: u16,
    /// The properties with their length; empty in 3.1.1.
    pub properties: Vec<u8>,
    /// The fields of the payload, each with its length, in the order of §3.1.3.
    pub payload: Vec<Vec<u8>>,
}

impl ConnectParts {
    /// Puts the parts together under a right remaining length.
    ///
    /// # Errors
    /// [`EmitError::Packet`] if they are longer than a remaining length can say.
    pub fn emit(&self) -> Result<Vec<u8>, EmitError> {
        packet(self.first, &self.body())
    }

    /// What follows the fixed header; for [`lie`](super::frame::lie).
    pub fn body(&self) -> Vec<u8> {
        let mut body = self.name.clone();
        body.extend([self.level, self.flags]);
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(&self.properties);
        body.extend(self.payload.concat());
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::wire::{Property, PropertyValue, property};

    #[test]
    fn a_311_connect_with_everything() {
        let connect = Connect {
            user: Some("u".into()),
            password: Some(b"pw".to_vec()),
            keep_alive: 10,
            will: Some(Will {
                topic: "w".into(),
                payload: b"!".to_vec(),
                qos: 1,
                retain: true,
                properties: Properties::default(),
            }),
            ..Connect::new(Version::V311, "id")
        };
        let mut bytes = vec![
            0x10,
            27,
            0,
            4,
            b'M',
            b'Q',
            b'T',
            b'T',
            4,
            0b1110_1110,
            0,
            10,
        ];
        bytes.extend(b"\0\x02id\0\x01w\0\x01!\0\x01u\0\x02pw");
        assert_eq!(connect.emit().unwrap(), bytes);
    }

    #[test]
    fn a_5_connect_has_properties() {
        let mut connect = Connect::new(Version::V5, "");
        connect.properties.0.push(Property {
            id: property::id::SESSION_EXPIRY,
            value: PropertyValue::Long(10),
        });
        assert_eq!(
            connect.emit().unwrap(),
            [
                0x10, 18, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 5, 0x11, 0, 0, 0, 10, 0, 0
            ]
        );
    }

    #[test]
    fn illegal_connects_are_built_from_parts_only() {
        let mut connect = Connect::new(Version::V311, "id");
        connect.password = Some(b"pw".to_vec());
        assert_eq!(connect.emit(), Err(EmitError::PasswordAlone));
        let mut parts = connect.parts().unwrap();
        parts.flags |= flag::RESERVED;
        parts.name = sized(b"MQTTT").unwrap();
        let bytes = parts.emit().unwrap();
        assert_eq!(bytes[..9], [0x10, 19, 0, 5, b'M', b'Q', b'T', b'T', b'T']);
        assert_eq!(bytes[10], flag::RESERVED | flag::CLEAN | flag::PASSWORD);
    }
}
