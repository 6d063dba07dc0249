//! `slcert list`.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use slcert_profiles::{Profile, RequirementId};
use slcert_reports::notice::page;
use slcert_rigs::rig::Rig;
use slcert_suites::case::Case;
use slcert_suites::coverage::{self, Answer};
use slcert_suites::{Blocked, Trial, cases, plan};

use crate::campaign::time;
use crate::command::{Format, List};
use crate::sources;

/// The version of what `--format json` shows.
const SCHEMA: &str = "slcert-list/1";

/// Lists the trials of a campaign, or the built-in profiles.
pub fn list(list: &List) -> ExitCode {
    if list.profiles {
        profiles(list.format);
        return ExitCode::SUCCESS;
    }
    let profile = match sources::profile(&list.on) {
        Ok(profile) => profile,
        Err(unusable) => return unusable.into(),
    };
    let filter = list.filter.as_deref().unwrap_or_default();
    if list.requirements {
        requirements(&profile, filter, list.format);
        return ExitCode::SUCCESS;
    }
    let rig = match sources::rig(list.on.rig.as_deref(), Some(&profile)) {
        Ok(rig) => rig,
        Err(unusable) => return unusable.into(),
    };
    let mut trials = trials(&profile, &rig.rig);
    trials.retain(|trial| trial.id().contains(filter));
    match list.format {
        Format::Json => print!("{}", document(&profile, &rig.rig, &trials, list.estimate)),
        Format::Text => in_words(&trials, &rig.rig, list.estimate),
    }
    if trials.is_empty() {
        eprintln!("no trial fits");
    }
    ExitCode::SUCCESS
}

fn in_words(trials: &[Trial], rig: &Rig, estimate: bool) {
    let width = trials
        .iter()
        .map(|trial| trial.id().len())
        .max()
        .unwrap_or(0);
    for trial in trials {
        let blocked =
            cannot_run(trial).map_or_else(String::new, |why| format!(" (cannot run: {why})"));
        let takes = if estimate {
            let takes = time::estimate(trial, rig);
            format!("{:6.1} s  ", takes.as_secs_f64())
        } else {
            String::new()
        };
        anstream::println!(
            "{:width$}  {takes}{}{blocked}",
            trial.id(),
            trial.case.title
        );
    }
    if estimate {
        anstream::println!("\n{}", estimated(trials, rig));
    }
}

fn cannot_run(trial: &Trial) -> Option<&str> {
    match &trial.blocked {
        None => None,
        Some(Blocked::NoInterface(why) | Blocked::NotBound(why)) => Some(why),
    }
}

/// The trials for programs.
pub fn document(profile: &Profile, rig: &Rig, trials: &[Trial], estimate: bool) -> String {
    let trials = trials.iter().map(|trial| {
        let mut told = json!({
            "trial": trial.id(),
            "title": trial.case.title,
            "requirements": trial.requirements,
            "interface": trial.interface,
            "cannot_run": cannot_run(trial),
        });
        if estimate {
            told["estimate_ms"] = json!(time::estimate(trial, rig).as_millis());
        }
        told
    });
    page(&json!({
        "schema": SCHEMA,
        "profile": profile.id,
        "trials": trials.collect::<Vec<_>>(),
    }))
}

fn profiles(format: Format) {
    let all = || Profile::names().filter_map(|name| Some((name, Profile::built_in(name)?)));
    match format {
        Format::Text => {
            for (name, profile) in all() {
                anstream::println!(
                    "{name:26} {} ({} requirements)",
                    profile.title,
                    profile.required().count()
                );
            }
        }
        Format::Json => {
            let profiles = all().map(|(name, profile)| {
                json!({
                    "profile": name,
                    "title": profile.title,
                    "claim": profile.claim().0.map(|level| level.get()),
                    "requirements": profile.required().count(),
                })
            });
            print!(
                "{}",
                page(&json!({ "schema": SCHEMA, "profiles": profiles.collect::<Vec<_>>() }))
            );
        }
    }
}

/// How long the trials take in all.
fn estimated(trials: &[Trial], rig: &Rig) -> String {
    let all: Duration = trials.iter().map(|trial| time::estimate(trial, rig)).sum();
    let waits: Duration = trials.iter().map(|trial| trial.waits(rig)).sum();
    format!(
        "{} trials take about {} s: {} s waiting for the device's own timers, by the policy that the rig file states, and as long as they\n\
         took on the simulated device. Slow lines and logins take longer.",
        trials.len(),
        all.as_secs(),
        waits.as_secs()
    )
}

/// Lists what answers each requirement of a profile.
fn requirements(profile: &Profile, filter: &str, format: Format) {
    let rows: Vec<_> = profile
        .required()
        .filter(|row| row.id.slug().contains(filter) || row.id.to_string().contains(filter))
        .collect();
    match format {
        Format::Text => {
            for row in &rows {
                let (by, what) = answer(row.id);
                let answer = format!("{by:8} {what}");
                anstream::println!(
                    "{:14} {:62} {}",
                    row.id.to_string(),
                    row.title,
                    answer.trim_end()
                );
            }
        }
        Format::Json => {
            let rows = rows.iter().map(|row| {
                let (by, what) = answer(row.id);
                json!({ "requirement": row.id, "title": row.title, "answered_by": by, "what": what })
            });
            let document = json!({
                "schema": SCHEMA,
                "profile": profile.id,
                "requirements": rows.collect::<Vec<_>>(),
            });
            print!("{}", page(&document));
        }
    }
    if rows.is_empty() {
        eprintln!("no requirement of the profile has this in its id");
    }
}

/// By what a requirement is answered: its kind, and which cases or why none.
fn answer(id: RequirementId) -> (&'static str, String) {
    let names = |cases: &[&Case]| {
        let names: Vec<_> = cases.iter().map(|case| case.id).collect();
        names.join(", ")
    };
    match coverage::answer(id) {
        Some(Answer::Cases(cases)) => ("tested", names(&cases)),
        Some(Answer::Person(cases)) => ("person", names(&cases)),
        Some(Answer::Nothing(why)) => ("nothing", why.to_string()),
        None => ("nothing", String::new()),
    }
}

/// The trials of a profile on a rig: the cases that give evidence for a requirement that the profile selects, and that
/// applies to the rig's device.
pub fn trials(profile: &Profile, rig: &Rig) -> Vec<Trial> {
    let applies = |id| {
        let row = profile.basis().get(id);
        row.is_some_and(|row| row.applies_to(rig.dut.component))
    };
    let required: Vec<_> = profile
        .required()
        .map(|row| row.id)
        .filter(|id| applies(*id))
        .collect();
    let wanted: Vec<_> = cases()
        .into_iter()
        .filter(|case| {
            let mut ids = case.requirements.iter();
            ids.any(|id| id.parse().is_ok_and(|id| required.contains(&id)))
        })
        .collect();
    plan(&wanted, rig, applies)
}
