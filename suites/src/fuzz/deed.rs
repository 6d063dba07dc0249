//! What the bench does beside the inputs of a suite: an operation, in a session of its own.

use std::time::Duration;

use slcert_rigs::Attempt;
use slcert_rigs::bench::{Bench, Entry, Who};
use slcert_rigs::rig::Values;
use tokio::time::timeout;

use crate::hands::{Hand, rank, ways};

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(3);

/// An operation, where it is performed, and as whom.
#[derive(Clone, Copy)]
pub(super) struct Deed<'d> {
    /// The operation.
    pub operation: &'d str,
    interface: &'d str,
    who: Who<'d>,
}

impl<'d> Deed<'d> {
    /// The one on whose interface least is in the way, of those that fit.
    pub fn quickest(
        bench: &'d Bench,
        operation: &'d str,
        fits: impl Fn(&str) -> bool,
    ) -> Option<Self> {
        let rig = bench.rig();
        let fits = |hand: &Hand<'_>| hand.interface().is_some_and(&fits);
        let all = ways(rig, operation).into_iter().filter(fits);
        let (interface, who) = all.min_by_key(|hand| rank(rig, *hand))?.comes()?;
        Some(Self {
            operation,
            interface,
            who,
        })
    }

    /// The value that it reads; none where the bench cannot read it.
    pub async fn read(&self, bench: &Bench) -> Option<String> {
        match self.perform(bench, &Values::new()).await? {
            Attempt::Done(answer) => answer.value,
            _ => None,
        }
    }

    /// Performs it; none where the device lets nobody in, or takes too long.
    pub async fn perform(&self, bench: &Bench, values: &Values) -> Option<Attempt> {
        let done = async {
            let entry = bench.enter(self.interface, &self.who).await.ok()?;
            let Entry::In(mut session) = entry else {
                return None;
            };
            let attempt = session.perform(self.operation, values).await;
            session.close().await;
            attempt.ok()
        };
        timeout(LIMIT, done).await.ok()?
    }
}
