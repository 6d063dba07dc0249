//! CR 2.7: concurrent session control.

use std::time::Duration;

use slcert_rigs::bench::{Entry, Session, Who};
use slcert_rigs::rig::{Excess, InterfaceKind, SessionLimit};
use tokio::time::{Instant, sleep};

use crate::administrator::{number, put_back, try_set};
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fuzz::history::{self, Property};
use crate::procedure::{Procedure, Stop};
use crate::session::{acts, reading, watches};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "limit",
        title: "a user has no more sessions than stated, however many came and went",
        requirements: &["CR 2.7"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            kinds: &[InterfaceKind::ModbusTls, InterfaceKind::Mqtt],
            identity: true,
            ..Fits::ALL
        }),
        needs: &[],
        objective: "Find out whether the number of a user's sessions on an interface is limited, also after many connections were opened and dropped.",
        criterion: "Twice, each time after three times the limit of connections were opened and half of them dropped without a word: as many \
                sessions as stated are let in and work; one more is refused, or it is let in and the oldest is over, as stated; never do more \
                than the stated number work.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(limit(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "no order of sessions gives a user more of them than stated, or fewer",
        requirements: &["CR 2.7"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &[],
        objective: "Open generated sessions of a user on all interfaces together, leave them in order, without a word or in the middle of a login, and restart the device in \
                    between; then open one more than there may be.",
        criterion: "Never do more sessions work than stated; a user with fewer is let in, whatever sessions came and went before; one too many is refused, or let in \
                    in place of the oldest, as stated.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

/// The limit that the device is set to for the test, where it can be set.
const FEW: u32 = 3;
/// The highest limit that a test fills.
const MOST: u32 = 64;
/// How long a device may take to notice that connections were dropped, and to end a session.
const NOTICES: Duration = Duration::from_secs(10);
/// How long the oldest session may go on when a new one has taken its place.
const NOTICES_END: Duration = Duration::from_secs(2);
/// The time between two looks.
const BETWEEN: Duration = Duration::from_millis(80);

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::crowd(p)?;
    history::hold(p, property).await
}

async fn limit(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let stated = p.rig().policy.sessions.get(p.name()).ok_or_else(|| {
        Stop::not_evaluated(format!(
            "the rig file states no number of sessions for `{}` (`policy.sessions`)",
            p.name()
        ))
    })?;
    let stated = stated.value;
    let set = "set_session_limit";
    if !try_set(p, set, &number(FEW)).await? {
        return rounds(p, stated).await;
    }
    let few = SessionLimit {
        most: FEW,
        ..stated
    };
    let tried = rounds(p, few).await;
    let put_back = put_back(p, &[(set, number(stated.most))]).await;
    tried.and(put_back)
}

async fn rounds(p: &mut Procedure<'_>, limit: SessionLimit) -> Result<(), Stop> {
    if limit.most > MOST {
        return Err(Stop::not_evaluated(format!(
            "a user may have {} sessions: set the device to at most {MOST} for the test, or bind `set_session_limit`",
            limit.most
        )));
    }
    let (account, operation) = reader(p)?;
    for round in ["once", "again"] {
        if !churn(p, account, limit.most * 3).await? {
            return Ok(());
        }
        fill(p, account, operation, limit, round).await?;
    }
    Ok(())
}

/// An account, and an operation that reads: many sessions are asked, and none is to disturb another.
fn reader<'r>(p: &Procedure<'r>) -> Result<(&'r str, &'r str), Stop> {
    let rig = p.rig();
    let accounts = rig.accounts_on(p.name()).map(|(name, _)| name.as_str());
    let able = accounts.filter(|name| !watches(rig, name));
    let found = able.filter_map(|account| {
        let (rank, operation) = reading(rig, p.name(), account)?;
        Some((rank, account, operation))
    });
    let best = found.min();
    best.map(|(_, account, operation)| (account, operation))
        .ok_or_else(|| {
            Stop::not_evaluated(format!(
                "no account on `{}` may read anything, but one that watches an essential function",
                p.name()
            ))
        })
}

/// Opens connections, and leaves every second one without a word; whether all were let in.
async fn churn(p: &mut Procedure<'_>, account: &str, times: u32) -> Result<bool, Stop> {
    for at in 1..=times {
        match patiently(p, account).await? {
            Ok(session) if at % 2 == 0 => session.abandon().await,
            Ok(session) => session.close().await,
            Err(said) => {
                let name = format!("connection {at} of {times}, one after the other");
                return kept_out(p, account, name, said).await.map(|()| false);
            }
        }
    }
    Ok(true)
}

