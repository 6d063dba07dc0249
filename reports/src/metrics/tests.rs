//! The figures count what the record says, and nothing that it does not say.

use super::*;
use crate::assess::assess;
use crate::example::{bare, file, id, record, trial};
use crate::record::{AttestationRecord, Found};
use crate::timeline::{FunctionRecord, Series, TimelineRecord};

fn of(record: &Record) -> Metrics {
    metrics(record, &assess(record))
}

/// A record with a PASS for each row up to a level.
fn met(level: u8) -> Record {
    let mut record = bare([level; 7]);
    let rows = record.selection.iter().filter(|row| row.level <= level);
    let rows: Vec<String> = rows.map(|row| row.id.to_string()).collect();
    for row in rows {
        let trial = trial(&row, "case", None, Verdict::Pass, "held");
        record.trials.push(trial);
    }
    record
}

#[test]
fn a_campaign_that_ran_nothing_has_no_good_figures() {
    let metrics = of(&bare([2; 7]));
    let whole = &metrics.whole;
    assert_eq!(whole.coverage.percent(), Some(0));
    for share in [whole.automation, whole.decisiveness, whole.evidence] {
        assert_eq!(share.percent(), None);
        assert_eq!(share.to_string(), "nothing to count");
    }
    assert_eq!(whole.rows.not_evaluated, whole.rows.total);
    assert!(!metrics.is_demonstrated);
}

#[test]
fn what_is_not_decided_is_not_evaluated() {
    let metrics = of(&record());
    let iac = &metrics.groups[0];
    assert_eq!(iac.name, "FR 1 IAC");
    let rows = iac.figures.rows;
    // CR 1.11 FAILs; CR 1.3 is INCONCLUSIVE, CR 1.5 NOT EVALUATED, and the rest has no trial.
    assert_eq!((rows.assessed, rows.not_applicable), (1, 0));
    assert_eq!(rows.not_evaluated, rows.total - 1);
    assert_eq!(iac.figures.decisiveness, Share { part: 3, whole: 4 });
    let sum = |of: &dyn Fn(&Figures) -> usize| {
        metrics
            .groups
            .iter()
            .map(|one| of(&one.figures))
            .sum::<usize>()
    };
    assert_eq!(sum(&|one| one.rows.total), metrics.whole.rows.total);
    assert_eq!(sum(&|one| one.evidence.whole), metrics.whole.evidence.whole);
}

#[test]
fn a_verdict_without_a_hashed_file_has_no_evidence() {
    let mut record = met(1);
    let whole = of(&record).whole.evidence;
    assert_eq!(whole.percent(), Some(100));
    record.trials[0].evidence.clear();
    record.trials[1].evidence[0].sha256 = "not known".to_owned();
    record.trials[2].evidence = vec![file("../elsewhere")];
    let evidence = of(&record).whole.evidence;
    assert_eq!(evidence.part, whole.part - 3);
}

#[test]
fn what_a_person_found_is_decided_and_not_by_tests() {
    let mut record = met(1);
    let last = record.trials.last_mut().unwrap();
    last.verdict = Verdict::Review;
    let (requirement, trial) = (last.requirements[0], last.id.clone());
    let before = of(&record).whole;
    record.attestations.push(AttestationRecord {
        requirement,
        found: Found::Inspection { trial },
        outcome: Verdict::Pass,
        files: Vec::new(),
        reviewer: "A. Tester".to_owned(),
        date: "2026-01-02".to_owned(),
        remark: None,
    });
    let after = of(&record).whole;
    assert_eq!(after.coverage.percent(), Some(100));
    assert_eq!(after.coverage.part, before.coverage.part + 1);
    assert_eq!(after.automation.part + 1, after.automation.whole);
    // Nothing shows what the person saw.
    assert_eq!(after.evidence.part + 1, after.evidence.whole);
}

#[test]
fn the_way_to_a_level_names_each_open_row_once_and_first_what_wins_the_most() {
    let mut record = met(2);
    let one = record
        .trials
        .iter_mut()
        .find(|trial| trial.requirements[0] == id("CR 5.1"));
    one.unwrap().verdict = Verdict::Fail;
    let metrics = of(&record);
    let first = &metrics.steps[0];
    // FR 5 of an embedded device has one row, and no level asks for more.
    assert_eq!(first.to.get(), 1);
    assert_eq!(first.rows.len(), 1);
    let row = &first.rows[0];
    assert_eq!(
        (row.row.id, row.with, row.lifts_to.get()),
        (id("CR 5.1"), 0, 4)
    );
    assert_eq!(row.wins(), "RDF to 4");
    assert_eq!(first.reaches.to_string(), "{2 2 2 2 4 2 2}");
    let third = &metrics.steps[1];
    assert_eq!(third.to.get(), 3);
    // Alone in its FR, and met it wins two levels.
    assert_eq!(third.rows[0].row.id, id("CR 6.1 RE(1)"));
    assert_eq!(third.rows[0].wins(), "TRE to 4");
    let mut seen: Vec<_> = metrics
        .steps
        .iter()
        .flat_map(|step| &step.rows)
        .map(|one| one.row.id)
        .collect();
    let count = seen.len();
    seen.sort();
    seen.dedup();
    let open = assess(&record)
        .requirements
        .iter()
        .filter(|row| !row.reviewed.is_met() && row.id.fr().is_some())
        .count();
    assert_eq!((seen.len(), count), (open, open));
    assert_eq!(
        metrics.steps.last().unwrap().reaches.to_string(),
        "{4 4 4 4 4 4 4}"
    );
    assert!(of(&met(4)).steps.is_empty());
}

