//! CR 2.5: session lock.

use std::time::Duration;

use slcert_rigs::bench::{ConsoleSession, Place, Session};
use slcert_rigs::rig::{Binding, Rig, Step, Values};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv, Wait};
use crate::procedure::{Procedure, Stop};
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "idle",
        title: "an idle session locks, and a locked one does nothing",
        requirements: &["CR 2.5"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            users: &[slcert_rigs::rig::User::Human],
            ..Fits::CONSOLE
        }),
        needs: &[],
        objective: "Find out whether a session that idles for the stated time asks for the password again.",
        criterion: "At half the time a command still works; after the time it does not, until its user has authenticated again.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(idle(p)) },
    },
    Case {
        id: "by-hand",
        title: "a user can lock the session",
        requirements: &["CR 2.5"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            users: &[slcert_rigs::rig::User::Human],
            ..Fits::CONSOLE
        }),
        needs: &[],
        objective: "Find out whether the lock by hand holds.",
        criterion: "After the lock command no command works until the session's own user has authenticated again; a wrong password does not unlock.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(by_hand(p)) },
    },
    Case {
        id: "configurable",
        title: "the time until the lock can be set",
        requirements: &["CR 2.5"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            users: &[slcert_rigs::rig::User::Human],
            ..Fits::CONSOLE
        }),
        needs: &["set_session_lock"],
        objective: "Find out whether a change of the time has effect.",
        criterion: "After the time is doubled, a session that idles for the old time and a half still works.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(configurable(p)) },
    },
];

/// What they wait for.
pub const WAITS: &[Wait] = &[
    Wait {
        case: "idle",
        requirement: "CR 2.5",
        time: |rig| sat_out(rig).map_or(Duration::ZERO, |period| period / 2 + period + SOON),
    },
    Wait {
        case: "configurable",
        requirement: "CR 2.5",
        time: |rig| sat_out(rig).map_or(Duration::ZERO, |period| period + period / 2),
    },
];

/// The time until a session locks, where a test sits it out.
fn sat_out(rig: &Rig) -> Option<Duration> {
    let stated = rig.policy.session_lock.map(|period| period.0);
    stated.filter(|period| *period <= LONGEST)
}

/// The longest idle time that a test sits out.
const LONGEST: Duration = Duration::from_secs(900);
/// How much longer than stated the lock is waited for.
const GRACE: Duration = Duration::from_millis(1200);
/// When the first look is taken after the time.
const SOON: Duration = Duration::from_millis(150);

async fn idle(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let period = stated(p)?;
    let (account, command) = harmless(p)?;
    let mut session = p.login(account).await?;
    p.wait(period / 2).await;
    let said = say(&mut session, &command).await?;
    if said.0 != Place::Prompt {
        session.close().await;
        return Err(Stop::inconclusive(format!(
            "the session did not last half the stated time: {}",
            said.1
        )));
    }
    p.check("a command at half the time", "works", &said.1, true);
    // A look that comes too early makes the session go on: the second one waits for as long as the device may be late.
    let (mut place, mut text) = idled(p, &mut session, period + SOON, &command).await?;
    if place == Place::Prompt {
        (place, text) = idled(p, &mut session, period + GRACE, &command).await?;
    }
    let observed = format!("{}: {text}", place_words(place));
    p.check(
        "a command after the time",
        "does not work without a new authentication",
        observed,
        place != Place::Prompt && !answers(p, &text),
    );
    if place == Place::Locked {
        unlock(p, &mut session, account, &command).await?;
    }
    session.close().await;
    Ok(())
}

/// Lets a session idle, and then types a command into it.
async fn idled(
    p: &Procedure<'_>,
    session: &mut Session,
    time: Duration,
    command: &str,
) -> Result<(Place, String), Stop> {
    p.wait(time).await;
    let moved = match session.console() {
        Some(console) => console.moved().await?,
        None => None,
    };
    match moved {
        // The device has ended the session by itself: what is typed now is a login.
        Some(said) if said.place == Place::Login => Ok((said.place, said.text)),
        _ => say(session, command).await,
    }
}

