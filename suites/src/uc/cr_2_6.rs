//! CR 2.6: remote session termination.

use std::collections::BTreeSet;
use std::time::Duration;

use slcert_rigs::bench::Session;
use slcert_rigs::rig::{InterfaceKind, Values};
use tokio::time::sleep;

use crate::account::{acts, administer, deed, dies};
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// Sessions that come over a network, from somebody who is known.
const REMOTE: Fits = Fits {
    kinds: &[InterfaceKind::ModbusTls, InterfaceKind::Mqtt],
    identity: true,
    ..Fits::ALL
};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "idle",
        title: "a silent remote session is ended",
        requirements: &["CR 2.6"],
        kind: Kind::Conformance,
        scope: Scope::Each(REMOTE),
        needs: &[],
        objective: "Find out whether the device ends a remote session that is silent for the stated time.",
        criterion: "A session that is used within the time works; after the time it is over, and does nothing more until somebody logs in anew.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(idle(p)) },
    },
    Case {
        id: "by-administrator",
        title: "an administrator ends a remote session",
        requirements: &["CR 2.6"],
        kind: Kind::Conformance,
        scope: Scope::Each(REMOTE),
        needs: &[],
        objective: "Find out whether a session that an authorised role has ended is over.",
        criterion: "After the session was ended it does nothing more within the stated time; a new login works.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(by_administrator(p)) },
    },
];

/// The idle time that the device is set to for the test, in seconds, where it can be set.
const SHORT: u64 = 1;
/// The longest idle time that a test sits out.
const LONGEST: Duration = Duration::from_secs(300);
/// An MQTT client is not silent for longer: it sends its own keep alive.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How much longer than stated the end is waited for.
const GRACE: Duration = Duration::from_secs(2);

async fn idle(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let stated = p.rig().policy.remote_idle.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file states no time until a silent remote session ends (`policy.remote_idle`)",
        )
    })?;
    if p.anywhere("set_remote_idle").is_err() {
        return silent(p, stated.0).await;
    }
    let set = |seconds: u64| {
        [(
            "set_remote_idle",
            Values::from([("value".to_owned(), seconds.to_string())]),
        )]
    };
    administer(p, &set(SHORT)).await?;
    let tried = silent(p, Duration::from_secs(SHORT)).await;
    let put_back = administer(p, &set(stated.0.as_secs())).await;
    tried.and(put_back)
}

async fn silent(p: &mut Procedure<'_>, period: Duration) -> Result<(), Stop> {
    let longest = match p.interface()?.kind {
        InterfaceKind::Mqtt => KEEP_ALIVE.saturating_sub(GRACE * 2),
        _ => LONGEST,
    };
    if period > longest {
        return Err(Stop::not_evaluated(format!(
            "silent sessions end after {} s: set the device to at most {} s for the test, or bind `set_remote_idle`",
            period.as_secs(),
            longest.as_secs()
        )));
    }
    let (account, operation) = somebody(p)?;
    let mut session = p.login(account).await?;
    sleep(period / 3).await;
    let (works, words) = acts(p, &mut session, operation).await?;
    if !works {
        return Err(Stop::inconclusive(format!(
            "the session did not last a third of the stated time: {}",
            slcert_reports::excerpt(&words, 200)
        )));
    }
    p.check(
        "a session that is used within the time",
        "works",
        words,
        true,
    );
    let ended = session.ended(period + GRACE).await?;
    let (acted, words) = acts(p, &mut session, operation).await?;
    session.abandon().await;
    let how = ended.unwrap_or_else(|| "the device did not end it".to_owned());
    p.check(
        format!("the session, silent for {} s", period.as_secs_f32()),
        "over",
        format!("{how}; {words}"),
        !acted,
    );
    anew(p, account, operation).await
}

