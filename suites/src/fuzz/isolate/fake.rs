//! Replays on a device that is none, for the tests of what isolation leaves.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::future::{Future, ready};
use std::sync::Arc;

use proptest::prelude::*;

use super::Power;
use super::reduce::Replays;
use crate::fuzz::generate::{Grammar, Shrinker, Source};
use crate::fuzz::input::{Act, Generated, Input, Origin};

#[derive(Clone, Copy)]
struct Lines;

impl Grammar for Lines {
    fn inputs(&self) -> BoxedStrategy<Input> {
        prop::collection::vec(any::<u8>(), 1..17)
            .prop_map(|bytes| Input {
                label: "bytes, and the end".to_owned(),
                anew: true,
                acts: vec![Act::Send(bytes), Act::Shut],
            })
            .boxed()
    }

    fn variations(&self, _: &Input) -> BoxedStrategy<Input> {
        self.inputs()
    }
}

/// A device that shows it at one of the inputs, or not at all.
pub(super) struct Fake {
    shows: fn(&[Generated]) -> Option<usize>,
    sent: usize,
    pub replays: usize,
}

impl Fake {
    pub fn that(shows: fn(&[Generated]) -> Option<usize>) -> Self {
        Self {
            shows,
            sent: 0,
            replays: 0,
        }
    }
}

impl Replays for Fake {
    fn again(&mut self, inputs: &[Generated], _: Power) -> impl Future<Output = bool> + Send {
        self.replays += 1;
        let shown = (self.shows)(inputs);
        self.sent = shown.map_or(inputs.len(), |at| at + 1);
        ready(shown.is_some())
    }

    fn sent(&self) -> usize {
        self.sent
    }

    fn is_over(&self) -> bool {
        self.replays > 9999
    }

    fn shrinker(&self, origin: Origin) -> Option<Shrinker> {
        Shrinker::start(Arc::new(Lines), 1, origin).ok()
    }
}

/// So many inputs.
pub(super) fn some(count: usize) -> Vec<Generated> {
    let mut source = Source::start(Arc::new(Lines), 1).unwrap();
    (0..count).filter_map(|_| source.another()).collect()
}
