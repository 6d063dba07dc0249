//! Sessions at a console.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::error::BenchError;
use super::factor::Given;
use super::session::{Kind, Session, judge};
use super::{Bench, Entry, Who};
use crate::attempt::{Answer, Attempt};
use crate::console::{Console, ConsoleError};
use crate::line::Line;
use crate::rig::{Binding, ConsoleBinding, ConsoleManner, Meaning, Step, Values};
use crate::secret::Secret;

/// How often a console in an unknown state is brought back before that is given up.
const TRIES: u32 = 6;
/// How long a console is watched for what it shows.
const LOOK: Duration = Duration::from_millis(120);
/// How often a dialogue that was refused is nudged towards its end.
const MOST_NUDGES: usize = 15;
/// How long a console that shows no step of its login has to be silent before it is left at that.
const SILENT: Duration = Duration::from_secs(1);
/// The most that is listened to before a login counts as talking on its own.
const LONGEST: usize = 64 * 1024;

/// A session at a console, logged in or not.
pub struct ConsoleSession {
    interface: String,
    manner: ConsoleManner,
    console: Console,
    bindings: Vec<(String, ConsoleBinding)>,
    values: Values,
    state: State,
    look: LoginLook,
}

/// What a login showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginLook {
    /// What stood on the console before anybody authenticated.
    pub before: String,
    /// What the device printed after a secret was sent, up to its verdict.
    pub after_secret: String,
    /// How long the device took for its verdict.
    pub took: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the login prompt.
    Outside,
    /// Logged in.
    In,
}

pub(super) async fn enter(
    bench: &Bench,
    interface: &str,
    who: &Who<'_>,
) -> Result<Entry, BenchError> {
    if let Who::Certificate(_) = who {
        return Err(BenchError::Rig(format!(
            "nobody shows a certificate on the console `{interface}`"
        )));
    }
    let mut session = bench.console(interface).await?;
    Ok(match session.log_in(bench, who).await? {
        Ok(()) => Entry::In(Session {
            kind: Kind::Console(Box::new(session)),
        }),
        Err(said) => Entry::Refused(Answer::of(said)),
    })
}

impl Bench {
    /// Opens a console and brings it to its login, whatever state it was left in.
    ///
    /// # Errors
    /// The line cannot be opened, or the console does not come to its login.
    pub async fn console(&self, interface: &str) -> Result<ConsoleSession, BenchError> {
        let manner = self.manner_of(interface)?;
        let line = self.reopen(interface, manner.patience.0).await?;
        let mut session = self.session_over(interface, manner, line);
        session.come_to_login().await?;
        Ok(session)
    }

    /// Opens a console for a fuzz suite, as it is left: no word is said on it.
    ///
    /// # Errors
    /// The line cannot be opened.
    pub async fn console_fuzzed(&self, interface: &str) -> Result<ConsoleSession, BenchError> {
        let manner = self.manner_of(interface)?;
        let line = self.open_fuzzed(interface, &Who::Nobody).await?;
        Ok(self.session_over(interface, manner, line))
    }

    fn manner_of(&self, interface: &str) -> Result<ConsoleManner, BenchError> {
        let manner = self.interface(interface)?.console.clone();
        manner.ok_or_else(|| BenchError::Rig(format!("`{interface}` is no console")))
    }

    fn session_over(&self, interface: &str, manner: ConsoleManner, line: Line) -> ConsoleSession {
        let bindings = self
            .rig()
            .operations
            .keys()
            .filter_map(|name| match self.rig().binding(name.as_str(), interface)? {
                Binding::Console(binding) => Some((name.as_str().to_owned(), binding.clone())),
                _ => None,
            })
            .collect();
        ConsoleSession {
            interface: interface.to_owned(),
            console: Console::new(line, &manner.newline, manner.quiet.0, self.recorder()),
            manner,
            bindings,
            values: self.values(),
            state: State::Outside,
            look: LoginLook::default(),
        }
    }
}

impl ConsoleSession {
    /// What the login showed.
    pub fn look(&self) -> &LoginLook {
        &self.look
    }

