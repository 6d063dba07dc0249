//! The device as a client: a Modbus server of the bench's, which it polls, answers wrongly.
//!
//! Bytes that stand behind a right answer's end, or in what is none, are known again in whatever the device asks later (O11); what it
//! shows of them elsewhere is judged by the register that the rig file names (O5).

mod answers;
mod connection;
mod grammar;
mod polling;
mod reading;
mod refusal;
mod service;
mod shown;
mod target;

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use crate::fuzz::returns::Returns;
use crate::procedure::{Procedure, Stop};
use service::Service;
use shown::Shown;
pub use target::Client;

/// The part of a trial's name that tells it from those on interfaces.
pub const CASE: &str = "/fuzz-server@";

/// The device that polls the bench's server under test.
///
/// # Errors
/// INCONCLUSIVE where there is no such server, NOT EVALUATED where nobody reads what the device is said to show.
pub fn client<'b>(p: &Procedure<'b>) -> Result<Client<'b>, Stop> {
    let (bench, name) = (p.bench(), p.name());
    let server = p
        .rig()
        .server(name)
        .ok_or_else(|| Stop::inconclusive("this case has no server"))?;
    let shown = match &server.shown {
        Some(shown) => Some(Shown::of(bench, shown)?),
        None => None,
    };
    Ok(Client {
        name,
        server,
        service: Service::start(bench.visitors(name)?, server),
        shown,
        returns: Returns::new(server.returns),
        clients: AtomicUsize::new(0),
        turn: Mutex::new(false),
    })
}
