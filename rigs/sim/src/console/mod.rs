//! The serial console: login, commands, dialogues that ask for passwords, and the session lock.

mod command;
mod credentials;
mod deep;
mod line;

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::audit::{Category, Source};
use crate::controller::{Actor, Controller};
use crate::flaw::Defect;
use crate::login::Attempts;
use crate::pty::Pty;
use crate::session::Session;
use command::{Asked, CommandError, Outcome};
use deep::Key;
use line::{Echo, Input, LineEditor};

/// How long a half-done login waits.
const LOGIN_TIME: Duration = Duration::from_secs(30);
const NOTICE_PERIOD: Duration = Duration::from_secs(2);
/// Where the flaw `dies-on-long-line` gives up.
const FATAL_LINE: usize = 1024;

pub(crate) struct Console {
    pty: Pty,
    controller: Arc<Controller>,
    editor: LineEditor,
    /// What goes out next: the echo of bytes that came together is one piece.
    unsent: Vec<u8>,
    attempts: Attempts,
    stage: Stage,
    last_input: Instant,
    next_notice: Instant,
    /// The session that the flaw `logout-keeps-session` does not end.
    kept: Option<LoggedIn>,
    /// The line that the flaw `console-stale-line` does not forget.
    stale: String,
    deep: deep::Deep,
}

enum Stage {
    Name,
    Password {
        name: String,
    },
    /// The code of a second factor is asked for, whatever the password.
    Code {
        name: String,
        password: String,
    },
    /// The password has expired, and a new one is asked for.
    Renewal {
        name: String,
        first: Option<String>,
    },
    In(LoggedIn),
}

struct LoggedIn {
    actor: Actor,
    session: Session,
    mode: Mode,
    /// Whether it was locked once: one flaw minds.
    locked: bool,
}

enum Mode {
    Command,
    OldPassword,
    NewPassword(Asked),
    Again(Asked, String),
    Locked,
}

/// What the console waited for.
enum Wake {
    Bytes(usize),
    Idle,
    Notice,
    Ended,
}

impl Console {
    pub(crate) fn new(pty: Pty, controller: Arc<Controller>) -> Self {
        let now = Instant::now();
        Self {
            pty,
            controller,
            editor: LineEditor::default(),
            unsent: Vec::new(),
            attempts: Attempts::default(),
            stage: Stage::Name,
            last_input: now,
            next_notice: now,
            kept: None,
            stale: String::new(),
            deep: deep::Deep::default(),
        }
    }