    /// The console itself, for cases that watch every byte.
    pub fn line(&mut self) -> &mut Console {
        &mut self.console
    }

    /// How the rig file says that the console behaves.
    pub fn manner(&self) -> &ConsoleManner {
        &self.manner
    }

    pub(super) fn is_over(&self) -> bool {
        false
    }

    fn failed(&self, step: &str, source: ConsoleError) -> BenchError {
        BenchError::Console {
            interface: self.interface.clone(),
            step: step.to_owned(),
            source,
        }
    }

    /// The patterns that an idle console may show: its login, its prompt, its lock.
    fn first_expect(&self) -> Option<Arc<Regex>> {
        self.manner.login.iter().find_map(|step| match step {
            Step::Expect(pattern) => Some(pattern.0.clone()),
            Step::Send(_) => None,
        })
    }

    /// Brings the console to its login from wherever it is: a session left open, a lock, the middle of a dialogue.
    ///
    /// # Errors
    /// It does not come there, or the line dropped.
    pub async fn come_to_login(&mut self) -> Result<(), BenchError> {
        let Some(login) = self.first_expect() else {
            // A console without a login is in as soon as it is open.
            self.state = State::In;
            return Ok(());
        };
        self.state = State::Outside;
        let step = "come to the login";
        let mut seen = String::new();
        for attempt in 0..TRIES {
            let limit = LOOK * (attempt + 1);
            self.nudge(attempt)
                .await
                .map_err(|error| self.failed(step, error))?;
            let end = self
                .wait_for_end(&login, limit * 4)
                .await
                .map_err(|error| self.failed(step, error))?;
            if login.is_match(&end) {
                self.look.before.push_str(&end);
                return Ok(());
            }
            seen = end;
            let prompt = self.manner.prompt.0.clone();
            if prompt.is_match(&seen) {
                let logout = self.manner.logout.clone();
                self.console
                    .send(&logout)
                    .await
                    .map_err(|error| self.failed(step, error))?;
                let end = self
                    .wait_for_end(&login, self.manner.patience.0)
                    .await
                    .map_err(|error| self.failed(step, error))?;
                if login.is_match(&end) {
                    self.look.before = end;
                    return Ok(());
                }
                seen = end;
            }
        }
        let source = ConsoleError::NotSeen {
            wanted: format!("`{login}`"),
            limit: LOOK * TRIES,
            seen: seen.escape_debug().to_string(),
        };
        Err(self.failed(step, source))
    }

    /// What is sent to make an idle console show itself: an empty line and the rig's own reset, in turn.
    async fn nudge(&mut self, attempt: u32) -> Result<(), ConsoleError> {
        if attempt.is_multiple_of(2) {
            return self.console.send("").await;
        }
        let reset = self.manner.reset.clone();
        self.console.send_bytes(reset.as_bytes()).await
    }

    /// Takes what comes until it ends in a step of the login, or until the console has been quiet for a while.
    async fn wait_for_login_step(&mut self) -> Result<String, ConsoleError> {
        let steps: Vec<Arc<Regex>> = self
            .manner
            .login
            .iter()
            .filter_map(|step| match step {
                Step::Expect(pattern) => Some(pattern.0.clone()),
                Step::Send(_) => None,
            })
            .collect();
        let mut text = String::new();
        let mut last = tokio::time::Instant::now();
        loop {
            let quiet = self.manner.quiet.0;
            let piece = self.console.until_quiet(quiet, LOOK * 2).await?;
            if !piece.is_empty() {
                last = tokio::time::Instant::now();
                text.push_str(&piece);
            }
            let step = steps.iter().any(|step| ends_with(&text, step));
            if step || text.len() > LONGEST || last.elapsed() > SILENT {
                return Ok(text);
            }
        }
    }

