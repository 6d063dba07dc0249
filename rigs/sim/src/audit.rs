//! The audit log: one line an event, kept across restarts, the oldest dropped first.

mod entry;

use std::collections::{HashMap, VecDeque};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::alert::Alerts;
use crate::clock::Clock;
use crate::flaw::{Defect, FlawSet};
use crate::policy::Policy;
use crate::store::{Durability, Store, StoreError};
pub(crate) use entry::{Category, Event, Source, escape, json};
use entry::{format_line, id};

/// Malformed requests written down per source and second; a flood must not wash away the rest.
const ERRORS_PER_SECOND: u32 = 10;
const FILE: &str = "audit.log";
/// Kinds of events that the device tells by itself.
const ALERTS: [&str; 5] = [
    "lockout",
    "restore",
    "log_nearly_full",
    "log_failed",
    "time_rejected",
];

#[derive(Debug)]
pub(crate) struct Audit {
    store: Store,
    flaws: FlawSet,
    clock: Arc<Clock>,
    alerts: Arc<Alerts>,
    log: Mutex<Log>,
    /// Set when the log is full, for the flaws that take it ill.
    full: AtomicBool,
}

#[derive(Debug)]
struct Log {
    lines_in_file: usize,
    unsynced: bool,
    entries: VecDeque<Arc<str>>,
    /// How many of the newest entries are not in the file: it could not be written.
    unwritten: usize,
    failing: bool,
    capacity: usize,
    /// How many entries make the log nearly full.
    threshold: usize,
    warned: bool,
    next_id: u64,
    errors: HashMap<Source, (Instant, u32)>,
}

impl Audit {
    /// Opens the log, mending what a power cut left behind.
    pub(crate) fn open(
        store: Store,
        flaws: FlawSet,
        clock: Arc<Clock>,
        alerts: Arc<Alerts>,
        policy: &Policy,
    ) -> Result<Self, StoreError> {
        let mut old = std::fs::read(store.path(FILE)).unwrap_or_default();
        if flaws.enabled(Defect::AuditVolatile) {
            old.clear();
        }
        let old = String::from_utf8_lossy(&old);
        let entries: VecDeque<Arc<str>> = old
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(Arc::from)
            .collect();
        let next_id = entries
            .back()
            .and_then(|line| id(line))
            .map_or(1, |id| id + 1);
        let mut log = Log {
            lines_in_file: 0,
            unsynced: false,
            entries,
            unwritten: 0,
            failing: false,
            capacity: 0,
            threshold: 0,
            warned: false,
            next_id,
            errors: HashMap::new(),
        };
        log.configure(policy, &flaws);
        log.warned = log.entries.len() >= log.threshold;
        log.rewrite(&store)?;
        Ok(Self {
            store,
            flaws,
            clock,
            alerts,
            log: Mutex::new(log),
            full: AtomicBool::new(false),
        })
    }

    /// Takes over what an administrator has set.
    pub(crate) fn configure(&self, policy: &Policy) {
        self.lock().configure(policy, &self.flaws);
    }

    /// Writes an event down. A full or broken disk does not stop the device: the entry is then kept in memory until it can be written.
    pub(crate) fn record(&self, event: Event<'_>) {
        if event.category == Category::Configuration
            && self.flaws.enabled(Defect::AuditWithoutConfiguration)
        {
            return;
        }
        self.append(&mut self.lock(), &event);
    }

    fn append(&self, log: &mut Log, event: &Event<'_>) {
        if log.entries.len() >= log.capacity {
            self.full.store(true, Relaxed);
            if self.flaws.enabled(Defect::AuditFullStops) {
                return;
            }
        }
        if log.failing && self.flaws.enabled(Defect::AuditFailureForGood) {
            return;
        }
        let time = self.stamp(log.next_id);
        let with_result = !self.flaws.enabled(Defect::AuditWithoutResult);
        let line: Arc<str> = format_line(time, log.next_id, event, with_result).into();
        log.next_id += 1;
        log.entries.push_back(line.clone());
        log.unwritten += 1;
        if log.entries.len() > log.capacity {
            log.entries.pop_front();
            log.unwritten = log.unwritten.min(log.entries.len());
        }
        self.tell(event, &line);
        self.write_down(log);
        self.warn(log);
    }

