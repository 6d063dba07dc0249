//! CR 6.2: continuous monitoring.

use slcert_rigs::rig::Values;
use tokio::time::Instant;

use crate::alert::{self, Ear};
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::password::{fail, opens};
use crate::procedure::{Procedure, Stop};
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "lockout-alert",
    title: "a lockout is reported by the device itself, in time",
    requirements: &["CR 6.2"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::PASSWORD),
    needs: &[],
    objective: "Lock an account by failed logins, and listen whether the device reports it by itself.",
    criterion: "An alert of the lockout leaves the device within the time that the rig file states after the failure that locks the account.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(lockout_alert(p)) },
}];

async fn lockout_alert(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let policy = &p.rig().policy;
    let within = policy.alert_within.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how soon an alert leaves the device (`policy.alert_within`)",
        )
    })?;
    let limit = policy.failed_logins.ok_or_else(|| {
        Stop::not_evaluated("the rig file states no limit (`policy.failed_logins`)")
    })?;
    let pattern = p.rig().alert.lockout.as_ref().ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how the alert of a lockout reads (`alert.lockout`)",
        )
    })?;
    // Whoever may the least: the others are needed to listen, and to unlock.
    let account = p
        .rig()
        .accounts_on(p.name())
        .filter(|(_, account)| account.password.is_some())
        .min_by_key(|(_, account)| {
            p.rig()
                .roles
                .get(&account.role.value)
                .map(|role| role.may.len())
        })
        .map(|(name, _)| name.as_str())
        .ok_or_else(|| {
            Stop::not_evaluated(format!(
                "no account with a password is listed for `{}`",
                p.name()
            ))
        })?;
    let user = p.bench().user(account).to_owned();
    let names = Values::from([("name".to_owned(), user.clone())]);
    let pattern = pattern
        .with(&names)
        .map_err(|error| Stop::not_evaluated(error.to_string()))?;

    let mut ear = Ear::open(p, Some(account)).await?;
    for _ in 0..limit {
        fail(p, p.name(), &user).await?;
    }
    let locked_at = Instant::now();
    // The control: the account is locked. What comes meanwhile waits to be heard.
    let locked = !opens(p, account, &p.bench().password(account)?).await?;
    let left = within.0.saturating_sub(locked_at.elapsed());
    let heard = ear.hear(left, |text| pattern.is_match(text)).await;
    ear.close().await;
    unlock(p, &names, locked_at).await?;
    let (alerted, heard) = heard?;
    if !locked {
        return Err(Stop::inconclusive(format!(
            "{limit} failed logins do not lock `{account}`: see CR 1.11"
        )));
    }
    p.check(
        format!("{limit} failed logins of `{account}`, which lock it"),
        format!("an alert within {within}"),
        alert::words(&heard),
        alerted,
    );
    Ok(())
}

/// Unlocks the account: by whoever may, or by waiting.
async fn unlock(p: &Procedure<'_>, names: &Values, locked_at: Instant) -> Result<(), Stop> {
    if p.anywhere("unlock_account").is_ok() {
        return by_whoever_may(p, "unlock_account", names).await;
    }
    let Some(period) = p.rig().policy.lockout else {
        return Ok(());
    };
    p.wait(period.0.saturating_sub(locked_at.elapsed())).await;
    Ok(())
}
