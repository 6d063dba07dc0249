//! The six verdicts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a check, a trial or a requirement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Every check met its criterion and the essential functions held.
    #[serde(rename = "PASS")]
    Pass,
    /// A criterion was broken, or an essential function went bad because of the stimulus.
    #[serde(rename = "FAIL")]
    Fail,
    /// The stimulus could not be delivered, a precondition was not reached, or the bench failed.
    #[serde(rename = "INCONCLUSIVE")]
    Inconclusive,
    /// The capability is declared absent and a probe agrees.
    #[serde(rename = "NOT APPLICABLE")]
    NotApplicable,
    /// Outside the claim, or the rig cannot drive it.
    #[serde(rename = "NOT EVALUATED")]
    NotEvaluated,
    /// Documents or a person are needed.
    #[serde(rename = "REVIEW")]
    Review,
}

impl Verdict {
    /// All six, worst first.
    pub const WORST_FIRST: [Self; 6] = [
        Self::Fail,
        Self::Inconclusive,
        Self::Review,
        Self::NotEvaluated,
        Self::Pass,
        Self::NotApplicable,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::NotApplicable => "NOT APPLICABLE",
            Self::NotEvaluated => "NOT EVALUATED",
            Self::Review => "REVIEW",
        }
    }

    /// The worst of several; none of none. PASS is worse than NOT APPLICABLE: what was tested says more than
    /// what is absent.
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Option<Self> {
        verdicts.into_iter().min_by_key(|verdict| verdict.place())
    }

    /// Whether a requirement with this verdict is met.
    pub fn is_met(self) -> bool {
        matches!(self, Self::Pass | Self::NotApplicable)
    }

    /// Whether this one is worse than another.
    pub fn is_worse_than(self, other: Self) -> bool {
        self.place() < other.place()
    }

    /// Its place in [`Self::WORST_FIRST`].
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Fail => 0,
            Self::Inconclusive => 1,
            Self::Review => 2,
            Self::NotEvaluated => 3,
            Self::Pass => 4,
            Self::NotApplicable => 5,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_wins() {
        for (at, worse) in Verdict::WORST_FIRST.into_iter().enumerate() {
            assert_eq!(worse.place(), at);
            for better in Verdict::WORST_FIRST.into_iter().skip(at) {
                assert_eq!(Verdict::worst([better, worse]), Some(worse));
                assert_eq!(Verdict::worst([worse, better]), Some(worse));
            }
        }
        assert_eq!(Verdict::worst([]), None);
    }

    #[test]
    fn only_pass_and_not_applicable_are_met() {
        let met = Verdict::WORST_FIRST.into_iter().filter(|one| one.is_met());
        assert_eq!(met.count(), 2);
        assert!(Verdict::Pass.is_met() && Verdict::NotApplicable.is_met());
    }

    #[test]
    fn a_verdict_is_written_in_files_as_it_is_displayed() {
        for verdict in Verdict::WORST_FIRST {
            let text = serde_json::to_string(&verdict).unwrap();
            assert_eq!(text, format!("\"{verdict}\""));
            assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
        }
    }
}