    /// Serves the line for as long as the system lets it.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        self.welcome().await?;
        let mut buffer = [0; 256];
        loop {
            match self.wait(&mut buffer).await? {
                Wake::Bytes(count) => {
                    for byte in &buffer[..count] {
                        self.take(*byte).await?;
                    }
                    self.flush().await?;
                    self.last_input = Instant::now();
                }
                Wake::Idle => self.idle().await?,
                Wake::Notice => self.notice().await?,
                Wake::Ended => {
                    self.print("\r\nSession ended\r\n").await?;
                    self.leave().await?;
                }
            }
        }
    }

    async fn wait(&self, buffer: &mut [u8]) -> io::Result<Wake> {
        let idle = self.idle_deadline();
        let ended = async {
            match &self.stage {
                Stage::In(LoggedIn { session, .. }) => session.ended().await,
                _ => std::future::pending().await,
            }
        };
        let at_prompt = matches!(
            &self.stage,
            Stage::In(LoggedIn {
                mode: Mode::Command,
                ..
            })
        ) && !self.deep.swallows(&self.controller);
        Ok(tokio::select! {
            count = self.pty.read(buffer) => Wake::Bytes(count?),
            () = ended => Wake::Ended,
            () = sleep_until(idle.unwrap_or(self.last_input)), if idle.is_some() => Wake::Idle,
            () = sleep_until(self.next_notice), if at_prompt => Wake::Notice,
        })
    }

    fn idle_deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Name if self.editor.typed().is_empty() => None,
            Stage::Name | Stage::Password { .. } | Stage::Code { .. } | Stage::Renewal { .. } => {
                Some(self.last_input + LOGIN_TIME)
            }
            Stage::In(LoggedIn {
                mode: Mode::Locked, ..
            }) => None,
            Stage::In(_) if self.controller.flaws.enabled(Defect::NoSessionLock) => None,
            Stage::In(_) => Some(self.last_input + self.controller.policy().session_lock()),
        }
    }

    async fn idle(&mut self) -> io::Result<()> {
        self.editor.clear();
        match self.stage {
            Stage::In(_) => {
                self.print("\r\n").await?;
                self.lock("idle").await
            }
            Stage::Name | Stage::Password { .. } | Stage::Code { .. } | Stage::Renewal { .. } => {
                self.welcome().await
            }
        }
    }

    async fn take(&mut self, byte: u8) -> io::Result<()> {
        match deep::key(&self.controller, &mut self.deep, &self.editor, byte) {
            Key::Usual => {}
            Key::Lost => return Ok(()),
            Key::Shows(text) => self.print(&text).await?,
            Key::Deafens => {
                self.flush().await?;
                return std::future::pending().await;
            }
            Key::Floods => loop {
                self.print("~~~~~~~~~~~~~~~~").await?;
                sleep(Duration::from_millis(1)).await;
            },
        }
        let (input, echo) = self.editor.push(byte);
        let shown = self.shows_input();
        match echo {
            Echo::NewLine => self.print("\r\n").await?,
            Echo::Byte(byte) if shown => self.unsent.push(byte),
            Echo::Erase if shown => self.print("\x08 \x08").await?,
            _ => {}
        }
        match input {
            None => Ok(()),
            Some(Input::Line(line)) => self.line(line).await,
            Some(Input::TooLong(length)) => self.too_long(length).await,
            Some(Input::Interrupt) => self.interrupt().await,
            Some(Input::End) => self.end().await,
        }
    }

    /// Names and commands are echoed; passwords are not.
    fn shows_input(&self) -> bool {
        matches!(
            &self.stage,
            Stage::Name
                | Stage::In(LoggedIn {
                    mode: Mode::Command,
                    ..
                })
        ) || self.controller.flaws.enabled(Defect::PasswordEcho)
    }

    async fn line(&mut self, line: String) -> io::Result<()> {
        if let Some(delay) = deep::delay(&self.deep) {
            sleep(delay).await;
        }
        match std::mem::replace(&mut self.stage, Stage::Name) {
            Stage::Name => self.name(line.trim()).await,
            Stage::Password { name } => self.password(name, line).await,
            Stage::Code { name, password } => self.enter(name, &password, &line).await,
            Stage::Renewal { name, first } => self.renewal(name, first, line).await,
            Stage::In(LoggedIn {
                actor,
                session,
                mode,
                locked,
            }) => {
                let back = |mode| {
                    Stage::In(LoggedIn {
                        actor: actor.clone(),
                        session,
                        mode,
                        locked,
                    })
                };
                match mode {
                    Mode::Command => {
                        self.stage = back(Mode::Command);
                        self.command(&actor, &line).await
                    }
                    Mode::OldPassword => {
                        self.stage = back(Mode::Command);
                        self.old_password(&actor, &line).await
                    }
                    Mode::NewPassword(asked) => {
                        self.stage = back(Mode::Again(asked, line));
                        self.print("Again: ").await
                    }
                    Mode::Again(asked, first) => {
                        self.stage = back(Mode::Command);
                        self.new_password(&actor, asked, &first, &line).await
                    }
                    Mode::Locked => {
                        self.stage = back(Mode::Locked);
                        self.unlock(&actor, &line).await
                    }
                }
            }
        }
    }

    async fn command(&mut self, actor: &Actor, line: &str) -> io::Result<()> {
        let outcome = match deep::command(&self.controller, &self.deep, line) {
            true => command::run(&self.controller, actor, line),
            false => Err(CommandError::Unknown),
        };
        match outcome {
            Ok(Outcome::Done(lines)) => {
                for line in lines {
                    self.print(&line).await?;
                    self.print("\r\n").await?;
                }
            }
            Ok(Outcome::Ask(Asked::Own)) => self.set_mode(Mode::OldPassword),
            Ok(Outcome::Ask(asked)) => self.set_mode(Mode::NewPassword(asked)),
            Ok(Outcome::Lock) => return self.lock("by hand").await,
            Ok(Outcome::Logout) => return self.leave().await,
            Err(error) => {
                let mut said = error.to_string();
                if matches!(error, CommandError::Unknown) {
                    // Not the text: it may be a password typed too early.
                    self.controller
                        .audit
                        .record_malformed(Source::Console, "unknown command");
                    if self.controller.flaws.enabled(Defect::ConsoleStaleLine) {
                        said.push_str(self.stale.get(line.len()..).unwrap_or_default());
                        if line.len() > self.stale.len() {
                            self.stale = line.to_owned();
                        }
                    }
                }
                self.error(&said).await?;
            }
        }
        self.prompt().await
    }

    async fn interrupt(&mut self) -> io::Result<()> {
        if let Stage::Password { .. } = self.stage {
            deep::given_up(&mut self.deep);
        }
        match &mut self.stage {
            Stage::Password { .. } | Stage::Code { .. } | Stage::Renewal { .. } => {
                self.stage = Stage::Name;
            }
            Stage::In(LoggedIn {
                mode: mode @ (Mode::OldPassword | Mode::NewPassword(_) | Mode::Again(..)),
                ..
            }) => {
                *mode = Mode::Command;
            }
            _ => {}
        }
        self.prompt().await
    }

    async fn end(&mut self) -> io::Result<()> {
        self.attempts = Attempts::default();
        self.leave().await
    }

    /// Ends the session, if there is one, and starts over.
    async fn leave(&mut self) -> io::Result<()> {
        self.editor.clear();
        if let Stage::In(mut logged_in) = std::mem::replace(&mut self.stage, Stage::Name) {
            self.controller
                .record(&logged_in.actor, Category::Access, "logout", true, "");
            deep::left(&mut self.deep, &logged_in.actor);
            let outlives =
                logged_in.locked && self.controller.flaws.enabled(Defect::LockedOutlivesLogout);
            if outlives || self.controller.flaws.enabled(Defect::LogoutKeepsSession) {
                logged_in.mode = Mode::Command;
                self.kept = Some(logged_in);
            }
        }
        self.welcome().await
    }

    async fn too_long(&mut self, length: usize) -> io::Result<()> {
        if length > FATAL_LINE && self.controller.flaws.enabled(Defect::DiesOnLongLine) {
            self.controller.crash.notify_one();
        }
        if let (Stage::Name, Some(actor)) = (
            &self.stage,
            deep::opened_by_long_name(&self.controller, &self.deep),
        ) {
            self.admit(actor);
            return self.prompt().await;
        }
        self.error(&"line too long").await?;
        self.prompt().await
    }

    async fn welcome(&mut self) -> io::Result<()> {
        self.stage = Stage::Name;
        if !self.controller.flaws.enabled(Defect::NoBanner) {
            self.print(&format!("\r\n{}\r\n", self.controller.policy().banner))
                .await?;
        }
        self.prompt().await
    }

    async fn notice(&mut self) -> io::Result<()> {
        self.next_notice = Instant::now() + NOTICE_PERIOD;
        let process = &self.controller.process;
        let state = if process.high_alarm() {
            "high"
        } else {
            "normal"
        };
        self.print(&format!("\r\n*** level {} {state}\r\n", process.level()))
            .await?;
        if self.controller.flaws.enabled(Defect::SecretInNotice) {
            let changed = self.controller.changed_password.lock();
            let changed = changed.unwrap_or_else(PoisonError::into_inner).take();
            if let Some((name, password)) = changed {
                self.print(&format!("*** password of {name} is {password}\r\n"))
                    .await?;
            }
        }
        self.prompt().await?;
        self.unsent.extend_from_slice(self.editor.typed());
        self.flush().await
    }

    async fn prompt(&mut self) -> io::Result<()> {
        let prompt = match &self.stage {
            Stage::Name => "login: ".into(),
            Stage::Password { .. } => "Password: ".into(),
            Stage::Code { .. } => "Code: ".into(),
            Stage::Renewal { first: None, .. } => "New password: ".into(),
            Stage::Renewal { .. } => "Again: ".into(),
            Stage::In(LoggedIn { actor, mode, .. }) => match mode {
                Mode::Command => format!("\x1b[1;32m{}@tc-100\x1b[0m> ", actor.name),
                Mode::OldPassword => "Old password: ".into(),
                Mode::NewPassword(Asked::Key { .. }) => "New key: ".into(),
                Mode::NewPassword(_) => "New password: ".into(),
                Mode::Again(..) => "Again: ".into(),
                Mode::Locked => "Password: ".into(),
            },
        };
        self.print(&prompt).await
    }

    async fn error(&mut self, error: &impl std::fmt::Display) -> io::Result<()> {
        self.print(&format!("error: {error}\r\n")).await?;
        if self.controller.flaws.enabled(Defect::StackTrace) {
            self.print("  at shell_dispatch (/build/tc100/src/shell/dispatch.c:214)\r\n")
                .await?;
            self.print("  at shell_task (/build/tc100/src/shell/task.c:88)\r\n")
                .await?;
        }
        Ok(())
    }

    fn set_mode(&mut self, new: Mode) {
        if let Stage::In(LoggedIn { mode, .. }) = &mut self.stage {
            *mode = new;
        }
    }

    async fn print(&mut self, text: &str) -> io::Result<()> {
        self.unsent.extend_from_slice(text.as_bytes());
        self.flush().await
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let sent = self.pty.write(&self.unsent).await;
        self.unsent.clear();
        sent
    }
}
