//! From verdicts of trials to verdicts of requirements, and from those to the SL-C that a campaign demonstrates.
//!
//! Pure: no file, no clock, no device.

use std::collections::HashMap;

use slcert_profiles::{FoundationalRequirement, RequirementId, SecurityLevel, SlVector};

use crate::escape::escape;
use crate::record::{self, Record, SelectionRecord};
use crate::verdict::Verdict;

/// What a campaign's trials amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Every row of the selection, in its order.
    pub requirements: Vec<RequirementResult>,
    /// The SL-C claimed.
    pub claimed: SlVector,
    /// The SL-C demonstrated by tests alone.
    pub demonstrated: SlVector,
    /// The SL-C demonstrated by tests and by reviews that are on record.
    pub reviewed: SlVector,
    /// One entry a foundational requirement, in the standard's order.
    pub frs: Vec<FrResult>,
    /// The common constraints (CCSC) that are open: they belong to no FR and have no part in the vectors.
    pub common: Vec<Gap>,
    /// The verdicts of the rows that the claim asks for, with the reviews that are on record.
    pub counts: Counts,
    /// The verdicts of the trials.
    pub trial_counts: Counts,
    /// Whether the campaign ended before its plan did.
    pub interrupted: bool,
    /// Why the bench could judge nothing; none where its self-test was sound.
    pub bench_fault: Option<String>,
}

/// What one requirement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequirementResult {
    /// Its id.
    pub id: RequirementId,
    /// Its short title.
    pub title: String,
    /// The lowest SL-C that asks for it.
    pub level: SecurityLevel,
    /// Whether the claim asks for it. The common constraints follow the highest level of the claim.
    pub claimed: bool,
    /// The worst verdict of its trials; NOT EVALUATED without any.
    pub verdict: Verdict,
    /// The same with the review that is on record in the place of REVIEW.
    pub reviewed: Verdict,
    /// Why: the reason of the first trial with that verdict, or why there is none.
    pub reason: String,
    /// The ids of its trials that were run.
    pub trials: Vec<String>,
}

/// What one foundational requirement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrResult {
    /// Which one.
    pub fr: FoundationalRequirement,
    /// The level claimed.
    pub claimed: SecurityLevel,
    /// The highest level at which every row is met by tests alone.
    pub demonstrated: SecurityLevel,
    /// The same with the reviews that are on record.
    pub reviewed: SecurityLevel,
    /// The rows that are not met, reviews included, up to the claim or to the level above the demonstrated one, whichever is higher.
    pub gaps: Vec<Gap>,
}

/// A row that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
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
    /// Whether the claim asks for it; if not, it only keeps the FR from its next level.
    pub claimed: bool,
}

/// How many there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([usize; 6]);

impl Counts {
    /// How many have this verdict.
    pub fn of(&self, verdict: Verdict) -> usize {
        self.0[verdict.place()]
    }

    /// How many there are in all.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// In words, the worst first: `1 FAIL, 4 PASS`; empty where there are none.
    pub fn words(&self) -> String {
        let some = Verdict::WORST_FIRST
            .into_iter()
            .filter(|verdict| self.of(*verdict) > 0);
        let words: Vec<String> = some
            .map(|verdict| format!("{} {verdict}", self.of(verdict)))
            .collect();
        words.join(", ")
    }

    /// How many are met: PASS or NOT APPLICABLE.
    pub fn met(&self) -> usize {
        self.of(Verdict::Pass) + self.of(Verdict::NotApplicable)
    }
}

impl FromIterator<Verdict> for Counts {
    fn from_iter<I: IntoIterator<Item = Verdict>>(verdicts: I) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            counts.0[verdict.place()] += 1;
        }
        counts
    }
}

impl Assessment {
    /// Whether any trial came to a verdict about the device: a bench that fails later takes none of them back.
    pub fn has_judged(&self) -> bool {
        let counts = &self.trial_counts;
        [Verdict::Pass, Verdict::Fail, Verdict::NotApplicable]
            .iter()
            .any(|verdict| counts.of(*verdict) > 0)
    }

