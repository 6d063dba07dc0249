//! CR 2.6: remote session termination.

use std::collections::BTreeSet;
use std::time::Duration;

use slcert_rigs::bench::Session;
use slcert_rigs::rig::InterfaceKind;
use tokio::time::Instant;

use crate::administrator::{administer, number, put_back, try_set};
use crate::case::{Case, Kind, Run, Scope, Svv, Wait};
use crate::fuzz::history::{self, Property};
use crate::procedure::{Procedure, Stop};
use crate::session::{acts, deed, dies, watches};
use crate::terminate::{ends, listed};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "idle",
        title: "a silent remote session is ended",
        requirements: &["CR 2.6"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out whether the device ends a remote session that is silent for the stated time, on every interface that has \
                    sessions over a network.",
        criterion: "A session that is used within the time works; after the time it is over, and does nothing more until somebody logs in anew.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(idle(p)) },
    },
    Case {
        id: "by-administrator",
        title: "an administrator ends a remote session",
        requirements: &["CR 2.6"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out whether a session that an authorised role has ended is over, on every interface that has sessions over a network.",
        criterion: "After the session was ended it does nothing more within the stated time; a new login works.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(by_administrator(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "a silent remote session is ended, whoever comes or is refused meanwhile",
        requirements: &["CR 2.6"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &[],
        objective: "Leave sessions over a network silent while other users come and go, and while anybody is refused, again and again until the stated time is \
                    over.",
        criterion: "A session that worked, and was silent for the stated time and two seconds, does nothing more.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

/// What they wait for.
pub const WAITS: &[Wait] = &[Wait {
    case: "idle",
    requirement: "CR 2.6",
    time: |rig| {
        let Some(stated) = rig.policy.remote_idle else {
            return Duration::ZERO;
        };
        let short = rig.operations.contains_key("set_remote_idle");
        let period = if short {
            Duration::from_secs(SHORT)
        } else {
            stated.0
        };
        if period <= LONGEST {
            period / 3 + period
        } else {
            Duration::ZERO
        }
    },
}];

/// The idle time that the device is set to for the test, in seconds, where it can be set.
pub const SHORT: u64 = 1;
/// The longest idle time that a test sits out.
const LONGEST: Duration = Duration::from_secs(300);
/// An MQTT client is not silent for longer: it sends its own keep alive.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How much longer than stated the end is waited for.
pub const GRACE: Duration = Duration::from_secs(2);

/// A session over a network, and what shows that it is alive.
struct Remote<'r> {
    interface: &'r str,
    account: &'r str,
    operation: &'r str,
    session: Session,
}

async fn idle(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let stated = p.rig().policy.remote_idle.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file states no time until a silent remote session ends (`policy.remote_idle`)",
        )
    })?;
    let users = users(p)?;
    let set = "set_remote_idle";
    if !try_set(p, set, &number(SHORT)).await? {
        return silent(p, &users, stated.0).await;
    }
    let tried = silent(p, &users, Duration::from_secs(SHORT)).await;
    let put_back = put_back(p, &[(set, number(stated.0.as_secs()))]).await;
    tried.and(put_back)
}

async fn silent(
    p: &mut Procedure<'_>,
    users: &[(&str, &str, &str)],
    period: Duration,
) -> Result<(), Stop> {
    let mqtt = |name: &str| {
        let interface = p.rig().interface(name);
        interface.is_some_and(|it| it.kind == InterfaceKind::Mqtt)
    };
    let longest = if users.iter().any(|(interface, _, _)| mqtt(interface)) {
        KEEP_ALIVE.saturating_sub(GRACE * 2)
    } else {
        LONGEST
    };
    if period > longest {
        return Err(Stop::not_evaluated(format!(
            "silent sessions end after {} s: set the device to at most {} s for the test, or bind `set_remote_idle`",
            period.as_secs(),
            longest.as_secs()
        )));
    }
    let mut open = Vec::new();
    for user in users {
        open.push(come(p, *user).await?);
    }
    // Used at a third of the time, the session has its whole time again.
    p.wait(period / 3).await;
    for remote in &mut open {
        let (works, words) = acts(p, &mut remote.session, remote.operation).await?;
        let name = format!(
            "a session on `{}` that is used within the time",
            remote.interface
        );
        alive(p, name, works, words)?;
    }
    let over = Instant::now() + period + GRACE;
    for mut remote in open {
        let left = over.saturating_duration_since(Instant::now());
        let ended = p.waiting(remote.session.ended(left)).await?;
        let (acted, words) = acts(p, &mut remote.session, remote.operation).await?;
        remote.session.abandon().await;
        let how = ended.unwrap_or_else(|| "the device did not end it".to_owned());
        p.check(
            format!(
                "the session on `{}`, silent for {} s",
                remote.interface,
                period.as_secs_f32()
            ),
            "over",
            format!("{how}; {words}"),
            !acted,
        );
        anew(p, (remote.interface, remote.account, remote.operation)).await?;
    }
    Ok(())
}

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::silence(p)?;
    history::hold(p, property).await
}

