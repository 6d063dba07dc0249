//! Every flaw of the simulated device makes the case of its requirement FAIL.
//!
//! With `SLCERT_FLAWS=all` each flaw gets a whole campaign, and no other requirement may FAIL, apart from those that the
//! same defect breaks. That takes a quarter of an hour.

mod common;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use slcert_reports::Verdict;

/// Requirements that a flaw breaks beside its own, and why.
const RELATED: &[(&str, &[&str], &str)] = &[
    (
        "any-client-certificate",
        &["CR 4.3"],
        "a certificate of any authority may have any signature",
    ),
    (
        "plain-write",
        &["CR 1.2", "CR 2.1 RE(1)"],
        "who writes on plain Modbus is neither known nor authorised",
    ),
    (
        "password-echo",
        &["CR 4.1"],
        "what is echoed comes back on the line",
    ),
    (
        "import-any-signer",
        &["EDR 3.13"],
        "the owner's configuration is taken before the owner is known",
    ),
    (
        "import-refused-but-applied",
        &["CR 3.4 RE(1)", "EDR 3.13"],
        "what any refused configuration sets is taken",
    ),
    (
        "settings-read-defaults",
        &["CR 7.6 RE(1)"],
        "the report tells what is in force, and what is shown does not",
    ),
    (
        "password-in-backup",
        &["CR 7.3"],
        "a backup that holds a password holds a secret",
    ),
    (
        "loop-stalls",
        &["CR 3.7", "CR 7.7"],
        "their cases send unknown functions as well",
    ),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The trials wait more than they work.
    arguments.test_threads = arguments.test_threads.or(Some(6));
    let trials = slcert_sim::flaws()
        .iter()
        .map(|flaw| {
            Trial::ignorable_test(format!("{} {}", flaw.requirement, flaw.name), move || {
                seen(flaw)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn seen(flaw: &slcert_sim::Flaw) -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    let own = flaw
        .requirement
        .replace(" RE(", "-RE-")
        .replace(')', "")
        .replace(' ', "-");
    let own = format!("{own}/");
    let all = std::env::var_os("SLCERT_FLAWS").is_some_and(|value| value == "all");
    let mut arguments = vec!["--profile", "embedded-device-sl4", "--flaw", flaw.name];
    if !all {
        arguments.push(&own);
    }
    let (output, record) = common::campaign(folder.path(), &arguments)?;
    let record = record.ok_or_else(|| Failed::from(common::said(&output)))?;
    let failed: Vec<_> = record
        .trials
        .iter()
        .filter(|trial| trial.verdict == Verdict::Fail)
        .collect();
    if !failed.iter().any(|trial| trial.id.starts_with(&own)) {
        return Err(Failed::from(format!(
            "no case of {} saw it\n{}",
            flaw.requirement,
            common::said(&output)
        )));
    }
    let related = RELATED
        .iter()
        .find(|(name, _, _)| *name == flaw.name)
        .map_or(&[][..], |(_, ids, _)| ids);
    for trial in failed {
        let owner = trial
            .requirements
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        if owner != flaw.requirement && !related.contains(&owner.as_str()) {
            return Err(Failed::from(format!(
                "{} fails as well: {}",
                trial.id, trial.reason
            )));
        }
    }
    Ok(Completion::Completed)
}