    /// Takes what comes until it ends in something known, or until `limit`.
    async fn wait_for_end(
        &mut self,
        login: &Arc<Regex>,
        limit: Duration,
    ) -> Result<String, ConsoleError> {
        let mut known: Vec<Arc<Regex>> = vec![Arc::clone(login), self.manner.prompt.0.clone()];
        known.extend(self.manner.locked.as_ref().map(|it| it.0.clone()));
        let deadline = tokio::time::Instant::now() + limit;
        let mut text = String::new();
        loop {
            let quiet = self.manner.quiet.0;
            text.push_str(&self.console.until_quiet(quiet, LOOK).await?);
            if known.iter().any(|pattern| pattern.is_match(&text))
                || tokio::time::Instant::now() >= deadline
            {
                return Ok(text);
            }
        }
    }

    /// Logs in from the login; nobody stays there. The inner error is the device's refusal.
    ///
    /// # Errors
    /// What they show cannot be had, or the console did not behave as the rig file says.
    pub async fn log_in(
        &mut self,
        bench: &Bench,
        who: &Who<'_>,
    ) -> Result<Result<(), String>, BenchError> {
        match bench.given(who).await? {
            Some(given) => self.login(&given).await,
            None => Ok(Ok(())),
        }
    }

    /// Logs in. The inner error is the device's refusal.
    ///
    /// # Errors
    /// The console did not behave as the rig file says.
    async fn login(&mut self, given: &Given) -> Result<Result<(), String>, BenchError> {
        self.values.insert("user".to_owned(), given.user.clone());
        let mut values = self.values.clone();
        values.insert("otp".to_owned(), given.code.clone());
        if let Some(password) = &given.password {
            values.insert("password".to_owned(), password.reveal().to_owned());
        }
        let steps = self.manner.login.clone();
        // The first pattern was seen already: it is where the console waits.
        let steps = match steps.split_first() {
            Some((Step::Expect(_), rest)) => rest.to_vec(),
            _ => steps,
        };
        self.dialogue_in(&steps, &values, "log in").await
    }

    /// Unlocks a locked session. The inner error is the device's refusal.
    ///
    /// # Errors
    /// The console did not behave as the rig file says.
    pub async fn unlock(&mut self, password: &Secret) -> Result<Result<(), String>, BenchError> {
        let mut values = self.values.clone();
        values.insert("password".to_owned(), password.reveal().to_owned());
        values.insert("otp".to_owned(), String::new());
        let steps = self.manner.unlock.clone();
        self.dialogue_in(&steps, &values, "unlock").await
    }

    /// A dialogue that ends at the prompt, or with a refusal.
    async fn dialogue_in(
        &mut self,
        steps: &[Step],
        values: &Values,
        what: &str,
    ) -> Result<Result<(), String>, BenchError> {
        let patience = self.manner.patience.0;
        let (prompt, refused) = (
            self.manner.prompt.0.clone(),
            self.manner.login_refused.0.clone(),
        );
        let mut said = String::new();
        let Some(mut sent) = self.walk(steps, values, what, &mut said).await? else {
            return Ok(Err(said.trim().to_owned()));
        };
        let second = self.manner.second_factor.clone();
        let mut second = match second.split_first() {
            Some((Step::Expect(asks), steps)) => Some((&asks.0, steps)),
            _ => None,
        };
        let asks = second.map(|(asks, _)| asks.clone());
        let began = tokio::time::Instant::now();
        let login = self.first_expect();
        let mut ends = vec![&refused];
        ends.extend(login.as_ref());
        let mut all = vec![&prompt];
        all.extend(ends);
        // A refusal may stand anywhere; the prompt counts at the end of the output only.
        let mut text = String::new();
        let mut deadline = began + patience;
        loop {
            let piece = match self.console.until_quiet(self.manner.quiet.0, LOOK).await {
                Ok(piece) => piece,
                Err(error) => return Err(self.failed(what, error)),
            };
            text.push_str(&piece);
            let trimmed = strip_echo(&text, &sent);
            if refused.is_match(trimmed) {
                self.note_after(&text, began.elapsed());
                said.push_str(trimmed);
                return Ok(Err(said.trim().to_owned()));
            }
            if let Some((_, steps)) = second.take_if(|(asks, _)| ends_with(trimmed, asks)) {
                said.push_str(trimmed);
                let Some(code) = self.walk(steps, values, what, &mut said).await? else {
                    return Ok(Err(said.trim().to_owned()));
                };
                (sent, deadline) = (code, tokio::time::Instant::now() + patience);
                text.clear();
                continue;
            }
            // Asked once more: the code was not taken.
            if asks.as_ref().is_some_and(|asks| ends_with(trimmed, asks)) {
                self.note_after(&text, began.elapsed());
                said.push_str(trimmed);
                return Ok(Err(said.trim().to_owned()));
            }
            if ends_with(trimmed, &prompt) {
                self.note_after(&text, began.elapsed());
                self.state = State::In;
                return Ok(Ok(()));
            }
            // Back at the login without a word: that is a refusal as well.
            if login.as_ref().is_some_and(|login| login.is_match(trimmed)) && what == "log in" {
                self.note_after(&text, began.elapsed());
                said.push_str(trimmed);
                return Ok(Err(said.trim().to_owned()));
            }
            if tokio::time::Instant::now() >= deadline {
                let source = ConsoleError::NotSeen {
                    wanted: all
                        .iter()
                        .map(|it| format!("`{it}`"))
                        .collect::<Vec<_>>()
                        .join(" or "),
                    limit: patience,
                    seen: text.escape_debug().to_string(),
                };
                return Err(self.failed(what, source));
            }
        }
    }

