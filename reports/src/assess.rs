//! From verdicts of trials to verdicts of requirements, and from those to the SL-C that a campaign demonstrates.
//!
//! Pure: no file, no clock, no device.

use std::collections::HashMap;

use slcert_profiles::{FoundationalRequirement, RequirementId, SecurityLevel, SlVector};

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
    /// The SL-C demonstrated by tests and by reviews. No review can be on record yet: rows under REVIEW are open.
    pub reviewed: SlVector,
    /// One entry a foundational requirement, in the standard's order.
    pub frs: Vec<FrResult>,
    /// The common constraints (CCSC) that are open: they belong to no FR and have no part in the vectors.
    pub common: Vec<Gap>,
    /// The verdicts of the rows that the claim asks for.
    pub counts: Counts,
    /// The verdicts of the trials.
    pub trial_counts: Counts,
    /// Whether the campaign ended before its plan did.
    pub interrupted: bool,
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
    /// The highest level at which every row is met.
    pub demonstrated: SecurityLevel,
    /// The rows that are not met, up to the claim or to the level above the demonstrated one, whichever is higher.
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
    /// What one requirement came to; none if the selection lacks it.
    pub fn get(&self, id: RequirementId) -> Option<&RequirementResult> {
        self.requirements.iter().find(|result| result.id == id)
    }

    /// Whether every row that the claim asks for is met, and the plan was run to its end.
    pub fn is_demonstrated(&self) -> bool {
        !self.interrupted && self.counts.met() == self.counts.total()
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
                evidence.get(&row.id).map_or(&[][..], Vec::as_slice),
            )
        })
        .collect();
    let mut demonstrated = SlVector::default();
    let mut frs = Vec::with_capacity(FoundationalRequirement::ALL.len());
    for fr in FoundationalRequirement::ALL {
        let rows = || requirements.iter().filter(|row| row.id.fr() == Some(fr));
        demonstrated[fr] = demonstrated_level(rows());
        let horizon = claimed[fr].get().max(demonstrated[fr].get() + 1);
        frs.push(FrResult {
            fr,
            claimed: claimed[fr],
            demonstrated: demonstrated[fr],
            gaps: rows()
                .filter(|row| !row.verdict.is_met() && row.level.get() <= horizon)
                .map(Gap::of)
                .collect(),
        });
    }
    let common = requirements
        .iter()
        .filter(|row| row.id.fr().is_none() && !row.verdict.is_met())
        .map(Gap::of)
        .collect();
    Assessment {
        claimed,
        demonstrated,
        reviewed: demonstrated,
        frs,
        common,
        counts: requirements
            .iter()
            .filter(|row| row.claimed)
            .map(|row| row.verdict)
            .collect(),
        trial_counts: record.trials.iter().map(|trial| trial.verdict).collect(),
        interrupted: record.interrupted,
        requirements,
    }
}