    /// Brings the entries that wait into the file; says so when that fails, and when it works again.
    fn write_down(&self, log: &mut Log) {
        let silent = self.flaws.enabled(Defect::AuditFailureSilent);
        match log.write(&self.store) {
            Ok(()) if log.failing => {
                log.failing = false;
                if !silent {
                    self.append(log, &own("log_written_again", true, ""));
                }
            }
            Ok(()) => {}
            Err(_) if silent => {
                let kept = log.entries.len() - log.unwritten;
                log.entries.truncate(kept);
                log.unwritten = 0;
                log.failing = true;
            }
            Err(error) if !log.failing => {
                log.failing = true;
                eprintln!("audit log: {error}");
                let event = own("log_failed", false, "the audit log cannot be written");
                if !self.flaws.enabled(Defect::AuditFailureForGood) {
                    self.append(log, &event);
                }
            }
            Err(_) => {}
        }
    }

    /// Warns once that the log is nearly full.
    fn warn(&self, log: &mut Log) {
        let filled = log.entries.len();
        if log.warned || filled < log.threshold {
            return;
        }
        log.warned = true;
        if !self.flaws.enabled(Defect::NoAuditWarning) {
            let detail = format!("{filled} of {} entries", log.capacity);
            self.append(log, &own("log_nearly_full", true, &detail));
        }
    }

    fn stamp(&self, id: u64) -> Timestamp {
        let time = self.clock.now();
        let off = if self.flaws.enabled(Defect::ClockOff) {
            SignedDuration::from_hours(1)
        } else if id.is_multiple_of(2) && self.flaws.enabled(Defect::StampsJump) {
            SignedDuration::from_millis(-900)
        } else {
            return time;
        };
        time.checked_add(off).unwrap_or(time)
    }

    /// Raises an alert for an event that somebody has to hear of at once.
    fn tell(&self, event: &Event<'_>, line: &str) {
        let silent = match event.success {
            true => !self.flaws.enabled(Defect::IntegrityAlertAlways),
            false => self.flaws.enabled(Defect::NoIntegrityAlert),
        };
        let expected = event.kind == "restore" && silent;
        let left_out = event.kind == "lockout"
            && (self.flaws.enabled(Defect::NoLockoutAlert)
                || event.source == Source::Mqtt && self.flaws.enabled(Defect::AlertNotForMqtt));
        if ALERTS.contains(&event.kind) && !expected && !left_out {
            self.alerts
                .raise(serde_json::Value::from(json(line)).to_string());
        }
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
        let mut log = self.lock();
        let older = log.entries.len().saturating_sub(count);
        if self.flaws.enabled(Defect::AuditReadingConsumes) {
            return log.entries.drain(older..).collect();
        }
        log.entries.iter().skip(older).cloned().collect()
    }

