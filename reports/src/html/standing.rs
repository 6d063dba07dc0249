//! What a campaign came to: in a word, in a sentence and in numbers.

use super::model::{class, line};
use crate::assess::{Assessment, Counts};
use crate::verdict::Verdict;

pub(super) struct Standing {
    pub class: &'static str,
    pub word: &'static str,
    pub sentence: String,
}

/// How many there are of each verdict, as a bar and in words.
pub(super) struct Tally {
    pub name: &'static str,
    pub total: usize,
    pub parts: Vec<Part>,
    pub rest: usize,
}

pub(super) struct Part {
    pub class: &'static str,
    pub word: &'static str,
    pub count: usize,
    /// Its place in a bar of 1000.
    pub x: usize,
    pub width: usize,
}

pub(super) fn standing(assessment: &Assessment) -> Standing {
    let (total, met) = (assessment.counts.total(), assessment.counts.met());
    let claimed = assessment.claimed;
    let of = |verdict| assessment.counts.of(verdict);
    if let Some(fault) = &assessment.bench_fault {
        Standing {
            class: "inc",
            word: "Bench fault",
            sentence: match assessment.has_judged() {
                true => format!("Not all was judged: {}.", line(fault)),
                false => format!("Nothing was judged: {}.", line(fault)),
            },
        }
    } else if assessment.interrupted {
        Standing {
            class: "inc",
            word: "Interrupted",
            sentence: "The campaign ended before its plan did, and what it did not reach is open."
                .to_owned(),
        }
    } else if !assessment.has_run() {
        Standing {
            class: "ne",
            word: "Nothing was run",
            sentence: "No trial ran, so nothing is demonstrated.".to_owned(),
        }
    } else if assessment.is_demonstrated() {
        Standing {
            class: "pass",
            word: "Demonstrated",
            sentence: format!(
                "Each of the {total} requirements of the claim SL-C {claimed} is met."
            ),
        }
    } else {
        let (fails, unclear) = (of(Verdict::Fail), of(Verdict::Inconclusive));
        let open = total - met - fails - unclear;
        let parts = [
            (fails, "failed"),
            (unclear, "could not be judged"),
            (open, "wait for a person or are not evaluated"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        Standing {
            class: if fails > 0 {
                "fail"
            } else if unclear > 0 {
                "inc"
            } else {
                "rev"
            },
            word: "Not demonstrated",
            sentence: format!(
                "Of the {total} requirements of the claim SL-C {claimed}, {met} are met; {}.",
                parts.join(", ")
            ),
        }
    }
}

pub(super) fn tally(name: &'static str, counts: &Counts, rest: usize) -> Tally {
    // Best first, as a bar fills from the left; the pale end is what is open.
    let order = [
        Verdict::Pass,
        Verdict::NotApplicable,
        Verdict::Fail,
        Verdict::Inconclusive,
        Verdict::Review,
        Verdict::NotEvaluated,
    ];
    let total = (counts.total() + rest).max(1);
    let mut parts = Vec::new();
    let mut before = 0;
    for verdict in order.into_iter().filter(|verdict| counts.of(*verdict) > 0) {
        let count = counts.of(verdict);
        let x = before * 1000 / total;
        before += count;
        let end = before * 1000 / total;
        parts.push(Part {
            class: class(verdict),
            word: verdict.word(),
            count,
            x,
            // A gap between two parts, where there is room for one.
            width: (end - x).saturating_sub(3).max(2),
        });
    }
    Tally {
        name,
        total: counts.total() + rest,
        parts,
        rest,
    }
}
