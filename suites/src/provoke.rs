//! Events on demand: an operation that leaves one entry in the audit log each time.

use std::collections::BTreeMap;
use std::time::Duration;

use slcert_rigs::Attempt;
use slcert_rigs::bench::Session;
use slcert_rigs::rig::{InterfaceKind, Operation, Values};
use tokio::time::{Instant, sleep};

use crate::audit::{self, AuditEntry};
use crate::effect::{other_value, state};
use crate::procedure::{Procedure, Stop};

/// Somebody who does one thing over and over.
pub struct Provoker<'r> {
    interface: &'r str,
    account: &'r str,
    deed: Deed<'r>,
    /// Where a line serves one session at a time, nobody keeps it.
    shared: bool,
    session: Option<Session>,
    alike: String,
    /// How long an entry takes until it is in the log that is read.
    lag: Duration,
    /// How long it takes to do it once.
    pace: Duration,
    /// How often it was done.
    total: u32,
    /// The log as it was read last.
    seen: Vec<AuditEntry>,
}

/// What is done.
enum Deed<'r> {
    /// Writing a value that can be read back.
    Write {
        operation: &'r str,
        described: &'r Operation,
        read_back: &'r str,
        original: String,
        value: String,
    },
    /// Logging in, and out again.
    Login,
}

/// How often a thing is done to find the entry that it leaves: more often than the log is read meanwhile, as that leaves
/// entries of its own.
const TRIES: u32 = 4;
/// How long an entry is waited for: a log may be written behind time.
const LAGS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(2),
];
/// The most operations, and the most logins, that are tried.
const KINDS: usize = 3;

impl<'r> Provoker<'r> {
    /// Finds something that leaves one entry each time that it is done: the control of all that follows.
    ///
    /// # Errors
    /// NOT EVALUATED where nobody may do such a thing, INCONCLUSIVE where nothing leaves an entry.
    pub async fn find(p: &Procedure<'r>) -> Result<Self, Stop> {
        let candidates = candidates(p)?;
        for (interface, account, written) in candidates {
            let deed = match written {
                Some((operation, described, read_back)) => {
                    let original = state(p, read_back).await?;
                    Deed::Write {
                        operation,
                        described,
                        read_back,
                        value: original.clone(),
                        original,
                    }
                }
                None => Deed::Login,
            };
            let kind = p.rig().interface(interface).map(|it| it.kind);
            let mut provoker = Self {
                interface,
                account,
                deed,
                shared: kind.is_some_and(|it| it.is_serial() || it == InterfaceKind::Console),
                session: None,
                alike: String::new(),
                lag: Duration::ZERO,
                pace: Duration::ZERO,
                total: 0,
                seen: Vec::new(),
            };
            let learned = provoker.learn(p).await;
            if matches!(learned, Ok(true)) {
                return Ok(provoker);
            }
            provoker.end(p, learned).await?;
        }
        Err(Stop::inconclusive(
            "nothing that may be done on this rig leaves one entry in the audit log each time: see CR 2.8",
        ))
    }

