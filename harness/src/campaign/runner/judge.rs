//! One run of a procedure, with the essential functions beside it.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use slcert_profiles::RequirementId;
use slcert_reports::record::CheckRecord;
use slcert_reports::{Verdict, excerpt};
use slcert_suites::case::Kind;
use slcert_suites::{Blocked, Procedure, Stop, Trial};
use tokio::time::{Instant, sleep, timeout};

use super::{HEALTHY, Runner};

/// The longest that a trial may take.
const TRIAL: Duration = Duration::from_secs(600);
/// How long a fuzz suite may take to end after an interrupt: to sum up what it has found, and to put back what it has changed.
const SUM_UP: Duration = Duration::from_secs(10);

/// What one run of a procedure came to.
pub(super) struct Judged {
    pub verdict: Verdict,
    pub reason: String,
    pub checks: Vec<CheckRecord>,
    /// The requirement that is broken beside the trial's own where an essential function went bad.
    pub essential: Option<RequirementId>,
    /// How long it waited for timers of the device's own.
    pub waited: Duration,
    /// Texts that it keeps as evidence, each with its file's name.
    pub kept: Vec<(String, String)>,
}

impl Judged {
    pub fn without_checks(verdict: Verdict, reason: String) -> Self {
        Self {
            verdict,
            reason,
            checks: Vec::new(),
            essential: None,
            waited: Duration::ZERO,
            kept: Vec::new(),
        }
    }
}

impl Runner {
    fn right_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.right_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when nothing that goes bad was reported yet, once every essential function is right.
    ///
    /// # Errors
    /// The functions that are not right.
    async fn settle(&self) -> Result<Instant, Vec<String>> {
        let right_at = *self.right_at();
        match right_at {
            Some(moment) => Ok(moment),
            None => {
                let moment = Instant::now();
                self.monitor.healthy(HEALTHY).await.map(|()| moment)
            }
        }
    }

    /// Runs the procedure once; a fault of ours in it is no verdict about the device.
    pub(super) fn judge_safely(&self, trial: &Trial) -> Judged {
        let judging = std::panic::AssertUnwindSafe(|| self.runtime.block_on(self.judge(trial)));
        std::panic::catch_unwind(judging).unwrap_or_else(|_| {
            let why = "slcert itself failed in this procedure: please report it".to_owned();
            let mut judged = Judged::without_checks(Verdict::Inconclusive, why);
            let so_far = self.going().as_ref().and_then(|going| going.so_far.clone());
            if let Some(found) = so_far.filter(|found| found.verdict == Verdict::Fail) {
                (judged.verdict, judged.reason) = (found.verdict, found.reason);
                judged.checks = found.checks;
            }
            judged
        })
    }

    /// Runs the procedure once.
    async fn judge(&self, trial: &Trial) -> Judged {
        let found = |checks: &[CheckRecord], shows: Option<(&str, &str)>| {
            self.found(trial, checks, shows);
        };
        let mut procedure =
            Procedure::new(&self.bench, trial.interface.as_deref(), trial.requirement)
                .of_trial(&trial.id(), self.fuzz)
                .kept_by(Box::new(found), self.cancel.subscribe());
        match &trial.blocked {
            Some(Blocked::NoInterface(why)) => {
                return match procedure.declared_absent() {
                    Some(reason) => Judged::without_checks(
                        Verdict::NotApplicable,
                        format!("declared absent: {reason}; and {why}"),
                    ),
                    None => Judged::without_checks(Verdict::NotEvaluated, why.clone()),
                };
            }
            Some(Blocked::NotBound(why)) => {
                return Judged::without_checks(Verdict::NotEvaluated, why.clone());
            }
            None => {}
        }
        let before = match self.settle().await {
            Ok(moment) => moment,
            Err(behind) => {
                let why = format!(
                    "before the trial began, these essential functions were not right: {}",
                    behind.join(", ")
                );
                return Judged::without_checks(Verdict::Inconclusive, why);
            }
        };
        let began = Instant::now();
        let mut cancel = self.cancel.subscribe();
        let (limit, sums_up) = match trial.case.kind {
            // It sums up at its end: the limit is never what ends it.
            Kind::Fuzz => (TRIAL + self.fuzz.time + self.fuzz.isolation(), SUM_UP),
            _ => (TRIAL, Duration::ZERO),
        };
        let interrupted = async {
            let _ = cancel.wait_for(|cancelled| *cancelled).await;
            sleep(sums_up).await;
        };
        let body = timeout(limit, (trial.case.body)(&mut procedure));
        let ended = tokio::select! {
            ended = body => ended.unwrap_or_else(|_| {
                Err(Stop::inconclusive(format!("the procedure took longer than {} s", limit.as_secs())))
            }),
            () = interrupted => Err(Stop::inconclusive("interrupted")),
        };
        // What the trial broke may show late: it ends when every function is seen to be right after it.
        let over = Instant::now();
        let behind = self.monitor.right_since(over).await.err();
        *self.right_at() = behind.is_none().then_some(over);
        let waited = procedure.waited();
        let kept = procedure.take_kept();
        let (mut verdict, mut reason, mut checks) = procedure.conclude(ended);
        let mut bad: Vec<(String, String)> = self
            .monitor
            .violations_since(before)
            .into_iter()
            // What had gone bad before is in the record of an earlier trial.
            .filter(|violation| violation.since >= before)
            .map(|violation| {
                let since = millis(began, violation.since);
                let seen = format!(
                    "not right from {since} ms after the trial's begin: {}",
                    excerpt(&violation.seen, 200)
                );
                (violation.function, seen)
            })
            .collect();
        for function in behind.into_iter().flatten() {
            if !bad.iter().any(|(name, _)| *name == function) {
                let seen = "not right after the trial, for as long as the rig file allows";
                bad.push((function, seen.to_owned()));
            }
        }
        // Whatever a trial is about: control that stops under it breaks CCSC 1 as well.
        let essential = (!bad.is_empty()).then(|| "CCSC 1".parse().ok()).flatten();
        for (function, observed) in bad {
            reason = format!(
                "the essential function `{function}` went bad during the trial: {observed}"
            );
            verdict = Verdict::Fail;
            checks.push(CheckRecord {
                name: format!("essential function `{function}`"),
                expected: "right at all times".to_owned(),
                observed,
                verdict,
            });
        }
        if !self.bench.device_runs().await && !self.interrupted.load(Ordering::SeqCst) {
            checks.push(CheckRecord {
                name: "the device's process".to_owned(),
                expected: "runs".to_owned(),
                observed: "has ended".to_owned(),
                verdict: Verdict::Fail,
            });
            reason = "the device's process ended during the trial".to_owned();
            verdict = Verdict::Fail;
            self.recover().await;
        }
        Judged {
            verdict,
            reason,
            checks,
            essential,
            waited,
            kept,
        }
    }

    /// Brings the bench back into a known state.
    pub(super) async fn recover(&self) {
        if self.bench.can_power_cycle()
            && let Err(error) = self.bench.power_cycle().await
        {
            eprintln!("error: {error}");
        }
    }
}

fn millis(from: Instant, to: Instant) -> u128 {
    to.saturating_duration_since(from).as_millis()
}
