//! TLS: records, handshake messages and alerts, in right and in wrong order, to a server: before a handshake is done, and
//! behind it with the session's own keys.

mod answer;
mod behind;
mod change;
mod grammar;
mod hearing;
mod hello;
mod out_of_place;
mod reading;
mod server;
mod server_hello;
mod wire;

use std::collections::VecDeque;
use std::sync::Mutex;

use super::modbus::Tcp;
use super::mqtt::Broker;
use super::pace::Pace;
use crate::modbus::first_account;
use crate::procedure::{Procedure, Stop};
pub use behind::{Behind, Served};
pub use server::Server;

/// The part of a trial's name that tells it from those of what is under TLS.
pub const CASE: &str = "/fuzz-tls@";
/// The same for what comes behind a handshake.
pub const CASE_BEHIND: &str = "/fuzz-tls-session@";

/// The Modbus server under TLS on the interface under test.
///
/// # Errors
/// For a case without an interface.
pub fn modbus<'b>(p: &Procedure<'b>) -> Result<Server<'b, Tcp<'b>>, Stop> {
    Ok(around(p, super::modbus::tcp(p)?))
}

/// The broker under TLS on the interface under test.
///
/// # Errors
/// As for the broker itself.
pub fn mqtt<'b>(p: &Procedure<'b>) -> Result<Server<'b, Broker<'b>>, Stop> {
    Ok(around(p, super::mqtt::broker(p)?))
}

/// The Modbus server under TLS on the interface under test, for what comes behind a handshake.
///
/// # Errors
/// For a case without an interface.
pub fn behind_modbus<'b>(p: &Procedure<'b>) -> Result<Behind<'b, Tcp<'b>>, Stop> {
    Ok(behind(p, super::modbus::tcp(p)?))
}

/// The broker under TLS on the interface under test, for what comes behind a handshake.
///
/// # Errors
/// As for the broker itself.
pub fn behind_mqtt<'b>(p: &Procedure<'b>) -> Result<Behind<'b, Broker<'b>>, Stop> {
    Ok(behind(p, super::mqtt::broker(p)?))
}

/// Holds the suite of what comes behind a handshake in a third of the time: there is less of it.
///
/// # Errors
/// As [`hold`](super::hold).
pub async fn hold_behind<S: Served>(
    p: &mut Procedure<'_>,
    server: &Behind<'_, S>,
) -> Result<(), Stop> {
    let mut budget = p.fuzz_budget();
    budget.time /= 3;
    super::hold_for(p, server, budget).await
}

fn behind<'b, S>(p: &Procedure<'b>, serves: S) -> Behind<'b, S> {
    Behind {
        bench: p.bench(),
        interface: p.name(),
        who: first_account(p),
        serves,
        pace: Pace::default(),
    }
}

fn around<'b, S>(p: &Procedure<'b>, serves: S) -> Server<'b, S> {
    Server {
        bench: p.bench(),
        interface: p.name(),
        who: first_account(p),
        serves,
        sent: Mutex::new(VecDeque::new()),
        pace: Pace::default(),
    }
}
