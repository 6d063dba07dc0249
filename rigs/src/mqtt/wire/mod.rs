//! MQTT packets: bytes that may be anything, and the meaning that is always legal.
//!
//! What a client sends is built from [`client`]; what a server sends is judged by [`server`]. [`frame`] builds packets
//! that are not legal.

pub mod client;
pub mod connect;
pub mod frame;
pub mod property;
mod reader;
pub mod server;

use std::fmt;

use thiserror::Error;

pub use client::{Ack, ClientPacket, Publish, Subscription};
pub use connect::{Connect, ConnectParts, Will};
pub use property::{Properties, Property, PropertyValue};
pub use server::{ServerPacket, decode};

/// Which MQTT is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1 (OASIS, 2014), protocol level 4.
    V311,
    /// MQTT 5.0 (OASIS, 2019), protocol level 5.
    V5,
}

impl Version {
    /// The protocol level in CONNECT.
    pub fn level(self) -> u8 {
        match self {
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V311 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5.0",
        })
    }
}

/// How a packet breaks the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} [{statement}]")]
pub struct Illegal {
    /// The normative statement (`MQTT-3.2.2-1`), or the section (`§3.13`) where there is none.
    pub statement: &'static str,
    /// What is wrong.
    pub what: &'static str,
}

impl Illegal {
    pub(crate) fn new(statement: &'static str, what: &'static str) -> Self {
        Self { statement, what }
    }
}

/// What cannot be written into a packet at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmitError {
    /// A string or binary field is longer than its length field can say.
    #[error("a field of {0} bytes is longer than 65535 (§1.5)")]
    Field(usize),
    /// The packet is longer than its length field can say.
    #[error("a packet of {0} bytes is longer than 268435455 (§2.1.4)")]
    Packet(usize),
    /// A packet identifier of 0.
    #[error("a packet identifier is not 0 [MQTT-2.2.1-3]")]
    PacketId,
    /// SUBSCRIBE or UNSUBSCRIBE without a topic filter.
    #[error("there is no topic filter [MQTT-3.8.3-2]")]
    NoFilter,
    /// A QoS of 3.
    #[error("QoS {0} is above 2 [MQTT-3.3.1-4]")]
    Qos(u8),
    /// 3.1.1 has no password without a user name.
    #[error("a password needs a user name [MQTT-3.1.2-22]")]
    PasswordAlone,
}
