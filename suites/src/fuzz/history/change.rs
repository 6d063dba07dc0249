//! How histories change passwords, and what is listened for meanwhile.

use serde::{Deserialize, Serialize};
use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::line::NotKept;
use slcert_rigs::rig::{Rig, Values};

use super::exposure::{Kind, Listener};
use super::stage::{Event, Stage};
use crate::fresh;
use crate::fuzz::finding::Finding;
use crate::procedure::Stop;
use crate::session::is_of_the_line;

/// Why a device has to refuse a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The old one is wrong.
    WrongOld,
    /// It has fewer kinds of characters than the rig file asks for.
    TooSimple,
}

impl Fault {
    /// The fault in words.
    pub fn word(self) -> &'static str {
        match self {
            Self::WrongOld => "the old one wrong",
            Self::TooSimple => "too simple",
        }
    }
}

/// Whether small letters and digits alone are too simple: of them a password is made that stands nowhere by chance.
pub fn asks_for_more(rig: &Rig) -> bool {
    rig.policy.password.is_some_and(|rules| rules.classes > 2)
}

impl Stage<'_, '_> {
    /// Listens from now on, for what is planted from now on.
    pub(super) fn listen(&mut self) {
        self.listener = Some(Listener::new(self.p.bench().recorder()));
    }

    /// What was heard during a step.
    pub(super) fn heard(&mut self, step: &str) -> Result<Option<Finding>, NotKept> {
        match &mut self.listener {
            Some(listener) => listener.hear(self.p.rig(), step),
            None => Ok(None),
        }
    }

    pub(super) fn plant(&mut self, secret: &Secret, kind: Kind) {
        self.p.bench().recorder().conceal(secret);
        if let Some(listener) = &mut self.listener {
            listener.plant(secret, kind);
        }
    }

    /// The password that an account has now.
    pub(super) fn password(&self, account: &str) -> Result<Secret, Stop> {
        if let Some(now) = self.owed.passwords().now(account) {
            return Ok(now.clone());
        }
        Ok(self.p.bench().password(account)?)
    }

    /// A password that nobody has.
    pub(super) fn wrong(&mut self) -> Secret {
        let wrong = Secret::new(fresh::strong_password());
        self.plant(&wrong, Kind::Wrong);
        wrong
    }

    /// Lets an account come with the password that it has now.
    pub(super) async fn enter(
        &mut self,
        account: &str,
        interface: &str,
        kept: bool,
    ) -> Result<Entry, Stop> {
        let bench = self.p.bench();
        let now = self.owed.passwords().now(account);
        let who = match now {
            Some(password) => Who::Password {
                user: bench.user(account),
                password,
            },
            None => Who::Account(account),
        };
        Ok(match kept {
            true => bench.enter_kept(interface, &who).await?,
            false => bench.enter(interface, &who).await?,
        })
    }

    /// Changes a password, as its user or as an administrator, or tries to.
    pub(super) async fn change(
        &mut self,
        account: &str,
        interface: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Event, Stop> {
        let (p, bench) = (self.p, self.p.bench());
        let new = Secret::new(match fault {
            Some(Fault::TooSimple) => format!("{}{}", fresh::tag(), fresh::tag()),
            _ => fresh::strong_password(),
        });
        let now = self.password(account)?;
        let old = match fault {
            Some(Fault::WrongOld) => self.wrong(),
            _ => now.clone(),
        };
        let kind = fault.map_or(Kind::New, |_| Kind::Refused);
        self.plant(&new, kind);
        let named = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let (entered, operation, other) = match interface {
            Some(interface) => {
                self.make_room(interface).await;
                let entered = self.enter(account, interface, false).await?;
                let old = ("old_password", old.reveal());
                (entered, "change_own_password", old)
            }
            None => {
                let (interface, by) = p.anywhere("set_password")?;
                self.make_room(interface).await;
                let entered = bench.enter(interface, &Who::Account(by)).await?;
                (entered, "set_password", ("name", bench.user(account)))
            }
        };
        let mut session = match entered {
            Entry::In(session) => session,
            Entry::Refused(answer) => return Ok(Event::Refused(answer.text)),
        };
        // Where its user comes to be let in again.
        let listed = p.rig().accounts.get(account);
        let first = listed.and_then(|it| it.interfaces.first());
        let place = interface.or(first.map(|name| name.as_str()));
        let passwords = self.owed.passwords_mut();
        passwords.ask(account, place.unwrap_or_default(), &now, &new);
        // A wrong old password may count as a failed login; and what the device says of a change need not be what it did.
        self.owed.lock(account);
        let values = Values::from([("new_password", new.reveal()), other].map(named));
        let attempt = session.perform(operation, &values).await;
        session.close().await;
        match attempt {
            Ok(attempt) if attempt.is_done() => {
                self.owed.passwords_mut().settle(account, &new);
                Ok(Event::Done)
            }
            Ok(attempt) => Ok(Event::Refused(attempt.answer().text.clone())),
            Err(error) if is_of_the_line(&error) => Ok(Event::Refused(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}
