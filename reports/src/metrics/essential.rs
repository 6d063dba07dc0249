//! How near the essential functions came to what the rig file allows, from the timelines of the trials.

use serde::Serialize;

use crate::record::TrialRecord;
use crate::timeline::FunctionRecord;

/// How the essential functions held while the device was tested. What is none is not in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Essential {
    /// How often a function was watched during a trial.
    pub watched: usize,
    /// The worst deviation seen, in percent of what the rig file allows, rounded up: of the time without a right reading, and
    /// of the distance from the value to stay near.
    pub margin_percent: Option<u64>,
    /// How long a function was without a right reading at most, in 95 of 100 times that it was watched, in milliseconds.
    pub recovery_ms: Option<u64>,
}

impl Essential {
    /// Of some trials. Time that the bench itself excused is not in their timelines.
    pub(super) fn of<'a>(trials: impl Iterator<Item = &'a TrialRecord>) -> Self {
        let functions = trials
            .filter_map(|trial| trial.timeline.as_ref())
            .flat_map(|timeline| &timeline.functions);
        let seen = functions.filter_map(|one| Some((strain(one)?, one.longest_ms.most()?)));
        let (strains, mut times): (Vec<u64>, Vec<u64>) = seen.unzip();
        times.sort_unstable();
        // The nearest rank: the least time that 95 of 100 do not exceed.
        let rank = (times.len() * 95).div_ceil(100);
        Self {
            watched: times.len(),
            margin_percent: strains.into_iter().max(),
            recovery_ms: rank.checked_sub(1).map(|at| times[at]),
        }
    }
}

/// How near a function came to what is not allowed any more, in percent of it.
fn strain(function: &FunctionRecord) -> Option<u64> {
    let percent = |seen: u64, allowed: u64| seen.saturating_mul(100).div_ceil(allowed.max(1));
    let late = percent(function.longest_ms.most()?, function.allowed_ms);
    let off = match (&function.farthest, function.tolerance) {
        (Some(farthest), Some(tolerance)) => farthest.most().map(|off| percent(off, tolerance)),
        _ => None,
    };
    Some(late.max(off.unwrap_or(0)))
}
