//! Defects that only an order of events shows. Each is switched here; what they remember does not outlive the process, but for one.

mod files;
mod secrets;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::account::Account;
use crate::audit::{Category, Source};
use crate::controller::{Actor, Controller, State};
use crate::flaw::{Defect, FlawSet};
use crate::role::{Permission, Roles};
use crate::store::{Durability, Store};

pub(crate) use files::staged;

/// How long what one person may is lent to another one, or to what comes next, by the flaws that lend.
const LENT: Duration = Duration::from_secs(8);

/// How long the flaw `audit-drops-second` takes two changes for one.
const TWICE: Duration = Duration::from_secs(6);

/// What the defects remember.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<Memory>);

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The rights of all roles when a user's newest session by MQTT began.
    roles: BTreeMap<String, Roles>,
    /// Who made the last change that the audit log has, and when.
    recorded: Option<(String, Instant)>,
    /// Where the last two changes that the audit log has were made.
    places: [Option<Source>; 2],
    /// Images, backups and configurations.
    files: files::Files,
    /// Passwords.
    secrets: secrets::Secrets,
    /// When somebody was not let in last.
    refused: Option<Instant>,
    /// When a value was written on the console.
    written: Option<Instant>,
    /// The client ids that the broker lets in without a password, each with its user and that one's role.
    known: Clients,
    /// Those whose session was ended from elsewhere, since its user came last.
    ended: Clients,
}

type Clients = BTreeMap<String, (String, String)>;

/// The clients of the broker, kept by the flaw `client-id-outlives-restart` alone.
const CLIENTS: &str = "clients.json";

