//! From a journal to the record of its campaign.

use super::{Entry, Event, JournalError};
use crate::record::{Record, TrialRecord};
use crate::verdict::Verdict;

impl Record {
    /// The record that a journal tells of, finished or not.
    ///
    /// A campaign whose end is not in the journal was interrupted. A trial that ended twice, because its campaign was
    /// resumed, keeps its first verdict unless that was INCONCLUSIVE or NOT EVALUATED, or the second is worse: no
    /// repetition turns a FAIL into a PASS.
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
        for entry in rest {
            match &entry.event {
                Event::CampaignStarted { .. } => return Err(JournalError::NoCampaign),
                Event::TrialStarted { .. } => {}
                Event::SelfTested(test) => record.selftest.push(test.clone()),
                Event::TrialFinished(trial) => record.add(trial),
                Event::Answered { attestations } => {
                    record.attestations.extend(attestations.iter().cloned());
                }
                Event::CampaignResumed { .. } => {
                    record.finished = None;
                    record.interrupted = true;
                }
                Event::CampaignFinished { interrupted } => {
                    record.finished = Some(entry.time);
                    record.interrupted = *interrupted;
                }
            }
        }
        Ok(record)
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
