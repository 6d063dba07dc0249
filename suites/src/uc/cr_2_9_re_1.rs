//! CR 2.9 RE(1): warn when audit record storage capacity threshold reached.

use std::time::Duration;

use slcert_profiles::file::Pattern;
use slcert_rigs::rig::Values;

use crate::alert::{self, Ear};
use crate::audit;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::power;
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::rights::all_by_whoever_may;
use crate::uc::cr_2_9::{Capacity, setting};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "warning",
    title: "the device warns at the threshold that is set",
    requirements: &["CR 2.9 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Find out whether the device warns when the audit log is filled to a threshold, and whether that can be set.",
    criterion: "With each of two thresholds, a log that is filled to less has no warning, and one that is filled to more has one, as an \
                entry or as an alert.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(warning(p)) },
}];

/// The thresholds, in percent: the first lies below what the second one lets pass.
const THRESHOLDS: [u32; 2] = [50, 80];
/// A capacity with room for what the test itself leaves in the log: logins to read it.
const ROOM: u32 = 80;
/// What the test itself may leave in the log, in entries.
const OWN: u32 = 10;
/// How long an alert is waited for where there is no entry.
const ALERT: Duration = Duration::from_secs(2);

async fn warning(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let warning = audit::format(p)?.warning.clone().ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how the warning reads that the log is nearly full (`audit.warning`)",
        )
    })?;
    let stated = p.rig().policy.audit_warning.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say at which part of its capacity the log warns (`policy.audit_warning`)",
        )
    })?;
    for operation in ["set_audit_warning", "clear_audit"] {
        p.anywhere(operation)?;
    }
    let capacity = Capacity::of(p, ROOM)?;
    if capacity.entries < ROOM {
        return Err(Stop::not_evaluated(format!(
            "a log with room for {} entries is filled by the logins that read it",
            capacity.entries
        )));
    }
    let mut ear = match p.anywhere("alerts") {
        Ok(_) => Some(Ear::open(p, None).await?),
        Err(_) => None,
    };
    let mut provoker = Provoker::find(p).await?;
    let tried = match capacity.in_time(&provoker) {
        Ok(()) => thresholds(p, &mut provoker, &mut ear, &warning, &capacity).await,
        Err(stop) => Err(stop),
    };
    let mut back = capacity.restoring();
    back.push(setting("set_audit_warning", stated));
    let back = power::put_back(p, &back).await;
    if let Some(ear) = ear {
        ear.close().await;
    }
    provoker.end(p, tried.and(back)).await
}

async fn thresholds(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    ear: &mut Option<Ear>,
    warning: &Pattern,
    capacity: &Capacity,
) -> Result<(), Stop> {
    for percent in THRESHOLDS {
        let threshold = (capacity.entries * percent).div_ceil(100);
        let mut set: Vec<_> = capacity.operation().into_iter().collect();
        set.push(setting("set_audit_warning", percent));
        set.push(("clear_audit", Values::new()));
        all_by_whoever_may(p, &set).await?;
        // Clearing may warn of nothing, and tell of much: what was heard until now does not count.
        if let Some(ear) = ear {
            ear.hear(Duration::from_millis(50), |_| false).await?;
        }
        let below = threshold - OWN;
        record(p, provoker, below).await?;
        let (warned, words) = warnings(p, provoker, ear, warning, Duration::ZERO).await?;
        p.check(
            format!("{below} events in a log that warns at {threshold} entries ({percent} %)"),
            "no warning",
            words,
            !warned,
        );
        record(p, provoker, threshold - below).await?;
        let (warned, words) = warnings(p, provoker, ear, warning, ALERT).await?;
        p.check(
            format!("{threshold} events in a log that warns at {threshold} entries ({percent} %)"),
            "a warning, as an entry or as an alert",
            words,
            warned,
        );
    }
    Ok(())
}

async fn record(p: &Procedure<'_>, provoker: &mut Provoker<'_>, count: u32) -> Result<(), Stop> {
    let done = provoker.events(p, count).await?;
    if done == count {
        return Ok(());
    }
    Err(Stop::inconclusive(format!(
        "{} was done {done} of {count} times",
        provoker.describe()
    )))
}

/// Whether there is a warning in the log, or an alert comes; in words.
async fn warnings(
    p: &Procedure<'_>,
    provoker: &mut Provoker<'_>,
    ear: &mut Option<Ear>,
    warning: &Pattern,
    limit: Duration,
) -> Result<(bool, String), Stop> {
    let entries = provoker.read(p).await?;
    if let Some(entry) = entries.iter().find(|entry| warning.is_match(&entry.text)) {
        return Ok((true, entry.text.clone()));
    }
    let nothing = format!("no warning among {} entries", entries.len());
    let Some(ear) = ear else {
        return Ok((false, nothing));
    };
    let (warned, heard) = ear.hear(limit, |text| warning.is_match(text)).await?;
    Ok((warned, format!("{nothing}; {}", alert::words(&heard))))
}
