//! The trials by the practices of IEC 62443-4-1 (SVV) that they give evidence for.

use super::cards::FileLink;
use super::model::{class, line};
use crate::assess::Counts;
use crate::record::{Record, TrialRecord};
use crate::verdict::Verdict;

/// How many trials are listed under one practice.
const MOST: usize = 400;

/// What is not among a campaign's trials, whoever runs it.
const ELSEWHERE: [(&str, &str, &str); 2] = [
    (
        "SVV-4",
        "Penetration testing",
        "No trial is evidence for it: people have to try who know the product.",
    ),
    (
        "SVV-5",
        "Independence of testers",
        "No trial is evidence for it.",
    ),
];

/// One practice, and what was done for it.
pub(super) struct Practice {
    pub id: &'static str,
    pub title: &'static str,
    /// What the trials came to, or where to look instead.
    pub says: String,
    pub trials: Vec<Tried>,
    pub more: usize,
}

/// One trial as evidence.
pub(super) struct Tried {
    pub id: String,
    pub class: &'static str,
    pub verdict: Verdict,
    pub rows: String,
    pub files: Vec<FileLink>,
}

pub(super) fn practices(record: &Record) -> Vec<Practice> {
    let tested = [
        ("SVV-1", "Security requirements testing"),
        ("SVV-2", "Threat mitigation testing"),
        ("SVV-3", "Vulnerability testing"),
    ];
    let mut practices: Vec<Practice> = tested
        .into_iter()
        .map(|(id, title)| Practice::tested(id, title, record))
        .collect();
    practices.extend(ELSEWHERE.map(|(id, title, says)| Practice {
        id,
        title,
        says: match id {
            "SVV-5" => format!("{says} {}", testers(record)),
            _ => says.to_owned(),
        },
        trials: Vec::new(),
        more: 0,
    }));
    practices
}

impl Practice {
    fn tested(id: &'static str, title: &'static str, record: &Record) -> Self {
        let trials = || record.trials.iter().filter(|trial| trial.svv == id);
        let counts: Counts = trials().map(|trial| trial.verdict).collect();
        let files = trials().flat_map(|trial| &trial.evidence).count();
        let says = match counts.total() {
            0 => "No trial was run for it.".to_owned(),
            total => format!("{total} trials: {}; {files} files.", counts.words()),
        };
        Self {
            id,
            title,
            says,
            trials: trials().take(MOST).map(Tried::of).collect(),
            more: counts.total().saturating_sub(MOST),
        }
    }
}

impl Tried {
    fn of(trial: &TrialRecord) -> Self {
        let rows: Vec<String> = trial.requirements.iter().map(ToString::to_string).collect();
        Self {
            id: line(&trial.id),
            class: class(trial.verdict),
            verdict: trial.verdict,
            rows: line(&rows.join(", ")),
            files: trial
                .evidence
                .iter()
                .map(|file| FileLink::of(file, true))
                .collect(),
        }
    }
}

/// Who tested, as far as the laboratory says.
fn testers(record: &Record) -> String {
    let lab = record.lab.as_ref();
    let known = |fact: Option<&String>| fact.map_or("not on record".to_owned(), |fact| line(fact));
    format!(
        "Laboratory: {}. Operator: {}.",
        known(lab.and_then(|lab| lab.laboratory.as_ref())),
        known(lab.and_then(|lab| lab.operator.as_ref()))
    )
}
