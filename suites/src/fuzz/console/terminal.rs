//! A console under inputs of any kind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use memchr::memmem;
use regex::Regex;
use slcert_rigs::Secret;
use slcert_rigs::bench::Bench;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::dialogue::{Broke, Held, Place, Typed, wrong};
use super::grammar::ConsoleGrammar;
use super::hazard::{self, Hazards};
use super::keys::{END, INTERRUPT, XOFF, XON};
use super::words::{FORGED, PLANTED, Write};
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::Oracle;
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::pace::Pace;
use crate::fuzz::target::{Delivered, Target};

/// What ends a line, or gives it up.
const ENDS: [u8; 4] = [b'\r', b'\n', INTERRUPT, END];

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
    pub(super) password: Secret,
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
    /// How many logins in a row are refused before somebody is locked out.
    pub(super) refusals: u32,
    /// Whether the interrupt gives a line up; not known before the first look.
    pub(super) interrupts: OnceLock<bool>,
    pub(super) quiet: Duration,
    pub(super) baud: u32,
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
    /// The command that does.
    pub line: Write,
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
        let idle = self.idle.unwrap_or(Duration::MAX) / 2;
        if held.touched.elapsed() > idle {
            held.place = Place::Unknown;
        }
        let bytes = input.bytes();
        let holds = |text: &str| memmem::find(&bytes, text.as_bytes()).is_some();
        let outside = input.acts.first() != Some(&Act::Login);
        let writes = self.states.iter().any(|state| holds(&state.line.before));
        let before = match outside && writes {
            true => Some(self.state(held).await?),
            false => None,
        };
        let auditor = self.auditor.filter(|_| holds(FORGED));
        let forged = match auditor {
            Some(auditor) => self.forged(held, auditor).await,
            None => None,
        };
        if outside {
            // One refusal more would lock somebody out.
            if held.refused + 1 >= self.refusals {
                self.enter(held, self.account).await?;
            }
            if held.place != Place::Login {
                self.leave(held).await?;
            }
        }
        let mut typed = Typed {
            logged_in: !outside,
            finished: true,
            ..Typed::default()
        };
        self.carry_out(holder, input, &mut typed).await?;
        let held = self.line(holder).await.map_err(|_| Broke::Line)?;
        if held.place == Place::Unknown {
            held.place = self.come_back(held, &mut typed).await?;
        }
        self.exposed(&typed.said)?;
        self.kinds(&typed.said, held.place, seen);
        match held.place {
            Place::Prompt if typed.logged_in => self.still_answers(held).await?,
            Place::Prompt => {
                held.place = Place::Unknown;
                self.open_to_nobody(held).await?;
            }
            Place::Login | Place::Unknown => {}
        }
        if let Some(before) = before {
            self.unchanged(held, &bytes, &before).await?;
        }
        if let (Some(auditor), Some(before)) = (auditor, forged)
            && let Some(after) = self.forged(held, auditor).await
            && after > before
        {
            let seen = format!("{after} lines of it begin so, and {before} before");
            let what = "a line of the audit log begins with what was typed as a name";
            return Err(wrong(Oracle::State, what, seen));
        }
        Ok(())
    }

    /// Does the acts of an input, in order.
    async fn carry_out(
        &self,
        holder: &mut Option<Held>,
        input: &Input,
        typed: &mut Typed,
    ) -> Result<(), Broke> {
        // Whether the device asks for a password.
        let mut asked = false;
        for (at, act) in input.acts.iter().enumerate() {
            let held = self.line(holder).await.map_err(|_| Broke::Line)?;
            match act {
                Act::Step(_) | Act::Asked(_) | Act::Tear => {}
                Act::Login if at == 0 && held.place == Place::Prompt => {}
                Act::Login => {
                    if typed.stopped {
                        self.type_in(held, &[XON], &mut typed.said).await?;
                    }
                    self.enter(held, self.account).await?;
                    (typed.logged_in, typed.finished, typed.stopped) = (true, true, false);
                }
                Act::Send(bytes) => {
                    // What is planted as a password is typed where one is asked for, and nowhere else.
                    if !asked && memmem::find(bytes, PLANTED.as_bytes()).is_some() {
                        return Ok(());
                    }
                    held.place = Place::Unknown;
                    self.type_in(held, bytes, &mut typed.said).await?;
                    typed.finished = bytes.last().is_some_and(|last| ENDS.contains(last));
                    typed.stopped |= bytes.contains(&XOFF);
                    typed.bytes += bytes.len() as u32;
                    typed.lines += bytes.iter().filter(|byte| ENDS.contains(byte)).count() as u32;
                    if !typed.logged_in && typed.finished {
                        held.refused += u32::from(asked);
                        asked = self.step(held, &mut typed.said).await?;
                    }
                }
                Act::Pause(time) => sleep(*time).await,
                Act::Shut => {
                    *holder = None;
                    (typed.finished, asked) = (false, false);
                }
            }
        }
        Ok(())
    }
}

impl Target for Terminal<'_> {
    type Link = ();
    const TYPED: bool = true;

    fn gives_no_orders(&self) -> Option<&str> {
        Some(self.interface)
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::<ConsoleGrammar>::clone(&self.grammar)
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        let keeps = self.interrupts.get() == Some(&false);
        if keeps && hazard::brings_in(&input.bytes()) {
            return Some("a key that brings in lines, where no interrupt gives them up");
        }
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
        let finding = match self.exchange(&mut holder, input, &mut seen).await {
            Ok(()) => return Delivered::fine(Some(()), seen),
            Err(Broke::Found(finding)) => Some(finding),
            Err(Broke::Line) => {
                *holder = None;
                None
            }
        };
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
            self.read(held, self.right).await?;
            if self.interrupts.get().is_none() {
                let gives_up = self.gives_up(held).await;
                let _ = self.interrupts.set(gives_up);
            }
            Ok(())
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
            Ok(()) => Ok(began.elapsed()),
            Err(why) => {
                // The port may be another one after a restart.
                *holder = None;
                Err(why)
            }
        }
    }
}
