//! A campaign that is interrupted ends in the device's safe state, leaves no process behind, and keeps what it has recorded.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use slcert_reports::{Journal, Record};

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

/// The second field behind the name in brackets, proc(5).
fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

fn is_gone(process: u32) -> bool {
    let limit = Instant::now() + Duration::from_secs(20);
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
