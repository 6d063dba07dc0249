//! What a hostile device, or a record full of it, can do to the file: nothing.

use proptest::prelude::*;

use super::{cases, cases_elsewhere, written};
use crate::assess::assess;
use crate::example::{INJECTION, file, record};
use crate::junit::*;
use crate::record::{PlannedRecord, TrialRecord};

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
    trial.evidence = vec![file(text), file("evidence/ok.raw")];
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
