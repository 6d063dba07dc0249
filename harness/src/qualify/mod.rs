//! `slcert qualify`: whether the suites find what they are there to find.
//!
//! The suites run against the sound simulated device, which no case may FAIL, and against the device with each of its
//! flaws, which the case of the flaw's requirement has to see. Each run is a campaign of its own in a process of its own.

mod child;
mod device;
mod interrupt;
mod matrix;
mod queue;
mod related;
mod row;
mod scratch;
mod work;

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use slcert_sim::Flaw;
use tempfile::TempDir;

use crate::command::Qualify;
use crate::signals::INTERRUPTED;
use crate::sources::{BENCH, USAGE};
use device::{Device, profile_for, slug, sound_devices};
use interrupt::Interrupt;
use queue::{jobs, side_by_side};
pub use row::{Other, Row};
use work::Work;

/// The exit code of a suite that misses its goal.
const MISSED: u8 = 1;
/// The profile that flaws are looked for with, unless another one is named.
pub const USUAL: &str = "embedded-device-sl4";
/// The seed of every campaign, unless another one is named: a qualification can be made again.
pub const SEED: u64 = 1;

/// What a lab files as the validation of its method.
#[derive(Debug, Serialize)]
struct Validation<'a> {
    slcert: &'static str,
    date: String,
    profile: &'a str,
    /// Whether each flawed device got the trials of the flaw's own requirement only.
    quick: bool,
    /// What every campaign's made-up values and generated inputs come from.
    seed: u64,
    /// Whether it was ended before all devices were tested.
    interrupted: bool,
    goal_reached: bool,
    devices: &'a [Row],
}

/// Runs the qualification.
pub fn qualify(qualify: &Qualify) -> ExitCode {
    let flaws: Vec<&'static Flaw> = slcert_sim::flaws()
        .iter()
        .filter(|flaw| {
            let filter = qualify.filter.as_deref().unwrap_or_default();
            flaw.name.contains(filter) || slug(flaw.requirement).contains(filter)
        })
        .collect();
    if flaws.is_empty() {
        eprintln!(
            "error: no flaw has this in its name or requirement; `slcert sim --list-flaws` lists them"
        );
        return ExitCode::from(USAGE);
    }
    let (scratch, program, interrupt) = match ready() {
        Ok(ready) => ready,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BENCH);
        }
    };
    let work = Work {
        program,
        folder: scratch.path().to_owned(),
        quick: qualify.quick,
        seed: qualify.seed,
        interrupt,
    };
    // The sound devices first: they take the longest, and say the most.
    let sound = match qualify.filter {
        Some(_) => Vec::new(),
        None => sound_devices(&qualify.profile),
    };
    let flawed = flaws.into_iter().map(|flaw| Device {
        flaw: Some(flaw),
        profile: profile_for(&qualify.profile, flaw),
    });
    let devices: VecDeque<_> = sound.into_iter().chain(flawed).collect();
    let jobs = qualify.jobs.unwrap_or_else(jobs);
    let total = devices.len();
    let rows = side_by_side(&work, devices, jobs.max(1));
    let interrupted = work.interrupt.came();
    let reached = !interrupted && rows.iter().all(Row::is_right);
    anstream::println!(
        "{}",
        matrix::text(&rows, std::io::stdout().is_terminal(), qualify.quick)
    );
    if let Some(out) = &qualify.out {
        let validation = Validation {
            slcert: env!("CARGO_PKG_VERSION"),
            date: jiff::Timestamp::now().to_string(),
            profile: &qualify.profile,
            quick: qualify.quick,
            seed: qualify.seed,
            interrupted,
            goal_reached: reached,
            devices: &rows,
        };
        let written = serde_json::to_string_pretty(&validation)
            .map_err(std::io::Error::other)
            .and_then(|text| std::fs::write(out, text + "\n"));
        if let Err(error) = written {
            eprintln!("error: {}: {error}", out.display());
            return ExitCode::from(BENCH);
        }
        anstream::println!("record  {}", out.display());
    }
    if interrupted {
        let tested = rows.len();
        anstream::println!("interrupted: {tested} of {total} devices were tested to the end");
        return ExitCode::from(INTERRUPTED);
    }
    ExitCode::from(if reached { 0 } else { MISSED })
}

/// A folder for what the campaigns leave, the program that runs them, and what ends them early.
fn ready() -> std::io::Result<(TempDir, PathBuf, Interrupt)> {
    let (scratch, program) = (scratch::folder()?, std::env::current_exe()?);
    Ok((scratch, program, Interrupt::listen()?))
}

/// Runs one flawed device through the trials of its own requirement, or through all of them; an error where it was not
/// judged as it should be.
///
/// # Errors
/// What went wrong, for people.
pub fn check(
    program: &Path,
    profile: &str,
    flaw: &'static Flaw,
    quick: bool,
    seed: u64,
) -> Result<(), String> {
    let scratch = scratch::folder().map_err(|error| error.to_string())?;
    let work = Work {
        program: program.to_owned(),
        folder: scratch.path().to_owned(),
        quick,
        seed,
        interrupt: Interrupt::default(),
    };
    let row = work.judge(Device {
        flaw: Some(flaw),
        profile: profile_for(profile, flaw),
    });
    if row.is_right() {
        Ok(())
    } else {
        Err(matrix::text(&[row], false, quick))
    }
}
