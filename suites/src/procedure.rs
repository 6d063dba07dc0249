//! What a case's procedure works with: the bench's verbs, and a sheet on which every check is written down.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slcert_profiles::RequirementId;
use slcert_reports::record::CheckRecord;
use slcert_reports::{Verdict, escape};
use slcert_rigs::bench::{Bench, BenchError, Entry, Session, Who};
use slcert_rigs::line::NotKept;
use slcert_rigs::rig::{Interface, Rig};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::fuzz::Budget;

/// Why a procedure ends before its checks can decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The verdict that follows, unless a check has failed already.
    pub verdict: Verdict,
    /// The reason, for people.
    pub reason: String,
}

impl Stop {
    /// The rig cannot drive the case.
    pub fn not_evaluated(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotEvaluated,
            reason: reason.into(),
        }
    }

    /// The capability is declared absent, and a probe agreed.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotApplicable,
            reason: reason.into(),
        }
    }

    /// The stimulus could not be delivered, or a precondition was not reached.
    pub fn inconclusive(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            reason: reason.into(),
        }
    }

    /// A person has to look.
    pub fn review(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Review,
            reason: reason.into(),
        }
    }
}

impl From<BenchError> for Stop {
    /// The device is never blamed for the bench.
    fn from(error: BenchError) -> Self {
        Self::inconclusive(escape(&error.to_string()))
    }
}

impl From<NotKept> for Stop {
    fn from(error: NotKept) -> Self {
        Self::inconclusive(error.to_string())
    }
}

/// Whoever keeps what a procedure has found before its end: its checks so far, and a text that shows the last of them,
/// with its file's name.
pub type Keeper<'b> = Box<dyn Fn(&[CheckRecord], Option<(&str, &str)>) + Send + Sync + 'b>;

/// One run of a case on one interface.
pub struct Procedure<'b> {
    bench: &'b Bench,
    interface: Option<&'b str>,
    requirement: RequirementId,
    checks: Vec<CheckRecord>,
    /// Milliseconds.
    waited: AtomicU64,
    /// The name of the trial.
    trial: String,
    fuzz: Budget,
    kept: Vec<(String, String)>,
    keeper: Option<Keeper<'b>>,
    /// Whether the campaign was interrupted.
    interrupt: Option<watch::Receiver<bool>>,
}

impl<'b> Procedure<'b> {
    /// Starts a run. `interface` is one of the bench's rig.
    pub fn new(bench: &'b Bench, interface: Option<&'b str>, requirement: RequirementId) -> Self {
        Self {
            bench,
            interface,
            requirement,
            checks: Vec::new(),
            waited: AtomicU64::new(0),
            trial: String::new(),
            fuzz: Budget::default(),
            kept: Vec::new(),
            keeper: None,
            interrupt: None,
        }
    }

    /// The same, with whoever keeps what it has found before its end, and where an interrupt shows.
    pub fn kept_by(mut self, keeper: Keeper<'b>, interrupt: watch::Receiver<bool>) -> Self {
        self.keeper = Some(keeper);
        self.interrupt = Some(interrupt);
        self
    }

    /// The same as a trial of this name, with this much to do where it is a fuzz suite.
    pub fn of_trial(mut self, trial: &str, fuzz: Budget) -> Self {
        trial.clone_into(&mut self.trial);
        self.fuzz = fuzz;
        self
    }

    /// The name of the trial.
    pub fn trial(&self) -> &str {
        &self.trial
    }

    /// How much a fuzz suite does.
    pub fn fuzz_budget(&self) -> Budget {
        self.fuzz
    }

    /// Keeps a text as evidence, in a file of this name.
    pub fn keep(&mut self, name: &str, text: String) {
        self.kept.push((name.to_owned(), self.bench.conceal(&text)));
    }

    /// Keeps what was checked so far, whatever becomes of the trial, and a text that shows the last of it, in a file of this name.
    pub fn keep_now(&mut self, shows: Option<(&str, String)>) {
        let shows = shows.map(|(name, text)| (name, self.bench.conceal(&text)));
        match (&self.keeper, shows) {
            (Some(keeper), shows) => {
                let shows = shows.as_ref().map(|(name, text)| (*name, text.as_str()));
                keeper(&self.checks, shows);
            }
            (None, Some((name, text))) => self.kept.push((name.to_owned(), text)),
            (None, None) => {}
        }
    }