async fn by_hand(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let manner = p.interface()?.console.as_ref();
    let lock = manner
        .and_then(|manner| manner.lock.clone())
        .ok_or_else(|| {
            Stop::not_evaluated(format!(
                "the rig file names no command that locks a session of `{}` (`console.lock`)",
                p.name()
            ))
        })?;
    let (account, command) = harmless(p)?;
    let mut session = p.login(account).await?;
    let (place, text) = say(&mut session, &lock).await?;
    p.check(
        "the lock command",
        "locks",
        format!("{}: {text}", place_words(place)),
        place != Place::Prompt,
    );
    if place == Place::Locked {
        // At the lock this line is taken for a password: a wrong one.
        let (place, text) = say(&mut session, &command).await?;
        let done = place == Place::Prompt || answers(p, &text);
        p.check(
            "a command at the lock",
            "does not work",
            format!("{}: {text}", place_words(place)),
            !done,
        );
        if !done {
            unlock(p, &mut session, account, &command).await?;
        }
    }
    session.close().await;
    Ok(())
}

async fn configurable(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let period = stated(p)?;
    let (account, command) = harmless(p)?;
    let seconds = |period: Duration| {
        Values::from([("value".to_owned(), period.as_secs().max(1).to_string())])
    };
    by_whoever_may(p, "set_session_lock", &seconds(period * 2)).await?;
    let tried = async {
        let mut session = p.login(account).await?;
        p.wait(period + period / 2).await;
        let said = say(&mut session, &command).await;
        session.close().await;
        said
    };
    let said = tried.await;
    by_whoever_may(p, "set_session_lock", &seconds(period)).await?;
    let (place, text) = said?;
    p.check(
        format!(
            "a command after {} ms, where {} ms are allowed now",
            (period + period / 2).as_millis(),
            (period * 2).as_millis()
        ),
        "works",
        format!("{}: {text}", place_words(place)),
        place == Place::Prompt,
    );
    Ok(())
}

/// Unlocks with the user's own password, and shows that the session works again.
async fn unlock(
    p: &mut Procedure<'_>,
    session: &mut Session,
    account: &str,
    command: &str,
) -> Result<(), Stop> {
    let password = p.bench().password(account)?;
    let Some(console) = session.console() else {
        return Ok(());
    };
    if console.manner().unlock.is_empty() {
        return Ok(());
    }
    match console.unlock(&password).await? {
        Ok(()) => {
            let (place, text) = say(session, command).await?;
            p.check(
                "a command after the user's own password",
                "works",
                format!("{}: {text}", place_words(place)),
                place == Place::Prompt,
            );
        }
        Err(said) => p.cannot_tell("the user's own password", "unlocks", said),
    }
    Ok(())
}

fn stated(p: &Procedure<'_>) -> Result<Duration, Stop> {
    let period = p.rig().policy.session_lock.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file states no time until a session locks (`policy.session_lock`)",
        )
    })?;
    if period.0 > LONGEST {
        return Err(Stop::not_evaluated(format!(
            "sessions lock after {period}: set the device to at most {} s for the test",
            LONGEST.as_secs()
        )));
    }
    Ok(period.0)
}

/// An account and a command that only reads.
fn harmless<'r>(p: &Procedure<'r>) -> Result<(&'r str, String), Stop> {
    let rig = p.rig();
    for name in rig.operations.keys() {
        let Some(Binding::Console(binding)) = rig.binding(name.as_str(), p.name()) else {
            continue;
        };
        // Without a pattern for the answer, nothing would tell that a locked session gave it.
        if binding.meaning.answer.is_none() {
            continue;
        }
        let [Step::Send(command)] = binding.steps.as_slice() else {
            continue;
        };
        // A backup takes its time.
        if !rig.only_reads(name.as_str(), p.name()) || name.as_str() == "backup" {
            continue;
        }
        if let Some(account) = rig.who_may_str(name.as_str(), p.name()) {
            return Ok((account, p.bench().fill(command)?));
        }
    }
    Err(Stop::not_evaluated(format!(
        "no operation that only reads is bound on `{}`",
        p.name()
    )))
}

/// Whether a text is the answer of some reading operation.
fn answers(p: &Procedure<'_>, text: &str) -> bool {
    let values = Values::new();
    p.rig()
        .operations
        .values()
        .any(|operation| match operation.on(p.name()) {
            Some(Binding::Console(binding)) => binding
                .meaning
                .answer
                .as_ref()
                .and_then(|pattern| pattern.with(&values).ok())
                .is_some_and(|pattern| pattern.is_match(text)),
            _ => false,
        })
}

async fn say(session: &mut Session, command: &str) -> Result<(Place, String), Stop> {
    let console: &mut ConsoleSession = session
        .console()
        .ok_or_else(|| Stop::inconclusive("this is no console"))?;
    let said = console.say(command).await?;
    Ok((said.place, said.text))
}

fn place_words(place: Place) -> &'static str {
    match place {
        Place::Prompt => "the session answers",
        Place::Locked => "the session is locked",
        Place::Login => "the session is over",
    }
}
