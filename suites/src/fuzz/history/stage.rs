//! Where histories are played: the bench's verbs, the sessions that are open, and what has to be put back.

use std::collections::BTreeMap;
use std::time::Duration;

use slcert_rigs::bench::{Entry, Session, Who};
use slcert_rigs::rig::{InterfaceKind, Values};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::carry::Offered;
use super::exposure::Listener;
use super::owed::{Owed, allot, permission};
use super::replies::Replies;
use super::step::{Shown, Spelling, Step};
use crate::audit::{self, AuditEntry};
use crate::configured::Settings;
use crate::effect::other_value;
use crate::hands::{Desk, reader};
use crate::procedure::{Procedure, Stop};
use crate::session::{is_of_the_line, revoked_within};
use crate::strain;

/// How often a change that was not refused is looked for before it counts as not made.
const LOOKS: u32 = 4;
/// The time between two looks.
const BETWEEN: Duration = Duration::from_millis(60);
/// How long the essential functions may take to be right after a restart.
const SETTLED: Duration = Duration::from_secs(10);
/// The longest pause of a history.
const LONGEST: u64 = 60_000;

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The device let them in.
    In,
    /// It did not, and said this.
    Refused(String),
    /// It did not, and lets another account in.
    KeptOut(String),
    /// A session was used.
    Acted {
        /// Whether it does something.
        alive: bool,
        /// What was seen, in words.
        seen: String,
    },
    /// So many sessions do something.
    Alive(usize),
    /// An operation was asked for.
    Asked {
        /// Whether what it changes has changed.
        changed: bool,
        /// What was seen, in words.
        seen: String,
    },
    /// A file was handed over.
    Offered(Box<Offered>),
    /// What such files change was read.
    Read(Settings),
    /// The audit log was read.
    Log(Vec<AuditEntry>),
    /// It was done.
    Done,
    /// There was nothing to do it with: no such session.
    Nothing,
}

/// A session that the bench has not left. The device may have ended it.
pub(super) struct Seat {
    pub(super) account: String,
    pub(super) interface: String,
    pub(super) session: Session,
    /// Whether an administrator has ended it.
    pub(super) ended: bool,
}

/// What a session was known by.
pub(super) struct Trace {
    pub(super) account: String,
    pub(super) interface: String,
    /// By a broker.
    pub(super) client_id: Option<String>,
    /// Whether the broker keeps it.
    pub(super) kept: bool,
    /// Its console, for as long as nobody else has come there.
    pub(super) console: Option<Session>,
}

/// The device with the sessions of one history.
pub struct Stage<'s, 'b> {
    pub(super) p: &'s Procedure<'b>,
    pub(super) owed: &'s mut Owed,
    replies: &'s Replies,
    /// Who listens, where the history's secrets are listened for.
    pub(super) listener: Option<Listener>,
    pub(super) seats: BTreeMap<u8, Seat>,
    pub(super) traces: BTreeMap<u8, Trace>,
    pub(super) desk: Desk<'b>,
    /// How long a session may be silent, where that was set.
    pub(super) idle: Option<Duration>,
    /// Backups of this history, each with what the device read then.
    pub(super) backups: BTreeMap<u8, (Vec<u8>, Settings)>,
    /// The first backup of this history, and whether the device may have taken one since that is not as it was made: that one
    /// may have changed what nobody reads.
    pub(super) sound: Option<(Vec<u8>, bool)>,
    /// Rights that were taken away, by role and operation, each with the moment at which that is in force.
    revoked: Vec<(String, String, Instant)>,
}

impl<'s, 'b> Stage<'s, 'b> {
    /// An empty stage.
    pub fn new(p: &'s Procedure<'b>, owed: &'s mut Owed, replies: &'s Replies) -> Self {
        Self {
            p,
            owed,
            replies,
            listener: None,
            seats: BTreeMap::new(),
            traces: BTreeMap::new(),
            desk: Desk::default(),
            idle: None,
            backups: BTreeMap::new(),
            sound: None,
            revoked: Vec::new(),
        }
    }

