//! Whether anything of a console session is left when it is over.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use slcert_rigs::bench::ConsoleSession;
use slcert_rigs::rig::{Binding, Step, Values};

use crate::procedure::{Procedure, Stop};

/// What a session answers, and how that reads.
pub struct Question<'r> {
    /// The operation.
    pub operation: &'r str,
    /// An account that may ask.
    pub account: &'r str,
    command: String,
    answer: Arc<Regex>,
}

/// A question that can be asked on a console in one line.
///
/// # Errors
/// NOT EVALUATED where none is bound on it.
pub fn question<'r>(p: &Procedure<'r>, interface: &str) -> Result<Question<'r>, Stop> {
    let rig = p.rig();
    let found = rig.operations.keys().find_map(|name| {
        let Some(Binding::Console(binding)) = rig.binding(name.as_str(), interface) else {
            return None;
        };
        let [Step::Send(command)] = binding.steps.as_slice() else {
            return None;
        };
        let answer = binding.meaning.answer.as_ref()?;
        let plain = rig.only_reads(name.as_str(), interface);
        let account = rig.who_may_str(name.as_str(), interface)?;
        plain.then_some((name.as_str(), command, answer, account))
    });
    let Some((operation, command, answer, account)) = found else {
        return Err(Stop::not_evaluated(format!(
            "no operation on `{interface}` reads a value that its binding's `answer` finds"
        )));
    };
    let answer = answer
        .with(&Values::new())
        .map_err(|error| Stop::not_evaluated(error.to_string()))?;
    Ok(Question {
        operation,
        account,
        command: p.bench().fill(command)?,
        answer,
    })
}

/// What the console says to one line where nobody is logged in.
pub struct Heard {
    /// Which line it was.
    pub what: &'static str,
    /// The answer.
    pub said: String,
    /// Whether that is a session's.
    pub works: bool,
}

impl Question<'_> {
    /// Types an empty line and the question where a session was.
    pub async fn ask_outside(&self, console: &mut ConsoleSession) -> Vec<Heard> {
        let newline = console.manner().newline.clone();
        let prompt = console.manner().prompt.clone();
        let mut heard = Vec::new();
        for (what, line) in [
            ("an empty line after logout", ""),
            ("a command after logout", self.command.as_str()),
        ] {
            let _ = console
                .line()
                .send_bytes(format!("{line}{newline}").as_bytes())
                .await;
            let said = console
                .line()
                .until_quiet(Duration::from_millis(250), Duration::from_secs(2))
                .await
                .unwrap_or_default();
            let works = self.answer.is_match(&said) || prompt.is_match(&said);
            heard.push(Heard { what, said, works });
        }
        heard
    }
}
