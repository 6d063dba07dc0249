//! Events on demand: an operation that leaves one entry in the audit log each time.

use std::collections::BTreeMap;
use std::time::Duration;

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
    operation: &'r str,
    described: &'r Operation,
    read_back: &'r str,
    /// Where a line serves one session at a time, nobody keeps it.
    shared: bool,
    session: Option<Session>,
    original: String,
    value: String,
    alike: String,
    /// How long an entry takes until it is in the log that is read.
    lag: Duration,
    /// The log as it was read last.
    seen: Vec<AuditEntry>,
}

/// How often a thing is done to find the entry that it leaves: more often than anybody logs in meanwhile.
const TRIES: u32 = 4;
/// The longest that entries are waited for, and the pause between two looks.
const SLOWEST: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(200);

impl<'r> Provoker<'r> {
    /// Finds an operation that leaves one entry each time that it is done: the control of all that follows.
    ///
    /// # Errors
    /// NOT EVALUATED where nobody may do such a thing, INCONCLUSIVE where none of them leaves an entry.
    pub async fn find(p: &Procedure<'r>) -> Result<Self, Stop> {
        let rig = p.rig();
        let mut candidates = Vec::new();
        for (name, described) in &rig.operations {
            let Some(read_back) = &described.read_back else {
                continue;
            };
            for (interface, it) in &rig.interfaces {
                let (name, interface) = (name.as_str(), interface.as_str());
                if rig.binding(name, interface).is_some()
                    && let Some(account) = rig.who_may_str(name, interface)
                {
                    // The quickest first; what the process hangs on last.
                    let rank = match it.kind {
                        InterfaceKind::Console => 2,
                        InterfaceKind::Mqtt => 1,
                        _ => 0,
                    };
                    let rank = (name != "write_output", rank);
                    candidates.push((rank, name, interface, account, described, read_back));
                }
            }
        }
        candidates.sort_by_key(|candidate| candidate.0);
        if candidates.is_empty() {
            return Err(Stop::not_evaluated(
                "no operation that changes something is bound for an account that may perform it",
            ));
        }
        for (_, operation, interface, account, described, read_back) in candidates {
            let original = state(p, read_back.as_str()).await?;
            let mut provoker = Self {
                interface,
                account,
                operation,
                described,
                read_back: read_back.as_str(),
                shared: rig
                    .interface(interface)
                    .is_some_and(|it| it.kind.is_serial() || it.kind == InterfaceKind::Console),
                session: None,
                value: original.clone(),
                original,
                alike: String::new(),
                lag: Duration::ZERO,
                seen: Vec::new(),
            };
            if provoker.learn(p).await? {
                return Ok(provoker);
            }
            provoker.end(p).await?;
        }
        Err(Stop::inconclusive(
            "nothing that may be done on this rig leaves one entry in the audit log each time",
        ))
    }

    /// Finds out what the operation's entry looks like; whether there is one.
    async fn learn(&mut self, p: &Procedure<'_>) -> Result<bool, Stop> {
        self.open(p).await?;
        self.rest().await;
        let before = audit::read(p).await?;
        if self.events(p, TRIES).await? < TRIES {
            return Ok(false);
        }
        let began = Instant::now();
        loop {
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
            if began.elapsed() > SLOWEST {
                return Ok(false);
            }
            // A log may be written behind time: then it is waited for from now on.
            sleep(PAUSE).await;
            self.lag = (began.elapsed() + PAUSE) * 2;
        }
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
            let value = other_value(self.described, &self.value);
            done += u32::from(self.write(p, value).await?);
        }
        self.rest().await;
        Ok(done)
    }

    async fn write(&mut self, p: &Procedure<'_>, value: String) -> Result<bool, Stop> {
        self.open(p).await?;
        let Some(session) = self.session.as_mut() else {
            return Ok(false);
        };
        let values = Values::from([("value".to_owned(), value.clone())]);
        let attempt = session.perform(self.operation, &values).await?;
        if session.is_over() {
            self.leave().await;
        }
        if attempt.is_done() {
            self.value = value;
        }
        Ok(attempt.is_done())
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

    /// Whether what was written last reads back.
    ///
    /// # Errors
    /// Nobody could read it.
    pub async fn took_effect(&mut self, p: &Procedure<'_>) -> Result<(bool, String), Stop> {
        let now = state(p, self.read_back).await?;
        let words = format!(
            "`{}` reads {now} after {} was written",
            self.read_back, self.value
        );
        Ok((now == self.value, words))
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

    /// The log as [`Self::find`] or [`Self::fresh`] read it last.
    pub fn seen(&self) -> &[AuditEntry] {
        &self.seen
    }

    /// What it does, in words.
    pub fn describe(&self) -> String {
        format!(
            "`{}` by `{}` on `{}`",
            self.operation, self.account, self.interface
        )
    }

    /// Puts the value back, and ends the session.
    ///
    /// # Errors
    /// The bench could not ask.
    pub async fn end(mut self, p: &Procedure<'_>) -> Result<(), Stop> {
        if self.value != self.original {
            let original = self.original.clone();
            self.write(p, original).await?;
        }
        self.leave().await;
        Ok(())
    }
}
