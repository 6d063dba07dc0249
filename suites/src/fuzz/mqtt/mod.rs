//! MQTT 3.1.1 and 5.0: packets of every type, in right and in wrong order, to a broker.

mod broker;
mod grammar;
mod reading;

use std::sync::atomic::AtomicU64;

use slcert_rigs::mqtt::wire::Version;
use slcert_rigs::rig::{Binding, MqttBinding, MqttVersion};

use crate::password::account_with_password;
use crate::procedure::{Procedure, Stop};
pub use broker::Broker;

/// The broker on the interface under test.
///
/// # Errors
/// NOT EVALUATED where no account of the interface has a password.
pub fn broker<'b>(p: &Procedure<'b>) -> Result<Broker<'b>, Stop> {
    let interface = p.interface()?;
    let account = account_with_password(p)?;
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
        version: match interface.version {
            MqttVersion::V311 => Version::V311,
            MqttVersion::V5 => Version::V5,
        },
        user: p.bench().user(account).to_owned(),
        password: p.bench().password(account)?,
        orders: orders.collect(),
        client: AtomicU64::new(0),
        usual: AtomicU64::new(0),
    })
}
