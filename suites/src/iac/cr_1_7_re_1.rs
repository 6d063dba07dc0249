//! CR 1.7 RE(1): password generation and lifetime restrictions for human users.
//!
//! The clock is set back before an account is created, and right before it is used: then its password is old, and nobody
//! else's is.

use slcert_rigs::Secret;
use slcert_rigs::bench::Session;
use slcert_rigs::rig::{PasswordLife, User, Values};

use crate::account::Made;
use crate::administrator::{administer, ask, needs, number, put_back, try_set};
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::clock::{self, days};
use crate::fresh;
use crate::procedure::{Procedure, Stop};

const HUMAN: Fits = Fits {
    users: &[User::Human],
    ..Fits::PASSWORD
};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "history",
        title: "a password is not used again",
        requirements: &["CR 1.7 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Each(HUMAN),
        needs: &["change_own_password"],
        objective: "Find out whether an account's last passwords, as many as stated, can be set again.",
        criterion: "The oldest and the newest of them are refused and open no session; a new password is taken right after them.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(history(p)) },
    },
    Case {
        id: "lifetime",
        title: "a password expires, and a new one cannot be changed again at once",
        requirements: &["CR 1.7 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Each(HUMAN),
        needs: &["change_own_password"],
        objective: "Find out whether the stated least and greatest age of a password hold.",
        criterion: "A password that is one day older than the greatest age opens no session, and one that an authorised role sets anew does; a \
                    password older than the least age can be changed by its user and, changed, not again at once.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(lifetime(p, true)) },
    },
];

/// The number of passwords that the device is set to remember for the test, where it can be set.
const GENERATIONS: u32 = 3;
/// The highest number that a test goes through.
const MOST: u32 = 24;
/// The least age that the device is set to for the test, in days, where it can be set.
const DAYS: u32 = 1;

async fn history(p: &mut Procedure<'_>) -> Result<(), Stop> {
    needs(p, &["create_account", "delete_account"])?;
    let life = p.rig().policy.password_life.unwrap_or_default();
    let Some(stated) = life.history else {
        return Err(Stop::not_evaluated(
            "the rig file states no number of passwords that are not used again (`policy.password_life.history`)",
        ));
    };
    let made = Made::on(p, p.name())?;
    let mut after = Vec::new();
    let tried = prepared(p, &made, life, stated, &mut after).await;
    let put_back = put_back(p, &after).await;
    tried.and(put_back)
}

/// Sets the device up for the test, where it can be set, and goes through passwords.
async fn prepared(
    p: &mut Procedure<'_>,
    made: &Made<'_>,
    life: PasswordLife,
    stated: u32,
    after: &mut Vec<(&str, Values)>,
) -> Result<(), Stop> {
    let (set_history, set_age) = ("set_password_history", "set_password_minimum_age");
    let kept = if try_set(p, set_history, &number(GENERATIONS)).await? {
        after.push((set_history, number(stated)));
        GENERATIONS
    } else {
        stated
    };
    if !(2..=MOST).contains(&kept) {
        return Err(Stop::not_evaluated(format!(
            "the device is set to remember {kept} passwords: set it to 2 up to {MOST} for the test, or bind `{set_history}`"
        )));
    }
    if let Some(least @ 1..) = life.minimum_days {
        if !try_set(p, set_age, &days(0)).await? {
            return Err(Stop::not_evaluated(format!(
                "a password has to be {least} days old before it can be changed: set that to none for the test, or bind `{set_age}`"
            )));
        }
        after.push((set_age, days(least)));
    }
    administer(p, &[made.deed(p, "create_account")]).await?;
    after.push(made.deed(p, "delete_account"));
    again(p, made, kept).await
}

/// Goes through passwords, and tries those that were used.
async fn again(p: &mut Procedure<'_>, made: &Made<'_>, kept: u32) -> Result<(), Stop> {
    let mut used = vec![made.password.clone()];
    let mut session = made.control(p).await?;
    // Whether the password of now counts among those that are kept, devices see differently: the oldest that is tried
    // here is kept in any case.
    for _ in 1..kept {
        let new = Secret::new(fresh::strong_password());
        let (done, words) = change(&mut session, &used[used.len() - 1], &new).await?;
        if !done {
            session.close().await;
            return Err(Stop::inconclusive(format!(
                "a new password is refused: {}",
                slcert_reports::excerpt(&words, 200)
            )));
        }
        used.push(new);
    }
    let now = used[used.len() - 1].clone();
    let mut tries = vec![(0, "the oldest of them")];
    if used.len() > 2 {
        tries.push((used.len() - 2, "the one before the present one"));
    }
    let mut said = Vec::new();
    for (at, which) in tries {
        let (done, words) = change(&mut session, &now, &used[at]).await?;
        said.push((at, which, done, words));
        if done {
            break;
        }
    }
    let new = Secret::new(fresh::strong_password());
    let (_, last) = change(&mut session, &now, &new).await?;
    session.close().await;
    let taken = made.opens(p, &new).await?.0;
    for (at, which, done, words) in said {
        // Where the new password was set over the present one, nothing was set in between.
        let opens = !taken && made.opens(p, &used[at]).await?.0;
        let effect = if opens {
            "it opens a session"
        } else {
            "it has no effect"
        };
        p.check(
            format!("{which}, where {kept} are not used again"),
            "refused, and without effect",
            format!("{words}; {effect}"),
            !done && !opens,
        );
    }
    let name = "a new password, right after them";
    if taken {
        p.check(name, "taken", last, true);
    } else {
        let why = format!("{last}: then the refusals above say nothing");
        p.cannot_tell(name, "taken", why);
    }
    Ok(())
}

