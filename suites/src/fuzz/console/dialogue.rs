//! The console's dialogue: to its login and to a prompt from wherever it stands, and typing while it echoes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use regex::Regex;
use slcert_rigs::bench::{BenchError, ConsoleSession, Who};
use slcert_rigs::console::ConsoleError;
use slcert_rigs::rig::Values;
use tokio::time::Instant;

use super::keys::{INTERRUPT, XON};
use super::terminal::Terminal;
use super::words::NOISE;
use crate::fuzz::finding::{Finding, Oracle};

/// So many bytes are typed before what the device says is taken: it may echo each of them.
const AT_ONCE: usize = 1024;
/// How long a console that says nothing is left alone: its usual time so many times, and more.
const SILENCE: (u32, Duration) = (4, Duration::from_millis(20));
/// The time that an answer is waited for while inputs are made smaller.
const HURRIED: (u32, Duration) = (10, Duration::from_millis(300));
/// The bits on the line for each byte that is typed.
const DRAWN: u64 = 40;
/// How long one look for more output lasts.
const LOOK: Duration = Duration::from_millis(100);
/// The most output that is kept of one input.
const MOST: usize = 2 << 20;
/// The end of the output in which a prompt is looked for, in bytes.
const TAIL: usize = 4096;

/// The line, and where its console stands.
pub(super) struct Held {
    pub session: ConsoleSession,
    pub place: Place,
    pub touched: Instant,
    /// How many logins were refused since the last that was not.
    pub refused: u32,
}

/// What came of what was typed so far.
#[derive(Default)]
pub(super) struct Typed {
    /// What the device has said.
    pub said: String,
    /// Whether the bench's account is in.
    pub logged_in: bool,
    /// How many bytes were typed, and how many lines of them have ended.
    pub bytes: u32,
    /// See [`Typed::bytes`].
    pub lines: u32,
    /// Whether the last line has ended.
    pub finished: bool,
    /// Whether the device was told to stop.
    pub stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Unknown,
    Login,
    Prompt,
}

/// Why a login or a command did not come about.
pub(super) enum Lacks {
    /// The line dropped, or is not there any more.
    Line,
    /// The console did or said something else, or nothing.
    Right(String),
}

impl From<BenchError> for Lacks {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Console {
                source: ConsoleError::Closed { .. } | ConsoleError::Io(_),
                ..
            }
            | BenchError::Line { .. } => Self::Line,
            other => Self::Right(other.to_string()),
        }
    }
}

impl From<Lacks> for String {
    fn from(lacks: Lacks) -> Self {
        match lacks {
            Lacks::Line => "the line dropped".to_owned(),
            Lacks::Right(why) => why,
        }
    }
}

impl From<Lacks> for Broke {
    fn from(lacks: Lacks) -> Self {
        match lacks {
            Lacks::Line => Self::Line,
            Lacks::Right(why) => silent(Oracle::Liveness, "a right login is not taken", why),
        }
    }
}

/// Why an input came to no end.
pub(super) enum Broke {
    /// The line dropped, or cannot be opened: the device as a whole says more of it.
    Line,
    /// Something is wrong.
    Found(Finding),
}

impl From<ConsoleError> for Broke {
    fn from(_: ConsoleError) -> Self {
        Self::Line
    }
}

pub(super) fn wrong(oracle: Oracle, what: &str, seen: impl Into<String>) -> Broke {
    Broke::Found(Finding::new(oracle, what, seen))
}

pub(super) fn silent(oracle: Oracle, what: &str, seen: impl Into<String>) -> Broke {
    Broke::Found(Finding::by_silence(oracle, what, seen))
}

/// The end of a text, for a finding.
pub(super) fn end_of(text: &str) -> &str {
    let from = text.char_indices().rev().nth(199).map_or(0, |(at, _)| at);
    &text[from..]
}

