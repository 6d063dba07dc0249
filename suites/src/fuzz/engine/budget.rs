//! How much a suite does.

use std::time::Duration;

/// How long all findings of a suite may take, with twice the time that inputs are sent for on top.
const ISOLATIONS: Duration = Duration::from_secs(60);
/// The time that is left to other suites, where one takes a part of a budget.
const LEFT: Duration = Duration::from_secs(1);

/// How much a suite does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long inputs are sent for; the time that isolation takes comes on top.
    pub time: Duration,
    /// The most inputs; any number where left out.
    pub inputs: Option<u64>,
    /// What makes every input the same again.
    pub seed: u64,
    /// Whether the suite ends at its first finding.
    pub first: bool,
}

impl Budget {
    /// The part of it that a suite takes which stands beside others of its kind: time is left to those.
    pub fn part(self) -> Self {
        Self {
            time: self.time.saturating_sub(LEFT).max(self.time / 2),
            ..self
        }
    }

    /// How long isolating all findings may take, beside the time that inputs are sent for.
    pub fn isolation(&self) -> Duration {
        ISOLATIONS + self.time * 2
    }
}
