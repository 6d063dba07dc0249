//! CR 2.9: audit storage capacity.

use std::time::Duration;

use slcert_rigs::rig::{AuditFull, Values};

use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::power;
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::rights::{all_by_whoever_may, by_whoever_may};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "full",
    title: "a full audit log does as stated, and the device goes on",
    requirements: &["CR 2.9"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Fill the audit log to more than its capacity, and find out whether the device works and the log does as the rig file states.",
    criterion: "With more events than the log has room for, every operation is still done. A log that overwrites has an entry for each of \
                the newest events; one that stops keeps what it has, and has an entry that says that it is nearly full.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(full(p)) },
}];

/// The most entries that a test provokes to fill a log.
const MOST: u32 = 2000;
/// The longest that a test fills a log.
const LONGEST: Duration = Duration::from_secs(240);
/// How many events more than the log has room for are provoked.
const MORE: u32 = 8;
/// How long the log is left full: many devices write theirs behind time, and find out only then that there is no room.
const FULL_FOR: Duration = Duration::from_secs(2);

async fn full(p: &mut Procedure<'_>) -> Result<(), Stop> {
    audit::format(p)?;
    let behaviour = p.rig().policy.audit_full.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say what a full audit log does (`policy.audit_full`)",
        )
    })?;
    let capacity = Capacity::of(p, 0)?;
    let mut provoker = Provoker::find(p).await?;
    let tried = with_capacity(p, &mut provoker, behaviour, &capacity).await;
    provoker.end(p, tried).await
}

async fn with_capacity(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    behaviour: AuditFull,
    capacity: &Capacity,
) -> Result<(), Stop> {
    capacity.in_time(provoker)?;
    capacity.set(p).await?;
    let tried = fill(p, provoker, behaviour, capacity.entries).await;
    let back = capacity.put_back(p, behaviour).await;
    tried.and(back)
}

async fn fill(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    behaviour: AuditFull,
    capacity: u32,
) -> Result<(), Stop> {
    let count = capacity + MORE;
    let mut done = provoker.events(p, count).await?;
    let full = provoker.read(p).await?;
    if full.len() > capacity as usize {
        return Err(Stop::inconclusive(format!(
            "the log is not full: it shows {} entries, where the rig file states room for {capacity}",
            full.len()
        )));
    }
    // No more than a listing shows, with room for the logins that read it.
    let newest = (capacity.min(u32::try_from(full.len()).unwrap_or(u32::MAX)) / 2).max(1);
    let recent = provoker.events(p, newest - 1).await?;
    p.wait(FULL_FOR).await;
    let recent = recent + provoker.events(p, 1).await?;
    done += recent;
    let (effect, words) = provoker.took_effect(p).await?;
    p.check(
        format!(
            "{} while the log, with room for {capacity} entries, is full",
            provoker.describe()
        ),
        format!("done each of {} times, and in effect", count + newest),
        format!("done {done} times; {words}"),
        done == count + newest && effect,
    );
    let after = provoker.read(p).await?;
    match behaviour {
        AuditFull::Overwrite => {
            let mine = provoker.mine(&full, after);
            p.check(
                format!("{recent} more events in the full log"),
                format!("{recent} new entries, in the place of the oldest"),
                format!("{} new entries: {}", mine.len(), audit::words(&mine)),
                mine.len() >= recent as usize,
            );
        }
        AuditFull::Stop => stopped(p, &full, &after),
    }
    Ok(())
}

/// A log that stops keeps what it has, and does not do so in silence.
fn stopped(p: &mut Procedure<'_>, full: &[AuditEntry], after: &[AuditEntry]) {
    let kept = full.iter().filter(|entry| after.contains(entry)).count();
    p.check(
        "the entries of the full log",
        format!("all {} of them are kept", full.len()),
        format!("{kept} are"),
        kept == full.len(),
    );
    let expected = "an entry that says so (`audit.warning`)";
    match p
        .rig()
        .audit
        .as_ref()
        .and_then(|audit| audit.warning.clone())
    {
        Some(warning) => {
            let told = after.iter().find(|entry| warning.is_match(&entry.text));
            let words = told.map_or("no entry", |entry| entry.text.as_str());
            p.check("the log is full", expected, words, told.is_some());
        }
        None => p.cannot_tell(
            "the log is full",
            expected,
            "the rig file does not say how such an entry reads",
        ),
    }
}

/// The capacity that a test works with: a small one where it can be set, the stated one otherwise.
pub struct Capacity {
    /// How many entries the log keeps during the test.
    pub entries: u32,
    stated: u32,
}

impl Capacity {
    /// A capacity of at least so many entries.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file states none that can be filled.
    pub fn of(p: &Procedure<'_>, least: u32) -> Result<Self, Stop> {
        let stated = p.rig().policy.audit_capacity.ok_or_else(|| {
            Stop::not_evaluated(
                "the rig file does not say how many entries the audit log keeps (`policy.audit_capacity`)",
            )
        })?;
        let settable = p.anywhere("set_audit_capacity").is_ok();
        let range = p.rig().operations.get("set_audit_capacity");
        let smallest = range
            .and_then(|operation| operation.values)
            .filter(|_| settable)
            .map(|range| u32::from(range.from).max(least));
        let entries = smallest.map_or(stated, |smallest| smallest.min(stated));
        if entries > MOST {
            return Err(Stop::not_evaluated(format!(
                "the log keeps {entries} entries: bind `set_audit_capacity` with its `values`, or set the device to at most {MOST} for the test"
            )));
        }
        Ok(Self { entries, stated })
    }

    /// Refuses a log that takes too long to fill.
    ///
    /// # Errors
    /// NOT EVALUATED.
    pub fn in_time(&self, provoker: &Provoker<'_>) -> Result<(), Stop> {
        let time = provoker.time_for(2 * self.entries);
        if time <= LONGEST {
            return Ok(());
        }
        Err(Stop::not_evaluated(format!(
            "to fill a log of {} entries by {} would take {} s: bind `set_audit_capacity` with its `values`",
            self.entries,
            provoker.describe(),
            time.as_secs()
        )))
    }

    /// The operation that sets this capacity, where it is another than the stated one.
    pub fn operation(&self) -> Option<(&'static str, Values)> {
        (self.entries != self.stated).then(|| setting("set_audit_capacity", self.entries))
    }

    async fn set(&self, p: &Procedure<'_>) -> Result<(), Stop> {
        match self.operation() {
            Some((operation, values)) => by_whoever_may(p, operation, &values).await,
            None => Ok(()),
        }
    }

    /// The operation that sets the stated capacity again.
    pub fn restoring(&self) -> Vec<(&'static str, Values)> {
        let changed = self.entries != self.stated;
        let back = setting("set_audit_capacity", self.stated);
        changed.then_some(back).into_iter().collect()
    }

    async fn put_back(&self, p: &Procedure<'_>, behaviour: AuditFull) -> Result<(), Stop> {
        let restoring = self.restoring();
        power::put_back(p, &restoring).await?;
        // A log that has stopped would record nothing of the trials after this one.
        if behaviour == AuditFull::Stop && restoring.is_empty() {
            all_by_whoever_may(p, &[("clear_audit", Values::new())]).await?;
        }
        Ok(())
    }
}

/// An operation with a number as its value.
pub fn setting(operation: &'static str, value: u32) -> (&'static str, Values) {
    let values = Values::from([("value".to_owned(), value.to_string())]);
    (operation, values)
}
