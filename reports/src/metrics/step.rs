//! What keeps the device from each higher level, and what of it would win the most.

use std::cmp::Reverse;

use serde::Serialize;
use slcert_profiles::{FoundationalRequirement, SecurityLevel, SlVector};

use super::OpenRow;
use crate::assess::{Assessment, RequirementResult, level_of};

/// The rows that one level asks for beyond the level below it, and that are not met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The level.
    pub to: SecurityLevel,
    /// The SL-C once these rows and those of the steps before are met.
    pub reaches: SlVector,
    /// The rows; first those that win the most levels for each row that has to be met.
    pub rows: Vec<Unlock>,
}

/// A row that is not met, and what meeting it would win.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unlock {
    /// The row.
    #[serde(flatten)]
    pub row: OpenRow,
    /// The foundational requirement that it keeps back: `IAC`.
    pub fr: &'static str,
    /// How many more rows of it have to be met as well, up to the step's level.
    pub with: usize,
    /// The level that it has then.
    pub lifts_to: SecurityLevel,
}

impl Unlock {
    /// What meeting the row wins, in a few words.
    pub fn wins(&self) -> String {
        let rest = match self.with {
            0 => String::new(),
            more => format!(", with {more} more"),
        };
        format!("{} to {}{rest}", self.fr, self.lifts_to)
    }
}

/// The steps above what is demonstrated and reviewed, the lowest first.
pub(super) fn steps(assessment: &Assessment) -> Vec<Step> {
    let steps = SecurityLevel::CLAIMABLE.into_iter().map(|to| {
        let mut reaches = SlVector::default();
        let mut rows: Vec<(usize, Unlock)> = Vec::new();
        for fr in FoundationalRequirement::ALL {
            reaches[fr] = reached(assessment, fr, to);
            let open = open(assessment, fr).filter(|row| row.level <= to);
            let with = open.clone().count().saturating_sub(1);
            let won = reaches[fr].get() - assessment.reviewed[fr].get();
            // Levels won for a row, in thousandths.
            let worth = usize::from(won) * 1000 / (with + 1);
            rows.extend(open.filter(|row| row.level == to).map(|row| {
                let unlock = Unlock {
                    row: OpenRow::of(row),
                    fr: fr.abbreviation(),
                    with,
                    lifts_to: reaches[fr],
                };
                (worth, unlock)
            }));
        }
        rows.sort_by_key(|(worth, one)| (Reverse(*worth), one.row.verdict.place(), one.row.id));
        Step {
            to,
            reaches,
            rows: rows.into_iter().map(|(_, unlock)| unlock).collect(),
        }
    });
    steps.filter(|step| !step.rows.is_empty()).collect()
}

/// The level of a foundational requirement once its rows up to a level are met.
fn reached(
    assessment: &Assessment,
    fr: FoundationalRequirement,
    to: SecurityLevel,
) -> SecurityLevel {
    let rows = assessment.requirements.iter();
    let rows = rows.filter(|row| row.id.fr() == Some(fr));
    level_of(rows.map(|row| (row.level, row.reviewed.is_met() || row.level <= to)))
}

fn open(
    assessment: &Assessment,
    fr: FoundationalRequirement,
) -> impl Iterator<Item = &RequirementResult> + Clone {
    let rows = assessment.requirements.iter();
    rows.filter(move |row| row.id.fr() == Some(fr) && !row.reviewed.is_met())
}