#[test]
fn a_zone_is_reached_or_names_what_is_short() {
    let mut record = met(2);
    record.wanted.zone = Some("SL-T(cell 4) = {2 2 2 2 4 2 0}".parse().unwrap());
    let zone = of(&record).zone.unwrap();
    assert!(zone.is_met && zone.name.as_deref() == Some("cell 4"));
    record.wanted.zone = Some("{3 2 2 2 3 3 0}".parse().unwrap());
    let zone = of(&record).zone.unwrap();
    let short: Vec<_> = zone.frs.iter().filter(|one| one.shortfall > 0).collect();
    let short: Vec<_> = short
        .iter()
        .map(|one| (one.fr, one.shortfall, one.rows.len()))
        .collect();
    assert_eq!(short, [("IAC", 1, 6), ("TRE", 1, 1)]);
    // What was planned and not run reaches nothing.
    let nothing = Record {
        trials: Vec::new(),
        ..record
    };
    let zone = of(&nothing).zone.unwrap();
    let shortfalls: Vec<u8> = zone.frs.iter().map(|one| one.shortfall).collect();
    assert_eq!(shortfalls, [3, 2, 2, 2, 3, 3, 0]);
    assert!(!zone.is_met);
}

/// A timeline of one function, by its longest times without a right reading and its distances.
fn timeline(longest: &[Option<u64>], farthest: &[Option<u64>]) -> TimelineRecord {
    TimelineRecord {
        step_us: 1000,
        steps: longest.len(),
        sent: Vec::new(),
        functions: vec![FunctionRecord {
            function: "level".to_owned(),
            allowed_ms: 1000,
            longest_ms: Series(longest.to_vec()),
            tolerance: Some(20),
            farthest: Some(Series(farthest.to_vec())),
        }],
        remarks: Vec::new(),
    }
}

#[test]
fn the_margin_is_the_worst_that_was_seen_and_none_where_nothing_was() {
    let mut record = met(1);
    assert_eq!(of(&record).whole.essential, Essential::default());
    // A function that was never read says nothing.
    record.trials[0].timeline = Some(timeline(&[None, None], &[None, None]));
    assert_eq!(of(&record).whole.essential, Essential::default());
    for trial in &mut record.trials {
        trial.timeline = Some(timeline(&[Some(100), None], &[Some(1), None]));
    }
    let calm = of(&record).whole.essential;
    let expected = (Some(10), Some(100), record.trials.len());
    assert_eq!(
        (calm.margin_percent, calm.recovery_ms, calm.watched),
        expected
    );
    // One outage of forty is the worst, and no time that is usual.
    record.trials[3].timeline = Some(timeline(&[Some(100), Some(1201)], &[Some(1), Some(1)]));
    let bad = of(&record).whole.essential;
    assert_eq!(
        (bad.margin_percent, bad.recovery_ms),
        (Some(121), Some(100))
    );
    record.trials[3].timeline = Some(timeline(&[Some(100)], &[Some(19)]));
    assert_eq!(of(&record).whole.essential.margin_percent, Some(95));
    // In its own group alone.
    let groups = of(&record).groups;
    let worst = groups
        .iter()
        .filter(|one| one.figures.essential.margin_percent == Some(95));
    assert_eq!(worst.count(), 1);
}

#[test]
fn the_file_has_a_form_that_programs_can_rely_on() {
    let mut record = record();
    record.wanted.zone = Some("{1 1 1 1 1 1 1}".parse().unwrap());
    let json: serde_json::Value = serde_json::from_str(&of(&record).json().unwrap()).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["claimed"], serde_json::json!([2, 1, 2, 1, 1, 1, 2]));
    assert_eq!(json["groups"][7]["name"], "CCSC");
    assert_eq!(
        json["whole"]["essential"]["margin_percent"],
        serde_json::Value::Null
    );
    for share in ["coverage", "automation", "decisiveness", "evidence"] {
        assert!(json["whole"][share]["percent"].is_u64(), "{share}");
    }
    assert!(json["steps"][0]["rows"][0]["lifts_to"].is_u64());
    assert_eq!(json["zone"]["frs"][6]["fr"], "RA");
}
