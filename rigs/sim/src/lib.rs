//! The simulated device: a process with real ports, its own store, and switchable flaws.
//!
//! It is a tank level controller, TC-100 by Example Controls, with a serial console, Modbus RTU, Modbus TCP (both read only), Modbus/TCP
//! Security, and MQTT over TLS. It does what can be driven from outside at SL 4; [`flaws()`] lists the defects it can be told to have. It
//! shares no code with the harness, so that both cannot misread a specification in the same way.
//!
//! The MQTT broker is that of the `mqtt5` crate: of those that can be embedded it is the one that asks the program around it before every
//! login, publication and subscription, and that needs no TLS provider besides `ring`. `rumqttd` 0.20 knows no rights on topics, and
//! `rmqtt` 0.24 cannot be built without aws-lc. In MQTT 3.1.1 a publication cannot be refused: it is acknowledged and has no effect.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use slcert_sim::{Config, Device};
//!
//! let device = Device::start(Config::default()).await?;
//! println!("Modbus TCP at {}:{}", device.ready().address, device.ready().modbus_tcp);
//! device.stop().await;
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]

mod account;
mod alert;
mod approval;
mod args;
mod audit;
mod backup;
mod boundary;
mod certificate;
mod clock;
mod code;
mod component;
mod console;
mod controller;
mod device;
mod factor;
mod firmware;
mod flaw;
mod handshake;
mod history;
mod import;
mod login;
mod loss;
mod modbus;
mod mqtt;
mod password;
mod peer;
mod pki;
mod policy;
mod process;
mod provisioning;
mod pty;
mod purge;
mod revocation;
mod role;
mod session;
mod site;
mod store;
mod supervisor;
mod upstream;

pub use args::{Args, run};
pub use boundary::Networks;
pub use component::Component;
pub use controller::StartError;
pub use device::{Config, Device, Ready};
pub use flaw::{Deep, Flaw, FlawSet, UnknownFlaw, flaws};
pub use password::NoRandom;
pub use site::Broker;
pub use store::StoreError;
