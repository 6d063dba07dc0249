//! What one device came to.

use std::path::Path;

use serde::Serialize;
use slcert_profiles::RequirementId;
use slcert_reports::{Record, Verdict};
use slcert_suites::fuzz::reproducer::Reproducer;

use super::device::Device;
use super::related;

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

pub(super) fn empty(device: Device<'_>, trouble: String) -> Row {
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
pub(super) fn read(device: Device<'_>, record: &Record) -> Row {
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
pub(super) fn reproducer(folder: &Path) -> Option<usize> {
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
