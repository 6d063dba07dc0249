//! What the trials left to a person.

use std::sync::atomic::Ordering;

use slcert_profiles::RequirementId;
use slcert_reports::record::TrialRecord;
use slcert_reports::{Event, Verdict};

use super::super::guide::{self, Answer, Guide};
use super::Runner;

impl Runner {
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
}
