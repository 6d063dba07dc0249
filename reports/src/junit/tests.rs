//! What the file says, as two parsers of others read it.

mod flavours;
mod forgery;

use std::collections::BTreeSet;

use quick_junit::{NonSuccessKind, TestCaseStatus};

use super::*;
use crate::assess::assess;
use crate::example::{bare, file, id, record, trial};

fn written(record: &Record) -> String {
    junit(record, &assess(record)).unwrap()
}

/// A case as `quick-junit` reads it: class name, name, outcome.
fn cases(xml: &str) -> Vec<(String, String, &'static str)> {
    let report = quick_junit::Report::deserialize_from_str(xml).unwrap();
    let cases = report
        .test_suites
        .iter()
        .flat_map(|suite| &suite.test_cases);
    let cases = cases.map(|case| {
        let outcome = match &case.status {
            TestCaseStatus::Success { .. } => "pass",
            TestCaseStatus::NonSuccess {
                kind: NonSuccessKind::Failure,
                ..
            } => "failure",
            TestCaseStatus::NonSuccess {
                kind: NonSuccessKind::Error,
                ..
            } => "error",
            TestCaseStatus::Skipped { .. } => "skipped",
        };
        (
            case.classname.as_ref().unwrap().to_string(),
            case.name.to_string(),
            outcome,
        )
    });
    cases.collect()
}

/// The same as `junit-parser` reads it.
fn cases_elsewhere(xml: &str) -> Vec<(String, String, &'static str)> {
    let suites = junit_parser::from_reader(xml.as_bytes()).unwrap();
    let cases = suites.suites.iter().flat_map(|suite| &suite.cases);
    let cases = cases.map(|case| {
        let outcome = match case.status {
            junit_parser::TestStatus::Success => "pass",
            junit_parser::TestStatus::Failure(_) => "failure",
            junit_parser::TestStatus::Error(_) => "error",
            junit_parser::TestStatus::Skipped(_) => "skipped",
        };
        (
            case.classname.clone().unwrap(),
            case.original_name.clone(),
            outcome,
        )
    });
    cases.collect()
}

#[test]
fn every_verdict_has_its_outcome() {
    let xml = written(&record());
    let seen = cases(&xml);
    let outcome = |class: &str, name: &str| {
        let case = seen
            .iter()
            .find(|(c, n, _)| c == &format!("iec62443_4_2.{class}") && n == name);
        case.unwrap_or_else(|| panic!("{class} {name} in {seen:#?}"))
            .2
    };
    assert_eq!(
        outcome("FR1.CR_1_11", "CR 1.11 lockout holds [console]"),
        "failure"
    );
    assert_eq!(
        outcome("FR1.CR_1_11", "CR 1.11 lockout holds [plc]"),
        "pass"
    );
    assert_eq!(
        outcome("FR1.CR_1_3", "CR 1.3 accounts holds [console]"),
        "error"
    );
    assert_eq!(
        outcome("FR1.CR_1_5", "CR 1.5 defaults holds [console]"),
        "skipped"
    );
    assert_eq!(outcome("FR1.NDR_1_6", "NDR 1.6 wireless holds"), "skipped");
    assert_eq!(
        outcome("FR4.CR_4_3", "CR 4.3 ciphers holds [plc]"),
        "skipped"
    );
    assert_eq!(outcome("FR2.CR_2_1", "CR 2.1 rights hold [plc]"), "skipped");
    assert_eq!(outcome("FR2.CR_2_2", "CR 2.2 not evaluated"), "skipped");
    assert_eq!(
        outcome("FR1.CR_1_1_RE_1", "CR 1.1 RE(1) not evaluated"),
        "skipped"
    );
    assert_eq!(
        outcome("CCSC.CCSC_1", "CCSC 1 essential holds [console]"),
        "pass"
    );
}

#[test]
fn rows_above_the_claim_are_no_cases() {
    let seen = cases(&written(&bare([1; 7])));
    assert!(
        seen.iter()
            .any(|(_, name, _)| name == "CR 1.1 not evaluated")
    );
    assert!(
        !seen
            .iter()
            .any(|(_, name, _)| name.contains("CR 1.1 RE(1)")),
        "SL 2 is not claimed"
    );
}

#[test]
fn a_trial_stands_under_its_owner_alone_and_names_all_its_requirements() {
    let mut record = bare([1; 7]);
    let mut both = trial("CR 2.1", "rights", Some("plc"), Verdict::Pass, "held");
    both.requirements.push(id("CR 1.3"));
    record.trials.push(both);
    let xml = written(&record);
    assert_eq!(xml.matches("CR 2.1 rights holds [plc]").count(), 1);
    assert!(xml.contains("[[PROPERTY|requirement=CR 2.1]]\n[[PROPERTY|requirement=CR 1.3]]"));
    assert!(
        !xml.contains("CR 1.3 not evaluated"),
        "a trial of it was run"
    );
}

