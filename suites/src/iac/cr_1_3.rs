//! CR 1.3: account management.

use slcert_rigs::Secret;
use slcert_rigs::bench::Session;

use crate::account::{Made, one_of_each_kind};
use crate::administrator::{administer, ask_all, needs};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::hands::{Desk, restart};
use crate::procedure::{Procedure, Stop};
use crate::session::{acts, deed, dies, stays_open};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "disable",
        title: "a disabled account is out everywhere until it is enabled again",
        requirements: &["CR 1.3"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out whether an authorised role can create, disable and enable an account, and what a disabled one can still do, on \
                    every interface where it could log in.",
        criterion: "A new account is let in; disabled, its right password is refused and its open session does nothing more within the \
                    stated time; enabled again, it is let in.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(disable(p)) },
    },
    Case {
        id: "remove",
        title: "a removed account is gone everywhere, and nothing of it comes back",
        requirements: &["CR 1.3"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out what a removed account can still do, also after one of the same name was created, on every interface where it \
                    could log in.",
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
        criterion: "After the power was off, a disabled and a removed account are refused on each kind of interface; the disabled one, enabled \
                    again, is let in.",
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
    let made = one_of_each(p)?;
    let tried = disabled(p, &made).await;
    clear_away(p, &made).await?;
    tried
}

async fn disabled<'r>(p: &mut Procedure<'r>, made: &[Made<'r>]) -> Result<(), Stop> {
    administer_all(p, made, "create_account").await?;
    let open = open_sessions(p, made, "disable_account").await?;
    administer_all(p, made, "disable_account").await?;
    refused(p, made, "disabled").await?;
    for (session, deed, interface) in open {
        dies(
            p,
            session,
            deed,
            &format!("its open session on `{interface}`, disabled"),
        )
        .await?;
    }
    administer_all(p, made, "enable_account").await?;
    for account in made {
        let (mut taken, mut words) = account.opens(p, &account.password).await?;
        if !taken && p.anywhere("unlock_account").is_ok() {
            // The attempts above may have counted as failed logins.
            administer(p, &[account.deed(p, "unlock_account")]).await?;
            (taken, words) = account.opens(p, &account.password).await?;
        }
        let name = format!(
            "its right password on `{}`, enabled again",
            account.interface
        );
        let attempts = account.places(p).len() as u32;
        if taken
            || p.rig()
                .policy
                .failed_logins
                .is_none_or(|limit| limit > attempts)
        {
            p.check(name, "let in", words, taken);
        } else {
            let why = format!("{words}; {attempts} refused logins may have locked the account");
            p.cannot_tell(name, "let in", why);
        }
    }
    Ok(())
}

async fn remove(p: &mut Procedure<'_>) -> Result<(), Stop> {
    needs(p, &MANAGE[..2])?;
    let made = one_of_each(p)?;
    let tried = removed(p, &made).await;
    clear_away(p, &made).await?;
    tried
}

async fn removed<'r>(p: &mut Procedure<'r>, made: &[Made<'r>]) -> Result<(), Stop> {
    administer_all(p, made, "create_account").await?;
    let open = open_sessions(p, made, "delete_account").await?;
    administer_all(p, made, "delete_account").await?;
    refused(p, made, "removed").await?;
    for (session, deed, interface) in open {
        dies(
            p,
            session,
            deed,
            &format!("its open session on `{interface}`, removed"),
        )
        .await?;
    }
    let second: Vec<_> = made
        .iter()
        .map(|_| Secret::new(fresh::strong_password()))
        .collect();
    let pairs = made.iter().zip(&second);
    let deeds: Vec<_> = pairs
        .map(|(it, new)| ("create_account", it.values_as(p, it.like, new)))
        .collect();
    let created = ask_all(p, &deeds).await?;
    for ((account, new), created) in made.iter().zip(&second).zip(created) {
        let interface = account.interface;
        if !created.is_done() {
            let name = format!("an account of the same name, for `{interface}`");
            let said = &created.answer().text;
            p.check(
                name,
                "created, or refused: a name may stand for one account for ever",
                said,
                true,
            );
            continue;
        }
        let (taken, words) = account.opens(p, &account.password).await?;
        let (works, _) = account.opens(p, new).await?;
        let name =
            format!("the old password on `{interface}`, with a new account of the same name");
        if works || taken {
            p.check(name, "refused", words, !taken);
        } else {
            p.cannot_tell(name, "refused", "the new password is refused as well");
        }
    }
    Ok(())
}

async fn after_power_loss(p: &mut Procedure<'_>) -> Result<(), Stop> {
    needs(p, &MANAGE)?;
    let (off, gone) = (one_of_each(p)?, one_of_each(p)?);
    let tried = outlived(p, &off, &gone).await;
    let all: Vec<_> = off.into_iter().chain(gone).collect();
    clear_away(p, &all).await?;
    tried
}

async fn outlived<'r>(
    p: &mut Procedure<'r>,
    off: &[Made<'r>],
    gone: &[Made<'r>],
) -> Result<(), Stop> {
    let deeds = |p: &Procedure<'_>, off_operation, gone_operation| -> Vec<_> {
        let of_off = off.iter().map(|it| it.deed(p, off_operation));
        let of_gone = gone.iter().map(|it| it.deed(p, gone_operation));
        of_off.chain(of_gone).collect()
    };
    administer(p, &deeds(p, "create_account", "create_account")).await?;
    for made in off.iter().chain(gone) {
        made.control(p).await?.close().await;
    }
    administer(p, &deeds(p, "disable_account", "delete_account")).await?;
    restart(p, &mut Desk::default()).await?;
    for (made, what) in off
        .iter()
        .map(|it| (it, "disabled"))
        .chain(gone.iter().map(|it| (it, "removed")))
    {
        let (taken, words) = made.opens(p, &made.password).await?;
        let name = format!(
            "the {what} account on `{}`, after the power was off",
            made.interface
        );
        p.check(name, "refused", words, !taken);
    }
    administer_all(p, off, "enable_account").await?;
    for made in off {
        let (taken, words) = made.opens(p, &made.password).await?;
        let name = format!("the account on `{}`, enabled again", made.interface);
        if taken {
            p.check(name, "let in", words, true);
        } else {
            p.cannot_tell(name, "let in", words);
        }
    }
    Ok(())
}

/// An account for each kind of interface, not created yet.
fn one_of_each<'r>(p: &Procedure<'r>) -> Result<Vec<Made<'r>>, Stop> {
    let interfaces = one_of_each_kind(p);
    if interfaces.is_empty() {
        return Err(Stop::not_evaluated("no account of this rig has a password"));
    }
    interfaces.into_iter().map(|it| Made::on(p, it)).collect()
}

