//! How fast a device answers right requests: what it may take before it counts as silent goes by that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most that one answer counts: one that was late for a reason of its own must not make every silence long.
const MOST: Duration = Duration::from_millis(50);

/// The slowest right answer so far.
#[derive(Debug, Default)]
pub struct Pace(AtomicU64);

impl Pace {
    /// A right answer took so long.
    pub fn took(&self, time: Duration) {
        let micros = time.min(MOST).as_micros() as u64;
        self.0.fetch_max(micros, Ordering::Relaxed);
    }

    /// So many times as long as the slowest right answer, and more; none before there was one.
    pub fn limit(&self, times: u32, more: Duration) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros) * times + more),
        }
    }
}
