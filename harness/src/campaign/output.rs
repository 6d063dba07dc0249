//! Where a campaign is told of: to people in words, or to programs in JSON. Where standard output is a program's, words
//! go to standard error.

use std::io::{self, IsTerminal, Write};

use slcert_reports::notice::{Finished, Notice, Started, document};
use slcert_reports::{Event, Record, Verdict, one_line};

use crate::command::RunFormat;

/// Where a campaign is told of.
#[derive(Clone, Copy, Debug)]
pub struct Output(RunFormat);

impl Output {
    /// In a format.
    pub fn new(format: RunFormat) -> Self {
        Self(format)
    }

    /// Whether programs read standard output.
    pub fn is_json(self) -> bool {
        self.0.is_json()
    }

    /// Says something to people.
    pub fn say(self, text: &str) {
        match self.is_json() {
            true => anstream::eprintln!("{text}"),
            false => anstream::println!("{text}"),
        }
        let _ = io::stdout().flush();
    }

    /// Whether people read it on a terminal.
    pub fn is_terminal(self) -> bool {
        match self.is_json() {
            true => io::stderr().is_terminal(),
            false => io::stdout().is_terminal(),
        }
    }

    /// Tells of what was written into the journal.
    pub fn recorded(self, event: &Event, time: jiff::Timestamp) {
        if !self.is_json() {
            return;
        }
        if let Event::TrialFinished(trial) = event {
            let reason = match trial.verdict {
                Verdict::Pass => String::new(),
                _ => format!(": {}", one_line(&trial.reason)),
            };
            let verdict = trial.verdict;
            eprintln!("{verdict:<14}  {}{reason}", one_line(&trial.id));
        }
        if let Some(notice) = Notice::of(event) {
            self.notice(&notice, time);
        }
    }

    /// Tells that the campaign begins.
    pub fn started(self, started: &Started) {
        let notice = Notice::CampaignStarted(started.clone());
        self.notice(&notice, jiff::Timestamp::now());
    }

    /// Tells what it came to.
    pub fn finished(self, record: &Record, started: &Started, finished: Finished) {
        if self.0 == RunFormat::Json {
            put(&document(record, started, &finished));
        }
        let notice = Notice::CampaignFinished(Box::new(finished));
        self.notice(&notice, jiff::Timestamp::now());
    }

    fn notice(self, notice: &Notice, time: jiff::Timestamp) {
        if self.0 == RunFormat::Jsonl {
            put(&format!("{}\n", notice.line(time)));
        }
    }
}

/// A reader that has gone is no reason to end a campaign.
fn put(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
