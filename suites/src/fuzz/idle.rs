//! Whether the device rests where nobody asks it anything: oracle O10, where it is a process of this machine.
//!
//! A thread that rests sleeps. One that never does has run on a processor or waited for one all the time, however loaded the machine is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use slcert_rigs::bench::Bench;
use tokio::time::{Instant, sleep};

use super::finding::{Finding, Oracle};

/// A thread that wants a processor for so much of the time does not rest, in percent.
const BUSY: u32 = 90;
/// So many times what the device's busiest thread wants after a restart it has to be.
const TIMES: u32 = 4;
/// How long inputs are sent before a thread that never rests is looked at.
const BETWEEN: Duration = Duration::from_secs(1);
/// How long it is watched without a request: what is left to do of the inputs is done in less.
const WATCH: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_millis(500),
];
/// How long a device that was switched on is left alone first, and is watched then.
const SETTLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(1));

/// What the device's threads wanted of a processor, from a moment on.
pub struct Share {
    began: Instant,
    wanted: BTreeMap<OsString, Duration>,
}

impl Share {
    /// From now on; none where the device is no process of this machine.
    pub async fn begin(bench: &Bench) -> Option<Self> {
        let wanted = bench.device_wanted().await?;
        let began = Instant::now();
        Some(Self { began, wanted })
    }

    /// Whether it has gone on long enough to say something.
    pub fn is_old(&self) -> bool {
        self.began.elapsed() >= BETWEEN
    }

    /// The most of the time that one of those threads wanted one until now, in percent.
    async fn most(&self, bench: &Bench) -> Option<u32> {
        let now = bench.device_wanted().await?;
        let time = self.began.elapsed().as_secs_f64();
        let shares = self.wanted.iter().filter_map(|(thread, before)| {
            let wanted = now.get(thread)?.saturating_sub(*before);
            Some((wanted.as_secs_f64() * 100.0 / time) as u32)
        });
        Some(shares.max().unwrap_or_default())
    }
}

/// How much a device that has a busy thread still wants while nothing is sent, where it does not rest either then.
pub async fn unrest(bench: &Bench, before: &Share) -> Option<u32> {
    if before.most(bench).await? < BUSY || !bench.can_power_cycle() {
        return None;
    }
    let mut least = u32::MAX;
    for time in WATCH {
        least = least.min(watch(bench, time).await?);
        if least < BUSY {
            return None;
        }
    }
    Some(least)
}

/// Whether that is more than the device's own way: it is restarted, and compared with itself.
pub async fn compare(bench: &Bench, least: u32) -> Option<Finding> {
    bench.power_cycle().await.ok()?;
    let (settle, time) = SETTLE;
    sleep(settle).await;
    let own = watch(bench, time).await?;
    is_busy(least, own).then(|| {
        let watched: Duration = WATCH.iter().sum();
        Finding::new(
            Oracle::Exhaustion,
            "the device does not rest while nobody asks it anything",
            format!(
                "a thread wants a processor for {least} % of the time, {} ms long; {own} % after a restart",
                watched.as_millis()
            ),
        )
    })
}

async fn watch(bench: &Bench, time: Duration) -> Option<u32> {
    let share = Share::begin(bench).await?;
    sleep(time).await;
    share.most(bench).await
}

fn is_busy(share: u32, own: u32) -> bool {
    share >= BUSY && share >= own.saturating_mul(TIMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_always_busy_is_not_told_from_itself() {
        assert!(is_busy(98, 2) && is_busy(96, 24));
        assert!(!is_busy(89, 0) && !is_busy(98, 25) && !is_busy(100, 100));
    }
}
