//! TLS before any application data: records, handshake messages and alerts, in right and in wrong order, to a server.

mod answer;
mod change;
mod grammar;
mod hello;
mod out_of_place;
mod reading;
mod server;
mod server_hello;
mod wire;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use super::modbus::Tcp;
use super::mqtt::Broker;
use super::pace::Pace;
use super::target::Target;
use crate::modbus::first_account;
use crate::procedure::{Procedure, Stop};
pub use server::Server;

/// The part of a trial's name that tells it from those of what is under TLS.
pub const CASE: &str = "/fuzz-tls@";

/// The time that is left to the other suites.
const LEFT: Duration = Duration::from_secs(4);

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

/// Holds the suite in the part of the time that it needs: what is under TLS has one of its own.
///
/// # Errors
/// As [`hold`](super::hold).
pub async fn hold<S: Target>(p: &mut Procedure<'_>, server: &Server<'_, S>) -> Result<(), Stop> {
    let mut budget = p.fuzz_budget();
    budget.time = budget.time.saturating_sub(LEFT).max(budget.time / 2);
    super::hold_for(p, server, budget).await
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
