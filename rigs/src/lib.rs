//! What a device is tested on: rig files, lines, protocol clients, power and monitors.

#![deny(missing_docs)]

mod inbox;
pub mod modbus;
pub mod mqtt;