#[test]
fn names_do_not_repeat() {
    let mut record = bare([1; 7]);
    for at in 0..3 {
        let mut trial = trial("CR 1.1", "same", Some("console"), Verdict::Pass, "held");
        trial.id.push_str(&at.to_string());
        record.trials.push(trial);
    }
    let seen = cases(&written(&record));
    let unique: BTreeSet<_> = seen.iter().map(|(class, name, _)| (class, name)).collect();
    assert_eq!(unique.len(), seen.len());
    assert!(
        seen.iter()
            .any(|(_, name, _)| name == "CR 1.1 same holds [console] #3")
    );
}

#[test]
fn a_reason_stands_in_the_message_and_in_the_first_line_of_the_text() {
    let report = quick_junit::Report::deserialize_from_str(&written(&record())).unwrap();
    for case in report
        .test_suites
        .iter()
        .flat_map(|suite| &suite.test_cases)
    {
        let (message, text) = match &case.status {
            TestCaseStatus::Success { .. } => continue,
            TestCaseStatus::NonSuccess {
                message,
                description,
                ..
            }
            | TestCaseStatus::Skipped {
                message,
                description,
                ..
            } => (message, description),
        };
        let text = text.as_ref().unwrap().as_str();
        assert_eq!(
            message.as_ref().unwrap().as_str(),
            text.lines().next().unwrap()
        );
    }
}

#[test]
fn output_is_short_and_ends_with_the_attachments_that_fit() {
    let mut record = bare([1; 7]);
    let mut trial = trial("CR 1.1", "many", Some("console"), Verdict::Pass, "held");
    trial.evidence = (0..100)
        .map(|at| file(&format!("evidence/CR-1.1/many/{at}.pcapng")))
        .collect();
    trial.evidence.insert(0, file("../../etc/passwd"));
    trial.requirements = vec![id("CR 1.1"); 100];
    record.trials.push(trial);
    let options = JunitOptions {
        attachment_root: Some("campaigns/one/".to_owned()),
        ..JunitOptions::default()
    };
    let xml = junit_with(&record, &assess(&record), &options).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let case = report.test_suites[0]
        .test_cases
        .iter()
        .find(|case| case.name.contains("many"))
        .unwrap();
    let output = case.system_out.as_ref().unwrap().as_str();
    assert!(output.chars().count() <= 900, "{}", output.len());
    assert!(output.contains("[[ATTACHMENT|campaigns/one/evidence/CR-1.1/many/0.pcapng]]"));
    assert!(!output.contains("passwd"));
    assert!(
        output.contains("more files of evidence: see result.json"),
        "{output}"
    );
    assert!(output.lines().last().unwrap().starts_with("[[ATTACHMENT|"));
}

#[test]
fn a_property_ends_where_we_end_it() {
    let mut record = bare([1; 7]);
    let trial = trial("CR 1.1", "x", Some("plc]] [[x"), Verdict::Pass, "held");
    record.trials.push(trial);
    let xml = written(&record);
    assert!(
        xml.contains("[[PROPERTY|interface=plc\\x5d\\x5d [[x]]\n"),
        "{xml}"
    );
}

#[test]
fn odd_times_are_written_as_readers_know_them() {
    let mut record = bare([1; 7]);
    record.started = "-000001-06-01T00:00:00Z".parse().unwrap();
    let mut long = trial("CR 1.1", "long", None, Verdict::Pass, "held");
    long.duration_ms = u64::MAX;
    long.started = jiff::Timestamp::MAX;
    record.trials.extend([long.clone(), long]);
    record.trials[1].duration_ms = 4_241;
    let xml = written(&record);
    assert!(xml.contains("time=\"4.241\""));
    assert!(xml.contains("timestamp=\"9999-12-30T22:00:00Z\""), "{xml}");
    assert!(xml.contains("timestamp=\"1970-01-01T00:00:00Z\""));
    quick_junit::Report::deserialize_from_str(&xml).unwrap();
}

#[test]
fn the_file_reads_as_it_should() {
    let mut record = bare([0, 0, 0, 0, 1, 0, 0]);
    record
        .selection
        .retain(|row| row.id.fr() == Some(slcert_profiles::FoundationalRequirement::Rdf));
    record.trials = vec![
        trial(
            "CR 5.1",
            "zones",
            Some("plc"),
            Verdict::Fail,
            "the plc answered from the other zone",
        ),
        trial("CR 5.1", "zones", Some("console"), Verdict::Pass, "refused"),
    ];
    let xml = written(&record);
    let start = xml.find("<testsuite id=\"4\"").unwrap();
    let end = xml[start..].find("</testsuite>").unwrap();
    insta::assert_snapshot!(&xml[start..start + end]);
}