    /// Takes a step.
    ///
    /// # Errors
    /// The bench could not: nothing can be said of the device.
    pub async fn take(&mut self, step: &Step) -> Result<Event, Stop> {
        match step {
            Step::Try {
                account,
                interface,
                password,
                spelling,
            } => self.attempt(account, interface, *password, *spelling).await,
            Step::Abandon { account, interface } => self.abandon(account, interface).await,
            Step::Login {
                session,
                account,
                interface,
                kept,
            } => {
                let who = (account.as_str(), interface.as_str());
                self.come(*session, who, *kept).await
            }
            Step::Perform {
                session,
                account,
                interface,
                operation,
            } => {
                let who = (account.as_str(), interface.as_str());
                self.perform(*session, who, operation).await
            }
            Step::Logout { session } => Ok(self.log_out(*session).await),
            Step::Vanish { session } => Ok(match self.seats.remove(session) {
                Some(seat) => {
                    seat.session.abandon().await;
                    Event::Done
                }
                None => Event::Nothing,
            }),
            Step::Act { session } => self.act(*session).await,
            Step::Count { account, interface } => self.count(account, interface).await,
            Step::Return { session } => self.come_back(*session).await,
            Step::Take { session, account } => self.take_over(*session, account).await,
            Step::Lock { session } => self.lock(*session).await,
            Step::Terminate { account } => self.terminate(account).await,
            Step::Limit { most } => self.limit(*most).await,
            Step::LimitIdle { seconds } => self.limit_idle(*seconds).await,
            Step::Neglect { session, beside } => self.neglect(*session, beside.as_ref()).await,
            Step::Grant { role, operation } => self.allot(role, operation, true).await,
            Step::Revoke { role, operation } => self.allot(role, operation, false).await,
            Step::Offer {
                file,
                by,
                cut_ms,
                altered,
            } => self.offer(file, by.as_deref(), *cut_ms, altered).await,
            Step::BackUp { backup } => self.back_up(*backup).await,
            Step::Set { setting, value } => self.set(setting, value).await,
            Step::GoBack => self.go_back().await,
            Step::Look { at } => self.state(*at).await.map(Event::Read),
            Step::ReadAudit => {
                self.make_room_for("read_audit").await;
                audit::read(self.p).await.map(Event::Log)
            }
            Step::ReadAll { account, interface } => self.read_all(account, interface).await,
            Step::Change {
                account,
                interface,
                fault,
            } => self.change(account, interface.as_deref(), *fault).await,
            Step::Pause { ms } => {
                sleep(Duration::from_millis((*ms).min(LONGEST))).await;
                Ok(Event::Done)
            }
            Step::PowerCycle => self.power_cycle().await,
            Step::PutBack => self.put_back().await.map(|()| Event::Done),
        }
    }

