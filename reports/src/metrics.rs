//! `metrics.json`: a campaign in figures, in the spirit of IEC 62443-1-3, and what would make its levels higher.
//!
//! A figure that has nothing to count is none, and never 100 %: a campaign that ran nothing has no good figures.

mod essential;
mod figures;
mod step;
mod zone;

use serde::Serialize;
use slcert_profiles::{FoundationalRequirement, RequirementId, SecurityLevel, SlVector};

use crate::assess::{Assessment, RequirementResult};
use crate::escape::{one_line, shorten};
use crate::record::Record;
use crate::verdict::Verdict;
pub use essential::Essential;
pub use figures::{Figures, Rows, Share};
pub use step::{Step, Unlock};
pub use zone::{Against, ZoneResult};

/// The version of the form of `metrics.json`.
pub const FORMAT: u32 = 1;

/// The longest text in one place.
const LONGEST: usize = 300;

/// The figures of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// [`FORMAT`].
    pub format: u32,
    /// The campaign's name.
    pub campaign: String,
    /// The device: its product, vendor and firmware.
    pub device: [String; 3],
    /// Whether the claim is demonstrated, reviews included.
    pub is_demonstrated: bool,
    /// Whether the campaign ended before its plan did.
    pub interrupted: bool,
    /// The SL-C claimed.
    pub claimed: SlVector,
    /// The SL-C demonstrated by tests alone.
    pub demonstrated: SlVector,
    /// The SL-C demonstrated by tests and reviews.
    pub reviewed: SlVector,
    /// The figures of the whole campaign.
    pub whole: Figures,
    /// The figures of each foundational requirement and of the common constraints.
    pub groups: Vec<Group>,
    /// What keeps the device from each higher level, the lowest first. To reach one, those before it are to be reached.
    pub steps: Vec<Step>,
    /// The common constraints that the claim asks for and that are not met.
    pub common: Vec<OpenRow>,
    /// How the device's SL-C compares with a zone's SL-T; none where no zone was given.
    pub zone: Option<ZoneResult>,
}

/// The figures of one foundational requirement, or of the common constraints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// `FR 1 IAC`, or `CCSC`.
    pub name: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A row that is not met, reviews included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenRow {
    /// Its id.
    pub id: RequirementId,
    /// Its short title.
    pub title: String,
    /// The lowest SL-C that asks for it.
    pub level: SecurityLevel,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

impl OpenRow {
    fn of(row: &RequirementResult) -> Self {
        Self {
            id: row.id,
            title: line(&row.title),
            level: row.level,
            verdict: row.reviewed,
            reason: line(&row.reason),
        }
    }
}

/// The figures of a campaign.
pub fn metrics(record: &Record, assessment: &Assessment) -> Metrics {
    let frs = FoundationalRequirement::ALL.map(Some);
    let groups = frs.into_iter().chain([None]).map(|fr| Group {
        name: fr.map_or("CCSC".to_owned(), |fr| fr.to_string()),
        figures: Figures::of(record, assessment, |id| id.is_some_and(|id| id.fr() == fr)),
    });
    let common = assessment.requirements.iter();
    let common = common.filter(|row| row.id.fr().is_none() && row.claimed);
    let dut = &record.dut;
    Metrics {
        format: FORMAT,
        campaign: line(&record.campaign),
        device: [&dut.product, &dut.vendor, &dut.firmware].map(|text| line(text)),
        is_demonstrated: assessment.is_demonstrated(),
        interrupted: assessment.interrupted,
        claimed: assessment.claimed,
        demonstrated: assessment.demonstrated,
        reviewed: assessment.reviewed,
        whole: Figures::of(record, assessment, |_| true),
        groups: groups.collect(),
        steps: step::steps(assessment),
        common: common
            .filter(|row| !row.reviewed.is_met())
            .map(OpenRow::of)
            .collect(),
        zone: record
            .wanted
            .zone
            .as_ref()
            .map(|zone| ZoneResult::of(zone, assessment)),
    }
}

impl Metrics {
    /// The text of `metrics.json`.
    ///
    /// # Errors
    /// It cannot be written as JSON, which is a fault of this program.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn line(text: &str) -> String {
    shorten(&one_line(text), LONGEST)
}

#[cfg(test)]
mod tests;
