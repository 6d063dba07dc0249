//! What a bench showed of itself before a campaign's trials and after them, and the firmware that it read then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::{CheckRecord, Record};
use crate::verdict::Verdict;

/// A self-test of the bench.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTestRecord {
    /// When it was made with regard to the trials. A campaign that goes on begins with another one.
    pub when: When,
    /// When it began.
    pub started: Timestamp,
    /// What was looked at: the clock, the lines, devices whose verdicts are known, room for evidence.
    pub checks: Vec<CheckRecord>,
    /// The firmware, as the device tells it; none where nothing tells it.
    pub firmware: Option<FirmwareRecord>,
}

/// When a self-test was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the trials. What fails then keeps them from judging anything.
    Before,
    /// After them.
    After,
}

impl When {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What a device says that its firmware is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirmwareRecord {
    /// The interface that it was asked on.
    pub interface: String,
    /// What it told, escaped.
    pub told: String,
    /// Whether the firmware that the rig file states is in it.
    pub as_stated: bool,
}

impl SelfTestRecord {
    /// Why the bench judges nothing; none where it is sound.
    pub fn fault(&self) -> Option<String> {
        let mut bad = self
            .checks
            .iter()
            .filter(|check| matches!(check.verdict, Verdict::Fail | Verdict::Inconclusive));
        let first = bad.next()?;
        let more = match bad.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!(
            "the bench failed its self-test: {}: expected {}, observed {}{more}",
            first.name, first.expected, first.observed
        ))
    }
}

impl Record {
    /// Why the bench could judge nothing in the end; none where its last self-test before trials was sound, or there is none.
    pub fn bench_fault(&self) -> Option<String> {
        let before = |test: &&SelfTestRecord| test.when == When::Before;
        self.selftest.iter().rfind(before)?.fault()
    }

    /// What a reader has to know of the firmware: that it is not what the rig file states, or not the same before and
    /// after the trials.
    pub fn firmware_notes(&self) -> Vec<String> {
        let told: Vec<_> = self
            .selftest
            .iter()
            .filter_map(|test| Some((test.when, test.firmware.as_ref()?)))
            .collect();
        let mut notes = Vec::new();
        if let Some((when, other)) = told.iter().find(|(_, one)| !one.as_stated) {
            notes.push(format!(
                "{} the trials the device told another firmware than the {} that the rig file states: {}",
                when.word(),
                self.dut.firmware,
                other.told
            ));
        }
        if let Some((_, first)) = told.first()
            && let Some((when, other)) = told.iter().find(|(_, one)| {
                one.as_stated != first.as_stated
                    || one.interface == first.interface && one.told != first.told
            })
        {
            notes.push(format!(
                "the firmware changed in the campaign: {} at its begin, {} {} the trials",
                first.told,
                other.told,
                when.word()
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn test(when: When, verdict: Verdict, told: &str, as_stated: bool) -> SelfTestRecord {
        SelfTestRecord {
            when,
            started: example::began(),
            checks: vec![CheckRecord {
                name: "the clock".to_owned(),
                expected: "goes on".to_owned(),
                observed: "went back".to_owned(),
                verdict,
            }],
            firmware: Some(FirmwareRecord {
                interface: "plc".to_owned(),
                told: told.to_owned(),
                as_stated,
            }),
        }
    }

    #[test]
    fn the_last_self_test_before_trials_counts() {
        let mut record = example::record();
        assert_eq!(record.bench_fault(), None);
        record.selftest = vec![test(When::Before, Verdict::Fail, "4.2.1", true)];
        let fault = record.bench_fault().unwrap();
        assert_eq!(
            fault,
            "the bench failed its self-test: the clock: expected goes on, observed went back"
        );
        record
            .selftest
            .push(test(When::Before, Verdict::Pass, "4.2.1", true));
        record
            .selftest
            .push(test(When::After, Verdict::Fail, "4.2.1", true));
        assert_eq!(record.bench_fault(), None);
        assert!(record.firmware_notes().is_empty());
    }

    #[test]
    fn another_firmware_and_a_changed_one_are_told() {
        let mut record = example::record();
        record.selftest = vec![
            test(When::Before, Verdict::Pass, "4.2.1", true),
            test(When::After, Verdict::Pass, "4.2.2", false),
        ];
        assert_eq!(
            record.firmware_notes(),
            [
                "after the trials the device told another firmware than the 4.2.1 that the rig file states: 4.2.2",
                "the firmware changed in the campaign: 4.2.1 at its begin, 4.2.2 after the trials"
            ]
        );
    }
}
