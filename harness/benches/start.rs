//! How long a user waits: for a list, and for the first trial on the simulated rig. Medians, and as a ratio to a program run
//! that does nothing (`slcert --version`), since machines differ.

#![allow(clippy::expect_used, reason = "a benchmark may end by a panic")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use slcert_reports::{Event, Journal};

const RUNS: usize = 11;

fn main() {
    let nothing = median(|| timed(&["--version"]));
    let list = median(|| timed(&["list"]));
    let first = median(to_first_trial);
    println!("slcert --version          {:7.1} ms", millis(nothing));
    for (what, time) in [("slcert list", list), ("start to the first trial", first)] {
        let ratio = time.as_secs_f64() / nothing.as_secs_f64();
        println!("{what:25} {:7.1} ms, {ratio:6.1} times that", millis(time));
    }
}

fn slcert(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slcert"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn timed(arguments: &[&str]) -> Duration {
    let began = Instant::now();
    let status = slcert(arguments).status();
    assert!(status.is_ok_and(|status| status.success()), "{arguments:?}");
    began.elapsed()
}

/// From the start of the process to the moment at which the journal has the first trial begin.
fn to_first_trial() -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().display().to_string();
    let began = jiff::Timestamp::now();
    let _ = slcert(&["run", "--out", &out, "CR-7.8/identification@field"]).status();
    let started = first_trial(folder.path()).expect("a journal with a trial");
    started
        .duration_since(began)
        .try_into()
        .expect("a trial after the start")
}

fn first_trial(folder: &Path) -> Option<jiff::Timestamp> {
    let (entries, _) = Journal::read(&folder.join("data/journal.jsonl")).ok()?;
    let first = entries
        .iter()
        .find(|entry| matches!(entry.event, Event::TrialStarted { .. }))?;
    Some(first.time)
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..RUNS).map(|_| measure()).collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
