//! Devices that others wrote give the verdicts that were confirmed by hand, and every flaw of the simulated device makes the
//! case of its requirement FAIL, and no unrelated one.
//!
//! `rigs/devices/*/expected.txt` holds the confirmed verdicts, and `OBSERVED.md` beside it what was seen. With `SLCERT_FLAWS=all`
//! each flaw gets a whole campaign, as `slcert qualify` gives it; that takes an hour.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use slcert::qualify;
use slcert_profiles::file::Source;
use slcert_reports::Verdict;
use slcert_reports::record::TrialRecord;
use slcert_rigs::rig::{Rig, SIMULATED};
use slcert_sim::Flaw;

/// The devices, the profile that each is tested by, and the arguments of the campaigns that share its trials; the simulated
/// one stands for itself.
const DEVICES: [(&str, &str, &[&[&str]]); 9] = [
    // Debian's login takes its time: three of them are tested side by side.
    (
        "console",
        "host-device-sl2",
        &[
            &["CR-1."],
            &["CR-3."],
            &["--skip", "CR-1.", "--skip", "CR-3."],
        ],
    ),
    ("pymodbus", "embedded-device-sl2", &[&[]]),
    // These take their time over what they do not serve.
    (
        "pymodbus2",
        "embedded-device-sl2",
        &[
            &["CR-7.7"],
            &["fuzz"],
            &["--skip", "CR-7.7", "--skip", "fuzz"],
        ],
    ),
    (
        "libmodbus",
        "embedded-device-sl2",
        &[
            &["CR-7.7"],
            &["fuzz"],
            &["--skip", "CR-7.7", "--skip", "fuzz"],
        ],
    ),
    (
        "mosquitto",
        "software-application-sl2",
        &[&["fuzz-tls"], &["--skip", "fuzz-tls"]],
    ),
    (
        "aedes",
        "software-application-sl2",
        &[&["fuzz"], &["--skip", "fuzz"]],
    ),
    // Its clients take seconds to come again: they are waited for side by side.
    (
        "bridge",
        "software-application-sl2",
        &[
            &["fuzz-broker@bridge5"],
            &["fuzz-broker@bridge311"],
            &["fuzz-broker@sub5"],
            &["fuzz-broker@sub311"],
        ],
    ),
    (
        "poller",
        "software-application-sl2",
        &[&["fuzz-server@pymodbus"], &["fuzz-server@libmodbus"]],
    ),
    ("router", "network-device-sl4", &[&[]]),
];

/// What keeps fuzz suites short: a verdict is what is compared, and each of them has a finding to end at. One of the devices takes
/// two inputs a second: the seed is one that is known to find something in the time that there is.
const BRIEFLY: &[&str] = &["--fuzz-time", "30s", "--fuzz-first", "--seed", "1"];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The devices wait more than they work.
    arguments.test_threads = arguments.test_threads.or(Some(8));
    // The slowest first.
    let mut trials: Vec<_> = DEVICES
        .into_iter()
        .map(|(name, profile, shares)| {
            Trial::ignorable_test(format!("{name} gives its confirmed verdicts"), move || {
                foreign(name, profile, shares)
            })
        })
        .collect();
    trials.push(Trial::ignorable_test(
        "the simulated device's report is read by others",
        simulated,
    ));
    trials.push(Trial::test(
        "no password, key or secret of a token reaches what a campaign leaves",
        secrets,
    ));
    for (half, name) in ["first", "second"].into_iter().enumerate() {
        trials.push(Trial::test(
            format!("a rig that binds the {name} half of the operations has no FAIL"),
            move || half_bound(half),
        ));
    }
    let quick = std::env::var_os("SLCERT_FLAWS").is_none_or(|value| value != "all");
    let program = Path::new(env!("CARGO_BIN_EXE_slcert"));
    trials.extend(slcert_sim::flaws().iter().map(|flaw| {
        Trial::test(format!("{} {}", flaw.requirement, flaw.name), move || {
            flawed(program, flaw, quick)
        })
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What only generated inputs find has a minute, on a machine on which other devices are tested: where one seed has missed it,
/// another one decides, and both are told of.
fn flawed(program: &Path, flaw: &'static Flaw, quick: bool) -> Result<(), Failed> {
    let check = |seed| qualify::check(program, qualify::USUAL, flaw, quick, seed);
    let Err(missed) = check(qualify::SEED) else {
        return Ok(());
    };
    if flaw.deep.is_none() {
        return Err(missed.into());
    }
    eprintln!("with seed {}:\n{missed}", qualify::SEED);
    check(qualify::SEED + 1).map_err(|again| format!("with two seeds\n{missed}\n\n{again}").into())
}

fn foreign(name: &str, profile: &str, shares: &[&[&str]]) -> Result<Completion, Failed> {
    let device = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../rigs/devices")
        .join(name);
    let folders = tempfile::tempdir()?;
    let rig = device.join("rig.toml").display().to_string();
    let campaigns: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = shares
            .iter()
            .enumerate()
            .map(|(at, share)| {
                let folder = folders.path().join(at.to_string());
                let arguments = [&["--profile", profile, "--rig", &rig], BRIEFLY, *share].concat();
                let run = move || common::campaign(&folder, &arguments);
                scope.spawn(run)
            })
            .collect();
        started
            .into_iter()
            .map(|campaign| campaign.join().unwrap_or_else(|_| Err("panicked".into())))
            .collect()
    });
    let mut trials = Vec::new();
    for campaign in campaigns {
        let (output, record) = campaign?;
        // Exit code 6 is a bench that is not there: the device's software is not installed, or not for this user.
        if output.status.code() == Some(6) && record.is_none() {
            return common::leave_out(String::from_utf8_lossy(&output.stderr).trim());
        }
        let record = record.ok_or_else(|| Failed::from(common::said(&output)))?;
        trials.extend(record.trials);
    }
    compare(&device.join("expected.txt"), &trials)?;
    read_by_others(&folders.path().join("0"))
}

fn simulated() -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    let (output, record) = common::campaign(folder.path(), &["CR-7.8"])?;
    let record = record.ok_or_else(|| Failed::from(common::said(&output)))?;
    if record.trials.is_empty() {
        return Err(Failed::from("nothing was run"));
    }
    read_by_others(folder.path())
}

