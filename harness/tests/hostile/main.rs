//! Every trial against a device that says whatever it likes: nothing of it reaches a file of text or the terminal but as text,
//! and however much it says, the harness stays small.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

#[path = "../common/mod.rs"]
mod common;
mod peer;
mod run;

use std::sync::atomic::Ordering;
use std::thread;

use run::{Left, campaign, dealt};
use slcert_reports::Verdict;

/// The most memory that the harness may hold, in KiB.
const MEMORY: u64 = 300 * 1024;
/// How many campaigns share the trials. Most of their time they wait for what never comes, and the seven trials that do so
/// the longest stand within a dozen of the list.
const SIDE_BY_SIDE: usize = 12;

/// No command that a CI server finds in what is printed.
fn assert_no_command(text: &str, name: &str) {
    for (number, line) in text.split('\n').enumerate() {
        assert!(
            !line.trim_start().starts_with("::"),
            "{line:?} in line {number} of {name}"
        );
        let upper = line.to_ascii_uppercase();
        for command in [
            "##[",
            "##VSO[",
            "##TEAMCITY[",
            "[[ATTACHMENT|/",
            "[[PROPERTY|VERDICT=PASS",
        ] {
            assert!(
                !upper.contains(command),
                "{command} in line {number} of {name}"
            );
        }
    }
}

/// No character that does something.
fn assert_harmless(text: &str, name: &str) {
    for (number, line) in text.split('\n').enumerate() {
        let line = line
            .strip_suffix('\r')
            .filter(|_| name.ends_with(".csv"))
            .unwrap_or(line);
        for c in line.chars() {
            let hidden = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}');
            assert!(
                c == '\t' || !(c.is_control() || hidden),
                "{c:?} in line {number} of {name}"
            );
        }
    }
}

#[test]
fn a_campaign_against_a_hostile_device_leaves_text_alone_and_stays_small() {
    let mut listed = run::trials();
    let hands = dealt(&listed, SIDE_BY_SIDE);
    let left: Vec<Left> = thread::scope(|scope| {
        let campaigns: Vec<_> = hands
            .iter()
            .map(|hand| scope.spawn(|| campaign(hand)))
            .collect();
        campaigns
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect()
    });
    let mut trials = Vec::new();
    let mut heard = [
        ("console", false),
        ("field", false),
        ("gateway", false),
        ("plc", false),
    ];
    for left in &left {
        let root = left.folder.path().join("campaign");
        let record = common::record(&root);
        assert!(!record.interrupted, "{}", left.stderr);
        for (text, name) in [
            (&left.stdout, "standard output"),
            (&left.stderr, "standard error"),
        ] {
            assert_harmless(text, name);
            assert_no_command(text, name);
        }
        for (name, bytes) in common::files(&root) {
            assert_file(&name, bytes, record.trials.len(), &mut heard);
        }
        let spent = left.stdout.find("\ntime  ").unwrap_or(0);
        println!("peak memory {} KiB{}", left.peak, &left.stdout[spent..]);
        assert!(left.peak > 0 && left.peak < MEMORY, "{} KiB", left.peak);
        assert!(common::verify(&root).status.success());
        trials.extend(record.trials);
    }
    let mut ran: Vec<_> = trials.iter().map(|trial| trial.id.clone()).collect();
    ran.sort();
    listed.sort();
    assert!(ran.len() > 100 && ran == listed, "{ran:?}");
    // It was heard on each of its interfaces.
    let whole = serde_json::to_string(&trials).unwrap();
    assert!(whole.contains("forged") && whole.contains("owned"));
    assert!(heard.iter().all(|(_, heard)| *heard), "{heard:?}");
    for (said, interface) in
        peer::SAID
            .iter()
            .zip(["stream-console", "stream-field", "stream-gateway"])
    {
        assert!(
            said.load(Ordering::SeqCst) > 10_000,
            "{interface} went on and on"
        );
        let id = format!("CR-7.8/identification@{interface}");
        let asked = trials.iter().find(|trial| trial.id == id).unwrap();
        // Whatever it came to, it came to an end, and to no PASS.
        assert_ne!(asked.verdict, Verdict::Pass, "{id}");
    }
}

/// One file that a campaign left is harmless; whether it is evidence in which an interface was heard.
fn assert_file(name: &str, bytes: Vec<u8>, trials: usize, heard: &mut [(&str, bool)]) {
    assert!(bytes.len() < 64 * 1024 * 1024, "{name}");
    // Packets are bytes, for tools that read packets.
    if name.ends_with(".pcapng") {
        return;
    }
    let text = String::from_utf8(bytes);
    let text = text.unwrap_or_else(|_| panic!("{name} is no text"));
    assert_harmless(&text, name);
    // What was recorded is read in an editor, and printed by nobody.
    if !name.contains("evidence/") {
        assert_no_command(&text, name);
    }
    for (interface, heard) in heard {
        let evidence = name.contains("evidence/") && name.contains(&format!("@{interface}."));
        *heard |= evidence && text.contains("forged");
    }
    match name {
        "data/report.html" => {
            assert_eq!(text.matches("<script").count(), 1);
            assert!(!text.contains("<img"));
        }
        "data/junit.xml" => {
            let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
            let cases = read.test_suites.iter().flat_map(|suite| &suite.test_cases);
            assert!(cases.clone().count() > trials.max(100));
            assert!(cases.clone().all(|case| case.name.as_str() != "forged"));
        }
        "data/requirements.csv" => {
            let formula = |cell: &str| {
                cell.trim_start_matches('"')
                    .starts_with(['=', '+', '@', '\t'])
            };
            let cells = text.lines().flat_map(|line| line.split(','));
            assert!(!cells.clone().any(formula));
        }
        _ => {}
    }
}

#[test]
fn no_device_forges_an_event() {
    let left = campaign(&["--format", "jsonl", "CR-7.8"].map(str::to_owned));
    assert_harmless(&left.stdout, "events");
    assert_no_command(&left.stdout, "events");
    assert_harmless(&left.stderr, "standard error");
    let events: Vec<serde_json::Value> = left
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let finished = events
        .iter()
        .filter(|event| event["event"] == "campaign_finished");
    assert_eq!(finished.count(), 1);
    assert_eq!(events.last().unwrap()["exit_code"], 1);
}
