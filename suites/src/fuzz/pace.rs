//! How fast a device answers right requests: what it may take before it counts as silent goes by that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most that one answer counts: one that was late for a reason of its own must not make every silence long.
const MOST: Duration = Duration::from_millis(50);

/// How long right answers took, in microseconds.
#[derive(Debug, Default)]
pub struct Pace {
    slowest: AtomicU64,
    /// The mean of the last ones, the newer the more.
    usual: AtomicU64,
}

impl Pace {
    /// A right answer took so long.
    pub fn took(&self, time: Duration) {
        let micros = time.min(MOST).as_micros() as u64;
        self.slowest.fetch_max(micros, Ordering::Relaxed);
        let usual = match self.usual.load(Ordering::Relaxed) {
            0 => micros,
            usual => (usual * 7 + micros) / 8,
        };
        self.usual.store(usual, Ordering::Relaxed);
    }

    /// How long one usually takes; nothing before there was one.
    pub fn usual(&self) -> Duration {
        Duration::from_micros(self.usual.load(Ordering::Relaxed))
    }

    /// So many times as long as the slowest right answer, and more; none before there was one.
    pub fn limit(&self, times: u32, more: Duration) -> Option<Duration> {
        match self.slowest.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros) * times + more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_answer_makes_silences_long_and_not_the_usual_time() {
        let pace = Pace::default();
        let limit = |pace: &Pace| pace.limit(2, Duration::from_millis(1));
        assert_eq!((limit(&pace), pace.usual()), (None, Duration::ZERO));
        for millis in [[3; 20].as_slice(), &[900], &[3; 20]].concat() {
            pace.took(Duration::from_millis(millis));
        }
        assert_eq!(limit(&pace), Some(Duration::from_millis(101)));
        assert!(
            pace.usual() < Duration::from_millis(7),
            "{:?}",
            pace.usual()
        );
    }
}
