//! CR 2.11 RE(2): protection of time source integrity.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use slcert_profiles::file::Pattern;
use slcert_rigs::Attempt;
use slcert_rigs::bench::Session;
use slcert_rigs::rig::Values;
use slcert_rigs::sntp::TimeServer;
use tokio::time::sleep;

use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::clock::{time, time_source};
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::rights::{all_by_whoever_may, by_whoever_may};
use crate::uc::cr_2_11::{ahead, tolerance};
use crate::uc::cr_2_11_re_1::TimeBench;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "by-the-unauthorised",
        title: "who may not set the time is refused, and that is in the audit log",
        requirements: &["CR 2.11 RE(2)"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out whether a role without the right can set the time or its source, and whether the attempt leaves an entry.",
        criterion: "Each such attempt is refused, the clock stays right, nobody asks the time server that was named, and the audit log has \
                    an entry of it. Somebody with the right can do it.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(by_the_unauthorised(p)) },
    },
    Case {
        id: "implausible",
        title: "an implausible step of the time server is not followed, and that is in the audit log",
        requirements: &["CR 2.11 RE(2)"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Let the time server jump by more than the device follows, and find out what the device does.",
        criterion: "A small step is followed; one that is larger than the rig file states is not, and leaves an entry.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(implausible(p)) },
    },
];

/// How far ahead the unauthorised would set the clock, in seconds.
const AHEAD: i64 = 90;

async fn by_the_unauthorised(p: &mut Procedure<'_>) -> Result<(), Stop> {
    audit::format(p)?;
    let tolerance = tolerance(p)?;
    let attempts = unauthorised(p);
    if attempts.is_empty() {
        return Err(Stop::not_evaluated(
            "neither `set_time` nor `set_time_source` is bound for an account that may not perform it",
        ));
    }
    let server = p.bench().time_server().await?;
    server.set_ahead(AHEAD);
    let mut provoker = Provoker::find(p).await?;
    let tried = clock_stays(p, &mut provoker, &attempts, &server, tolerance).await;
    provoker.end(p, tried).await
}

async fn clock_stays(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    attempts: &[Unauthorised<'_>],
    server: &TimeServer,
    tolerance: Duration,
) -> Result<(), Stop> {
    allowed(p, attempts).await?;
    let before = ahead(p, provoker).await?;
    let tried = refused(p, attempts, server).await;
    let off = ahead(p, provoker).await.map(|after| after - before);
    let within = |off: &i64| off.unsigned_abs() <= tolerance.as_millis() as u64;
    let moved = !off.as_ref().is_ok_and(within);
    let asked = server.answers();
    if let (Ok(()), Ok(off)) = (&tried, &off) {
        p.check(
            "the clock after all of them",
            format!("as before, within {} ms", tolerance.as_millis()),
            format!("{off} ms further ahead"),
            !moved,
        );
        p.check(
            "the time server that they named",
            "is asked by nobody",
            format!("was asked {asked} times"),
            asked == 0,
        );
    }
    let back = put_back(p, moved, asked > 0).await;
    tried?;
    off?;
    back
}

/// An operation that an account may not perform.
struct Unauthorised<'r> {
    interface: &'r str,
    account: &'r str,
    operations: Vec<&'r str>,
}

/// One account of each role that lacks the right, on each interface that binds the operation.
fn unauthorised<'r>(p: &Procedure<'r>) -> Vec<Unauthorised<'r>> {
    let rig = p.rig();
    let mut all = Vec::new();
    for interface in rig.interfaces.keys().map(|name| name.as_str()) {
        let mut roles = BTreeSet::new();
        for (account, described) in rig.accounts_on(interface) {
            let operations: Vec<_> = ["set_time", "set_time_source"]
                .into_iter()
                .filter(|name| rig.binding(name, interface).is_some())
                .filter(|name| !rig.may(account.as_str(), name) && p.anywhere(name).is_ok())
                .collect();
            if !operations.is_empty() && roles.insert(&described.role.value) {
                all.push(Unauthorised {
                    interface,
                    account: account.as_str(),
                    operations,
                });
            }
        }
    }
    all
}

/// The control: with the right, the same works, and harms nothing.
async fn allowed(p: &Procedure<'_>, attempts: &[Unauthorised<'_>]) -> Result<(), Stop> {
    let tried = |operation| attempts.iter().any(|it| it.operations.contains(&operation));
    let mut operations = Vec::new();
    if tried("set_time") {
        operations.push(("set_time", time(Timestamp::now())));
    }
    if let Some(source) = p.rig().policy.time_source.as_deref()
        && tried("set_time_source")
    {
        operations.push(("set_time_source", time_source(source)));
    }
    all_by_whoever_may(p, &operations).await
}

