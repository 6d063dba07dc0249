//! What a campaign leaves, and the commands that work on it without a bench.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use common::{files, slcert};
use slcert_reports::{Journal, Record};

/// A short campaign with a FAIL in it, run once for all tests of this file.
fn campaign() -> &'static Path {
    static CAMPAIGN: OnceLock<PathBuf> = OnceLock::new();
    CAMPAIGN.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle-campaign");
        let _ = std::fs::remove_dir_all(&out);
        let trial = "CR-1.11/lockout@gateway311";
        let zone = "SL-T(cell 4) = {1 0 0 0 0 0 0}";
        let arguments = [
            "--headless",
            "--flaw",
            "no-lockout",
            "--seed",
            "7",
            "--zone",
            zone,
            "--junit",
            "rich,strict",
            "--oscal",
            trial,
        ];
        let (output, record) = common::campaign(&out, &arguments).unwrap();
        assert!(record.is_some(), "{}", common::said(&output));
        out
    })
}

/// A copy of it that a test may change.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("campaign");
    common::copy(campaign(), &copy);
    (folder, copy)
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
    for name in [
        "junit.xml",
        "junit-rich.xml",
        "junit-strict.xml",
        "oscal/assessment-results.json",
    ] {
        assert!(again.contains_key(name), "{name}");
    }
    for (name, bytes) in again {
        assert_eq!(run.get(&format!("data/{name}")), Some(&bytes), "{name}");
    }
}