/// Whether a match of the pattern is the end of the text.
pub(super) fn ends_with(text: &str, pattern: &Regex) -> bool {
    let from = text.len().saturating_sub(TAIL);
    let tail = (from..text.len())
        .find_map(|at| text.get(at..))
        .unwrap_or_default();
    pattern
        .find_iter(tail)
        .last()
        .is_some_and(|found| found.end() == tail.len())
}

impl Terminal<'_> {
    /// How long an answer may take.
    pub(super) fn limit(&self) -> Duration {
        let (times, more) = HURRIED;
        let hurried = self.hurried.load(Ordering::Relaxed);
        let usual = hurried.then(|| self.pace.limit(times, more)).flatten();
        usual.map_or(self.patience, |usual| usual.min(self.patience))
    }

    pub(super) async fn line<'h>(
        &self,
        held: &'h mut Option<Held>,
    ) -> Result<&'h mut Held, String> {
        if held.is_none() {
            let session = self.bench.console_fuzzed(self.interface).await;
            *held = Some(Held {
                session: session.map_err(|error| error.to_string())?,
                place: Place::Unknown,
                touched: Instant::now(),
                refused: 0,
            });
        }
        held.as_mut()
            .ok_or_else(|| "the line is not open".to_owned())
    }

    /// Comes to the login, from wherever the console stands.
    pub(super) async fn leave(&self, held: &mut Held) -> Result<(), Lacks> {
        held.place = Place::Unknown;
        held.touched = Instant::now();
        held.session.come_to_login().await?;
        held.place = Place::Login;
        Ok(())
    }

    /// Begins a session of an account, from wherever the console stands.
    pub(super) async fn enter(&self, held: &mut Held, account: &str) -> Result<(), Lacks> {
        self.leave(held).await?;
        held.place = Place::Unknown;
        let who = Who::Account(account);
        let entered = held.session.log_in(self.bench, &who).await?;
        entered.map_err(|said| Lacks::Right(format!("the login is refused: {said}")))?;
        held.place = Place::Prompt;
        held.refused = 0;
        Ok(())
    }

    /// The answer to an operation that reads, in a session.
    pub(super) async fn read(&self, held: &mut Held, operation: &str) -> Result<String, Lacks> {
        let began = Instant::now();
        held.touched = began;
        let attempt = held.session.perform(operation, &Values::new()).await?;
        if !attempt.is_done() {
            let said = end_of(&attempt.answer().text);
            return Err(Lacks::Right(format!(
                "`{operation}` is answered with {said}"
            )));
        }
        self.pace.took(began.elapsed());
        let answer = attempt.answer();
        Ok(answer.value.clone().unwrap_or_else(|| answer.text.clone()))
    }

    /// Takes what the device says until it is silent.
    pub(super) async fn hear(
        &self,
        held: &mut Held,
        said: &mut String,
        limit: Duration,
    ) -> Result<usize, Broke> {
        let piece = match held.session.line().until_quiet(self.quiet, limit).await {
            Ok(piece) => piece,
            // More than is kept: what came is gone, and the rest is heard next time.
            Err(ConsoleError::TooMuch) => return Ok(MOST),
            Err(error) => return Err(error.into()),
        };
        held.touched = Instant::now();
        if said.len() + piece.len() <= MOST {
            said.push_str(&piece);
        }
        Ok(piece.len())
    }

    /// Types bytes, and takes what is echoed meanwhile: a device whose output nobody reads stops reading itself.
    pub(super) async fn type_in(
        &self,
        held: &mut Held,
        bytes: &[u8],
        said: &mut String,
    ) -> Result<(), Broke> {
        for part in bytes.chunks(AT_ONCE) {
            let typed = held.session.line().send_bytes(part).await;
            match typed {
                Ok(()) => {}
                Err(ConsoleError::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
                    return Err(silent(
                        Oracle::Liveness,
                        "the console takes no bytes any more",
                        end_of(said),
                    ));
                }
                Err(error) => return Err(error.into()),
            }
            if bytes.len() > AT_ONCE {
                self.hear(held, said, LOOK).await?;
            }
        }
        Ok(())
    }

    pub(super) fn place(&self, said: &str) -> Option<Place> {
        if ends_with(said, &self.signs.prompt) {
            return Some(Place::Prompt);
        }
        ends_with(said, &self.signs.login).then_some(Place::Login)
    }

    pub(super) fn asks_password(&self, said: &str) -> bool {
        let signs = [&self.signs.password, &self.signs.locked];
        signs
            .into_iter()
            .flatten()
            .any(|sign| ends_with(said, sign))
    }

    /// Brings the console back to a prompt or its login. A line that is not finished is given up first: it may hold what
    /// the suite did not type.
    pub(super) async fn come_back(
        &self,
        held: &mut Held,
        typed: &mut Typed,
    ) -> Result<Place, Broke> {
        let Typed {
            said,
            finished,
            stopped,
            ..
        } = typed;
        let (finished, stopped) = (*finished, *stopped);
        let began = Instant::now();
        // Each line may take its time, and each byte is sent, echoed and perhaps drawn again.
        let drawn = Duration::from_secs(u64::from(typed.bytes) * DRAWN) / self.baud.max(1);
        let limit = self.limit() * typed.lines.max(1) + drawn;
        let (times, more) = SILENCE;
        let alone = self.pace.limit(times, more).unwrap_or(more);
        if stopped {
            self.type_in(held, &[XON], said).await?;
        }
        let newline = held.session.manner().newline.clone().into_bytes();
        let reset = held.session.manner().reset.clone().into_bytes();
        let keys: [&[u8]; 5] = [&[INTERRUPT], &newline, &reset, &[XON], &newline];
        let mut keys = keys.into_iter().cycle().skip(usize::from(finished));
        let mut heard = Instant::now();
        let mut wait = if finished { alone } else { self.quiet };
        loop {
            let came = self.hear(held, said, LOOK).await?;
            if came > 0 {
                heard = Instant::now();
                if let Some(place) = self.place(said) {
                    return Ok(place);
                }
            }
            if began.elapsed() > limit {
                return Err(match came {
                    0 => silent(
                        Oracle::Liveness,
                        "the console does not come back to a prompt or its login",
                        end_of(said),
                    ),
                    _ => silent(
                        Oracle::Grammar,
                        "the console prints without an end",
                        end_of(said),
                    ),
                });
            }
            let asks = self.asks_password(said);
            if heard.elapsed() >= wait || asks || said.len() >= MOST {
                let key = match asks {
                    // An empty line would be a wrong password.
                    true => &reset,
                    false => keys.next().unwrap_or(&[INTERRUPT]),
                };
                self.type_in(held, key, said).await?;
                heard = Instant::now();
                wait = (wait * 2).clamp(alone, Duration::from_millis(400));
            }
        }
    }

    /// Whether the interrupt gives up what was typed of a line: else a key must not bring in what others have typed.
    pub(super) async fn gives_up(&self, held: &mut Held) -> bool {
        let mut said = String::new();
        let half = [NOISE.as_bytes(), &[INTERRUPT]].concat();
        let typed = self.type_in(held, &half, &mut said).await;
        let heard = self.hear(held, &mut said, LOOK).await;
        typed.is_ok() && heard.is_ok() && self.read(held, self.right).await.is_ok()
    }

    /// Waits, while nobody is logged in, until the device asks for more; whether it asks for a password.
    pub(super) async fn step(&self, held: &mut Held, said: &mut String) -> Result<bool, Broke> {
        let until = Instant::now() + self.limit().min(Duration::from_secs(2));
        loop {
            self.hear(held, said, LOOK).await?;
            let asks = self.asks_password(said) && self.place(said).is_none();
            if asks || self.place(said).is_some() || Instant::now() >= until {
                return Ok(asks);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_counts_at_the_end_alone() {
        let prompt = Regex::new(r"dev> $").unwrap();
        assert!(ends_with("zz\ndev> ", &prompt));
        assert!(!ends_with("dev> zz", &prompt));
        let long = "\u{e4}".repeat(TAIL) + "dev> ";
        assert!(ends_with(&long, &prompt), "a character may be cut");
    }
}
