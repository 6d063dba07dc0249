//! Nothing that got worse is left out, and nothing is called fixed that is only not known any more.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::example::{INJECTION, bare, id, record, trial};
use crate::record::{AttestationRecord, Found};

/// The comparison of one trial with two verdicts; none where it was not run.
fn one(old: Option<Verdict>, new: Option<Verdict>) -> Comparison {
    let with = |verdict: Option<Verdict>| {
        let mut record = bare([1; 7]);
        let trial = verdict.map(|verdict| trial("CR 1.11", "lockout", None, verdict, "because"));
        record.trials.extend(trial);
        record
    };
    compare(&with(old), &with(new))
}

#[test]
fn each_change_is_of_its_kind_and_has_its_exit_code() {
    use Kind::*;
    use Verdict::*;
    let rows = [
        (Some(Pass), Some(Pass), None, 0),
        (Some(Pass), Some(Fail), Some(NewlyFailing), 1),
        (None, Some(Fail), Some(NewlyFailing), 1),
        (Some(Inconclusive), Some(Fail), Some(NewlyFailing), 1),
        (Some(Fail), Some(Fail), Some(StillFailing), 0),
        (Some(Fail), Some(Pass), Some(Fixed), 0),
        (Some(Fail), Some(NotApplicable), Some(Fixed), 0),
        (Some(Fail), Some(Inconclusive), Some(LostCoverage), 3),
        (Some(Fail), None, Some(LostCoverage), 4),
        (Some(Pass), Some(Review), Some(LostCoverage), 5),
        (Some(Pass), Some(NotEvaluated), Some(LostCoverage), 4),
        (Some(NotApplicable), None, Some(LostCoverage), 4),
        (None, None, None, 4),
        (None, Some(Pass), Some(NewCoverage), 0),
        (Some(Review), Some(Pass), Some(NewCoverage), 0),
        (Some(Pass), Some(NotApplicable), Some(Changed), 0),
        (Some(Review), Some(NotEvaluated), Some(Changed), 4),
    ];
    for (old, new, kind, code) in rows {
        let comparison = one(old, new);
        assert_eq!(
            comparison.trials.first().map(|one| one.kind),
            kind,
            "{old:?} to {new:?}"
        );
        assert_eq!(comparison.exit_status(), code, "{old:?} to {new:?}");
        let row = comparison
            .requirements
            .iter()
            .any(|row| row.id.to_string() == "CR 1.11");
        let verdict = |one: Option<Verdict>| one.unwrap_or(NotEvaluated);
        assert_eq!(row, verdict(old) != verdict(new), "{old:?} to {new:?}");
    }
}

#[test]
fn what_is_not_run_any_more_is_lost() {
    let mut new = record();
    new.trials.remove(0);
    let comparison = compare(&record(), &new);
    assert_eq!(
        (
            comparison.count(Kind::LostCoverage),
            comparison.exit_status()
        ),
        (1, 5)
    );
}

#[test]
fn a_row_gets_worse_without_any_trial() {
    let mut old = record();
    old.attestations = vec![AttestationRecord {
        requirement: id("CR 4.3"),
        found: Found::Document,
        outcome: Verdict::Pass,
        files: Vec::new(),
        reviewer: "A. Tester".to_owned(),
        date: "2026-01-02".to_owned(),
        remark: None,
    }];
    let comparison = compare(&old, &record());
    assert_eq!((comparison.same, comparison.exit_status()), (8, 5));
    assert_eq!(compare(&record(), &old).exit_status(), 0);
    let mut failed = old.clone();
    failed.attestations[0].outcome = Verdict::Fail;
    assert_eq!(compare(&old, &failed).exit_status(), 1);
}

#[test]
fn another_method_is_told_of_though_the_verdict_is_the_same() {
    let old = record();
    let mut new = record();
    new.trials[1].criterion = "It holds most of the time.".to_owned();
    new.trials[5].checks.clear();
    // What was seen may differ.
    new.trials[7].checks[0].observed = "refused within 2 ms".to_owned();
    let comparison = compare(&old, &new);
    let changed: Vec<_> = comparison
        .of(Kind::Changed)
        .map(|one| (one.id.as_str(), one.why.as_str()))
        .collect();
    assert_eq!(
        changed,
        [
            ("CR-1.11/lockout@plc", "another criterion"),
            ("CR-4.1/wire@plc", "0 checks, was 1")
        ]
    );
}

/// A patch that mends one thing and breaks another.
fn patched() -> Comparison {
    let old = record();
    let mut new = record();
    new.campaign = "2026-02-01T080000Z-gw1".to_owned();
    new.dut.firmware = "4.2.2".to_owned();
    new.trials[0].verdict = Verdict::Pass;
    new.trials[0].reason = "locked after 5 attempts".to_owned();
    new.trials[5].verdict = Verdict::Fail;
    new.trials[5].reason = "the password of `otto` was on the wire".to_owned();
    new.trials[7].verdict = Verdict::Inconclusive;
    new.trials[7].reason = "the console went silent".to_owned();
    compare(&old, &new)
}

#[test]
fn the_text_reads_as_it_should() {
    insta::assert_snapshot!(text(&patched(), 100));
}

#[test]
fn the_json_reads_as_it_should() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&patched()).unwrap());
}

#[test]
fn what_a_device_says_is_text_in_every_form() {
    let old = record();
    let mut new = record();
    new.dut.firmware = INJECTION.to_owned();
    for trial in &mut new.trials {
        trial.verdict = Verdict::Fail;
        trial.reason = format!("<script>alert(1)</script>{INJECTION}");
    }
    let comparison = compare(&old, &new);
    let page = page(&comparison).unwrap();
    assert!(
        !page.contains("<script>") && page.contains("&#60;script&#62;"),
        "{page}"
    );
    for form in [
        page,
        text(&comparison, 100),
        serde_json::to_string(&comparison).unwrap(),
    ] {
        assert!(
            !form.contains(['\0', '\x1b', '\u{202e}', '\u{9b}']),
            "{form}"
        );
    }
}
