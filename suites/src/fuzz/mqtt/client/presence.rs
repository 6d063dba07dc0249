//! The device as it comes: a right CONNECT, what it asks for, and whether it answers.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use slcert_rigs::Secret;
use slcert_rigs::bench::Visitors;
use slcert_rigs::mqtt::Raw;
use slcert_rigs::mqtt::serve::connect;
use slcert_rigs::mqtt::wire::Version;
use slcert_rigs::rig::Server;
use tokio::time::Instant;

use super::connection::{Heard, Here, Known, Sentinel};
use super::grammar::Step;
use super::order::Order;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::mqtt::reading::{self, Packet};
use crate::fuzz::pace::Pace;
use crate::fuzz::returns::Returns;
use crate::modbus::hex;

/// The time that an answer is waited for: the device's usual time so many times, and more.
const ANSWER: (u32, Duration) = (20, Duration::from_millis(100));
/// The same before anything is known of the device's pace.
const AT_FIRST: Duration = Duration::from_millis(800);
/// How long a device is listened to that nothing more is owed by.
pub(super) const LISTEN: Duration = Duration::from_millis(30);
/// Packet identifiers of the bench's own are from here on.
const OWN_IDS: u16 = 0xE000;

const LEAVES: &str = "the device leaves though it is answered rightly";

/// A device that comes to a broker of the bench's.
pub struct Client<'b> {
    /// The name of the server that it comes to.
    pub(super) name: &'b str,
    pub(super) server: &'b Server,
    pub(super) version: Version,
    /// What the device shows; none where it shows no password.
    pub(super) password: Option<Secret>,
    pub(super) visitors: Visitors,
    /// The connection that it is on: a client has one at a time.
    pub(super) here: tokio::sync::Mutex<Option<Here>>,
    pub(super) known: Mutex<Known>,
    pub(super) ids: AtomicU16,
    pub(super) pace: Pace,
    /// How long it takes until it comes again.
    pub(super) returns: Returns,
    pub(super) order: Option<Order<'b>>,
}

