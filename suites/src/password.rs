//! Changing passwords, in whichever way the rig binds.

use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Session, Who};
use slcert_rigs::rig::Values;

use crate::fresh;
use crate::procedure::{Procedure, Stop};

/// The most passwords that are set between, so that an old one is forgotten.
const MOST_REMEMBERED: u32 = 30;

/// How the passwords of the interface under test are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'r> {
    /// By the account itself, on the interface.
    Own,
    /// By an administrator, who sets them on this interface under this account.
    Set {
        /// The interface.
        interface: &'r str,
        /// The account that may.
        by: &'r str,
    },
}

/// An account of the interface under test whose password the test may change, and how.
#[derive(Clone, Debug)]
pub struct Subject<'r> {
    /// The account.
    pub account: &'r str,
    /// How its password is changed.
    pub way: Way<'r>,
    /// The password that it has, and gets again.
    pub original: Secret,
}

impl<'r> Subject<'r> {
    /// An account that may change its own password; otherwise one whose password an administrator sets.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig binds neither way.
    pub fn find(p: &Procedure<'r>) -> Result<Self, Stop> {
        let (rig, here) = (p.rig(), p.name());
        let own = rig
            .binding("change_own_password", here)
            .and_then(|_| rig.who_may_str("change_own_password", here));
        let (account, way) = match own {
            Some(account) => (account, Way::Own),
            None => {
                let (interface, by) = p.anywhere("set_password").map_err(|_| {
                    Stop::not_evaluated(format!(
                        "passwords of `{here}` cannot be changed: neither `change_own_password` is bound there, nor `set_password` anywhere"
                    ))
                })?;
                // Whoever sets passwords keeps their own: the bench could not come back to set it again.
                let other = accounts_with_password(p)
                    .into_iter()
                    .find(|account| *account != by)
                    .ok_or_else(|| {
                        Stop::not_evaluated(format!(
                            "no account of `{here}` has a password beside `{by}`, who would have to set it"
                        ))
                    })?;
                (other, Way::Set { interface, by })
            }
        };
        let original = p.bench().password(account)?;
        Ok(Self {
            account,
            way,
            original,
        })
    }

    /// Changes the password; what the device said. `old` is what is given for the old password, where it is asked for.
    ///
    /// # Errors
    /// `now` does not open a session, or the bench failed.
    pub async fn change(
        &self,
        p: &Procedure<'_>,
        now: &Secret,
        old: &Secret,
        new: &Secret,
    ) -> Result<String, Stop> {
        let user = p.bench().user(self.account).to_owned();
        let mut values = Values::from([("new_password".to_owned(), new.reveal().to_owned())]);
        let (mut session, operation) = match self.way {
            Way::Own => {
                values.insert("old_password".to_owned(), old.reveal().to_owned());
                (open(p, self.account, now).await?, "change_own_password")
            }
            Way::Set { interface, by } => {
                values.insert("name".to_owned(), user);
                (p.bench().login(interface, by).await?, "set_password")
            }
        };
        let attempt = session.perform(operation, &values).await;
        session.close().await;
        Ok(attempt?.answer().text.clone())
    }

    /// Gives the account its original password again. Where the device remembers passwords, others come between, so that
    /// the original is none of the last ones.
    ///
    /// # Errors
    /// The device does not take it: whoever runs the next test has to know.
    pub async fn put_back(&self, p: &Procedure<'_>, now: &Secret) -> Result<(), Stop> {
        self.set_back(p, now).await?;
        if opens(p, self.account, &self.original).await? {
            return Ok(());
        }
        Err(Stop::inconclusive(format!(
            "the original password of `{}` could not be set again: set it by hand before the next run",
            self.account
        )))
    }

    /// The same, without a look whether the device takes it.
    ///
    /// # Errors
    /// `now` does not open a session, or the bench failed.
    pub async fn set_back(&self, p: &Procedure<'_>, now: &Secret) -> Result<(), Stop> {
        let life = p.rig().policy.password_life;
        let remembered = life.and_then(|life| life.history).unwrap_or(0);
        let mut now = now.clone();
        for _ in 0..remembered.min(MOST_REMEMBERED) {
            let next = Secret::new(fresh::strong_password());
            self.change(p, &now, &now, &next).await?;
            now = next;
        }
        self.change(p, &now, &now, &self.original).await?;
        Ok(())
    }

    /// Whether the device takes a password; the original one is set again.
    ///
    /// # Errors
    /// The bench could not try, or the original password could not be set again.
    pub async fn takes(&self, p: &Procedure<'_>, candidate: &str) -> Result<bool, Stop> {
        let candidate = Secret::new(candidate);
        self.change(p, &self.original, &self.original, &candidate)
            .await?;
        let taken = opens(p, self.account, &candidate).await?;
        if taken {
            self.put_back(p, &candidate).await?;
        } else if !opens(p, self.account, &self.original).await? {
            // A success resets what the failure has counted; none at all means that the refusal says nothing.
            return Err(Stop::inconclusive(format!(
                "`{}` is let in with neither the old nor the new password",
                self.account
            )));
        }
        Ok(taken)
    }
}

/// An account of the interface under test that has a password.
///
/// # Errors
/// NOT EVALUATED where there is none.
pub fn account_with_password<'r>(p: &Procedure<'r>) -> Result<&'r str, Stop> {
    accounts_with_password(p).into_iter().next().ok_or_else(|| {
        Stop::not_evaluated(format!(
            "no account with a password is listed for `{}`",
            p.name()
        ))
    })
}

/// The accounts of the interface under test that have a password.
pub fn accounts_with_password<'r>(p: &Procedure<'r>) -> Vec<&'r str> {
    p.rig()
        .accounts_on(p.name())
        .filter(|(_, account)| account.password.is_some())
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Opens a session with a password.
///
/// # Errors
/// The device does not let the account in.
pub async fn open(p: &Procedure<'_>, account: &str, password: &Secret) -> Result<Session, Stop> {
    match enter(p, account, password).await? {
        Entry::In(session) => Ok(session),
        Entry::Refused(answer) => Err(Stop::inconclusive(format!(
            "`{account}` is not let in: {}",
            slcert_reports::excerpt(&p.bench().conceal(&answer.text), 200)
        ))),
    }
}

/// Whether a password opens a session.
///
/// # Errors
/// The bench could not try.
pub async fn opens(p: &Procedure<'_>, account: &str, password: &Secret) -> Result<bool, Stop> {
    match enter(p, account, password).await? {
        Entry::In(session) => {
            session.close().await;
            Ok(true)
        }
        Entry::Refused(_) => Ok(false),
    }
}

/// Fails to log in on an interface: with a password that nobody has.
///
/// # Errors
/// The bench could not try; INCONCLUSIVE where the device lets this in.
pub async fn fail(p: &Procedure<'_>, interface: &str, user: &str) -> Result<(), Stop> {
    let wrong = Secret::new(fresh::strong_password());
    let who = Who::Password {
        user,
        password: &wrong,
    };
    if let Entry::In(session) = p.bench().enter(interface, &who).await? {
        session.close().await;
        return Err(Stop::inconclusive(
            "a wrong password was let in: see CR 1.1",
        ));
    }
    Ok(())
}

/// Comes to the interface under test with an account's name and this password.
///
/// # Errors
/// The bench could not try.
pub async fn enter(p: &Procedure<'_>, account: &str, password: &Secret) -> Result<Entry, Stop> {
    let user = p.bench().user(account).to_owned();
    let who = Who::Password {
        user: &user,
        password,
    };
    p.enter(&who).await
}