async fn by_administrator(p: &mut Procedure<'_>) -> Result<(), Stop> {
    p.anywhere("end_session")?;
    let (account, operation) = somebody(p)?;
    let before = sessions(p, account).await?;
    let mut session = p.login(account).await?;
    let (works, words) = acts(p, &mut session, operation).await?;
    if !works {
        return Err(Stop::inconclusive(format!(
            "the session does nothing before it was ended: {}",
            slcert_reports::excerpt(&words, 200)
        )));
    }
    p.check("the session, open", "works", words, true);
    let values = name_of(p, account, &before).await?;
    administer(p, &[("end_session", values)]).await?;
    dies(
        p,
        session,
        operation,
        "the session, ended by an administrator",
    )
    .await?;
    anew(p, account, operation).await
}

/// Checks that a new login works: the line is whole, and it was the session that had ended.
async fn anew(p: &mut Procedure<'_>, account: &str, operation: &str) -> Result<(), Stop> {
    let mut session: Session = p.login(account).await?;
    let works = acts(p, &mut session, operation).await;
    session.close().await;
    let (works, words) = works?;
    if works {
        p.check("a new login", "works", words, true);
    } else {
        p.cannot_tell("a new login", "works", words);
    }
    Ok(())
}

/// An account, and an operation by which its session shows that it is alive.
fn somebody<'r>(p: &Procedure<'r>) -> Result<(&'r str, &'r str), Stop> {
    let rig = p.rig();
    let mut first = None;
    for (name, _) in rig.accounts_on(p.name()) {
        let Some(operation) = deed(p, p.name(), name.as_str()) else {
            continue;
        };
        if rig.operations[operation].changes_state() {
            return Ok((name.as_str(), operation));
        }
        first = first.or(Some((name.as_str(), operation)));
    }
    first.ok_or_else(|| {
        Stop::not_evaluated(format!(
            "no account on `{}` may do anything that shows that its session is alive",
            p.name()
        ))
    })
}

/// The sessions of an account as the device names them; none where the rig file binds no list.
async fn sessions(p: &Procedure<'_>, account: &str) -> Result<Option<BTreeSet<String>>, Stop> {
    let Ok((interface, lister)) = p.anywhere("list_sessions") else {
        return Ok(None);
    };
    let values = Values::from([("name".to_owned(), p.bench().user(account).to_owned())]);
    let answer = p
        .rig()
        .binding("list_sessions", interface)
        .and_then(|binding| binding.meaning()?.answer.as_ref());
    let Some(pattern) = answer else {
        return Err(Stop::not_evaluated(format!(
            "the binding of `list_sessions` on `{interface}` has no `answer` that finds a session"
        )));
    };
    let pattern = pattern
        .with(&values)
        .map_err(|error| Stop::not_evaluated(error.to_string()))?;
    let mut session = p.bench().login(interface, lister).await?;
    let attempt = session.perform("list_sessions", &values).await;
    session.close().await;
    let attempt = attempt?;
    let found = pattern.captures_iter(&attempt.answer().text);
    Ok(Some(
        found
            .filter_map(|it| it.get(1).or_else(|| it.get(0)))
            .map(|it| it.as_str().to_owned())
            .collect(),
    ))
}

/// What the device has to be told to end the session that was opened since.
async fn name_of(
    p: &Procedure<'_>,
    account: &str,
    before: &Option<BTreeSet<String>>,
) -> Result<Values, Stop> {
    let mut values = Values::from([("name".to_owned(), p.bench().user(account).to_owned())]);
    let (interface, _) = p.anywhere("end_session")?;
    let binding = p.rig().binding("end_session", interface);
    if !binding.is_some_and(|it| it.placeholders().iter().any(|it| it == "session")) {
        return Ok(values);
    }
    let (Some(before), Some(after)) = (before, sessions(p, account).await?) else {
        return Err(Stop::not_evaluated(
            "`end_session` wants a `{session}`, and `list_sessions`, which would tell it, is bound on no interface of this rig",
        ));
    };
    let new: Vec<_> = after.difference(before).collect();
    let [session] = new[..] else {
        return Err(Stop::inconclusive(format!(
            "the list of sessions has {} new ones of `{account}`, where one was opened",
            new.len()
        )));
    };
    values.insert("session".to_owned(), session.clone());
    Ok(values)
}
