//! Reproducers: small files that bring a finding about again, readable by people and by `slcert replay`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::engine::Reported;
use super::history::step::Step;
use super::input::{Act, Input};

/// The version of the format.
const FORMAT: u32 = 1;
/// The most bytes of a file that are read.
const MAX_FILE: usize = 16 << 20;

/// A reproducer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reproducer {
    /// The version of the format.
    pub format: u32,
    /// The trial that found it: `CR-3.5/fuzz-modbus@field`.
    pub trial: String,
    /// The interface.
    pub interface: String,
    /// The oracle.
    pub oracle: String,
    /// What is wrong.
    pub what: String,
    /// What was seen.
    pub seen: String,
    /// What should be.
    pub criterion: String,
    /// What it depends on.
    pub cause: String,
    /// How often it came about of how many tries: `3 of 3`.
    pub confirmed: String,
    /// The seed of the campaign.
    pub seed: u64,
    /// What is sent, in order.
    #[serde(default, rename = "input", skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputText>,
    /// What is done instead, in order, where it is a history.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// An input in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputText {
    /// What it is.
    pub label: String,
    /// Whether it begins on a new connection.
    #[serde(default)]
    pub new_connection: bool,
    /// What is done.
    pub acts: Vec<ActText>,
}

/// An act in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ActText {
    /// The account of the suite comes in.
    Login(bool),
    /// Bytes, in hexadecimal.
    Send(String),
    /// Text as it is typed, with its control characters.
    Type(String),
    /// A pause, in milliseconds.
    PauseMs(u64),
    /// The beginning of the request of the device's that is answered, in hexadecimal. What is sent is as it would be to
    /// transaction 0.
    Asked(String),
    /// The bench's side is closed.
    Shut(bool),
    /// The connection is reset.
    Tear(bool),
}

/// Why a file is no reproducer.
#[derive(Debug, Error)]
pub enum ReproducerError {
    /// It is larger than any reproducer.
    #[error("it has more than {MAX_FILE} bytes: that is no reproducer")]
    TooLarge,
    /// It does not read as one.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// Another version of the format.
    #[error("its format is {0}, and this slcert reads {FORMAT}")]
    Format(u32),
    /// Bytes that are no hexadecimal digits.
    #[error("input {input}: `{text}` is not bytes in hexadecimal, such as `00 01 FF`")]
    Bytes {
        /// The number of the input, from 1.
        input: usize,
        /// The text.
        text: String,
    },
    /// Nothing would be sent.
    #[error("it has neither `[[input]]` nor `[[step]]`: there is nothing to send")]
    Empty,
}

