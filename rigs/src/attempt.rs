//! What an attempt at an operation came to, whatever the interface.

/// The device's answer to one attempt, judged by the rig file's own patterns and by the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The device says that it did what was asked.
    Done(Answer),
    /// The device says that it refuses.
    Refused(Answer),
    /// Neither: the answer matches no pattern, or the protocol has no word for a refusal (an MQTT 3.1.1 PUBLISH). Only a
    /// read-back can tell what happened.
    Unclear(Answer),
}

impl Attempt {
    /// The answer, whichever way it went.
    pub fn answer(&self) -> &Answer {
        match self {
            Self::Done(answer) | Self::Refused(answer) | Self::Unclear(answer) => answer,
        }
    }

    /// Whether the device says that it did what was asked.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// Whether the device says that it refuses.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// What the device answered: the words as they came, and the value that the binding picks out of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The answer in full, as text; bytes that are not UTF-8 are replaced. Hostile: escape it before it goes anywhere.
    pub text: String,
    /// The value that the binding's `answer` pattern found, or the registers read, one number a register.
    pub value: Option<String>,
}

impl Answer {
    /// An answer with no value to pick out.
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            value: None,
        }
    }
}