/// Whether a password that is older than stated opens a session and, for `own` changes, one that was just changed can be
/// changed again.
///
/// # Errors
/// NOT EVALUATED where an age is not stated, or the device's clock cannot be set.
pub async fn lifetime(p: &mut Procedure<'_>, own: bool) -> Result<(), Stop> {
    needs(p, &["create_account", "delete_account", "set_time"])?;
    let life = p.rig().policy.password_life.unwrap_or_default();
    let Some(most @ 1..) = life.maximum_days else {
        return Err(Stop::not_evaluated(
            "the rig file states no days that a password lasts (`policy.password_life.maximum_days`)",
        ));
    };
    let set_age = "set_password_minimum_age";
    let mut after = Vec::new();
    let least = match (own, life.minimum_days) {
        (false, _) => None,
        (true, Some(stated)) if try_set(p, set_age, &days(DAYS)).await? => {
            after.push((set_age, days(stated)));
            Some(DAYS)
        }
        (true, Some(stated @ 1..)) => Some(stated),
        _ => {
            return Err(Stop::not_evaluated(
                "the rig file states no least age of a password (`policy.password_life.minimum_days`), or none above 0 that would be tested",
            ));
        }
    };
    let (old, young) = (Made::on(p, p.name())?, Made::on(p, p.name())?);
    let mut before = vec![
        clock::set(-(i64::from(most) + 1)),
        old.deed(p, "create_account"),
    ];
    after.push(old.deed(p, "delete_account"));
    if let Some(least) = least {
        before.push(clock::set(-(i64::from(least) + 1)));
        before.push(young.deed(p, "create_account"));
        after.push(young.deed(p, "delete_account"));
    }
    let prepared = administer(p, &before).await;
    let right = clock::put_right(p).await;
    let tried = async {
        prepared.and(right)?;
        expired(p, &old, most).await?;
        match least {
            Some(least) => at_once(p, &young, least).await,
            None => Ok(()),
        }
    };
    let tried = tried.await;
    let put_back = put_back(p, &after).await;
    tried.and(put_back)
}

async fn expired(p: &mut Procedure<'_>, made: &Made<'_>, most: u32) -> Result<(), Stop> {
    let opened = made.opens(p, &made.password).await;
    let (opens, words) = opened.map_err(|stop| {
        Stop::inconclusive(format!(
            "{}; if this is how the device asks for a new password, add it to `console.login_refused` in the rig file",
            stop.reason
        ))
    })?;
    let name = format!("a password of {} days, where {most} are the most", most + 1);
    if opens {
        p.check(name, "opens no session", words, false);
        return Ok(());
    }
    // The control: it is the password's age, and not the account or the clock.
    let new = Secret::new(fresh::strong_password());
    let renewed = if p.anywhere("set_password").is_ok() {
        ask(p, "set_password", &made.values_as(p, made.like, &new)).await?
    } else {
        ask(p, "delete_account", &made.values(p)).await?;
        ask(p, "create_account", &made.values_as(p, made.like, &new)).await?
    };
    let (works, other) = made.opens(p, &new).await?;
    if works {
        p.check(name, "opens no session", words, true);
        p.check("a new password of the same account", "let in", other, true);
    } else {
        let why = format!(
            "{words}; but a new password is not let in either: {}; {other}",
            renewed.answer().text
        );
        p.cannot_tell(name, "opens no session", why);
    }
    Ok(())
}

async fn at_once(p: &mut Procedure<'_>, made: &Made<'_>, least: u32) -> Result<(), Stop> {
    let first = Secret::new(fresh::strong_password());
    let second = Secret::new(fresh::strong_password());
    let mut session = made.control(p).await?;
    let (done, words) = change(&mut session, &made.password, &first).await?;
    if !done {
        session.close().await;
        return Err(Stop::inconclusive(format!(
            "a password of {} days cannot be changed, where {least} are the least: {}",
            least + 1,
            slcert_reports::excerpt(&words, 200)
        )));
    }
    let name = format!("a change after {} days", least + 1);
    p.check(name, "done", words, true);
    let (done, words) = change(&mut session, &first, &second).await?;
    session.close().await;
    let taken = made.opens(p, &first).await?.0;
    let opens = !taken && made.opens(p, &second).await?.0;
    if !taken && !opens {
        return Err(Stop::inconclusive(
            "neither password opens a session any more",
        ));
    }
    let effect = if opens {
        "the new one opens a session"
    } else {
        "it has no effect"
    };
    p.check(
        format!("another change at once, where {least} days are the least"),
        "refused, and without effect",
        format!("{words}; {effect}"),
        !done && !opens,
    );
    Ok(())
}

/// Changes the own password; whether the device says that it did.
async fn change(session: &mut Session, old: &Secret, new: &Secret) -> Result<(bool, String), Stop> {
    let values = Values::from([
        ("old_password".to_owned(), old.reveal().to_owned()),
        ("new_password".to_owned(), new.reveal().to_owned()),
    ]);
    let attempt = session.perform("change_own_password", &values).await?;
    Ok((attempt.is_done(), attempt.answer().text.clone()))
}
