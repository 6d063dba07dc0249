//! Who does it, and where: an account on an interface, or the bench with a command of its own; and sessions that stay open
//! from one operation to the next.

use std::fmt;
use std::time::Duration;

use slcert_rigs::Attempt;
use slcert_rigs::bench::{Entry, Session, Who};
use slcert_rigs::rig::{InterfaceKind, Rig, Values};
use tokio::time::{Instant, sleep};

use crate::procedure::{Procedure, Stop};

/// Who performs an operation, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand<'r> {
    /// An account on an interface.
    Account {
        /// The interface.
        interface: &'r str,
        /// The account.
        account: &'r str,
    },
    /// Anyone on an interface.
    Anyone {
        /// The interface.
        interface: &'r str,
    },
    /// The bench, by a command.
    Bench,
}

impl fmt::Display for Hand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { interface, account } => write!(f, "`{account}` on `{interface}`"),
            Self::Anyone { interface } => write!(f, "anyone on `{interface}`"),
            Self::Bench => f.write_str("the bench"),
        }
    }
}

impl<'r> Hand<'r> {
    /// Where and as whom it is done; none for the bench.
    pub fn comes(self) -> Option<(&'r str, Who<'r>)> {
        match self {
            Self::Account { interface, account } => Some((interface, Who::Account(account))),
            Self::Anyone { interface } => Some((interface, Who::Nobody)),
            Self::Bench => None,
        }
    }

    /// The interface; none for the bench.
    pub fn interface(self) -> Option<&'r str> {
        self.comes().map(|(interface, _)| interface)
    }
}

/// Every way in which an operation can be performed by somebody who may: one an interface, and the bench.
pub fn ways<'r>(rig: &'r Rig, operation: &str) -> Vec<Hand<'r>> {
    let mut found: Vec<Hand<'r>> = Vec::new();
    for (name, interface) in &rig.interfaces {
        let name = name.as_str();
        if rig.binding(operation, name).is_none() {
            continue;
        }
        if interface.is_open(operation) {
            found.push(Hand::Anyone { interface: name });
        } else if let Some(account) = rig.who_may_str(operation, name) {
            found.push(Hand::Account {
                interface: name,
                account,
            });
        }
    }
    if rig.bench_command(operation).is_some() {
        found.push(Hand::Bench);
    }
    found
}

/// The same, where there is one.
///
/// # Errors
/// NOT EVALUATED where there is none.
pub fn hands<'r>(p: &Procedure<'r>, operation: &str) -> Result<Vec<Hand<'r>>, Stop> {
    let found = ways(p.rig(), operation);
    if found.is_empty() {
        return Err(Stop::not_evaluated(format!(
            "operation `{operation}` is bound on no interface of this rig for an account that may perform it"
        )));
    }
    Ok(found)
}

/// The first of [`hands`].
///
/// # Errors
/// NOT EVALUATED where there is none.
pub fn hand<'r>(p: &Procedure<'r>, operation: &str) -> Result<Hand<'r>, Stop> {
    hands(p, operation)?
        .into_iter()
        .next()
        .ok_or_else(|| Stop::not_evaluated(format!("operation `{operation}` is bound nowhere")))
}

/// The accounts that may not perform an operation, one a role, on each interface where it can be asked for.
pub fn outsiders<'r>(p: &Procedure<'r>, operation: &str) -> Vec<Hand<'r>> {
    let rig = p.rig();
    let mut found = Vec::new();
    for interface in rig.interfaces.keys().map(|name| name.as_str()) {
        if rig.binding(operation, interface).is_none() {
            continue;
        }
        let mut roles = Vec::new();
        for (name, account) in rig.accounts_on(interface) {
            let role = &account.role.value;
            if !rig.may(name.as_str(), operation) && !roles.contains(&role) {
                roles.push(role);
                found.push(Hand::Account {
                    interface,
                    account: name.as_str(),
                });
            }
        }
    }
    found
}

/// How much is in the way of one who only reads: least on Modbus, most for a command of the bench.
pub fn rank(rig: &Rig, hand: Hand<'_>) -> u8 {
    match hand.interface().and_then(|name| rig.interface(name)) {
        Some(interface) => {
            u8::from(interface.kind.is_serial()) * 2 + u8::from(!interface.kind.is_modbus())
        }
        None => 9,
    }
}

/// The operations that only read, and that an account may ask for on an interface.
pub fn readings<'r>(rig: &'r Rig, account: &str, interface: &str) -> Vec<&'r str> {
    let names = rig.operations.keys().map(|name| name.as_str());
    let reads = |name: &&str| rig.only_reads(name, interface) && rig.may(account, name);
    names.filter(reads).collect()
}

/// Who reads something back: on Modbus where that can be, since nothing is in its way there.
///
/// # Errors
/// NOT EVALUATED where there is nobody.
pub fn reader<'r>(p: &Procedure<'r>, operation: &str) -> Result<Hand<'r>, Stop> {
    let rank = |hand: &Hand<'_>| rank(p.rig(), *hand);
    let found = hands(p, operation)?.into_iter().min_by_key(rank);
    found.ok_or_else(|| Stop::not_evaluated(format!("operation `{operation}` is bound nowhere")))
}

/// Sessions that stay open from one operation to the next: one for each who has come.
#[derive(Default)]
pub struct Desk<'r> {
    open: Vec<Open<'r>>,
}

struct Open<'r> {
    hand: Hand<'r>,
    session: Session,
    used: Instant,
}

