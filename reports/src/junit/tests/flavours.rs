//! The other files say the same of each case.

use super::*;

fn of(record: &Record, flavour: Flavour) -> String {
    let options = JunitOptions {
        attachment_root: Some("campaigns/one".to_owned()),
        flavour: Some(flavour),
    };
    junit_with(record, &assess(record), &options).unwrap()
}

#[test]
fn each_case_has_the_same_outcome_in_each_file() {
    let usual = cases(&written(&record()));
    assert_eq!(cases_elsewhere(&written(&record())), usual);
    let rich = of(&record(), Flavour::Rich);
    assert_eq!(cases(&rich), usual);
    assert_eq!(cases_elsewhere(&rich), usual);
    let strict = of(&record(), Flavour::Strict);
    assert_eq!(cases_elsewhere(&strict), usual);
    // quick-junit wants a zone, which the schema of Ant refuses.
    assert!(quick_junit::Report::deserialize_from_str(&strict).is_err());
    let zoned = strict
        .replace(":04:07\"", ":04:07Z\"")
        .replace(":04:05\"", ":04:05Z\"");
    assert_eq!(cases(&zoned), usual);
}

#[test]
fn a_rich_case_has_its_properties_and_all_of_its_files() {
    let mut record = record();
    let files = (0..100).map(|at| file(&format!("evidence/CR-1.11/{at}.pcapng")));
    record.trials[0].evidence = files.collect();
    record.trials[0].evidence.push(file("../../etc/passwd"));
    let xml = of(&record, Flavour::Rich);
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let mut cases = report
        .test_suites
        .iter()
        .flat_map(|suite| &suite.test_cases);
    let case = cases
        .find(|case| case.name.contains("lockout holds [console]"))
        .unwrap();
    let of = |name: &str| -> Vec<&str> {
        let named = case
            .properties
            .iter()
            .filter(|one| one.name.as_str() == name);
        named.map(|one| one.value.as_str()).collect()
    };
    assert_eq!(of("verdict"), ["FAIL"]);
    assert_eq!(of("requirement"), ["CR 1.11"]);
    assert_eq!(of("trial"), ["CR-1.11/lockout@console"]);
    assert_eq!(of("criterion"), ["It holds."]);
    assert_eq!(of("attachment").len(), 100);
    assert_eq!(
        of("attachment")[99],
        "campaigns/one/evidence/CR-1.11/99.pcapng"
    );
    assert!(of("sha256")[0].starts_with("efef"));
    let output = case.system_out.as_ref().unwrap().as_str();
    assert_eq!(output.matches("[[ATTACHMENT|campaigns/one/").count(), 100);
    assert!(!xml.contains("passwd"));
}

#[test]
fn a_strict_file_has_the_reason_and_nothing_that_a_schema_refuses() {
    let xml = of(&record(), Flavour::Strict);
    assert!(xml.contains("<testsuites>"));
    assert!(xml.contains("timestamp=\"2026-01-02T01:04:07\""));
    assert!(xml.contains("<skipped message=\"there is no radio, and none was heard\"><![CDATA["));
    let (cases, outputs) = (
        xml.matches("<testcase ").count(),
        xml.matches("<system-out>").count(),
    );
    assert!(cases > outputs && outputs == xml.matches("<testsuite ").count());
    assert!(!xml.contains("[[ATTACHMENT"));
}
