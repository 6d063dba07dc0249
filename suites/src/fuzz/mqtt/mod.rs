//! MQTT 3.1.1 and 5.0: packets of every type, in right and in wrong order, to a broker; and to a client, see [`client`].

mod broker;
pub mod client;
mod compared;
mod grammar;
mod reading;

use std::sync::atomic::AtomicU64;

use slcert_rigs::rig::{Binding, MqttBinding};

use slcert_rigs::bench::{Bench, Who};

use crate::fuzz::pace::Pace;
use crate::modbus::first_account;
use crate::procedure::{Procedure, Stop};
pub use broker::Broker;
pub use grammar::unfinished;

/// The broker on the interface under test.
///
/// # Errors
/// NOT EVALUATED where the rig file lists no account on it; INCONCLUSIVE where its password cannot be had.
pub fn broker<'b>(p: &Procedure<'b>) -> Result<Broker<'b>, Stop> {
    let interface = p.interface()?;
    let Who::Account(account) = first_account(p) else {
        return Err(Stop::not_evaluated(format!(
            "the rig file lists no account on `{}`",
            p.name()
        )));
    };
    let has_password = p
        .rig()
        .accounts
        .get(account)
        .is_some_and(|it| it.password.is_some());
    let orders =
        p.rig()
            .operations
            .values()
            .filter_map(|operation| match operation.on(p.name())? {
                Binding::Mqtt(MqttBinding::Publish { topic, .. }) => p.bench().fill(topic).ok(),
                _ => None,
            });
    Ok(Broker {
        bench: p.bench(),
        interface: p.name(),
        version: interface.version.into(),
        who: Who::Account(account),
        user: p.bench().user(account).to_owned(),
        password: has_password
            .then(|| p.bench().password(account))
            .transpose()?,
        orders: orders.collect(),
        client: AtomicU64::new(0),
        pace: Pace::default(),
    })
}

/// The reference of the broker on the interface under test, on a bench of its own.
///
/// # Errors
/// What it asks for cannot be had.
pub fn beside<'r, 'b: 'r>(target: &Broker<'b>, bench: &'r Bench) -> Result<Broker<'r>, String> {
    let shown = bench.reference_login(target.interface);
    let (user, password) = shown
        .map_err(|error| error.to_string())?
        .unwrap_or_default();
    Ok(Broker {
        bench,
        interface: target.interface,
        version: target.version,
        who: Who::Nobody,
        user,
        password,
        orders: Vec::new(),
        client: AtomicU64::new(0),
        pace: Pace::default(),
    })
}
