//! How long a device that is a client takes until it is heard of again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long it is given while inputs are made smaller: the longest that it took so far so many times, and more.
const GAP: (u32, Duration) = (3, Duration::from_millis(300));

/// What the rig file grants the device, and what it was seen to take.
#[derive(Debug)]
pub struct Returns {
    granted: Duration,
    /// The longest that it took, in milliseconds.
    longest: AtomicU64,
    hurried: AtomicBool,
}

impl Returns {
    /// With what the rig file grants it; nothing is known of it yet.
    pub fn new(granted: Duration) -> Self {
        Self {
            granted,
            longest: AtomicU64::new(0),
            hurried: AtomicBool::new(false),
        }
    }

    /// It took so long.
    pub fn took(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.longest.fetch_max(millis, Ordering::Relaxed);
    }

    /// Goes by what it was seen to take, while inputs are made smaller, or by what it is granted.
    pub fn hurry(&self, on: bool) {
        self.hurried.store(on, Ordering::Relaxed);
    }

    /// Whether inputs are made smaller.
    pub fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::Relaxed)
    }

    /// How long it usually takes at the most.
    pub fn usually(&self) -> Duration {
        let longest = Duration::from_millis(self.longest.load(Ordering::Relaxed));
        let (times, more) = GAP;
        longest
            .saturating_mul(times)
            .saturating_add(more)
            .min(self.granted)
    }

    /// How long it may take.
    pub fn limit(&self) -> Duration {
        match self.is_hurried() {
            true => self.usually(),
            false => self.granted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_granted_what_the_rig_file_says_and_in_a_hurry_what_it_took() {
        let returns = Returns::new(Duration::from_secs(2));
        returns.took(Duration::from_millis(100));
        returns.took(Duration::from_millis(40));
        assert_eq!(returns.limit(), Duration::from_secs(2));
        returns.hurry(true);
        assert_eq!(returns.limit(), Duration::from_millis(600));
        returns.took(Duration::from_secs(9));
        assert_eq!(returns.limit(), Duration::from_secs(2));
    }
}
