//! A console under inputs of any kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use memchr::memmem;
use regex::Regex;
use slcert_rigs::Secret;
use slcert_rigs::bench::Bench;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::dialogue::{Broke, Held, Place, XON, wrong};
use super::grammar::{COMMAND, ConsoleGrammar};
use super::hazard::Hazards;
use super::words::{FORGED, PLANTED};
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::Oracle;
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::pace::Pace;
use crate::fuzz::target::{Delivered, Target};

/// What an idle console shows, and where it asks for more.
pub(super) struct Signs {
    /// The prompt of a session.
    pub prompt: Arc<Regex>,
    /// The login.
    pub login: Arc<Regex>,
    /// Where a password is asked for.
    pub password: Option<Arc<Regex>>,
    /// The lock.
    pub locked: Option<Arc<Regex>>,
}

/// A console. It has one holder, so the line is shared and stays open.
pub struct Terminal<'b> {
    pub(super) bench: &'b Bench,
    pub(super) interface: &'b str,
    pub(super) account: &'b str,
    pub(super) password: Option<Secret>,
    /// A right command: an operation that reads.
    pub(super) right: &'b str,
    /// Its line, and what its answer has in it.
    pub(super) told: Option<(String, Arc<Regex>)>,
    /// What nobody may change before a login.
    pub(super) states: Vec<State<'b>>,
    /// Who reads the audit log here.
    pub(super) auditor: Option<&'b str>,
    pub(super) grammar: Arc<ConsoleGrammar>,
    pub(super) hazards: Hazards,
    pub(super) signs: Signs,
    /// How long a login or a command may take, and a session idle.
    pub(super) patience: Duration,
    pub(super) idle: Option<Duration>,
    pub(super) quiet: Duration,
    pub(super) held: Mutex<Option<Held>>,
    pub(super) hurried: AtomicBool,
    pub(super) pace: Pace,
}

/// Something that an operation reads and another one writes.
pub(super) struct State<'b> {
    /// Reads it.
    pub read: &'b str,
    /// Writes it.
    pub write: &'b str,
    /// Who writes it here.
    pub by: Option<&'b str>,
}

impl Terminal<'_> {
    /// Does what an input says, and judges what came of it.
    async fn exchange(
        &self,
        holder: &mut Option<Held>,
        input: &Input,
        seen: &mut Seen,
    ) -> Result<(), Broke> {
        let held = self.line(holder).await.map_err(|_| Broke::Line)?;
        if self
            .idle
            .is_some_and(|idle| held.touched.elapsed() > idle / 2)
        {
            held.place = Place::Unknown;
        }
        let in_session = input.acts.first() == Some(&Act::Login);
        let before = match input.label == COMMAND {
            true => Some(self.state(held).await?),
            false => None,
        };
        if !in_session && held.place != Place::Login {
            self.leave(held).await?;
        }
        let mut said = String::new();
        let mut logged_in = in_session;
        let mut asked = false;
        let (mut finished, mut stopped) = (true, false);
        for (at, act) in input.acts.iter().enumerate() {
            let held = self.line(holder).await.map_err(|_| Broke::Line)?;
            match act {
                Act::Step(_) => {}
                Act::Login if at == 0 && held.place == Place::Prompt => {}
                Act::Login => {
                    if stopped {
                        self.type_in(held, XON, &mut said).await?;
                    }
                    self.enter(held, self.account).await?;
                    logged_in = true;
                    (finished, stopped) = (true, false);
                }
                Act::Send(bytes) => {
                    // What is planted as a password is typed where one is asked for, and nowhere else.
                    if !asked && memmem::find(bytes, PLANTED.as_bytes()).is_some() {
                        break;
                    }
                    held.place = Place::Unknown;
                    self.type_in(held, bytes, &mut said).await?;
                    finished = bytes
                        .last()
                        .is_some_and(|byte| matches!(byte, b'\r' | b'\n' | 0x03 | 0x04));
                    stopped |= bytes.contains(&0x13);
                    if !logged_in && finished {
                        asked = self.step(held, &mut said).await?;
                    }
                }
                Act::Pause(time) => sleep(*time).await,
                Act::Shut => {
                    *holder = None;
                    (finished, asked) = (false, false);
                }
            }
        }
        let held = self.line(holder).await.map_err(|_| Broke::Line)?;
        let place = match held.place {
            Place::Unknown => self.come_back(held, &mut said, finished, stopped).await?,
            place => place,
        };
        held.place = place;
        self.exposed(&said)?;
        self.kinds(&said, place, seen);
        match place {
            Place::Prompt if logged_in => self.still_answers(held).await?,
            Place::Prompt => {
                held.place = Place::Unknown;
                self.open_to_nobody(held).await?;
            }
            Place::Login | Place::Unknown => {}
        }
        if let Some(before) = before {
            let after = self.state(held).await?;
            if before != after {
                self.put_back(held, &before, &after).await;
                let seen = format!(
                    "{} before it, and {} behind it",
                    before.join(", "),
                    after.join(", ")
                );
                return Err(wrong(
                    Oracle::State,
                    "a command before login is carried out",
                    seen,
                ));
            }
        }
        if let Some(auditor) = self.auditor
            && memmem::find(&input.bytes(), FORGED.as_bytes()).is_some()
        {
            self.forged(held, auditor).await?;
        }
        Ok(())
    }
}

impl Target for Terminal<'_> {
    type Link = ();
    const TYPED: bool = true;

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::<ConsoleGrammar>::clone(&self.grammar)
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        self.hazards.forbid(input)
    }

    fn hurry(&self, on: bool) {
        self.hurried.store(on, Ordering::Relaxed);
    }

    async fn open(&self) -> Result<(), String> {
        let mut holder = self.held.lock().await;
        self.line(&mut holder).await?.place = Place::Unknown;
        Ok(())
    }

    async fn deliver(&self, (): (), input: &Input) -> Delivered<()> {
        let mut seen = Seen::default();
        let mut holder = self.held.lock().await;
        let broke = match self.exchange(&mut holder, input, &mut seen).await {
            Ok(()) => return Delivered::fine(Some(()), seen),
            Err(broke) => broke,
        };
        let finding = match broke {
            Broke::Found(finding) => Some(finding),
            Broke::Line => {
                *holder = None;
                None
            }
        };
        if let Some(held) = holder.as_mut() {
            held.place = Place::Unknown;
        }
        Delivered {
            finding,
            ..Delivered::fine(None, seen)
        }
    }

    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let began = Instant::now();
        let mut holder = self.held.lock().await;
        let asked = async {
            let held = self.line(&mut holder).await?;
            self.enter(held, self.account).await?;
            Ok(self.read(held, self.right).await?)
        };
        // The rig file says how long a login may take.
        let patience = match self.hurried.load(Ordering::Relaxed) {
            true => patience,
            false => patience.max(self.patience),
        };
        let late = |_| format!("no answer within {} ms", patience.as_millis());
        let served = timeout(patience, asked)
            .await
            .map_err(late)
            .and_then(|served| served);
        match served {
            Ok(_) => Ok(began.elapsed()),
            Err(why) => {
                // The port may be another one after a restart.
                *holder = None;
                Err(why)
            }
        }
    }
}
