use std::collections::BTreeSet;

use proptest::prelude::*;
use quick_junit::{NonSuccessKind, TestCaseStatus};

use super::*;
use crate::assess::assess;
use crate::example::{INJECTION, bare, id, record, trial};
use crate::record::{PlannedRecord, TrialRecord};

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

/// Every string of a trial that could carry what a device said.
fn with_text(mut trial: TrialRecord, text: &str) -> TrialRecord {
    for field in [
        &mut trial.id,
        &mut trial.case,
        &mut trial.title,
        &mut trial.reason,
        &mut trial.svv,
        &mut trial.objective,
        &mut trial.criterion,
    ] {
        *field = text.to_owned();
    }
    trial.interface = Some(text.to_owned());
    trial.evidence = vec![text.to_owned(), "evidence/ok.raw".to_owned()];
    for check in &mut trial.checks {
        check.name = text.to_owned();
        check.expected = text.to_owned();
        check.observed = text.to_owned();
    }
    trial
}

/// The example with one text in every field that holds text.
fn record_full_of(text: &str) -> Record {
    let mut record = record();
    for field in [
        &mut record.slcert,
        &mut record.campaign,
        &mut record.profile.id,
        &mut record.profile.title,
        &mut record.profile.version,
        &mut record.profile.sha256,
        &mut record.profile.status,
        &mut record.rig.file,
        &mut record.rig.sha256,
        &mut record.dut.product,
        &mut record.dut.vendor,
        &mut record.dut.firmware,
    ] {
        *field = text.to_owned();
    }
    record.dut.serial = Some(text.to_owned());
    for row in &mut record.selection {
        row.title = text.to_owned();
        row.excluded = row.excluded.as_ref().map(|_| text.to_owned());
    }
    record.trials = record
        .trials
        .into_iter()
        .map(|trial| with_text(trial, text))
        .collect();
    record.planned[0] = PlannedRecord {
        id: "planned".to_owned(),
        title: text.to_owned(),
        interface: Some(text.to_owned()),
        ..record.planned[0].clone()
    };
    record
}

/// The outcomes that a record's cases must have, each trial and each uncovered row once.
fn expected_outcomes(record: &Record) -> Vec<&'static str> {
    let plain = cases(&written(record));
    let mut outcomes: Vec<_> = plain.into_iter().map(|(_, _, outcome)| outcome).collect();
    outcomes.sort_unstable();
    outcomes
}

fn assert_nothing_forged(hostile: &Record, plain: &Record) {
    let xml = written(hostile);
    let seen = cases(&xml);
    let mut outcomes: Vec<_> = seen.iter().map(|(_, _, outcome)| *outcome).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, expected_outcomes(plain));
    assert_eq!(cases_elsewhere(&xml), seen);
    let classes = |record: &Record| -> Vec<String> {
        cases(&written(record))
            .into_iter()
            .map(|(class, _, _)| class)
            .collect()
    };
    assert_eq!(
        classes(hostile),
        classes(plain),
        "no class is added or lost"
    );
    for line in xml.lines().filter(|line| line.contains("[[ATTACHMENT|")) {
        let (_, path) = line.split_once("[[ATTACHMENT|").unwrap();
        let (path, _) = path.split_once("]]").unwrap();
        assert!(crate::record::is_inside(path), "{line}");
    }
    assert!(
        !xml.chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t'),
        "{xml:?}"
    );
}

/// The danger is real: should this test break, the crate has mended it.
#[test]
fn the_crate_alone_lets_a_device_forge_a_verdict() {
    let mut case = TestCase::success("honest", Duration::ZERO);
    case.set_system_out(
        "]]></system-out></testcase><testcase name=\"forged\" time=\"0\"><system-out><![CDATA[",
    );
    let suite = TestSuiteBuilder::new("suite").add_testcase(case).build();
    let mut body = Vec::new();
    ReportBuilder::new()
        .add_testsuite(suite)
        .build()
        .write_xml(&mut body)
        .unwrap();
    let suites = junit_parser::from_reader(body.as_slice()).unwrap();
    assert_eq!(suites.suites[0].cases.len(), 2);
}

#[test]
fn a_device_forges_nothing_whether_its_text_was_escaped_or_not() {
    let plain = record();
    for text in [
        INJECTION.to_owned(),
        crate::escape(INJECTION),
        INJECTION.repeat(500),
    ] {
        assert_nothing_forged(&record_full_of(&text), &plain);
    }
}

#[test]
fn a_file_that_does_not_say_what_was_put_in_is_not_handed_out() {
    let record = record();
    let assessment = assess(&record);
    let suites = case::suites(&record, &assessment, &JunitOptions::default());
    let xml = written(&record);
    proof::check(&xml, &suites).unwrap();
    let forged = [
        xml.replacen(
            "</testcase>",
            "</testcase><testcase classname=\"x\" name=\"forged\" time=\"0\"/>",
            1,
        ),
        xml.replacen("<skipped", "<failure", 1)
            .replacen("</skipped", "</failure", 1),
        xml.replacen("<testcase name=\"", "<testcase name=\"not ", 1),
        xml.replacen("<system-out>", "<failure/><failure/><system-out>", 1),
    ];
    for xml in forged {
        assert!(
            matches!(proof::check(&xml, &suites), Err(JunitError::Forged(_))),
            "{xml}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_in_every_field_keeps_the_file_well_formed_with_its_cases(
        text in prop_oneof![any::<String>(), "[\\]>\\[<&\"'|\\x00-\\x1f A-Z]{0,40}", Just(INJECTION.to_owned())],
    ) {
        assert_nothing_forged(&record_full_of(&text), &record());
    }
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
        .map(|at| format!("evidence/CR-1.1/many/{at}.pcapng"))
        .collect();
    trial.evidence.insert(0, "../../etc/passwd".to_owned());
    trial.requirements = vec![id("CR 1.1"); 100];
    record.trials.push(trial);
    let options = JunitOptions {
        attachment_root: Some("campaigns/one/".to_owned()),
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
