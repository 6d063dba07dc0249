//! A console: send lines, wait for patterns, and read what a person would read.

mod screen;

use std::io;
use std::time::Duration;

use regex::Regex;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::line::{Line, Recorder};
use crate::secret::Secret;
use screen::{MAX_TEXT, Screen};

/// How long the echo of a command is waited for. A device that does not echo is as good.
const ECHO: Duration = Duration::from_millis(250);
/// The longest part of the output that an error shows, in characters.
const TAIL: usize = 160;

/// A console that is open.
pub struct Console {
    line: Line,
    screen: Screen,
    newline: String,
    /// How long a device has to be silent after its prompt until the prompt counts: a device that talks on its own prints
    /// the prompt again behind its remark.
    quiet: Duration,
    recorder: Recorder,
}

/// What a wait came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which of the patterns matched.
    pub which: usize,
    /// The text before the match; of [`Console::expect`], with the match itself.
    pub text: String,
    /// The match.
    pub matched: String,
}

/// A console did not do what was expected.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The pattern did not come in time.
    #[error("nothing matched {wanted} within {} ms; the last that was seen: {seen}", limit.as_millis())]
    NotSeen {
        /// The patterns.
        wanted: String,
        /// The limit.
        limit: Duration,
        /// The end of the output, escaped.
        seen: String,
    },
    /// The line dropped.
    #[error("the line dropped; the last that was seen: {seen}")]
    Closed {
        /// The end of the output, escaped.
        seen: String,
    },
    /// The device printed more than is kept.
    #[error("the device printed more than {MAX_TEXT} bytes without what was waited for")]
    TooMuch,
    /// The line failed.
    #[error("the line failed: {0}")]
    Io(#[from] io::Error),
}

impl Console {
    /// A console over a line. `newline` ends each line that is sent; a prompt counts with a silence of `quiet` behind it.
    pub fn new(line: Line, newline: &str, quiet: Duration, recorder: &Recorder) -> Self {
        Self {
            line,
            screen: Screen::default(),
            newline: newline.to_owned(),
            quiet,
            recorder: recorder.clone(),
        }
    }

    /// Waits until one of the patterns matches, and takes the text up to the end of the match.
    ///
    /// # Errors
    /// None matched within `limit`, or the line dropped.
    pub async fn expect(
        &mut self,
        patterns: &[&Regex],
        limit: Duration,
    ) -> Result<Seen, ConsoleError> {
        let deadline = Instant::now() + limit;
        loop {
            let found = patterns
                .iter()
                .enumerate()
                .filter_map(|(which, pattern)| {
                    Some((pattern.find(self.screen.text())?.end(), which))
                })
                .min();
            if let Some((end, which)) = found {
                let text = self.screen.forget(end);
                let matched = patterns[which]
                    .find(&text)
                    .map(|found| found.as_str().to_owned());
                return Ok(Seen {
                    which,
                    text,
                    matched: matched.unwrap_or_default(),
                });
            }
            self.read(deadline, limit, patterns).await?;
        }
    }

    /// Sends a line.
    ///
    /// # Errors
    /// The line dropped.
    pub async fn send(&mut self, text: &str) -> Result<(), ConsoleError> {
        self.send_bytes(format!("{text}{}", self.newline).as_bytes())
            .await
    }

