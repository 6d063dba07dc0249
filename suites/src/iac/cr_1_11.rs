//! CR 1.11: unsuccessful login attempts.

use std::time::Duration;

use slcert_rigs::rig::Values;
use tokio::time::Instant;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv, Wait};
use crate::fuzz::history::{self, Property};
use crate::password::{accounts_with_password, fail, opens};
use crate::procedure::{Procedure, Stop};
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "lockout",
        title: "failed logins lock the account, and only that account, for a time",
        requirements: &["CR 1.11"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Find out whether the number of failed logins is limited as the device states.",
        criterion: "After one failure fewer than the limit the right password is taken; after the limit the right password is refused; \
                    another account is taken meanwhile; after the stated time the right password is taken again.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(lockout(p)) },
    },
    Case {
        id: "configurable",
        title: "the number of failed logins can be set",
        requirements: &["CR 1.11"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::CONSOLE),
        needs: &["set_failed_logins"],
        objective: "Find out whether a change of the limit has effect.",
        criterion: "After the limit is raised by two, as many failures as before do not lock the account.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(configurable(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "no order of attempts gets past the lock of an account, or locks another",
        requirements: &["CR 1.11"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &[],
        objective: "Try generated orders of wrong and right passwords on all interfaces together, with other spellings of the name, logins of others, logins that \
                    are left, pauses and restarts in between, and hold each against a model of the stated policy.",
        criterion: "Once an account has failed as often as the rig file states, its right password is refused until the stated time is over or it is unlocked; no \
                    account is locked for which nobody has failed.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

/// What they wait for.
pub const WAITS: &[Wait] = &[Wait {
    case: "lockout",
    requirement: "CR 1.11",
    time: |rig| {
        let period = rig.policy.lockout.filter(|period| period.0 <= LONGEST);
        period.map_or(Duration::ZERO, |period| period.0 + SOON)
    },
}];

/// How much longer than stated a lock is waited for: the device's clock and the login itself take their time.
const GRACE: Duration = Duration::from_millis(1500);
/// When the first look is taken after the time.
const SOON: Duration = Duration::from_millis(150);
/// The longest lock that a test sits out.
const LONGEST: Duration = Duration::from_secs(300);
/// How many failures are tried at most where the rig file states no limit.
const UNLIMITED: u32 = 20;

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::lockout(p)?;
    history::hold(p, property).await
}

async fn lockout(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let policy = &p.rig().policy;
    let accounts = accounts_with_password(p);
    let Some(&account) = accounts.first() else {
        return Err(Stop::not_evaluated(format!(
            "no account with a password is listed for `{}`",
            p.name()
        )));
    };
    let right = p.bench().password(account)?;
    let stated = policy.failed_logins;
    let limit = stated.unwrap_or(UNLIMITED);

    if stated.is_some() && limit > 1 {
        fail_often(p, account, limit - 1).await?;
        let taken = opens(p, account, &right).await?;
        if !taken {
            return Err(Stop::inconclusive(format!(
                "`{account}` is locked after {} failures, where the rig file states {limit}",
                limit - 1
            )));
        }
        p.check(
            format!("the right password after {} failures", limit - 1),
            "taken",
            "taken",
            true,
        );
    }

    fail_often(p, account, limit).await?;
    let locked_at = Instant::now();
    let taken = opens(p, account, &right).await?;
    let expected = match stated {
        Some(_) => "refused".to_owned(),
        None => format!("refused: {limit} failures in a row are not to go unlimited"),
    };
    p.check(
        format!("the right password after {limit} failures"),
        expected,
        if taken { "taken" } else { "refused" },
        !taken,
    );
    if taken {
        return Ok(());
    }
    if let Some(&other) = accounts.get(1) {
        let password = p.bench().password(other)?;
        let taken = opens(p, other, &password).await?;
        p.check(
            format!("{other} meanwhile"),
            "taken",
            if taken { "taken" } else { "refused" },
            taken,
        );
    }
    match policy.lockout {
        Some(period) if period.0 <= LONGEST => {
            // The attempt above may have begun the time anew: then it counts from there.
            let attempt_at = Instant::now();
            p.wait((period.0 + SOON).saturating_sub(locked_at.elapsed()))
                .await;
            let mut taken = opens(p, account, &right).await?;
            if !taken {
                p.wait((period.0 + GRACE).saturating_sub(attempt_at.elapsed()))
                    .await;
                taken = opens(p, account, &right).await?;
            }
            if !taken {
                p.wait(period.0 + GRACE).await;
                taken = opens(p, account, &right).await?;
            }
            p.check(
                format!("the right password after {period}"),
                "taken",
                if taken { "taken" } else { "refused" },
                taken,
            );
        }
        _ => {
            // Whoever may unlocks the account, so that the trials after this one can use it.
            let values = Values::from([("name".to_owned(), p.bench().user(account).to_owned())]);
            by_whoever_may(p, "unlock_account", &values).await?;
            let taken = opens(p, account, &right).await?;
            p.check(
                "the right password after an administrator's unlock",
                "taken",
                if taken { "taken" } else { "refused" },
                taken,
            );
        }
    }
    Ok(())
}

async fn configurable(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let stated = p.rig().policy.failed_logins.ok_or_else(|| {
        Stop::not_evaluated("the rig file states no limit (`policy.failed_logins`)")
    })?;
    let accounts = accounts_with_password(p);
    let Some(&account) = accounts.first() else {
        return Err(Stop::not_evaluated(format!(
            "no account with a password is listed for `{}`",
            p.name()
        )));
    };
    let right = p.bench().password(account)?;
    let set = |value: u32| Values::from([("value".to_owned(), value.to_string())]);
    by_whoever_may(p, "set_failed_logins", &set(stated + 2)).await?;
    let tried = async {
        fail_often(p, account, stated).await?;
        opens(p, account, &right).await
    };
    let taken = tried.await;
    by_whoever_may(p, "set_failed_logins", &set(stated)).await?;
    let taken = taken?;
    p.check(
        format!(
            "the right password after {stated} failures, where {} are allowed now",
            stated + 2
        ),
        "taken",
        if taken { "taken" } else { "refused" },
        taken,
    );
    if !taken && let Some(period) = p.rig().policy.lockout {
        p.wait(period.0.min(LONGEST) + GRACE).await;
    }
    Ok(())
}

/// Fails to log in so many times in a row.
async fn fail_often(p: &Procedure<'_>, account: &str, times: u32) -> Result<(), Stop> {
    for _ in 0..times {
        fail(p, p.name(), p.bench().user(account)).await?;
    }
    Ok(())
}