async fn administer_all(p: &Procedure<'_>, made: &[Made<'_>], operation: &str) -> Result<(), Stop> {
    let deeds: Vec<_> = made.iter().map(|it| it.deed(p, operation)).collect();
    administer(p, &deeds).await
}

/// Removes what is there, also what came back; what is not there gets a refusal.
async fn clear_away(p: &Procedure<'_>, made: &[Made<'_>]) -> Result<(), Stop> {
    let deeds: Vec<_> = made.iter().map(|it| it.deed(p, "delete_account")).collect();
    ask_all(p, &deeds).await.map(|_| ())
}

/// Checks that the accounts are refused wherever they could log in.
async fn refused(p: &mut Procedure<'_>, made: &[Made<'_>], what: &str) -> Result<(), Stop> {
    for account in made {
        for place in account.places(p) {
            let (taken, words) = account.at(place).opens(p, &account.password).await?;
            let name = format!("its right password on `{place}`, {what}");
            p.check(name, "refused", words, !taken);
        }
    }
    Ok(())
}

/// Logs in with each account wherever it can, and keeps the sessions where the administrator needs another line.
async fn open_sessions<'r>(
    p: &mut Procedure<'r>,
    made: &[Made<'r>],
    operation: &str,
) -> Result<Vec<(Session, &'r str, &'r str)>, Stop> {
    let mut open = Vec::new();
    for account in made {
        for place in account.places(p) {
            let account = account.at(place);
            let mut session = account.control(p).await?;
            let deed = deed(p, place, account.like).filter(|_| stays_open(p, place, operation));
            let Some(deed) = deed else {
                session.close().await;
                continue;
            };
            let (works, words) = acts(p, &mut session, deed).await?;
            if !works {
                return Err(Stop::inconclusive(format!(
                    "the new account's session on `{place}` does nothing before anything was done to it: {}",
                    slcert_reports::excerpt(&words, 200)
                )));
            }
            open.push((session, deed, place));
        }
    }
    Ok(open)
}
