//! The record of a campaign: `result.json`, the single source of truth. Every other view is rendered from it.
//!
//! Text in a record that came from a device was escaped with [`crate::escape()`] by whoever put it there.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slcert_profiles::{ComponentType, RequirementId, SecurityLevel, SlVector};
use thiserror::Error;

use crate::lab::LabRecord;
use crate::redact::RedactionRecord;
use crate::selftest::SelfTestRecord;
use crate::timeline::{MOST_STEPS, TimelineRecord};
use crate::verdict::Verdict;
use crate::wanted::Wanted;

/// The version of the format that this program writes and reads.
pub const FORMAT: u32 = 2;

/// One campaign: what was asked, of which device, on which rig, and what came of each trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of this format: [`FORMAT`].
    pub format: u32,
    /// The version of slcert that ran the campaign.
    pub slcert: String,
    /// The campaign's name: that of its folder.
    pub campaign: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none while it runs, or if it was killed.
    pub finished: Option<Timestamp>,
    /// Whether it ended before its plan did.
    pub interrupted: bool,
    /// The profile that was asked for.
    pub profile: ProfileRecord,
    /// The rig that it ran on.
    pub rig: RigRecord,
    /// The device under test.
    pub dut: DutRecord,
    /// What the laboratory has on record; none where it gave nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab: Option<LabRecord>,
    /// What was cut, where this is the record of a copy for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction: Option<RedactionRecord>,
    /// The SL-C claimed, one level (0 to 4) a foundational requirement, in the standard's order.
    pub claim: [u8; 7],
    /// Every row of the catalogue that the component type has, whatever the claim.
    pub selection: Vec<SelectionRecord>,
    /// The seed of all random choices.
    pub seed: u64,
    /// What `slcert run` was told of profile, rig, flaws and fuzz suites: the same words run a trial again.
    #[serde(default)]
    pub options: Vec<String>,
    /// What its reports have beyond the usual.
    #[serde(default, skip_serializing_if = "Wanted::is_nothing")]
    pub wanted: Wanted,
    /// The trials that were planned. One that is not among `trials` was not run, and keeps its requirements open: a
    /// campaign that was cut short or filtered demonstrates nothing by what it left out.
    #[serde(default)]
    pub planned: Vec<PlannedRecord>,
    /// What the bench showed of itself, and the firmware that it read, before the trials and after them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selftest: Vec<SelfTestRecord>,
    /// What people have reviewed, for what no test shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<AttestationRecord>,
    /// The trials that were run, in the order in which they ended.
    pub trials: Vec<TrialRecord>,
}

/// What a person has found for one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationRecord {
    /// The requirement.
    pub requirement: RequirementId,
    /// How it was found.
    pub found: Found,
    /// What it came to: PASS, FAIL or NOT APPLICABLE.
    pub outcome: Verdict,
    /// The document that was read; or what whoever inspected the device keeps of it, inside the campaign's folder.
    pub files: Vec<FileRecord>,
    /// Who found it.
    pub reviewer: String,
    /// The day: `2026-11-20`.
    pub date: String,
    /// What a reader should know.
    pub remark: Option<String>,
}

/// How a person has found something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// In a document, which an attestation names. It stands for every REVIEW of the requirement.
    Document,
    /// By an inspection of the device, which the campaign guided. It stands for the REVIEW of this trial, and no other.
    Inspection {
        /// The trial's id.
        trial: String,
    },
}

/// A file, and what was in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its path.
    pub path: String,
    /// SHA-256 of it, in hex.
    pub sha256: String,
}

impl AttestationRecord {
    /// What was found, in one line.
    pub fn words(&self) -> String {
        let (outcome, reviewer, date) = (self.outcome, &self.reviewer, &self.date);
        let mut words = match self.found {
            Found::Document => format!("reviewed: {outcome} by {reviewer} on {date}"),
            Found::Inspection { .. } => format!("seen by {reviewer} on {date}: {outcome}"),
        };
        if let Some(remark) = &self.remark {
            words.push_str(&format!(" ({remark})"));
        }
        for file in &self.files {
            words.push_str(&format!(", {}", file.path));
        }
        words
    }