#[test]
fn a_campaign_is_compared_with_a_zone_and_told_of_in_figures() {
    let (folder, copy) = copy();
    let path = copy.display().to_string();
    let before = files(&copy);
    let read = |output: &Output| -> serde_json::Value {
        assert!(output.status.success(), "{}", common::said(output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let figures = slcert(&["report", &path, "--format", "json"]);
    assert_eq!(figures.stdout, before["data/metrics.json"]);
    let figures = read(&figures);
    assert_eq!(figures["zone"]["name"], "cell 4");
    assert_eq!(figures["zone"]["frs"][0]["shortfall"], 1);
    assert_eq!(figures["zone"]["is_met"], false);
    // Another zone than the campaign's own, whose record stays as it is.
    let all = "{4 4 4 4 4 4 4}";
    let figures = read(&slcert(&[
        "report", &path, "--format", "json", "--zone", all,
    ]));
    assert_eq!(figures["zone"]["name"], serde_json::Value::Null);
    assert_eq!(figures["zone"]["frs"][4]["shortfall"], 4);
    assert!(files(&copy) == before, "nothing was written");
    let again = folder.path().join("again");
    let to = again.display().to_string();
    let output = slcert(&["report", &path, "--zone", all, "--out", &to]);
    assert!(output.status.success(), "{}", common::said(&output));
    let page = std::fs::read_to_string(again.join("report.html")).unwrap();
    assert!(page.contains("needs a compensating countermeasure in the zone"));

    let output = slcert(&["report", &path, "--zone", "{2 2 0 1 9 1 3}"]);
    let said = common::said(&output);
    assert!(
        output.status.code() == Some(2) && said.contains("at character 10"),
        "{said}"
    );
}

#[test]
fn what_was_asked_for_beside_the_usual_is_written_again_with_it() {
    let (_folder, copy) = copy();
    let path = copy.display().to_string();
    let stale = copy.join("data/junit-rich.xml");
    std::fs::write(&stale, "of another time").unwrap();
    let mut record = Record::read(&copy.join("data/result.json")).unwrap();
    record.wanted = Default::default();
    record.write(&copy.join("data/result.json")).unwrap();
    slcert_reports::bag::seal(&copy, &record).unwrap();
    let output = slcert(&["report", &path]);
    assert!(output.status.success(), "{}", common::said(&output));
    assert!(
        std::fs::read_to_string(&stale)
            .unwrap()
            .contains("<testsuites")
    );
    let output = slcert(&["report", &path]);
    let said = common::said(&output);
    assert!(
        said.contains("every report is as it would be written now"),
        "{said}"
    );
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

/// A key pair, and a file that says that it may sign.
fn key(folder: &Path) -> (String, String) {
    let key = folder.join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let allowed = folder.join("allowed_signers");
    std::fs::write(&allowed, format!("lab@example.org {public}")).unwrap();
    (key.display().to_string(), allowed.display().to_string())
}

fn verify(campaign: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let campaign = campaign.display().to_string();
    let output = slcert(&[&["verify", campaign.as_str()], arguments].concat());
    (output.status.code(), common::said(&output))
}

#[test]
fn a_campaign_verifies_until_any_byte_of_it_is_another() {
    let (folder, copy) = copy();
    let (key, allowed) = key(folder.path());
    let (code, said) = verify(&copy, &[]);
    assert!(
        code == Some(0) && said.contains("signature  none"),
        "{said}"
    );
    let path = copy.display().to_string();
    let output = slcert(&["sign", &path, "--key", &key]);
    assert!(output.status.success(), "{}", common::said(&output));
    let (code, said) = verify(&copy, &[]);
    assert!(
        code == Some(0) && said.contains("--allowed-signers"),
        "{said}"
    );
    let (code, said) = verify(&copy, &["--allowed-signers", &allowed]);
    assert!(
        code == Some(0) && said.contains("good, by lab@example.org"),
        "{said}"
    );

    let whole = files(&copy);
    assert!(whole.len() > 12, "{:?}", whole.keys());
    for (name, bytes) in &whole {
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x20;
            std::fs::write(copy.join(name), &flipped).unwrap();
            let (code, said) = verify(&copy, &["--allowed-signers", &allowed]);
            assert_eq!(code, Some(7), "byte {place} of {name}\n{said}");
            let named = said.contains(name.as_str())
                || ((name.ends_with(".sig") || name.ends_with(".dsse.json"))
                    && said.contains("NOT good"));
            // A list with another hash in it says so of the file that it lists.
            assert!(named || name.starts_with("tagmanifest"), "{name}\n{said}");
        }
        std::fs::remove_file(copy.join(name)).unwrap();
        let (code, said) = verify(&copy, &["--allowed-signers", &allowed]);
        // A signature that ssh-keygen made has no statement either.
        let may_go = name == "attestation.dsse.json";
        assert_eq!(code == Some(0), may_go, "without {name}\n{said}");
        std::fs::write(copy.join(name), bytes).unwrap();
    }
    std::fs::write(copy.join("data/evidence/extra.txt"), "").unwrap();
    let (code, said) = verify(&copy, &[]);
    assert!(
        code == Some(7) && said.contains("added    data/evidence/extra.txt"),
        "{said}"
    );
}

#[test]
fn what_was_sealed_anew_is_given_away_by_the_journal_or_the_signature() {
    let (folder, copy) = copy();
    let (key, allowed) = key(folder.path());
    let path = copy.display().to_string();
    assert!(slcert(&["sign", &path, "--key", &key]).status.success());
    let result = copy.join("data/result.json");
    let mut record = Record::read(&result).unwrap();
    record.trials[0].verdict = slcert_reports::Verdict::Pass;
    record.write(&result).unwrap();
    // `report` does not seal what was changed.
    let output = slcert(&["report", &path]);
    let said = common::said(&output);
    assert!(
        output.status.code() == Some(7) && said.contains("data/result.json"),
        "{said}"
    );
    slcert_reports::bag::seal(&copy, &record).unwrap();
    let (code, said) = verify(&copy, &["--allowed-signers", &allowed]);
    assert_eq!(code, Some(7));
    assert!(
        said.contains("as they were sealed") && said.contains("another campaign than result.json"),
        "{said}"
    );
    assert!(said.contains("NOT good: it is not over this"), "{said}");
}

#[test]
fn a_signature_counts_for_those_who_may_sign() {
    let (folder, copy) = copy();
    let (key, _) = key(folder.path());
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let (other, others) = self::key(&other);
    let path = copy.display().to_string();
    let (code, said) = verify(&copy, &["--allowed-signers", &others]);
    assert!(
        code == Some(7) && said.contains("signature  none"),
        "{said}"
    );
    assert!(slcert(&["sign", &path, "--key", &key]).status.success());
    let (code, said) = verify(&copy, &["--allowed-signers", &others]);
    assert!(
        code == Some(7) && said.contains("of none of the allowed signers"),
        "{said}"
    );
    // A signature is not overwritten, and no other key's file is taken for a key.
    let output = slcert(&["sign", &path, "--key", &other]);
    assert!(output.status.code() == Some(2) && common::said(&output).contains("never overwritten"));
    let output = slcert(&["sign", &path, "--key", &others]);
    assert!(output.status.code() == Some(2) && common::said(&output).contains("is no private key"));
}

#[test]
fn a_campaign_signs_what_it_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let (key, allowed) = key(folder.path());
    let out = folder.path().join("campaign");
    let arguments = ["--headless", "--sign", &key, "CR-7.8"];
    let (output, _) = common::campaign(&out, &arguments).unwrap();
    let (code, said) = verify(&out, &["--allowed-signers", &allowed]);
    assert_eq!(code, Some(0), "{said}{}", common::said(&output));
    let unusable = folder.path().join("allowed_signers").display().to_string();
    let output = slcert(&["run", "--sign", &unusable]);
    assert_eq!(output.status.code(), Some(2), "before the campaign begins");
}

#[test]
fn a_campaign_that_was_killed_is_reported_from_its_journal() {
    let (_folder, copy) = copy();
    for (name, _) in files(&copy) {
        if name != "data/journal.jsonl" && !name.starts_with("data/evidence") {
            std::fs::remove_file(copy.join(name)).unwrap();
        }
    }
    let journal = copy.join("data/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let last = text.lines().last().unwrap();
    std::fs::write(&journal, &text[..text.len() - last.len() / 2]).unwrap();
    let (code, said) = verify(&copy, &[]);
    assert!(code == Some(2) && said.contains("is not sealed"), "{said}");
    let path = copy.display().to_string();
    let output = slcert(&["report", &path]);
    assert!(output.status.success(), "{}", common::said(&output));
    let (code, said) = verify(&copy, &[]);
    assert_eq!(code, Some(0), "{said}");
    let summary = std::fs::read_to_string(copy.join("data/summary.md")).unwrap();
    assert!(summary.contains("Interrupted"), "{summary}");
}

#[test]
fn a_later_campaign_is_compared_with_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let failing = campaign().display().to_string();
    let mut record = Record::read(&campaign().join("data/result.json")).unwrap();
    record.trials[0].verdict = slcert_reports::Verdict::Pass;
    let sound = folder.path().join("sound.json");
    record.write(&sound).unwrap();
    let sound = sound.display().to_string();
    let trial = "CR-1.11/lockout@gateway311";

    let output = slcert(&["compare", &sound, &failing]);
    let said = common::said(&output);
    assert!(
        output.status.code() == Some(1) && said.contains("newly failing") && said.contains(trial),
        "{said}"
    );
    let html = folder.path().join("compare.html");
    let output = slcert(&[
        "compare",
        &failing,
        &sound,
        "--format",
        "json",
        "--html",
        &html.display().to_string(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", common::said(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["trials"][0]["kind"], &json["trials"][0]["id"]),
        (&"fixed".into(), &trial.into())
    );
    assert!(
        std::fs::read_to_string(html)
            .unwrap()
            .contains("Nothing got worse")
    );
    let output = slcert(&["compare", &failing, "/nowhere"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_lab_record_is_in_the_record_and_a_fault_in_it_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab.toml");
    std::fs::write(&lab, "laboratory = \"Example Lab\"\n[equipment.\"INV-1\"]\nwhat = \"adapter\"\ndue = 2020-01-01\n").unwrap();
    let path = lab.display().to_string();
    let out = folder.path().join("campaign");
    let (output, record) =
        common::campaign(&out, &["--headless", "--lab", &path, "CR-7.8"]).unwrap();
    let said = common::said(&output);
    assert!(
        said.contains("lab.toml:4") && said.contains("was due on 2020-01-01"),
        "{said}"
    );
    assert_eq!(
        record.unwrap().lab.unwrap().laboratory.as_deref(),
        Some("Example Lab")
    );
    let info = std::fs::read_to_string(out.join("bag-info.txt")).unwrap();
    assert!(
        info.contains("Source-Organization: Example Lab\n"),
        "{info}"
    );
    std::fs::write(&lab, "laboratori = \"Example Lab\"\n").unwrap();
    let output = slcert(&["run", "--lab", &path]);
    let said = common::said(&output);
    assert!(
        output.status.code() == Some(2)
            && said.contains("lab.toml:1")
            && said.contains("laboratory"),
        "{said}"
    );
}
