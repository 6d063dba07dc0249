//! Who is logged in, on which interface, how many sessions a user may have there, and how one is ended from elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::audit::{Category, Source};
use crate::clock::Clock;
use crate::controller::{Actor, Controller, Refusal};
use crate::flaw::{Defect, FlawSet};
use crate::role::Permission;

/// Every open session of the device.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    table: Arc<Mutex<Table>>,
    clock: Arc<Clock>,
    /// What a session that is over adds to the count: nothing, unless two flaws have it.
    off_by: i64,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Entry>,
    /// By how much two flaws count wrong.
    off: BTreeMap<(String, Source), i64>,
}

#[derive(Debug)]
struct Entry {
    user: String,
    source: Source,
    since: jiff::Timestamp,
    end: Arc<Notify>,
    /// Set when the session was told to end: it counts no more.
    ending: bool,
}

/// What becomes of a user's sessions beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// The new one is refused.
    Refused,
    /// The oldest one is ended.
    OldestEnds,
}

/// One open session; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    end: Arc<Notify>,
    sessions: Sessions,
}

impl Sessions {
    pub(crate) fn new(clock: Arc<Clock>, flaws: &FlawSet) -> Self {
        Self {
            table: Arc::default(),
            clock,
            off_by: i64::from(flaws.enabled(Defect::SessionCountLeaks))
                - i64::from(flaws.enabled(Defect::SessionCountDrifts)),
        }
    }

    /// Opens a session, if the user has fewer than `most` on this interface or the oldest of them may be ended.
    fn open(&self, user: &str, source: Source, most: usize, excess: Excess) -> Option<Session> {
        let mut table = self.lock();
        let off = table.off.get(&(user.to_owned(), source)).copied();
        let of_user = |entry: &Entry| entry.user == user && entry.source == source && !entry.ending;
        let count = table.open.values().filter(|entry| of_user(entry)).count();
        let count = (count as i64 + off.unwrap_or_default()).max(0) as usize;
        let beyond = (count + 1).saturating_sub(most);
        if beyond > 0 && excess == Excess::Refused {
            return None;
        }
        let own = table.open.values_mut().filter(|entry| of_user(entry));
        for entry in own.take(beyond) {
            entry.ending = true;
            entry.end.notify_one();
        }
        table.next += 1;
        let (id, end) = (table.next, Arc::new(Notify::new()));
        let entry = Entry {
            user: user.to_owned(),
            source,
            since: self.clock.now(),
            end: Arc::clone(&end),
            ending: false,
        };
        table.open.insert(id, entry);
        Some(Session {
            id,
            end,
            sessions: self.clone(),
        })
    }

    /// Ends all sessions of a user.
    pub(crate) fn end(&self, user: &str) {
        self.end_if(|_, entry| entry.user == user);
    }

    /// Ends the sessions that are chosen; how many they were.
    fn end_if(&self, chosen: impl Fn(u64, &Entry) -> bool) -> usize {
        let mut table = self.lock();
        let chosen = table
            .open
            .iter_mut()
            .filter(|(id, entry)| chosen(**id, entry));
        chosen
            .map(|(_, entry)| {
                entry.ending = true;
                entry.end.notify_one();
            })
            .count()
    }

    /// Whether a user has a session on an interface.
    pub(crate) fn has(&self, user: &str, source: Source) -> bool {
        let table = self.lock();
        table
            .open
            .values()
            .any(|entry| entry.user == user && entry.source == source)
    }

    /// Whether a user has a session on an interface that was not told to end.
    pub(crate) fn counts(&self, user: &str, source: Source) -> bool {
        let table = self.lock();
        table
            .open
            .values()
            .any(|entry| entry.user == user && entry.source == source && !entry.ending)
    }

    /// The session on the same interface that another user has opened next.
    pub(crate) fn next_of_another(&self, id: u64) -> Option<u64> {
        let table = self.lock();
        let ended = table.open.get(&id)?;
        let mut later = table.open.range(id + 1..);
        let next =
            later.find(|(_, it)| it.source == ended.source && it.user != ended.user && !it.ending);
        next.map(|(id, _)| *id)
    }

