//! A finding of a fuzz suite: found, replayed alone, and looked for first in the next campaign.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use slcert_reports::Verdict;
use slcert_rigs::rig::SIMULATED;

const TRIAL: &str = "CR-3.5/fuzz-modbus@field";
const FLAW: &str = "crash-on-record-sum";

fn replay(file: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_slcert"))
        .arg("replay")
        .arg(file)
        .args(more)
        .output()
        .unwrap();
    (output.status.code(), common::said(&output))
}

#[test]
fn a_finding_is_replayed_alone_and_looked_for_first_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("first");
    let arguments = [
        "--flaw",
        FLAW,
        "--exact",
        TRIAL,
        "--fuzz-first",
        "--fuzz-time",
        "60s",
        "--seed",
        "1",
    ];
    let (output, record) = common::campaign(&out, &arguments).unwrap();
    let record = record.unwrap_or_else(|| panic!("{}", common::said(&output)));
    assert_eq!(record.trials[0].verdict, Verdict::Fail);
    let file = out.join("data/evidence/CR-3.5.fuzz-modbus@field.finding-1.toml");

    let (code, said) = replay(&file, &["--flaw", FLAW, "--times", "2"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("2 of 2 times"), "{said}");
    let (code, said) = replay(&file, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the finding does not come about"), "{said}");

    // Beside a rig file it is looked for in each campaign, whatever the generator makes.
    let beside = folder.path().join("regressions");
    std::fs::create_dir(&beside).unwrap();
    std::fs::copy(&file, beside.join("records.toml")).unwrap();
    let rig = folder.path().join("rig.toml");
    let command = r#"command = ["{slcert}", "sim", "--store", "{work}", "--stdin-guard""#;
    for (name, start, verdict) in [
        ("sound", command.to_owned(), Verdict::Pass),
        (
            "flawed",
            format!("{command}, \"--flaw\", \"{FLAW}\""),
            Verdict::Fail,
        ),
    ] {
        std::fs::write(&rig, SIMULATED.replacen(command, &start, 1)).unwrap();
        let rig = rig.display().to_string();
        let arguments = ["--rig", &rig, "--exact", TRIAL, "--fuzz-cases", "200"];
        let (output, record) = common::campaign(&folder.path().join(name), &arguments).unwrap();
        let record = record.unwrap_or_else(|| panic!("{}", common::said(&output)));
        let trial = &record.trials[0];
        assert_eq!(trial.verdict, verdict, "{}", trial.reason);
        let looked_for = |check: &&slcert_reports::record::CheckRecord| {
            check.name.starts_with("regressions/records.toml")
        };
        assert!(trial.checks.iter().any(|check| looked_for(&check)));
    }
}

#[test]
fn a_history_is_found_reduced_and_played_again() {
    const FLAW: &str = "audit-drops-second";
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("first");
    let trial = "CR-2.8/fuzz-histories";
    let mut arguments = vec!["--profile", "embedded-device-sl2", "--exact", trial];
    arguments.extend(["--flaw", FLAW, "--fuzz-first", "--fuzz-time", "60s"]);
    arguments.extend(["--seed", "1"]);
    let (output, record) = common::campaign(&out, &arguments).unwrap();
    let record = record.unwrap_or_else(|| panic!("{}", common::said(&output)));
    let trial = &record.trials[0];
    assert_eq!(trial.verdict, Verdict::Fail, "{}", trial.reason);
    let file = out.join("data/evidence/CR-2.8.fuzz-histories.finding-1.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("do = \"perform\"").count(), 2, "{text}");

    let (code, said) = replay(&file, &["--flaw", FLAW]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = replay(&file, &[]);
    assert_eq!(code, Some(0), "{said}");

    // A history for another device is not played.
    std::fs::write(&file, text.replace("write_", "paint_")).unwrap();
    let (code, said) = replay(&file, &[]);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("this rig file does not have"), "{said}");
}

#[test]
fn a_file_that_is_refused_is_found_and_offered_again() {
    const FLAW: &str = "import-refused-but-applied";
    let folder = tempfile::tempdir().unwrap();
    let trial = "CR-3.4/fuzz-configurations";
    let mut arguments = vec!["--profile", "embedded-device-sl2", "--exact", trial];
    arguments.extend(["--flaw", FLAW, "--fuzz-first", "--fuzz-time", "60s"]);
    arguments.extend(["--seed", "1"]);
    let (output, record) = common::campaign(folder.path(), &arguments).unwrap();
    let record = record.unwrap_or_else(|| panic!("{}", common::said(&output)));
    assert_eq!(record.trials[0].verdict, Verdict::Fail);
    let evidence = folder.path().join("data/evidence");
    let file = evidence.join("CR-3.4.fuzz-configurations.finding-1.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("configuration = \"site\""), "{text}");
    // Whichever came first: one that was altered, or another device's.
    let refused = ["[step.altered.", "configuration = \"foreign\""];
    assert!(refused.iter().any(|it| text.contains(it)), "{text}");
    // The simulated device's keys are others each time: a bit of one can be what is refused, or no key any more.
    let again = (0..8).any(|_| replay(&file, &["--flaw", FLAW]).0 == Some(1));
    assert!(again, "{text}");
    let (code, said) = replay(&file, &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_was_typed_on_a_console_is_shown_as_text_and_replayed() {
    const FLAW: &str = "crash-on-erase";
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--flaw",
        FLAW,
        "--exact",
        "CR-3.5/fuzz-console@console",
        "--fuzz-first",
        "--fuzz-time",
        "60s",
        "--seed",
        "1",
    ];
    let (output, record) = common::campaign(folder.path(), &arguments).unwrap();
    let record = record.unwrap_or_else(|| panic!("{}", common::said(&output)));
    assert_eq!(record.trials[0].verdict, Verdict::Fail);
    let evidence = folder.path().join("data/evidence");
    let file = evidence.join("CR-3.5.fuzz-console@console.finding-1.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("type = \"zzzz"), "{text}");
    let (code, said) = replay(&file, &["--flaw", FLAW]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = replay(&file, &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_is_no_reproducer_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.toml");
    let (code, said) = replay(&file, &[]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("No such file") && said.contains("data/evidence"),
        "{said}"
    );
    std::fs::write(&file, "format = 1").unwrap();
    let (code, said) = replay(&file, &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("missing field"), "{said}");
}