    /// Drops every entry; numbers go on where they were.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        let mut log = self.lock();
        let kept = std::mem::take(&mut log.entries);
        if let Err(error) = log.rewrite(&self.store) {
            log.entries = kept;
            return Err(error);
        }
        log.warned = false;
        Ok(())
    }

    /// Brings what was written to the disk, and what could not be written into the file; for a thread that may wait.
    pub(crate) fn sync(&self) {
        {
            let mut log = self.lock();
            if log.failing && !self.flaws.enabled(Defect::AuditFailureForGood) {
                self.write_down(&mut log);
            }
            if !std::mem::take(&mut log.unsynced) {
                return;
            }
        }
        if let Ok(file) = self.store.appendable(FILE) {
            // What a broken disk takes is not for the log to mend.
            let _ = file.sync_data();
        }
    }

    /// Whether the log cannot be written now.
    pub(crate) fn is_failing(&self) -> bool {
        self.lock().failing
    }

    /// Whether the log was full since this was asked last.
    pub(crate) fn was_full(&self) -> bool {
        self.full.swap(false, Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event of the log itself.
fn own<'a>(kind: &'a str, success: bool, detail: &'a str) -> Event<'a> {
    Event {
        source: Source::Device,
        category: Category::Audit,
        kind,
        user: "",
        success,
        detail,
    }
}

impl Log {
    fn configure(&mut self, policy: &Policy, flaws: &FlawSet) {
        let percent = match policy.audit_warning {
            _ if flaws.enabled(Defect::AuditWarningFixed) => 50,
            percent => percent,
        };
        let capacity = policy.audit_capacity as usize;
        let threshold = (capacity * percent as usize).div_ceil(100);
        if (capacity, threshold) != (self.capacity, self.threshold) {
            (self.capacity, self.threshold, self.warned) = (capacity, threshold, false);
        }
        let excess = self.entries.len().saturating_sub(capacity);
        self.entries.drain(..excess);
        self.unwritten = self.unwritten.min(self.entries.len());
    }

    /// Appends the entries that are not in the file; makes the file anew when it holds too many that are dropped.
    fn write(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.lines_in_file + self.unwritten >= 2 * self.capacity {
            return self.rewrite(store);
        }
        let written = self.entries.len() - self.unwritten;
        let text = text(self.entries.range(written..));
        let mut file = store.appendable(FILE)?;
        file.write_all(text.as_bytes())
            .map_err(|cause| StoreError::new("write", store.path(FILE), cause))?;
        self.lines_in_file += std::mem::take(&mut self.unwritten);
        self.unsynced = true;
        Ok(())
    }

    fn rewrite(&mut self, store: &Store) -> Result<(), StoreError> {
        let text = text(self.entries.iter());
        store.write_bytes(FILE, text.as_bytes(), Durability::Synced)?;
        self.lines_in_file = self.entries.len();
        self.unwritten = 0;
        Ok(())
    }
}

fn text<'a>(entries: impl Iterator<Item = &'a Arc<str>>) -> String {
    let mut text = String::new();
    for entry in entries {
        text.push_str(entry);
        text.push('\n');
    }
    text
}

impl Store {
    /// Opens a file by its name, each time anew: it may have been replaced.
    fn appendable(&self, name: &str) -> Result<std::fs::File, StoreError> {
        let path = self.path(name);
        let open = || -> io::Result<std::fs::File> {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&path)
        };
        open().map_err(|cause| StoreError::new("open", path.clone(), cause))
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
        with_capacity(dir, 10_000)
    }

    fn with_capacity(dir: &tempfile::TempDir, audit_capacity: u32) -> Audit {
        let store = Store::open(dir.path()).unwrap();
        let clock = Clock::open(store.clone(), &FlawSet::none()).unwrap();
        let policy = Policy {
            audit_capacity,
            ..Policy::default()
        };
        let alerts = Arc::default();
        Audit::open(store, FlawSet::none(), Arc::new(clock), alerts, &policy).unwrap()
    }

    fn kinds(audit: &Audit) -> Vec<String> {
        let kind = |line: &Arc<str>| json(line)["type"].as_str().unwrap().to_owned();
        audit.last(usize::MAX).iter().map(kind).collect()
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
        const CAPACITY: usize = 100;
        let audit = with_capacity(&dir, CAPACITY as u32);
        for _ in 0..2 * CAPACITY + 5 {
            audit.record(event(""));
        }
        let kept = audit.last(usize::MAX);
        assert_eq!(kept.len(), CAPACITY);
        // One entry more: the warning that the log is nearly full.
        assert_eq!(id(&kept[0]), Some(CAPACITY as u64 + 7));
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

    #[test]
    fn a_nearly_full_log_warns_once_until_it_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let audit = with_capacity(&dir, 40);
        let warnings = || {
            let kinds = kinds(&audit);
            kinds
                .iter()
                .filter(|kind| *kind == "log_nearly_full")
                .count()
        };
        for _ in 0..35 {
            audit.record(event(""));
        }
        assert_eq!(warnings(), 0);
        audit.record(event(""));
        audit.record(event(""));
        assert_eq!(warnings(), 1);
        audit.clear().unwrap();
        for _ in 0..36 {
            audit.record(event(""));
        }
        assert_eq!(warnings(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(&dir);
        audit.record(event("before"));
        let (file, away) = (dir.path().join(FILE), dir.path().join("away"));
        std::fs::rename(&file, &away).unwrap();
        std::fs::create_dir(&file).unwrap();
        audit.record(event("meanwhile"));
        assert!(audit.is_failing() && audit.clear().is_err());
        std::fs::remove_dir(&file).unwrap();
        std::fs::rename(&away, &file).unwrap();
        audit.sync();
        let expected = ["login", "login", "log_failed", "log_written_again"];
        assert_eq!(kinds(&audit), expected);
        drop(audit);
        assert_eq!(kinds(&open(&dir)), expected);
    }
}
