//! An account's own password, changed and put back.

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::Values;
use slcert_rigs::{Attempt, Secret};

use crate::hands::Hand;
use crate::procedure::{Procedure, Stop};

/// An account that can change its own password, and where: not the one that is at work.
///
/// # Errors
/// NOT EVALUATED where there is none.
pub fn bearer<'r>(p: &Procedure<'r>, at_work: Hand<'r>) -> Result<(&'r str, &'r str), Stop> {
    let rig = p.rig();
    let works = |name: &str| matches!(at_work, Hand::Account { account, .. } if account == name);
    for interface in rig.interfaces.keys().map(|name| name.as_str()) {
        if rig.binding("change_own_password", interface).is_none() {
            continue;
        }
        let mut accounts = rig.accounts_on(interface).map(|(name, _)| name.as_str());
        if let Some(account) =
            accounts.find(|name| rig.may(name, "change_own_password") && !works(name))
        {
            return Ok((interface, account));
        }
    }
    Err(Stop::not_evaluated(
        "no account beside the one that is at work can change its own password (`change_own_password`)",
    ))
}

/// Changes an account's own password.
///
/// # Errors
/// It is not let in with the old one, or the device did not change it.
pub async fn set_password(
    p: &Procedure<'_>,
    interface: &str,
    account: &str,
    old: &Secret,
    new: &Secret,
) -> Result<(), Stop> {
    let user = p.bench().user(account).to_owned();
    p.bench().recorder().conceal(new);
    let who = Who::Password {
        user: &user,
        password: old,
    };
    let Entry::In(mut session) = p.bench().enter(interface, &who).await? else {
        return Err(Stop::inconclusive(format!(
            "`{account}` is not let in on `{interface}`"
        )));
    };
    let values = Values::from([
        ("old_password".to_owned(), old.reveal().to_owned()),
        ("new_password".to_owned(), new.reveal().to_owned()),
    ]);
    let attempt = session.perform("change_own_password", &values).await;
    session.close().await;
    match attempt? {
        Attempt::Done(_) => Ok(()),
        other => Err(Stop::inconclusive(format!(
            "the password of `{account}` could not be changed: {}",
            slcert_reports::excerpt(&other.answer().text, 200)
        ))),
    }
}

/// Whether an account is let in with a password.
///
/// # Errors
/// The bench could not try.
pub async fn lets_in(
    p: &Procedure<'_>,
    interface: &str,
    user: &str,
    password: &Secret,
) -> Result<bool, Stop> {
    p.bench().recorder().conceal(password);
    let who = Who::Password { user, password };
    Ok(match p.bench().enter(interface, &who).await? {
        Entry::In(session) => {
            session.close().await;
            true
        }
        Entry::Refused(_) => false,
    })
}
