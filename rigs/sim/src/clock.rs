//! The device's clock: it runs through a power cut, and follows a time server (RFC 5905, as a client of SNTP).
//!
//! The machine's own clock stands for the crystal; the device keeps how far it is off.

use std::net::UdpSocket;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{Category, Event, Source};
use crate::controller::Controller;
use crate::flaw::{Defect, FlawSet};
use crate::store::{Durability, Store, StoreError};

const FILE: &str = "clock.json";
/// The largest step that a time server is believed, in milliseconds.
const PLAUSIBLE: i64 = 3_600_000;
/// What the clock may be off before it is set, in milliseconds.
const CLOSE: i64 = 20;
/// How often the time server is asked.
pub(crate) const POLL: Duration = Duration::from_millis(100);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_millis(300);
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: i64 = 2_208_988_800;
/// When the flaw `clock-resets` begins after a power cut: 2026-01-01.
const BUILT: i64 = 1_767_225_600_000;

#[derive(Debug)]
pub(crate) struct Clock {
    offset: AtomicI64,
    store: Store,
    server: Mutex<Server>,
}

/// What is known of the time server.
#[derive(Debug, Default)]
struct Server {
    /// Its time is not believed, and that was said.
    rejected: bool,
    /// It was followed once.
    followed: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Kept {
    offset_ms: i64,
}

impl Clock {
    pub(crate) fn open(store: Store, flaws: &FlawSet) -> Result<Self, StoreError> {
        let kept: Option<Kept> = store.read(FILE)?;
        let mut offset = kept.map_or(0, |kept| kept.offset_ms);
        if kept.is_some() && flaws.enabled(Defect::ClockResets) {
            offset = BUILT - Timestamp::now().as_millisecond();
        }
        store.write(FILE, &Kept { offset_ms: offset }, Durability::Synced)?;
        Ok(Self {
            offset: AtomicI64::new(offset),
            store,
            server: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let off = jiff::SignedDuration::from_millis(self.offset.load(Relaxed));
        now.checked_add(off).unwrap_or(now)
    }

    /// Moves the clock by so many milliseconds, on disk before in memory.
    pub(crate) fn step(&self, by: i64) -> Result<(), StoreError> {
        let offset_ms = self.offset.load(Relaxed).saturating_add(by);
        self.store
            .write(FILE, &Kept { offset_ms }, Durability::Written)?;
        self.offset.store(offset_ms, Relaxed);
        Ok(())
    }

    /// Sets the clock.
    pub(crate) fn set(&self, time: Timestamp) -> Result<(), StoreError> {
        self.step(time.as_millisecond() - self.now().as_millisecond())
    }

    /// Forgets what was known of the time server: there is another one.
    pub(crate) fn new_server(&self) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Server::default();
    }
}

impl Controller {
    /// Asks the time server once, and follows it; for a thread that may wait.
    pub(crate) fn follow_time(&self) {
        let source = self.policy().time_source;
        if source == "none" {
            return;
        }
        let Some(off) = ask(&self.clock, &source) else {
            return;
        };
        let mut server = self
            .clock
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Who set another server meanwhile has no use for this one's time.
        if self.policy().time_source != source || off.abs() <= CLOSE {
            return;
        }
        let ignored = self.flaws.enabled(Defect::TimeServerIgnored)
            || server.followed && self.flaws.enabled(Defect::TimeServerOnce);
        if ignored {
            return;
        }
        let detail = format!("{source} is off by {off} ms");
        let event = |kind, success| Event {
            source: Source::Device,
            category: Category::System,
            kind,
            user: "",
            success,
            detail: &detail,
        };
        if off.abs() > PLAUSIBLE && !self.flaws.enabled(Defect::ImplausibleTimeTaken) {
            let said = std::mem::replace(&mut server.rejected, true);
            if !said && !self.flaws.enabled(Defect::ImplausibleTimeUnlogged) {
                self.audit.record(event("time_rejected", false));
            }
            return;
        }
        server.rejected = false;
        server.followed = true;
        if self.clock.step(off).is_ok() {
            self.audit.record(event("time_set", true));
        }
    }
}

/// How far the clock is behind the server's, in milliseconds; `None` when no answer came that is one.
fn ask(clock: &Clock, server: &str) -> Option<i64> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.set_read_timeout(Some(ANSWER)).ok()?;
    socket.connect(server).ok()?;
    let mut request = [0; 48];
    // Leap indicator 0, version 4, mode 3: a client.
    request[0] = 0x23;
    let sent = clock.now().as_millisecond();
    request[40..].copy_from_slice(&ntp(sent).to_be_bytes());
    socket.send(&request).ok()?;
    let mut answer = [0; 128];
    let length = socket.recv(&mut answer).ok()?;
    let came = clock.now().as_millisecond();
    let answer = answer.get(..length).filter(|answer| answer.len() >= 48)?;
    let synchronised = answer[0] >> 6 != 3 && answer[0] & 7 == 4 && (1..16).contains(&answer[1]);
    // The origin has to be what was sent: an answer to nobody's question is a forged one.
    if !synchronised || answer[24..32] != request[40..] {
        return None;
    }
    let stamp = |at: usize| {
        Some(millis(u64::from_be_bytes(
            answer[at..at + 8].try_into().ok()?,
        )))
    };
    let (received, answered) = (stamp(32)?, stamp(40)?);
    Some(((received - sent) + (answered - came)) / 2)
}

fn ntp(millis: i64) -> u64 {
    let seconds = (millis.div_euclid(1000) + NTP_EPOCH) as u64;
    let fraction = ((millis.rem_euclid(1000) as u64) << 32) / 1000;
    (seconds << 32) | fraction
}

fn millis(ntp: u64) -> i64 {
    let seconds = (ntp >> 32) as i64 - NTP_EPOCH;
    seconds * 1000 + (((ntp & 0xFFFF_FFFF) * 1000 + (1 << 31)) >> 32) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_ntp_is_read_as_it_was_written() {
        for time in [0, 1, 999, BUILT + 123] {
            assert_eq!(millis(ntp(time)), time);
        }
        assert_eq!(ntp(0) >> 32, 2_208_988_800);
    }

    #[test]
    fn the_clock_keeps_what_it_is_off() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Clock::open(Store::open(dir.path()).unwrap(), &FlawSet::none()).unwrap();
        open().step(90_000).unwrap();
        let ahead = open().now().as_millisecond() - Timestamp::now().as_millisecond();
        assert!((89_900..90_100).contains(&ahead), "{ahead}");
    }
}
