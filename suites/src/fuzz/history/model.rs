//! What histories are made of, and what they may bring about.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Strategy, Union};
use tokio::time::Instant;

use super::stage::Event;
use super::step::Step;
use crate::fuzz::finding::Finding;

/// Who comes in histories of one property, and what they may do.
pub trait Cast: Send + Sync {
    /// What the histories are.
    fn label(&self) -> &'static str;

    /// Whole histories.
    fn histories(&self) -> BoxedStrategy<Vec<Step>>;

    /// Any step, for a variation of a history.
    fn any_step(&self) -> BoxedStrategy<Step>;

    /// A history that shows something on any device that works: without it, no silence would count.
    fn control(&self) -> Vec<Step>;

    /// Whether that history also tells what a device does that is not stated: a replay needs it, too.
    fn learns(&self) -> bool {
        false
    }

    /// Whether a secret of a history that the device sends is a finding.
    fn listens(&self) -> bool {
        false
    }

    /// What a history may bring about, as it begins.
    fn model(&self) -> Box<dyn Model>;
}

/// A model of what the rig file states, small enough to be read. Where the device may do one thing or another, the model
/// follows the device.
pub trait Model: Send {
    /// What is wrong with what a step came to, which was begun at this moment.
    fn saw(&mut self, step: &Step, began: Instant, event: &Event) -> Option<Finding>;

    /// Whether anything came about that the model could judge.
    fn judged(&self) -> bool;

    /// For how long a finding is asked for again before it counts, and once at least: it may be the bench's fault, or the device
    /// may have time. None where it counts at once.
    fn patience(&self, _finding: &Finding) -> Option<Duration> {
        None
    }
}

/// Anybody of them, each interface as often as the others.
pub fn anybody<'t, T: Clone + Debug + 'static>(
    all: impl IntoIterator<Item = &'t T>,
    interface: impl Fn(&T) -> &str,
) -> BoxedStrategy<T> {
    let mut there: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for one in all {
        there.entry(interface(one)).or_default().push(one.clone());
    }
    Union::new(there.into_values().map(select)).boxed()
}
