//! A campaign that is interrupted ends in the device's safe state, leaves no process behind, and keeps what it has recorded.
//! So does a qualification with all of its campaigns.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use slcert_reports::{Journal, Record};

/// The longest that an end may take on a slow machine: less than a whole campaign takes, and less than one that is interrupted is
/// given before it is killed.
const SOON: Duration = Duration::from_secs(50);

/// Starts a campaign, and waits until its first trial was recorded.
fn started(out: &Path) -> Child {
    let mut campaign = Command::new(env!("CARGO_BIN_EXE_slcert"))
        .args(["run", "--out"])
        .arg(out)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(campaign.stdout.take().unwrap()).lines();
    let (sender, first) = std::sync::mpsc::channel();
    // The output is read to its end: a program whose output nobody takes would wait.
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if line.starts_with("test ") {
                let _ = sender.send(());
            }
        }
    });
    first.recv_timeout(Duration::from_secs(60)).unwrap();
    campaign
}

fn send(signal: &str, process: u32) {
    let status = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| parent_of(*process) == Some(parent))
        .collect()
}

/// The second field behind the name in brackets, proc(5); none for what has ended, and waits to be asked how.
fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok();
    parent.filter(|_| state != "Z")
}

fn is_gone(process: u32) -> bool {
    let limit = Instant::now() + SOON;
    while Instant::now() < limit {
        if parent_of(process).is_none() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn an_interrupt_leaves_a_valid_partial_record_and_no_process() {
    for signal in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let mut campaign = started(folder.path());
        let device = children(campaign.id());
        assert_eq!(device.len(), 1, "the device is the only process");
        send(signal, campaign.id());
        let status = campaign.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{signal}");
        assert!(is_gone(device[0]));
        let record = Record::read(&folder.path().join("data/result.json")).unwrap();
        assert!(record.interrupted);
        assert!(!record.trials.is_empty() && record.trials.len() < record.planned.len());
        let junit = std::fs::read_to_string(folder.path().join("data/junit.xml")).unwrap();
        quick_junit::Report::deserialize_from_str(&junit).unwrap();
    }
}

#[test]
fn a_killed_campaign_takes_its_device_along_and_keeps_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut campaign = started(folder.path());
    let device = children(campaign.id());
    send("-KILL", campaign.id());
    campaign.wait().unwrap();
    assert!(is_gone(device[0]));
    let (entries, _) = Journal::read(&folder.path().join("data/journal.jsonl")).unwrap();
    let record = Record::from_journal(&entries).unwrap();
    assert_eq!(record.trials.len(), 1);
}

/// Begins a qualification.
fn qualify() -> Child {
    Command::new(env!("CARGO_BIN_EXE_slcert"))
        // A whole campaign, and one of a fuzz suite: neither is over soon.
        .args(["qualify", "--jobs", "2", "lockout-per"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The processes of both campaigns of a qualification and of their devices, once they run.
fn begun(qualification: &Child) -> Vec<u32> {
    let limit = Instant::now() + Duration::from_secs(60);
    while Instant::now() < limit {
        let campaigns = children(qualification.id());
        let devices: Vec<_> = campaigns.iter().flat_map(|one| children(*one)).collect();
        if campaigns.len() == 2 && devices.len() == 2 {
            return [campaigns, devices].concat();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    send("-INT", qualification.id());
    panic!("two campaigns do not begin");
}

#[test]
fn a_qualification_that_is_interrupted_ends_its_campaigns_and_says_how_far_it_came() {
    for signal in ["-INT", "-TERM"] {
        let qualification = qualify();
        let begun = begun(&qualification);
        let began = Instant::now();
        send(signal, qualification.id());
        let output = qualification.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}");
        assert!(began.elapsed() < SOON, "it waits for its campaigns");
        for process in begun {
            assert!(is_gone(process), "{process} outlives it");
        }
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains("of 2 devices were tested to the end"),
            "{said}"
        );
    }
}

#[test]
fn a_qualification_that_is_killed_takes_its_campaigns_along() {
    let mut qualification = qualify();
    let begun = begun(&qualification);
    let scratch = scratch(begun[0]);
    send("-KILL", qualification.id());
    qualification.wait().unwrap();
    for process in begun {
        assert!(is_gone(process), "{process} goes on");
    }
    std::fs::remove_dir_all(scratch).unwrap();
}

/// The folder of a qualification, by one of its campaigns.
fn scratch(campaign: u32) -> PathBuf {
    let environment = std::fs::read(format!("/proc/{campaign}/environ")).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    let mut variables = environment.split('\0');
    let scratch = variables.find_map(|one| one.strip_prefix("TMPDIR="));
    PathBuf::from(scratch.unwrap())
}
