//! What a campaign leaves, and the commands that work on it without a bench.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use slcert_reports::{Journal, Record};

/// A short campaign with a FAIL in it, run once for all tests of this file.
fn campaign() -> &'static Path {
    static CAMPAIGN: OnceLock<PathBuf> = OnceLock::new();
    CAMPAIGN.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle-campaign");
        let _ = std::fs::remove_dir_all(&out);
        let trial = "CR-1.11/lockout@gateway311";
        let arguments = ["--headless", "--flaw", "no-lockout", "--seed", "7", trial];
        let (output, record) = common::campaign(&out, &arguments).unwrap();
        assert!(record.is_some(), "{}", common::said(&output));
        out
    })
}

/// A copy of it that a test may change.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("campaign");
    for (name, bytes) in files(campaign()) {
        let path = copy.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    (folder, copy)
}

/// Every file of a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(one) = folders.pop() {
        for entry in std::fs::read_dir(one).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

fn slcert(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slcert"))
        .args(arguments)
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap()
}

#[test]
fn the_reports_are_written_again_from_the_record_alone() {
    let (folder, copy) = copy();
    let run = files(&copy);
    let lone = folder.path().join("lone/data");
    std::fs::create_dir_all(&lone).unwrap();
    std::fs::copy(copy.join("data/result.json"), lone.join("result.json")).unwrap();
    let again = folder.path().join("again");
    let lone = folder.path().join("lone").display().to_string();
    let output = slcert(&["report", &lone, "--out", &again.display().to_string()]);
    assert!(output.status.success(), "{}", common::said(&output));
    let again = files(&again);
    assert!(again.contains_key("junit.xml"));
    for (name, bytes) in again {
        assert_eq!(run.get(&format!("data/{name}")), Some(&bytes), "{name}");
    }
}

#[test]
fn what_is_no_campaign_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = slcert(&["report", &folder.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let said = common::said(&output);
    assert!(
        said.contains("result.json") && said.contains("is no campaign's folder"),
        "{said}"
    );
}

#[test]
fn a_step_of_github_actions_gets_annotations_and_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("campaign");
    let step = folder.path().join("step.md");
    std::fs::write(&step, "before\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_slcert"))
        .args(["run", "--headless", "--flaw", "no-lockout", "--out"])
        .arg(&out)
        .arg("CR-1.11/lockout@gateway311")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &step)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let commands: Vec<&str> = text
        .lines()
        .filter(|line| line.trim_start().starts_with("::"))
        .collect();
    // Nothing that was said by the device is taken for a command.
    let token = commands[0].strip_prefix("::stop-commands::").unwrap();
    assert_eq!(commands[1], format!("::{token}::"));
    assert!(commands[2].starts_with("::error title=FAIL CR-1.11/lockout@gateway311::"));
    assert_eq!(commands.len(), 3, "{commands:?}");
    let summary = std::fs::read_to_string(out.join("data/summary.md")).unwrap();
    assert_eq!(
        std::fs::read_to_string(&step).unwrap(),
        format!("before\n{summary}\n")
    );
}

#[test]
fn the_journal_tells_of_the_same_campaign_as_the_record() {
    let data = campaign().join("data");
    let (entries, torn) = Journal::read(&data.join("journal.jsonl")).unwrap();
    assert_eq!(torn, None);
    let record = Record::read(&data.join("result.json")).unwrap();
    assert_eq!(Record::from_journal(&entries).unwrap(), record);
}
