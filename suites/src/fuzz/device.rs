//! The device as a whole, beside the inputs: whether it serves, runs, controls, and how it is brought back.

use std::time::Duration;

use slcert_rigs::bench::{Bench, Strain};
use tokio::time::{Instant, sleep};

use super::finding::{Finding, Oracle};
use super::steady::Steady;
use super::target::Target;
use crate::strain;

/// How many times its usual time a right request may take, with [`LEAST`] at least.
const PATIENCE: u32 = 20;
const LEAST: Duration = Duration::from_millis(600);
/// An answer that takes so many times its usual time, with [`DRIFT`] at least, is late: where the fastest of [`PROBES`] is, the
/// device has slowed down, for a bench is seldom late so often in a row; and where it is, the device is late after a restart too.
const LATE: u32 = 8;
const DRIFT: Duration = Duration::from_millis(100);
const PROBES: u32 = 6;
/// How many times longer it is waited for before a device that is slow counts as dead.
const SLOW: u32 = 8;
/// The time between two tries of a new connection.
const AGAIN: Duration = Duration::from_millis(50);
/// How long after an input what it did to an essential function shows at the latest.
pub(super) const SHOWN: Duration = Duration::from_millis(100);
/// Right readings that show that a function goes on: it takes two to see something move.
const READINGS: u64 = 2;
/// How long a device that cannot be switched off and on is given to come back by itself.
const BY_ITSELF: Duration = Duration::from_secs(10);

/// The device under a fuzz suite.
pub struct Device<'d, T> {
    /// The bench.
    pub bench: &'d Bench,
    /// The protocol that it is spoken to in.
    pub target: &'d T,
    /// How long a right request took before anything was sent.
    usual: Duration,
    /// What stays as it is under inputs that are no orders.
    steady: Steady<'d>,
}

impl<'d, T: Target> Device<'d, T> {
    /// Looks whether the device serves before anything is sent.
    ///
    /// # Errors
    /// It does not.
    pub async fn find(bench: &'d Bench, target: &'d T) -> Result<Self, String> {
        // What was replayed before may have ended it.
        if !bench.device_runs().await && bench.can_power_cycle() {
            bench
                .power_cycle()
                .await
                .map_err(|error| error.to_string())?;
        }
        let mut usual = Duration::ZERO;
        for _ in 0..3 {
            usual = usual.max(target.serves(Duration::from_secs(5)).await?);
        }
        let steady = Steady::find(bench, target.gives_no_orders()).await;
        bench.note_strain();
        Ok(Self {
            bench,
            target,
            usual,
            steady,
        })
    }

    /// How long a right request took before anything was sent.
    pub fn usual(&self) -> Duration {
        self.usual
    }

    /// How long a right request may take.
    pub fn patience(&self) -> Duration {
        LEAST.max(self.usual * PATIENCE)
    }

    /// What is wrong with the device as a whole. `thorough` tells a slow one from a dead one, which takes its time.
    pub async fn look(&self, thorough: bool) -> Option<Finding> {
        if !self.bench.device_runs().await {
            let what = "the device's process ended";
            return Some(Finding::new(Oracle::Restart, what, what));
        }
        match self.target.serves(self.patience()).await {
            Err(first) => return Some(self.told_apart(first, thorough).await),
            Ok(took) if took > self.late() => {
                if let Some(found) = self.drifted(took).await {
                    return Some(found);
                }
            }
            Ok(_) => {}
        }
        if let Some(strained) = self.bench.strain().into_iter().find(bad) {
            let mut found = Finding::new(
                Oracle::Essential,
                format!("the essential function `{}` went bad", strained.function),
                strained.words(),
            );
            found.since = Instant::now().checked_sub(strained.longest);
            return Some(found);
        }
        match thorough {
            true => self.steady.changed_by_now().await,
            false => self.steady.changed().await,
        }
    }

