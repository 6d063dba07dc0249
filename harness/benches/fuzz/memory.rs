//! What this program holds while the fuzz suite for Modbus TCP sends ten million inputs on kept connections. It takes a quarter
//! of an hour, so it is run only where it is asked for: `cargo bench --bench fuzz -- memory`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slcert_suites::fuzz::engine::{self, Budget};

use super::modbus::{Device, Single};
use super::narrowed::Narrowed;
use slcert_suites::fuzz::target::Target;

/// After how many inputs it is looked at.
const MARKS: [u64; 6] = [
    100_000, 1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

pub async fn measure() {
    let device = Device::start().await;
    let target = device.target();
    let single = Narrowed::new(
        &target,
        Arc::new(Single {
            grammar: target.grammar(),
            anew: false,
        }),
    );
    let over = AtomicBool::new(false);
    let watch = async {
        let mut marks = MARKS.into_iter().peekable();
        while !over.load(Ordering::Relaxed) {
            if let Some(mark) = marks.next_if(|mark| single.sent() >= *mark) {
                println!("memory after {mark:>10} inputs   {:.1} MiB", resident());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let budget = Budget {
        time: Duration::from_secs(3600),
        inputs: MARKS.last().copied(),
        seed: 1,
        ..Budget::default()
    };
    let run = async {
        let outcome = engine::run(device.bench(), &single, budget).await;
        over.store(true, Ordering::Relaxed);
        outcome.expect("a device that serves")
    };
    let (outcome, ()) = tokio::join!(run, watch);
    println!(
        "memory after {:>10} inputs   {:.1} MiB, in {:.0} s, {} findings",
        outcome.coverage.inputs(),
        resident(),
        outcome.time.as_secs_f64(),
        outcome.reported.len()
    );
    device.stop().await;
}

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse::<f64>().ok())
        .expect("a size")
        / 1024.0
}
