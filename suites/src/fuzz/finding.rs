//! What an oracle says of the device.

use std::fmt;

use tokio::time::Instant;

/// What judges: each finding names its oracle. O7 finds nothing wrong: see [`differences`](super::differences).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oracle {
    /// O1 and O10: a new connection is taken, also where the device serves a moment later, and where others were left idle, half open or
    /// inside a request until their client tore them.
    Connection,
    /// O2 and O10: a right request on a new connection is answered rightly, meanwhile and once all such connections are over: the last look
    /// at a device waits for that.
    Liveness,
    /// O3: it is answered as fast as it was before anything was sent.
    Slow,
    /// O4: every answer is one that the protocol allows for its request, and every legal request has one.
    Grammar,
    /// O5: what the protocol forbids is refused.
    Acceptance,
    /// O6: what is read back is what was written, the declared map is there, and what no order was given for stays.
    State,
    /// O8: the essential functions are right as often as the rig file says.
    Essential,
    /// O9: memory does not grow with the inputs.
    Leak,
    /// O10, beside what O1 and O2 say of it: the device rests while nobody asks it anything.
    Exhaustion,
    /// O11: no answer holds what was sent in another request, or on another connection, and no request of a client's what came in a
    /// wrong answer.
    Exposure,
    /// O12: the device does not restart.
    Restart,
    /// O13: how the bytes are cut into segments changes nothing.
    Segmentation,
    /// O14: what a model of the rig file's policy allows, and nothing else, comes about.
    Model,
}

impl Oracle {
    /// Its number and name, as reports and reproducers have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connection => "O1 connection",
            Self::Liveness => "O2 liveness",
            Self::Slow => "O3 slow",
            Self::Grammar => "O4 answer grammar",
            Self::Acceptance => "O5 acceptance",
            Self::State => "O6 state",
            Self::Essential => "O8 essential function",
            Self::Leak => "O9 leak",
            Self::Exhaustion => "O10 exhaustion",
            Self::Exposure => "O11 exposure",
            Self::Restart => "O12 restart",
            Self::Segmentation => "O13 segmentation",
            Self::Model => "O14 model",
        }
    }

    /// What it asks of the device.
    pub fn criterion(self) -> &'static str {
        match self {
            Self::Connection => "a new connection is taken",
            Self::Liveness => "a right request on a new connection is answered rightly",
            Self::Slow => "a right request is answered in its usual time",
            Self::Grammar => "the protocol allows the answer, and every legal request is answered",
            Self::Acceptance => "what the protocol forbids is refused",
            Self::State => "what is read back is what was written, where the device says it is",
            Self::Essential => "right as often as the rig file says",
            Self::Leak => "in the second half, memory does not grow by 8 MiB and go on growing",
            Self::Exhaustion => {
                "no thread wants a processor all the time, and four times as much as after a restart"
            }
            Self::Exposure => {
                "what the device sends holds nothing of another request, nor of a wrong answer"
            }
            Self::Restart => "the device does not restart",
            Self::Model => {
                "in no order of events comes anything about that the stated policy does not allow"
            }
            Self::Segmentation => "the answer is the same however the bytes are cut into segments",
        }
    }

    /// Whether what it finds belongs to all inputs together, so that there is none to isolate.
    pub fn is_of_all_inputs(self) -> bool {
        matches!(self, Self::Leak | Self::Exhaustion)
    }

    /// Whether it speaks of the device as a whole, which a power cycle may have to bring back, and not of one answer.
    pub fn is_about_the_device(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::Liveness
                | Self::Slow
                | Self::Essential
                | Self::Leak
                | Self::Exhaustion
                | Self::Restart
        )
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Something that an oracle says is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Who says so.
    pub oracle: Oracle,
    /// What is wrong, in words that are the same each time that it happens: `FC 3: more data than asked for`.
    pub what: String,
    /// What was seen this time. It may hold the device's words: whoever shows it escapes it.
    pub seen: String,
    /// Whether it rests on an answer that did not come in time, or on the silence that parts one frame from the next: a
    /// bench may be late, too.
    pub by_silence: bool,
    /// Whether it says something of the device only where the inputs bring it about again.
    pub to_confirm: bool,
    /// When it began, where that is known: what was sent later is not its cause.
    pub since: Option<Instant>,
}

impl Finding {
    /// A finding.
    pub fn new(oracle: Oracle, what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            oracle,
            what: what.into(),
            seen: seen.into(),
            by_silence: false,
            to_confirm: false,
            since: None,
        }
    }

    /// A finding that rests on an answer that did not come in time.
    pub fn by_silence(oracle: Oracle, what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            by_silence: true,
            ..Self::to_confirm(oracle, what, seen)
        }
    }

    /// A finding that may have another cause than the inputs, unless they bring it about again.
    pub fn to_confirm(oracle: Oracle, what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            to_confirm: true,
            ..Self::new(oracle, what, seen)
        }
    }

    /// Whether the same thing is wrong.
    pub fn is_like(&self, other: &Self) -> bool {
        self.oracle == other.oracle && self.what == other.what
            // A device that is down shows itself now as this, now as that.
            || self.oracle.is_about_the_device() && other.oracle.is_about_the_device()
                && !self.oracle.is_of_all_inputs() && !other.oracle.is_of_all_inputs()
    }
}