    /// Goes through the steps of a dialogue; what was sent last, or none where the device refused on the way.
    async fn walk(
        &mut self,
        steps: &[Step],
        values: &Values,
        what: &str,
        said: &mut String,
    ) -> Result<Option<String>, BenchError> {
        let refused = self.manner.login_refused.0.clone();
        let mut sent = String::new();
        for step in steps {
            match step {
                Step::Expect(pattern) => {
                    let seen = self
                        .console
                        .expect(&[&refused, &pattern.0], self.manner.patience.0)
                        .await
                        .map_err(|error| self.failed(what, error))?;
                    said.push_str(&seen.text);
                    if seen.which == 0 {
                        return Ok(None);
                    }
                }
                Step::Send(template) => sent = self.send(template, values, what).await?,
            }
        }
        Ok(Some(sent))
    }

    fn note_after(&mut self, text: &str, took: Duration) {
        self.look.after_secret = text.to_owned();
        self.look.took = took;
    }

    /// Sends a line of a dialogue; what was sent is handed back where it is no secret.
    async fn send(
        &mut self,
        template: &crate::rig::Template,
        values: &Values,
        what: &str,
    ) -> Result<String, BenchError> {
        let text = template.fill(values)?;
        let secret = template
            .names()
            .any(|name| name.ends_with("password") || name.ends_with("key"));
        let sent = if secret {
            self.console
                .send_secret(&Secret::new(text))
                .await
                .map(|()| String::new())
        } else {
            self.console.send(&text).await.map(|()| text)
        };
        sent.map_err(|error| self.failed(what, error))
    }

