//! The device's clock: the machine's, moved by as much as an administrator has set it. It has a battery.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

const FILE: &str = "clock.json";

#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Milliseconds that the device is ahead of the machine.
    ahead: AtomicI64,
}

impl Clock {
    pub(crate) fn open(store: &Store) -> Result<Self, StoreError> {
        let ahead = store.read(FILE)?.unwrap_or_default();
        Ok(Self {
            ahead: AtomicI64::new(ahead),
        })
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.millis()).unwrap_or_default()
    }

    /// Unix milliseconds.
    pub(crate) fn millis(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.ahead.load(Relaxed)
    }

    fn set(&self, store: &Store, time: jiff::Timestamp) -> Result<(), StoreError> {
        let ahead = time.as_millisecond() - jiff::Timestamp::now().as_millisecond();
        store.write(FILE, &ahead, Durability::Synced)?;
        self.ahead.store(ahead, Relaxed);
        Ok(())
    }
}

impl Controller {
    /// Sets the clock to a time such as `2026-11-24T06:46:18Z`.
    pub(crate) fn set_clock(&self, actor: &Actor, time: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::SetClock)?;
        let time: jiff::Timestamp = time.parse().map_err(|_| Refusal::BadValue)?;
        let before = self.clock.now();
        self.clock.set(&self.store, time)?;
        let detail = format!("from {before:.0}");
        self.record(actor, Category::Configuration, "clock_set", true, &detail);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_goes_on_from_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let clock = Clock::open(&store).unwrap();
        clock
            .set(&store, "2020-01-01T00:00:00Z".parse().unwrap())
            .unwrap();
        let again = Clock::open(&store).unwrap();
        assert!(again.now().to_string().starts_with("2020-01-01T00:00:0"));
    }
}
