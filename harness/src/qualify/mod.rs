//! `slcert qualify`: whether the suites find what they are there to find.
//!
//! The suites run against the sound simulated device, which no case may FAIL, and against the device with each of its
//! flaws, which the case of the flaw's requirement has to see. Each run is a campaign of its own in a process of its own.

mod child;
mod interrupt;
mod matrix;
mod related;
mod scratch;

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use slcert_profiles::RequirementId;
use slcert_reports::{Record, Verdict};
use slcert_sim::Flaw;
use slcert_suites::fuzz::reproducer::Reproducer;

use crate::command::Qualify;
use crate::sources::{BENCH, USAGE};
use interrupt::{INTERRUPTED, Interrupt};

/// The exit code of a suite that misses its goal.
const MISSED: u8 = 1;
/// The profile that flaws are looked for with, unless another one is named.
pub const USUAL: &str = "embedded-device-sl4";
/// The seed of every campaign, unless another one is named: a qualification can be made again.
pub const SEED: u64 = 1;
/// How long a fuzz suite may take to find a defect that only it finds.
const FOUND_WITHIN: Duration = Duration::from_secs(60);
/// How many devices a processor core tests side by side, unless the user says: their trials wait most of the time.
const EACH_CORE: usize = 17;
/// About how long a whole campaign takes. They begin apart: all of them at once would scan, flood and restart at the same moments.
const LASTS: Duration = Duration::from_secs(120);

/// A device that is judged.
#[derive(Clone, Copy)]
struct Device<'p> {
    /// Its flaw; none for a sound one.
    flaw: Option<&'static Flaw>,
    /// The profile that it is tested by.
    profile: &'p str,
}

impl Device<'_> {
    /// Whether only generated inputs find its flaw.
    fn is_deep(self) -> bool {
        self.flaw.is_some_and(|flaw| flaw.deep.is_some())
    }
}

/// What one device came to.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The profile that it was tested by.
    pub profile: String,
    /// The flaw; none for the sound device.
    pub flaw: Option<&'static str>,
    /// What the flawed device does.
    pub description: &'static str,
    /// The requirement that it breaks.
    pub requirement: Option<&'static str>,
    /// The trials of that requirement that saw it.
    pub seen_by: Vec<String>,
    /// The trials of that requirement that did not, and what they came to instead.
    pub not_seen_by: Vec<Other>,
    /// Other trials that turned red, and why that is right.
    pub related: Vec<Other>,
    /// Other trials that turned red for no known reason.
    pub unrelated: Vec<Other>,
    /// Trials that came to no verdict.
    pub inconclusive: Vec<Other>,
    /// For a flaw that only generated inputs find: how many the reproducer has.
    pub reproducer: Option<usize>,
    /// Why there is no result at all.
    pub trouble: Option<String>,
    /// How many trials were run.
    pub trials: usize,
    /// How long the campaign took, in seconds.
    pub seconds: u64,
}

/// A trial beside those of the flaw's own requirement.
#[derive(Clone, Debug, Serialize)]
pub struct Other {
    /// The trial.
    pub trial: String,
    /// Its own reason, or why it is right that it turned red.
    pub reason: String,
}

impl Row {
    /// What it is called.
    pub fn name(&self) -> String {
        match self.flaw {
            Some(flaw) => flaw.to_owned(),
            None => {
                let profile = self.profile.as_str();
                let component = profile
                    .rsplit_once("-sl")
                    .map_or(profile, |(before, _)| before);
                format!("sound {component}")
            }
        }
    }

    /// Whether this device was judged as it should be.
    pub fn is_right(&self) -> bool {
        let seen = self.flaw.is_none() || !self.seen_by.is_empty();
        // A flawed device may well leave another case without a verdict; a sound one may not.
        let decided = self.flaw.is_some() || self.inconclusive.is_empty();
        self.trouble.is_none() && seen && decided && self.unrelated.is_empty()
    }
}

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
    let scratch = match scratch::folder() {
        Ok(scratch) => scratch,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BENCH);
        }
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BENCH);
        }
    };
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
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

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(EACH_CORE, |cores| cores.get() * EACH_CORE)
}

