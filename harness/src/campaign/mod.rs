//! `slcert run`: one campaign, from the files to the reports.

mod folder;
mod github;
mod guide;
mod resume;
mod runner;
pub mod time;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use slcert_profiles::Profile;
use slcert_reports::bag::signature::{self, Key};
use slcert_reports::bag::{self, DATA};
use slcert_reports::record::{DutRecord, PlannedRecord, ProfileRecord, RigRecord, SelectionRecord};
use slcert_reports::{Record, assess, exit_status, summary};
use slcert_suites::case::Kind;
use slcert_suites::fuzz::Budget;
use slcert_suites::{Trial, fresh};

use crate::command::{Fuzz, Run};
use crate::list::trials;
use crate::report::{self, Unwritten};
use crate::sources::{self, BENCH, RigFile, USAGE};
use folder::Folder;
use github::Quiet;
use runner::{Benches, Runner};

/// Runs a campaign, and reports it.
pub fn run(run: &Run) -> ExitCode {
    let begun = match &run.resume {
        Some(campaign) => resume::go_on(run, campaign),
        None => begin(run),
    };
    match begun {
        Ok(Some(begun)) => carry_out(run, begun),
        Ok(None) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

/// A campaign that can be carried out.
struct Begun {
    rig: RigFile,
    folder: Folder,
    record: Record,
    /// The trials that are to be run.
    planned: Vec<Trial>,
    budget: Budget,
    key: Option<Key>,
}

/// What is asked for: the profile, the rig and the trials that they make.
struct Asked {
    profile: Profile,
    rig: RigFile,
    planned: Vec<Trial>,
}

impl Asked {
    /// Reads the files that the command line names.
    fn read(run: &Run) -> Result<Self, ExitCode> {
        let profile = sources::profile(&run.on)?;
        let mut rig = sources::rig(run.on.rig.as_deref(), Some(&profile))?;
        sources::add_flaws(&run.flaw, &mut rig).map_err(usage)?;
        let planned = trials(&profile, &rig.rig);
        Ok(Self {
            profile,
            rig,
            planned,
        })
    }
}

/// A campaign of its own; none where its trials were only to be listed.
fn begin(run: &Run) -> Result<Option<Begun>, ExitCode> {
    let Asked {
        profile,
        rig,
        planned,
    } = Asked::read(run)?;
    let attestations = sources::attestations(run.attestations.as_deref())?;
    let key = key(run)?;
    if run.libtest.list {
        let _ = listed(&planned, &run.libtest);
        return Ok(None);
    }
    if !profile.components().contains(&rig.rig.dut.component) {
        let types: Vec<_> = profile
            .components()
            .iter()
            .map(|component| component.word())
            .collect();
        return Err(usage(format!(
            "the profile `{}` is for {}, and the rig's device is a {}\n       choose a profile for it with --profile; \
             `slcert list --profiles` lists the built-in ones",
            profile.id,
            types.join(", "),
            rig.rig.dut.component.word()
        )));
    }
    let folder = Folder::create(run.out.as_deref(), &run.on.profile).map_err(usage)?;
    let mut record = record(run, &profile, &rig, &planned, folder.name());
    record.attestations = attestations;
    Ok(Some(Begun {
        rig,
        folder,
        record,
        planned,
        budget: budget(run),
        key,
    }))
}

/// A key that cannot be used is told of before the campaign, not after it.
fn key(run: &Run) -> Result<Option<Key>, ExitCode> {
    run.sign
        .as_deref()
        .map(Key::read)
        .transpose()
        .map_err(usage)
}

fn usage(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(USAGE)
}

/// Runs the trials, asks for the inspections, and reports.
fn carry_out(run: &Run, begun: Begun) -> ExitCode {
    let Begun {
        rig,
        folder,
        record,
        planned,
        budget,
        key,
    } = begun;
    let quiet = Quiet::begin();
    header(&record, &rig, planned.len());
    let guided = !run.headless && (run.guided || guide::has_person());
    if guided {
        announce(&planned, &run.libtest);
    }
    let runner = match Runner::start(rig, folder.clone(), record, budget, None) {
        Ok(runner) => Arc::new(runner),
        Err(error) => {
            folder.discard();
            eprintln!("error: {error}");
            return ExitCode::from(BENCH);
        }
    };
    // The verdicts are in the record: they say more than passed and failed.
    let _ = one_by_one(&runner, planned, &run.libtest);
    if guided {
        runner.inspect(run.operator.clone());
    }
    finish(run, &runner, key.as_ref(), quiet)
}

/// Says how many inspections will be asked for, so that whoever is at the bench knows when to be there.
fn announce(planned: &[Trial], arguments: &libtest_mimic::Arguments) {
    let named = |id: &str, pattern: &String| match arguments.exact {
        true => id == pattern,
        false => id.contains(pattern.as_str()),
    };
    let inspections = planned.iter().filter(|trial| {
        let id = trial.id();
        trial.case.kind == Kind::Inspection
            && arguments.filter.iter().all(|filter| named(&id, filter))
            && !arguments.skip.iter().any(|skip| named(&id, skip))
    });
    let count = inspections.count();
    if count > 0 {
        eprintln!("inspections {count}, asked for after the trials; --headless asks for none");
    }
}

/// How much the fuzz suites of a run do; the seed is that of the record.
fn budget(run: &Run) -> Budget {
    Budget {
        time: run.fuzz.fuzz_time,
        inputs: run.fuzz.fuzz_cases,
        first: run.fuzz.fuzz_first,
        ..Budget::default()
    }
}

/// How much a fuzz suite does where the trials are tests.
const BRIEFLY: Budget = Budget {
    time: Duration::from_secs(2),
    inputs: None,
    seed: 0,
    first: false,
};

/// What a campaign leaves, the first to look at first.
const LEFT: [&str; 8] = [
    "report.html",
    "summary.md",
    "junit.xml",
    "requirements.csv",
    "ctrf.json",
    "result.json",
    "journal.jsonl",
    "evidence",
];

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
        let record = record(run, profile, &rig, planned, folder.name());
        let runner = Runner::start(rig, folder, record, BRIEFLY, Some(program))
            .map_err(|error| error.to_string())?;
        benches.push(Arc::new(runner.with(scratch)));
    }
    Ok(Arc::new(Mutex::new(benches)))
}

