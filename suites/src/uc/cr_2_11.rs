//! CR 2.11: timestamps.

use std::time::Duration;

use jiff::Timestamp;
use slcert_rigs::rig::Audit;

use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::power;
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "stamps",
    title: "audit entries are stamped with the right time",
    requirements: &["CR 2.11"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Compare the time stamps of audit entries with the bench's clock, in a row and across a power cycle.",
    criterion: "Each stamp is the bench's time when its event was provoked, within the tolerance that the rig file states; the stamps of \
                events in a row do not go back; after a power cycle both still hold.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(stamps(p)) },
}];

/// How many events are provoked in a row.
const ROW: u32 = 5;

async fn stamps(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let format = audit::format(p)?;
    let tolerance = tolerance(p)?;
    let mut provoker = Provoker::find(p).await?;
    let tried = across_a_power_cycle(p, &mut provoker, format, tolerance).await;
    provoker.end(p, tried).await
}

async fn across_a_power_cycle(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    format: &Audit,
    tolerance: Duration,
) -> Result<(), Stop> {
    let row = in_a_row(p, provoker, format, tolerance, "in a row").await?;
    provoker.leave().await;
    provoker.remember(power::cycle(p).await?);
    let later = in_a_row(p, provoker, format, tolerance, "after a power cycle").await?;
    if let (Some(last), Some(first)) = (row.iter().max(), later.iter().min()) {
        p.check(
            "the first stamp after the power cycle",
            format!("not before {last}"),
            first.to_string(),
            first >= last,
        );
    }
    Ok(())
}

/// Provokes events and judges their stamps, which are handed back in the log's order.
async fn in_a_row(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    format: &Audit,
    tolerance: Duration,
    when: &str,
) -> Result<Vec<Timestamp>, Stop> {
    let from = Timestamp::now();
    let done = provoker.events(p, ROW).await?;
    let to = Timestamp::now();
    let entries = provoker.fresh(p).await?;
    if done < ROW || entries.len() != ROW as usize {
        return Err(Stop::inconclusive(format!(
            "{} was done {done} of {ROW} times, and {} entries of it are new in the log: see CR 2.8 and CR 6.1",
            provoker.describe(),
            entries.len()
        )));
    }
    let stamps = stamps_of(&entries, format)?;
    let off = stamps.iter().map(|stamp| off(*stamp, from, to));
    let furthest = off.max_by_key(|off| off.abs()).unwrap_or_default();
    p.check(
        format!("the stamps of {ROW} events {when}"),
        format!(
            "between {from:.3} and {to:.3}, within {} ms",
            tolerance.as_millis()
        ),
        format!("off by up to {furthest} ms: {}", audit::words(&entries)),
        furthest.unsigned_abs() <= tolerance.as_millis() as u64,
    );
    // A log may have its newest entry first.
    let ordered = stamps.is_sorted() || stamps.iter().rev().is_sorted();
    let texts: Vec<_> = stamps.iter().map(Timestamp::to_string).collect();
    p.check(
        format!("the order of the stamps of {ROW} events {when}"),
        "none goes back",
        texts.join(", "),
        ordered,
    );
    Ok(stamps)
}

fn stamps_of(entries: &[AuditEntry], format: &Audit) -> Result<Vec<Timestamp>, Stop> {
    entries.iter().map(|entry| entry.stamp(format)).collect()
}

/// How far a stamp lies outside a span of time, in milliseconds; negative before it.
fn off(stamp: Timestamp, from: Timestamp, to: Timestamp) -> i64 {
    let (stamp, from, to) = (
        stamp.as_millisecond(),
        from.as_millisecond(),
        to.as_millisecond(),
    );
    (stamp - from).min(0) + (stamp - to).max(0)
}

/// The stated tolerance of the clock.
///
/// # Errors
/// NOT EVALUATED where the rig file states none.
pub fn tolerance(p: &Procedure<'_>) -> Result<Duration, Stop> {
    let stated = p.rig().policy.clock_tolerance.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how far the clock may be off (`policy.clock_tolerance`)",
        )
    })?;
    Ok(stated.0)
}

/// How far the device's clock is ahead of the bench's by the stamp of a fresh entry, in milliseconds.
///
/// # Errors
/// There is no such entry.
pub async fn ahead(p: &Procedure<'_>, provoker: &mut Provoker<'_>) -> Result<i64, Stop> {
    let format = audit::format(p)?;
    let from = Timestamp::now();
    provoker.events(p, 1).await?;
    let to = Timestamp::now();
    match provoker.fresh(p).await?.as_slice() {
        [entry, ..] => Ok(off(entry.stamp(format)?, from, to)),
        [] => Err(Stop::inconclusive(format!(
            "{} left no entry: see CR 2.8",
            provoker.describe()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_off_by_what_it_lies_outside() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(off(at(1500), at(1000), at(2000)), 0);
        assert_eq!(off(at(900), at(1000), at(2000)), -100);
        assert_eq!(off(at(2300), at(1000), at(2000)), 300);
    }
}
