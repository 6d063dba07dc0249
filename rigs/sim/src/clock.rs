//! The device's clock: it runs through a power cut.
//!
//! The machine's own clock stands for the crystal; the device keeps how far it is off.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{Durability, Store, StoreError};

const FILE: &str = "clock.json";

#[derive(Debug)]
pub(crate) struct Clock {
    offset: AtomicI64,
    store: Store,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Kept {
    offset_ms: i64,
}

impl Clock {
    pub(crate) fn open(store: Store) -> Result<Self, StoreError> {
        let kept: Option<Kept> = store.read(FILE)?;
        Ok(Self {
            offset: AtomicI64::new(kept.map_or(0, |kept| kept.offset_ms)),
            store,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let off = jiff::SignedDuration::from_millis(self.offset.load(Relaxed));
        now.checked_add(off).unwrap_or(now)
    }

    /// Moves the clock by so many milliseconds, on disk before in memory.
    pub(crate) fn step(&self, by: i64) -> Result<(), StoreError> {
        let offset_ms = self.offset.load(Relaxed).saturating_add(by);
        self.store
            .write(FILE, &Kept { offset_ms }, Durability::Written)?;
        self.offset.store(offset_ms, Relaxed);
        Ok(())
    }

    /// Sets the clock.
    pub(crate) fn set(&self, time: Timestamp) -> Result<(), StoreError> {
        self.step(time.as_millisecond() - self.now().as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_keeps_what_it_is_off() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Clock::open(Store::open(dir.path()).unwrap()).unwrap();
        open().step(90_000).unwrap();
        let ahead = open().now().as_millisecond() - Timestamp::now().as_millisecond();
        assert!((89_900..90_100).contains(&ahead), "{ahead}");
    }
}
