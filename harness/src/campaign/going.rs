//! A trial that goes on, and what it has found so far.

use std::time::Instant;

use jiff::Timestamp;
use slcert_reports::Verdict;
use slcert_reports::record::{CheckRecord, FileRecord, TrialRecord};
use slcert_suites::procedure::concluded;
use slcert_suites::{Stop, Trial};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 1000;

/// A trial that goes on.
#[derive(Clone, Debug)]
pub(super) struct Going {
    started: Timestamp,
    /// When it began.
    pub began: Instant,
    /// What its files are called.
    pub stem: String,
    /// Those that are on disk already.
    pub files: Vec<FileRecord>,
    /// Its record as of its last finding, where that is in the journal.
    pub so_far: Option<TrialRecord>,
}

impl Going {
    /// It begins now.
    pub fn begin(stem: String) -> Self {
        Self {
            started: Timestamp::now(),
            began: Instant::now(),
            stem,
            files: Vec::new(),
            so_far: None,
        }
    }

    /// Its record, if it is never heard of again.
    pub fn so_far(&self, trial: &Trial, checks: &[CheckRecord]) -> TrialRecord {
        const END: &str = "the trial did not end: this is what it had found until then";
        let (verdict, reason) = concluded(checks, Err(Stop::inconclusive(END)));
        let mut checks = checks.to_vec();
        checks.push(CheckRecord {
            name: "the trial's end".to_owned(),
            expected: "it ends".to_owned(),
            observed: END.to_owned(),
            verdict: Verdict::Inconclusive,
        });
        self.record(trial, verdict, &reason, checks)
    }

    /// Its record, if it ends now.
    pub fn record(
        &self,
        trial: &Trial,
        verdict: Verdict,
        reason: &str,
        checks: Vec<CheckRecord>,
    ) -> TrialRecord {
        TrialRecord {
            id: trial.id(),
            case: trial.case.id.to_owned(),
            title: trial.case.title.to_owned(),
            requirements: trial.requirements.clone(),
            interface: trial.interface.clone(),
            verdict,
            // Reasons of procedures are escaped where they are made of the device's words; this bounds them.
            reason: reason.chars().take(LONGEST_REASON).collect(),
            checks,
            started: self.started,
            duration_ms: self.began.elapsed().as_millis() as u64,
            waited_ms: 0,
            svv: trial.case.svv.id().to_owned(),
            objective: trial.case.objective.to_owned(),
            criterion: trial.case.criterion.to_owned(),
            timeline: None,
            evidence: self.files.clone(),
        }
    }
}
