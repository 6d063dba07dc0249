//! Accounts that a test makes and removes again.

use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Session, Who};
use slcert_rigs::rig::{InterfaceKind, Values};

use crate::fresh;
use crate::procedure::{Procedure, Stop};
use crate::session::deed;

/// An account of the test's own.
pub struct Made<'r> {
    /// Its identifier.
    pub name: String,
    /// Its password.
    pub password: Secret,
    /// Where it can be used.
    pub interface: &'r str,
    /// An account of the rig with the same role.
    pub like: &'r str,
}

impl<'r> Made<'r> {
    /// An account that can be used on an interface as one of the rig can; it is not created yet.
    pub fn like(interface: &'r str, like: &'r str) -> Self {
        // Letters alone: a prompt that shows the name may be described by them.
        let letters = [fresh::tag(), fresh::tag(), fresh::tag()].concat();
        let letters = letters.chars().filter(char::is_ascii_alphabetic);
        Self {
            name: letters.take(9).collect(),
            password: Secret::new(fresh::strong_password()),
            interface,
            like,
        }
    }

    /// The same with a role that can do something telling on the interface, and little else.
    ///
    /// # Errors
    /// NOT EVALUATED where no account with a password is listed for the interface.
    pub fn on(p: &Procedure<'r>, interface: &'r str) -> Result<Self, Stop> {
        let rig = p.rig();
        let names: Vec<&str> = rig
            .accounts_on(interface)
            .filter(|(_, account)| account.password.is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        let telling = names.iter().filter_map(|name| {
            let operation = deed(p, interface, name)?;
            let reads = !rig.operations[operation].changes_state();
            let rights = rig.roles.get(&rig.accounts[*name].role.value)?.may.len();
            Some((reads, rights, *name))
        });
        let like = telling.min().map(|(_, _, name)| name);
        let like = like.or(names.first().copied()).ok_or_else(|| {
            Stop::not_evaluated(format!(
                "no account with a password is listed for `{interface}`"
            ))
        })?;
        Ok(Self::like(interface, like))
    }

    /// The same account on another interface.
    #[must_use]
    pub fn at(&self, interface: &'r str) -> Self {
        Self {
            name: self.name.clone(),
            password: self.password.clone(),
            interface,
            like: self.like,
        }
    }

    /// All interfaces on which an account of this role can be used with a password.
    pub fn places(&self, p: &Procedure<'r>) -> Vec<&'r str> {
        let named = p.rig().accounts[self.like].interfaces.iter();
        let by_password = |name: &&str| {
            let interface = p.rig().interface(name);
            let kinds = [InterfaceKind::Console, InterfaceKind::Mqtt];
            interface.is_some_and(|it| kinds.contains(&it.kind))
        };
        named.map(|it| it.as_str()).filter(by_password).collect()
    }

    /// The values that an administrator's operation on this account takes.
    pub fn values(&self, p: &Procedure<'_>) -> Values {
        self.values_as(p, self.like, &self.password)
    }

    /// The same with another role and another password.
    pub fn values_as(&self, p: &Procedure<'_>, like: &str, password: &Secret) -> Values {
        let role = &p.rig().accounts[like].role.value;
        let called = p
            .rig()
            .roles
            .get(role)
            .and_then(|role| role.called.as_deref());
        Values::from([
            ("name".to_owned(), self.name.clone()),
            (
                "role".to_owned(),
                called.unwrap_or(role.as_str()).to_owned(),
            ),
            ("new_password".to_owned(), password.reveal().to_owned()),
        ])
    }

    /// An administrator's operation on this account, for [`administer`](crate::administrator::administer).
    pub fn deed<'o>(&self, p: &Procedure<'_>, operation: &'o str) -> (&'o str, Values) {
        (operation, self.values(p))
    }

    /// Comes with the account's password.
    ///
    /// # Errors
    /// The bench could not try.
    pub async fn enter(&self, p: &Procedure<'_>) -> Result<Entry, Stop> {
        self.enter_with(p, &self.password).await
    }

    /// Comes with another password.
    ///
    /// # Errors
    /// The bench could not try.
    pub async fn enter_with(&self, p: &Procedure<'_>, password: &Secret) -> Result<Entry, Stop> {
        let user = self.name.as_str();
        let who = Who::Password { user, password };
        Ok(p.bench().enter(self.interface, &who).await?)
    }

    /// Whether a password opens a session, in words.
    ///
    /// # Errors
    /// The bench could not try.
    pub async fn opens(
        &self,
        p: &Procedure<'_>,
        password: &Secret,
    ) -> Result<(bool, String), Stop> {
        Ok(match self.enter_with(p, password).await? {
            Entry::In(session) => {
                session.close().await;
                (true, "let in".to_owned())
            }
            Entry::Refused(answer) => (false, format!("not let in: {}", answer.text)),
        })
    }

    /// Logs in with the new account: the control without which no refusal counts.
    ///
    /// # Errors
    /// INCONCLUSIVE where the device refuses it.
    pub async fn control(&self, p: &mut Procedure<'_>) -> Result<Session, Stop> {
        match self.enter(p).await? {
            Entry::In(session) => {
                let name = format!("the new account on `{}`", self.interface);
                p.check(name, "let in", "let in", true);
                Ok(session)
            }
            Entry::Refused(answer) => Err(Stop::inconclusive(format!(
                "the account that was just created is not let in on `{}`, so that no refusal says anything: {}",
                self.interface,
                slcert_reports::excerpt(&answer.text, 200)
            ))),
        }
    }
}

/// The first interface of each kind on which accounts log in with a password.
pub fn one_of_each_kind<'r>(p: &Procedure<'r>) -> Vec<&'r str> {
    let kinds = [InterfaceKind::Console, InterfaceKind::Mqtt];
    let first = |kind: &InterfaceKind| {
        let mut of_kind = p.rig().interfaces.iter().filter(|(_, it)| it.kind == *kind);
        of_kind.find_map(|(name, _)| {
            let mut accounts = p.rig().accounts_on(name.as_str());
            let any = accounts.any(|(_, account)| account.password.is_some());
            any.then_some(name.as_str())
        })
    };
    kinds.iter().filter_map(first).collect()
}
