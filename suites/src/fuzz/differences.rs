//! Where the device answers otherwise than a reference: oracle O7.
//!
//! A difference is no fault by itself, for two right devices may differ: nothing here decides a verdict. What differs is sent
//! again to both, on connections of their own and with more patience, before it is written down for a person to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use super::input::Input;
use super::reproducer::InputText;

/// How long a silence is waited for with patience, at the least.
pub const PATIENT: Duration = Duration::from_millis(500);
/// The most words of one answer that are kept.
const WORDS: usize = 6;
/// The most bytes of an example that are shown.
const EXAMPLE: usize = 4096;

/// What is compared of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// What was asked for is done.
    Done,
    /// It is refused.
    Refused,
    /// Nothing comes, and the connection goes on.
    Silence,
    /// The connection is ended.
    Ended,
}

impl Class {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Silence => "silence",
            Self::Ended => "the connection is ended",
        }
    }
}

/// What came of an input on a connection of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    classes: BTreeSet<Class>,
    /// What came in the protocol's words, for whoever looks at a difference.
    words: BTreeSet<String>,
}

impl Answer {
    /// Something came, in the protocol's words.
    pub fn add(&mut self, class: Class, words: impl Into<String>) {
        self.classes.insert(class);
        if self.words.len() < WORDS {
            self.words.insert(words.into());
        }
    }

    /// Nothing came, or not all that was waited for.
    pub fn silent(&mut self) {
        self.classes.insert(Class::Silence);
    }

    /// Whether nothing came, and the connection goes on.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The connection was ended.
    pub fn ended(&mut self) {
        self.classes.insert(Class::Ended);
    }
}

/// What comes of an input.
pub enum Comes {
    /// All has come.
    Now(Answer),
    /// A silence has to tell, on a connection on which nothing more is sent.
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl Comes {
    /// Waits for it.
    pub async fn answer(self) -> Answer {
        match self {
            Self::Now(answer) => answer,
            Self::Later(waits) => waits.await,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes: Vec<_> = self.classes.iter().map(|class| class.word()).collect();
        f.write_str(&classes.join(", "))?;
        if self.words.is_empty() {
            return Ok(());
        }
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        write!(f, ": {}", words.join(", "))
    }
}

/// A kind of input on which they differ, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    label: String,
    device: BTreeSet<Class>,
    reference: BTreeSet<Class>,
}

impl Kind {
    /// Whether there is a difference.
    pub fn differs(&self) -> bool {
        self.device != self.reference
    }

    /// Of what came on both sides.
    pub fn of(input: &Input, (device, reference): &(Answer, Answer)) -> Self {
        Self {
            label: input.label.clone(),
            device: device.classes.clone(),
            reference: reference.classes.clone(),
        }
    }

    /// Whether the device does what the reference does not.
    fn is_taken(&self) -> bool {
        self.device.contains(&Class::Done) && !self.reference.contains(&Class::Done)
    }
}

#[derive(Debug, Serialize)]
struct Difference {
    input: String,
    device: String,
    reference: String,
    /// How often it was seen.
    seen: u64,
    example: InputText,
}

/// What the differences from a reference came to.
#[derive(Debug, Default)]
pub struct Differences {
    pub(super) compared: u64,
    kinds: BTreeMap<Kind, Difference>,
    /// Differences beyond the kinds that are kept.
    pub(super) more: u64,
    /// Kinds that did not come about when the same was sent again.
    pub(super) passing: u64,
    /// Kinds that there was no time to send again.
    pub(super) left: usize,
    /// Why nothing more was compared.
    pub(super) ended: Option<String>,
}

impl Differences {
    /// Nothing can be compared.
    pub fn none(why: impl Into<String>) -> Self {
        Self {
            ended: Some(why.into()),
            ..Self::default()
        }
    }

    /// How many kinds there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.kinds.len()
    }

    /// In words, for a report.
    pub fn words(&self) -> String {
        let taken = self.kinds.keys().filter(|kind| kind.is_taken()).count();
        let kinds = match self.kinds.len() {
            0 => "no difference".to_owned(),
            kinds => format!(
                "{kinds} {} to be looked at by hand, {taken} of them taken by the device alone ({FILE})",
                if kinds == 1 {
                    "kind of difference"
                } else {
                    "kinds of differences"
                }
            ),
        };
        let mut words = format!(
            "{} inputs compared with the reference: {kinds}",
            self.compared
        );
        if self.more > 0 {
            words.push_str(&format!("; {} of more kinds were not kept", self.more));
        }
        if self.passing > 0 {
            words.push_str(&format!("; {} seen once and not again", self.passing));
        }
        if self.left > 0 {
            words.push_str(&format!("; no time to send {} again", self.left));
        }
        if let Some(why) = &self.ended {
            words.push_str(&format!("; nothing more was compared: {why}"));
        }
        words
    }

    /// The file that lists them; none where there are none.
    pub fn text(&self) -> Option<String> {
        #[derive(Serialize)]
        struct List<'l> {
            difference: Vec<&'l Difference>,
        }
        let head = "# Kinds of inputs to which the device answers otherwise than the reference. Two right devices may differ: a person has to look.\n";
        // What the device alone takes comes first.
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(kind, _)| !kind.is_taken());
        let difference: Vec<_> = kinds.into_iter().map(|(_, one)| one).collect();
        if difference.is_empty() {
            return None;
        }
        let list = toml::to_string(&List { difference }).ok()?;
        Some(format!("{head}{list}"))
    }

    /// Writes down what was seen so often.
    pub fn add(&mut self, input: &Input, both: &(Answer, Answer), seen: u64) {
        let (device, reference) = both;
        let example = match input.size() <= EXAMPLE {
            true => InputText::of(input, false),
            false => InputText::of(&Input::of(&input.label, Vec::new()), false),
        };
        let difference = Difference {
            input: input.label.clone(),
            device: device.to_string(),
            reference: reference.to_string(),
            seen,
            example,
        };
        self.kinds.insert(Kind::of(input, both), difference);
    }
}

/// The file that lists differences.
pub const FILE: &str = "differences.toml";