    /// What one requirement came to; none if the selection lacks it.
    pub fn get(&self, id: RequirementId) -> Option<&RequirementResult> {
        self.requirements.iter().find(|result| result.id == id)
    }

    /// Whether any trial was run to a verdict on the device.
    pub fn has_run(&self) -> bool {
        self.trial_counts.total() > self.trial_counts.of(Verdict::NotEvaluated)
    }

    /// Whether every row that the claim asks for is met, and the plan was run to its end.
    pub fn is_demonstrated(&self) -> bool {
        !self.interrupted
            && self.bench_fault.is_none()
            && self.has_run()
            && self.counts.met() == self.counts.total()
    }
}

/// Assesses a record.
pub fn assess(record: &Record) -> Assessment {
    let claimed = record.claimed();
    let evidence = evidence(record);
    let requirements: Vec<_> = record
        .selection
        .iter()
        .map(|row| {
            assess_row(
                row,
                &claimed,
                record,
                evidence.get(&row.id).map_or(&[][..], Vec::as_slice),
            )
        })
        .collect();
    let mut demonstrated = SlVector::default();
    let mut reviewed = SlVector::default();
    let mut frs = Vec::with_capacity(FoundationalRequirement::ALL.len());
    for fr in FoundationalRequirement::ALL {
        let rows = || requirements.iter().filter(|row| row.id.fr() == Some(fr));
        demonstrated[fr] = level_of(rows().map(|row| (row.level, row.verdict.is_met())));
        reviewed[fr] = level_of(rows().map(|row| (row.level, row.reviewed.is_met())));
        let horizon = claimed[fr].get().max(reviewed[fr].get() + 1);
        frs.push(FrResult {
            fr,
            claimed: claimed[fr],
            demonstrated: demonstrated[fr],
            reviewed: reviewed[fr],
            gaps: rows()
                .filter(|row| !row.reviewed.is_met() && row.level.get() <= horizon)
                .map(Gap::of)
                .collect(),
        });
    }
    let common = requirements
        .iter()
        .filter(|row| row.id.fr().is_none() && !row.reviewed.is_met())
        .map(Gap::of)
        .collect();
    Assessment {
        claimed,
        demonstrated,
        reviewed,
        frs,
        common,
        counts: requirements
            .iter()
            .filter(|row| row.claimed)
            .map(|row| row.reviewed)
            .collect(),
        trial_counts: record.trials.iter().map(|trial| trial.verdict).collect(),
        interrupted: record.interrupted,
        bench_fault: record.bench_fault(),
        requirements,
    }
}

/// The exit code of a campaign: 130 if it was interrupted; 6 if the bench failed its self-test; 1 with a FAIL; 3 with an INCONCLUSIVE and no FAIL; 4 if
/// nothing was run; 5 if rows that are NOT EVALUATED or under REVIEW keep the claim open, unless `allow_review`; 0 if
/// the claim is demonstrated. Only rows that the claim asks for count.
pub fn exit_status(assessment: &Assessment, interrupted: bool, allow_review: bool) -> u8 {
    let counts = &assessment.counts;
    if interrupted || assessment.interrupted {
        130
    } else if assessment.bench_fault.is_some() {
        6
    } else if counts.of(Verdict::Fail) > 0 {
        1
    } else if counts.of(Verdict::Inconclusive) > 0 {
        3
    } else if !assessment.has_run() {
        4
    } else if counts.met() < counts.total() && !allow_review {
        5
    } else {
        0
    }
}

/// What speaks for or against one row.
enum Evidence<'a> {
    /// A trial that was run.
    Trial {
        id: &'a str,
        verdict: Verdict,
        reason: &'a str,
    },
    /// A trial that was planned and not run.
    NotRun { id: &'a str },
}

