//! The audit log: one line an event, kept across restarts, the oldest dropped first.

mod entry;

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::flaw::{Defect, FlawSet};
use crate::store::{Durability, Store, StoreError};
pub(crate) use entry::{Category, Event, Source, escape};
use entry::{format_line, id};

/// Entries kept.
pub(crate) const CAPACITY: usize = 10_000;
/// Malformed requests written down per source and second; a flood must not wash away the rest.
const ERRORS_PER_SECOND: u32 = 10;
const FILE: &str = "audit.log";

#[derive(Debug)]
pub(crate) struct Audit {
    store: Store,
    flaws: FlawSet,
    clock: Arc<Clock>,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    file: File,
    lines_in_file: usize,
    unsynced: bool,
    entries: VecDeque<Arc<str>>,
    next_id: u64,
    errors: HashMap<Source, (Instant, u32)>,
}

impl Audit {
    /// Opens the log, mending what a power cut left behind.
    pub(crate) fn open(
        store: Store,
        flaws: FlawSet,
        clock: Arc<Clock>,
    ) -> Result<Self, StoreError> {
        let old = std::fs::read(store.path(FILE)).unwrap_or_default();
        let old = String::from_utf8_lossy(&old);
        let mut entries: VecDeque<Arc<str>> = old
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(Arc::from)
            .collect();
        entries.drain(..entries.len().saturating_sub(CAPACITY));
        let next_id = entries
            .back()
            .and_then(|line| id(line))
            .map_or(1, |id| id + 1);
        let file = rewrite(&store, &entries)?;
        let lines_in_file = entries.len();
        let errors = HashMap::new();
        let log = Log {
            file,
            lines_in_file,
            unsynced: false,
            entries,
            next_id,
            errors,
        };
        Ok(Self {
            store,
            flaws,
            clock,
            log: Mutex::new(log),
        })
    }

    /// Writes an event down. A full or broken disk does not stop the device: the entry is then kept in memory only.
    pub(crate) fn record(&self, event: Event<'_>) {
        if event.category == Category::Configuration
            && self.flaws.enabled(Defect::AuditWithoutConfiguration)
        {
            return;
        }
        let mut log = self.lock();
        log.append(
            &self.store,
            self.clock.now(),
            &event,
            !self.flaws.enabled(Defect::AuditWithoutResult),
        );
    }

    /// Writes a malformed request down, unless its source has sent too many in this second.
    pub(crate) fn record_malformed(&self, source: Source, detail: &str) {
        let mut log = self.lock();
        let now = Instant::now();
        let (since, count) = log.errors.entry(source).or_insert((now, 0));
        if now.duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count <= ERRORS_PER_SECOND {
            drop(log);
            self.record(Event {
                source,
                category: Category::RequestError,
                kind: "malformed",
                user: "",
                success: false,
                detail,
            });
        }
    }

    /// The last entries, oldest first.
    pub(crate) fn last(&self, count: usize) -> Vec<Arc<str>> {
        let log = self.lock();
        log.entries
            .iter()
            .skip(log.entries.len().saturating_sub(count))
            .cloned()
            .collect()
    }

    /// Drops every entry; numbers go on where they were.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        let mut log = self.lock();
        log.file = rewrite(&self.store, &VecDeque::new())?;
        log.entries.clear();
        log.lines_in_file = 0;
        Ok(())
    }

    /// Brings what was written to the disk; for a thread that may wait.
    pub(crate) fn sync(&self) {
        let file = {
            let mut log = self.lock();
            if !std::mem::take(&mut log.unsynced) {
                return;
            }
            log.file.try_clone()
        };
        if let Ok(file) = file {
            // What a broken disk takes is not for the log to mend.
            let _ = file.sync_data();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn append(
        &mut self,
        store: &Store,
        now: jiff::Timestamp,
        event: &Event<'_>,
        with_result: bool,
    ) {
        let line = format_line(self.next_id, now, event, with_result);
        self.next_id += 1;
        if self.file.write_all(format!("{line}\n").as_bytes()).is_err() {
            eprintln!("audit log: cannot write");
        }
        self.unsynced = true;
        self.lines_in_file += 1;
        self.entries.push_back(line.into());
        if self.entries.len() > CAPACITY {
            self.entries.pop_front();
        }
        if self.lines_in_file >= 2 * CAPACITY {
            match rewrite(store, &self.entries) {
                Ok(file) => self.file = file,
                Err(error) => eprintln!("audit log: {error}"),
            }
            self.lines_in_file = self.entries.len();
        }
    }
}

fn rewrite(store: &Store, entries: &VecDeque<Arc<str>>) -> Result<File, StoreError> {
    let mut text = String::new();
    for entry in entries {
        text.push_str(entry);
        text.push('\n');
    }
    store.write_bytes(FILE, text.as_bytes(), Durability::Synced)?;
    store.appendable(FILE)
}

impl Store {
    fn appendable(&self, name: &str) -> Result<File, StoreError> {
        let path = self.path(name);
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(|cause| StoreError::new("open", path, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail: &str) -> Event<'_> {
        Event {
            source: Source::Console,
            category: Category::Access,
            kind: "login",
            user: "vera",
            success: true,
            detail,
        }
    }

    fn open(dir: &tempfile::TempDir) -> Audit {
        let store = Store::open(dir.path()).unwrap();
        let clock = Arc::new(Clock::open(store.clone()).unwrap());
        Audit::open(store, FlawSet::none(), clock).unwrap()
    }

    #[test]
    fn numbers_go_on_after_a_restart_and_a_clear() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(&dir);
        audit.record(event("first"));
        audit.record(event("second"));
        drop(audit);
        let audit = open(&dir);
        assert_eq!(audit.last(10).len(), 2);
        audit.clear().unwrap();
        audit.record(event("third"));
        assert_eq!(
            audit
                .last(10)
                .iter()
                .filter_map(|line| id(line))
                .collect::<Vec<_>>(),
            [3]
        );
        drop(audit);
        assert_eq!(open(&dir).last(10).len(), 1);
    }

    #[test]
    fn the_oldest_entries_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(&dir);
        for _ in 0..2 * CAPACITY + 5 {
            audit.record(event(""));
        }
        let kept = audit.last(usize::MAX);
        assert_eq!(kept.len(), CAPACITY);
        assert_eq!(id(&kept[0]), Some(CAPACITY as u64 + 6));
        let lines = std::fs::read_to_string(dir.path().join(FILE))
            .unwrap()
            .lines()
            .count();
        assert!(lines < 2 * CAPACITY, "{lines}");
    }

    #[test]
    fn a_torn_last_line_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        open(&dir).record(event("whole"));
        let path = dir.path().join(FILE);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("2026-11-24T03:1");
        std::fs::write(&path, text).unwrap();
        assert_eq!(open(&dir).last(10).len(), 1);
    }

    #[test]
    fn a_flood_of_malformed_requests_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(&dir);
        for _ in 0..500 {
            audit.record_malformed(Source::ModbusTcp, "illegal function");
        }
        let count = audit.last(usize::MAX).len();
        assert!((10..=30).contains(&count), "{count}");
    }
}
