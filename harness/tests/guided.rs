//! A person at a terminal answers the inspections.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use slcert_reports::{Journal, Record, Verdict};

/// A campaign of one inspection on a terminal.
struct Terminal {
    campaign: Child,
    line: File,
    shown: std::sync::mpsc::Receiver<Vec<u8>>,
}

impl Terminal {
    fn open(out: &Path, arguments: &[&str]) -> Self {
        let pair = openpty(None, None).unwrap();
        let campaign = Command::new(env!("CARGO_BIN_EXE_slcert"))
            .args(["run", "malicious-code", "--out"])
            .arg(out)
            .args(arguments)
            .stdin(pair.slave.try_clone().unwrap())
            .stderr(pair.slave)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let line = File::from(pair.master);
        let mut reader = line.try_clone().unwrap();
        let (sender, shown) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            campaign,
            line,
            shown,
        }
    }

    /// Waits for a prompt.
    fn expect(&self, prompt: &str) {
        let limit = Instant::now() + Duration::from_secs(60);
        let mut text = String::new();
        while !text.contains(prompt) {
            let left = limit.saturating_duration_since(Instant::now());
            let more = self.shown.recv_timeout(left);
            let more = more.unwrap_or_else(|_| panic!("`{prompt}` is not in: {text}"));
            text.push_str(&String::from_utf8_lossy(&more));
        }
    }

    fn answer(&mut self, prompt: &str, text: &str) {
        self.expect(prompt);
        writeln!(self.line, "{text}").unwrap();
    }

    fn exit(mut self) -> Option<i32> {
        self.campaign.wait().unwrap().code()
    }
}

#[test]
fn an_answer_reaches_the_journal_and_every_report() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("campaign");
    let photo = folder.path().join("seal.jpg");
    std::fs::write(&photo, "test").unwrap();
    let mut terminal = Terminal::open(&out, &["--operator", "A. Tester"]);
    terminal.answer("for help: ", "fail");
    terminal.answer("your name [A. Tester]: ", "");
    terminal.answer("what you saw", "the seal was loose");
    terminal.answer("no more): ", &photo.display().to_string());
    terminal.answer("no more): ", "");
    assert_eq!(terminal.exit(), Some(1));
    let record = Record::read(&out.join("data/result.json")).unwrap();
    assert!(!record.interrupted);
    let one = &record.attestations[0];
    assert_eq!(
        (one.outcome, one.reviewer.as_str()),
        (Verdict::Fail, "A. Tester")
    );
    assert_eq!(
        std::fs::read(out.join("data").join(&one.files[0].path)).unwrap(),
        b"test"
    );
    let (entries, torn) = Journal::read(&out.join("data/journal.jsonl")).unwrap();
    assert!(torn.is_none());
    assert_eq!(
        Record::from_journal(&entries).unwrap().attestations,
        record.attestations
    );
    let junit = std::fs::read_to_string(out.join("data/junit.xml")).unwrap();
    assert!(junit.contains("seen by A. Tester"), "{junit}");
    assert!(junit.contains(&one.files[0].sha256), "{junit}");
}

#[test]
fn an_interrupt_while_asking_leaves_a_whole_campaign_under_review() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::open(&folder.path().join("campaign"), &[]);
    terminal.expect("for help: ");
    let process = terminal.campaign.id().to_string();
    let sent = Command::new("kill").args(["-INT", &process]).status();
    assert!(sent.unwrap().success());
    terminal.expect("stays REVIEW");
    assert_eq!(terminal.exit(), Some(5));
    let record = Record::read(&folder.path().join("campaign/data/result.json")).unwrap();
    assert!(!record.interrupted);
    assert!(record.attestations.is_empty());
}

#[test]
fn headless_asks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::open(&folder.path().join("campaign"), &["--headless"]);
    assert_eq!(terminal.exit(), Some(5));
}
