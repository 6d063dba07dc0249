//! The tests by what annex I of the Cyber Resilience Act asks for: what its annex VII, point 6, wants in the technical
//! documentation.
//!
//! Which requirement speaks for which point is our own reading. No harmonised standard says it.

use slcert_profiles::RequirementId;

use super::model::class;
use crate::assess::{Assessment, Counts, RequirementResult};
use crate::record::Record;
use crate::verdict::Verdict;

/// The points of annex I in our words, and the requirements that speak for each, by their numbers. An enhancement goes
/// with its base.
const POINTS: [(&str, &str, &[&str]); 15] = [
    ("I (1)", "security that fits the risk", &["2", "4"]),
    (
        "I (2a)",
        "no known exploitable vulnerability",
        &["3.5", "3.7"],
    ),
    (
        "I (2b)",
        "secure by default, and a way back to it",
        &["1.5", "7.4", "7.6"],
    ),
    ("I (2c)", "security updates", &["3.10"]),
    (
        "I (2d)",
        "protection from unauthorised access",
        &[
            "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "1.10", "1.11", "1.12",
            "1.13", "1.14", "2.1", "2.2", "2.5", "2.6", "2.7", "2.13", "3.8", "3",
        ],
    ),
    ("I (2e)", "confidentiality of data", &["4.1", "4.3"]),
    (
        "I (2f)",
        "integrity of data, commands, programs and settings",
        &["2.4", "3.1", "3.3", "3.4", "3.12", "3.13", "3.14"],
    ),
    ("I (2g)", "no more data than needed", &[]),
    (
        "I (2h)",
        "availability of essential functions",
        &["1", "3.6", "7.1", "7.2", "7.3", "7.4"],
    ),
    (
        "I (2i)",
        "no harm to other devices and networks",
        &["5.1", "7.1"],
    ),
    (
        "I (2j)",
        "few surfaces to attack",
        &["2.2", "2.13", "5.2", "5.3", "7.7"],
    ),
    (
        "I (2k)",
        "incidents that do little",
        &["3.2", "3.6", "3.11", "5.1"],
    ),
    (
        "I (2l)",
        "recording and monitoring of what matters to security",
        &["2.8", "2.9", "2.10", "2.11", "2.12", "3.9", "6.1", "6.2"],
    ),
    ("I (2m)", "removal of all data and settings", &["4.2"]),
    ("II (1)", "knowing the components of the product", &["7.8"]),
];

/// One point of annex I, and what was tested for it.
pub(super) struct Point {
    pub place: &'static str,
    pub title: &'static str,
    pub rows: Vec<Row>,
    pub trials: usize,
    pub files: usize,
    pub says: String,
}

pub(super) struct Row {
    pub id: String,
    pub slug: String,
    pub class: &'static str,
    pub verdict: Verdict,
}

pub(super) fn points(record: &Record, assessment: &Assessment) -> Vec<Point> {
    POINTS
        .iter()
        .map(|(place, title, numbers)| Point::of(place, title, numbers, record, assessment))
        .collect()
}

/// Whether a requirement, or what it enhances, has one of these numbers.
fn is_among(id: RequirementId, numbers: &[&str]) -> bool {
    let base = id.base().unwrap_or(id).to_string();
    let (_, number) = base.split_once(' ').unwrap_or_default();
    numbers.contains(&number)
}

impl Point {
    fn of(
        place: &'static str,
        title: &'static str,
        numbers: &[&str],
        record: &Record,
        assessment: &Assessment,
    ) -> Self {
        // Rows that nobody asks for and that nothing was tested for say nothing.
        let rows: Vec<&RequirementResult> = assessment
            .requirements
            .iter()
            .filter(|row| is_among(row.id, numbers) && (row.claimed || !row.trials.is_empty()))
            .collect();
        let trials = || {
            record.trials.iter().filter(|trial| {
                let mut ids = trial.requirements.iter();
                ids.any(|id| is_among(*id, numbers))
            })
        };
        let counts: Counts = rows.iter().map(|row| row.reviewed).collect();
        let says = match (numbers.len(), counts.total()) {
            (0, _) => "no requirement of IEC 62443-4-2 speaks for it".to_owned(),
            (_, 0) => "the claim asks for none of its requirements".to_owned(),
            (_, total) => format!("{} of {total} met", counts.met()),
        };
        Self {
            place,
            title,
            says,
            trials: trials().count(),
            files: trials().flat_map(|trial| &trial.evidence).count(),
            rows: rows.into_iter().map(Row::of).collect(),
        }
    }
}

impl Row {
    fn of(row: &RequirementResult) -> Self {
        Self {
            id: row.id.to_string(),
            slug: row.id.slug(),
            class: class(row.reviewed),
            verdict: row.reviewed,
        }
    }
}

#[cfg(test)]
mod tests {
    use slcert_profiles::Catalogue;

    use super::*;

    #[test]
    fn each_requirement_speaks_for_a_point_and_each_number_is_one_of_a_requirement() {
        let rows = Catalogue::of("IEC 62443-4-2", "2019").unwrap();
        let rows = rows.requirements();
        for row in rows {
            let points = POINTS
                .iter()
                .filter(|(_, _, numbers)| is_among(row.id, numbers));
            assert!(points.count() > 0, "{}", row.id);
        }
        for number in POINTS.iter().flat_map(|(_, _, numbers)| *numbers) {
            assert!(
                rows.iter().any(|row| is_among(row.id, &[number])),
                "{number}"
            );
        }
    }
}
