//! What a device is tested on: rig files, lines, protocol clients, power and monitors.

#![deny(missing_docs)]

mod attempt;
pub mod bench;
mod capture;
pub mod console;
mod inbox;
pub mod line;
pub mod modbus;
pub mod mqtt;
pub mod otp;
pub mod ports;
pub mod rig;
mod secret;
pub mod sntp;
pub mod tls;

pub use attempt::{Answer, Attempt};
pub use secret::{MASK, NoSecret, Secret, SecretSource};
