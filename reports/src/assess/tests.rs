use super::*;
use crate::example::{bare, id, record, trial};
use crate::record::AttestationRecord;
use crate::record::{FileRecord, Found, PlannedRecord};

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

fn reviewed(requirement: &str, outcome: Verdict) -> AttestationRecord {
    AttestationRecord {
        requirement: id(requirement),
        found: Found::Document,
        outcome,
        files: vec![FileRecord {
            path: "certificate.pdf".to_owned(),
            sha256: "00".repeat(32),
        }],
        reviewer: "A. Reviewer".to_owned(),
        date: "2026-11-20".to_owned(),
        remark: None,
    }
}

#[test]
fn a_review_closes_its_row_and_stays_apart_from_what_tests_show() {
    let mut record = passed([1; 7], 1);
    set(&mut record, "CR 5.1", Verdict::Review);
    record.attestations.push(reviewed("CR 5.1", Verdict::Pass));
    let assessment = assess(&record);
    let row = assessment.get(id("CR 5.1")).unwrap();
    assert_eq!(
        (row.verdict, row.reviewed),
        (Verdict::Review, Verdict::Pass)
    );
    assert!(row.reason.contains("reviewed: PASS by A. Reviewer"));
    assert_eq!(assessment.demonstrated[RDF].get(), 0);
    assert!(assessment.reviewed[RDF].get() > 0);
    assert!(assessment.is_demonstrated());
    assert_eq!(exit_status(&assessment, false, false), 0);
}

#[test]
fn a_review_that_failed_is_a_fail() {
    let mut record = passed([1; 7], 1);
    set(&mut record, "CR 5.1", Verdict::Review);
    record.attestations.push(reviewed("CR 5.1", Verdict::Fail));
    let assessment = assess(&record);
    assert_eq!(exit_status(&assessment, false, true), 1);
    let junit = crate::junit(&record, &assessment).unwrap();
    assert!(junit.contains("reviewed: FAIL by A. Reviewer"), "{junit}");
}

#[test]
fn no_review_makes_good_what_a_test_found() {
    for verdict in [Verdict::Fail, Verdict::NotEvaluated, Verdict::Inconclusive] {
        let mut record = passed([1; 7], 1);
        set(&mut record, "CR 5.1", verdict);
        record.attestations.push(reviewed("CR 5.1", Verdict::Pass));
        let assessment = assess(&record);
        let row = assessment.get(id("CR 5.1")).unwrap();
        assert_eq!(row.reviewed, verdict);
    }
}

#[test]
fn an_inspection_answers_for_its_own_trial_only() {
    let mut record = passed([1; 7], 1);
    set(&mut record, "CR 5.1", Verdict::Review);
    let mut seen = reviewed("CR 5.1", Verdict::Pass);
    let of = |trial: &str| Found::Inspection {
        trial: trial.to_owned(),
    };
    seen.found = of("CR-5.1/another");
    record.attestations.push(seen.clone());
    let row = |record: &Record| assess(record).get(id("CR 5.1")).unwrap().clone();
    assert_eq!(row(&record).reviewed, Verdict::Review);
    let trial = row(&record).trials[0].clone();
    seen.found = of(&trial);
    record.attestations.push(seen.clone());
    assert_eq!(row(&record).verdict, Verdict::Review);
    assert_eq!(row(&record).reviewed, Verdict::Pass);
    assert!(row(&record).reason.contains("seen by A. Reviewer"));
    // The worse of two answers counts, in whatever order they came.
    seen.outcome = Verdict::Fail;
    record.attestations.push(seen);
    assert_eq!(row(&record).reviewed, Verdict::Fail);
}

#[test]
fn a_failed_inspection_is_a_fail_beside_a_trial_that_found_nothing() {
    let mut record = passed([1; 7], 1);
    set(&mut record, "CR 5.1", Verdict::Review);
    let other = trial("CR 5.1", "other", None, Verdict::Inconclusive, "no line");
    record.trials.push(other);
    record.attestations.push(reviewed("CR 5.1", Verdict::Fail));
    let assessment = assess(&record);
    let row = assessment.get(id("CR 5.1")).unwrap();
    assert_eq!(
        (row.verdict, row.reviewed),
        (Verdict::Inconclusive, Verdict::Fail)
    );
}
