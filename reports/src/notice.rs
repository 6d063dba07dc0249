//! What a program that runs slcert is told: `slcert run --format jsonl` a line each, `--format json` one document at the
//! end. It is made from the events of the journal and from the record, and like every view it has a device's words as
//! text alone.

use serde::Serialize;
use serde_json::{Map, Value, json};
use slcert_profiles::{RequirementId, SlVector};

use crate::assess::{Assessment, Counts};
use crate::escape::{one_line, shorten};
use crate::journal::Event;
use crate::record::{Record, TrialRecord};
use crate::selftest::When;
use crate::verdict::Verdict;

/// The version of the lines. A new field is no new version; one that goes, or means something else, is.
pub const EVENTS: &str = "slcert-events/1";
/// The version of the document.
pub const RUN: &str = "slcert-run/1";

/// The longest text in one place.
const LONGEST: usize = 1000;

/// One thing that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    /// The campaign began, or goes on.
    CampaignStarted(Started),
    /// The bench has tested itself.
    SelfTested {
        /// Before the trials or after them.
        when: When,
        /// Why it judges nothing.
        fault: Option<String>,
        /// What the device says that its firmware is.
        firmware: Option<String>,
    },
    /// A trial began.
    TrialStarted {
        /// Its id.
        trial: String,
    },
    /// A trial ended, and is recorded.
    TrialFinished(Box<Ended>),
    /// A person has answered what a trial asked for.
    Answered {
        /// The requirements that the answer is about, each with what it came to.
        outcomes: Vec<Outcome>,
    },
    /// The campaign ended.
    CampaignFinished(Box<Finished>),
}

/// What a person found for a requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    requirement: RequirementId,
    outcome: Verdict,
}

/// What is fixed before a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Started {
    campaign: String,
    folder: String,
    slcert: String,
    seed: u64,
    profile: String,
    rig: String,
    device: String,
    claimed: [u8; 7],
    /// How many trials the plan has, and how many of them were run before: a campaign that goes on has some.
    planned: usize,
    run_before: usize,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    trial: String,
    title: String,
    requirements: Vec<RequirementId>,
    interface: Option<String>,
    verdict: Verdict,
    reason: String,
    started: jiff::Timestamp,
    duration_ms: u64,
    evidence: Vec<String>,
}

/// What came of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finished {
    campaign: String,
    folder: String,
    interrupted: bool,
    /// The verdicts of the rows that the claim asks for, and those of the trials, by their words.
    rows: Map<String, Value>,
    trials: Map<String, Value>,
    not_run: usize,
    claimed: [u8; 7],
    demonstrated: [u8; 7],
    demonstrated_and_reviewed: [u8; 7],
    /// Whether every report was written.
    reported: bool,
    exit_code: u8,
}

impl Started {
    /// Of a campaign in a folder.
    pub fn of(record: &Record, folder: &str) -> Self {
        let dut = &record.dut;
        Self {
            campaign: line(&record.campaign),
            folder: line(folder),
            slcert: line(&record.slcert),
            seed: record.seed,
            profile: line(&format!("{} {}", record.profile.id, record.profile.version)),
            rig: line(&record.rig.file),
            device: line(&format!(
                "{} {}, firmware {}",
                dut.vendor, dut.product, dut.firmware
            )),
            claimed: record.claim,
            planned: record.planned.len(),
            run_before: record.trials.len(),
        }
    }
}

impl Ended {
    fn of(trial: &TrialRecord) -> Self {
        Self {
            trial: line(&trial.id),
            title: line(&trial.title),
            requirements: trial.requirements.clone(),
            interface: trial.interface.as_deref().map(line),
            verdict: trial.verdict,
            reason: line(&trial.reason),
            started: trial.started,
            duration_ms: trial.duration_ms,
            evidence: trial.evidence.iter().map(|file| line(&file.path)).collect(),
        }
    }
}

impl Finished {
    /// Of a campaign in a folder, with the exit code that it ends with.
    pub fn of(
        record: &Record,
        assessment: &Assessment,
        folder: &str,
        reported: bool,
        exit_code: u8,
    ) -> Self {
        let levels = |vector: SlVector| vector.0.map(|level| level.get());
        Self {
            campaign: line(&record.campaign),
            folder: line(folder),
            interrupted: record.interrupted,
            rows: by_word(&assessment.counts),
            trials: by_word(&assessment.trial_counts),
            not_run: record.not_run().count(),
            claimed: levels(assessment.claimed),
            demonstrated: levels(assessment.demonstrated),
            demonstrated_and_reviewed: levels(assessment.reviewed),
            reported,
            exit_code,
        }
    }
}