/// libtest's own listing, so that tools that drive tests can read it.
fn listed(planned: &[Trial], arguments: &libtest_mimic::Arguments) -> libtest_mimic::Conclusion {
    let listed = planned
        .iter()
        .map(|trial| libtest_mimic::Trial::test(trial.id(), || Ok::<_, libtest_mimic::Failed>(())));
    libtest_mimic::run(arguments, listed.collect())
}

/// Runs trials. A rig is one resource: they never overlap, whatever the arguments say.
fn one_by_one(
    runner: &Arc<Runner>,
    planned: Vec<Trial>,
    arguments: &libtest_mimic::Arguments,
) -> libtest_mimic::Conclusion {
    let mut arguments = arguments.clone();
    arguments.test_threads = Some(1);
    let trials = planned
        .into_iter()
        .map(|trial| runner::mimic(runner, trial))
        .collect();
    libtest_mimic::run(&arguments, trials)
}

fn header(record: &Record, rig: &RigFile, trials: usize) {
    anstream::println!("slcert {}", record.slcert);
    anstream::println!("profile  {} {}", record.profile.id, record.profile.version);
    anstream::println!("rig      {}", rig.name);
    anstream::println!(
        "device   {} {}, firmware {}, {}",
        record.dut.vendor,
        record.dut.product,
        record.dut.firmware,
        record.dut.component.word()
    );
    anstream::println!("trials   {trials}");
    let _ = std::io::stdout().flush();
}

