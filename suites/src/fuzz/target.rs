//! What the engine needs of a protocol.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use slcert_rigs::rig::Rig;

use super::coverage::Seen;
use super::differences::Comes;
use super::finding::Finding;
use super::generate::Grammar;
use super::input::Input;

/// What is judged later, beside the inputs that follow: a connection that the device has to end by itself.
pub type Later = Pin<Box<dyn Future<Output = Option<Finding>> + Send>>;

/// What came of an input.
pub struct Delivered<L> {
    /// The connection, where it can take another input.
    pub link: Option<L>,
    /// What the device did.
    pub seen: Seen,
    /// What is wrong with it.
    pub finding: Option<Finding>,
    /// What is not clear yet.
    pub later: Option<Later>,
}

impl<L> Delivered<L> {
    /// Nothing that is wrong.
    pub fn fine(link: Option<L>, seen: Seen) -> Self {
        Self {
            link,
            seen,
            finding: None,
            later: None,
        }
    }
}

/// How many connections may wait where the rig file states no limit.
const WAITING: usize = 16;

/// How many connections of one user may wait on an interface: half of what the rig file states as the limit, so that those
/// which go on, and those which the device has not yet seen the end of, have room beside them.
pub fn waiting(rig: &Rig, interface: &str) -> usize {
    let limit = rig.policy.sessions.get(interface);
    limit.map_or(WAITING, |limit| {
        (limit.value.most as usize / 2).clamp(1, WAITING)
    })
}

/// A protocol on an interface of the device.
pub trait Target: Send + Sync {
    /// A connection, and what the bench knows of it.
    type Link: Send;

    /// Whether inputs are what a person types: reproducers then show them as text.
    const TYPED: bool = false;

    /// The most connections that are left waiting beside the inputs that follow.
    fn waiting(&self) -> usize {
        WAITING
    }

    /// The interface that inputs go to, where none of them is an order: what is read beside it stays as it is. None where
    /// inputs may change what they have the right to.
    fn gives_no_orders(&self) -> Option<&str> {
        None
    }

    /// Where inputs come from.
    fn grammar(&self) -> Arc<dyn Grammar>;

    /// Why an input must not go out: it may touch what the rig file names as a hazard.
    fn forbidden(&self, input: &Input) -> Option<&'static str>;

    /// Opens a connection.
    ///
    /// # Errors
    /// Why the device does not take it.
    fn open(&self) -> impl Future<Output = Result<Self::Link, String>> + Send;

    /// Sends an input, takes what comes, and judges it.
    fn deliver(
        &self,
        link: Self::Link,
        input: &Input,
    ) -> impl Future<Output = Delivered<Self::Link>> + Send;

    /// What comes of an input on a connection of its own, as far as it can be compared with what comes of it elsewhere; with
    /// patience, silences are long enough for a device that is late. None where the input is not taken, or nothing is compared.
    fn comes_of(
        &self,
        _input: &Input,
        _patient: bool,
    ) -> impl Future<Output = Option<Comes>> + Send {
        std::future::ready(None)
    }

    /// Whether silences are judged by the device's usual pace, and not by the time that the rig file grants it: while inputs
    /// are made smaller, before what is left is confirmed.
    fn hurry(&self, _on: bool) {}

    /// Whether a right request on a new connection is answered rightly within `patience`.
    ///
    /// # Errors
    /// What came instead.
    fn serves(&self, patience: Duration) -> impl Future<Output = Result<Duration, String>> + Send;
}

#[cfg(test)]
mod tests {
    use slcert_profiles::file::Source;
    use slcert_rigs::rig::SIMULATED;

    use super::*;

    #[test]
    fn the_benchs_own_connections_leave_room_among_the_sessions_that_are_stated() {
        let waiting_on_plc = |most: u32| {
            let stated = format!("plc = {{ most = {most},");
            let rig = SIMULATED.replace("plc = { most = 16,", &stated);
            let rig = Rig::load(&Source::new("simulated.toml", &rig)).unwrap();
            assert_eq!(waiting(&rig, "field"), WAITING, "nothing is stated for it");
            waiting(&rig, "plc")
        };
        assert_eq!([1, 2, 5, 16, 99].map(waiting_on_plc), [1, 1, 2, 8, WAITING]);
    }
}
