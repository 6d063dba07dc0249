//! How fast the fuzz suites are, with every answer judged and the device looked at, as ratios to bare loops that send one
//! fixed input to the same server, or to what a line can carry. Both sides have a core of their own.

#![allow(clippy::expect_used, reason = "a benchmark may end by a panic")]

mod line;
mod memory;
mod modbus;
mod narrowed;
mod silent;

use std::process::{Command, ExitCode};
use std::time::Duration;

use slcert_suites::fuzz::engine::Outcome;

/// How long each side runs, and how often; the medians are compared.
const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
/// Set in the process that is pinned.
const PINNED: &str = "SLCERT_BENCH_PINNED";

fn main() -> ExitCode {
    if std::env::var_os(PINNED).is_none() {
        let program = std::env::current_exe().expect("this program's path");
        let pinned = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .args(std::env::args_os().skip(1))
            .env(PINNED, "1")
            .status();
        return match pinned {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // `cargo bench --bench fuzz -- silent` runs one of them; cargo itself adds `--bench`.
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let runs = |name| wanted.as_deref().is_none_or(|wanted| wanted == name);
    runtime.block_on(async {
        if runs("modbus") {
            modbus::compare().await;
        }
        if runs("silent") {
            silent::compare().await;
        }
        if runs("line") {
            line::measure().await;
        }
        if wanted.as_deref() == Some("memory") {
            memory::measure().await;
        }
    });
    ExitCode::SUCCESS
}

/// These devices are sound: a finding is a fault of the bench's.
fn no_finding(outcome: &Outcome) {
    for reported in &outcome.reported {
        let finding = &reported.isolated.finding;
        println!("{}: {}: {}", finding.oracle, finding.what, finding.seen);
    }
    assert!(outcome.reported.is_empty(), "a finding on a sound device");
}

/// Says how fast the suite was beside a bare loop.
fn say(name: &str, bare: Vec<f64>, suite: Vec<f64>) {
    let (bare, suite) = (median(bare), median(suite));
    println!(
        "{name:34} bare loop {bare:8.0}/s, fuzz suite {suite:8.0}/s, ratio {:.2}",
        suite / bare
    );
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