impl Reproducer {
    /// Of a finding that was isolated; none where nothing brought it about again. What is typed is shown as text.
    pub fn of(
        reported: &Reported,
        trial: &str,
        interface: &str,
        seed: u64,
        typed: bool,
    ) -> Option<Self> {
        let isolated = &reported.isolated;
        if isolated.inputs.is_empty() {
            return None;
        }
        let mut steps: Vec<Step> = Vec::new();
        for one in &isolated.inputs {
            if !steps.is_empty() {
                steps.push(Step::PutBack);
            }
            steps.extend(one.input.steps().cloned());
        }
        let bytes = isolated.inputs.iter().filter(|_| steps.is_empty());
        let (confirmed, tries) = isolated.confirmed;
        let escaped = |text: &str| slcert_reports::excerpt(text, 400);
        Some(Self {
            format: FORMAT,
            trial: trial.to_owned(),
            interface: interface.to_owned(),
            oracle: isolated.finding.oracle.word().to_owned(),
            what: escaped(&isolated.finding.what),
            seen: escaped(&isolated.finding.seen),
            criterion: isolated.finding.oracle.criterion().to_owned(),
            cause: isolated.cause.word().to_owned(),
            confirmed: format!("{confirmed} of {tries}"),
            seed,
            inputs: bytes.map(|one| InputText::of(&one.input, typed)).collect(),
            steps,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ReproducerError`].
    pub fn read(text: &str) -> Result<Self, ReproducerError> {
        if text.len() > MAX_FILE {
            return Err(ReproducerError::TooLarge);
        }
        let read: Self = toml::from_str(text)?;
        if read.format != FORMAT {
            return Err(ReproducerError::Format(read.format));
        }
        if read.size() == 0 {
            return Err(ReproducerError::Empty);
        }
        read.inputs()?;
        Ok(read)
    }

    /// How many inputs or steps it has.
    pub fn size(&self) -> usize {
        let steps = self.steps.iter().filter(|step| **step != Step::PutBack);
        self.inputs.len() + steps.count()
    }

    /// What is sent.
    ///
    /// # Errors
    /// [`ReproducerError::Bytes`].
    pub fn inputs(&self) -> Result<Vec<Input>, ReproducerError> {
        if !self.steps.is_empty() {
            let histories = self.steps.split(|step| *step == Step::PutBack);
            let histories = histories.filter(|steps| !steps.is_empty());
            return Ok(histories
                .map(|steps| Input::history(&self.what, steps.to_vec()))
                .collect());
        }
        let numbered = self.inputs.iter().zip(1..);
        numbered.map(|(text, number)| text.input(number)).collect()
    }

    /// The file.
    ///
    /// # Errors
    /// It cannot be written as TOML: a fault of ours.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        let head = "# What brings a finding about again: slcert replay THIS-FILE --rig RIG-FILE\n";
        Ok(format!("{head}{}", toml::to_string(self)?))
    }
}

impl InputText {
    /// As a file shows it; what is typed as text.
    pub(super) fn of(input: &Input, typed: bool) -> Self {
        let acts = input.acts.iter().filter_map(|act| {
            Some(match act {
                Act::Send(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) if typed => ActText::Type(text.to_owned()),
                    _ => ActText::Send(digits(bytes)),
                },
                Act::Pause(time) => {
                    ActText::PauseMs(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
                }
                Act::Asked(bytes) => ActText::Asked(digits(bytes)),
                Act::Shut => ActText::Shut(true),
                Act::Tear => ActText::Tear(true),
                Act::Login => ActText::Login(true),
                Act::Step(_) => return None,
            })
        });
        Self {
            label: input.label.clone(),
            new_connection: input.anew,
            acts: acts.collect(),
        }
    }

    fn input(&self, number: usize) -> Result<Input, ReproducerError> {
        let mut acts = Vec::new();
        let read = |text: &str| {
            bytes(text).ok_or_else(|| ReproducerError::Bytes {
                input: number,
                text: text.chars().take(60).collect(),
            })
        };
        for act in &self.acts {
            match act {
                ActText::Send(text) => acts.push(Act::Send(read(text)?)),
                ActText::Asked(text) => acts.push(Act::Asked(read(text)?)),
                ActText::Type(text) => acts.push(Act::Send(text.clone().into_bytes())),
                // A minute is longer than any pause that a suite makes.
                ActText::PauseMs(millis) => {
                    acts.push(Act::Pause(Duration::from_millis((*millis).min(60_000))))
                }
                ActText::Shut(true) => acts.push(Act::Shut),
                ActText::Tear(true) => acts.push(Act::Tear),
                ActText::Login(true) => acts.push(Act::Login),
                ActText::Shut(false) | ActText::Tear(false) | ActText::Login(false) => {}
            }
        }
        Ok(Input {
            label: self.label.clone(),
            anew: self.new_connection,
            acts,
        })
    }
}

fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (at, byte) in bytes.iter().enumerate() {
        let gap = if at == 0 { "" } else { " " };
        let _ = write!(text, "{gap}{byte:02X}");
    }
    text
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let digits: Option<Vec<u8>> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(digit)
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::finding::Oracle;

    const FILE: &str = r#"
        format = 1
        trial = "CR-3.5/fuzz-modbus@field"
        interface = "field"
        oracle = "O4 answer grammar"
        what = "it"
        seen = "that"
        criterion = "so"
        cause = "one input"
        confirmed = "3 of 3"
        seed = 7
        [[input]]
        label = "FC 3"
        new_connection = true
        acts = [{ send = "00 01 fF" }, { pause_ms = 2 }, { shut = true }]
    "#;

    #[test]
    fn a_history_is_written_by_the_names_of_the_rig_and_reads_as_one_input() {
        let steps = r#"
        [[step]]
        do = "try"
        account = "olga"
        interface = "console"
        password = "wrong"
        spelling = "capitals"
        [[step]]
        do = "power-cycle"
        "#;
        let (head, _) = FILE.split_once("[[input]]").unwrap();
        let read = Reproducer::read(&format!("{head}{steps}")).unwrap();
        assert_eq!(read.size(), 2);
        let inputs = read.inputs().unwrap();
        assert_eq!(inputs[0].steps().count(), 2);
        assert_eq!(Reproducer::read(&read.text().unwrap()).unwrap(), read);
        let odd = steps.replace("password", "sesame");
        assert!(Reproducer::read(&format!("{head}{odd}")).is_err());
    }

    #[test]
    fn a_file_says_what_is_sent() {
        let read = Reproducer::read(FILE).unwrap();
        assert_eq!(read.oracle, Oracle::Grammar.word());
        let inputs = read.inputs().unwrap();
        let pause = Act::Pause(Duration::from_millis(2));
        assert_eq!(
            inputs[0].acts,
            [Act::Send(vec![0, 1, 255]), pause, Act::Shut]
        );
        let again = Reproducer::read(&read.text().unwrap()).unwrap();
        assert_eq!(again, read);
    }

    #[test]
    fn what_is_typed_is_shown_as_text() {
        let input = Input::of("a line", b"show \x08\x1b[A\"\r".to_vec());
        let text = InputText::of(&input, true);
        assert_eq!(
            text.acts,
            [ActText::Type("show \u{8}\u{1b}[A\"\r".to_owned())]
        );
        assert_eq!(text.input(1).unwrap(), input);
        let written = toml::to_string(&text).unwrap();
        assert!(written.contains(r#"show \b\u001B[A"#), "{written}");
        assert_eq!(toml::from_str::<InputText>(&written).unwrap(), text);
        let bytes = InputText::of(&Input::of("no text", vec![0xFF]), true);
        assert_eq!(bytes.acts, [ActText::Send("FF".to_owned())]);
    }

    #[test]
    fn what_is_no_reproducer_is_told_so() {
        let with = |from: &str, to: &str| {
            Reproducer::read(&FILE.replace(from, to))
                .unwrap_err()
                .to_string()
        };
        assert!(with("format = 1", "format = 9").contains("format is 9"));
        assert!(with("00 01 fF", "00 0").contains("input 1: `00 0` is not bytes"));
        assert!(with("seed = 7", "seed = 7\nother = 1").contains("unknown field"));
    }
}