/// The exit code of a campaign: 130 if it was interrupted; 1 with a FAIL; 3 with an INCONCLUSIVE and no FAIL; 4 if
/// nothing was run; 5 if rows that are NOT EVALUATED or under REVIEW keep the claim open, unless `allow_review`; 0 if
/// the claim is demonstrated. Only rows that the claim asks for count.
pub fn exit_status(assessment: &Assessment, interrupted: bool, allow_review: bool) -> u8 {
    let counts = &assessment.counts;
    if interrupted || assessment.interrupted {
        130
    } else if counts.of(Verdict::Fail) > 0 {
        1
    } else if counts.of(Verdict::Inconclusive) > 0 {
        3
    } else if assessment.trial_counts.total() == assessment.trial_counts.of(Verdict::NotEvaluated) {
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
    evidence: &[Evidence<'_>],
) -> RequirementResult {
    let level = record::level(row.level);
    let asked = row
        .id
        .fr()
        .map_or_else(|| claimed.highest(), |fr| claimed[fr]);
    // An exclusion is a gap that can be seen: no trial fills it.
    let excluded = row.excluded.as_ref().map(|why| {
        (
            Verdict::NotEvaluated,
            format!("excluded by the profile: {why}"),
        )
    });
    let found = evidence.iter().map(|one| match one {
        Evidence::Trial {
            verdict, reason, ..
        } => (*verdict, (*reason).to_owned()),
        Evidence::NotRun { id } => (
            Verdict::NotEvaluated,
            format!("the trial {id} was planned and not run"),
        ),
    });
    // The first of the worst: `min_by_key` keeps the first of equals.
    let (verdict, reason) = excluded
        .into_iter()
        .chain(found)
        .min_by_key(|(verdict, _)| verdict.place())
        .unwrap_or_else(|| (Verdict::NotEvaluated, "no case covers it yet".to_owned()));
    RequirementResult {
        id: row.id,
        title: row.title.clone(),
        level,
        claimed: level <= asked,
        verdict,
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
fn demonstrated_level<'a>(rows: impl Iterator<Item = &'a RequirementResult>) -> SecurityLevel {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return SecurityLevel::NONE;
    }
    let lowest_open = rows
        .filter(|row| !row.verdict.is_met())
        .map(|row| row.level.get())
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
            verdict: row.verdict,
            reason: row.reason.clone(),
            claimed: row.claimed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{bare, id, record, trial};
    use crate::record::PlannedRecord;

    const IAC: FoundationalRequirement = FoundationalRequirement::Iac;
    const RDF: FoundationalRequirement = FoundationalRequirement::Rdf;

    /// A record in which every row up to a level passed, one trial each.
    fn passed(claim: [u8; 7], level: u8) -> Record {
        let mut record = bare(claim);
        let rows = record.selection.iter().filter(|row| row.level <= level);
        record.trials = rows
            .map(|row| trial(&row.id.to_string(), "all", None, Verdict::Pass, "held"))
            .collect();
        record
    }

    fn set(record: &mut Record, requirement: &str, verdict: Verdict) {
        let trial = record
            .trials
            .iter_mut()
            .find(|trial| trial.requirements[0] == id(requirement));
        trial.unwrap().verdict = verdict;
    }

    #[test]
    fn a_requirement_has_the_worst_verdict_of_its_trials_and_its_reason() {
        let assessment = assess(&record());
        let result = assessment.get(id("CR 1.11")).unwrap();
        assert_eq!(result.verdict, Verdict::Fail);
        assert_eq!(result.reason, "7 attempts were taken, 5 are stated");
        assert_eq!(
            result.trials,
            ["CR-1.11/lockout@console", "CR-1.11/lockout@plc"]
        );
    }

    #[test]
    fn a_row_without_trials_is_not_evaluated() {
        let assessment = assess(&record());
        let result = assessment.get(id("CR 1.4")).unwrap();
        assert_eq!(
            (result.verdict, result.reason.as_str()),
            (Verdict::NotEvaluated, "no case covers it yet")
        );
    }

    #[test]
    fn an_excluded_row_is_a_gap_even_if_its_trial_passed() {
        let mut record = passed([1; 7], 4);
        record
            .trials
            .retain(|trial| trial.requirements[0] != id("CR 1.12"));
        for gap in ["CR 2.2", "CR 1.12"] {
            let row = record
                .selection
                .iter_mut()
                .find(|row| row.id == id(gap))
                .unwrap();
            row.excluded = Some("no radio".to_owned());
        }
        let assessment = assess(&record);
        for gap in ["CR 2.2", "CR 1.12"] {
            let result = assessment.get(id(gap)).unwrap();
            assert_eq!(result.verdict, Verdict::NotEvaluated);
            assert_eq!(result.reason, "excluded by the profile: no radio");
        }
        assert_eq!(assessment.demonstrated.to_string(), "{0 0 4 4 4 4 4}");
        assert_eq!(exit_status(&assessment, false, false), 5);
    }

    #[test]
    fn an_excluded_row_whose_trial_failed_is_a_fail() {
        let mut record = passed([1; 7], 4);
        set(&mut record, "CR 2.2", Verdict::Fail);
        record
            .selection
            .iter_mut()
            .find(|row| row.id == id("CR 2.2"))
            .unwrap()
            .excluded = Some("no radio".to_owned());
        assert_eq!(exit_status(&assess(&record), false, true), 1);
    }

    #[test]
    fn the_level_demonstrated_is_the_one_below_the_lowest_open_row() {
        for level in 0..=4 {
            let record = passed([2; 7], level);
            let assessment = assess(&record);
            for fr in FoundationalRequirement::ALL {
                let higher = record
                    .selection
                    .iter()
                    .filter(|row| row.id.fr() == Some(fr) && row.level > level);
                let expected = higher.map(|row| row.level - 1).min().unwrap_or(4);
                assert_eq!(
                    assessment.demonstrated[fr].get(),
                    expected,
                    "{fr} with rows up to SL {level}"
                );
            }
        }
        let mut record = passed([4; 7], 4);
        assert_eq!(assess(&record).demonstrated.to_string(), "{4 4 4 4 4 4 4}");
        set(&mut record, "CR 1.1 RE(2)", Verdict::Review);
        assert_eq!(assess(&record).demonstrated.to_string(), "{2 4 4 4 4 4 4}");
        set(&mut record, "CR 1.1", Verdict::NotApplicable);
        assert_eq!(assess(&record).demonstrated.to_string(), "{2 4 4 4 4 4 4}");
    }

    #[test]
    fn an_empty_selection_demonstrates_nothing() {
        let mut record = record();
        record.selection.clear();
        assert_eq!(assess(&record).demonstrated, SlVector::default());
    }

    #[test]
    fn gaps_reach_to_the_claim_and_to_the_next_level() {
        let mut record = passed([1, 4, 1, 1, 1, 1, 1], 1);
        set(&mut record, "CR 5.1", Verdict::Fail);
        let assessment = assess(&record);
        // FR 1 has shown its claim: what is left is the way to SL 2.
        let iac = &assessment.frs[IAC as usize];
        assert_eq!(iac.demonstrated.get(), 1);
        assert!(!iac.gaps.is_empty());
        assert!(
            iac.gaps
                .iter()
                .all(|gap| gap.level.get() == 2 && !gap.claimed)
        );
        // FR 2 claims 4: every open row up to it is a gap of the claim.
        let uc = &assessment.frs[FoundationalRequirement::Uc as usize];
        assert!(
            uc.gaps.iter().all(|gap| gap.claimed) && uc.gaps.iter().any(|gap| gap.level.get() == 4)
        );
        let rdf = &assessment.frs[RDF as usize];
        assert_eq!(rdf.demonstrated.get(), 0);
        assert_eq!(
            (rdf.gaps[0].id, rdf.gaps[0].verdict),
            (id("CR 5.1"), Verdict::Fail)
        );
    }

    #[test]
    fn the_common_constraints_are_listed_apart() {
        let mut record = passed([1, 1, 1, 1, 1, 1, 1], 4);
        set(&mut record, "CCSC 2", Verdict::Review);
        let assessment = assess(&record);
        assert_eq!(assessment.common.len(), 1);
        assert_eq!(assessment.common[0].id, id("CCSC 2"));
        assert_eq!(assessment.demonstrated.to_string(), "{4 4 4 4 4 4 4}");
        assert_eq!(exit_status(&assessment, false, false), 5);
    }

    #[test]
    fn a_planned_trial_that_was_not_run_keeps_its_requirements_open() {
        let mut record = passed([1; 7], 4);
        record.planned.push(PlannedRecord {
            id: "CR-2.1/other@mqtt".to_owned(),
            title: "other".to_owned(),
            requirements: vec![id("CR 2.1")],
            interface: Some("mqtt".to_owned()),
        });
        let assessment = assess(&record);
        let result = assessment.get(id("CR 2.1")).unwrap();
        assert_eq!(result.verdict, Verdict::NotEvaluated);
        assert_eq!(
            result.reason,
            "the trial CR-2.1/other@mqtt was planned and not run"
        );
        assert_eq!(exit_status(&assessment, false, false), 5);
    }

    #[test]
    fn the_exit_code_follows_the_rows_of_the_claim() {
        let held = passed([1; 7], 4);
        let with = |requirement: &str, verdict| {
            let mut record = held.clone();
            set(&mut record, requirement, verdict);
            assess(&record)
        };
        let fine = assess(&held);
        assert_eq!(exit_status(&fine, false, false), 0);
        assert!(fine.is_demonstrated());
        assert_eq!(exit_status(&fine, true, false), 130);
        assert_eq!(exit_status(&with("CR 1.1", Verdict::Fail), false, true), 1);
        assert_eq!(
            exit_status(&with("CR 1.1", Verdict::Fail), true, false),
            130
        );
        assert_eq!(
            exit_status(&with("CR 1.1", Verdict::Inconclusive), false, true),
            3
        );
        assert_eq!(
            exit_status(&with("CR 1.1", Verdict::Review), false, false),
            5
        );
        assert_eq!(
            exit_status(&with("CR 1.1", Verdict::Review), false, true),
            0
        );
        assert!(!with("CR 1.1", Verdict::Review).is_demonstrated());
        assert_eq!(
            exit_status(&with("CR 1.1", Verdict::NotApplicable), false, false),
            0
        );
        // SL 2 is not claimed.
        assert_eq!(
            exit_status(&with("CR 1.1 RE(1)", Verdict::Fail), false, false),
            0
        );
        assert_eq!(exit_status(&with("CCSC 1", Verdict::Fail), false, false), 1);

        let both = {
            let mut record = held.clone();
            set(&mut record, "CR 1.1", Verdict::Inconclusive);
            set(&mut record, "CR 1.3", Verdict::Fail);
            assess(&record)
        };
        assert_eq!(exit_status(&both, false, false), 1);
        assert_eq!(exit_status(&assess(&bare([1; 7])), false, true), 4);
    }

    #[test]
    fn every_row_of_the_claim_is_counted_once() {
        let record = record();
        let assessment = assess(&record);
        let claimed = assessment
            .requirements
            .iter()
            .filter(|row| row.claimed)
            .count();
        assert_eq!(assessment.counts.total(), claimed);
        assert_eq!(assessment.trial_counts.total(), record.trials.len());
        assert_eq!(assessment.trial_counts.of(Verdict::Pass), 4);
    }
}
