//! What is sent to the device as one input, and where it came from.

use std::sync::Arc;
use std::time::Duration;

use super::history::step::Step;

/// One thing done on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The bench's account comes in, unless it has on this connection. Inputs hold no secret.
    Login,
    /// Bytes, in one segment.
    Send(Vec<u8>),
    /// Nothing, for a while.
    Pause(Duration),
    /// A request of the device's that begins so is waited for; what comes before it is answered rightly.
    Asked(Vec<u8>),
    /// The bench's side is closed; the device's answers can still come.
    Shut,
    /// The connection is reset, and nobody is let in until the input is over.
    Tear,
    /// A step of a history.
    Step(Step),
}

/// One input: what is done on one connection, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is, in the protocol's words: `FC 16, a byte count that lies`. The same for all inputs of a kind.
    pub label: String,
    /// Whether it begins on a connection of its own, and not on the one that the last input left open.
    pub anew: bool,
    /// What is done.
    pub acts: Vec<Act>,
}

impl Input {
    /// Bytes in one segment on the connection that is open.
    pub fn of(label: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            label: label.into(),
            anew: false,
            acts: vec![Act::Send(bytes)],
        }
    }

    /// What its variations are.
    pub fn varied_label(&self) -> String {
        const OF: &str = "a variation of ";
        format!("{OF}{}", self.label.trim_start_matches(OF))
    }

    /// The bytes of all its segments.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for act in &self.acts {
            if let Act::Send(segment) = act {
                bytes.extend_from_slice(segment);
            }
        }
        bytes
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        let sizes = self.acts.iter().map(|act| match act {
            Act::Send(bytes) => bytes.len(),
            Act::Login | Act::Pause(_) | Act::Asked(_) | Act::Shut | Act::Tear | Act::Step(_) => 0,
        });
        sizes.sum()
    }
}

/// What makes an input again: the place in its suite's stream, and the input that it is a variation of.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The place.
    pub index: u64,
    /// An earlier input that brought something new about.
    pub base: Option<Arc<Input>>,
}

/// An input with its origin.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The input.
    pub input: Input,
    /// What makes it again.
    pub origin: Origin,
}
