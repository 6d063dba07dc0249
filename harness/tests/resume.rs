//! A campaign that was killed at any moment goes on, and comes to what an unbroken one comes to.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::verify;
use slcert_reports::{Event, Journal, Record, Verdict};

/// The trials of these tests: on several interfaces, and short.
const FILTER: &str = "CR-1.1";

fn slcert(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slcert"));
    command
        .args(arguments)
        .arg("--headless")
        .stdin(Stdio::null());
    command
}

fn record(campaign: &Path) -> Record {
    let (entries, _) = Journal::read(&campaign.join("data/journal.jsonl")).unwrap();
    Record::from_journal(&entries).unwrap()
}

fn verdicts(record: &Record) -> BTreeMap<String, Verdict> {
    let trials = record
        .trials
        .iter()
        .map(|trial| (trial.id.clone(), trial.verdict));
    trials.collect()
}

/// How many lines the journal has.
fn lines(campaign: &Path) -> usize {
    let text = std::fs::read(campaign.join("data/journal.jsonl")).unwrap_or_default();
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// Lets a campaign write some lines of its journal, waits a moment more and kills it; whether it was still there to be killed.
fn kill(mut campaign: Child, folder: &Path, after: usize, moment: Duration) -> bool {
    let limit = Instant::now() + Duration::from_secs(60);
    let begun = lines(folder);
    while lines(folder) < begun + after && Instant::now() < limit {
        if campaign.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    let killed = campaign.kill().is_ok();
    campaign.wait().unwrap();
    killed
}

#[test]
fn a_campaign_that_is_killed_again_and_again_comes_to_what_an_unbroken_one_comes_to() {
    let scratch = tempfile::tempdir().unwrap();
    let whole = scratch.path().join("whole");
    let seed = ["--seed", "7", "--flaw", "no-lockout"];
    let run = |out: &Path| {
        let mut command = slcert(&["run", FILTER]);
        command
            .args(seed)
            .arg("--out")
            .arg(out)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    run(&whole).status().unwrap();
    let broken = scratch.path().join("broken");
    let mut campaign = run(&broken).spawn().unwrap();
    // Somewhere else each time: in a trial, in the line of one, between two.
    for (round, moment) in [0, 7, 120, 35, 3, 61, 240, 1].into_iter().enumerate() {
        if !kill(
            campaign,
            &broken,
            1 + round % 3,
            Duration::from_millis(moment),
        ) {
            break;
        }
        let path = broken.display().to_string();
        let mut resumed = slcert(&["run", "--resume", &path, FILTER]);
        campaign = resumed
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if round == 7 {
            let status = campaign.wait().unwrap();
            assert_eq!(status.code(), Some(1), "the flaw is seen");
            break;
        }
    }
    let (whole, resumed) = (
        record(&whole),
        Record::read(&broken.join("data/result.json")).unwrap(),
    );
    assert_eq!(verdicts(&whole), verdicts(&resumed));
    assert!(
        !resumed.interrupted
            && whole.planned == resumed.planned
            && whole.options == resumed.options
    );
    let (entries, _) = Journal::read(&broken.join("data/journal.jsonl")).unwrap();
    let count = |is: fn(&Event) -> bool| entries.iter().filter(|entry| is(&entry.event)).count();
    assert!(count(|event| matches!(event, Event::CampaignResumed { .. })) >= 3);
    // Nothing that had come to a verdict was run again.
    assert_eq!(
        count(|event| matches!(event, Event::TrialFinished(_))),
        resumed.trials.len()
    );
    let output = verify(&broken);
    assert!(output.status.success(), "{}", common::said(&output));
}

/// A campaign of one trial in a folder of its own.
fn short(folder: &Path) -> String {
    let out = folder.join("campaign");
    common::campaign(&out, &["--headless", "CR-7.8"]).unwrap();
    out.display().to_string()
}

#[test]
fn more_trials_of_the_plan_are_run_in_a_campaign_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = short(folder.path());
    let before = record(Path::new(&campaign)).trials.len();
    let output = slcert(&["run", "--resume", &campaign, "CR-1.12"])
        .output()
        .unwrap();
    let after = record(Path::new(&campaign));
    assert!(after.trials.len() > before, "{}", common::said(&output));
    assert!(verify(Path::new(&campaign)).status.success());
}

#[test]
fn what_was_changed_or_signed_or_is_of_another_rig_does_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = short(folder.path());
    let says = |code: i32, word: &str| {
        let output = slcert(&["run", "--resume", &campaign, "CR-1.12"])
            .output()
            .unwrap();
        let said = common::said(&output);
        assert!(
            output.status.code() == Some(code) && said.contains(word),
            "{said}"
        );
    };
    let evidence = Path::new(&campaign).join("data/evidence/notes.txt");
    std::fs::write(&evidence, "mine").unwrap();
    says(7, "added    data/evidence/notes.txt");
    std::fs::remove_file(&evidence).unwrap();
    std::fs::write(Path::new(&campaign).join("tagmanifest-sha256.txt.sig"), "").unwrap();
    says(2, "is signed");
    let output = slcert(&["run", "--resume", "/nowhere"]).output().unwrap();
    let said = common::said(&output);
    assert!(
        output.status.code() == Some(2) && said.contains("is no campaign's folder"),
        "{said}"
    );
    let output = slcert(&["run", "--resume", &campaign, "--seed", "8"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "what the campaign began with stays"
    );
}
