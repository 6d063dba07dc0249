//! A card a trial: what it was to show, what it saw, and how to see it again.

use slcert_profiles::FoundationalRequirement;

use super::model::{DEVICE, Section, class, line};
use super::timeline::Timeline;
use crate::escape::{address, defuse, shorten};
use crate::record::{CheckRecord, FileRecord, Record, TrialRecord, is_inside};
use crate::verdict::Verdict;

/// The longest expectation or observation.
const LONGEST: usize = 4000;
/// How many checks a card lists.
const MOST_CHECKS: usize = 200;
/// How many cards stand open.
const MOST_OPEN: usize = 10;

/// One trial.
pub(super) struct Card {
    pub id: String,
    pub class: &'static str,
    pub verdict: Verdict,
    pub owner: String,
    pub title: String,
    /// The interface that it ran on.
    pub at: Option<String>,
    /// Its column of the matrix.
    pub column: String,
    pub took: String,
    pub reason: String,
    pub objective: String,
    pub criterion: String,
    pub rows: String,
    pub svv: String,
    pub began: String,
    pub waited: Option<String>,
    /// What people found, where it asked for one.
    pub seen: Vec<String>,
    pub checks: Vec<Check>,
    pub more_checks: usize,
    pub timeline: Option<Timeline>,
    pub evidence: Vec<FileLink>,
    /// The commands that show it again, the shortest first.
    pub again: Vec<String>,
    pub open: bool,
}

pub(super) struct Check {
    pub class: &'static str,
    pub verdict: Verdict,
    pub name: String,
    pub expected: String,
    pub observed: String,
}

impl Check {
    pub fn of(check: &CheckRecord) -> Self {
        let text = |text: &str| shorten(defuse(text).trim(), LONGEST);
        Self {
            class: class(check.verdict),
            verdict: check.verdict,
            name: line(&check.name),
            expected: text(&check.expected),
            observed: text(&check.observed),
        }
    }
}

/// A file, with a link where it lies beside the page.
pub(super) struct FileLink {
    pub path: String,
    pub sha256: String,
    pub link: Option<String>,
}

impl FileLink {
    pub fn of(file: &FileRecord, beside: bool) -> Self {
        Self {
            path: line(&file.path),
            sha256: line(&file.sha256),
            link: (beside && is_inside(&file.path)).then(|| format!("./{}", address(&file.path))),
        }
    }
}

/// What a foundational requirement is called as a heading.
pub(super) fn name(fr: Option<FoundationalRequirement>) -> String {
    match fr {
        Some(fr) => format!("FR {} {}", fr.number(), fr.title()),
        None => "Common component security constraints".to_owned(),
    }
}

/// The column of the matrix that a trial stands in.
pub(super) fn column(trial: &TrialRecord) -> String {
    trial.interface.as_deref().map_or(DEVICE.to_owned(), line)
}

/// The cards by foundational requirement; those with findings stand open.
pub(super) fn sections(record: &Record) -> Vec<Section> {
    let frs = FoundationalRequirement::ALL.map(Some);
    let of = |trial: &TrialRecord| trial.requirements.first().and_then(|id| id.fr());
    let mut open = 0;
    let sections = frs.into_iter().chain([None]).map(|fr| {
        let mut trials: Vec<_> = record
            .trials
            .iter()
            .filter(|trial| of(trial) == fr)
            .collect();
        trials.sort_by_key(|trial| trial.requirements.first().copied());
        let cards = trials.into_iter().map(|trial| {
            let mut card = Card::of(trial, record);
            card.open = trial.verdict == Verdict::Fail && open < MOST_OPEN;
            open += usize::from(card.open);
            card
        });
        Section {
            key: fr.map_or("CCSC".to_owned(), |fr| fr.number().to_string()),
            short: fr.map_or("CCSC".to_owned(), |fr| fr.to_string()),
            name: name(fr),
            cards: cards.collect(),
        }
    });
    sections.collect()
}

impl Card {
    fn of(trial: &TrialRecord, record: &Record) -> Self {
        let ids: Vec<String> = trial.requirements.iter().map(ToString::to_string).collect();
        let seen = trial.requirements.iter().filter_map(|id| {
            let found = record.attested(*id, &trial.id)?;
            Some(format!("{id} {}", line(&found.words())))
        });
        // What was not met first.
        let mut checks: Vec<_> = trial.checks.iter().collect();
        checks.sort_by_key(|check| check.verdict.is_met());
        let checks = checks.into_iter().take(MOST_CHECKS).map(Check::of);
        Self {
            id: line(&trial.id),
            class: class(trial.verdict),
            verdict: trial.verdict,
            owner: ids.first().cloned().unwrap_or_default(),
            title: line(&trial.title),
            at: trial.interface.as_deref().map(line),
            column: column(trial),
            took: seconds(trial.duration_ms),
            reason: line(&trial.reason),
            objective: line(&trial.objective),
            criterion: line(&trial.criterion),
            rows: ids.join(", "),
            svv: line(&trial.svv),
            began: trial.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            waited: (trial.waited_ms > 0).then(|| seconds(trial.waited_ms)),
            seen: if trial.verdict == Verdict::Review {
                seen.collect()
            } else {
                Vec::new()
            },
            checks: checks.collect(),
            more_checks: trial.checks.len().saturating_sub(MOST_CHECKS),
            timeline: trial.timeline.as_ref().map(Timeline::of),
            evidence: trial
                .evidence
                .iter()
                .map(|file| FileLink::of(file, true))
                .collect(),
            again: again(record, trial),
            open: false,
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

/// The commands that show a trial again, for a shell in the campaign's folder: its reproducers, and all of it.
fn again(record: &Record, trial: &TrialRecord) -> Vec<String> {
    let seed = record.seed.to_string();
    let options = || record.options.iter().map(String::as_str);
    let on = |name: &'static str| {
        let at = options().position(|option| option == name)?;
        record
            .options
            .get(at + 1)
            .map(|value| [name, value.as_str()])
    };
    let device: Vec<&str> = [on("--rig"), on("--flaw")]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let finding = |file: &&FileRecord| {
        is_inside(&file.path) && file.path.contains(".finding-") && file.path.ends_with(".toml")
    };
    let mut commands: Vec<String> = Vec::new();
    for file in trial.evidence.iter().filter(finding) {
        let path = format!("data/{}", file.path);
        let words = ["slcert", "replay", path.as_str()].into_iter();
        commands.push(command(words.chain(device.iter().copied())));
    }
    let words = ["slcert", "run"].into_iter().chain(options());
    commands.push(command(words.chain([
        "--seed",
        seed.as_str(),
        "--exact",
        trial.id.as_str(),
    ])));
    commands
}

fn command<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words
        .map(|word| quoted(&line(word)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
