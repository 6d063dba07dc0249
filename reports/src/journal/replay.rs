//! From a journal to the record of its campaign.

use super::{Entry, Event, JournalError};
use crate::record::{Record, TrialRecord};
use crate::verdict::Verdict;

impl Record {
    /// The record that a journal tells of, finished or not.
    ///
    /// A campaign whose end is not in the journal was interrupted. A trial that ended twice, because its campaign was
    /// resumed, keeps its first verdict unless that was INCONCLUSIVE or NOT EVALUATED, or the second is worse: no
    /// repetition turns a FAIL into a PASS. Of a trial that did not end stands what it had found.
    ///
    /// # Errors
    /// [`JournalError::NoCampaign`] if the first entry is not the beginning of a campaign, or another begins later.
    pub fn from_journal(entries: &[Entry]) -> Result<Self, JournalError> {
        let Some((
            Entry {
                event: Event::CampaignStarted { record },
                ..
            },
            rest,
        )) = entries.split_first()
        else {
            return Err(JournalError::NoCampaign);
        };
        let mut record = Self {
            trials: Vec::new(),
            selftest: Vec::new(),
            finished: None,
            interrupted: true,
            ..record.clone()
        };
        // The trial that goes on.
        let mut found: Option<&TrialRecord> = None;
        for entry in rest {
            match &entry.event {
                Event::CampaignStarted { .. } => return Err(JournalError::NoCampaign),
                Event::TrialStarted { .. } => record.keep(found.take()),
                Event::SelfTested(test) => record.selftest.push(test.clone()),
                Event::TrialFound(trial) => found = Some(trial),
                Event::TrialFinished(trial) => {
                    found = None;
                    record.add(trial);
                }
                Event::Answered { attestations } => {
                    record.attestations.extend(attestations.iter().cloned());
                }
                Event::CampaignResumed { .. } => {
                    record.keep(found.take());
                    record.finished = None;
                    record.interrupted = true;
                }
                Event::CampaignFinished { interrupted } => {
                    record.finished = Some(entry.time);
                    record.interrupted = *interrupted;
                }
            }
        }
        record.keep(found);
        Ok(record)
    }

    fn keep(&mut self, trial: Option<&TrialRecord>) {
        if let Some(trial) = trial {
            self.add(trial);
        }
    }

    /// Adds what a trial came to. One that is there already keeps its first verdict, as [`Record::from_journal`] says.
    pub fn add(&mut self, trial: &TrialRecord) {
        match self.trials.iter_mut().find(|one| one.id == trial.id) {
            None => self.trials.push(trial.clone()),
            Some(first) => {
                let open = matches!(first.verdict, Verdict::Inconclusive | Verdict::NotEvaluated);
                if open || trial.verdict.is_worse_than(first.verdict) {
                    *first = trial.clone();
                }
            }
        }
    }
}