/// What is fixed before the run.
fn record(
    run: &Run,
    profile: &Profile,
    rig: &RigFile,
    planned: &[Trial],
    campaign: &str,
) -> Record {
    let seed = run.seed.unwrap_or_else(fresh::seed_from_clock);
    fresh::begin(seed);
    let excluded: Vec<_> = profile
        .excluded()
        .map(|(row, why)| (row.id, why.to_owned()))
        .collect();
    let dut = &rig.rig.dut;
    let selection = profile
        .basis()
        .requirements()
        .iter()
        .filter(|row| row.applies_to(dut.component))
        .map(|row| SelectionRecord {
            id: row.id,
            title: row.title.clone(),
            level: row.level.get().max(1),
            excluded: excluded
                .iter()
                .find(|(id, _)| *id == row.id)
                .map(|(_, why)| why.clone()),
        })
        .collect();
    Record {
        format: slcert_reports::record::FORMAT,
        slcert: env!("CARGO_PKG_VERSION").to_owned(),
        campaign: campaign.to_owned(),
        started: jiff::Timestamp::now(),
        finished: None,
        interrupted: false,
        profile: ProfileRecord {
            id: profile.id.clone(),
            title: profile.title.clone(),
            version: profile.version.to_string(),
            sha256: profile.sha256().to_owned(),
            status: format!("{:?}", profile.status).to_lowercase(),
        },
        rig: RigRecord {
            file: rig.name.clone(),
            sha256: rig.sha256.clone(),
        },
        dut: DutRecord {
            product: dut.product.clone(),
            vendor: dut.vendor.clone(),
            firmware: dut.firmware.clone(),
            serial: dut.serial.clone(),
            component: dut.component,
        },
        claim: profile.claim().0.map(|level| level.get()),
        selection,
        seed,
        options: options(run),
        planned: planned
            .iter()
            .map(|trial| PlannedRecord {
                id: trial.id(),
                title: trial.case.title.to_owned(),
                requirements: trial.requirements.clone(),
                interface: trial.interface.clone(),
            })
            // What a filter leaves out stays planned: a campaign demonstrates nothing by what it does not run.
            .collect(),
        attestations: Vec::new(),
        trials: Vec::new(),
    }
}

/// What names profile, rig and flaws, and how much is done, on the command line.
fn options(run: &Run) -> Vec<String> {
    let mut options = vec!["--profile".to_owned(), run.on.profile.clone()];
    if let Some(rig) = &run.on.rig {
        options.extend(["--rig".to_owned(), rig.display().to_string()]);
    }
    for flaw in &run.flaw {
        options.extend(["--flaw".to_owned(), flaw.clone()]);
    }
    let usual = Fuzz::default();
    if run.fuzz.fuzz_time != usual.fuzz_time {
        let time = format!("{}ms", run.fuzz.fuzz_time.as_millis());
        options.extend(["--fuzz-time".to_owned(), time]);
    }
    if let Some(cases) = run.fuzz.fuzz_cases {
        options.extend(["--fuzz-cases".to_owned(), cases.to_string()]);
    }
    if run.fuzz.fuzz_first {
        options.push("--fuzz-first".to_owned());
    }
    options
}

/// Ends the device, writes the reports, and says what was found.
fn finish(run: &Run, runner: &Runner, key: Option<&Key>, quiet: Quiet) -> ExitCode {
    let record = runner.end();
    let assessment = assess(&record);
    let folder = runner.folder();
    let written = record
        .write(&folder.path("result.json"))
        .map_err(Unwritten::from)
        .and_then(|()| report::write(&record, &assessment, &folder.data()))
        .and_then(|()| Ok(bag::seal(folder.root(), &record)?))
        .and_then(|()| Ok(key.map_or(Ok(()), |key| signature::sign(folder.root(), key))?));
    let stdout = std::io::stdout();
    let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
    let text = summary(&record, &assessment, stdout.is_terminal(), width);
    anstream::println!("{text}");
    anstream::println!("{}", time::spent(&record.trials));
    anstream::println!("results  {}", folder.root().display());
    for name in LEFT.iter().filter(|_| written.is_ok()) {
        anstream::println!("         {}", Path::new(DATA).join(name).display());
    }
    drop(quiet);
    github::tell(&record, &assessment, &folder.path("summary.md"));
    if let Err(error) = written {
        eprintln!("error: {error}");
        return ExitCode::from(BENCH);
    }
    ExitCode::from(exit_status(
        &assessment,
        record.interrupted,
        run.allow_review,
    ))
}