    /// Whether it stands for the REVIEW of this trial.
    pub fn answers(&self, trial: &str) -> bool {
        match &self.found {
            Found::Document => true,
            Found::Inspection { trial: asked } => asked == trial,
        }
    }
}

/// The profile of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileRecord {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file, in hex.
    pub sha256: String,
    /// `draft`, `published` or `withdrawn`.
    pub status: String,
}

/// The rig of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RigRecord {
    /// The name of its file.
    pub file: String,
    /// SHA-256 of its file, in hex.
    pub sha256: String,
}

/// The device under test, as the rig states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutRecord {
    /// The product's name.
    pub product: String,
    /// Who makes it.
    pub vendor: String,
    /// The version of its firmware.
    pub firmware: String,
    /// The serial number of this specimen.
    pub serial: Option<String>,
    /// What kind of component it is.
    pub component: ComponentType,
}

/// One row of the catalogue, as the profile selects it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectionRecord {
    /// Its id.
    pub id: RequirementId,
    /// Its short title.
    pub title: String,
    /// The lowest SL-C that asks for it, 1 to 4.
    pub level: u8,
    /// Why the profile excludes it; none if it does not.
    pub excluded: Option<String>,
}

/// A trial of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRecord {
    /// The id that its trial has.
    pub id: String,
    /// The title that its trial has.
    pub title: String,
    /// The requirements that it gives evidence for, its owner first.
    pub requirements: Vec<RequirementId>,
    /// The interface of the rig that it runs on.
    pub interface: Option<String>,
}

/// One trial: a case on one interface of the rig.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// Its id, stable from campaign to campaign: `CR-1.11/lockout@console`.
    pub id: String,
    /// The case: `lockout`.
    pub case: String,
    /// The case's title.
    pub title: String,
    /// The requirements that it gives evidence for, its owner first.
    pub requirements: Vec<RequirementId>,
    /// The interface of the rig that it ran on.
    pub interface: Option<String>,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// The checks that it made, in order.
    pub checks: Vec<CheckRecord>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How much of that it waited for timers of the device's own, in milliseconds.
    #[serde(default)]
    pub waited_ms: u64,
    /// The practice of IEC 62443-4-1 that it gives evidence for: `SVV-1`.
    pub svv: String,
    /// What the case is to show.
    pub objective: String,
    /// When it passes: fixed before the run.
    pub criterion: String,
    /// What was sent when, and how the essential functions bore it; none where nothing was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<TimelineRecord>,
    /// Files of evidence, relative to the folder of the record, the most telling first, as they were when the trial ended.
    pub evidence: Vec<FileRecord>,
}

/// One check within a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRecord {
    /// What was checked.
    pub name: String,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub observed: String,
    /// What it came to.
    pub verdict: Verdict,
}

/// A record holds what cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotARecord {
    /// It is of a format that this program does not know.
    #[error(
        "it is of format {0}, and this slcert reads format {FORMAT}: use the slcert that wrote it, or a newer one"
    )]
    Format(u32),
    /// A level is out of range.
    #[error("{whose} has level {level}: levels go from {lowest} to 4")]
    Level {
        /// The claim, or the row.
        whose: String,
        /// The level that was found.
        level: u8,
        /// The lowest level that may stand there.
        lowest: u8,
    },
    /// A row stands twice in the selection.
    #[error("the selection has {0} twice")]
    RowTwice(RequirementId),
    /// A trial stands twice.
    #[error("the trial `{0}` stands twice")]
    TrialTwice(String),
    /// A timeline has a curve of another length than it says.
    #[error(
        "the timeline of the trial `{0}` has not as many values as steps, or more than {MOST_STEPS}"
    )]
    Timeline(String),
    /// A trial's evidence, or what was kept of an inspection, lies outside the campaign's folder.
    #[error(
        "the trial `{trial}` names the evidence `{path}`, which is no path inside the campaign's folder"
    )]
    Evidence {
        /// The trial.
        trial: String,
        /// The path.
        path: String,
    },
}

