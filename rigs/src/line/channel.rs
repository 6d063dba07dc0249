//! A connection as a recording knows it: which line, what goes over it, when it began and how it ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the bench to the device.
    Sent,
    /// From the device to the bench.
    Received,
    /// No bytes of the line: the bench's own remark.
    Note,
}

/// What protocol analysers take a connection for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TCP, to the port that analysers know its protocol by; the device's own port may be any.
    Tcp(u16),
    /// Modbus frames on a serial line.
    Rtu,
}

tokio::task_local! {
    /// Set in the tasks of the monitor: the connections that they open are told from those of trials.
    pub(crate) static WATCHING: ();
}

/// How one side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has no more to send.
    Orderly,
    /// It tore the connection.
    Torn,
}

/// One connection over a line.
#[derive(Debug)]
pub struct Channel {
    /// The line: the interface's name, and `.wire` behind it for what is under TLS.
    pub line: Arc<str>,
    /// What it is to analysers; none where there is nothing for them in it.
    pub carrier: Option<Carrier>,
    /// Its number: no two of a recorder are alike.
    pub number: u64,
    /// Whether it is the monitor's, and no part of what a trial does.
    pub watches: bool,
    /// When it was opened.
    pub opened: Instant,
    sent: Side,
    received: Side,
}

/// One way of a connection.
#[derive(Debug, Default)]
struct Side {
    /// How many bytes went over it.
    bytes: AtomicU64,
    ended: OnceLock<(Instant, Ending)>,
}

impl Channel {
    pub(super) fn new(line: &str, carrier: Option<Carrier>, number: u64) -> Self {
        let watches = WATCHING.try_with(|()| ()).is_ok();
        Self {
            line: Arc::from(line),
            carrier,
            number,
            watches,
            opened: Instant::now(),
            sent: Side::default(),
            received: Side::default(),
        }
    }

    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Received => &self.received,
            Direction::Sent | Direction::Note => &self.sent,
        }
    }

    /// Counts bytes; how many went before them.
    pub(super) fn count(&self, direction: Direction, bytes: usize) -> u64 {
        let side = self.side(direction);
        side.bytes.fetch_add(bytes as u64, Ordering::Relaxed)
    }

    /// How many bytes went one way.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.side(direction).bytes.load(Ordering::Relaxed)
    }

    /// Says that the side which sends this way has ended; the first word counts.
    pub(super) fn end(&self, direction: Direction, ending: Ending) {
        let _ = self.side(direction).ended.set((Instant::now(), ending));
    }

    /// When and how the side which sends this way has ended.
    pub fn ended(&self, direction: Direction) -> Option<(Instant, Ending)> {
        self.side(direction).ended.get().copied()
    }
}

/// Bytes on a line.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, since the recorder began; of a clock that only goes forward.
    pub at: Duration,
    /// The connection.
    pub channel: Arc<Channel>,
    /// Which way.
    pub direction: Direction,
    /// How many bytes went this way of the connection before.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Event {
    /// The line.
    pub fn line(&self) -> &str {
        &self.channel.line
    }
}
