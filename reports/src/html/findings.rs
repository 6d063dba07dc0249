//! What failed and what could not be judged, the same on several interfaces once.

use slcert_profiles::RequirementId;

use super::cards;
use super::model::{class, line};
use crate::assess::Assessment;
use crate::record::Record;
use crate::verdict::Verdict;

/// What trials of one case found alike, on whichever interfaces.
pub(super) struct Finding {
    pub class: &'static str,
    pub verdict: Verdict,
    pub owner: String,
    pub title: String,
    pub reason: String,
    pub claimed: bool,
    pub trials: Vec<Place>,
}

/// A trial, and where it ran.
pub(super) struct Place {
    pub id: String,
    pub at: String,
}

pub(super) fn findings(record: &Record, assessment: &Assessment) -> Vec<Finding> {
    let wanted = [Verdict::Fail, Verdict::Inconclusive];
    let mut found: Vec<_> = record
        .trials
        .iter()
        .filter(|trial| wanted.contains(&trial.verdict))
        .collect();
    let claimed = |ids: &[RequirementId]| {
        ids.iter()
            .any(|id| assessment.get(*id).is_some_and(|row| row.claimed))
    };
    found.sort_by_key(|trial| {
        (
            trial.verdict.place(),
            !claimed(&trial.requirements),
            trial.requirements.first().copied(),
        )
    });
    let mut findings: Vec<Finding> = Vec::new();
    for trial in found {
        let place = Place {
            id: line(&trial.id),
            at: cards::column(trial),
        };
        let one = Finding {
            class: class(trial.verdict),
            verdict: trial.verdict,
            owner: trial
                .requirements
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
            title: line(&trial.title),
            reason: line(&trial.reason),
            claimed: claimed(&trial.requirements),
            trials: Vec::new(),
        };
        let alike = |other: &&mut Finding| {
            (other.verdict, &other.owner, &other.title, &other.reason)
                == (one.verdict, &one.owner, &one.title, &one.reason)
        };
        match findings.iter_mut().find(alike) {
            Some(other) => other.trials.push(place),
            None => findings.push(Finding {
                trials: vec![place],
                ..one
            }),
        }
    }
    findings
}
