//! Who is logged in, on which interface, and how a session is ended from elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::audit::Source;

/// Every open session of the device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    user: String,
    source: Source,
    since: jiff::Timestamp,
    end: Arc<Notify>,
}

/// One open session; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    end: Arc<Notify>,
    sessions: Sessions,
}

impl Sessions {
    pub(crate) fn open(&self, user: &str, source: Source) -> Session {
        let mut table = self.lock();
        table.next += 1;
        let (id, end) = (table.next, Arc::new(Notify::new()));
        let entry = Entry {
            user: user.to_owned(),
            source,
            since: jiff::Timestamp::now(),
            end: Arc::clone(&end),
        };
        table.open.insert(id, entry);
        Session {
            id,
            end,
            sessions: self.clone(),
        }
    }

    /// Ends all sessions of a user.
    pub(crate) fn end(&self, user: &str) {
        for entry in self.lock().open.values().filter(|entry| entry.user == user) {
            entry.end.notify_one();
        }
    }

    /// Whether a user has a session on an interface.
    pub(crate) fn has(&self, user: &str, source: Source) -> bool {
        let table = self.lock();
        table
            .open
            .values()
            .any(|entry| entry.user == user && entry.source == source)
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Resolves when the session was ended from elsewhere.
    pub(crate) async fn ended(&self) {
        self.end.notified().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.lock().open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ending_a_user_ends_that_users_sessions_alone() {
        let sessions = Sessions::default();
        let vera = sessions.open("vera", Source::Console);
        let otto = sessions.open("otto", Source::Mqtt);
        sessions.end("vera");
        vera.ended().await;
        let still_open = tokio::time::timeout(std::time::Duration::from_millis(20), otto.ended());
        assert!(still_open.await.is_err());
        drop(vera);
        assert_eq!(sessions.lines().len(), 1);
        assert!(sessions.lines()[0].contains("user=otto interface=mqtt"));
    }
}
