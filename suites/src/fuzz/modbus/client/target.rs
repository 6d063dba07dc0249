//! What comes of wrong answers: whether the device polls on, what it asks, and what it took.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use slcert_rigs::modbus::wire::Mbap;
use slcert_rigs::rig::Server;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::answers::Asked;
use super::connection::{Here, Next, Taken};
use super::grammar::{ClientGrammar, asked_of};
use super::reading::{addressed, takable};
use super::refusal::Comings;
use super::service::Service;
use super::shown::Shown;
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::returns::Returns;
use crate::fuzz::target::{Delivered, Target};

/// How long nobody is let in at a time: as often as the device waits, within bounds.
const REFUSAL: (u32, Duration, Duration) = (12, Duration::from_millis(100), Duration::from_secs(1));
/// The unit that is answered with where the rig file states none.
const UNIT: u8 = 1;

/// A device that polls a server of the bench's.
pub struct Client<'b> {
    /// The name of the server.
    pub(super) name: &'b str,
    pub(super) server: &'b Server,
    pub(super) service: Service,
    pub(super) shown: Option<Shown<'b>>,
    /// How long it takes until it asks again.
    pub(super) returns: Returns,
    /// As how many clients it comes, before anything is sent that is wrong.
    pub(super) clients: AtomicUsize,
    /// Which of two numbers is held.
    pub(super) turn: Mutex<bool>,
}

impl Client<'_> {
    fn asked(&self) -> Vec<Asked> {
        let state = self.service.state();
        let all: Vec<_> = state.of_kind.values().map(|poll| &poll.request).collect();
        let asked = all.iter().map(|request| Asked {
            request: (*request).clone(),
            others: all.iter().map(|one| (*one).clone()).collect(),
            shown: self.shown.as_ref().and_then(|shown| {
                let place = shown.place(request)?;
                Some((place, shown.stated.values))
            }),
            unit: self.server.unit.unwrap_or(UNIT),
        });
        asked.collect()
    }

    /// Sends what an input says; none where the connection was reset.
    async fn say(
        &self,
        here: Here,
        input: &Input,
        transaction: u16,
    ) -> (Option<Here>, Option<Finding>) {
        let mut bytes = input.bytes();
        addressed(&mut bytes, transaction);
        let all = [here.said.as_slice(), &bytes].concat();
        self.service.says(&all, &here.pending);
        let mut bytes = bytes.as_slice();
        let mut here = Some(here);
        let mut refusing = None;
        for act in &input.acts {
            match act {
                Act::Asked(_) | Act::Login | Act::Step(_) => {}
                Act::Send(part) => {
                    let (now, rest) = bytes.split_at(part.len().min(bytes.len()));
                    bytes = rest;
                    if let Some(here) = &mut here {
                        here.said(now);
                        let _ = here.raw.send(now).await;
                    }
                }
                Act::Pause(time) if refusing.is_some() => {
                    sleep(*time / 2).await;
                    self.service.let_ask();
                    sleep(*time / 2).await;
                }
                Act::Pause(time) => sleep(*time).await,
                Act::Shut => {
                    if let Some(here) = &mut here {
                        here.shut = true;
                        let _ = here.raw.finish().await;
                    }
                }
                Act::Tear => {
                    refusing.get_or_insert_with(|| (Instant::now(), self.service.shut()));
                    here = None;
                }
            }
        }
        let early = refusing.and_then(|(since, open)| {
            let came = self.service.let_in();
            self.storm(&came, open, since.elapsed())
        });
        (here, early)
    }

    /// Whether the device came again without the pause that it is stated to make, while nobody was let in for so long.
    fn storm(&self, came: &Comings, open: usize, time: Duration) -> Option<Finding> {
        let waits = self.server.waits?;
        let clients = self.clients.load(Ordering::Relaxed).max(open);
        let pause = came.too_soon(clients, waits)?;
        Some(Finding::new(
            Oracle::Model,
            "the device comes again sooner than it is stated to",
            format!(
                "{} times in {} ms in which nobody was let in, {} of them within {} ms as a rule; {} ms between two are stated",
                came.len(),
                time.as_millis(),
                clients + 2,
                pause.as_millis(),
                waits.as_millis()
            ),
        ))
    }

    /// What was wrong with what the device sent.
    fn breach(&self) -> Option<Finding> {
        let breaches = std::mem::take(&mut self.service.state().breaches);
        breaches.into_iter().next()
    }

    /// What is to be looked at after an input that has a number for the register that is shown: the number before, and the
    /// one that is right.
    async fn before(&self, input: &Input) -> Option<(&Shown<'_>, (u16, u16))> {
        let shown = self.shown.as_ref()?;
        shown.place(asked_of(input))?;
        if input.bytes().is_empty() {
            return None;
        }
        let turn = *self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, right) = shown.held(turn);
        Some((shown, (shown.value().await?, right)))
    }
}

