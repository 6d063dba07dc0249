//! A campaign that is killed at any moment loses nothing that was recorded: it goes on, and comes to what an unbroken one
//! comes to, but for times. The number of kills is small beside other tests, and 200 where everything has to be here
//! (`SLCERT_REQUIRE`) or `SLCERT_KILLS` says so.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use slcert_reports::{Event, Journal, Record};

/// The trials: a few, and quick, on each interface.
const FILTER: &str = "CR-7.8";
/// How many campaigns are killed side by side.
const SIDE_BY_SIDE: u64 = 4;
/// The most kills that one campaign is to survive before it is let be.
const MOST: usize = 12;

fn kills() -> usize {
    let told = std::env::var("SLCERT_KILLS").ok();
    let all = std::env::var_os("SLCERT_REQUIRE").is_some();
    let usual = if all { 200 } else { 40 };
    told.and_then(|told| told.parse().ok()).unwrap_or(usual)
}

fn begin(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slcert"));
    command
        .args(["run", "--headless", "--seed", "7", "--out"])
        .arg(out);
    quiet(command)
}

fn go_on(campaign: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slcert"));
    command
        .args(["run", "--headless", "--resume"])
        .arg(campaign);
    quiet(command)
}

fn quiet(mut command: Command) -> Command {
    command
        .arg(FILTER)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// SplitMix64 (Steele, Lea and Flood 2014): a seed that is printed shows the same moments again.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut number = *state;
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// What a campaign came to, without times, and without what differs from run to run.
fn timeless(campaign: &Path) -> Record {
    let mut record = Record::read(&campaign.join("data/result.json")).unwrap();
    record.started = jiff::Timestamp::UNIX_EPOCH;
    record.finished = record.finished.map(|_| record.started);
    // One for each time that it was begun.
    record.selftest.clear();
    for trial in &mut record.trials {
        trial.started = record.started;
        trial.duration_ms = 0;
        trial.waited_ms = 0;
        // What is drawn of it is times and readings alone.
        trial.timeline = None;
        trial
            .evidence
            .iter_mut()
            .for_each(|file| file.sha256.clear());
        // Each start makes another simulated device, with a serial number of its own.
        for check in &mut trial.checks {
            let serial = |part: &str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit());
            let parts = check.observed.split(|c: char| !c.is_ascii_digit());
            let serials: Vec<String> = parts
                .filter(|part| serial(part))
                .map(str::to_owned)
                .collect();
            for found in serials {
                check.observed = check.observed.replace(&found, "SERIAL");
            }
        }
    }
    record
}

/// Whether anything was recorded: a journal with a whole line.
fn has_begun(campaign: &Path) -> bool {
    let journal = std::fs::read(campaign.join("data/journal.jsonl"));
    journal.is_ok_and(|bytes| bytes.contains(&b'\n'))
}

/// Runs a campaign that is killed again and again, and adds the kills; its folder.
fn story(
    folder: &Path,
    seed: u64,
    length: Duration,
    killed: &AtomicUsize,
    kills: usize,
) -> PathBuf {
    let mut state = seed;
    let mut attempt = 0;
    let mut campaign = folder.join("campaign");
    let mut own = 0;
    loop {
        let mut child = match has_begun(&campaign) {
            true => go_on(&campaign),
            // Torn in its first line, it holds nothing that could go on.
            false => {
                if campaign.join("data/journal.jsonl").exists() {
                    assert_eq!(
                        go_on(&campaign).status().unwrap().code(),
                        Some(2),
                        "seed {seed}"
                    );
                    attempt += 1;
                    campaign = folder.join(attempt.to_string()).join("campaign");
                }
                begin(&campaign)
            }
        }
        .spawn()
        .unwrap();
        if own == MOST || killed.load(Ordering::SeqCst) >= kills {
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(5), "seed {seed}");
            return campaign;
        }
        let moment = random(&mut state) % (length.as_micros() as u64);
        std::thread::sleep(Duration::from_micros(moment));
        match child.try_wait().unwrap() {
            Some(status) => {
                assert_eq!(status.code(), Some(5), "seed {seed}");
                return campaign;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                killed.fetch_add(1, Ordering::SeqCst);
                own += 1;
            }
        }
    }
}

/// Compares a campaign that was killed with one that was not.
fn is_the_same(campaign: &Path, whole: &Record, seed: u64) {
    if !campaign.join("data/result.json").exists() {
        panic!("seed {seed}: {} has no record", campaign.display());
    }
    let (entries, torn) = Journal::read(&campaign.join("data/journal.jsonl")).unwrap();
    assert!(torn.is_none(), "seed {seed}");
    let finished = entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::TrialFinished(_)));
    assert_eq!(
        finished.count(),
        whole.trials.len(),
        "seed {seed}: nothing is run twice"
    );
    // A record is long: what differs says enough.
    let lines = |record: &Record| serde_json::to_string_pretty(record).unwrap();
    let (this, that) = (lines(&timeless(campaign)), lines(whole));
    let differ = this.lines().zip(that.lines()).find(|(a, b)| a != b);
    assert!(this == that, "seed {seed}: {differ:?}");
    let verified = common::verify(campaign);
    assert!(
        verified.status.success(),
        "seed {seed}: {}",
        common::said(&verified)
    );
}

#[test]
fn whenever_a_campaign_is_killed_it_comes_to_what_an_unbroken_one_comes_to() {
    let scratch = tempfile::tempdir().unwrap();
    let unbroken = scratch.path().join("campaign");
    let began = Instant::now();
    assert_eq!(begin(&unbroken).status().unwrap().code(), Some(5));
    let length = began.elapsed();
    let whole = timeless(&unbroken);
    let (killed, kills) = (AtomicUsize::new(0), kills());
    let seed = std::env::var("SLCERT_KILL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(slcert_suites::fresh::seed_from_clock);
    println!("{kills} kills within {length:?}, seed {seed}");
    std::thread::scope(|scope| {
        for lane in 0..SIDE_BY_SIDE {
            let (killed, whole, scratch) = (&killed, &whole, scratch.path());
            scope.spawn(move || {
                for round in 0.. {
                    if killed.load(Ordering::SeqCst) >= kills {
                        return;
                    }
                    let seed = seed.wrapping_add(lane << 32 | round);
                    let folder = scratch.join(format!("{lane}-{round}"));
                    // It is longer where several run side by side.
                    let campaign = story(&folder, seed, length * 2, killed, kills);
                    is_the_same(&campaign, whole, seed);
                    std::fs::remove_dir_all(&folder).unwrap();
                }
            });
        }
    });
    assert!(killed.load(Ordering::SeqCst) >= kills);
}
