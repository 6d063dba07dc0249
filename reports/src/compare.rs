//! Two campaigns side by side: what fails now, what was fixed, and what is not known any more. The retest after a patch.

mod change;
mod page;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use slcert_profiles::{RequirementId, SlVector};

use crate::assess::assess;
use crate::escape::{one_line, shorten};
use crate::record::{Record, TrialRecord};
use crate::verdict::Verdict;
pub use page::page;
pub use text::text;

/// The version of the JSON form.
pub const FORMAT: u32 = 1;
/// The longest text of one thing.
const LONGEST: usize = 300;

/// What differs between an older and a newer campaign. All of its text is harmless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The names of the two campaigns.
    pub campaigns: Pair<String>,
    /// What was not the same: device, firmware, profile, rig, method.
    pub conditions: Vec<Condition>,
    /// The SL-C claimed, demonstrated, and demonstrated and reviewed.
    pub levels: Levels,
    /// The trials that changed, and those that still fail, the worst kind first.
    pub trials: Vec<TrialChange>,
    /// The rows of the catalogue that came to something else, reviews included.
    pub requirements: Vec<RowChange>,
    /// How many trials came to the same.
    pub same: usize,
    /// How many trials of the newer campaign came to something other than NOT EVALUATED.
    pub run: usize,
}

/// The older one and the newer one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair<T> {
    /// Of the older campaign.
    pub old: T,
    /// Of the newer campaign.
    pub new: T,
}

/// Something that two campaigns do not have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// What it is: `firmware`.
    pub what: &'static str,
    /// In either campaign.
    #[serde(flatten)]
    pub values: Pair<String>,
}

/// The three vectors, in either campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Levels {
    /// Claimed.
    pub claimed: Pair<[u8; 7]>,
    /// Demonstrated by tests alone.
    pub demonstrated: Pair<[u8; 7]>,
    /// Demonstrated by tests and reviews.
    pub reviewed: Pair<[u8; 7]>,
}

/// How a trial changed. The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It FAILs, and did not before.
    NewlyFailing,
    /// It FAILs as before.
    StillFailing,
    /// It came to a verdict about the device before, and does not now.
    LostCoverage,
    /// It FAILed, and is met now.
    Fixed,
    /// It is met now, and came to no verdict about the device before.
    NewCoverage,
    /// It came to the same, or to nothing either time, for something else.
    Changed,
}

impl Kind {
    /// All of them, the worst first.
    pub const ALL: [Self; 6] = [
        Self::NewlyFailing,
        Self::StillFailing,
        Self::LostCoverage,
        Self::Fixed,
        Self::NewCoverage,
        Self::Changed,
    ];

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::NewlyFailing => "newly failing",
            Self::StillFailing => "still failing",
            Self::LostCoverage => "lost coverage",
            Self::Fixed => "fixed",
            Self::NewCoverage => "new coverage",
            Self::Changed => "changed",
        }
    }
}

/// A trial that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrialChange {
    /// How.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it came to; none where it was not run.
    #[serde(flatten)]
    pub verdicts: Pair<Option<Verdict>>,
    /// Why it came to that now, or what changed.
    pub why: String,
}

/// A row that came to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowChange {
    /// Its id.
    pub id: RequirementId,
    /// Its short title.
    pub title: String,
    /// What it came to; none where the selection lacks it.
    #[serde(flatten)]
    pub verdicts: Pair<Option<Verdict>>,
    /// Whether either claim asks for it.
    pub claimed: bool,
}

impl Comparison {
    /// How many trials changed in this way.
    pub fn count(&self, kind: Kind) -> usize {
        self.of(kind).count()
    }