    /// Sends a line that is a secret: the recorder masks it wherever it shows up.
    ///
    /// # Errors
    /// The line dropped.
    pub async fn send_secret(&mut self, secret: &Secret) -> Result<(), ConsoleError> {
        self.recorder.conceal(secret);
        self.send(secret.reveal()).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The line dropped, or took nothing for five seconds (flow control).
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), ConsoleError> {
        let limit = Duration::from_secs(5);
        let written = timeout(limit, async {
            self.line.write_all(bytes).await?;
            self.line.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if crate::line::is_link_down(&error) => Err(self.closed()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ConsoleError::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                "the device takes no bytes",
            ))),
        }
    }

    /// Takes everything that comes until the device was silent for `quiet`, at most for `limit`.
    ///
    /// # Errors
    /// The line dropped.
    pub async fn until_quiet(
        &mut self,
        quiet: Duration,
        limit: Duration,
    ) -> Result<String, ConsoleError> {
        self.settle(quiet, Instant::now() + limit).await?;
        let all = self.screen.text().len();
        Ok(self.screen.forget(all))
    }

    /// Sends a command, and takes the answer: what stands between its echo and the next prompt. `prompt` has to match at
    /// the end of the output, with silence behind it.
    ///
    /// # Errors
    /// The prompt did not come back within `limit`, or the line dropped.
    pub async fn command(
        &mut self,
        command: &str,
        prompt: &Regex,
        limit: Duration,
    ) -> Result<String, ConsoleError> {
        self.until_quiet(Duration::from_millis(1), limit).await?;
        self.send(command).await?;
        self.answer(command, &[prompt], limit)
            .await
            .map(|seen| seen.text)
    }

    /// Takes the answer to a line that was sent: the text behind the line's echo, up to one of the prompts, which has to
    /// match at the end of the output with silence behind it.
    ///
    /// # Errors
    /// No prompt came within `limit`, or the line dropped.
    pub async fn answer(
        &mut self,
        sent: &str,
        prompts: &[&Regex],
        limit: Duration,
    ) -> Result<Seen, ConsoleError> {
        let deadline = Instant::now() + limit;
        // A remark of the device's own may come first, with a prompt behind it; the echo tells that ours is read.
        let echoed = Instant::now() + ECHO.min(limit);
        while !sent.is_empty() && !self.screen.text().contains(sent) {
            match self.read(echoed, limit, prompts).await {
                Ok(()) => {}
                Err(ConsoleError::NotSeen { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        loop {
            let at_end = |text: &str| {
                prompts.iter().enumerate().find_map(|(which, prompt)| {
                    let found = prompt.find_iter(text).last()?;
                    (found.end() == text.len()).then_some((which, found.start()))
                })
            };
            if at_end(self.screen.text()).is_some() {
                self.settle(self.quiet, deadline).await?;
                if let Some((which, start)) = at_end(self.screen.text()) {
                    let all = self.screen.text().len();
                    let text = self.screen.forget(all);
                    let answer = &text[..start];
                    let answer = behind_echo(answer, sent);
                    return Ok(Seen {
                        which,
                        text: answer.trim_matches('\n').to_owned(),
                        matched: text[start..].to_owned(),
                    });
                }
                continue;
            }
            self.read(deadline, limit, prompts).await?;
        }
    }

    /// Reads once.
    async fn read(
        &mut self,
        deadline: Instant,
        limit: Duration,
        wanted: &[&Regex],
    ) -> Result<(), ConsoleError> {
        if self.screen.text().len() >= MAX_TEXT {
            return Err(ConsoleError::TooMuch);
        }
        let mut bytes = [0; 4096];
        match timeout_at(deadline, self.line.read(&mut bytes)).await {
            Err(_) => Err(ConsoleError::NotSeen {
                wanted: wanted
                    .iter()
                    .map(|it| format!("`{it}`"))
                    .collect::<Vec<_>>()
                    .join(" or "),
                limit,
                seen: self.tail(),
            }),
            Ok(Ok(0)) => Err(self.closed()),
            Ok(Ok(length)) => {
                self.screen.feed(&bytes[..length]);
                Ok(())
            }
            Ok(Err(error)) if crate::line::is_link_down(&error) => Err(self.closed()),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// Reads until the device was silent for `quiet`, at most until `deadline`.
    async fn settle(&mut self, quiet: Duration, deadline: Instant) -> Result<(), ConsoleError> {
        loop {
            let until = (Instant::now() + quiet).min(deadline);
            match self.read(until, quiet, &[]).await {
                Ok(()) if Instant::now() < deadline => {}
                Ok(()) | Err(ConsoleError::NotSeen { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn closed(&self) -> ConsoleError {
        ConsoleError::Closed { seen: self.tail() }
    }

    /// The end of the output, without secrets, escaped.
    fn tail(&self) -> String {
        let text = self.recorder.masked(self.screen.text());
        let from = text
            .char_indices()
            .rev()
            .nth(TAIL - 1)
            .map_or(0, |(at, _)| at);
        format!("\"{}\"", text[from..].escape_debug())
    }
}

/// What stands behind the echo of a line: the last place where it ends a line. An answer may well hold the same words, as
/// an audit log does that tells of somebody who typed them.
fn behind_echo<'t>(text: &'t str, sent: &str) -> &'t str {
    if sent.is_empty() {
        return text;
    }
    let behind = |(at, _): (usize, &str)| &text[at + sent.len()..];
    let ends_line = |rest: &&str| {
        let rest = rest.trim_start_matches(' ');
        rest.is_empty() || rest.starts_with('\n')
    };
    let places = text.match_indices(sent).map(behind);
    let first = places.clone().next();
    let echo = places.filter(ends_line).last().or(first);
    echo.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::DuplexStream;

    fn console() -> (Console, DuplexStream) {
        let (ours, device) = tokio::io::duplex(1 << 16);
        let quiet = Duration::from_millis(25);
        let console = Console::new(Box::new(ours), "\r", quiet, &Recorder::new());
        (console, device)
    }

    fn prompt() -> Regex {
        Regex::new("dev> $").unwrap()
    }

    const LIMIT: Duration = Duration::from_millis(600);

    async fn answer_of(device_says: &'static [&'static [u8]]) -> Result<String, ConsoleError> {
        let (mut console, mut device) = console();
        let says = tokio::spawn(async move {
            let mut line = [0; 64];
            let _ = device.read(&mut line).await;
            for piece in device_says {
                device.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            device
        });
        let answer = console.command("show x", &prompt(), LIMIT).await;
        drop(says.await);
        answer
    }

    #[tokio::test]
    async fn the_answer_stands_between_echo_and_prompt() {
        let answer = answer_of(&[b"show x\r\nOK 17\r\n\x1b[1mdev\x1b[0m> "]).await;
        assert_eq!(answer.unwrap(), "OK 17");
    }

    #[tokio::test]
    async fn a_device_that_talks_on_its_own_is_no_answer() {
        let answer = answer_of(&[
            b"\r\n*** level 3\r\ndev> ",
            b"show x\r\nOK 17\r\ndev> ",
            b"\r\n*** level 4\r\ndev> ",
        ])
        .await;
        let answer = answer.unwrap();
        assert!(answer.starts_with("OK 17"), "{answer}");
    }

    #[tokio::test]
    async fn an_answer_may_hold_the_words_of_its_command() {
        let answer = answer_of(&[b"show x\r\nby=\"show x\" at=1\r\nby=ada at=2\r\ndev> "]).await;
        assert_eq!(answer.unwrap(), "by=\"show x\" at=1\nby=ada at=2");
    }

    #[tokio::test]
    async fn a_prompt_inside_the_answer_does_not_end_it() {
        let answer = answer_of(&[b"show x\r\ndev> is the prompt\r\n", b"OK\r\ndev> "]).await;
        assert_eq!(answer.unwrap(), "dev> is the prompt\nOK");
    }

    #[tokio::test]
    async fn a_device_without_a_prompt_is_told_with_what_was_seen() {
        let error = answer_of(&[b"show x\r\nhm\r\n"])
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("dev> $") || error.contains("dropped"),
            "{error}"
        );
        assert!(error.contains("hm"), "{error}");
    }

    #[tokio::test]
    async fn a_line_that_drops_is_an_error_at_once() {
        let (mut console, device) = console();
        drop(device);
        let error = console.expect(&[&prompt()], LIMIT).await.unwrap_err();
        assert!(matches!(error, ConsoleError::Closed { .. }), "{error}");
    }
}