impl Target for Client<'_> {
    /// Connections are the device's: what is kept is that the last one goes on.
    type Link = ();

    fn waiting(&self) -> usize {
        1
    }

    fn gives_no_orders(&self) -> Option<&str> {
        Some(self.name)
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        let (times, least, most) = REFUSAL;
        let waits = self.server.waits.unwrap_or_default();
        Arc::new(ClientGrammar {
            asked: self.asked(),
            refusal: (waits * times).clamp(least, most),
        })
    }

    /// What a device does with a right answer is its own affair: numbers that the rig file does not name go out in none.
    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        let asked = asked_of(input);
        let bytes = input.bytes();
        let place = self.shown.as_ref().and_then(|shown| {
            let place = shown.place(asked)?;
            Some((2 * place, shown.stated.values))
        });
        let unnamed = |data: &&[u8]| {
            let others = data.iter().enumerate().any(|(at, byte)| {
                let shown = place.is_some_and(|(from, _)| (from..from + 2).contains(&at));
                *byte != 0 && !shown
            });
            let number = place.and_then(|(at, range)| {
                Some((u16::from_be_bytes(*data.get(at..)?.first_chunk()?), range))
            });
            others || number.is_some_and(|(number, (from, to))| !(from..=to).contains(&number))
        };
        let right = takable(&bytes, asked, &BTreeSet::from([0]));
        right
            .iter()
            .any(unnamed)
            .then_some("a right answer with numbers that the rig file does not name")
    }

    async fn open(&self) -> Result<(), String> {
        Ok(())
    }

    async fn deliver(&self, (): (), input: &Input) -> Delivered<()> {
        let mut seen = Seen::default();
        if input.anew {
            self.service.tear();
        }
        let before = self.before(input).await;
        let began = Instant::now();
        let taken = self
            .service
            .take(asked_of(input), self.returns.limit())
            .await;
        let Some(Taken { here, frame }) = taken else {
            return Delivered::fine(None, seen);
        };
        if self.returns.is_hurried() {
            // Of what was sent before.
            self.breach();
        } else {
            self.returns.took(began.elapsed());
        }
        let request = Mbap::new_unchecked(frame.as_slice());
        let (pdu, transaction) = (request.pdu().to_vec(), request.transaction());
        let said = here.said.len();
        let (here, early) = self.say(here, input, transaction).await;
        let mut finding = early;
        let mut goes_on = false;
        match here {
            None => seen.kinds.push("the connection was reset".to_owned()),
            Some(mut here) => {
                if let Some((shown, before)) = before {
                    let said = here.said.get(said..).unwrap_or_default();
                    let all = (here.said.as_slice(), said);
                    finding = shown
                        .taken(before, &pdu, all, &here.pending)
                        .await
                        .or(finding);
                }
                let (next, comes) = oneshot::channel();
                here.next = Some(next);
                self.service.give_back(here);
                let next = timeout(self.returns.usually(), comes).await;
                let (word, parsed) = match next {
                    Ok(Ok(Next::Asks)) => ("the device asks on", true),
                    Ok(Ok(Next::Leaves)) => ("the device ends the connection", true),
                    Ok(Err(_)) | Err(_) => ("silence", false),
                };
                goes_on = word == "the device asks on";
                seen.parsed = parsed && input.size() > 0;
                let function = pdu.first().copied().unwrap_or_default();
                seen.kinds.push(format!("FC {function}: {word}"));
            }
        }
        // What an answer has left behind may stand in whatever is asked next.
        self.service
            .round(Instant::now() + self.returns.usually())
            .await;
        let finding = self.breach().or(finding);
        Delivered {
            finding,
            ..Delivered::fine(goes_on.then_some(()), seen)
        }
    }

    fn hurry(&self, on: bool) {
        self.returns.hurry(on);
    }

    /// How long the device leaves between two polls is its own affair: it is never late while it comes in the time that the rig
    /// file grants it.
    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let deadline = Instant::now() + self.returns.limit().max(patience);
        let known = !self.service.state().of_kind.is_empty();
        match &self.shown {
            Some(shown) => self.shows(shown, deadline).await?,
            None => self.polls(deadline).await?,
        }
        if !known {
            self.learn(deadline).await;
            let state = self.service.state();
            let at_once = state.comings.at_once(self.server.waits.unwrap_or_default());
            let clients = at_once.max(state.most_open);
            self.clients.store(clients, Ordering::Relaxed);
        }
        Ok(Duration::ZERO)
    }
}