/// Runs a campaign, learns the device's passwords, its keys and its tokens' secrets on the way from what it was provisioned with, and looks for them in all
/// that the campaign has left.
fn secrets() -> Result<(), Failed> {
    let (work, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut campaign = Command::new(env!("CARGO_BIN_EXE_slcert"))
        .args(["run", "--out"])
        .arg(folder.path())
        .env("TMPDIR", work.path())
        .stdout(std::fs::File::create(folder.path().with_extension("out"))?)
        .stderr(Stdio::null())
        .spawn()?;
    let mut passwords = BTreeSet::new();
    while campaign.try_wait()?.is_none() {
        passwords.extend(provisioned(work.path()));
        std::thread::sleep(Duration::from_millis(200));
    }
    if passwords.is_empty() {
        return Err(Failed::from(
            "no password was seen, so that none could be found",
        ));
    }
    let said = folder.path().with_extension("out");
    let mut files = Vec::new();
    for part in ["", "data", "data/evidence"] {
        let entries = std::fs::read_dir(folder.path().join(part))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        files.extend(paths.filter(|path| path.is_file()));
    }
    files.push(said.clone());
    for file in &files {
        let text = String::from_utf8_lossy(&std::fs::read(file)?).into_owned();
        if passwords
            .iter()
            .any(|password| text.contains(password.as_str()))
        {
            return Err(Failed::from(format!("{} holds a password", file.display())));
        }
    }
    std::fs::remove_file(said)?;
    Ok(())
}

/// Runs the simulated device by a rig file that leaves out every second operation. The device is as sound as ever: what the
/// file does not bind is not evaluated, and says so.
fn half_bound(half: usize) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rig = folder.path().join("half.toml");
    let (text, left_out) = without_every_second_operation(half)?;
    std::fs::write(&rig, text)?;
    let out = folder.path().join("campaign");
    let (output, record) = common::campaign(
        &out,
        &[
            "--profile",
            "embedded-device-sl4",
            "--rig",
            &rig.display().to_string(),
        ],
    )?;
    let record = record.ok_or_else(|| Failed::from(common::said(&output)))?;
    let mut wrong = String::new();
    for trial in &record.trials {
        if matches!(trial.verdict, Verdict::Fail | Verdict::Inconclusive) {
            writeln!(wrong, "{}: {}: {}", trial.id, trial.verdict, trial.reason)?;
            for check in trial.checks.iter().filter(|it| it.verdict != Verdict::Pass) {
                writeln!(wrong, "  {}: {}", check.name, check.observed)?;
            }
        }
    }
    let honest = |operation: &String| {
        record.trials.iter().any(|trial| {
            trial.verdict == Verdict::NotEvaluated
                && trial.reason.contains(&format!("`{operation}`"))
        })
    };
    if !left_out.iter().any(honest) {
        writeln!(wrong, "no trial says which operation it lacks")?;
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failed::from(wrong))
    }
}

