//! `slcert run`: one campaign, from the files to the reports.

mod evidence;
mod fixed;
mod folder;
mod github;
mod going;
mod guide;
mod output;
mod resume;
mod runner;
mod side_by_side;
pub mod time;
mod timeline;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use slcert_profiles::Profile;
use slcert_reports::bag::signature::{self, Key};
use slcert_reports::bag::{self, DATA};
use slcert_reports::notice::{Finished, Started};
use slcert_reports::{Record, assess, exit_status, summary};
use slcert_suites::Trial;
use slcert_suites::case::Kind;
use slcert_suites::fuzz::Budget;

use crate::command::{Evidence, Run, RunFormat};
use crate::list::{self, trials};
use crate::report::{self, Unwritten};
use crate::sources::{self, BENCH, RigFile, USAGE};
pub use evidence::secretly;
use folder::Folder;
use github::Quiet;
use output::Output;
use runner::{Runner, RunnerError};
pub use side_by_side::as_tests;

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
    evidence: Evidence,
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
    let lab = sources::lab(run.lab.as_deref())?;
    let key = key(run)?;
    if run.libtest.list && run.format.is_json() {
        let chosen = chosen(planned, &run.libtest);
        print!("{}", list::document(&profile, &rig.rig, &chosen, false));
        return Ok(None);
    }
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
    if let Some(keys) = &run.evidence.keep_keys
        && let Err(error) = evidence::private(keys, &folder)
    {
        folder.discard();
        return Err(usage(error));
    }
    let mut record = fixed::record(run, &profile, &rig, &planned, folder.name());
    record.attestations = attestations;
    record.lab = lab;
    Ok(Some(Begun {
        rig,
        folder,
        record,
        planned,
        budget: budget(run),
        evidence: run.evidence.clone(),
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
        evidence,
        key,
    } = begun;
    let output = Output::new(run.format);
    let quiet = Quiet::begin(output);
    header(&record, &rig, planned.len(), output);
    let started = Started::of(&record, &folder.root().display().to_string());
    let guided = !run.headless && !run.stdin_guard && (run.guided || guide::has_person());
    if guided {
        announce(&planned, &run.libtest);
    }
    let runner = Runner::start(rig, folder.clone(), record, budget, evidence, None);
    let runner = match runner {
        Ok(runner) => Arc::new(runner.telling(output)),
        Err(error) => {
            // A journal that cannot be begun is another campaign's: so is the folder.
            if !matches!(error, RunnerError::Journal(_)) {
                folder.discard();
            }
            eprintln!("error: {error}");
            return ExitCode::from(BENCH);
        }
    };
    if run.stdin_guard {
        runner.guarded();
    }
    output.started(&started);
    runner.self_test();
    one_by_one(&runner, planned, run);
    if guided {
        runner.inspect(run.operator.clone());
    }
    finish(run, &runner, key.as_ref(), (output, &started), quiet)
}

/// Says how many inspections will be asked for, so that whoever is at the bench knows when to be there.
fn announce(planned: &[Trial], arguments: &libtest_mimic::Arguments) {
    let inspections = planned
        .iter()
        .filter(|trial| trial.case.kind == Kind::Inspection && is_chosen(trial, arguments));
    let count = inspections.count();
    if count > 0 {
        eprintln!("inspections {count}, asked for after the trials; --headless asks for none");
    }
}

/// How much the fuzz suites of a run do; the seed is that of the record.
fn budget(run: &Run) -> Budget {
    Budget {
        time: run.fuzz.fuzz_time.0,
        inputs: run.fuzz.fuzz_cases,
        first: run.fuzz.fuzz_first,
        ..Budget::default()
    }
}

/// What a campaign leaves, the first to look at first.
const LEFT: [&str; 9] = [
    "report.html",
    "summary.md",
    "junit.xml",
    "requirements.csv",
    "ctrf.json",
    "metrics.json",
    "result.json",
    "journal.jsonl",
    "evidence",
];

/// libtest's own listing, so that tools that drive tests can read it.
fn listed(planned: &[Trial], arguments: &libtest_mimic::Arguments) -> libtest_mimic::Conclusion {
    let listed = planned
        .iter()
        .map(|trial| libtest_mimic::Trial::test(trial.id(), || Ok::<_, libtest_mimic::Failed>(())));
    libtest_mimic::run(arguments, listed.collect())
}

/// The trials that libtest's arguments leave.
fn chosen(mut planned: Vec<Trial>, arguments: &libtest_mimic::Arguments) -> Vec<Trial> {
    planned.retain(|trial| is_chosen(trial, arguments));
    planned
}

fn is_chosen(trial: &Trial, arguments: &libtest_mimic::Arguments) -> bool {
    let named = libtest_mimic::Trial::test(trial.id(), || Ok::<_, libtest_mimic::Failed>(()));
    !arguments.is_filtered_out(&named)
}

/// Runs trials. A rig is one resource: they never overlap, whatever the arguments say. The verdicts are in the record:
/// they say more than passed and failed.
fn one_by_one(runner: &Arc<Runner>, planned: Vec<Trial>, run: &Run) {
    let mut arguments = run.libtest.clone();
    // libtest's own words would stand between those for programs.
    if run.format.is_json() && arguments.logfile.is_none() {
        for trial in chosen(planned, &arguments) {
            let _ = runner.run(&trial);
        }
        return;
    }
    if run.format == RunFormat::Terse {
        arguments.format = Some(libtest_mimic::FormatSetting::Terse);
    }
    arguments.test_threads = Some(1);
    let trials = planned
        .into_iter()
        .map(|trial| runner::mimic(runner, trial))
        .collect();
    let _ = libtest_mimic::run(&arguments, trials);
}

fn header(record: &Record, rig: &RigFile, trials: usize, output: Output) {
    let (profile, dut) = (&record.profile, &record.dut);
    let component = dut.component.word();
    output.say(&format!(
        "slcert {}\nprofile  {} {}\nrig      {}\ndevice   {} {}, firmware {}, {component}\ntrials   {trials}",
        record.slcert, profile.id, profile.version, rig.name, dut.vendor, dut.product, dut.firmware,
    ));
}

/// Ends the device, writes the reports, and says what was found.
fn finish(
    run: &Run,
    runner: &Runner,
    key: Option<&Key>,
    (output, started): (Output, &Started),
    quiet: Quiet,
) -> ExitCode {
    let record = runner.end();
    let assessment = assess(&record);
    let folder = runner.folder();
    let written = record
        .write(&folder.path("result.json"))
        .map_err(Unwritten::from)
        .and_then(|()| report::write(&record, &assessment, &folder.data()))
        .and_then(|()| Ok(bag::seal(folder.root(), &record)?))
        .and_then(|()| Ok(key.map_or(Ok(()), |key| signature::sign(folder.root(), key, &record))?));
    let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
    output.say(&summary(&record, &assessment, output.is_terminal(), width));
    output.say(&time::spent(&record.trials));
    let root = folder.root().display().to_string();
    output.say(&format!("results  {root}"));
    let left = LEFT.into_iter().chain(record.wanted.files());
    for name in left.filter(|_| written.is_ok()) {
        output.say(&format!(
            "         {}",
            Path::new(DATA).join(name).display()
        ));
    }
    drop(quiet);
    github::tell(&record, &assessment, &folder.path("summary.md"), output);
    if let Err(error) = &written {
        eprintln!("error: {error}");
    }
    let reported = written.is_ok();
    let code = match reported {
        true => exit_status(&assessment, record.interrupted, run.allow_review),
        false => BENCH,
    };
    let finished = Finished::of(&record, &assessment, &root, reported, code);
    output.finished(&record, started, finished);
    ExitCode::from(code)
}
