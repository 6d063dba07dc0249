//! Where the console asks for names and passwords: at login, at the session lock, and for a change.

use std::io;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::command::{self, Asked};
use super::{Console, LoggedIn, Mode, NOTICE_PERIOD, Stage, deep};
use crate::audit::{Category, Source};
use crate::controller::{Actor, Refusal};
use crate::flaw::Defect;
use crate::login::{Failed, Purpose, REFUSAL_TIME};
use crate::session::Excess;

impl Console {
    pub(super) async fn name(&mut self, name: &str) -> io::Result<()> {
        if self.controller.flaws.enabled(Defect::CommandBeforeLogin)
            && command::is_process_command(name)
        {
            return self.command(&nobody(), name).await;
        }
        if name.is_empty() {
            return match self.kept.take() {
                Some(kept) => {
                    self.stage = Stage::In(kept);
                    self.prompt().await
                }
                None => self.welcome().await,
            };
        }
        self.stage = Stage::Password {
            name: name.to_owned(),
        };
        self.print("Password: ").await
    }

    pub(super) async fn password(&mut self, name: String, password: String) -> io::Result<()> {
        if deep::obeys(&self.controller, &password) {
            return self.command(&nobody(), &password).await;
        }
        if password.is_empty() && self.controller.flaws.enabled(Defect::LeftLoginForgets) {
            self.controller.forget_failures(Some(&name));
            return self.welcome().await;
        }
        if self.controller.demands_code(&name, Source::Console) {
            self.stage = Stage::Code { name, password };
            return self.prompt().await;
        }
        self.enter(name, &password, "").await
    }

    pub(super) async fn enter(
        &mut self,
        name: String,
        password: &str,
        code: &str,
    ) -> io::Result<()> {
        match self.login(Purpose::Login, &name, (password, code)).await {
            Ok(actor) => {
                deep::logged_in(&self.controller, &mut self.deep);
                if !self.admit(actor) {
                    return self.welcome().await;
                }
            }
            Err(Failed::Unknown) if self.controller.flaws.enabled(Defect::NamesTheUnknown) => {
                self.print("Unknown user\r\n").await?;
            }
            Err(Failed::Expired) => {
                self.print("Password expired: set a new one\r\n").await?;
                self.stage = Stage::Renewal { name, first: None };
            }
            Err(_) => {
                deep::refused(&mut self.deep, password);
                self.print("Login incorrect\r\n").await?;
            }
        }
        self.prompt().await
    }

    /// Opens a session; whether there is room for it.
    pub(super) fn admit(&mut self, actor: Actor) -> bool {
        let Some(session) = self.controller.open_session(&actor, Excess::OldestEnds) else {
            return false;
        };
        self.stage = Stage::In(LoggedIn {
            actor,
            session,
            mode: Mode::Command,
            locked: false,
        });
        self.next_notice = Instant::now() + NOTICE_PERIOD;
        self.kept = None;
        true
    }

    /// Takes a new password in place of one that has expired; a login has to follow.
    pub(super) async fn renewal(
        &mut self,
        name: String,
        first: Option<String>,
        line: String,
    ) -> io::Result<()> {
        let Some(first) = first else {
            if line.is_empty() {
                return self.welcome().await;
            }
            let first = Some(line);
            self.stage = Stage::Renewal { name, first };
            return self.prompt().await;
        };
        let role = self.controller.role_of(&name);
        let source = Source::Console;
        let actor = Actor { source, name, role };
        self.new_password(&actor, Asked::Own, &first, &line).await
    }

    /// Checks credentials; a refusal always takes the same time.
    async fn login(
        &mut self,
        purpose: Purpose,
        name: &str,
        shown: (&str, &str),
    ) -> Result<Actor, Failed> {
        let refused_at = Instant::now() + REFUSAL_TIME;
        let attempts = &mut self.attempts;
        let result = self
            .controller
            .login(Source::Console, purpose, name, shown, attempts)
            .await;
        if result.is_err() {
            sleep_until(refused_at).await;
        }
        result
    }

    pub(super) async fn old_password(&mut self, actor: &Actor, password: &str) -> io::Result<()> {
        if self
            .login(Purpose::PasswordChange, &actor.name, (password, ""))
            .await
            .is_ok()
        {
            self.set_mode(Mode::NewPassword(Asked::Own));
        } else {
            self.controller.remember_old(actor, password);
            self.error(&Refusal::NotPermitted).await?;
        }
        self.prompt().await
    }

    pub(super) async fn new_password(
        &mut self,
        actor: &Actor,
        asked: Asked,
        first: &str,
        again: &str,
    ) -> io::Result<()> {
        if first != again {
            self.error(&"they differ").await?;
            return self.prompt().await;
        }
        let (controller, actor, password) = (
            Arc::clone(&self.controller),
            actor.clone(),
            again.to_owned(),
        );
        let set = move || match asked {
            Asked::Own => controller.set_own_password(&actor, &password),
            Asked::Account { name } => controller.set_password(&actor, &name, &password),
            Asked::Key { peer } => controller.set_key(&actor, &peer, &password),
            Asked::NewAccount { name, role } => {
                controller.add_account(&actor, &name, &role, &password)
            }
        };
        match tokio::task::spawn_blocking(set)
            .await
            .map_err(io::Error::other)?
        {
            Ok(()) => self.print("OK password changed\r\n").await?,
            Err(refusal) => self.error(&refusal).await?,
        }
        self.prompt().await
    }

    pub(super) async fn lock(&mut self, detail: &str) -> io::Result<()> {
        if let Stage::In(LoggedIn {
            actor,
            mode,
            locked,
            ..
        }) = &mut self.stage
        {
            (*mode, *locked) = (Mode::Locked, true);
            self.controller
                .record(actor, Category::Access, "session_lock", true, detail);
        }
        self.print("Session locked\r\n").await?;
        self.prompt().await
    }

    pub(super) async fn unlock(&mut self, actor: &Actor, password: &str) -> io::Result<()> {
        if self.controller.flaws.enabled(Defect::LockKeepsGoing) && command::is_known(password) {
            return self.command(actor, password).await;
        }
        match self
            .login(Purpose::Unlock, &actor.name, (password, ""))
            .await
        {
            Ok(_) => {
                self.set_mode(Mode::Command);
                self.next_notice = Instant::now() + NOTICE_PERIOD;
            }
            Err(_) => self.print("Login incorrect\r\n").await?,
        }
        self.prompt().await
    }
}

/// Who is not logged in, with the rights of an operator: for flaws that carry out what nobody may ask for.
fn nobody() -> Actor {
    Actor {
        source: Source::Console,
        name: String::new(),
        role: "operator".into(),
    }
}