/// The simulated rig file without every second one of the operations that nothing else in the file names, and their names.
fn without_every_second_operation(half: usize) -> Result<(String, Vec<String>), Failed> {
    let without = |left_out: &[String]| {
        let mut kept = true;
        let mut text = String::new();
        for line in SIMULATED.lines() {
            if line.starts_with('[') {
                kept = operation(line).is_none_or(|name| !left_out.iter().any(|it| it == name));
            }
            if kept {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    };
    let mut names: Vec<_> = SIMULATED.lines().filter_map(operation).collect();
    names.dedup();
    names.retain(|name| {
        let text = without(&[(*name).to_owned()]);
        Rig::load(&Source::new("half.toml", &text)).is_ok()
    });
    let left_out: Vec<_> = names
        .into_iter()
        .skip(half)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    if left_out.is_empty() {
        return Err(Failed::from("no operation can be left out"));
    }
    Ok((without(&left_out), left_out))
}

/// The operation whose table a line begins: `[operation.NAME]`.
fn operation(line: &str) -> Option<&str> {
    let name = line.strip_prefix("[operation.")?;
    name.split(['.', ']']).next()
}

/// The passwords on the sheet that a simulated device keeps in its folder, whichever that is.
fn provisioned(work: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(work).into_iter().flatten().flatten();
    folders
        .filter_map(|folder| std::fs::read(folder.path().join("provisioning.json")).ok())
        .filter_map(|sheet| serde_json::from_slice::<serde_json::Value>(&sheet).ok())
        .flat_map(|sheet| {
            let keys = sheet["keys"].as_object().cloned().unwrap_or_default();
            let accounts = sheet["accounts"].as_object().cloned().unwrap_or_default();
            let secrets = accounts
                .into_iter()
                .flat_map(|(_, account)| ["password", "otp"].map(|name| account[name].clone()));
            let keys = keys.into_iter().map(|(_, key)| key);
            secrets.chain(keys).collect::<Vec<_>>()
        })
        .filter_map(|password| password.as_str().map(str::to_owned))
        .collect()
}

/// Compares the verdicts with the confirmed ones: a line each, `ID: VERDICT  # what was seen by hand`.
///
/// With `SLCERT_BLESS` the verdicts of this run are written down; what confirms a new one has to be added by hand.
fn compare(path: &Path, trials: &[TrialRecord]) -> Result<(), Failed> {
    let found: BTreeMap<_, _> = trials
        .iter()
        .map(|trial| (trial.id.clone(), trial))
        .collect();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let expected = confirmed(&text);
    if std::env::var_os("SLCERT_BLESS").is_some() {
        let mut text = String::new();
        for (id, trial) in &found {
            let same = expected
                .get(id.as_str())
                .filter(|(verdict, _)| *verdict == trial.verdict.word());
            let why = same.and_then(|(_, why)| *why);
            let why = why.map_or_else(String::new, |why| format!("  # {why}"));
            writeln!(text, "{id}: {}{why}", trial.verdict)?;
        }
        std::fs::write(path, text)?;
        return Ok(());
    }
    let mut different = String::new();
    for (id, trial) in &found {
        match expected.get(id.as_str()) {
            Some((wanted, why)) if *wanted == trial.verdict.word() => {
                let judged = matches!(trial.verdict, Verdict::Pass | Verdict::Fail);
                if judged && why.is_none() {
                    writeln!(
                        different,
                        "{id}: {wanted}, and nothing says what confirms it"
                    )?;
                }
            }
            wanted => {
                let wanted = wanted.map_or("nothing", |(verdict, _)| *verdict);
                writeln!(
                    different,
                    "{id}: {} where {wanted} was confirmed: {}",
                    trial.verdict, trial.reason
                )?;
            }
        }
    }
    for id in expected.keys().filter(|id| !found.contains_key(**id)) {
        writeln!(different, "{id}: was not run")?;
    }
    if different.is_empty() {
        Ok(())
    } else {
        Err(Failed::from(different))
    }
}

/// The confirmed verdicts by trial, each with what confirms it.
fn confirmed(text: &str) -> BTreeMap<&str, (&str, Option<&str>)> {
    text.lines()
        .filter_map(|line| {
            let (id, rest) = line.split_once(": ")?;
            let (verdict, why) = match rest.split_once("  # ") {
                Some((verdict, why)) => (verdict, Some(why)),
                None => (rest, None),
            };
            Some((id, (verdict, why)))
        })
        .collect()
}

/// The report is read by xmllint with junit-10.xsd, by junitparser and by quick-junit.
fn read_by_others(folder: &Path) -> Result<Completion, Failed> {
    let junit = folder.join("data/junit.xml");
    let text = std::fs::read_to_string(&junit)?;
    let report = quick_junit::Report::deserialize_from_str(&text)?;
    let cases: usize = report
        .test_suites
        .iter()
        .map(|suite| suite.test_cases.len())
        .sum();
    if cases == 0 {
        return Err(Failed::from("quick-junit reads no case"));
    }
    let (Some(xsd), Some(python)) = (var("SLCERT_JUNIT_XSD"), var("SLCERT_PYTHON")) else {
        return common::leave_out(
            "its verdicts are right; SLCERT_JUNIT_XSD and SLCERT_PYTHON are not set to let xmllint and junitparser read its report",
        );
    };
    run(Command::new("xmllint")
        .arg("--noout")
        .arg("--schema")
        .arg(xsd)
        .arg(&junit))?;
    let script = "import sys\nfrom junitparser import JUnitXml\nprint(sum(1 for s in JUnitXml.fromfile(sys.argv[1]) for c in s))";
    let counted = run(Command::new(python).arg("-c").arg(script).arg(&junit))?;
    if counted.trim() != cases.to_string() {
        return Err(Failed::from(format!(
            "junitparser reads {} cases, quick-junit {cases}",
            counted.trim()
        )));
    }
    Ok(Completion::Completed)
}

fn var(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Failed::from(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }
}