    /// One line a session.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |(id, entry): (&u64, &Entry)| {
            let since = entry.since.strftime("%Y-%m-%dT%H:%M:%SZ");
            let user = crate::audit::escape(&entry.user);
            format!(
                "id={id} user={user} interface={} since={since}",
                entry.source
            )
        };
        self.lock().open.iter().map(line).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Controller {
    /// Opens a session of somebody who has authenticated; none when the policy allows no more of them.
    pub(crate) fn open_session(&self, actor: &Actor, excess: Excess) -> Option<Session> {
        self.end_overrides(Some(&actor.name));
        self.remember_rights(actor);
        let hidden = self.flaws.enabled(Defect::ConsoleHidesMqtt)
            && self.sessions.has(&actor.name, Source::Console);
        let by_mqtt = self.flaws.enabled(Defect::MqttSessionsUnlimited) || hidden;
        let unlimited =
            self.flaws.enabled(Defect::NoSessionLimit) || actor.source == Source::Mqtt && by_mqtt;
        let most = if unlimited {
            usize::MAX
        } else {
            self.policy().sessions as usize
        };
        let session = self.sessions.open(&actor.name, actor.source, most, excess);
        if session.is_none() {
            let detail = "too many sessions";
            self.record(actor, Category::Access, "refused", false, detail);
        }
        session
    }

    /// Ends a session from elsewhere.
    pub(crate) fn end_session(&self, actor: &Actor, id: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::EndSessions)?;
        let id: u64 = id.parse().map_err(|_| Refusal::BadValue)?;
        let spared = |source| {
            self.flaws.enabled(Defect::EndSessionIgnored)
                || source == Source::ModbusTls && self.flaws.enabled(Defect::ModbusSessionNotEnded)
        };
        let known = self.sessions.lock().open.contains_key(&id);
        let along = self.taken_along(id);
        self.sessions
            .end_if(|other, entry| (other == id || Some(other) == along) && !spared(entry.source));
        if !known {
            return Err(Refusal::BadValue);
        }
        let detail = format!("id={id}");
        self.record(actor, Category::Access, "session_end", true, &detail);
        Ok(())
    }
}

impl Session {
    /// Closes it, but for the count: a flaw.
    pub(crate) fn leak(self) {
        std::mem::forget(self);
    }

    /// Resolves when the session was ended from elsewhere.
    pub(crate) async fn ended(&self) {
        self.end.notified().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut table = self.sessions.lock();
        if let Some(entry) = table.open.remove(&self.id)
            && self.sessions.off_by != 0
        {
            *table.off.entry((entry.user, entry.source)).or_default() += self.sessions.off_by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn sessions() -> Sessions {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::open(Store::open(dir.path()).unwrap(), &FlawSet::none()).unwrap();
        Sessions::new(Arc::new(clock), &FlawSet::none())
    }

    #[tokio::test]
    async fn ending_a_user_ends_that_users_sessions_alone() {
        let sessions = sessions();
        let open = |user, source| sessions.open(user, source, 9, Excess::Refused).unwrap();
        let vera = open("vera", Source::Console);
        let otto = open("otto", Source::Mqtt);
        sessions.end("vera");
        vera.ended().await;
        let still_open = tokio::time::timeout(std::time::Duration::from_millis(20), otto.ended());
        assert!(still_open.await.is_err());
        drop(vera);
        assert_eq!(sessions.lines().len(), 1);
        assert!(sessions.lines()[0].contains("user=otto interface=mqtt"));
    }

    #[tokio::test]
    async fn beyond_the_limit_the_new_one_is_refused_or_the_oldest_ends() {
        let sessions = sessions();
        let open = |excess| sessions.open("otto", Source::Mqtt, 2, excess);
        let oldest = open(Excess::Refused).unwrap();
        let newer = open(Excess::Refused).unwrap();
        assert!(open(Excess::Refused).is_none());
        let other = sessions.open("otto", Source::ModbusTls, 2, Excess::Refused);
        assert!(other.is_some());
        let newest = open(Excess::OldestEnds).unwrap();
        oldest.ended().await;
        drop((oldest, newest));
        assert!(open(Excess::Refused).is_some());
        drop(newer);
    }
}
