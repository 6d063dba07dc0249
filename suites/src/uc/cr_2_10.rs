//! CR 2.10: response to audit processing failures.

use std::time::Duration;

use slcert_profiles::file::Pattern;
use slcert_rigs::rig::Values;
use tokio::time::{Instant, sleep};

use crate::alert::{self, Ear};
use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "storage-fails",
    title: "the device goes on when its audit log cannot be written, and says so",
    requirements: &["CR 2.10"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Make the audit log's storage fail, and find out whether control goes on, whether the device reacts as the rig file states, \
                and whether the log works again once the storage does.",
    criterion: "While the storage fails, operations are done and have effect, and the essential functions hold. An alert meanwhile, or an \
                entry after it, tells of the failure. After the storage works again, new events have their entries.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(storage_fails(p)) },
}];

/// How many events are provoked at a time.
const EVENTS: u32 = 4;
/// How long an alert is waited for where the rig file does not say.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a log that recovers is waited for where the rig file does not say.
const RECOVERY: Duration = Duration::from_secs(30);

async fn storage_fails(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let failure = audit::format(p)?.failure.clone().ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how the device tells that its log cannot be written (`audit.failure`)",
        )
    })?;
    for operation in ["break_audit", "mend_audit"] {
        if p.rig().bench_command(operation).is_none() {
            return Err(Stop::not_evaluated(format!(
                "operation `{operation}` has no command of the bench (`bench`)"
            )));
        }
    }
    let mut ear = match p.anywhere("alerts") {
        Ok(_) => Some(Ear::open(p, None).await?),
        Err(_) => None,
    };
    let mut provoker = Provoker::find(p).await?;
    let tried = broken_and_mended(p, &mut provoker, &mut ear, &failure).await;
    if let Some(ear) = ear {
        ear.close().await;
    }
    provoker.end(p, tried).await
}

async fn broken_and_mended(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    ear: &mut Option<Ear>,
    failure: &Pattern,
) -> Result<(), Stop> {
    let before = audit::read(p).await?;
    let total = provoker.total();
    act(p, "break_audit").await?;
    let tried = meanwhile(p, provoker, ear, failure).await;
    act(p, "mend_audit").await?;
    let (alerted, heard) = tried?;
    let entries = recovered(p, provoker, &before).await?;
    let mine = entries.iter().filter(|entry| provoker.is_mine(entry));
    let missing = (provoker.total() - total).saturating_sub(mine.count() as u32);
    reaction(p, failure, alerted, &heard, &entries, missing);
    Ok(())
}

/// Does something to the device from the bench.
async fn act(p: &Procedure<'_>, operation: &str) -> Result<(), Stop> {
    let attempt = p.bench().run(operation, &Values::new()).await?;
    if attempt.is_done() {
        return Ok(());
    }
    Err(Stop::inconclusive(format!(
        "the bench could not perform `{operation}`: {}",
        slcert_reports::excerpt(&attempt.answer().text, 200)
    )))
}

/// What goes on while the storage fails; whether an alert told of it, and all alerts in words.
async fn meanwhile(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    ear: &mut Option<Ear>,
    failure: &Pattern,
) -> Result<(bool, String), Stop> {
    let done = provoker.events(p, EVENTS).await?;
    let (effect, words) = provoker.took_effect(p).await?;
    p.check(
        format!("{} while the log cannot be written", provoker.describe()),
        format!("done each of {EVENTS} times, and in effect"),
        format!("done {done} times; {words}"),
        done == EVENTS && effect,
    );
    let Some(ear) = ear else {
        return Ok((false, String::new()));
    };
    let limit = p
        .rig()
        .policy
        .alert_within
        .map_or(PATIENCE, |period| period.0);
    let (alerted, heard) = ear.hear(limit, |text| failure.is_match(text)).await?;
    Ok((alerted, alert::words(&heard)))
}

/// Provokes events after the storage works again, until each has an entry; all entries since the failure.
async fn recovered(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    before: &[AuditEntry],
) -> Result<Vec<AuditEntry>, Stop> {
    let stated = p.rig().policy.audit_recovery;
    let limit = stated.map_or(RECOVERY, |period| period.0);
    let deadline = Instant::now() + limit;
    loop {
        let earlier = provoker.read(p).await?;
        provoker.events(p, EVENTS).await?;
        let after = provoker.read(p).await?;
        let mine = provoker.mine(&earlier, after.clone()).len();
        let met = mine >= EVENTS as usize;
        if met || Instant::now() >= deadline {
            p.check(
                format!("{EVENTS} events after the log can be written again"),
                format!("an entry for each, at most {} s later", limit.as_secs_f32()),
                format!("{mine} entries"),
                met,
            );
            return Ok(audit::new_entries(before, after));
        }
        sleep((limit / 10).max(Duration::from_millis(100))).await;
    }
}

/// Judges whether the device told of the failure. Without a word and without a loss, nothing shows that there was one.
fn reaction(
    p: &mut Procedure<'_>,
    failure: &Pattern,
    alerted: bool,
    heard: &str,
    entries: &[AuditEntry],
    missing: u32,
) {
    let name = "the log could not be written";
    let expected = "an alert meanwhile, or an entry after it, that tells of it";
    let entry = entries.iter().find(|entry| failure.is_match(&entry.text));
    match entry {
        _ if alerted => p.check(name, expected, heard, true),
        Some(entry) => p.check(name, expected, &entry.text, true),
        None if missing > 0 => p.check(
            name,
            expected,
            format!("neither, and {missing} entries are missing"),
            false,
        ),
        None => p.cannot_tell(
            name,
            expected,
            "neither, and no entry is missing: nothing shows that the storage failed at all",
        ),
    }
}