    /// Asks the device to do something.
    ///
    /// # Errors
    /// The console does not bind the operation, or did not behave as the rig file says.
    pub async fn perform(
        &mut self,
        operation: &str,
        values: &Values,
    ) -> Result<Attempt, BenchError> {
        let binding = self
            .bindings
            .iter()
            .find(|(name, _)| name == operation)
            .map(|(_, binding)| binding.clone());
        let binding = binding.ok_or_else(|| {
            BenchError::Rig(format!(
                "operation `{operation}` is not bound on `{}`",
                self.interface
            ))
        })?;
        let mut all = self.values.clone();
        all.extend(values.clone());
        if self.state == State::Outside {
            return self.perform_outside(&binding, &all, operation).await;
        }
        let patience = self.manner.patience.0;
        let prompt = self.manner.prompt.0.clone();
        let refused = self.manner.refused.0.clone();
        self.console
            .until_quiet(Duration::from_millis(1), patience)
            .await
            .map_err(|error| self.failed(operation, error))?;
        // In a dialogue a refusal may come where no prompt follows: it counts wherever it stands.
        let mut refusals = Vec::new();
        if binding.steps.len() > 1 {
            if let Some(own) = &binding.meaning.refused {
                refusals.extend(to_end(own.with(&all)?.as_ref()));
            }
            refusals.extend(to_end(&refused));
        }
        let mut said = String::new();
        let mut sent = String::new();
        let mut pending = false;
        for step in &binding.steps {
            match step {
                Step::Send(template) => {
                    sent = self.send(template, &all, operation).await?;
                    pending = true;
                }
                Step::Expect(pattern) => {
                    // A refusal ends the dialogue early: then the prompt is back.
                    let mut ends: Vec<&Regex> = vec![&pattern.0, &prompt];
                    ends.extend(&refusals);
                    let seen = self
                        .console
                        .answer(&sent, &ends, patience)
                        .await
                        .map_err(|error| self.failed(operation, error))?;
                    said.push_str(&seen.text);
                    said.push('\n');
                    pending = false;
                    if seen.which > 1 {
                        said.push_str(&seen.matched);
                        self.abort(operation).await?;
                    }
                    if seen.which >= 1 {
                        return self.judged(&said, &binding.meaning, &refused, &all);
                    }
                }
            }
        }
        if pending {
            let mut ends: Vec<&Regex> = vec![&prompt];
            let locked = self.manner.locked.as_ref().map(|it| it.0.clone());
            ends.extend(locked.as_deref());
            let refusal = ends.len();
            ends.extend(&refusals);
            let seen = self
                .console
                .answer(&sent, &ends, patience)
                .await
                .map_err(|error| self.failed(operation, error))?;
            said.push_str(&seen.text);
            if seen.which >= refusal {
                said.push_str(&seen.matched);
                self.abort(operation).await?;
            }
        }
        self.judged(&said, &binding.meaning, &refused, &all)
    }

    /// Leaves a dialogue that was refused, and comes back to the prompt.
    async fn abort(&mut self, operation: &str) -> Result<(), BenchError> {
        const INTERRUPT: &[u8] = b"\x03";
        let enter = self.manner.newline.clone();
        let prompt = self.manner.prompt.0.clone();
        // The device may be on its way back by itself; it may ignore the interrupt, and ask again for what it refused: then
        // empty answers bring it to an end.
        let nudges = [INTERRUPT, enter.as_bytes(), enter.as_bytes()];
        for nudge in std::iter::once(&b""[..]).chain(nudges.into_iter().cycle().take(MOST_NUDGES)) {
            if !nudge.is_empty() {
                let sent = self.console.send_bytes(nudge).await;
                sent.map_err(|error| self.failed(operation, error))?;
            }
            if self.console.answer("", &[&prompt], LOOK * 4).await.is_ok() {
                return Ok(());
            }
        }
        Err(BenchError::Rig(format!(
            "the console did not come back to its prompt after `{operation}` was refused"
        )))
    }

    fn judged(
        &self,
        said: &str,
        meaning: &Meaning,
        refused: &Regex,
        values: &Values,
    ) -> Result<Attempt, BenchError> {
        Ok(judge(said, meaning, Some(refused), values)?)
    }

    /// Types a command where nobody is logged in. Only what the rig file says is the answer counts as one.
    async fn perform_outside(
        &mut self,
        binding: &ConsoleBinding,
        values: &Values,
        operation: &str,
    ) -> Result<Attempt, BenchError> {
        let mut said = String::new();
        for step in &binding.steps {
            if let Step::Send(template) = step {
                let sent = self.send(template, values, operation).await?;
                let text = self
                    .wait_for_login_step()
                    .await
                    .map_err(|error| self.failed(operation, error))?;
                said.push_str(strip_echo(&text, &sent));
                // What follows would be typed into the password prompt.
                break;
            }
        }
        let told = binding.meaning.ok.is_some() || binding.meaning.answer.is_some();
        let attempt = judge(
            &said,
            &binding.meaning,
            Some(&self.manner.refused.0),
            values,
        )?;
        let back_to_login = self.come_to_login().await;
        Ok(match attempt {
            Attempt::Done(answer) if !told => {
                // Without a pattern for the answer, the words of the login dialogue would count as one.
                back_to_login?;
                Attempt::Unclear(answer)
            }
            other => {
                back_to_login?;
                other
            }
        })
    }

