//! A suite as it is, with a part of its inputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slcert_suites::fuzz::generate::Grammar;
use slcert_suites::fuzz::input::Input;
use slcert_suites::fuzz::target::{Delivered, Target};

/// A suite's target, and where its inputs come from instead.
pub struct Narrowed<'t, T> {
    target: &'t T,
    grammar: Arc<dyn Grammar>,
    sent: AtomicU64,
}

impl<'t, T> Narrowed<'t, T> {
    pub fn new(target: &'t T, grammar: Arc<dyn Grammar>) -> Self {
        Self {
            target,
            grammar,
            sent: AtomicU64::new(0),
        }
    }

    /// How many inputs were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl<T: Target> Target for Narrowed<'_, T> {
    type Link = T::Link;

    fn waiting(&self) -> usize {
        self.target.waiting()
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::clone(&self.grammar)
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        self.target.forbidden(input)
    }

    fn open(&self) -> impl Future<Output = Result<Self::Link, String>> + Send {
        self.target.open()
    }

    fn deliver(
        &self,
        link: Self::Link,
        input: &Input,
    ) -> impl Future<Output = Delivered<Self::Link>> + Send {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.target.deliver(link, input)
    }

    fn hurry(&self, on: bool) {
        self.target.hurry(on);
    }

    fn serves(&self, patience: Duration) -> impl Future<Output = Result<Duration, String>> + Send {
        self.target.serves(patience)
    }
}
