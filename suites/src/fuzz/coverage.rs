//! What the device did with the inputs: coverage that can be had from outside.

use std::collections::BTreeMap;

/// The most kinds of answers that are told apart; a device may make up any number.
const MAX_KINDS: usize = 2000;

/// What one input brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The kinds of answers: `FC 3 exception 2`, `closed`.
    pub kinds: Vec<String>,
    /// Whether the device read it as a message of the protocol, and did not just drop it.
    pub parsed: bool,
}

/// What all inputs brought about.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    kinds: BTreeMap<String, u64>,
    inputs: u64,
    parsed: u64,
}

impl Coverage {
    /// Counts an input; whether it brought about something new.
    pub fn count(&mut self, seen: &Seen) -> bool {
        self.inputs += 1;
        self.parsed += u64::from(seen.parsed);
        let mut new = false;
        for kind in &seen.kinds {
            if let Some(count) = self.kinds.get_mut(kind) {
                *count += 1;
            } else if self.kinds.len() < MAX_KINDS {
                self.kinds.insert(kind.clone(), 1);
                new = true;
            }
        }
        new
    }

    /// How many inputs were counted.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// How many of them the device read as messages.
    pub fn parsed(&self) -> u64 {
        self.parsed
    }

    /// The kinds of answers, and how often each came.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, u64)> {
        self.kinds
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
    }

    /// In words, for a report.
    pub fn words(&self) -> String {
        let share = (self.parsed * 100).checked_div(self.inputs).unwrap_or(0);
        format!(
            "{} inputs, {share} % read as messages, {} kinds of answers",
            self.inputs,
            self.kinds.len()
        )
    }
}
