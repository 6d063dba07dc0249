//! `slcert list`.

use std::process::ExitCode;
use std::time::Duration;

use slcert_profiles::Profile;
use slcert_rigs::rig::Rig;
use slcert_suites::case::Case;
use slcert_suites::coverage::{self, Answer};
use slcert_suites::{Blocked, Trial, cases, plan};

use crate::campaign::time;
use crate::command::List;
use crate::sources;

/// Lists the trials of a campaign, or the built-in profiles.
pub fn list(list: &List) -> ExitCode {
    if list.profiles {
        for name in Profile::names() {
            if let Some(profile) = Profile::built_in(name) {
                anstream::println!(
                    "{name:26} {} ({} requirements)",
                    profile.title,
                    profile.required().count()
                );
            }
        }
        return ExitCode::SUCCESS;
    }
    let profile = match sources::profile(&list.on) {
        Ok(profile) => profile,
        Err(unusable) => return unusable.into(),
    };
    if list.requirements {
        requirements(&profile, list.filter.as_deref().unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    let rig = match sources::rig(list.on.rig.as_deref(), Some(&profile)) {
        Ok(rig) => rig,
        Err(unusable) => return unusable.into(),
    };
    let trials: Vec<_> = trials(&profile, &rig.rig)
        .into_iter()
        .filter(|trial| {
            list.filter
                .as_ref()
                .is_none_or(|filter| trial.id().contains(filter.as_str()))
        })
        .collect();
    let width = trials
        .iter()
        .map(|trial| trial.id().len())
        .max()
        .unwrap_or(0);
    for trial in &trials {
        let blocked = match &trial.blocked {
            None => String::new(),
            Some(Blocked::NoInterface(why) | Blocked::NotBound(why)) => {
                format!(" (cannot run: {why})")
            }
        };
        let takes = if list.estimate {
            let takes = time::estimate(trial, &rig.rig);
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
    if list.estimate {
        anstream::println!("\n{}", estimated(&trials, &rig.rig));
    }
    if trials.is_empty() {
        eprintln!("no trial fits");
    }
    ExitCode::SUCCESS
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
fn requirements(profile: &Profile, filter: &str) {
    let rows: Vec<_> = profile
        .required()
        .filter(|row| row.id.slug().contains(filter) || row.id.to_string().contains(filter))
        .collect();
    for row in &rows {
        let names = |cases: &[&Case]| {
            let names: Vec<_> = cases.iter().map(|case| case.id).collect();
            names.join(", ")
        };
        let answer = match coverage::answer(row.id) {
            Some(Answer::Cases(cases)) => format!("tested   {}", names(&cases)),
            Some(Answer::Person(cases)) => format!("person   {}", names(&cases)),
            Some(Answer::Nothing(why)) => format!("nothing  {why}"),
            None => "nothing".to_owned(),
        };
        anstream::println!("{:14} {:62} {answer}", row.id.to_string(), row.title);
    }
    if rows.is_empty() {
        eprintln!("no requirement of the profile has this in its id");
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
