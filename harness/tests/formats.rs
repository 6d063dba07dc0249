//! What programs read: every line and every document of `--format json` and `jsonl`.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::path::Path;

use common::slcert;
use serde_json::{Value, json};
use slcert_reports::{Record, Verdict};

/// Runs a short campaign with a flaw; what it put on standard output, its exit code and its record.
fn campaign(folder: &Path, arguments: &[&str]) -> (String, i32, Record) {
    let out = folder.join("campaign");
    let run = ["run", "--headless", "--flaw", "no-lockout", "--out"];
    let path = out.display().to_string();
    let filter = [path.as_str(), "CR-1.1"];
    let output = slcert(&[&run[..], &filter, arguments].concat());
    let record = common::record(&out);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("SL-C demonstrated"),
        "words go to standard error: {}",
        common::said(&output)
    );
    (text, output.status.code().unwrap(), record)
}

fn lines(text: &str) -> Vec<Value> {
    let read = text.lines().map(serde_json::from_str);
    read.collect::<Result<_, _>>().unwrap()
}

#[test]
fn each_event_is_a_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (text, code, record) = campaign(folder.path(), &["--format", "jsonl"]);
    let lines = lines(&text);
    assert!(lines.iter().all(|line| line["schema"] == "slcert-events/1"));
    assert!(lines.iter().all(|line| line["time"].is_string()));
    let of = |event: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["event"] == event).collect()
    };
    let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
    assert_eq!(first["event"], "campaign_started");
    assert_eq!(first["seed"], record.seed);
    assert_eq!(first["planned"], record.planned.len());
    let finished = of("trial_finished");
    assert_eq!(of("trial_started").len(), record.trials.len());
    assert_eq!(finished.len(), record.trials.len());
    for (told, trial) in finished.iter().zip(&record.trials) {
        assert_eq!(told["trial"], trial.id.as_str());
        assert_eq!(told["verdict"], json!(trial.verdict));
    }
    assert!(finished.iter().any(|told| told["verdict"] == "FAIL"));
    assert_eq!(last["event"], "campaign_finished");
    assert_eq!((last["exit_code"].as_i64(), code), (Some(1), 1));
    assert_eq!(last["claimed"], json!(record.claim));
    assert_eq!(last["demonstrated"].as_array().unwrap().len(), 7);
    let fails = record.trials.iter();
    let fails = fails.filter(|trial| trial.verdict == Verdict::Fail).count();
    assert_eq!(last["trials"]["FAIL"], fails);
    let folder = Path::new(last["folder"].as_str().unwrap());
    assert!(folder.join("data/report.html").is_file());
}

#[test]
fn a_campaign_is_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let (text, code, record) = campaign(folder.path(), &["--format", "json", "--skip", "@gateway"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["schema"], "slcert-run/1");
    assert_eq!(
        told["trials"].as_array().unwrap().len(),
        record.trials.len()
    );
    assert!(!text.contains("@gateway"), "it was left out");
    assert_eq!(told["finished"]["exit_code"], code);
    assert_eq!(told["started"]["campaign"], record.campaign.as_str());
}

#[test]
fn libtests_own_formats_are_taken_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("c").display().to_string();
    let output = slcert(&["run", "--format", "terse", "--out", &out, "CR-7.8"]);
    assert!(
        common::said(&output).contains("\n......\n"),
        "{}",
        common::said(&output)
    );
    let output = slcert(&["run", "--list", "--format", "terse", "CR-7.8"]);
    assert!(common::said(&output).contains("CR-7.8/identification@plc: test"));
}

#[test]
fn lists_are_documents() {
    let read = |arguments: &[&str]| -> Value {
        let output = slcert(arguments);
        assert!(output.status.success(), "{}", common::said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let json = ["--format", "json"];
    let trials = read(&[&["list", "--estimate", "CR-1.11"][..], &json].concat());
    let trial = &trials["trials"][0];
    assert_eq!(trial["trial"], "CR-1.11/lockout@console");
    assert!(trial["estimate_ms"].as_u64().unwrap() > 0);
    let same = read(&[&["run", "--list", "CR-1.11"][..], &json].concat());
    assert_eq!(
        same["trials"].as_array().unwrap().len(),
        trials["trials"].as_array().unwrap().len()
    );
    let rows = read(&[&["list", "--requirements"][..], &json].concat());
    assert!(rows["requirements"].as_array().unwrap().len() > 50);
    let profiles = read(&[&["list", "--profiles"][..], &json].concat());
    assert_eq!(
        profiles["profiles"][0]["claim"].as_array().unwrap().len(),
        7
    );
}

#[test]
fn each_fault_of_a_file_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("rig.toml");
    std::fs::write(
        &bad,
        "[dut]\nproduct = \"X\"\nvendor = \"Y\"\nfirmwear = \"1\"\n",
    )
    .unwrap();
    let output = slcert(&["check", "--format", "json", &bad.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let file = &told["files"][0];
    assert_eq!(
        (&file["usable"], &file["is"]),
        (&json!(false), &Value::Null)
    );
    let faults = file["faults"].as_array().unwrap();
    assert!(
        faults
            .iter()
            .any(|one| one["line"] == 4 && one["what"].as_str().unwrap().contains("firmwear"))
    );
    let output = slcert(&["check", "--live", "--format", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bindings = told["bindings"].as_array().unwrap();
    assert!(bindings.len() > 50 && bindings.iter().all(|one| one["works"] == true));
}