async fn refused(
    p: &mut Procedure<'_>,
    attempts: &[Unauthorised<'_>],
    server: &TimeServer,
) -> Result<(), Stop> {
    // The control: what a login alone leaves in the log.
    let start = audit::read(p).await?;
    for attempt in attempts {
        let session = p.bench().login(attempt.interface, attempt.account).await?;
        session.close().await;
    }
    let before = audit::read(p).await?;
    let mut understood = Vec::new();
    for attempt in attempts {
        let mut count = 0;
        let mut session = p.bench().login(attempt.interface, attempt.account).await?;
        for operation in &attempt.operations {
            let tried = try_one(p, &mut session, attempt, operation, server).await;
            if tried.is_err() || session.is_over() {
                session.close().await;
                count += usize::from(tried?);
                session = p.bench().login(attempt.interface, attempt.account).await?;
            } else {
                count += usize::from(tried?);
            }
        }
        session.close().await;
        understood.push(count);
    }
    let after = audit::read(p).await?;
    let shown = after.len();
    let of_logins = audit::new_entries(&start, before.clone());
    let of_attempts = audit::new_entries(&before, after);
    for (attempt, count) in attempts.iter().zip(understood) {
        let user = p.bench().user(attempt.account);
        // Where entries name nobody, what all have left is looked at for each.
        let own = |entries: &[AuditEntry]| -> Vec<_> {
            let own = entries
                .iter()
                .filter(|entry| entry.field("user").is_none_or(|named| named == user));
            own.cloned().collect()
        };
        let (alone, with) = (own(&of_logins), own(&of_attempts));
        let name = format!("{}'s attempts in the audit log", attempt.account);
        let expected = format!(
            "{count} entries more than the {} of a login alone",
            alone.len()
        );
        let observed = format!("{} entries: {}", with.len(), texts(&with));
        let met = with.len() >= alone.len() + count;
        if !met && of_attempts.len() == shown {
            // The listing holds nothing older: it may have had no room for all of them.
            p.cannot_tell(name, expected, observed);
        } else {
            p.check(name, expected, observed, met);
        }
    }
    Ok(())
}

fn texts(entries: &[AuditEntry]) -> String {
    let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
    texts.join("\n")
}

/// Tries one operation; whether the device understood it, so that there is something to record.
async fn try_one(
    p: &mut Procedure<'_>,
    session: &mut Session,
    attempt: &Unauthorised<'_>,
    operation: &str,
    server: &TimeServer,
) -> Result<bool, Stop> {
    let values: Values = if operation == "set_time" {
        let later = Timestamp::now().checked_add(SignedDuration::from_secs(AHEAD));
        time(later.unwrap_or_default())
    } else {
        time_source(&server.address().to_string())
    };
    let said = session.perform(operation, &values).await?;
    p.check(
        format!(
            "{}, {operation} on `{}`",
            attempt.account, attempt.interface
        ),
        "refused",
        &said.answer().text,
        !said.is_done(),
    );
    Ok(!matches!(said, Attempt::Unclear(_)))
}

/// Puts right what the unauthorised could change after all.
async fn put_back(p: &Procedure<'_>, moved: bool, asked: bool) -> Result<(), Stop> {
    if asked && let Some(source) = p.rig().policy.time_source.as_deref() {
        by_whoever_may(p, "set_time_source", &time_source(source)).await?;
    }
    if moved || asked {
        by_whoever_may(p, "set_time", &time(Timestamp::now())).await?;
    }
    Ok(())
}

async fn implausible(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let bench = TimeBench::of(p)?;
    let largest = p.rig().policy.clock_step.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say which step of a time server is the largest that the device follows (`policy.clock_step`)",
        )
    })?;
    let rejected = audit::format(p)?.time_rejected.clone().ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how the entry of a time that was not believed reads (`audit.time_rejected`)",
        )
    })?;
    let step = bench.step(p)?;
    let mut provoker = Provoker::find(p).await?;
    let jump = i64::try_from(largest.0.as_secs()).unwrap_or(i64::MAX / 4000) * 2 + step;
    let server = bench.connect(p).await;
    let tried = match &server {
        Ok(server) => jumps(p, &mut provoker, &bench, server, step, jump, &rejected).await,
        Err(stop) => Err(stop.clone()),
    };
    let back = bench.restore(p, &mut provoker).await;
    provoker.end(p, tried.and(back)).await
}

async fn jumps(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    bench: &TimeBench<'_>,
    server: &TimeServer,
    step: i64,
    jump: i64,
    rejected: &Pattern,
) -> Result<(), Stop> {
    // The control: what is plausible is followed.
    for seconds in [step, 0] {
        let (followed, off) = bench.follow(p, provoker, server, seconds).await?;
        if !followed {
            return Err(Stop::inconclusive(format!(
                "a step of {step} s is not followed either, the stamps are {off} ms ahead: see CR 2.11 RE(1)"
            )));
        }
    }
    let before = provoker.seen().to_vec();
    server.set_ahead(jump);
    if !bench.asked(server, 2).await {
        return Err(Stop::inconclusive(
            "the device did not ask the time server twice after it jumped",
        ));
    }
    sleep(Duration::from_millis(50)).await;
    let off = ahead(p, provoker).await?;
    p.check(
        format!("a jump of the time server by {jump} s"),
        "not followed",
        format!("the stamps are {off} ms ahead"),
        off.unsigned_abs() <= bench.tolerance.as_millis() as u64,
    );
    let new = audit::new_entries(&before, provoker.seen().to_vec());
    let told = new.iter().find(|entry| rejected.is_match(&entry.text));
    p.check(
        "the jump in the audit log",
        "an entry that tells that the time was not believed",
        told.map_or_else(|| audit::words(&new), |entry| entry.text.clone()),
        told.is_some(),
    );
    // Back to a time that is right, before the device is pointed elsewhere.
    server.set_ahead(0);
    bench.asked(server, 1).await;
    Ok(())
}