impl Remembered {
    /// What the flaw `client-id-outlives-restart` knows at a start, and the limit then.
    pub(crate) fn restored(store: &Store, flaws: &FlawSet, limit: u16) -> Self {
        let mut memory = Memory {
            files: files::Files::at_start(store, limit),
            secrets: secrets::Secrets::at_start(store, flaws),
            ..Memory::default()
        };
        if flaws.enabled(Defect::ClientIdOutlivesRestart) {
            memory.known = store.read(CLIENTS).ok().flatten().unwrap_or_default();
            let _ = store.write(CLIENTS, &Clients::new(), Durability::Synced);
        }
        Self(Mutex::new(memory))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Controller {
    /// The account that another spelling of its name opens without being counted.
    pub(crate) fn uncounted(&self, name: &str) -> Option<String> {
        if !self.flaws.enabled(Defect::SpellingNotCounted) {
            return None;
        }
        let folded = name.trim_end_matches([' ', '\0']).to_lowercase();
        (folded != name && self.state().accounts.contains_key(&folded)).then_some(folded)
    }

    /// Forgets the failures of an account, or of all.
    pub(crate) fn forget_failures(&self, whose: Option<&str>) {
        let _ = self.change(|state| {
            for (name, account) in &mut state.accounts {
                if whose.is_none_or(|it| it == name) {
                    account.failures = 0;
                }
            }
            Ok(())
        });
    }

    /// A session has begun.
    pub(crate) fn remember_rights(&self, actor: &Actor) {
        if actor.source == Source::Mqtt && self.flaws.enabled(Defect::SessionKeepsRights) {
            let roles = self.state().roles.clone();
            self.remembered
                .lock()
                .roles
                .insert(actor.name.clone(), roles);
        }
    }

    /// A client of the broker is let in, or has left.
    pub(crate) fn remember_client(&self, id: &str, actor: &Actor, here: bool) {
        let mut memory = self.remembered.lock();
        if here && self.flaws.enabled(Defect::EndedClientIdReturns) {
            let ended = std::mem::take(&mut memory.ended).into_iter();
            let (mut again, others): (Clients, Clients) =
                ended.partition(|(_, (name, _))| *name == actor.name);
            memory.ended = others;
            memory.known.append(&mut again);
        }
        if !self.flaws.enabled(Defect::ClientIdOutlivesRestart) {
            return;
        }
        let mut clients: Clients = self.store.read(CLIENTS).ok().flatten().unwrap_or_default();
        match here {
            true => clients.insert(id.to_owned(), (actor.name.clone(), actor.role.clone())),
            false => clients.remove(id),
        };
        let _ = self.store.write(CLIENTS, &clients, Durability::Synced);
    }

    /// The session of a client of the broker was ended from elsewhere.
    pub(crate) fn client_ended(&self, id: &str, actor: &Actor) {
        let handed_on = self.flaws.enabled(Defect::EndedSessionHandedOn);
        if handed_on || self.flaws.enabled(Defect::EndedClientIdReturns) {
            let user = (actor.name.clone(), actor.role.clone());
            self.remembered.lock().ended.insert(id.to_owned(), user);
        }
    }

    /// Whether a session goes to any user who comes with its client id.
    pub(crate) fn hands_on(&self, id: &str) -> bool {
        self.flaws.enabled(Defect::EndedSessionHandedOn)
            && self.remembered.lock().ended.contains_key(id)
    }

    /// Whom a client id lets in by itself: two flaws know somebody.
    pub(crate) fn known_by(&self, id: &str) -> Option<Actor> {
        let (name, role) = self.remembered.lock().known.get(id)?.clone();
        Some(Actor {
            source: Source::Mqtt,
            name,
            role,
        })
    }

    /// The session behind one that was ended, which a flaw takes for the same.
    pub(crate) fn taken_along(&self, id: u64) -> Option<u64> {
        let takes = self.flaws.enabled(Defect::EndingTakesTheNext);
        takes.then(|| self.sessions.next_of_another(id)).flatten()
    }

    /// Waits until the user of a session that was ended has another one; whether the session goes on then.
    pub(crate) async fn revives(&self, actor: &Actor) -> bool {
        if !self.flaws.enabled(Defect::EndedSessionRevives) {
            return false;
        }
        let until = Instant::now() + LENT;
        while Instant::now() < until {
            if self.sessions.counts(&actor.name, actor.source) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    /// The name under which a change goes into the audit log; none where it does not.
    pub(crate) fn recorded_name(&self, actor: &Actor, category: Category) -> Option<String> {
        let own = Some(actor.name.clone());
        let drops = self.flaws.enabled(Defect::AuditDropsSecond);
        let names = self.flaws.enabled(Defect::AuditNamesTheLast) && actor.source == Source::Mqtt;
        if category != Category::System || !(drops || names) {
            return own;
        }
        let mut memory = self.remembered.lock();
        let last = memory
            .recorded
            .replace((actor.name.clone(), Instant::now()));
        let Some((name, at)) = last else { return own };
        if drops {
            return own.filter(|own| *own != name || at.elapsed() > TWICE);
        }
        if at.elapsed() < LENT { Some(name) } else { own }
    }

    /// Whether a change goes into the audit log twice: a flaw does that where two interfaces make changes in turn.
    pub(crate) fn recorded_twice(&self, actor: &Actor, category: Category) -> bool {
        if category != Category::System || !self.flaws.enabled(Defect::AuditDoublesInTurn) {
            return false;
        }
        let here = Some(actor.source);
        let places = &mut self.remembered.lock().places;
        let [before, last] = std::mem::replace(places, [places[1], here]);
        before == here && last != here
    }

    /// Somebody was not let in.
    pub(crate) fn remember_refusal(&self) {
        self.remembered.lock().refused = Some(Instant::now());
    }

    /// What a session reads next; an error where it is silent for so long. A flaw begins that time anew with each login that is
    /// refused to anybody.
    pub(crate) async fn before_silence<T>(
        &self,
        limit: Duration,
        reading: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let mut reading = std::pin::pin!(reading);
        loop {
            let read = timeout(limit, &mut reading).await;
            let refused = self.remembered.lock().refused;
            let anew = refused.is_some_and(|at| at.elapsed() < limit)
                && self.flaws.enabled(Defect::RefusalKeepsSessions);
            if read.is_ok() || !anew {
                return read;
            }
        }
    }

    /// A value was written.
    pub(crate) fn remember_write(&self, actor: &Actor) {
        if actor.source == Source::Console && self.flaws.enabled(Defect::WriterLendsRight) {
            self.remembered.lock().written = Some(Instant::now());
        }
    }

    /// What two defects say of a right; none where they say nothing.
    pub(crate) fn remembered_right(&self, actor: &Actor, permission: Permission) -> Option<bool> {
        if actor.source != Source::Mqtt {
            return None;
        }
        let memory = self.remembered.lock();
        let lent = memory.written.is_some_and(|at| at.elapsed() < LENT);
        if lent && permission == Permission::WriteOutput {
            return Some(true);
        }
        let roles = memory.roles.get(&actor.name)?;
        Some(roles.permits(&actor.role, permission))
    }
}

impl Account {
    /// Turns to the failures that are counted for MQTT, or back, where those of the console are counted apart.
    pub(crate) fn turn(&mut self, source: Source, flaws: &FlawSet) {
        if source == Source::Mqtt && flaws.enabled(Defect::LockoutPerInterface) {
            let (failures, locked_until) = &mut self.by_mqtt;
            std::mem::swap(failures, &mut self.failures);
            std::mem::swap(locked_until, &mut self.locked_until);
        }
    }
}

/// What a start forgets.
pub(crate) fn restarted(state: &mut State, flaws: &FlawSet) {
    if flaws.enabled(Defect::LockForgottenByRestart) {
        for account in state.accounts.values_mut() {
            (account.failures, account.locked_until) = (0, None);
        }
    }
    if flaws.enabled(Defect::RevokedRightReturns) {
        state.roles = Roles::default();
    }
}
