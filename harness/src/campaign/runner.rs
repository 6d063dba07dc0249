//! The runner: one trial after the other on one bench, each recorded before the next one begins.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use libtest_mimic::{Completion, Failed};
use slcert_profiles::RequirementId;
use slcert_reports::record::{CheckRecord, TrialRecord};
use slcert_reports::selftest::SelfTestRecord;
use slcert_reports::{Event, Journal, JournalError, Record, Verdict, escape, excerpt};
use slcert_rigs::bench::{Bench, BenchError, Monitor};
use slcert_suites::case::Kind;
use slcert_suites::fuzz::Budget;
use slcert_suites::{Blocked, Procedure, Stop, Trial};
use tempfile::TempDir;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::evidence;
use super::folder::Folder;
use super::going::Going;
use super::guide::{self, Answer, Guide};
use super::output::Output;
use super::timeline;
use crate::command::Evidence;
use crate::selftest::{self, Clocks};
use crate::sources::RigFile;

/// The longest that a trial may take.
const TRIAL: Duration = Duration::from_secs(600);
/// How long the essential functions may take to be right before a trial begins.
const HEALTHY: Duration = Duration::from_secs(10);
/// How long a fuzz suite may take to end after an interrupt: to sum up what it has found, and to put back what it has changed.
const SUM_UP: Duration = Duration::from_secs(10);
/// How long the device is given to end.
const STOP: Duration = Duration::from_secs(10);

/// Runs the trials of one campaign.
pub struct Runner {
    runtime: Runtime,
    bench: Arc<Bench>,
    monitor: Monitor,
    folder: Folder,
    journal: Mutex<Journal>,
    record: Mutex<Record>,
    /// The trial that goes on.
    going: Mutex<Option<Going>>,
    /// A moment after which every essential function was seen to be right, with all before it reported; none while one is not.
    right_at: Mutex<Option<Instant>>,
    fuzz: Budget,
    /// How evidence is kept.
    evidence: Evidence,
    interrupted: Arc<AtomicBool>,
    /// The trials are over, and a person is asked.
    asking: Arc<AtomicBool>,
    /// Whether the trial, or the questions, are to end now.
    cancel: watch::Sender<bool>,
    /// The device's state: it holds secrets, so it is no part of the campaign's folder.
    _work: TempDir,
    /// The clocks when the bench tested itself.
    clocks: OnceLock<Clocks>,
    /// Where what is recorded is told of.
    output: Option<Output>,
    /// A folder that goes when the runner does.
    _scratch: Option<TempDir>,
}

/// What one run of a procedure came to.
struct Judged {
    verdict: Verdict,
    reason: String,
    checks: Vec<CheckRecord>,
    /// The requirement that is broken beside the trial's own where an essential function went bad.
    essential: Option<RequirementId>,
    /// How long it waited for timers of the device's own.
    waited: Duration,
    /// Texts that it keeps as evidence, each with its file's name.
    kept: Vec<(String, String)>,
}