    /// Comes when the campaign is interrupted.
    pub fn interrupted(&self) -> impl Future<Output = ()> + Send + 'static {
        let interrupt = self.interrupt.clone();
        async move {
            if let Some(mut interrupt) = interrupt
                && interrupt.wait_for(|interrupted| *interrupted).await.is_ok()
            {
                return;
            }
            std::future::pending().await
        }
    }

    /// The texts that were kept, each with its file's name.
    pub fn take_kept(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.kept)
    }

    /// The bench.
    pub fn bench(&self) -> &'b Bench {
        self.bench
    }

    /// The rig.
    pub fn rig(&self) -> &'b Rig {
        self.bench.rig()
    }

    /// The requirement that owns the case.
    pub fn requirement(&self) -> RequirementId {
        self.requirement
    }

    /// The name of the interface under test; empty for a case on the whole device.
    pub fn name(&self) -> &'b str {
        self.interface.unwrap_or_default()
    }

    /// The interface under test.
    ///
    /// # Errors
    /// For a case on the whole device: a fault of the case.
    pub fn interface(&self) -> Result<&'b Interface, Stop> {
        self.rig()
            .interface(self.name())
            .ok_or_else(|| Stop::inconclusive("this case has no interface"))
    }

    /// What has been checked so far.
    pub fn checks(&self) -> &[CheckRecord] {
        &self.checks
    }

    /// Writes down a check. What came from the device is escaped here.
    pub fn check(
        &mut self,
        name: impl Into<String>,
        expected: impl Into<String>,
        observed: impl AsRef<str>,
        met: bool,
    ) {
        let verdict = if met { Verdict::Pass } else { Verdict::Fail };
        self.note(name, expected, observed, verdict);
    }

    /// Writes down a check that cannot be decided.
    pub fn cannot_tell(
        &mut self,
        name: impl Into<String>,
        expected: impl Into<String>,
        why: impl AsRef<str>,
    ) {
        self.note(name, expected, why, Verdict::Inconclusive);
    }

    /// Says of a check what has been observed since.
    pub fn restate(&mut self, check: usize, observed: impl AsRef<str>) {
        let observed = self.excerpt(observed.as_ref());
        if let Some(check) = self.checks.get_mut(check) {
            check.observed = observed;
        }
    }

    fn excerpt(&self, observed: &str) -> String {
        slcert_reports::excerpt(&self.bench.conceal(observed), 400)
    }

    fn note(
        &mut self,
        name: impl Into<String>,
        expected: impl Into<String>,
        observed: impl AsRef<str>,
        verdict: Verdict,
    ) {
        self.checks.push(CheckRecord {
            name: name.into(),
            expected: expected.into(),
            observed: self.excerpt(observed.as_ref()),
            verdict,
        });
    }

    /// Waits for a timer of the device's own, with nothing else to do.
    pub async fn wait(&self, time: Duration) {
        self.waiting(sleep(time)).await;
    }

    /// Waits for what a timer of the device's own brings about.
    pub async fn waiting<T>(&self, event: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let came = event.await;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.waited.fetch_add(millis, Ordering::Relaxed);
        came
    }

    /// How long the procedure has waited for timers of the device's own.
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited.load(Ordering::Relaxed))
    }

    /// Tries to get in.
    ///
    /// # Errors
    /// The bench could not try.
    pub async fn enter(&self, who: &Who<'_>) -> Result<Entry, Stop> {
        Ok(self.bench.enter(self.name(), who).await?)
    }

    /// Gets in with an account of the rig.
    ///
    /// # Errors
    /// The bench could not try, or the device refused what the rig file says is right: a precondition that is not met.
    pub async fn login(&self, account: &str) -> Result<Session, Stop> {
        Ok(self.bench.login(self.name(), account).await?)
    }

    /// An account on this interface that may do this.
    ///
    /// # Errors
    /// NOT EVALUATED where there is none.
    pub fn who_may(&self, operation: &str) -> Result<&'b str, Stop> {
        let interface = self.name();
        self.rig().who_may_str(operation, interface).ok_or_else(|| {
            Stop::not_evaluated(format!(
                "no account on `{interface}` may perform `{operation}`"
            ))
        })
    }

    /// An interface and an account on it that may do this: the interface under test where it can, another otherwise.
    ///
    /// # Errors
    /// NOT EVALUATED where the operation is bound on no interface of this rig.
    pub fn anywhere(&self, operation: &str) -> Result<(&'b str, &'b str), Stop> {
        let rig = self.rig();
        let names =
            std::iter::once(self.name()).chain(rig.interfaces.keys().map(|name| name.as_str()));
        for name in names {
            if rig.binding(operation, name).is_some()
                && let Some(account) = rig.who_may_str(operation, name)
            {
                return Ok((name, account));
            }
        }
        Err(Stop::not_evaluated(format!(
            "operation `{operation}` is bound on no interface of this rig for an account that may perform it"
        )))
    }

    /// The reason that the rig file gives for this requirement's capability to be absent.
    pub fn declared_absent(&self) -> Option<&'b str> {
        self.rig().absent.get(&self.requirement).map(String::as_str)
    }

    /// The countermeasure that the rig file names for this requirement.
    pub fn compensated(&self) -> Option<&'b str> {
        self.rig()
            .compensated
            .get(&self.requirement)
            .map(String::as_str)
    }

    /// The run's verdict and reason.
    pub fn conclude(self, ended: Result<(), Stop>) -> (Verdict, String, Vec<CheckRecord>) {
        let (verdict, reason) = concluded(&self.checks, ended);
        (verdict, reason, self.checks)
    }
}

/// The verdict and the reason of checks that ended so.
pub fn concluded(checks: &[CheckRecord], ended: Result<(), Stop>) -> (Verdict, String) {
    let worst = Verdict::worst(checks.iter().map(|check| check.verdict));
    match (worst, ended) {
        // What a check showed stands, whatever came after.
        (Some(Verdict::Fail), _) => (Verdict::Fail, first(checks, Verdict::Fail)),
        (_, Err(stop)) => (stop.verdict, stop.reason),
        (Some(Verdict::Pass), Ok(())) => (
            Verdict::Pass,
            match checks.len() {
                1 => "its one check met its criterion".to_owned(),
                checks => format!("all {checks} checks met their criterion"),
            },
        ),
        (Some(worst), Ok(())) => (worst, first(checks, worst)),
        (None, Ok(())) => (Verdict::Inconclusive, "nothing was checked".to_owned()),
    }
}

fn first(checks: &[CheckRecord], verdict: Verdict) -> String {
    let mut found = checks.iter().filter(|check| check.verdict == verdict);
    let Some(first) = found.next() else {
        return String::new();
    };
    let more = match found.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    format!(
        "{}: expected {}, observed {}{more}",
        first.name, first.expected, first.observed
    )
}