/// Runs so many devices side by side, and hands back their rows in the order of the flaws.
fn side_by_side(work: &Work, devices: VecDeque<Device<'_>>, jobs: usize) -> Vec<Row> {
    let total = devices.len();
    let all = devices.into_iter().enumerate();
    let (deep, whole) = all.partition(|(_, device)| device.is_deep());
    let queue = Queue {
        waiting: Mutex::new(Waiting {
            whole,
            deep,
            begins: Instant::now(),
        }),
        apart: match work.quick {
            true => Duration::ZERO,
            false => LASTS / u32::try_from(jobs).unwrap_or(u32::MAX),
        },
    };
    let done: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(total) {
            scope.spawn(|| {
                while let Some((place, device)) = queue.next(&work.interrupt) {
                    let row = work.judge(device);
                    // What a campaign came to that was cut short says nothing of the suites.
                    if work.interrupt.came() {
                        break;
                    }
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((place, row));
                    if let Some((_, row)) = done.last() {
                        let word = if row.is_right() {
                            "as expected"
                        } else {
                            "NOT AS EXPECTED"
                        };
                        let name = row.name();
                        eprintln!("{}/{total} {name}: {word}, {} s", done.len(), row.seconds);
                        // A whole qualification takes its time: what is wrong is worth to know at once.
                        eprint!("{}", matrix::reasons(row));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, row)| row).collect()
}

/// A device with its place in the list.
type Placed<'p> = (usize, Device<'p>);

/// Devices that wait to be tested.
struct Queue<'p> {
    waiting: Mutex<Waiting<'p>>,
    /// The time between the beginnings of two whole campaigns.
    apart: Duration,
}

struct Waiting<'p> {
    whole: VecDeque<Placed<'p>>,
    /// Those of one trial, which fill the time until the next whole campaign may begin.
    deep: VecDeque<Placed<'p>>,
    /// When that is.
    begins: Instant,
}

impl<'p> Queue<'p> {
    /// The next device, once it may begin; none after an interrupt.
    fn next(&self, interrupt: &Interrupt) -> Option<Placed<'p>> {
        let (next, begins) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if waiting.begins > now || waiting.whole.is_empty() {
                let deep = waiting.deep.pop_front();
                if deep.is_some() {
                    return deep.filter(|_| !interrupt.came());
                }
            }
            let next = waiting.whole.pop_front()?;
            let begins = waiting.begins.max(now);
            waiting.begins = begins + self.apart;
            (next, begins)
        };
        interrupt.sleep_until(begins);
        Some(next).filter(|_| !interrupt.came())
    }
}

struct Work {
    program: PathBuf,
    folder: PathBuf,
    quick: bool,
    seed: u64,
    interrupt: Interrupt,
}

impl Work {
    /// One campaign against one device.
    fn judge(&self, device: Device<'_>) -> Row {
        let Device { flaw, profile } = device;
        let began = Instant::now();
        let out = self
            .folder
            .join(flaw.map_or_else(|| format!("sound-{profile}"), |flaw| flaw.name.to_owned()));
        let mut command = Command::new(&self.program);
        // The campaign's own folders, and the stores of its devices, lie where its results do.
        command
            .env("TMPDIR", &self.folder)
            .args(["run", "--profile", profile, "--out"])
            .arg(&out)
            .args(["--seed", &self.seed.to_string()]);
        match flaw {
            Some(Flaw {
                name,
                deep: Some(deep),
                ..
            }) => {
                let time = format!("{}s", FOUND_WITHIN.as_secs());
                command.args([
                    "--flaw",
                    name,
                    "--exact",
                    deep.trial,
                    "--fuzz-first",
                    "--fuzz-time",
                    &time,
                ]);
            }
            Some(flaw) => {
                command.args(["--flaw", flaw.name]);
                // The fuzz suites' time is for the defects that only they find.
                command.args(["--skip", "/fuzz-"]);
                if self.quick {
                    command.arg(format!("{}/", slug(flaw.requirement)));
                }
            }
            None => {}
        }
        let ended = child::run(&mut command, &self.interrupt);
        let record = Record::read(&out.join("data/result.json"));
        let said = |trial: &str| {
            let trials = &record.as_ref().ok()?.trials;
            let found = trials.iter().find(|one| one.id == trial);
            found.map(|one| one.reason.clone())
        };
        let said = flaw.and_then(|flaw| said(flaw.deep?.trial));
        let mut row = match (ended, record) {
            (Err(trouble), _) => empty(device, trouble),
            (Ok(()), Err(error)) => empty(device, error.to_string()),
            (Ok(()), Ok(record)) => read(device, &record),
        };
        if let Some(deep) = flaw.and_then(|flaw| flaw.deep) {
            row.reproducer = reproducer(&out);
            let got = row.reproducer.unwrap_or_default();
            let minimal = (1..=deep.inputs as usize).contains(&got) || got == 0 && deep.inputs == 0;
            if !row.seen_by.is_empty() && !minimal {
                let shortest = deep.inputs;
                row.unrelated.push(Other {
                    trial: deep.trial.to_owned(),
                    reason: format!(
                        "its reproducer should have {shortest} inputs at most, and has {got}: {}",
                        said.unwrap_or_default()
                    ),
                });
            }
        }
        row.seconds = began.elapsed().as_secs();
        // What was found is in the row; a scratch folder in memory has no room for all of them.
        let _ = std::fs::remove_dir_all(&out);
        row
    }
}

