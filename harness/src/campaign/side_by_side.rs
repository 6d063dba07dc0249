//! The trials of the simulated rig as tests: on several devices side by side, without reports.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use slcert_profiles::Profile;
use slcert_suites::Trial;
use slcert_suites::fuzz::Budget;

use super::fixed;
use super::folder::Folder;
use super::listed;
use super::runner::{self, Benches, Runner};
use crate::command::Run;
use crate::list::trials;
use crate::sources::{self, BENCH};

/// How much a fuzz suite does where the trials are tests.
const BRIEFLY: Budget = Budget {
    time: Duration::from_secs(2),
    inputs: None,
    seed: 0,
    first: false,
};

/// How many simulated devices are tested side by side where the trials are tests.
const SIDE_BY_SIDE: usize = 3;

/// Runs the trials of the simulated rig as tests, on several devices side by side, and keeps no reports. `program` is
/// slcert: it is the device, too.
pub fn as_tests(mut arguments: libtest_mimic::Arguments, program: &Path) -> ExitCode {
    let run = Run::default();
    let loaded = sources::profile(&run.on).and_then(|profile| {
        let rig = sources::rig(None, Some(&profile))?;
        Ok((profile, rig))
    });
    let (profile, rig) = match loaded {
        Ok(loaded) => loaded,
        Err(unusable) => return unusable.into(),
    };
    let planned = trials(&profile, &rig.rig);
    if arguments.list {
        return listed(&planned, &arguments).exit_code();
    }
    // Whoever names one trial exactly, as nextest does, needs one device.
    let devices = if arguments.exact { 1 } else { SIDE_BY_SIDE };
    let benches = match benches(devices, &run, &profile, &planned, program) {
        Ok(benches) => benches,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BENCH);
        }
    };
    arguments.test_threads = Some(devices);
    let trials = planned
        .into_iter()
        .map(|trial| runner::mimic_on_one_of(&benches, trial))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    for runner in benches
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        runner.end();
    }
    conclusion.exit_code()
}

/// Benches with a simulated device each, and with folders that go when they do.
fn benches(
    devices: usize,
    run: &Run,
    profile: &Profile,
    planned: &[Trial],
    program: &Path,
) -> Result<Benches, String> {
    let mut benches = Vec::new();
    for _ in 0..devices {
        let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
        let rig = sources::rig(None, Some(profile))
            .map_err(|_| "the built-in rig file is not usable".to_owned())?;
        let folder = Folder::create(Some(&scratch.path().join("campaign")), &run.on.profile)
            .map_err(|error| error.to_string())?;
        let record = fixed::record(run, profile, &rig, planned, folder.name());
        let evidence = run.evidence.clone();
        let runner = Runner::start(rig, folder, record, BRIEFLY, evidence, Some(program))
            .map_err(|error| error.to_string())?;
        benches.push(Arc::new(runner.with(scratch)));
    }
    Ok(Arc::new(Mutex::new(benches)))
}