async fn by_administrator(p: &mut Procedure<'_>) -> Result<(), Stop> {
    p.anywhere("end_session")?;
    let users = users(p)?;
    let before = listed(p, accounts(&users)).await?;
    let mut open = Vec::new();
    for user in &users {
        let mut remote = come(p, *user).await?;
        let (works, words) = acts(p, &mut remote.session, remote.operation).await?;
        alive(
            p,
            format!("a session on `{}`, open", remote.interface),
            works,
            words,
        )?;
        open.push(remote);
    }
    let after = listed(p, accounts(&users)).await?;
    let mut deeds = Vec::new();
    for account in accounts(&users) {
        let opened = open.iter().filter(|it| it.account == account).count();
        deeds.extend(ends(p, account, opened, &before, &after)?);
    }
    administer(p, &deeds).await?;
    for remote in open {
        let name = format!(
            "the session on `{}`, ended by an administrator",
            remote.interface
        );
        dies(p, remote.session, remote.operation, &name).await?;
        anew(p, (remote.interface, remote.account, remote.operation)).await?;
    }
    Ok(())
}

/// Comes as somebody.
async fn come<'r>(
    p: &Procedure<'_>,
    (interface, account, operation): (&'r str, &'r str, &'r str),
) -> Result<Remote<'r>, Stop> {
    let session = p.bench().login(interface, account).await?;
    Ok(Remote {
        interface,
        account,
        operation,
        session,
    })
}

/// The control: a session that never worked tells nothing when it does not.
fn alive(p: &mut Procedure<'_>, name: String, works: bool, words: String) -> Result<(), Stop> {
    if works {
        p.check(name, "works", words, true);
        return Ok(());
    }
    let said = slcert_reports::excerpt(&words, 200);
    Err(Stop::inconclusive(format!("{name}, does not work: {said}")))
}

/// Checks that a new login works: the line is whole, and it was the session that had ended.
async fn anew(p: &mut Procedure<'_>, user: (&str, &str, &str)) -> Result<(), Stop> {
    let mut remote = come(p, user).await?;
    let works = acts(p, &mut remote.session, remote.operation).await;
    remote.session.close().await;
    let (works, words) = works?;
    let name = format!("a new login on `{}`", remote.interface);
    if works {
        p.check(name, "works", words, true);
    } else {
        p.cannot_tell(name, "works", words);
    }
    Ok(())
}

/// For each interface with sessions over a network: an account, and an operation that shows that its session is alive.
///
/// # Errors
/// NOT EVALUATED where the device has no such interface, or nobody to use one.
fn users<'r>(p: &Procedure<'r>) -> Result<Vec<(&'r str, &'r str, &'r str)>, Stop> {
    let rig = p.rig();
    let kinds = [InterfaceKind::ModbusTls, InterfaceKind::Mqtt];
    let mut users = Vec::new();
    for (name, interface) in &rig.interfaces {
        if !kinds.contains(&interface.kind) || !interface.has_identity() {
            continue;
        }
        let name = name.as_str();
        let accounts = rig.accounts_on(name);
        let accounts = accounts.filter(|(account, _)| !watches(rig, account.as_str()));
        let telling = accounts.filter_map(|(account, _)| {
            let operation = deed(p, name, account.as_str())?;
            let reads = !rig.operations[operation].changes_state();
            Some((reads, account.as_str(), operation))
        });
        let (_, account, operation) = telling.min().ok_or_else(|| {
            Stop::not_evaluated(format!(
                "no account on `{name}`, but one that watches an essential function, may do anything that shows that its session is alive"
            ))
        })?;
        users.push((name, account, operation));
    }
    match (users.is_empty(), p.declared_absent()) {
        (false, _) => Ok(users),
        (true, Some(why)) => Err(Stop::not_applicable(format!(
            "declared absent: {why}; and no interface has sessions over a network"
        ))),
        (true, None) => Err(Stop::not_evaluated(
            "no interface of this rig has sessions over a network that know their user",
        )),
    }
}

fn accounts<'r>(users: &[(&'r str, &'r str, &'r str)]) -> BTreeSet<&'r str> {
    users.iter().map(|(_, account, _)| *account).collect()
}
