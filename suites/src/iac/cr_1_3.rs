//! CR 1.3: account management.

use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Session};

use crate::account::{
    Made, acts, administer, ask, deed, dies, needs, one_of_each_kind, restart, stays_open,
};
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "disable",
        title: "a disabled account is out until it is enabled again",
        requirements: &["CR 1.3"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Find out whether an authorised role can create, disable and enable an account, and what a disabled one can still do.",
        criterion: "A new account is let in; disabled, its right password is refused and its open session does nothing more within the \
                    stated time; enabled again, it is let in.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(disable(p)) },
    },
    Case {
        id: "remove",
        title: "a removed account is gone, and nothing of it comes back",
        requirements: &["CR 1.3"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Find out what a removed account can still do, also after one of the same name was created.",
        criterion: "Removed, the right password is refused and the open session does nothing more within the stated time; after an account \
                    of the same name was created, the old password is still refused.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(remove(p)) },
    },
    Case {
        id: "after-power-loss",
        title: "disabled and removed accounts stay so when the power was off",
        requirements: &["CR 1.3"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out whether the state of accounts outlives a loss of power.",
        criterion: "After the power was off, a disabled and a removed account are refused on each kind of interface, and an enabled one is let in.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(after_power_loss(p)) },
    },
];

const MANAGE: [&str; 4] = [
    "create_account",
    "delete_account",
    "disable_account",
    "enable_account",
];

async fn disable(p: &mut Procedure<'_>) -> Result<(), Stop> {
    needs(p, &MANAGE)?;
    let made = Made::on(p, p.name())?;
    administer(p, &[made.deed(p, "create_account")]).await?;
    let tried = disabled(p, &made).await;
    let removed = administer(p, &[made.deed(p, "delete_account")]).await;
    tried.and(removed)
}

async fn disabled<'r>(p: &mut Procedure<'r>, made: &Made<'r>) -> Result<(), Stop> {
    let open = open_session(p, made, "disable_account").await?;
    administer(p, &[made.deed(p, "disable_account")]).await?;
    let (taken, words) = made.opens(p, &made.password).await?;
    p.check("its right password, disabled", "refused", words, !taken);
    if let Some((session, deed)) = open {
        dies(p, session, deed, "its open session, disabled").await?;
    }

    administer(p, &[made.deed(p, "enable_account")]).await?;
    let (mut taken, mut words) = made.opens(p, &made.password).await?;
    if !taken && p.anywhere("unlock_account").is_ok() {
        // The attempt above may have counted as a failed login.
        administer(p, &[made.deed(p, "unlock_account")]).await?;
        (taken, words) = made.opens(p, &made.password).await?;
    }
    let name = "its right password, enabled again";
    if taken || p.rig().policy.failed_logins.is_none_or(|limit| limit > 1) {
        p.check(name, "let in", words, taken);
    } else {
        p.cannot_tell(
            name,
            "let in",
            format!("{words}; one failed login may have locked the account"),
        );
    }
    Ok(())
}

async fn remove(p: &mut Procedure<'_>) -> Result<(), Stop> {
    needs(p, &MANAGE[..2])?;
    let made = Made::on(p, p.name())?;
    administer(p, &[made.deed(p, "create_account")]).await?;
    let open = match open_session(p, &made, "delete_account").await {
        Ok(open) => open,
        Err(stop) => {
            administer(p, &[made.deed(p, "delete_account")]).await?;
            return Err(stop);
        }
    };
    administer(p, &[made.deed(p, "delete_account")]).await?;
    let (taken, words) = made.opens(p, &made.password).await?;
    p.check("its right password, removed", "refused", words, !taken);
    if let Some((session, deed)) = open {
        dies(p, session, deed, "its open session, removed").await?;
    }

    let new = Secret::new(fresh::strong_password());
    let values = made.values_as(p, made.like, &new);
    let created = ask(p, "create_account", &values).await?;
    if !created.is_done() {
        // A device may keep an identifier for ever.
        let said = &created.answer().text;
        p.check(
            "an account of the same name",
            "created or refused",
            said,
            true,
        );
        return Ok(());
    }
    let old = made.opens(p, &made.password).await;
    let right = made.opens(p, &new).await;
    administer(p, &[made.deed(p, "delete_account")]).await?;
    let ((taken, words), (works, _)) = (old?, right?);
    let name = "the old password, after an account of the same name was created";
    if works || taken {
        p.check(name, "refused", words, !taken);
    } else {
        p.cannot_tell(name, "refused", "the new password is refused as well");
    }
    Ok(())
}

/// Logs in with the new account, and keeps the session where the administrator needs another line.
async fn open_session<'r>(
    p: &mut Procedure<'r>,
    made: &Made<'r>,
    operation: &str,
) -> Result<Option<(Session, &'r str)>, Stop> {
    let mut session = made.control(p).await?;
    let deed = deed(p, made.interface, made.like);
    let Some(deed) = deed.filter(|_| stays_open(p, made.interface, operation)) else {
        session.close().await;
        return Ok(None);
    };
    let (works, words) = acts(p, &mut session, deed).await?;
    if !works {
        return Err(Stop::inconclusive(format!(
            "the new account's session does nothing before anything was done to it: {}",
            slcert_reports::excerpt(&words, 200)
        )));
    }
    Ok(Some((session, deed)))
}

async fn after_power_loss(p: &mut Procedure<'_>) -> Result<(), Stop> {
    needs(p, &MANAGE)?;
    let (interface, administrator) = p.anywhere("create_account")?;
    let mut accounts = Vec::new();
    for interface in one_of_each_kind(p) {
        accounts.push((Made::on(p, interface)?, Made::on(p, interface)?));
    }
    let mut deeds = Vec::new();
    for (off, gone) in &accounts {
        deeds.extend([
            off.deed(p, "create_account"),
            gone.deed(p, "create_account"),
        ]);
    }
    let tried = async {
        administer(p, &deeds).await?;
        let mut deeds = Vec::new();
        for (off, gone) in &accounts {
            for made in [off, gone] {
                made.control(p).await?.close().await;
            }
            deeds.extend([
                off.deed(p, "disable_account"),
                gone.deed(p, "delete_account"),
            ]);
        }
        administer(p, &deeds).await?;
        restart(p, interface, administrator).await?;
        for (off, gone) in &accounts {
            for (made, what) in [(off, "disabled"), (gone, "removed")] {
                let (taken, words) = made.opens(p, &made.password).await?;
                let name = format!(
                    "the {what} account on `{}`, after the power was off",
                    made.interface
                );
                p.check(name, "refused", words, !taken);
            }
        }
        let enable: Vec<_> = accounts
            .iter()
            .map(|(off, _)| off.deed(p, "enable_account"))
            .collect();
        administer(p, &enable).await?;
        for (off, _) in &accounts {
            let name = format!("the account on `{}`, enabled again", off.interface);
            match off.enter(p).await? {
                Entry::In(session) => {
                    session.close().await;
                    p.check(name, "let in", "let in", true);
                }
                Entry::Refused(answer) => p.cannot_tell(name, "let in", answer.text),
            }
        }
        Ok(())
    };
    let tried = tried.await;
    // Also what was removed and came back; what never was gets a refusal.
    for made in accounts.iter().flat_map(|(off, gone)| [off, gone]) {
        ask(p, "delete_account", &made.values(p)).await?;
    }
    tried
}