    /// Finds out what the entry of it looks like; whether there is one.
    async fn learn(&mut self, p: &Procedure<'_>) -> Result<bool, Stop> {
        self.open(p).await?;
        self.rest().await;
        let before = audit::read(p).await?;
        let began = Instant::now();
        if self.events(p, TRIES).await? < TRIES {
            return Ok(false);
        }
        self.pace = began.elapsed() / TRIES;
        for lag in LAGS {
            sleep(lag).await;
            self.lag += lag * 2;
            self.seen = audit::read(p).await?;
            let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
            for entry in audit::new_entries(&before, self.seen.clone()) {
                *kinds.entry(entry.alike()).or_default() += 1;
            }
            let found = kinds.into_iter().find(|(_, count)| *count == TRIES);
            if let Some((alike, _)) = found {
                self.alike = alike;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the log, once what was done last can be in it.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn read(&mut self, p: &Procedure<'_>) -> Result<Vec<AuditEntry>, Stop> {
        sleep(self.lag).await;
        audit::read(p).await
    }

    /// Does it so many times; how often the device did as it was told.
    ///
    /// # Errors
    /// The bench could not ask.
    pub async fn events(&mut self, p: &Procedure<'_>, count: u32) -> Result<u32, Stop> {
        let mut done = 0;
        for _ in 0..count {
            done += u32::from(self.once(p).await?);
        }
        self.total += done;
        self.rest().await;
        Ok(done)
    }

    async fn once(&mut self, p: &Procedure<'_>) -> Result<bool, Stop> {
        match &self.deed {
            Deed::Write {
                described, value, ..
            } => {
                let other = other_value(described, value);
                self.write(p, other).await
            }
            Deed::Login => {
                self.open(p).await?;
                self.leave().await;
                Ok(true)
            }
        }
    }

    async fn write(&mut self, p: &Procedure<'_>, new: String) -> Result<bool, Stop> {
        self.open(p).await?;
        let (
            Some(session),
            Deed::Write {
                operation, value, ..
            },
        ) = (self.session.as_mut(), &mut self.deed)
        else {
            return Ok(false);
        };
        let values = Values::from([("value".to_owned(), new.clone())]);
        let mut attempt = session.perform(operation, &values).await?;
        // An answer that went missing is no refusal.
        if matches!(attempt, Attempt::Unclear(_)) && !session.is_over() {
            attempt = session.perform(operation, &values).await?;
        }
        let done = attempt.is_done();
        if done {
            *value = new;
        }
        if session.is_over() {
            self.leave().await;
        }
        Ok(done)
    }

    async fn open(&mut self, p: &Procedure<'_>) -> Result<(), Stop> {
        if self.session.is_none() {
            self.session = Some(p.bench().login(self.interface, self.account).await?);
        }
        Ok(())
    }

    /// Ends the session; the next event opens another.
    pub async fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    async fn rest(&mut self) {
        if self.shared {
            self.leave().await;
        }
    }

    /// Whether what was done last has effect, in words as well.
    ///
    /// # Errors
    /// Nobody could read it.
    pub async fn took_effect(&mut self, p: &Procedure<'_>) -> Result<(bool, String), Stop> {
        let Deed::Write {
            read_back, value, ..
        } = &self.deed
        else {
            return Ok((true, "the session was open".to_owned()));
        };
        let now = state(p, read_back).await?;
        let words = format!("`{read_back}` reads {now} after {value} was written");
        Ok((now == *value, words))
    }

    /// How often it was done since it was found, and to find it.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// How long it takes to do it so many times.
    pub fn time_for(&self, count: u32) -> Duration {
        self.pace * count
    }

    /// Whether an entry tells of what this one does.
    pub fn is_mine(&self, entry: &AuditEntry) -> bool {
        entry.alike() == self.alike
    }

    /// The new entries that tell of what this one does, in the log's order.
    pub fn mine(&self, before: &[AuditEntry], after: Vec<AuditEntry>) -> Vec<AuditEntry> {
        let mut new = audit::new_entries(before, after);
        new.retain(|entry| self.is_mine(entry));
        new
    }

    /// The entries of what this one has done since the log was read last, in the log's order.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn fresh(&mut self, p: &Procedure<'_>) -> Result<Vec<AuditEntry>, Stop> {
        let now = self.read(p).await?;
        let before = std::mem::replace(&mut self.seen, now.clone());
        Ok(self.mine(&before, now))
    }

    /// Takes the log as it is now for what was read last: what stands in it is not fresh.
    pub fn remember(&mut self, entries: Vec<AuditEntry>) {
        self.seen = entries;
    }

    /// The log as [`Self::find`] or [`Self::fresh`] read it last.
    pub fn seen(&self) -> &[AuditEntry] {
        &self.seen
    }

    /// What it does, in words.
    pub fn describe(&self) -> String {
        let (account, interface) = (self.account, self.interface);
        match &self.deed {
            Deed::Write { operation, .. } => {
                format!("`{operation}` by `{account}` on `{interface}`")
            }
            Deed::Login => format!("a login of `{account}` on `{interface}`"),
        }
    }

    /// Puts the value back and ends the session, whatever what was tried came to.
    ///
    /// # Errors
    /// What was tried ended with one, or the bench could not ask.
    pub async fn end<T>(self, p: &Procedure<'_>, tried: Result<T, Stop>) -> Result<T, Stop> {
        let ended = self.restore(p).await;
        let value = tried?;
        ended?;
        Ok(value)
    }

    async fn restore(mut self, p: &Procedure<'_>) -> Result<(), Stop> {
        let changed = match &self.deed {
            Deed::Write {
                original, value, ..
            } if original != value => Some(original.clone()),
            _ => None,
        };
        if let Some(original) = changed {
            self.write(p, original).await?;
        }
        self.leave().await;
        Ok(())
    }
}

/// Somebody on an interface, and the operation, with what reads it back; none for a login.
type Candidate<'r> = (&'r str, &'r str, Option<(&'r str, &'r Operation, &'r str)>);

/// What may leave an entry each time, the likeliest and quickest first.
fn candidates<'r>(p: &Procedure<'r>) -> Result<Vec<Candidate<'r>>, Stop> {
    let rig = p.rig();
    let (_, reader) = p.anywhere("read_audit")?;
    let (mut writes, mut logins) = (Vec::new(), Vec::new());
    for (interface, it) in &rig.interfaces {
        let interface = interface.as_str();
        let slowness = match it.kind {
            InterfaceKind::Console => 2,
            InterfaceKind::Mqtt => 1,
            _ => 0,
        };
        for (name, described) in &rig.operations {
            let name = name.as_str();
            if rig.binding(name, interface).is_some()
                && let Some(read_back) = &described.read_back
                && let Some(account) = rig.who_may_str(name, interface)
            {
                let written = (name, described, read_back.as_str());
                let rank = (name != "write_output", slowness);
                writes.push((rank, (interface, account, Some(written))));
            }
        }
        // The reader's own logins are in the log as well: they would not be told apart.
        let mut names = rig.accounts_on(interface).map(|(name, _)| name.as_str());
        if let Some(account) = names.find(|name| *name != reader) {
            logins.push((slowness, (interface, account, None)));
        }
    }
    writes.sort_by_key(|(rank, _)| *rank);
    logins.sort_by_key(|(rank, _)| *rank);
    let writes = writes.into_iter().take(KINDS).map(|(_, write)| write);
    let logins = logins.into_iter().take(KINDS).map(|(_, login)| login);
    let all: Vec<_> = writes.chain(logins).collect();
    if all.is_empty() {
        return Err(Stop::not_evaluated(
            "nothing that could leave an entry in the audit log is bound for an account that may perform it",
        ));
    }
    Ok(all)
}