    /// The trials that changed in this way.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &TrialChange> {
        self.trials.iter().filter(move |trial| trial.kind == kind)
    }

    /// The exit code, as of a campaign: 1 if something newly FAILs; 3 if something is INCONCLUSIVE that was not; 4 if
    /// nothing was run; 5 if something is not known any more for another reason; 0 otherwise, whatever failed before.
    pub fn exit_status(&self) -> u8 {
        let worse = [Kind::NewlyFailing, Kind::LostCoverage];
        let trials = self
            .trials
            .iter()
            .filter(|one| worse.contains(&one.kind))
            .map(|one| one.verdicts.new);
        // A row may get worse without any trial: a review is gone, or the profile excludes it.
        let was_met =
            |row: &&RowChange| row.claimed && row.verdicts.old.is_some_and(Verdict::is_met);
        let is_met = |row: &RowChange| row.verdicts.new.is_some_and(Verdict::is_met);
        let rows = self
            .requirements
            .iter()
            .filter(was_met)
            .filter(|row| !is_met(row))
            .map(|row| row.verdicts.new);
        let worse: Vec<Option<Verdict>> = trials.chain(rows).collect();
        if worse.contains(&Some(Verdict::Fail)) {
            1
        } else if worse.contains(&Some(Verdict::Inconclusive)) {
            3
        } else if self.run == 0 {
            4
        } else if !worse.is_empty() {
            5
        } else {
            0
        }
    }
}

/// Compares two campaigns.
pub fn compare(old: &Record, new: &Record) -> Comparison {
    let (was, is) = (assess(old), assess(new));
    let mut ids: BTreeMap<&str, (Option<&TrialRecord>, Option<&TrialRecord>)> = BTreeMap::new();
    for trial in &old.trials {
        ids.entry(&trial.id).or_default().0 = Some(trial);
    }
    for trial in &new.trials {
        ids.entry(&trial.id).or_default().1 = Some(trial);
    }
    let total = ids.len();
    let mut trials: Vec<TrialChange> = ids
        .into_values()
        .filter_map(|(old, now)| change::trial(old, now, new))
        .collect();
    trials.sort_by_key(|trial| trial.kind);
    Comparison {
        format: FORMAT,
        campaigns: Pair {
            old: short(&old.campaign),
            new: short(&new.campaign),
        },
        conditions: conditions(old, new),
        levels: Levels {
            claimed: vectors(was.claimed, is.claimed),
            demonstrated: vectors(was.demonstrated, is.demonstrated),
            reviewed: vectors(was.reviewed, is.reviewed),
        },
        same: total - trials.len(),
        run: is.trial_counts.total() - is.trial_counts.of(Verdict::NotEvaluated),
        trials,
        requirements: change::rows(&was, &is),
    }
}

fn short(text: &str) -> String {
    shorten(&one_line(text), LONGEST)
}

fn vectors(old: SlVector, new: SlVector) -> Pair<[u8; 7]> {
    let numbers = |vector: SlVector| vector.0.map(|level| level.get());
    Pair {
        old: numbers(old),
        new: numbers(new),
    }
}

fn conditions(old: &Record, new: &Record) -> Vec<Condition> {
    let of = |record: &Record| {
        let serial = record
            .dut
            .serial
            .clone()
            .unwrap_or_else(|| "not stated".to_owned());
        [
            ("product", record.dut.product.clone()),
            ("vendor", record.dut.vendor.clone()),
            ("firmware", record.dut.firmware.clone()),
            ("serial", serial),
            ("component", record.dut.component.to_string()),
            (
                "profile",
                format!("{} {}", record.profile.id, record.profile.version),
            ),
            ("profile's SHA-256", record.profile.sha256.clone()),
            ("rig", record.rig.file.clone()),
            ("rig's SHA-256", record.rig.sha256.clone()),
            ("slcert", record.slcert.clone()),
            ("options", record.options.join(" ")),
            ("interrupted", record.interrupted.to_string()),
        ]
    };
    let pairs = of(old).into_iter().zip(of(new));
    let differing = pairs.filter(|((_, old), (_, new))| old != new);
    let conditions = differing.map(|((what, old), (_, new))| Condition {
        what,
        values: Pair {
            old: short(&old),
            new: short(&new),
        },
    });
    conditions.collect()
}

#[cfg(test)]
mod tests;