    pub(super) async fn ended(&mut self, limit: Duration) -> Result<Option<String>, BenchError> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            if let Some(said) = self.moved().await? {
                return Ok(Some(said.text));
            }
            if tokio::time::Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Where the console stands by what it has shown since the last command: at a lock or at the login, if the device has
    /// taken it there by itself.
    ///
    /// # Errors
    /// The line dropped.
    pub async fn moved(&mut self) -> Result<Option<Said>, BenchError> {
        let text = self
            .console
            .until_quiet(Duration::from_millis(50), LOOK * 2)
            .await;
        let text = text.map_err(|error| self.failed("look", error))?;
        let at_end = |pattern: &Regex| ends_with(&text, pattern);
        let place = if self
            .manner
            .locked
            .as_ref()
            .is_some_and(|locked| at_end(&locked.0))
        {
            Place::Locked
        } else if self.first_expect().is_some_and(|login| at_end(&login)) {
            self.state = State::Outside;
            Place::Login
        } else {
            return Ok(None);
        };
        Ok(Some(Said { place, text }))
    }

    /// Sends a line in a session, and takes what comes until a prompt, a lock or a login stands at the end.
    ///
    /// # Errors
    /// None of them came, or the line dropped.
    pub async fn say(&mut self, text: &str) -> Result<Said, BenchError> {
        let prompt = self.manner.prompt.0.clone();
        let mut ends = vec![prompt];
        let locked = self.manner.locked.as_ref().map(|it| it.0.clone());
        let has_lock = locked.is_some();
        ends.extend(locked);
        ends.extend(self.first_expect());
        let ends: Vec<&Regex> = ends.iter().map(Arc::as_ref).collect();
        self.console
            .send(text)
            .await
            .map_err(|error| self.failed("say", error))?;
        let seen = self
            .console
            .answer(text, &ends, self.manner.patience.0)
            .await
            .map_err(|error| self.failed("say", error))?;
        let place = match (seen.which, has_lock) {
            (0, _) => Place::Prompt,
            (1, true) => Place::Locked,
            _ => Place::Login,
        };
        if place == Place::Login {
            self.state = State::Outside;
        }
        Ok(Said {
            place,
            text: seen.text,
        })
    }

    /// Logs out.
    pub(super) async fn close(mut self: Box<Self>) {
        self.log_out().await;
    }

    /// Logs out, and stays at the login; whether it showed.
    pub async fn log_out(&mut self) -> bool {
        let mut shown = false;
        if self.state == State::In && self.first_expect().is_some() {
            let logout = self.manner.logout.clone();
            if self.console.send(&logout).await.is_ok()
                && let Some(login) = self.first_expect()
            {
                let login = self
                    .console
                    .expect(&[&login], Duration::from_millis(1500))
                    .await;
                shown = login.is_ok();
            }
            self.state = State::Outside;
        }
        shown
    }
}

/// Where a console stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the prompt of a session.
    Prompt,
    /// At the lock of a session.
    Locked,
    /// At the login.
    Login,
}

/// What a console said, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where it stands.
    pub place: Place,
    /// The text.
    pub text: String,
}

/// The same pattern with all that follows it; none if that does not compile.
fn to_end(pattern: &Regex) -> Option<Regex> {
    Regex::new(&format!("(?:{pattern})(?s:.*)$")).ok()
}

/// Whether a match of the pattern is the end of the text.
fn ends_with(text: &str, pattern: &Regex) -> bool {
    let last = pattern.find_iter(text).last();
    last.is_some_and(|found| found.end() == text.len())
}

fn strip_echo<'t>(text: &'t str, sent: &str) -> &'t str {
    match text.find(sent) {
        Some(at) if !sent.is_empty() => &text[at + sent.len()..],
        _ => text,
    }
}
