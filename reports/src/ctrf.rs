//! `ctrf.json`: the cases of `junit.xml` in the Common Test Report Format, which keeps our verdicts as `rawStatus`.

use serde_json::{Map, Value, json};

use crate::assess::Assessment;
use crate::escape::{one_line, shorten};
use crate::junit::case::{self, Case};
use crate::record::{Record, TrialRecord, is_inside};
use crate::verdict::Verdict;

/// The version of the specification.
const SPEC: &str = "0.0.0";

/// The longest text in one place; what is longer of a case is bounded where the case is made.
const LONGEST: usize = 300;

/// The report of a campaign in CTRF.
pub fn ctrf(record: &Record, assessment: &Assessment) -> String {
    let suites = case::suites(record, assessment, &Default::default());
    let cases = || {
        suites
            .iter()
            .flat_map(|suite| suite.cases.iter().map(|case| (suite.name.as_str(), case)))
    };
    let count = |status: &str| {
        cases()
            .filter(|(_, case)| self::status(case.verdict) == status)
            .count()
    };
    let ended = record.finished.unwrap_or(record.started);
    let (start, stop) = (record.started.as_millisecond(), ended.as_millisecond());
    let vector = |vector: slcert_profiles::SlVector| vector.0.map(|level| level.get());
    let report = json!({
        "reportFormat": "CTRF",
        "specVersion": SPEC,
        "generatedBy": format!("slcert {}", line(&record.slcert)),
        "results": {
            "tool": { "name": "slcert", "version": line(&record.slcert) },
            "summary": {
                "tests": cases().count(),
                "passed": count("passed"),
                "failed": count("failed"),
                "skipped": count("skipped"),
                "pending": count("pending"),
                "other": count("other"),
                "suites": suites.len(),
                "start": start,
                "stop": stop,
                "duration": stop.saturating_sub(start),
            },
            "tests": cases().map(|(suite, case)| test(suite, case, record)).collect::<Vec<_>>(),
            "environment": {
                "reportName": line(&record.campaign),
                "appName": line(&record.dut.product),
                "appVersion": line(&record.dut.firmware),
                "testEnvironment": line(&record.rig.file),
            },
            "extra": {
                "standing": "pre-check evidence",
                "interrupted": record.interrupted,
                "seed": record.seed,
                "profile": line(&record.profile.id),
                "claimed": vector(assessment.claimed),
                "demonstrated": vector(assessment.demonstrated),
                "demonstratedAndReviewed": vector(assessment.reviewed),
            },
        },
    });
    format!("{report:#}\n")
}

fn test(suite: &str, case: &Case, record: &Record) -> Value {
    let mut test = json!({
        "name": case.name,
        "status": status(case.verdict),
        "rawStatus": case.verdict.word(),
        "duration": case.duration_ms,
        "suite": [suite],
        "message": case.reason,
        "type": "security",
    });
    let of_case = |trial: &&TrialRecord| Some(trial.id.as_str()) == case.trial.as_deref();
    if let (Some(trial), Some(test)) = (record.trials.iter().find(of_case), test.as_object_mut()) {
        of_trial(test, case, trial);
    }
    test
}

fn of_trial(test: &mut Map<String, Value>, case: &Case, trial: &TrialRecord) {
    let start = trial.started.as_millisecond();
    test.insert("start".to_owned(), json!(start));
    test.insert(
        "stop".to_owned(),
        json!(start.saturating_add(case.duration_ms)),
    );
    if !case.verdict.is_met() {
        test.insert("trace".to_owned(), json!(case.text));
    }
    let requirements: Vec<String> = trial.requirements.iter().map(ToString::to_string).collect();
    let mut labels = json!({ "trial": line(&trial.id), "svv": line(&trial.svv) });
    if !requirements.is_empty() {
        labels["requirements"] = json!(requirements);
    }
    if let Some(interface) = &trial.interface {
        labels["interface"] = json!(line(interface));
    }
    test.insert("labels".to_owned(), labels);
    // A path that leads out of the folder would make a CI server publish another file.
    let evidence = trial.evidence.iter().filter(|file| is_inside(&file.path));
    let attachments = evidence.map(|file| {
        json!({
            "name": line(file.path.rsplit('/').next().unwrap_or_default()),
            "contentType": "text/plain",
            "path": line(&file.path),
            "extra": { "sha256": line(&file.sha256) },
        })
    });
    test.insert("attachments".to_owned(), attachments.collect());
}

fn line(text: &str) -> String {
    shorten(&one_line(text), LONGEST)
}

/// CTRF's word for a verdict.
fn status(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Inconclusive => "other",
        Verdict::Review => "pending",
        Verdict::NotApplicable | Verdict::NotEvaluated => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::assess;
    use crate::example::record;

    #[test]
    fn each_verdict_has_its_status_and_keeps_its_word() {
        let record = record();
        let report: Value = serde_json::from_str(&ctrf(&record, &assess(&record))).unwrap();
        let tests = report["results"]["tests"].as_array().unwrap();
        let seen = |name: &str| {
            let test = tests.iter().find(|test| test["name"] == name).unwrap();
            (
                test["status"].as_str().unwrap(),
                test["rawStatus"].as_str().unwrap(),
            )
        };
        assert_eq!(seen("CR 1.11 lockout holds [console]"), ("failed", "FAIL"));
        assert_eq!(seen("CR 1.11 lockout holds [plc]"), ("passed", "PASS"));
        assert_eq!(
            seen("CR 1.3 accounts holds [console]"),
            ("other", "INCONCLUSIVE")
        );
        assert_eq!(seen("CR 4.3 ciphers holds [plc]"), ("pending", "REVIEW"));
        assert_eq!(
            seen("CR 1.5 defaults holds [console]"),
            ("skipped", "NOT EVALUATED")
        );
        assert_eq!(
            seen("NDR 1.6 wireless holds"),
            ("skipped", "NOT APPLICABLE")
        );
        assert_eq!(
            seen("CR 2.1 rights hold [plc]"),
            ("skipped", "NOT EVALUATED")
        );
        let summary = &report["results"]["summary"];
        let sum: u64 = ["passed", "failed", "skipped", "pending", "other"]
            .iter()
            .map(|status| summary[status].as_u64().unwrap())
            .sum();
        assert_eq!(sum, summary["tests"].as_u64().unwrap());
        assert_eq!(sum as usize, tests.len());
    }
}