    /// What is read beside the inputs, as no input is an order.
    pub fn read_back(&self) -> Vec<String> {
        self.steady.names().map(str::to_owned).collect()
    }

    /// Puts back what inputs have changed without an order.
    pub async fn restore(&self) {
        self.steady.restore().await;
    }

    /// Whether a right request is answered as it was before anything was sent.
    pub async fn is_quick(&self) -> bool {
        for _ in 0..PROBES {
            let served = self.target.serves(self.patience()).await;
            if served.is_ok_and(|took| took <= self.late()) {
                return true;
            }
        }
        false
    }

    fn late(&self) -> Duration {
        DRIFT.max(self.usual * LATE)
    }

    /// Whether the device answers late each time.
    async fn drifted(&self, first: Duration) -> Option<Finding> {
        let mut fastest = first;
        for _ in 1..PROBES {
            fastest = fastest.min(self.target.serves(self.patience()).await.ok()?);
            if fastest <= self.late() {
                return None;
            }
        }
        Some(Finding::by_silence(
            Oracle::Slow,
            "a right request is answered late",
            format!(
                "after {} ms at best of {PROBES} times; {} ms before anything was sent",
                fastest.as_millis(),
                self.usual.as_millis()
            ),
        ))
    }

    async fn told_apart(&self, first: String, thorough: bool) -> Finding {
        sleep(AGAIN).await;
        if !self.bench.device_runs().await {
            return Finding::new(Oracle::Restart, "the device's process ended", first);
        }
        if !thorough {
            return Finding::by_silence(Oracle::Liveness, "a right request is not answered", first);
        }
        match self.target.serves(self.patience() * SLOW).await {
            Ok(took) => Finding::by_silence(
                Oracle::Slow,
                "a right request is answered late",
                format!("after {} ms; before that: {first}", took.as_millis()),
            ),
            Err(second) => {
                Finding::by_silence(Oracle::Liveness, "a right request is not answered", second)
            }
        }
    }

    /// Waits until what was done has had time to show on the essential functions, and looks.
    pub async fn look_later(&self) -> Option<Finding> {
        self.look_until(|_| false).await
    }

    /// The same until each function is seen to go on behind the last input.
    pub async fn look_last(&self) -> Option<Finding> {
        sleep(SHOWN).await;
        let before = self.bench.strain();
        self.look_until(|now| strain::go_on(now, &before, READINGS))
            .await
    }

    /// Looks again and again for as long as an essential function may go without a right reading, or until they go on.
    async fn look_until(&self, go_on: impl Fn(&[Strain]) -> bool) -> Option<Finding> {
        let longest = self.bench.strain().iter().map(|one| one.allowed).max();
        let until = Instant::now() + longest.unwrap_or_default() + SHOWN;
        loop {
            let goes_on = go_on(&self.bench.strain());
            let found = self.look(false).await;
            if found.is_some() || goes_on || Instant::now() >= until {
                return found;
            }
            sleep(AGAIN).await;
        }
    }

    /// Brings the device back: switches it off and on where the bench can, and waits otherwise; with `control`, until the
    /// essential functions are right as well.
    ///
    /// # Errors
    /// It does not come back.
    pub async fn recover(&self, control: bool) -> Result<(), String> {
        if self.bench.can_power_cycle() {
            self.bench
                .power_cycle()
                .await
                .map_err(|error| error.to_string())?;
        }
        let deadline = Instant::now() + BY_ITSELF;
        loop {
            match self.target.serves(self.patience()).await {
                Ok(_) => break,
                Err(why) if Instant::now() >= deadline => return Err(why),
                Err(_) => sleep(AGAIN).await,
            }
        }
        self.restore().await;
        if control {
            strain::anew(self.bench, deadline).await;
        } else {
            self.bench.note_strain();
        }
        Ok(())
    }
}

fn bad(strain: &Strain) -> bool {
    strain.longest > strain.allowed
}