impl Record {
    /// What a person has found for a requirement where a trial asked for one: the worst, where there is more.
    pub fn attested(&self, id: RequirementId, trial: &str) -> Option<&AttestationRecord> {
        self.attestations
            .iter()
            .filter(|one| one.requirement == id && one.answers(trial))
            .min_by_key(|one| one.outcome.place())
    }

    /// The claim as a vector. A level over 4, which [`Record::check`] refuses, counts as 4.
    pub fn claimed(&self) -> SlVector {
        SlVector(self.claim.map(level))
    }

    /// Checks what the types alone do not hold: levels, ids that stand twice, paths of evidence.
    ///
    /// # Errors
    /// [`NotARecord`] for the first thing that cannot be.
    pub fn check(&self) -> Result<(), NotARecord> {
        if self.format != FORMAT {
            return Err(NotARecord::Format(self.format));
        }
        if let Some(&level) = self.claim.iter().find(|level| **level > 4) {
            return Err(NotARecord::Level {
                whose: "the claim".to_owned(),
                level,
                lowest: 0,
            });
        }
        let mut rows = HashSet::new();
        for row in &self.selection {
            if !(1..=4).contains(&row.level) {
                return Err(NotARecord::Level {
                    whose: row.id.to_string(),
                    level: row.level,
                    lowest: 1,
                });
            }
            if !rows.insert(row.id) {
                return Err(NotARecord::RowTwice(row.id));
            }
        }
        let mut trials = HashSet::new();
        for trial in &self.trials {
            if !trials.insert(trial.id.as_str()) {
                return Err(NotARecord::TrialTwice(trial.id.clone()));
            }
            if trial.timeline.as_ref().is_some_and(|one| !one.is_whole()) {
                return Err(NotARecord::Timeline(trial.id.clone()));
            }
            if let Some(file) = trial.evidence.iter().find(|file| !is_inside(&file.path)) {
                return Err(NotARecord::Evidence {
                    trial: trial.id.clone(),
                    path: file.path.clone(),
                });
            }
        }
        for attestation in &self.attestations {
            let Found::Inspection { trial } = &attestation.found else {
                continue;
            };
            let mut files = attestation.files.iter();
            if let Some(file) = files.find(|file| !is_inside(&file.path)) {
                return Err(NotARecord::Evidence {
                    trial: trial.clone(),
                    path: file.path.clone(),
                });
            }
        }
        Ok(())
    }

    /// The trials of the plan that were not run.
    pub fn not_run(&self) -> impl Iterator<Item = &PlannedRecord> {
        let run: HashSet<&str> = self.trials.iter().map(|trial| trial.id.as_str()).collect();
        self.planned
            .iter()
            .filter(move |planned| !run.contains(planned.id.as_str()))
    }
}

/// A level that is held to 4.
pub(crate) fn level(level: u8) -> SecurityLevel {
    SecurityLevel::try_from(level).unwrap_or(SecurityLevel::CLAIMABLE[3])
}

/// Whether a path of evidence stays inside the campaign's folder. A report that named another file would make a CI
/// server publish it.
pub(crate) fn is_inside(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    !drive
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn the_example_is_a_record() {
        assert_eq!(example::record().check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut record = example::record();
        record.claim[3] = 5;
        assert!(matches!(
            record.check(),
            Err(NotARecord::Level { level: 5, .. })
        ));

        let mut record = example::record();
        record.selection[0].level = 0;
        assert!(matches!(
            record.check(),
            Err(NotARecord::Level { level: 0, .. })
        ));

        let mut record = example::record();
        let row = record.selection[0].clone();
        record.selection.push(row);
        assert!(matches!(record.check(), Err(NotARecord::RowTwice(_))));

        let mut record = example::record();
        let trial = record.trials[0].clone();
        record.trials.push(trial);
        assert!(matches!(record.check(), Err(NotARecord::TrialTwice(_))));
    }

    #[test]
    fn evidence_lies_inside_the_campaigns_folder() {
        for path in [
            "evidence/a.raw",
            "evidence/CR-1.11/lockout@console/a b.pcapng",
        ] {
            assert!(is_inside(path), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "./a",
            "C:\\x",
            "C:/x",
            "a\\..\\b",
            "a\nb",
        ] {
            assert!(!is_inside(path), "{path}");
        }
    }
}
