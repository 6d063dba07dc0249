//! Accounts that a test makes and removes again, and what a session can still do.

use std::time::Duration;

use slcert_rigs::bench::{BenchError, Entry, Session, Who};
use slcert_rigs::rig::{InterfaceKind, Rig, Values};
use slcert_rigs::{Attempt, Secret};
use tokio::time::{Instant, sleep};

use crate::effect::{other_value, state};
use crate::fresh;
use crate::procedure::{Procedure, Stop};

/// How long an open session may go on after it was ended from elsewhere, where the rig file does not say.
const REVOCATION: Duration = Duration::from_secs(30);
/// How often a change that was not refused is looked for before it counts as not made.
const LOOKS: u32 = 4;
/// The time between two looks, and between two attempts in a session that should be over.
const BETWEEN: Duration = Duration::from_millis(80);

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

    /// An administrator's operation on this account, for [`administer`].
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

/// That each of these operations can be performed somewhere.
///
/// # Errors
/// NOT EVALUATED names the first that cannot.
pub fn needs(p: &Procedure<'_>, operations: &[&str]) -> Result<(), Stop> {
    operations
        .iter()
        .try_for_each(|operation| p.anywhere(operation).map(|_| ()))
}

/// Performs operations one after the other as whoever may, with one login for as long as it is the same account.
///
/// # Errors
/// Nobody may, or the device did not do one of them.
pub async fn administer(p: &Procedure<'_>, deeds: &[(&str, Values)]) -> Result<(), Stop> {
    for ((operation, _), attempt) in deeds.iter().zip(attempts(p, deeds, true).await?) {
        if !attempt.is_done() {
            let said = slcert_reports::excerpt(&attempt.answer().text, 200);
            return Err(Stop::inconclusive(format!(
                "`{operation}` was not done: {said}"
            )));
        }
    }
    Ok(())
}

/// The same with whatever the device says to each.
///
/// # Errors
/// Nobody may, or the bench could not ask.
pub async fn ask_all(p: &Procedure<'_>, deeds: &[(&str, Values)]) -> Result<Vec<Attempt>, Stop> {
    attempts(p, deeds, false).await
}

/// The same for one operation; whatever the device says to it.
///
/// # Errors
/// Nobody may, or the bench could not ask.
pub async fn ask(p: &Procedure<'_>, operation: &str, values: &Values) -> Result<Attempt, Stop> {
    let (interface, account) = p.anywhere(operation)?;
    let mut session = p.bench().login(interface, account).await?;
    let attempt = session.perform(operation, values).await;
    session.close().await;
    Ok(attempt?)
}

/// Sets something of the device for the test, where an operation for it is bound; whether the device took the value.
///
/// # Errors
/// The bench could not ask.
pub async fn try_set(p: &Procedure<'_>, operation: &str, values: &Values) -> Result<bool, Stop> {
    if p.anywhere(operation).is_err() {
        return Ok(false);
    }
    Ok(ask(p, operation, values).await?.is_done())
}

/// Puts everything back, also where one of it fails.
///
/// # Errors
/// The first that could not be put back.
pub async fn put_back(p: &Procedure<'_>, deeds: &[(&str, Values)]) -> Result<(), Stop> {
    let mut first = Ok(());
    for deed in deeds {
        let done = administer(p, std::slice::from_ref(deed)).await;
        first = first.and(done.map_err(|stop| {
            let why = stop.reason;
            Stop::inconclusive(format!("not everything could be put back as it was: {why}"))
        }));
    }
    first
}

/// The values of an operation that takes a number.
pub fn number(value: impl std::fmt::Display) -> Values {
    Values::from([("value".to_owned(), value.to_string())])
}

/// What the device said to each, up to the first that was not done where that is the end of it.
async fn attempts(
    p: &Procedure<'_>,
    deeds: &[(&str, Values)],
    all_or_none: bool,
) -> Result<Vec<Attempt>, Stop> {
    let mut said = Vec::new();
    let mut desk: Option<((&str, &str), Session)> = None;
    for (operation, values) in deeds {
        let place = p.anywhere(operation)?;
        let mut session = match desk.take() {
            Some((at, session)) if at == place => session,
            other => {
                if let Some((_, session)) = other {
                    session.close().await;
                }
                p.bench().login(place.0, place.1).await?
            }
        };
        let attempt = session.perform(operation, values).await;
        match &attempt {
            Ok(attempt) if attempt.is_done() || !all_or_none => desk = Some((place, session)),
            _ => session.close().await,
        }
        said.push(attempt?);
        if desk.is_none() {
            break;
        }
    }
    if let Some((_, session)) = desk {
        session.close().await;
    }
    Ok(said)
}

/// An operation by which an account shows on an interface that its session is alive: one that changes what a witness on
/// another interface reads where there is one, one that reads otherwise.
pub fn deed<'r>(p: &Procedure<'r>, interface: &str, account: &str) -> Option<&'r str> {
    let rig = p.rig();
    let rank = |name: &str| {
        rig.binding(name, interface)?;
        if witnessed(rig, name, interface) {
            return Some(0);
        }
        reads(rig, name, interface)
    };
    let may = rig.operations.keys().map(|name| name.as_str());
    may.filter(|name| rig.may(account, name))
        .filter_map(|name| Some((rank(name)?, name)))
        .min()
        .map(|(_, name)| name)
}

/// Whether an operation only reads and tells that it did: 1 for a value that can be set and so is there at any time, 2 for
/// others.
pub fn reads(rig: &Rig, operation: &str, interface: &str) -> Option<u8> {
    let binding = rig.binding(operation, interface)?;
    // Without a pattern for the answer, any words would count as one.
    let told = binding.meaning().is_none_or(|it| it.answer.is_some());
    let plain = told && binding.placeholders().is_empty();
    if !plain || rig.operations.get(operation)?.changes_state() {
        return None;
    }
    let mut backs = rig
        .operations
        .values()
        .filter_map(|it| it.read_back.as_ref());
    Some(if backs.any(|name| name.as_str() == operation) {
        1
    } else {
        2
    })
}