    pub(super) async fn attempt(
        &mut self,
        account: &str,
        interface: &str,
        shown: Shown,
        spelling: Spelling,
    ) -> Result<Event, Stop> {
        self.make_room(interface).await;
        self.owed.lock(account);
        let bench = self.p.bench();
        let password = match shown {
            Shown::Right => self.password(account)?,
            Shown::Wrong => self.wrong(),
        };
        let user = spelling.of(bench.user(account));
        let who = Who::Password {
            user: &user,
            password: &password,
        };
        match bench.enter(interface, &who).await {
            Ok(Entry::In(session)) => {
                session.close().await;
                Ok(Event::In)
            }
            Ok(Entry::Refused(answer)) => Ok(Event::Refused(answer.text)),
            // A name that no protocol may carry can end the line: the device has not taken it.
            Err(error) if spelling != Spelling::Right && is_of_the_line(&error) => {
                Ok(Event::Refused(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a login and goes.
    async fn abandon(&mut self, account: &str, interface: &str) -> Result<Event, Stop> {
        let bench = self.p.bench();
        let kind = bench.rig().interface(interface).map(|it| it.kind);
        match kind {
            Some(InterfaceKind::ModbusTls) => return self.knock(account, interface).await,
            Some(kind) if kind.is_serial() => {}
            _ => return Ok(Event::Nothing),
        }
        self.make_room(interface).await;
        self.owed.lock(account);
        let mut console = bench.console(interface).await?;
        let user = bench.user(account).to_owned();
        let sent = console.line().send(&user).await;
        sent.map_err(|error| Stop::inconclusive(error.to_string()))?;
        sleep(BETWEEN).await;
        Ok(Event::Done)
    }

    pub(super) async fn login(
        &mut self,
        number: u8,
        (account, interface): (&str, &str),
        kept: bool,
    ) -> Result<Event, Stop> {
        if let Some(seat) = self.seats.remove(&number) {
            seat.session.close().await;
        }
        self.make_room(interface).await;
        self.forget(number).await;
        match self.enter(account, interface, kept).await? {
            Entry::In(session) => {
                let trace = Trace {
                    account: account.to_owned(),
                    interface: interface.to_owned(),
                    client_id: session.client_id().map(str::to_owned),
                    kept,
                    console: None,
                };
                self.traces.insert(number, trace);
                let seat = Seat {
                    account: account.to_owned(),
                    interface: interface.to_owned(),
                    session,
                    ended: false,
                };
                self.seats.insert(number, seat);
                Ok(Event::In)
            }
            Entry::Refused(answer) => Ok(Event::Refused(answer.text)),
        }
    }

    /// Asks for a change in a session. Where a right to it was taken away a moment ago and it still comes about, what is asked
    /// once the device has to refuse it counts: most devices do at once, and need not be waited for.
    async fn perform(
        &mut self,
        number: u8,
        who: (&str, &str),
        operation: &str,
    ) -> Result<Event, Stop> {
        let began = Instant::now();
        let asked = self.ask(number, who, operation).await?;
        match (self.in_force(who.0, operation), &asked) {
            (Some(until), Event::Asked { changed: true, .. }) if began < until => {
                sleep_until(until).await;
                self.ask(number, who, operation).await
            }
            _ => Ok(asked),
        }
    }

    /// Asks for a change in a session, and finds out as somebody else whether it came about.
    async fn ask(
        &mut self,
        number: u8,
        (account, interface): (&str, &str),
        operation: &str,
    ) -> Result<Event, Stop> {
        let rig = self.p.rig();
        let described = rig.operations.get(operation);
        let Some((described, read_back)) =
            described.and_then(|it| Some((it, it.read_back.as_ref()?)))
        else {
            return Ok(Event::Nothing);
        };
        let read_back = read_back.value.as_str();
        // Whoever reads on the same line ends the session there.
        let before = self.read(read_back).await?;
        let own = |seat: &Seat| seat.account == account && seat.interface == interface;
        if !self.seats.get(&number).is_some_and(own)
            && let refused @ Event::Refused(_) =
                self.login(number, (account, interface), false).await?
        {
            return Ok(refused);
        }
        let Some(seat) = self.seats.get_mut(&number) else {
            return Ok(Event::Nothing);
        };
        let value = other_value(described, &before);
        let values = Values::from([("value".to_owned(), value.clone())]);
        let began = Instant::now();
        let asked = seat.session.perform(operation, &values);
        let silent = rig.interface(interface).map(|it| it.kind) == Some(InterfaceKind::Mqtt);
        let patience = self.replies.patience(interface).filter(|_| silent);
        let asked = match patience {
            Some(patience) => timeout(patience, asked).await,
            None => Ok(asked.await),
        };
        let (refused, said) = match asked {
            Ok(Ok(attempt)) => {
                if attempt.is_done() {
                    self.replies.took(interface, began.elapsed());
                }
                (attempt.is_refused(), attempt.answer().text.clone())
            }
            Ok(Err(error)) if is_of_the_line(&error) => (true, error.to_string()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => (false, "nothing".to_owned()),
        };
        if seat.session.is_over() {
            self.seats.remove(&number);
        }
        let looks = if refused { 1 } else { LOOKS };
        let mut after = before.clone();
        for look in 0..looks {
            if look > 0 {
                sleep(BETWEEN).await;
            }
            after = self.read(read_back).await?;
            if after != before {
                break;
            }
        }
        if after != before && after != value {
            return Err(Stop::inconclusive(format!(
                "{read_back} went from {before} to {after}, where {value} was written: something else changes it"
            )));
        }
        let changed = after == value;
        let seen = format!("{read_back} went from {before} to {after}; the device said: {said}");
        Ok(Event::Asked { changed, seen })
    }

    /// Reads a value as somebody who may, on a session of the stage's own.
    async fn read(&mut self, operation: &str) -> Result<String, Stop> {
        let hand = reader(self.p, operation)?;
        let serial = hand.interface().filter(|name| self.is_serial(name));
        if let Some(interface) = serial {
            self.leave(interface).await;
        }
        let read = self
            .desk
            .must(self.p, hand, operation, &Values::new())
            .await;
        if let Some(interface) = serial {
            self.desk.leave(interface).await;
        }
        read
    }

    async fn allot(&mut self, role: &str, operation: &str, give: bool) -> Result<Event, Stop> {
        self.make_room_for(if give { "grant" } else { "revoke" })
            .await;
        let asked = allot(self.p, role, operation, give).await?;
        if !asked.is_done() {
            return Ok(Event::Refused(asked.answer().text.clone()));
        }
        self.owed.right(self.p.rig(), role, operation, give);
        let until = Instant::now() + revoked_within(self.p);
        let rig = self.p.rig();
        self.revoked.retain(|(of, right, _)| {
            of != role || permission(rig, right) != permission(rig, operation)
        });
        if !give {
            self.revoked
                .push((role.to_owned(), operation.to_owned(), until));
        }
        Ok(Event::Done)
    }

    /// When what was revoked of an account's right is in force: until then it may go on.
    fn in_force(&self, account: &str, operation: &str) -> Option<Instant> {
        let rig = self.p.rig();
        let role = rig.accounts.get(account)?.role.value.as_str();
        let own = self.revoked.iter().filter(|(of, right, _)| {
            of == role && permission(rig, right) == permission(rig, operation)
        });
        own.map(|(_, _, until)| *until).max()
    }

    pub(super) async fn power_cycle(&mut self) -> Result<Event, Stop> {
        let bench = self.p.bench();
        if !bench.can_power_cycle() {
            return Ok(Event::Nothing);
        }
        // Sessions over a network are open when the power goes: what a device remembers of them may hang on it. A serial line
        // has room for the bench alone.
        let mut open = std::mem::take(&mut self.seats);
        open.retain(|_, seat| !self.is_serial(&seat.interface));
        for trace in self.traces.values_mut() {
            trace.console = None;
        }
        self.desk.forget();
        bench.power_cycle().await?;
        drop(open);
        strain::anew(bench, Instant::now() + SETTLED).await;
        Ok(Event::Done)
    }

    /// Ends all sessions, and undoes what the histories have changed. What cannot be undone is owed still.
    ///
    /// # Errors
    /// The device is not as it was.
    pub async fn put_back(&mut self) -> Result<(), Stop> {
        self.restore_sound().await;
        self.desk.close().await;
        self.backups.clear();
        self.idle = None;
        while let Some((_, seat)) = self.seats.pop_first() {
            seat.session.close().await;
        }
        let numbers: Vec<u8> = self.traces.keys().copied().collect();
        for number in numbers {
            self.forget(number).await;
        }
        self.owed.put_back(self.p).await
    }

    /// A serial line has one user at a time: whoever comes next ends the session on it.
    pub(super) async fn make_room(&mut self, interface: &str) {
        if self.is_serial(interface) {
            self.desk.leave(interface).await;
            self.leave(interface).await;
        }
    }

    pub(super) async fn make_room_for(&mut self, operation: &str) {
        if let Ok((interface, _)) = self.p.anywhere(operation) {
            self.make_room(interface).await;
        }
    }

    pub(super) async fn leave(&mut self, interface: &str) {
        let traces = self.traces.values_mut();
        for trace in traces.filter(|trace| trace.interface == interface) {
            trace.console = None;
        }
        let there = self
            .seats
            .iter()
            .find(|(_, seat)| seat.interface == interface);
        if let Some(number) = there.map(|(number, _)| *number)
            && let Some(seat) = self.seats.remove(&number)
        {
            seat.session.close().await;
        }
    }

    pub(super) fn is_serial(&self, interface: &str) -> bool {
        let described = self.p.rig().interface(interface);
        described.is_some_and(|it| it.kind.is_serial())
    }
}
