//! CR 2.1 RE(3): supervisor override.

use std::time::Duration;

use slcert_rigs::bench::Session;
use slcert_rigs::rig::{Rig, Values};
use tokio::time::{Instant, sleep};

use crate::administrator::administer;
use crate::audit;
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};
use crate::session::{acts, witnessed};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "override",
    title: "a supervisor's override works, ends by itself, and is on record",
    requirements: &["CR 2.1 RE(3)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        identity: true,
        ..Fits::HUMAN
    }),
    needs: &[],
    objective: "Find out whether a supervisor can let a user do for a time what the user's role may not, and what is left of it after the time.",
    criterion: "An operation that is refused works during the override; after its time it is refused again, in the session that is open and in a \
                new one, with nobody having done anything; a new entry of the audit log names the supervisor.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(override_(p)) },
}];

/// How much longer than granted its end is waited for.
const GRACE: Duration = Duration::from_secs(2);
/// The time between two attempts.
const BETWEEN: Duration = Duration::from_millis(200);

/// An account of an interface, an operation that its role may not perform and whose effect can be read elsewhere, and what
/// the device calls the right to it.
pub fn lacking<'r>(
    rig: &'r Rig,
    interface: &str,
    supervisor: &str,
) -> Option<(&'r str, &'r str, &'r str)> {
    rig.operations.iter().find_map(|(name, operation)| {
        let name = name.as_str();
        let fits = rig.binding(name, interface).is_some()
            && witnessed(rig, name, interface)
            && rig.may(supervisor, name);
        let account = rig.who_may_not(name, interface)?.as_str();
        fits.then_some((
            account,
            name,
            operation.permission.as_deref().unwrap_or(name),
        ))
    })
}

async fn override_(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let (desk, supervisor) = p.anywhere("override")?;
    let Some((account, operation, permission)) = lacking(p.rig(), p.name(), supervisor) else {
        return Err(Stop::not_evaluated(format!(
            "no account on `{}` lacks a right of `{supervisor}` to an operation that can be read back elsewhere",
            p.name()
        )));
    };
    let began = Instant::now();
    let mut session = p.login(account).await?;
    // Until it is tried, a session has to be ended and another one begun.
    let enough = began.elapsed() * 3 + Duration::from_millis(500);
    let seconds = enough.as_secs() + 1;
    let before = acts(p, &mut session, operation).await;
    session.close().await;
    let (acted, words) = before?;
    p.check(
        format!("{account}, {operation}, before"),
        "refused",
        words,
        !acted,
    );
    if acted {
        return Ok(());
    }

    let log = audit::read(p).await.ok();
    let values = Values::from([
        ("name".to_owned(), p.bench().user(account).to_owned()),
        ("permission".to_owned(), permission.to_owned()),
        ("value".to_owned(), seconds.to_string()),
    ]);
    let granted = Instant::now();
    administer(p, &[("override", values)]).await?;
    let lasts = Duration::from_secs(seconds);
    let mut session = p.login(account).await?;
    let tried = during(p, &mut session, account, operation, granted, lasts).await;
    session.close().await;
    if !tried? {
        return Ok(());
    }
    let mut session = p.login(account).await?;
    let after = acts(p, &mut session, operation).await;
    session.close().await;
    let (acted, words) = after?;
    p.check(
        format!("{account}, {operation}, after it, in a new session"),
        "refused",
        words,
        !acted,
    );

    let Some(log) = log else {
        return Err(Stop::not_evaluated(
            "the override works, and the audit log that would name the supervisor cannot be read",
        ));
    };
    on_record(p, &log, desk, supervisor).await
}

/// Uses the override until it ends; whether it worked at all.
async fn during(
    p: &mut Procedure<'_>,
    session: &mut Session,
    account: &str,
    operation: &str,
    granted: Instant,
    lasts: Duration,
) -> Result<bool, Stop> {
    let (acted, words) = acts(p, session, operation).await?;
    if !acted && Instant::now() >= granted + lasts {
        return Err(Stop::inconclusive(
            "the override was over before it could be tried",
        ));
    }
    p.check(
        format!("{account}, {operation}, during the override"),
        "done",
        words,
        acted,
    );
    if !acted {
        return Ok(false);
    }
    let (acted, words) = loop {
        // Whoever works on is not idle: a lock would hide whether the override has ended.
        let (acted, words) = acts(p, session, operation).await?;
        if !acted || granted.elapsed() > lasts + GRACE {
            break (acted, words);
        }
        sleep(BETWEEN).await;
    };
    p.check(
        format!(
            "{account}, {operation}, after {} s, in the same session",
            lasts.as_secs()
        ),
        "refused",
        words,
        !acted,
    );
    Ok(true)
}

/// Checks that the log names the supervisor for more than a login.
async fn on_record(
    p: &mut Procedure<'_>,
    before: &[audit::AuditEntry],
    desk: &str,
    supervisor: &str,
) -> Result<(), Stop> {
    let format = audit::format(p)?;
    if !format
        .entry
        .capture_names()
        .flatten()
        .any(|name| name == "user")
    {
        return Err(Stop::not_evaluated(
            "the rig file's pattern of an audit entry has no group `user`",
        ));
    }
    let entries = audit::new_entries(before, audit::read(p).await?);
    let access = slcert_rigs::rig::Category::AccessControl;
    let user = p.bench().user(supervisor);
    let of_doing: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.is_of(format, access) && entry.field("user") == Some(user))
        .map(|entry| entry.text.as_str())
        .collect();
    p.check(
        format!("the override by {supervisor} on `{desk}`"),
        format!("an entry that names `{user}`"),
        of_doing.join("\n"),
        !of_doing.is_empty(),
    );
    Ok(())
}