/// Whether an account watches an essential function: its sessions are not the test's to end or to count.
pub fn watches(rig: &Rig, account: &str) -> bool {
    let mut accounts = rig.essential.values().filter_map(|it| it.account.as_ref());
    accounts.any(|name| name.as_str() == account)
}

/// Whether what an operation changes can be read back on another interface, so that a session here need not end for it.
pub fn witnessed(rig: &Rig, operation: &str, interface: &str) -> bool {
    let Some(read_back) = rig
        .operations
        .get(operation)
        .and_then(|it| it.read_back.as_ref())
    else {
        return false;
    };
    let read_back = read_back.as_str();
    rig.interfaces.iter().any(|(other, described)| {
        other.as_str() != interface
            && rig.binding(read_back, other.as_str()).is_some()
            && (described.is_open(read_back) || rig.who_may(read_back, other.as_str()).is_some())
    })
}

/// Whether a session still does something, in words: an answer that is no refusal, or a change that a witness reads.
///
/// # Errors
/// The witness could not read.
pub async fn acts(
    p: &Procedure<'_>,
    session: &mut Session,
    operation: &str,
) -> Result<(bool, String), Stop> {
    let described = p.rig().operations.get(operation);
    let Some((described, read_back)) = described.and_then(|it| Some((it, it.read_back.as_ref()?)))
    else {
        return Ok(match say(session, operation, &Values::new()).await? {
            Ok(Attempt::Done(answer)) => (true, format!("`{operation}`: {}", answer.text)),
            Ok(other) => (false, format!("`{operation}`: {}", other.answer().text)),
            Err(over) => (false, over),
        });
    };
    let before = state(p, read_back.as_str()).await?;
    let value = other_value(described, &before);
    let values = Values::from([("value".to_owned(), value.clone())]);
    let (refused, said) = match say(session, operation, &values).await? {
        Ok(attempt) => (attempt.is_refused(), attempt.answer().text.clone()),
        Err(over) => (true, over),
    };
    let looks = if refused || session.is_over() {
        1
    } else {
        LOOKS
    };
    for look in 0..looks {
        if look > 0 {
            sleep(BETWEEN).await;
        }
        if state(p, read_back.as_str()).await? == value {
            let words = format!("`{operation}` set {value}; the device said: {said}");
            return Ok((true, words));
        }
    }
    let words = format!("`{operation}` changed nothing; the device said: {said}");
    Ok((false, words))
}

/// Performs in a session that may be over. A line that is gone is how a session is over: that it is not the bench's own
/// fault, a login after it has to show.
async fn say(
    session: &mut Session,
    operation: &str,
    values: &Values,
) -> Result<Result<Attempt, String>, Stop> {
    match session.perform(operation, values).await {
        Ok(attempt) => Ok(Ok(attempt)),
        Err(
            error @ (BenchError::Line { .. }
            | BenchError::Mqtt { .. }
            | BenchError::Modbus { .. }
            | BenchError::Console { .. }),
        ) => Ok(Err(format!("the session is over: {error}"))),
        Err(other) => Err(other.into()),
    }
}

/// Checks that a session that was ended from elsewhere does nothing more, at the latest after the time that the device
/// states.
///
/// # Errors
/// The witness could not read.
pub async fn dies(
    p: &mut Procedure<'_>,
    mut session: Session,
    operation: &str,
    what: &str,
) -> Result<(), Stop> {
    let limit = p.rig().policy.revocation.map_or(REVOCATION, |it| it.0);
    let began = Instant::now();
    // A silence may be by chance; two are not.
    let mut silent = 0;
    let (dead, words) = loop {
        let (acted, words) = acts(p, &mut session, operation).await?;
        silent = if acted { 0 } else { silent + 1 };
        if session.is_over() || silent == 2 {
            break (!acted, words);
        }
        if acted && began.elapsed() > limit {
            break (false, words);
        }
        sleep(BETWEEN).await;
    };
    session.abandon().await;
    p.check(
        what,
        format!(
            "does nothing more, {} s after at the latest",
            limit.as_secs_f32()
        ),
        words,
        dead,
    );
    Ok(())
}

/// Whether a session can be kept open on an interface while an administrator works.
pub fn stays_open(p: &Procedure<'_>, interface: &str, operation: &str) -> bool {
    let serial = p
        .rig()
        .interface(interface)
        .is_some_and(|it| it.kind.is_serial());
    !serial || p.anywhere(operation).is_ok_and(|(at, _)| at != interface)
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

/// Cuts the device's power and gives it back, and waits until somebody is let in again.
///
/// # Errors
/// NOT EVALUATED without power control; the device does not come back.
pub async fn restart(p: &Procedure<'_>, interface: &str, account: &str) -> Result<(), Stop> {
    let rig = p.rig();
    if rig.power.is_none() && rig.start.is_none() {
        return Err(Stop::not_evaluated(
            "the rig has no power control (`power`), and the device is no process of this machine",
        ));
    }
    let ready = rig.power.as_ref().map(|it| it.ready.0);
    let ready = ready.or(rig.start.as_ref().map(|it| it.ready.0));
    p.bench().power_cycle().await?;
    let deadline = Instant::now() + ready.unwrap_or_default();
    loop {
        match p.bench().login(interface, account).await {
            Ok(session) => {
                session.close().await;
                return Ok(());
            }
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Err(_) => sleep(BETWEEN * 4).await,
        }
    }
}