impl Judged {
    fn without_checks(verdict: Verdict, reason: String) -> Self {
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

/// The bench is not ready.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// The operating system gives no threads, or no folder.
    #[error("the bench cannot be set up: {0}")]
    Io(#[from] std::io::Error),
    /// The device could not be started.
    #[error("{0}")]
    Bench(#[from] BenchError),
    /// The journal could not be begun.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// The essential functions are not right before anything was done.
    #[error(
        "these essential functions were not right before anything was done: {0}; check the bench, and `essential` in the rig file"
    )]
    Essential(String),
}

impl Runner {
    /// Starts the device and the monitor, and opens the journal.
    ///
    /// # Errors
    /// The bench is not ready: nothing was run.
    pub fn start(
        rig: RigFile,
        folder: Folder,
        record: Record,
        fuzz: Budget,
        evidence: Evidence,
        program: Option<&Path>,
    ) -> Result<Self, RunnerError> {
        // Every value of a campaign comes from one seed.
        let fuzz = Budget {
            seed: record.seed,
            ..fuzz
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let work = tempfile::Builder::new().prefix("slcert-").tempdir()?;
        // The simulated device is this same program, unless a test says where it is.
        let program =
            program.map_or_else(std::env::current_exe, |program| Ok(program.to_owned()))?;
        let bench = runtime.block_on(bench(rig.rig, work.path(), &rig.folder, &program))?;
        if evidence.keep_keys.is_some() {
            bench.recorder().keep_keys();
        }
        let (monitor, healthy) = {
            let _inside = runtime.enter();
            let monitor = Monitor::start(&bench);
            let healthy = runtime.block_on(monitor.healthy(HEALTHY));
            (monitor, healthy)
        };
        if let Err(behind) = healthy {
            runtime.block_on(bench.stop());
            return Err(RunnerError::Essential(behind.join(", ")));
        }
        let journal = journal(&folder.path("journal.jsonl"), &record)?;
        let interrupted = Arc::new(AtomicBool::new(false));
        let (cancel, _) = watch::channel(false);
        let asking = Arc::new(AtomicBool::new(false));
        runtime.spawn(watch_signals(
            Arc::clone(&interrupted),
            Arc::clone(&asking),
            cancel.clone(),
        ));
        Ok(Self {
            runtime,
            bench,
            monitor,
            folder,
            journal: Mutex::new(journal),
            record: Mutex::new(record),
            going: Mutex::new(None),
            right_at: Mutex::new(Some(Instant::now())),
            fuzz,
            evidence,
            interrupted,
            asking,
            cancel,
            _work: work,
            clocks: OnceLock::new(),
            output: None,
            _scratch: None,
        })
    }

    /// The same, and what is recorded is told of.
    pub fn telling(mut self, output: Output) -> Self {
        self.output = Some(output);
        self
    }

    /// The same, and a folder that goes when it does.
    pub fn with(mut self, scratch: TempDir) -> Self {
        self._scratch = Some(scratch);
        self
    }

    /// Takes the end of standard input for an interrupt from now on.
    pub fn guarded(&self) {
        let (interrupted, cancel) = (Arc::clone(&self.interrupted), self.cancel.clone());
        let guard = move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            interrupted.store(true, Ordering::SeqCst);
            cancel.send_replace(true);
        };
        // Its runtime would wait for a blocked read.
        std::thread::spawn(guard);
    }

    /// Tests the bench itself, and records it. One that is not sound judges nothing.
    pub fn self_test(&self) {
        let testing = selftest::before(&self.bench, self.folder.root());
        let (test, clocks) = self.runtime.block_on(testing);
        let _ = self.clocks.set(clocks);
        self.told_of_itself(test);
    }

    fn told_of_itself(&self, test: SelfTestRecord) {
        if self.tell(&Event::SelfTested(test.clone())).is_some() {
            self.record().selftest.push(test);
        }
    }

    /// The campaign's folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an event into the journal; the time that it stands under. What cannot be recorded ends the campaign.
    fn tell(&self, event: &Event) -> Option<jiff::Timestamp> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let told = journal.append(event);
        if let (Some(output), Ok(time)) = (self.output, &told) {
            output.recorded(event, *time);
        }
        if let Err(error) = &told {
            self.end_here(error);
        }
        told.ok()
    }

    /// Ends the campaign, as what it finds cannot be kept any more.
    fn end_here(&self, error: &dyn std::fmt::Display) {
        if !self.interrupted.swap(true, Ordering::SeqCst) {
            eprintln!("error: {error}");
            eprintln!(
                "       the campaign ends here; when that is mended, `slcert run --resume {}` goes on",
                self.folder.root().display()
            );
        }
        self.cancel.send_replace(true);
    }

    /// Asks a person for what the trials left to one. Whatever ends the questions leaves the rest REVIEW.
    pub fn inspect(&self, operator: Option<String>) {
        let open = self.to_inspect();
        if open.is_empty() || self.interrupted.load(Ordering::SeqCst) {
            return;
        }
        // Its trials are over: an interrupt now ends the questions, and is no interrupted campaign.
        self.asking.store(true, Ordering::SeqCst);
        let cancel = self.cancel.subscribe();
        let mut line = guide::typed(move || *cancel.borrow());
        let mut guide = Guide {
            line: &mut line,
            out: &mut std::io::stderr(),
            folder: &self.folder.data(),
            operator,
        };
        let count = open.len();
        for (place, (trial, requirements)) in (1..).zip(&open) {
            let place = format!("{place} of {count}");
            match guide.ask(trial, requirements, &place) {
                Answer::Found(attestations) if attestations.is_empty() => {}
                Answer::Found(attestations) => {
                    let answered = Event::Answered {
                        attestations: attestations.clone(),
                    };
                    if self.tell(&answered).is_none() {
                        return;
                    }
                    self.record().attestations.extend(attestations);
                }
                Answer::Ended => {
                    eprintln!("\nno more answers: what was not answered stays REVIEW");
                    return;
                }
            }
        }
    }

