//! What is judged after something was typed, beside that the console comes back.

use memchr::memmem;
use slcert_rigs::Attempt;
use slcert_rigs::rig::Values;
use tokio::time::timeout;

use super::dialogue::{Broke, Held, Lacks, Place, Typed, end_of, silent, wrong};
use super::terminal::Terminal;
use super::words::{FORGED, PLANTED};
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::Oracle;

impl Terminal<'_> {
    /// The values that a command before login must not change.
    pub(super) async fn state(&self, held: &mut Held) -> Result<Vec<String>, Lacks> {
        self.enter(held, self.account).await?;
        let mut values = Vec::new();
        for state in &self.states {
            values.push(self.read(held, state.read).await?);
        }
        Ok(values)
    }

    /// Whether what a command writes, that was typed before a login, is not what is read back. A value may well change by
    /// itself, to another one than was typed.
    pub(super) async fn unchanged(
        &self,
        held: &mut Held,
        typed: &[u8],
        before: &[String],
    ) -> Result<(), Broke> {
        let after = self.state(held).await?;
        let typed = String::from_utf8_lossy(typed);
        for (state, (before, after)) in self.states.iter().zip(before.iter().zip(&after)) {
            let line = after.parse().map(|value| state.line.line(value));
            if before == after || !line.is_ok_and(|line| typed.contains(&line)) {
                continue;
            }
            // The device is left as it was found, and the same can be seen again.
            if let Some(by) = state.by
                && self.enter(held, by).await.is_ok()
            {
                let value = Values::from([("value".to_owned(), before.clone())]);
                let _ = held.session.perform(state.write, &value).await;
                held.place = Place::Unknown;
            }
            let what = "a command before login is carried out";
            let seen = format!("`{}` is {after}, and was {before}", state.read);
            return Err(wrong(Oracle::State, what, seen));
        }
        Ok(())
    }

    /// Whether the session answers a right command. What was typed may have left it in the middle of something, once.
    pub(super) async fn still_answers(&self, held: &mut Held) -> Result<(), Broke> {
        let limit = self.limit();
        let mut why = String::new();
        for _ in 0..2 {
            match timeout(limit, self.read(held, self.right)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(Lacks::Line)) => return Err(Broke::Line),
                Ok(Err(Lacks::Right(said))) => why = said,
                Err(_) => why = format!("no answer within {} ms", limit.as_millis()),
            }
            held.place = Place::Unknown;
            held.place = self.come_back(held, &mut Typed::default()).await?;
            if held.place != Place::Prompt {
                return Ok(());
            }
        }
        Err(silent(
            Oracle::Grammar,
            "a right command is not answered rightly in its session",
            why,
        ))
    }

    /// What looks like the prompt of a session where nobody is logged in may be an echo: whether a command is answered there.
    pub(super) async fn open_to_nobody(&self, held: &mut Held) -> Result<(), Broke> {
        let Some((line, told)) = &self.told else {
            return Ok(());
        };
        let answer = held
            .session
            .line()
            .command(line, &self.signs.prompt, self.limit())
            .await;
        match answer {
            Ok(text) if told.is_match(&text) => Err(wrong(
                Oracle::Acceptance,
                "a session is open to who has not logged in",
                text,
            )),
            _ => Ok(()),
        }
    }

    /// How many lines of the audit log begin with what was typed as a name; none where it cannot be read.
    pub(super) async fn forged(&self, held: &mut Held, auditor: &str) -> Option<usize> {
        self.enter(held, auditor).await.ok()?;
        let read = held.session.perform("read_audit", &Values::new()).await;
        // Others' sessions are not the suite's.
        let _ = self.leave(held).await;
        let read = read.ok().filter(Attempt::is_done)?;
        // An entry may well begin with the name of its user.
        let audit = self.bench.rig().audit.as_ref();
        let entry = |line: &str| audit.is_some_and(|audit| audit.entry.is_match(line));
        let lines = read.answer().text.lines();
        Some(
            lines
                .filter(|line| line.starts_with(FORGED) && !entry(line))
                .count(),
        )
    }

    /// Whether something shows that was typed as a password.
    pub(super) fn exposed(&self, said: &str) -> Result<(), Broke> {
        let own = Some(self.password.reveal()).filter(|it| it.len() > 3);
        let secrets = own.into_iter().chain([PLANTED]);
        for secret in secrets {
            if memmem::find(said.as_bytes(), secret.as_bytes()).is_some() {
                return Err(wrong(
                    Oracle::Exposure,
                    "what was typed as a password shows",
                    end_of(&self.bench.conceal(said)),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn kinds(&self, said: &str, place: Place, seen: &mut Seen) {
        let mut lines = said
            .lines()
            .rev()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let prompt = lines.next();
        seen.parsed = prompt.is_some() && place != Place::Unknown;
        // What the device says of its own, without numbers; an echo is none.
        let words: String = lines
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_alphabetic() || *c == ' ')
            .take(60)
            .collect();
        let echo = words.contains("zz") || words.contains("ZZ");
        let words = if echo || words.is_empty() {
            "an echo"
        } else {
            words.trim()
        };
        let place = if place == Place::Login {
            "the login"
        } else {
            "the prompt"
        };
        seen.kinds.push(format!("{place} after {words}"));
    }
}
