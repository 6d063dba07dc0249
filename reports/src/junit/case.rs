//! Which suites and which cases there are, and what they are called.
//!
//! Names are stable from campaign to campaign, as CI servers follow a case through time by class name and name.

use std::collections::HashSet;

use jiff::Timestamp;
use slcert_profiles::{FoundationalRequirement, RequirementId};

use super::{JunitOptions, properties, text};
use crate::assess::Assessment;
use crate::escape::{one_line, shorten};
use crate::record::{AttestationRecord, PlannedRecord, Record, TrialRecord};
use crate::verdict::Verdict;

/// The longest title within a name: Azure DevOps takes names of 512 characters.
const LONGEST_TITLE: usize = 300;
/// The longest name of an interface within a name.
const LONGEST_INTERFACE: usize = 60;
/// The longest time that is written, in milliseconds: thirty years.
const LONGEST_TIME: i64 = 1_000_000_000_000;

/// One suite: a foundational requirement, the common constraints, or what belongs to neither.
pub(crate) struct Suite {
    pub group: Group,
    pub name: String,
    /// When its first trial began, or the campaign.
    pub started: Timestamp,
    pub cases: Vec<Case>,
}

/// What a suite stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Fr(FoundationalRequirement),
    Common,
    /// Trials without a requirement.
    Other,
}

/// One testcase: a trial under its owner, or a row that no trial covers. All of its text is harmless.
pub(crate) struct Case {
    /// The trial's id; none of a row that no trial covers.
    pub trial: Option<String>,
    pub classname: String,
    pub name: String,
    pub verdict: Verdict,
    pub duration_ms: i64,
    /// One line, never empty.
    pub reason: String,
    /// The reason again, and the checks that were not met.
    pub text: String,
    /// What CI servers keep with the case.
    pub output: String,
    /// What the rich flavour says of it.
    pub properties: Vec<(&'static str, String)>,
}

impl Group {
    fn of(requirement: Option<RequirementId>) -> Self {
        match requirement {
            None => Self::Other,
            Some(id) => id.fr().map_or(Self::Common, Self::Fr),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Fr(fr) => format!("FR {} {}", fr.number(), fr.title()),
            Self::Common => "CCSC Common component security constraints".to_owned(),
            Self::Other => "Other".to_owned(),
        }
    }

    /// The part of class names and of the suite's package.
    pub fn package(self) -> String {
        match self {
            Self::Fr(fr) => format!("iec62443_4_2.FR{}", fr.number()),
            Self::Common => "iec62443_4_2.CCSC".to_owned(),
            Self::Other => "iec62443_4_2.other".to_owned(),
        }
    }
}

/// The suites of a campaign, with every case in its place. The seven are always there; the others if they have cases.
pub(crate) fn suites(
    record: &Record,
    assessment: &Assessment,
    options: &JunitOptions,
) -> Vec<Suite> {
    let frs = FoundationalRequirement::ALL.map(Group::Fr);
    let groups = frs.into_iter().chain([Group::Common, Group::Other]);
    let mut names = HashSet::new();
    groups
        .map(|group| suite(group, record, assessment, options, &mut names))
        .filter(|suite| !suite.cases.is_empty() || matches!(suite.group, Group::Fr(_)))
        .collect()
}

fn suite(
    group: Group,
    record: &Record,
    assessment: &Assessment,
    options: &JunitOptions,
    names: &mut HashSet<(String, String)>,
) -> Suite {
    let trials = || {
        record
            .trials
            .iter()
            .filter(|trial| Group::of(owner(&trial.requirements, &trial.id)) == group)
    };
    let planned = record
        .not_run()
        .filter(|planned| Group::of(owner(&planned.requirements, &planned.id)) == group);
    let uncovered = assessment
        .requirements
        .iter()
        .filter(|row| Group::of(Some(row.id)) == group);
    let uncovered = uncovered.filter(|row| row.claimed && !is_named(record, row.id));
    let mut cases: Vec<(Option<RequirementId>, Case)> = Vec::new();
    cases.extend(trials().map(|trial| of_trial(trial, record, options)));
    cases.extend(planned.map(|planned| of_planned(planned, record)));
    cases.extend(uncovered.map(|row| {
        let reason = one_line(&row.reason);
        let case = Case {
            trial: None,
            classname: classname(Some(row.id)),
            name: format!("{} not evaluated", row.id),
            verdict: Verdict::NotEvaluated,
            duration_ms: 0,
            text: reason.clone(),
            output: text::output_of_row(row.id, &row.title),
            properties: properties::of_row(row.id, &row.title),
            reason,
        };
        (Some(row.id), case)
    }));
    // The standard's order; within a row, the order of the run.
    cases.sort_by_key(|(owner, _)| *owner);
    let mut cases: Vec<Case> = cases.into_iter().map(|(_, case)| case).collect();
    for case in &mut cases {
        make_unique(case, names);
    }
    Suite {
        group,
        name: group.name(),
        started: trials()
            .map(|trial| trial.started)
            .min()
            .unwrap_or(record.started),
        cases,
    }
}

fn of_trial(
    trial: &TrialRecord,
    record: &Record,
    options: &JunitOptions,
) -> (Option<RequirementId>, Case) {
    let owner = owner(&trial.requirements, &trial.id);
    let reviews = reviews(trial, record);
    let of_owner = || reviews.iter().any(|one| Some(one.requirement) == owner);
    // One case stands for all requirements of the trial: no FAIL hides behind the owner's PASS.
    let review = reviews
        .iter()
        .min_by_key(|one| one.outcome.place())
        .filter(|one| one.outcome == Verdict::Fail || of_owner());
    let (verdict, reason) = match review {
        Some(review) => (
            review.outcome,
            text::reason(&review.words(), review.outcome),
        ),
        None => (trial.verdict, text::reason(&trial.reason, trial.verdict)),
    };
    let case = Case {
        trial: Some(trial.id.clone()),
        classname: classname(owner),
        name: name(owner, &trial.title, trial.interface.as_deref()),
        verdict,
        duration_ms: i64::try_from(trial.duration_ms)
            .map_or(LONGEST_TIME, |ms| ms.min(LONGEST_TIME)),
        text: text::body(trial, &reason),
        output: text::output_of_trial(trial, &reviews, record.seed, options),
        properties: properties::of_trial(trial, &reviews, record.seed, options),
        reason,
    };
    (owner, case)
}

/// What people found for the requirements of a trial that asked for a person.
fn reviews<'a>(trial: &TrialRecord, record: &'a Record) -> Vec<&'a AttestationRecord> {
    if trial.verdict != Verdict::Review {
        return Vec::new();
    }
    let attested = trial
        .requirements
        .iter()
        .filter_map(|id| record.attested(*id, &trial.id));
    attested.collect()
}

