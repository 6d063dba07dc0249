//! `slcert run --resume`: a campaign that was cut short goes on where its journal ends.

use std::path::Path;
use std::process::ExitCode;

use slcert_reports::bag::{self, SIGNATURE};
use slcert_reports::{Journal, Record, Verdict};
use slcert_suites::fresh;

use super::folder::Folder;
use super::output::Output;
use super::{Asked, Begun, budget, evidence, key, usage};
use crate::command::{CommandLine, Evidence, Run};
use crate::verify::tampered;

/// A campaign that goes on, with the trials that it has not come to; none where there are none.
pub(super) fn go_on(run: &Run, campaign: &Path) -> Result<Option<Begun>, ExitCode> {
    let folder = Folder::open(campaign).map_err(usage)?;
    let key = key(run)?;
    let (entries, _torn) = Journal::read(&folder.path("journal.jsonl")).map_err(usage)?;
    if entries.is_empty() {
        return Err(usage(format!(
            "{} was killed before anything was recorded: begin another campaign",
            campaign.display()
        )));
    }
    let record = Record::from_journal(&entries).map_err(usage)?;
    let asked = CommandLine::run_with(&record.options).map_err(usage)?;
    let Asked {
        profile,
        rig,
        mut planned,
    } = Asked::read(&asked)?;
    // Its trials are of one method: what was planned is what is run.
    for (what, was, is) in [
        ("profile", &record.profile.sha256, profile.sha256()),
        ("rig file", &record.rig.sha256, rig.sha256.as_str()),
        ("slcert", &record.slcert, env!("CARGO_PKG_VERSION")),
    ] {
        if was != is {
            return Err(usage(format!(
                "this is not the {what} that {} began with: it was {was}, and is {is}",
                campaign.display()
            )));
        }
    }
    // Whatever was no verdict about the device is tried again.
    planned.retain(|trial| {
        let id = trial.id();
        let done = record.trials.iter().find(|one| one.id == id);
        done.is_none_or(|one| one.verdict == Verdict::Inconclusive)
    });
    // One that was killed after its last trial has no reports yet.
    if planned.is_empty() && !record.interrupted && bag::is_sealed(campaign) {
        Output::new(run.format).say(&format!("{} has run all of its trials", campaign.display()));
        return Ok(None);
    }
    // Before the seal is off.
    if let Some(keys) = &run.evidence.keep_keys {
        evidence::private(keys, &folder).map_err(usage)?;
    }
    open(campaign)?;
    // Values that were made up before are not made up again.
    fresh::begin(record.seed.wrapping_add(entries.len() as u64));
    Ok(Some(Begun {
        rig,
        folder,
        record,
        planned,
        budget: budget(&asked),
        evidence: Evidence {
            keep_keys: run.evidence.keep_keys.clone(),
            ..asked.evidence
        },
        key,
    }))
}

/// Takes the seal off, of a campaign that was interrupted and is what it was then.
fn open(campaign: &Path) -> Result<(), ExitCode> {
    if campaign.join(SIGNATURE).exists() {
        return Err(usage(format!(
            "{} is signed, so nothing is added to it: begin another campaign",
            campaign.display()
        )));
    }
    if !bag::is_sealed(campaign) {
        return Ok(());
    }
    if let Err(faults) = bag::check(campaign).map_err(usage)? {
        return Err(tampered(campaign, &faults, ""));
    }
    bag::unseal(campaign).map_err(usage)
}