/// Writes down that somebody is refused whose sessions are all over. Where others are refused as well, it is no matter of
/// one user's sessions.
async fn kept_out(
    p: &mut Procedure<'_>,
    account: &str,
    name: String,
    said: String,
) -> Result<(), Stop> {
    let mut accounts = p.rig().accounts_on(p.name()).map(|(name, _)| name.as_str());
    let observed = format!("refused, though all the others are over: {said}");
    if let Some(other) = accounts.find(|other| *other != account)
        && let Entry::In(session) = p.enter(&Who::Account(other)).await?
    {
        session.close().await;
        let observed = format!("{observed}; `{other}` is let in meanwhile");
        p.check(name, "let in", observed, false);
    } else {
        p.cannot_tell(name, "let in", observed);
    }
    Ok(())
}

/// Logs in; a device may need a while to notice that other sessions are over.
async fn patiently(p: &Procedure<'_>, account: &str) -> Result<Result<Session, String>, Stop> {
    let deadline = Instant::now() + NOTICES;
    loop {
        match p.enter(&Who::Account(account)).await? {
            Entry::In(session) => return Ok(Ok(session)),
            Entry::Refused(answer) if Instant::now() >= deadline => return Ok(Err(answer.text)),
            Entry::Refused(_) => sleep(BETWEEN).await,
        }
    }
}

async fn fill(
    p: &mut Procedure<'_>,
    account: &str,
    operation: &str,
    limit: SessionLimit,
    round: &str,
) -> Result<(), Stop> {
    let most = limit.most as usize;
    let mut open = Vec::new();
    for at in 1..=most {
        match patiently(p, account).await? {
            Ok(session) => open.push(session),
            Err(said) => {
                let name = format!("session {at} of {most}, {round}");
                return kept_out(p, account, name, said).await;
            }
        }
    }
    let alive = count(p, &mut open, operation).await?;
    if alive < most && limit.excess == Excess::OldestEnds {
        let observed = format!("{alive} work: some were ended before there was one too many");
        p.check(
            format!("{most} sessions, {round}"),
            "all work",
            observed,
            false,
        );
        return Ok(());
    }
    if alive < most {
        return Err(Stop::inconclusive(format!(
            "{alive} of {most} sessions work within the limit"
        )));
    }
    p.check(
        format!("{most} sessions, {round}"),
        "all work",
        format!("{alive} work"),
        true,
    );

    let one_more = p.enter(&Who::Account(account)).await?;
    let name = format!("one session more, {round}");
    match (one_more, limit.excess) {
        (Entry::Refused(answer), Excess::Refused) => {
            p.check(name, "refused", answer.text, true);
            let alive = count(p, &mut open, operation).await?;
            let name = format!("the {most} sessions before it, {round}");
            p.check(name, "all work", format!("{alive} work"), alive == most);
        }
        (Entry::Refused(answer), Excess::OldestEnds) => {
            p.check(
                name,
                "let in, in place of the oldest",
                format!("refused: {}", answer.text),
                false,
            );
        }
        (Entry::In(session), excess) => {
            open.push(session);
            let ended = open[0].ended(NOTICES_END).await?;
            let alive = count(p, &mut open, operation).await?;
            let (oldest, _) = acts(p, &mut open[0], operation).await?;
            let expected = match excess {
                Excess::Refused => "refused",
                Excess::OldestEnds => "let in, and the oldest one is over",
            };
            let how = ended.unwrap_or_else(|| "the oldest one goes on".to_owned());
            p.check(
                name,
                expected,
                format!("let in; {how}; {alive} work"),
                excess == Excess::OldestEnds && alive == most && !oldest,
            );
        }
    }
    for session in open {
        if session.is_over() {
            session.abandon().await;
        } else {
            session.close().await;
        }
    }
    Ok(())
}

/// How many of the sessions work.
async fn count(
    p: &Procedure<'_>,
    sessions: &mut [Session],
    operation: &str,
) -> Result<usize, Stop> {
    let mut alive = 0;
    for session in sessions {
        alive += usize::from(acts(p, session, operation).await?.0);
    }
    Ok(alive)
}