/// A trial that was not run has the name that it would have had.
fn of_planned(planned: &PlannedRecord, record: &Record) -> (Option<RequirementId>, Case) {
    let owner = owner(&planned.requirements, &planned.id);
    let reason = if record.interrupted {
        "the campaign was interrupted before this trial"
    } else {
        "planned and not run"
    };
    let case = Case {
        trial: Some(planned.id.clone()),
        classname: classname(owner),
        name: name(owner, &planned.title, planned.interface.as_deref()),
        verdict: Verdict::NotEvaluated,
        duration_ms: 0,
        reason: reason.to_owned(),
        text: reason.to_owned(),
        output: text::output_of_planned(planned),
        properties: properties::of_planned(planned),
    };
    (owner, case)
}

/// The requirement that a trial stands under: its first; without any, the one that its id begins with.
fn owner(requirements: &[RequirementId], id: &str) -> Option<RequirementId> {
    let from_id = || id.split('/').next().and_then(|slug| slug.parse().ok());
    requirements.first().copied().or_else(from_id)
}

fn is_named(record: &Record, id: RequirementId) -> bool {
    let of_trials = record
        .trials
        .iter()
        .map(|trial| (&trial.requirements, &trial.id));
    let of_plan = record
        .planned
        .iter()
        .map(|planned| (&planned.requirements, &planned.id));
    of_trials.chain(of_plan).any(|(requirements, trial)| {
        requirements.contains(&id) || owner(requirements, trial) == Some(id)
    })
}

fn classname(owner: Option<RequirementId>) -> String {
    let package = Group::of(owner).package();
    match owner {
        Some(id) => format!("{package}.{}", id.slug().replace(['-', '.'], "_")),
        None => package,
    }
}

fn name(owner: Option<RequirementId>, title: &str, interface: Option<&str>) -> String {
    let mut name = owner.map(|id| format!("{id} ")).unwrap_or_default();
    name.push_str(&shorten(&one_line(title), LONGEST_TITLE));
    if let Some(interface) = interface {
        name.push_str(&format!(
            " [{}]",
            shorten(&one_line(interface), LONGEST_INTERFACE)
        ));
    }
    one_line(&name)
}

/// Some readers drop a case whose class name and name were there before.
fn make_unique(case: &mut Case, names: &mut HashSet<(String, String)>) {
    let plain = case.name.clone();
    let mut copy = 1;
    while !names.insert((case.classname.clone(), case.name.clone())) {
        copy += 1;
        case.name = format!("{plain} #{copy}");
    }
}