fn evidence(record: &Record) -> HashMap<RequirementId, Vec<Evidence<'_>>> {
    let mut evidence: HashMap<RequirementId, Vec<Evidence<'_>>> = HashMap::new();
    for trial in &record.trials {
        for id in &trial.requirements {
            evidence.entry(*id).or_default().push(Evidence::Trial {
                id: &trial.id,
                verdict: trial.verdict,
                reason: &trial.reason,
            });
        }
    }
    for planned in record.not_run() {
        for id in &planned.requirements {
            evidence
                .entry(*id)
                .or_default()
                .push(Evidence::NotRun { id: &planned.id });
        }
    }
    evidence
}

fn assess_row(
    row: &SelectionRecord,
    claimed: &SlVector,
    record: &Record,
    evidence: &[Evidence<'_>],
) -> RequirementResult {
    let level = record::level(row.level);
    let asked = row
        .id
        .fr()
        .map_or_else(|| claimed.highest(), |fr| claimed[fr]);
    // An exclusion is a gap that can be seen: no trial fills it.
    let excluded = row.excluded.as_ref().map(|why| {
        let why = format!("excluded by the profile: {why}");
        (None, (Verdict::NotEvaluated, why))
    });
    let found = evidence.iter().map(|one| match one {
        Evidence::Trial {
            id,
            verdict,
            reason,
        } => (Some(*id), (*verdict, (*reason).to_owned())),
        Evidence::NotRun { id } => {
            let why = format!("the trial {id} was planned and not run");
            (None, (Verdict::NotEvaluated, why))
        }
    });
    let found: Vec<_> = excluded.into_iter().chain(found).collect();
    let nothing = if level <= asked {
        "no case covers it yet"
    } else {
        "not asked for by the claim"
    };
    let worst = |found: Vec<(Verdict, String)>| {
        // The first of the worst: `min_by_key` keeps the first of equals.
        found
            .into_iter()
            .min_by_key(|(verdict, _)| verdict.place())
            .unwrap_or_else(|| (Verdict::NotEvaluated, nothing.to_owned()))
    };
    let (verdict, _) = worst(found.iter().map(|(_, one)| one.clone()).collect());
    // What a person found stands where a person was asked for, and nowhere else.
    let person = evidence.iter().filter_map(|one| match one {
        Evidence::Trial { id, verdict, .. } if *verdict == Verdict::Review => {
            let found = record.attested(row.id, id)?;
            Some((*id, (found.outcome, escape(&found.words()))))
        }
        _ => None,
    });
    let person: HashMap<&str, _> = person.collect();
    let (reviewed, reason) = worst(
        found
            .into_iter()
            .map(|(trial, one)| match trial.and_then(|id| person.get(id)) {
                Some(seen) => seen.clone(),
                None => one,
            })
            .collect(),
    );
    RequirementResult {
        id: row.id,
        title: row.title.clone(),
        level,
        claimed: level <= asked,
        verdict,
        reviewed,
        reason,
        trials: evidence
            .iter()
            .filter_map(|one| match one {
                Evidence::Trial { id, .. } => Some((*id).to_owned()),
                Evidence::NotRun { .. } => None,
            })
            .collect(),
    }
}

/// The highest level at which every row is met. A group without rows demonstrates nothing.
pub(crate) fn level_of(rows: impl Iterator<Item = (SecurityLevel, bool)>) -> SecurityLevel {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return SecurityLevel::NONE;
    }
    let lowest_open = rows
        .filter(|(_, is_met)| !is_met)
        .map(|(level, _)| level.get())
        .min();
    match lowest_open {
        Some(level) => record::level(level.saturating_sub(1)),
        None => SecurityLevel::CLAIMABLE[3],
    }
}

impl Gap {
    fn of(row: &RequirementResult) -> Self {
        Self {
            id: row.id,
            title: row.title.clone(),
            level: row.level,
            verdict: row.reviewed,
            reason: row.reason.clone(),
            claimed: row.claimed,
        }
    }
}

#[cfg(test)]
mod tests;