impl Client<'_> {
    pub(super) fn limit(&self) -> Duration {
        let (times, more) = ANSWER;
        self.pace.limit(times, more).unwrap_or(AT_FIRST)
    }

    pub(super) fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sentinel(&self) -> Sentinel {
        self.known().sentinel.unwrap_or(Sentinel::Nothing)
    }

    /// A packet identifier that is not in these bytes.
    pub(super) fn id(&self, bytes: &[u8]) -> u16 {
        loop {
            let next = self.ids.fetch_add(1, Ordering::Relaxed) & 0x0FFF;
            let id = OWN_IDS | next;
            if memchr::memmem::find(bytes, &id.to_be_bytes()).is_none() {
                return id;
            }
        }
    }

    /// Waits until the device comes with a right CONNECT, and says when it came.
    pub(super) async fn comes(&self, limit: Duration) -> Result<(Here, Instant), String> {
        let deadline = Instant::now() + limit;
        loop {
            let wait = deadline.saturating_duration_since(Instant::now());
            let visitor = self.visitors.next(wait).await;
            let visitor = visitor.ok_or_else(|| {
                format!("the device does not come within {} ms", limit.as_millis())
            })?;
            let mut raw = Raw::new(visitor.line);
            // One that was left behind by a power cycle says nothing more.
            let Ok(Some(bytes)) = raw.receive(self.limit().max(AT_FIRST)).await else {
                continue;
            };
            let came = connect(&bytes).map_err(|why| format!("{why}: {}", shown(&bytes)))?;
            if came.level != self.version.level() {
                return Err(format!("a CONNECT of protocol level {}", came.level));
            }
            let password = self.password.as_ref().map(|it| it.reveal().as_bytes());
            if came.user != self.server.user || came.password.as_deref() != password {
                return Err(
                    "a CONNECT without the user name and the password of the rig file".into(),
                );
            }
            return Ok((Here::new(raw, bytes, self.version), visitor.came));
        }
    }

    /// Answers rightly up to a step. Silence is what comes of a device that asks for nothing, and did before.
    pub(super) async fn up_to(
        &self,
        here: &mut Here,
        step: Step,
        came: &mut Vec<Vec<u8>>,
    ) -> Heard {
        let mut worst = Heard::Answer;
        while here.step < step {
            let asks = self.known().asks;
            let limit = self.limit().max(AT_FIRST);
            match here.advance(asks, limit, came).await {
                Heard::Answer => {}
                Heard::Silence => worst = Heard::Silence,
                Heard::Ended => return Heard::Ended,
            }
        }
        worst
    }

    /// Finds out what the device asks for and answers, on connections on which nothing wrong was sent.
    pub(super) async fn find_out(&self, limit: Duration) -> Result<Here, String> {
        let mut known = Known::default();
        for sentinel in [Sentinel::PubRel, Sentinel::Publish, Sentinel::Nothing] {
            let (mut here, _) = self.comes(limit).await?;
            let mut came = Vec::new();
            let asks = here.advance(true, AT_FIRST, &mut came).await;
            known.asks |= asks == Heard::Answer;
            here.advance(false, AT_FIRST, &mut came).await;
            let id = self.id(&[]);
            if here.ask(sentinel, id, AT_FIRST, &mut came).await == Heard::Answer {
                known.sentinel = Some(sentinel);
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
                return Ok(here);
            }
        }
        Err(LEAVES.to_owned())
    }

    /// Whether the device is there on this connection, or on a new one.
    pub(super) async fn is_there(&self, here: &mut Here) -> Result<(), String> {
        let mut came = Vec::new();
        let sentinel = self.sentinel();
        let limit = match sentinel {
            Sentinel::Nothing => LISTEN,
            _ => self.limit().max(AT_FIRST),
        };
        match self.up_to(here, Step::Session, &mut came).await {
            Heard::Answer => {}
            Heard::Ended => return Err(LEAVES.to_owned()),
            Heard::Silence => {
                return Err("the device does not ask for what it asked for before".into());
            }
        }
        match here.ask(sentinel, self.id(&[]), limit, &mut came).await {
            Heard::Answer => match self.illegal(&came) {
                Some(found) => Err(format!("{}: {}", found.what, found.seen)),
                None => Ok(()),
            },
            Heard::Ended => Err(LEAVES.to_owned()),
            Heard::Silence => Err("the device does not answer what it answered before".to_owned()),
        }
    }

    /// What the device says that no client may.
    pub(super) fn illegal(&self, came: &[Vec<u8>]) -> Option<Finding> {
        came.iter().find_map(|bytes| {
            let (packets, _) = reading::read(bytes, self.version);
            packets.iter().find_map(|packet| match packet {
                Packet::Breach(statement) => Some(Finding::new(
                    Oracle::Grammar,
                    format!("the device sends {statement}"),
                    shown(bytes),
                )),
                _ => None,
            })
        })
    }

    /// Orders a value as the device takes it.
    pub(super) async fn put_back(
        &self,
        here: Option<Here>,
        order: &Order<'_>,
        value: &str,
    ) -> Option<Here> {
        let mut here = match here {
            Some(here) => here,
            None => self.comes(self.returns.limit()).await.ok()?.0,
        };
        let mut came = Vec::new();
        if self.up_to(&mut here, Step::Session, &mut came).await == Heard::Answer
            && let Some(right) = order.right(value, self.id(&[]), self.version)
        {
            here.send(&right).await;
        }
        // It was taken where the device answers what comes behind it.
        self.is_there(&mut here).await.ok().map(|()| here)
    }
}

/// Bytes of the device's, without a CONNECT's, which hold its password.
pub(super) fn shown(bytes: &[u8]) -> String {
    match bytes.first() {
        Some(first) if first >> 4 == 1 => "10 ...".to_owned(),
        _ => hex(bytes),
    }
}