    /// The trials that ended in REVIEW, each with those of its requirements that nobody has attested.
    fn to_inspect(&self) -> Vec<(TrialRecord, Vec<RequirementId>)> {
        let record = self.record();
        let reviews = record
            .trials
            .iter()
            .filter(|trial| trial.verdict == Verdict::Review);
        let open = reviews.map(|trial| {
            let ids = trial.requirements.iter().copied();
            let open = ids.filter(|id| record.attested(*id, &trial.id).is_none());
            (trial.clone(), open.collect::<Vec<_>>())
        });
        open.filter(|(_, open)| !open.is_empty()).collect()
    }

    /// Ends the device, and hands back the whole record.
    pub fn end(&self) -> Record {
        let interrupted = self.interrupted.load(Ordering::SeqCst);
        if let (Some(clocks), false) = (self.clocks.get().copied(), interrupted) {
            let test = self.runtime.block_on(selftest::after(&self.bench, clocks));
            self.told_of_itself(test);
        }
        let _ = self
            .runtime
            .block_on(async { timeout(STOP, self.bench.stop()).await });
        let finished = self.tell(&Event::CampaignFinished { interrupted });
        let mut record = self.record();
        record.interrupted = interrupted;
        record.finished = finished;
        record.interrupted |= finished.is_none();
        record.clone()
    }

    /// Runs a trial and records it; none where the campaign was interrupted.
    pub fn run(&self, trial: &Trial) -> Option<TrialRecord> {
        if self.interrupted.load(Ordering::SeqCst) {
            return None;
        }
        let id = trial.id();
        self.tell(&Event::TrialStarted { id: id.clone() })?;
        let known = self.record().trials.iter().any(|one| one.id == id);
        *self.going() = Some(Going::begin(self.free_stem(&id, known)));
        let recorded = self.carry_out(trial);
        let going = self.going().take();
        // What was found stands, also where the trial's end cannot be recorded.
        if recorded.is_none()
            && let Some(so_far) = going.and_then(|going| going.so_far)
        {
            self.record().add(&so_far);
        }
        recorded
    }

    fn carry_out(&self, trial: &Trial) -> Option<TrialRecord> {
        self.bench.recorder().clear();
        self.bench.begin_curves();
        let fault = self.record().bench_fault();
        let sound = fault.is_none();
        let mut judged = match fault {
            Some(fault) => Judged::without_checks(Verdict::Inconclusive, fault),
            None => self.judge_safely(trial),
        };
        let interrupted = self.interrupted.load(Ordering::SeqCst);
        if judged.verdict == Verdict::Inconclusive && sound && !interrupted {
            // A device is not blamed for the bench: once more, on a bench that has recovered.
            self.runtime.block_on(self.recover());
            self.bench.recorder().note("bench", "once more");
            if let Some(going) = self.going().as_mut()
                && !going.files.is_empty()
            {
                going.stem = self.free_stem(&trial.id(), true);
            }
            judged = self.judge_safely(trial);
        }
        let mut requirements = trial.requirements.clone();
        if let Some(essential) = judged.essential
            && !requirements.contains(&essential)
        {
            requirements.push(essential);
        }
        let going = self.going().clone()?;
        let took = going.began.elapsed();
        let recording = self.bench.recorder().take();
        let curves = self.bench.curves();
        let from = Instant::from_std(going.began);
        let timeline = timeline::timeline(&recording, &curves, from, took);
        // Where nothing was done, the device had nothing to bear.
        let timeline = Some(timeline).filter(|timeline| !timeline.is_empty());
        if timeline.is_some()
            && let Some(readings) = timeline::readings(&curves, from)
        {
            judged.kept.push(("monitor.csv".to_owned(), readings));
        }
        let kept = evidence::keep(
            &self.folder,
            &going.stem,
            &recording,
            (&going.files, judged.kept),
            &self.evidence,
        );
        // A verdict without its evidence is none.
        let evidence = kept.map_err(|error| self.end_here(&error)).ok()?;
        let record = TrialRecord {
            requirements,
            duration_ms: took.as_millis() as u64,
            waited_ms: judged.waited.as_millis() as u64,
            timeline,
            evidence,
            ..going.record(trial, judged.verdict, &judged.reason, judged.checks)
        };
        self.tell(&Event::TrialFinished(record.clone()))?;
        self.record().add(&record);
        Some(record)
    }

