//! How long the device takes to answer what is asked of it: in MQTT 3.1.1 a broker refuses without a word, and a history that waits
//! for it as long as for any answer does little else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many times the longest time that an answer has taken is waited for another, with [`LEAST`] at least.
const TIMES: u32 = 20;
const LEAST: Duration = Duration::from_millis(600);

/// The longest time that an answer has taken, by interface.
#[derive(Debug, Default)]
pub struct Replies(Mutex<BTreeMap<String, Duration>>);

impl Replies {
    /// An answer came.
    pub fn took(&self, interface: &str, time: Duration) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = known.entry(interface.to_owned()).or_default();
        *longest = time.max(*longest);
    }

    /// How long an answer is waited for; none where no answer was seen yet.
    pub fn patience(&self, interface: &str) -> Option<Duration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(interface)
            .map(|longest| LEAST.max(*longest * TIMES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_device_is_waited_for_longer_and_one_that_never_answered_as_long_as_any() {
        let replies = Replies::default();
        assert_eq!(replies.patience("gateway"), None);
        replies.took("gateway", Duration::from_millis(5));
        assert_eq!(replies.patience("gateway"), Some(LEAST));
        replies.took("gateway", Duration::from_millis(300));
        replies.took("gateway", Duration::from_millis(20));
        assert_eq!(replies.patience("gateway"), Some(Duration::from_secs(6)));
        assert_eq!(replies.patience("other"), None);
    }
}
