//! MQTT 3.1.1 and 5.0.
//!
//! Three views, by what the bytes may be: [`wire`] holds the packets and the judgement of what a server sends and does no
//! I/O; [`Session`] does what is well-formed and takes only legal packets; [`Raw`] sends anything and hands back whatever
//! came.
//!
//! References: "MQTT Version 3.1.1" (OASIS Standard, 2014) and "MQTT Version 5.0" (OASIS Standard, 2019). Statements are
//! cited by the ids of the version that is spoken, sections by those of 5.0 unless they are only in 3.1.1.

mod client;
mod raw;
mod relay;
pub mod serve;
mod session;
mod settings;
mod topic;
pub mod wire;

pub use raw::{End, MAX_PACKET, Raw, RawError};
pub use session::{Granted, Message, Published, Session};
pub use settings::{MqttError, MqttSettings};