impl Notice {
    /// What is told of an event of the journal. The campaign's own begin and end are told by whoever knows its folder.
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::TrialStarted { id } => Some(Self::TrialStarted { trial: line(id) }),
            Event::TrialFinished(trial) => Some(Self::TrialFinished(Box::new(Ended::of(trial)))),
            Event::Answered { attestations } => Some(Self::Answered {
                outcomes: attestations
                    .iter()
                    .map(|one| Outcome {
                        requirement: one.requirement,
                        outcome: one.outcome,
                    })
                    .collect(),
            }),
            Event::SelfTested(test) => Some(Self::SelfTested {
                when: test.when,
                fault: test.fault().as_deref().map(line),
                firmware: test.firmware.as_ref().map(|one| line(&one.told)),
            }),
            Event::CampaignStarted { .. }
            | Event::CampaignResumed { .. }
            // What it came to is told at its end.
            | Event::TrialFound(_)
            | Event::CampaignFinished { .. } => None,
        }
    }

    /// The notice as a line, without its end.
    pub fn line(&self, time: jiff::Timestamp) -> String {
        let mut value = json!({ "schema": EVENTS, "time": time });
        if let (Some(value), Ok(Value::Object(own))) =
            (value.as_object_mut(), serde_json::to_value(self))
        {
            value.extend(own);
        }
        harmless(&value.to_string())
    }
}

/// A whole campaign as one document.
pub fn document(record: &Record, started: &Started, finished: &Finished) -> String {
    let trials: Vec<_> = record.trials.iter().map(Ended::of).collect();
    let document = json!({
        "schema": RUN,
        "started": started,
        "trials": trials,
        "finished": finished,
    });
    page(&document)
}

/// A document for programs, on lines of its own.
pub fn page(document: &Value) -> String {
    harmless(&format!("{document:#}\n"))
}

/// JSON in which no CI server finds a command of its own: they look for `##[` and the like anywhere in a line. Two of these
/// characters stand in strings alone, where one can be written another way.
fn harmless(json: &str) -> String {
    json.replace("##", "#\\u0023")
}

fn by_word(counts: &Counts) -> Map<String, Value> {
    let words = Verdict::WORST_FIRST.into_iter();
    words
        .map(|verdict| (verdict.word().to_owned(), counts.of(verdict).into()))
        .collect()
}

fn line(text: &str) -> String {
    shorten(&one_line(text), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::assess;
    use crate::example::{self, INJECTION, record};

    fn read(line: &str) -> Value {
        assert!(!line.contains('\n'), "{line:?}");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_trial_is_told_in_one_line() {
        let trial = record().trials.swap_remove(0);
        let told = Notice::of(&Event::TrialFinished(trial))
            .unwrap()
            .line(example::began());
        let told = read(&told);
        assert_eq!(told["schema"], EVENTS);
        assert_eq!(told["event"], "trial_finished");
        assert_eq!(told["trial"], "CR-1.11/lockout@console");
        assert_eq!(told["verdict"], "FAIL");
        assert_eq!(told["reason"], "7 attempts were taken, 5 are stated");
        assert_eq!(told["requirements"][0], "CR 1.11");
    }

    #[test]
    fn the_end_has_the_levels_and_the_exit_code() {
        let record = record();
        let finished = Finished::of(&record, &assess(&record), "c", true, 1);
        let told =
            read(&Notice::CampaignFinished(Box::new(finished.clone())).line(example::began()));
        assert_eq!(told["event"], "campaign_finished");
        assert_eq!(told["exit_code"], 1);
        assert_eq!(told["claimed"], json!([2, 1, 2, 1, 1, 1, 2]));
        assert_eq!(told["trials"]["FAIL"], 1);
        assert_eq!(told["not_run"], 1);
        let whole = document(&record, &Started::of(&record, "c"), &finished);
        let whole: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(whole["schema"], RUN);
        assert_eq!(whole["trials"].as_array().unwrap().len(), 9);
        assert_eq!(whole["finished"]["exit_code"], 1);
    }

    #[test]
    fn a_device_is_told_of_and_says_nothing_itself() {
        for words in [
            INJECTION,
            "a\n::error::x\n##[error]y ##vso[task.complete]z ##teamcity[x] \u{202e}",
        ] {
            let mut trial = example::trial("CR 1.11", "x", None, Verdict::Fail, words);
            trial.interface = Some(words.to_owned());
            let told = Notice::of(&Event::TrialFinished(trial))
                .unwrap()
                .line(example::began());
            assert!(!told.contains("##"), "{told}");
            assert!(!told.contains("]]>") && !told.contains("[[ATTACHMENT|"));
            assert!(!told.chars().any(char::is_control), "{told:?}");
            let told = read(&told);
            let reason = told["reason"].as_str().unwrap();
            assert!(!reason.contains('\u{202e}') && !reason.chars().any(char::is_control));
        }
    }
}
