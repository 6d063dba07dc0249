//! The runner: one trial after the other on one bench, each recorded before the next one begins.

mod carry;
mod inspect;
mod interrupt;
mod judge;
mod mimic;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use slcert_reports::record::TrialRecord;
use slcert_reports::selftest::SelfTestRecord;
use slcert_reports::{Event, Journal, JournalError, Record};
use slcert_rigs::bench::{Bench, BenchError, Monitor};
use slcert_suites::Trial;
use slcert_suites::fuzz::Budget;
use tempfile::TempDir;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::folder::Folder;
use super::going::Going;
use super::output::Output;
use crate::command::Evidence;
use crate::selftest::{self, Clocks};
use crate::sources::RigFile;
use interrupt::watch_signals;
pub use mimic::{Benches, mimic, mimic_on_one_of};

/// How long the essential functions may take to be right before a trial begins.
const HEALTHY: Duration = Duration::from_secs(10);
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

    fn going(&self) -> MutexGuard<'_, Option<Going>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
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
