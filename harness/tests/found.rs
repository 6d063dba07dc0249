//! What a fuzz suite has found is never lost: neither when its campaign is interrupted, nor when it is killed.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::{said, slcert, verify};
use slcert_reports::record::TrialRecord;
use slcert_reports::{Event, Journal, Record, Verdict};
use slcert_suites::fuzz::reproducer::Reproducer;

/// A suite of inputs, with a flaw that it sees soon.
const INPUTS: (&str, &str) = ("CR-3.5/fuzz-modbus@field", "beyond-the-map");
/// A suite of histories, with one that it sees soon.
const HISTORIES: (&str, &str) = ("CR-1.11/fuzz-histories", "spelling-not-counted");
/// The longest that anything here may take on a slow machine.
const LONGEST: Duration = Duration::from_secs(180);

/// Begins a campaign of one suite that would go on for hours.
fn begin(out: &Path, trial: &str, flaw: Option<&str>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slcert"));
    command
        .args(["run", "--stdin-guard", "--seed", "1", "--fuzz-time", "5h"])
        .args(["--exact", trial, "--out"])
        .arg(out)
        .args(flaw.into_iter().flat_map(|flaw| ["--flaw", flaw]))
        // A test that fails takes it along.
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn events(campaign: &Path) -> Vec<Event> {
    let read = Journal::read(&campaign.join("data/journal.jsonl"));
    let entries = read.map(|(entries, _)| entries).unwrap_or_default();
    entries.into_iter().map(|entry| entry.event).collect()
}

fn until(campaign: &Path, is: fn(&Event) -> bool) {
    let limit = Instant::now() + LONGEST;
    while !events(campaign).iter().any(is) {
        assert!(Instant::now() < limit, "nothing of it in the journal");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The same, once it has found something that decides, and is shown.
fn found(out: &Path, (trial, flaw): (&str, &str)) -> Child {
    let campaign = begin(out, trial, Some(flaw));
    until(out, |event| match event {
        Event::TrialFound(trial) => trial.verdict == Verdict::Fail && reproducer(trial).is_some(),
        _ => false,
    });
    campaign
}

/// The last reproducer among a trial's evidence: on a busy machine, something else may have been found before.
fn reproducer(trial: &TrialRecord) -> Option<&str> {
    let mut paths = trial.evidence.iter().map(|file| file.path.as_str());
    paths.rfind(|path| path.contains(".finding-"))
}

fn send(signal: &str, campaign: &Child) {
    let process = campaign.id().to_string();
    let status = Command::new("kill").args([signal, &process]).status();
    assert!(status.unwrap().success());
}

/// How a campaign ends that is over in a moment.
fn ended(mut campaign: Child) -> ExitStatus {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(status) = campaign.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > limit {
            let _ = campaign.kill();
            let _ = campaign.wait();
            panic!("it goes on");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The one trial of a campaign's record, which its folder holds whole.
fn one(campaign: &Path) -> TrialRecord {
    let record = Record::read(&campaign.join("data/result.json")).unwrap();
    assert!(record.interrupted);
    let output = verify(campaign);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(record.trials.len(), 1);
    record.trials[0].clone()
}

/// The finding stands with its reproducer, in the record and in JUnit.
fn stands(campaign: &Path, trial: &str) -> TrialRecord {
    let one = one(campaign);
    assert_eq!(
        (one.id.as_str(), one.verdict),
        (trial, Verdict::Fail),
        "{}",
        one.reason
    );
    let mut checks = one.checks.iter();
    assert!(checks.any(|check| check.verdict == Verdict::Fail && check.name.starts_with('O')));
    let path = campaign.join("data").join(reproducer(&one).unwrap());
    let text = std::fs::read_to_string(path).unwrap();
    Reproducer::read(&text).unwrap();
    let junit = std::fs::read_to_string(campaign.join("data/junit.xml")).unwrap();
    assert!(junit.contains("<failure"), "{junit}");
    one
}

#[test]
fn an_interrupted_suite_sums_up_and_keeps_its_findings() {
    for (signal, suite) in [("-INT", INPUTS), ("-TERM", HISTORIES)] {
        let folder = tempfile::tempdir().unwrap();
        let campaign = found(folder.path(), suite);
        send(signal, &campaign);
        assert_eq!(ended(campaign).code(), Some(130), "{signal}");
        let trial = stands(folder.path(), suite.0);
        let all = trial.checks.iter().find(|one| one.name == "all inputs");
        let all = all.unwrap();
        assert_eq!(all.verdict, Verdict::Fail);
        assert!(
            all.observed.contains("; ended early: interrupted"),
            "{}",
            all.observed
        );
    }
}

#[test]
fn a_second_interrupt_ends_at_once_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = found(folder.path(), HISTORIES);
    send("-INT", &campaign);
    send("-INT", &campaign);
    assert_eq!(ended(campaign).code(), Some(130));
    let output = slcert(&["report", &folder.path().display().to_string()]);
    assert!(output.status.success(), "{}", said(&output));
    stands(folder.path(), HISTORIES.0);
}

#[test]
fn a_suite_that_is_interrupted_before_it_finds_anything_is_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = begin(folder.path(), INPUTS.0, None);
    until(folder.path(), |event| {
        matches!(event, Event::TrialStarted { .. })
    });
    // Some inputs have come back.
    std::thread::sleep(Duration::from_secs(2));
    send("-INT", &campaign);
    assert_eq!(ended(campaign).code(), Some(130));
    let trial = one(folder.path());
    assert_eq!(
        (trial.verdict, trial.reason.as_str()),
        (Verdict::Inconclusive, "interrupted")
    );
}

#[test]
fn a_killed_suite_leaves_its_findings_in_the_journal() {
    for suite in [INPUTS, HISTORIES] {
        let folder = tempfile::tempdir().unwrap();
        let campaign = found(folder.path(), suite);
        send("-KILL", &campaign);
        ended(campaign);
        let path = folder.path().display().to_string();
        let output = slcert(&["report", &path]);
        assert!(output.status.success(), "{}", said(&output));
        let trial = stands(folder.path(), suite.0);
        let last = trial.checks.last().unwrap();
        assert_eq!(
            (last.name.as_str(), last.verdict),
            ("the trial's end", Verdict::Inconclusive)
        );
        // It has its verdict: nothing is run again, and nothing undone.
        let output = slcert(&["run", "--headless", "--resume", &path, "--exact", suite.0]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let resumed = common::record(folder.path());
        assert_eq!(resumed.trials, [trial]);
        assert!(verify(folder.path()).status.success());
        assert!(
            events(folder.path())
                .iter()
                .any(|event| matches!(event, Event::CampaignResumed { .. }))
        );
    }
}

#[test]
fn what_a_killed_suite_has_found_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = found(folder.path(), INPUTS);
    send("-KILL", &campaign);
    ended(campaign);
    let told = events(folder.path());
    let mut files = told.iter().filter_map(|event| match event {
        Event::TrialFound(trial) => reproducer(trial),
        _ => None,
    });
    let file = folder.path().join("data").join(files.next_back().unwrap());
    let file = file.display().to_string();
    let output = slcert(&["replay", &file, "--flaw", INPUTS.1, "--times", "3"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}
