//! A comparison as a page, in the clothes of `report.html`.

use askama::Template;

use super::text::{arrow, vector};
use super::{Comparison, Kind, TrialChange};
use crate::html::{STYLE, class, policy};
use crate::verdict::Verdict;

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    policy: String,
    style: &'static str,
    comparison: &'a Comparison,
    standing: (&'static str, &'static str, String),
    levels: Vec<(&'static str, String, String)>,
    kinds: Vec<(Kind, Vec<&'a TrialChange>)>,
}

/// The comparison as one HTML file.
///
/// # Errors
/// [`askama::Error`], which is a fault of this program.
pub fn page(comparison: &Comparison) -> Result<String, askama::Error> {
    let levels = &comparison.levels;
    let levels = [
        ("claimed", &levels.claimed),
        ("demonstrated", &levels.demonstrated),
        ("demonstrated and reviewed", &levels.reviewed),
    ];
    let kinds = Kind::ALL
        .into_iter()
        .map(|kind| (kind, comparison.of(kind).collect::<Vec<_>>()));
    Page {
        policy: policy(STYLE, None),
        style: STYLE,
        comparison,
        standing: standing(comparison),
        levels: levels
            .map(|(what, pair)| (what, vector(&pair.old), vector(&pair.new)))
            .to_vec(),
        kinds: kinds.filter(|(_, trials)| !trials.is_empty()).collect(),
    }
    .render()
}

fn standing(comparison: &Comparison) -> (&'static str, &'static str, String) {
    let counts = Kind::ALL
        .into_iter()
        .filter(|kind| comparison.count(*kind) > 0);
    let counts: Vec<String> = counts
        .map(|kind| format!("{} {}", comparison.count(kind), kind.words()))
        .collect();
    let sentence = match counts.is_empty() {
        true => format!("All {} trials came to the same.", comparison.same),
        false => format!(
            "Trials: {}, {} the same.",
            counts.join(", "),
            comparison.same
        ),
    };
    let (class, word) = match comparison.exit_status() {
        1 => ("fail", "Something fails that did not"),
        3 | 5 => ("inc", "Something is not known any more"),
        4 => ("ne", "Nothing was run"),
        _ => ("pass", "Nothing got worse"),
    };
    (class, word, sentence)
}

impl Page<'_> {
    fn class(&self, verdict: &Option<Verdict>) -> &'static str {
        verdict.map_or("ne", class)
    }

    fn word(&self, verdict: &Option<Verdict>) -> &'static str {
        verdict.map_or("not there", Verdict::word)
    }

    fn both(&self, pair: &super::Pair<Option<Verdict>>) -> String {
        arrow(pair)
    }
}
