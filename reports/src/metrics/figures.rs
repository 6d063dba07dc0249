//! What is counted of a campaign or of one group of its requirements.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use slcert_profiles::RequirementId;

use super::Essential;
use crate::assess::Assessment;
use crate::record::{FileRecord, Record, is_inside};
use crate::sha256;
use crate::verdict::Verdict;

/// The figures of a campaign, or of a part of it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Figures {
    /// The requirements that the claim asks for, by what became of them.
    pub rows: Rows,
    /// Requirements that were decided, of those that the claim asks for.
    pub coverage: Share,
    /// Requirements that tests alone decided, of those that were decided.
    pub automation: Share,
    /// Trials that came to a verdict about the device, of those that were tried on it.
    pub decisiveness: Share,
    /// Verdicts with a file of evidence whose SHA-256 is on record, of all verdicts about the device.
    pub evidence: Share,
    /// How the essential functions held.
    pub essential: Essential,
}

/// Requirements assessed, not applicable and in all, as certification schemes count them, and what these leave unsaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rows {
    /// PASS or FAIL.
    pub assessed: usize,
    /// NOT APPLICABLE.
    pub not_applicable: usize,
    /// Without a verdict about the device: INCONCLUSIVE, REVIEW or NOT EVALUATED.
    pub not_evaluated: usize,
    /// All of them.
    pub total: usize,
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The part.
    pub part: usize,
    /// The whole; where it is nothing, there is no percentage.
    pub whole: usize,
}

impl Share {
    /// Whole percents, rounded down: 100 says that nothing is missing.
    pub fn percent(&self) -> Option<usize> {
        (self.part * 100).checked_div(self.whole)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent() {
            Some(percent) => write!(f, "{percent} % ({} of {})", self.part, self.whole),
            None => f.write_str("nothing to count"),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut share = serializer.serialize_struct("Share", 3)?;
        share.serialize_field("part", &self.part)?;
        share.serialize_field("whole", &self.whole)?;
        share.serialize_field("percent", &self.percent())?;
        share.end()
    }
}

/// Whether a verdict says something about the device.
fn is_decided(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Pass | Verdict::Fail | Verdict::NotApplicable
    )
}

impl Figures {
    /// The figures of the requirements that are meant; a trial counts under its owner.
    pub(super) fn of(
        record: &Record,
        assessment: &Assessment,
        is_meant: impl Fn(Option<RequirementId>) -> bool,
    ) -> Self {
        let rows = || {
            let rows = assessment.requirements.iter();
            rows.filter(|row| row.claimed && is_meant(Some(row.id)))
        };
        let count = |verdict| rows().filter(|row| row.reviewed == verdict).count();
        let total = rows().count();
        let assessed = count(Verdict::Pass) + count(Verdict::Fail);
        let not_applicable = count(Verdict::NotApplicable);
        let decided = assessed + not_applicable;
        let by_tests = rows().filter(|row| is_decided(row.verdict)).count();

        let trials = || {
            let trials = record.trials.iter();
            trials.filter(|trial| is_meant(trial.requirements.first().copied()))
        };
        let judged = || trials().filter(|trial| is_decided(trial.verdict));
        let unclear = trials().filter(|trial| trial.verdict == Verdict::Inconclusive);
        let people = || {
            let people = record.attestations.iter();
            people.filter(|one| is_meant(Some(one.requirement)))
        };
        let with_evidence = judged().filter(|trial| has_hashed(&trial.evidence, true));
        let with_files = people().filter(|one| has_hashed(&one.files, false));
        Self {
            rows: Rows {
                assessed,
                not_applicable,
                not_evaluated: total - decided,
                total,
            },
            coverage: Share {
                part: decided,
                whole: total,
            },
            automation: Share {
                part: by_tests,
                whole: decided,
            },
            decisiveness: Share {
                part: judged().count(),
                whole: judged().count() + unclear.count(),
            },
            evidence: Share {
                part: with_evidence.count() + with_files.count(),
                whole: judged().count() + people().count(),
            },
            essential: Essential::of(trials()),
        }
    }
}

/// Whether one of the files can be told from a file that was changed. A document may lie elsewhere than evidence.
fn has_hashed(files: &[FileRecord], inside: bool) -> bool {
    files.iter().any(|file| {
        let whole = sha256::is_hash(&file.sha256);
        whole && (!inside || is_inside(&file.path))
    })
}
