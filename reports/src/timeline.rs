//! What happened when in a trial: what was sent, and how the essential functions bore it. Bounded, for a card of the report;
//! every reading is in the evidence.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most steps of a timeline.
pub const MOST_STEPS: usize = 200;

/// A trial, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineRecord {
    /// How long a step is, in microseconds.
    pub step_us: u64,
    /// How many steps there are.
    pub steps: usize,
    /// How often something was sent over each line; a line on which nothing was is not there.
    pub sent: Vec<SentRecord>,
    /// How each essential function bore it.
    pub functions: Vec<FunctionRecord>,
    /// What the bench did beside: power, and when the device might pause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<RemarkRecord>,
}

impl TimelineRecord {
    /// Whether every series has a value for each step, and there are not too many of them.
    pub fn is_whole(&self) -> bool {
        let sent = self.sent.iter().map(|one| &one.count);
        let longest = self.functions.iter().map(|one| &one.longest_ms);
        let farthest = self
            .functions
            .iter()
            .filter_map(|one| one.farthest.as_ref());
        let mut all = sent.chain(longest).chain(farthest);
        self.steps <= MOST_STEPS && all.all(|series| series.0.len() == self.steps)
    }

    /// Whether nothing happened in it.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.remarks.is_empty()
    }
}

/// What was sent over a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentRecord {
    /// The line.
    pub line: String,
    /// How often in each step.
    pub count: Series,
}

/// An essential function during a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionRecord {
    /// The function.
    pub function: String,
    /// How long it may go without a right reading, in milliseconds.
    pub allowed_ms: u64,
    /// The longest time without a right reading in each step, in milliseconds.
    pub longest_ms: Series,
    /// How far a reading may be from the value that it has to stay near; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<u64>,
    /// How far the farthest reading was in each step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub farthest: Option<Series>,
}

/// A remark of the bench.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemarkRecord {
    /// When, in milliseconds since the trial began.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

/// A value for each step, none where nothing was expected or seen. In JSON one text with a blank between values and `-` for
/// none: a list would take a line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series(pub Vec<Option<u64>>);

impl Series {
    /// The greatest value.
    pub fn most(&self) -> Option<u64> {
        self.0.iter().flatten().copied().max()
    }
}

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = self.0.iter().map(|value| match value {
            Some(value) => value.to_string(),
            None => "-".to_owned(),
        });
        serializer.serialize_str(&words.collect::<Vec<_>>().join(" "))
    }
}

impl<'de> Deserialize<'de> for Series {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = text.split(' ').filter(|_| !text.is_empty());
        let values = words.map(|word| match word {
            "-" => Ok(None),
            // `parse` would take a sign.
            _ if word.bytes().all(|byte| byte.is_ascii_digit()) => {
                word.parse().map(Some).map_err(drop)
            }
            _ => Err(()),
        });
        let values = values.collect::<Result<Vec<_>, ()>>();
        let values = values.map_err(|()| serde::de::Error::custom("a value is no number"))?;
        Ok(Self(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_one_text() {
        let series = Series(vec![Some(31), None, Some(0)]);
        let text = serde_json::to_string(&series).unwrap();
        assert_eq!(text, "\"31 - 0\"");
        assert_eq!(serde_json::from_str::<Series>(&text).unwrap(), series);
        assert_eq!(
            serde_json::from_str::<Series>("\"\"").unwrap(),
            Series::default()
        );
        for odd in [
            "\"1  2\"",
            "\" \"",
            "\"+1\"",
            "\"-1\"",
            "\"99999999999999999999\"",
            "[1]",
        ] {
            assert!(serde_json::from_str::<Series>(odd).is_err(), "{odd}");
        }
    }
}
