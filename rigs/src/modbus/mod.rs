//! Modbus over TCP, TLS and serial lines.
//!
//! Three views, by what the bytes may be: [`wire`] holds the frames and the judgement of an answer and does no
//! I/O; [`Client`] asks what is well-formed and takes only legal answers; [`Raw`] sends anything and hands back
//! whatever came.
//!
//! References: "MODBUS Application Protocol Specification V1.1b3" (cited as `AP`), "MODBUS Messaging on TCP/IP
//! Implementation Guide V1.0b" (`TCP`), "MODBUS over Serial Line V1.02" (`SL`).

mod client;
mod codec;
mod error;
mod raw;
pub mod serve;
pub mod wire;

pub use client::{Client, Identification};
pub use error::{Breach, ModbusError};
pub use raw::{End, MAX_ANY, Raw, RawError};