    fn going(&self) -> MutexGuard<'_, Option<Going>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a trial has come to so far, and a text that shows it, with its file's name: what comes next may be its end.
    fn found(&self, trial: &Trial, checks: &[CheckRecord], shows: Option<(&str, &str)>) {
        let mut going = self.going();
        let Some(going) = going.as_mut() else { return };
        if let Some((name, text)) = shows {
            match evidence::keep_now(&self.folder, &going.stem, name, text) {
                Ok(file) => going.files.push(file),
                Err(error) => return self.end_here(&error),
            }
        }
        let so_far = going.so_far(trial, checks);
        if self.tell(&Event::TrialFound(so_far.clone())).is_some() {
            going.so_far = Some(so_far);
        }
    }

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
    fn judge_safely(&self, trial: &Trial) -> Judged {
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
        let limit = match trial.case.kind {
            // It sums up at its end: the limit is never what ends it.
            Kind::Fuzz => TRIAL + self.fuzz.time + self.fuzz.isolation(),
            _ => TRIAL,
        };
        let sums_up = match trial.case.kind {
            Kind::Fuzz => SUM_UP,
            _ => Duration::ZERO,
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
    async fn recover(&self) {
        if self.bench.can_power_cycle()
            && let Err(error) = self.bench.power_cycle().await
        {
            eprintln!("error: {error}");
        }
    }

    /// What the files of a trial are called: those of an earlier attempt, which the journal names, stay.
    fn free_stem(&self, id: &str, again: bool) -> String {
        let plain = id.replace('/', ".");
        if !again {
            return plain;
        }
        let mut attempts = (2..100).map(|attempt| format!("{plain}.{attempt}"));
        let free = |stem: &String| !evidence::has(&self.folder, stem);
        attempts.find(free).unwrap_or(plain)
    }
}

/// Begins the journal, or goes on with that of a campaign which was cut short.
fn journal(path: &Path, record: &Record) -> Result<Journal, JournalError> {
    if path.exists() {
        return Journal::resume(path).map(|(journal, _)| journal);
    }
    let mut journal = Journal::create(path)?;
    journal.append(&Event::CampaignStarted {
        record: record.clone(),
    })?;
    Ok(journal)
}

async fn bench(
    rig: slcert_rigs::rig::Rig,
    work: &Path,
    folder: &Path,
    program: &Path,
) -> Result<Arc<Bench>, BenchError> {
    Bench::start(rig, work, folder, program).await.map(Arc::new)
}

/// The first interrupt ends the campaign after the trial's own end; the second one at once.
async fn watch_signals(
    interrupted: Arc<AtomicBool>,
    asking: Arc<AtomicBool>,
    cancel: watch::Sender<bool>,
) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    loop {
        tokio::select! {
            caught = tokio::signal::ctrl_c() => if caught.is_err() { return },
            _ = terminate.recv() => {}
        }
        if asking.load(Ordering::SeqCst) && !*cancel.borrow() {
            cancel.send_replace(true);
            continue;
        }
        if interrupted.swap(true, Ordering::SeqCst) || asking.load(Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\ninterrupted: the device is brought to its safe state; once more ends at once");
        cancel.send_replace(true);
    }
}

fn millis(from: Instant, to: Instant) -> u128 {
    to.saturating_duration_since(from).as_millis()
}

/// A trial as libtest-mimic runs it.
pub fn mimic(runner: &Arc<Runner>, trial: Trial) -> libtest_mimic::Trial {
    let runner = Arc::clone(runner);
    libtest_mimic::Trial::ignorable_test(trial.id(), move || complete(&runner, &trial))
}

/// A trial as libtest-mimic runs it on whichever of several benches is free: as many threads have to run as there are
/// benches.
pub fn mimic_on_one_of(benches: &Benches, trial: Trial) -> libtest_mimic::Trial {
    let benches = Arc::clone(benches);
    libtest_mimic::Trial::ignorable_test(trial.id(), move || {
        let free = || benches.lock().unwrap_or_else(PoisonError::into_inner);
        let runner = free().pop();
        let runner = runner.ok_or_else(|| Failed::from("no bench is free"))?;
        let completed = complete(&runner, &trial);
        free().push(runner);
        completed
    })
}

/// Benches that no trial uses now.
pub type Benches = Arc<Mutex<Vec<Arc<Runner>>>>;

fn complete(runner: &Runner, trial: &Trial) -> Result<Completion, Failed> {
    let Some(record) = runner.run(trial) else {
        return Ok(Completion::ignored_with("interrupted"));
    };
    let reason = escape(&record.reason);
    match record.verdict {
        Verdict::Pass => Ok(Completion::Completed),
        Verdict::NotApplicable | Verdict::NotEvaluated | Verdict::Review => Ok(
            Completion::ignored_with(format!("{}: {reason}", record.verdict)),
        ),
        Verdict::Fail | Verdict::Inconclusive => {
            Err(Failed::from(format!("{}: {reason}", record.verdict)))
        }
    }
}
