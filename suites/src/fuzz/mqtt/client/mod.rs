//! The device as a client: a broker of the bench's, to which it comes, answers wrongly at each step of the protocol.

mod connection;
mod grammar;
mod order;
mod packets;
mod presence;
mod reading;
mod target;

use std::sync::Mutex;
use std::sync::atomic::AtomicU16;

use crate::fuzz::pace::Pace;
use crate::fuzz::returns::Returns;
use crate::procedure::{Procedure, Stop};
use connection::Known;
pub use presence::Client;

/// The part of a trial's name that tells it from those on interfaces.
pub const CASE: &str = "/fuzz-broker@";

/// The device that comes to the bench's broker under test.
///
/// # Errors
/// INCONCLUSIVE where there is no such server, or a secret of it cannot be had.
pub fn client<'b>(p: &Procedure<'b>) -> Result<Client<'b>, Stop> {
    let (bench, name) = (p.bench(), p.name());
    let visitors = bench.visitors(name)?;
    let server = p
        .rig()
        .server(name)
        .ok_or_else(|| Stop::inconclusive("this case has no server"))?;
    let order = match &server.order {
        Some(order) => Some(order::Order::of(bench, order)?),
        None => None,
    };
    Ok(Client {
        name,
        server,
        password: bench.server_password(name)?,
        version: server.version.into(),
        visitors,
        here: tokio::sync::Mutex::new(None),
        known: Mutex::new(Known::default()),
        ids: AtomicU16::new(0),
        pace: Pace::default(),
        returns: Returns::new(server.returns),
        order,
    })
}