/// How long a session may idle until another one is opened, where the rig file does not say when it would lock.
const IDLE: Duration = Duration::from_secs(10);

impl<'r> Desk<'r> {
    /// Performs an operation.
    ///
    /// # Errors
    /// The bench could not try.
    pub async fn perform(
        &mut self,
        p: &Procedure<'r>,
        hand: Hand<'r>,
        operation: &str,
        values: &Values,
    ) -> Result<Attempt, Stop> {
        let Some((interface, who)) = hand.comes() else {
            return Ok(p.bench().run(operation, values).await?);
        };
        let kind = p.rig().interface(interface).map(|it| it.kind);
        self.leave_idle(p).await;
        let mut session = match self.take(hand) {
            Some(session) => session,
            None => {
                if kind.is_some_and(InterfaceKind::is_serial) {
                    self.leave(interface).await;
                }
                match p.bench().enter(interface, &who).await? {
                    Entry::In(session) => session,
                    Entry::Refused(answer) => {
                        return Err(Stop::inconclusive(format!(
                            "{hand} was not let in: {}",
                            slcert_reports::excerpt(&answer.text, 200)
                        )));
                    }
                }
            }
        };
        let attempt = session.perform(operation, values).await;
        // A subscription goes on delivering: what a later one hears may be old.
        if kind == Some(InterfaceKind::Mqtt) {
            session.close().await;
        } else if attempt.is_ok() && !session.is_over() {
            let used = Instant::now();
            self.open.push(Open {
                hand,
                session,
                used,
            });
        }
        Ok(attempt?)
    }

    /// Performs an operation that has to work.
    ///
    /// # Errors
    /// The device did not do it: INCONCLUSIVE.
    pub async fn must(
        &mut self,
        p: &Procedure<'r>,
        hand: Hand<'r>,
        operation: &str,
        values: &Values,
    ) -> Result<String, Stop> {
        match self.perform(p, hand, operation, values).await? {
            Attempt::Done(answer) => Ok(answer.value.unwrap_or(answer.text).trim().to_owned()),
            other => Err(Stop::inconclusive(format!(
                "{hand} could not perform `{operation}`: {}",
                slcert_reports::excerpt(&other.answer().text, 200)
            ))),
        }
    }

    /// Reads a value, as whoever may.
    ///
    /// # Errors
    /// Nobody may, or the device did not tell.
    pub async fn read(&mut self, p: &Procedure<'r>, operation: &str) -> Result<String, Stop> {
        let hand = reader(p, operation)?;
        self.must(p, hand, operation, &Values::new()).await
    }

    /// Reads a value after a restart, as soon as the device answers.
    ///
    /// # Errors
    /// It did not answer in the time that the rig file gives it.
    pub async fn read_after_restart(
        &mut self,
        p: &Procedure<'r>,
        operation: &str,
    ) -> Result<String, Stop> {
        let hand = reader(p, operation)?;
        self.must_after_restart(p, hand, operation).await
    }

    /// The same for whoever reads it.
    ///
    /// # Errors
    /// As [`Desk::read_after_restart`].
    pub async fn must_after_restart(
        &mut self,
        p: &Procedure<'r>,
        hand: Hand<'r>,
        operation: &str,
    ) -> Result<String, Stop> {
        let deadline = Instant::now() + ready(p);
        loop {
            match self.must(p, hand, operation, &Values::new()).await {
                Ok(value) => return Ok(value),
                Err(stop) if Instant::now() >= deadline => return Err(stop),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Ends the sessions on an interface.
    pub async fn leave(&mut self, interface: &str) {
        self.end(|open| open.hand.interface() == Some(interface))
            .await;
    }

    /// Ends all sessions.
    pub async fn close(&mut self) {
        self.end(|_| true).await;
    }

    /// Forgets the sessions, which a power cut has ended.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// Ends the sessions that would lock before long.
    async fn leave_idle(&mut self, p: &Procedure<'r>) {
        let lock = p.rig().policy.session_lock.map(|period| period.0 / 2);
        let longest = lock.unwrap_or(IDLE).min(IDLE);
        self.end(|open| open.used.elapsed() > longest).await;
    }

    async fn end(&mut self, over: impl Fn(&Open<'r>) -> bool) {
        let mut at = 0;
        while at < self.open.len() {
            if over(&self.open[at]) {
                self.open.swap_remove(at).session.close().await;
            } else {
                at += 1;
            }
        }
    }

    fn take(&mut self, hand: Hand<'r>) -> Option<Session> {
        let at = self.open.iter().position(|open| open.hand == hand)?;
        Some(self.open.swap_remove(at).session)
    }
}

/// Cuts the device's power, and gives it back.
///
/// # Errors
/// NOT EVALUATED where the rig cannot.
pub async fn restart(p: &Procedure<'_>, desk: &mut Desk<'_>) -> Result<(), Stop> {
    if !p.bench().can_power_cycle() {
        return Err(Stop::not_evaluated(
            "the rig file does not say how the power is cut (`power`)",
        ));
    }
    desk.close().await;
    Ok(p.bench().power_cycle().await?)
}

/// How long the device may take until it answers after a start.
pub fn ready(p: &Procedure<'_>) -> Duration {
    let rig = p.rig();
    let ready = rig.power.as_ref().map(|power| power.ready);
    let ready = ready.or(rig.start.as_ref().map(|start| start.ready));
    ready.map_or(Duration::from_secs(60), |ready| ready.0)
}

/// One value for an operation.
pub fn value(value: impl Into<String>) -> Values {
    Values::from([("value".to_owned(), value.into())])
}
