//! What changed, one by one.

use std::collections::BTreeMap;

use slcert_profiles::RequirementId;

use super::{Kind, Pair, RowChange, TrialChange, short};
use crate::assess::Assessment;
use crate::record::{Record, TrialRecord};
use crate::verdict::Verdict;

/// Whether a verdict says something about the device.
fn decides(verdict: Verdict) -> bool {
    verdict.is_met() || verdict == Verdict::Fail
}

/// How a trial changed; none where it did not.
pub(super) fn trial(
    old: Option<&TrialRecord>,
    new: Option<&TrialRecord>,
    now: &Record,
) -> Option<TrialChange> {
    let trial = new.or(old)?;
    let (was, is) = (
        old.map(|trial| trial.verdict),
        new.map(|trial| trial.verdict),
    );
    let decided = |verdict: Option<Verdict>| verdict.is_some_and(decides);
    let why = match new {
        Some(trial) => short(&trial.reason),
        None if now.planned.iter().any(|planned| planned.id == trial.id) => {
            "planned and not run".to_owned()
        }
        None => "not in the plan any more".to_owned(),
    };
    let (kind, why) = match (was, is) {
        (Some(Verdict::Fail), Some(Verdict::Fail)) => (Kind::StillFailing, why),
        (_, Some(Verdict::Fail)) => (Kind::NewlyFailing, why),
        (Some(Verdict::Fail), Some(is)) if is.is_met() => (Kind::Fixed, why),
        _ if decided(was) && !decided(is) => (Kind::LostCoverage, why),
        _ if !decided(was) && decided(is) => (Kind::NewCoverage, why),
        _ if was != is => (Kind::Changed, why),
        _ => (Kind::Changed, method(old?, new?)?),
    };
    Some(TrialChange {
        kind,
        id: short(&trial.id),
        title: short(&trial.title),
        verdicts: Pair { old: was, new: is },
        why,
    })
}

/// What makes two trials with the same verdict not the same test. What was seen may differ from run to run.
fn method(old: &TrialRecord, new: &TrialRecord) -> Option<String> {
    let mut changed: Vec<String> = Vec::new();
    if old.criterion != new.criterion {
        changed.push("another criterion".to_owned());
    }
    if old.requirements != new.requirements {
        changed.push("evidence for other requirements".to_owned());
    }
    // What their names and values say may be made up anew in each campaign.
    let (before, now) = (old.checks.len(), new.checks.len());
    if before != now {
        changed.push(format!("{now} checks, was {before}"));
    }
    (!changed.is_empty()).then(|| changed.join(", "))
}

/// The rows that came to something else.
pub(super) fn rows(was: &Assessment, is: &Assessment) -> Vec<RowChange> {
    let mut rows: BTreeMap<RequirementId, RowChange> = BTreeMap::new();
    for row in &was.requirements {
        let change = RowChange {
            id: row.id,
            title: short(&row.title),
            verdicts: Pair {
                old: Some(row.reviewed),
                new: None,
            },
            claimed: row.claimed,
        };
        rows.insert(row.id, change);
    }
    for row in &is.requirements {
        let before = rows.get(&row.id);
        let was_claimed = before.is_some_and(|change| change.claimed);
        let old = before.and_then(|change| change.verdicts.old);
        let change = RowChange {
            id: row.id,
            title: short(&row.title),
            verdicts: Pair {
                old,
                new: Some(row.reviewed),
            },
            claimed: row.claimed || was_claimed,
        };
        rows.insert(row.id, change);
    }
    rows.into_values()
        .filter(|row| row.verdicts.old != row.verdicts.new)
        .collect()
}