/// A sound device of each type of component, where the profile asked for is the usual one.
fn sound_devices(asked: &str) -> Vec<Device<'_>> {
    const OTHERS: [&str; 3] = [
        "host-device-sl4",
        "network-device-sl4",
        "software-application-sl4",
    ];
    let others = OTHERS.into_iter().filter(|_| asked == USUAL);
    std::iter::once(asked)
        .chain(others)
        .map(|profile| Device {
            flaw: None,
            profile,
        })
        .collect()
}

/// The profile that shows a flaw: one for the type of component whose own requirement it breaks, where the profile asked
/// for is the usual one.
fn profile_for<'p>(asked: &'p str, flaw: &Flaw) -> &'p str {
    if asked != USUAL {
        return asked;
    }
    match flaw.requirement.split(' ').next() {
        Some("NDR") => "network-device-sl4",
        Some("HDR") => "host-device-sl4",
        Some("SAR") => "software-application-sl4",
        _ => asked,
    }
}

fn empty(device: Device<'_>, trouble: String) -> Row {
    let Device { flaw, profile } = device;
    Row {
        profile: profile.to_owned(),
        flaw: flaw.map(|flaw| flaw.name),
        description: flaw.map_or("nothing wrong", |flaw| flaw.description),
        requirement: flaw.map(|flaw| flaw.requirement),
        seen_by: Vec::new(),
        not_seen_by: Vec::new(),
        related: Vec::new(),
        unrelated: Vec::new(),
        inconclusive: Vec::new(),
        reproducer: None,
        trouble: Some(trouble),
        trials: 0,
        seconds: 0,
    }
}

/// Reads what a campaign against a device came to.
fn read(device: Device<'_>, record: &Record) -> Row {
    let flaw = device.flaw;
    let mut row = empty(device, String::new());
    row.trouble = None;
    row.trials = record.trials.len();
    let own: Option<RequirementId> = flaw.and_then(|flaw| flaw.requirement.parse().ok());
    for trial in &record.trials {
        let trial_of = |reason: &str| Other {
            trial: trial.id.clone(),
            reason: reason.to_owned(),
        };
        match trial.verdict {
            Verdict::Inconclusive => row.inconclusive.push(trial_of(&trial.reason)),
            Verdict::Fail => {
                let why = flaw.and_then(|flaw| related::why(flaw.name, &trial.requirements));
                if own.is_some_and(|own| trial.requirements.contains(&own)) {
                    row.seen_by.push(trial.id.clone());
                } else if let Some(why) = why {
                    row.related.push(trial_of(why));
                } else {
                    row.unrelated.push(trial_of(&trial.reason));
                }
            }
            verdict if own.is_some_and(|own| trial.requirements.contains(&own)) => {
                let last = trial.checks.last();
                let observed = last.map_or(trial.reason.as_str(), |check| &check.observed);
                row.not_seen_by
                    .push(trial_of(&format!("{verdict}: {observed}")));
            }
            _ => {}
        }
    }
    row
}

/// How many inputs the first reproducer of a campaign has.
fn reproducer(folder: &Path) -> Option<usize> {
    let mut files = std::fs::read_dir(folder.join("data/evidence"))
        .ok()?
        .flatten();
    let first = files.find(|file| {
        file.file_name()
            .to_string_lossy()
            .ends_with(".finding-1.toml")
    })?;
    let text = std::fs::read_to_string(first.path()).ok()?;
    Some(Reproducer::read(&text).ok()?.size())
}

fn slug(requirement: &str) -> String {
    requirement
        .parse::<RequirementId>()
        .map_or_else(|_| requirement.to_owned(), |id| id.slug())
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
