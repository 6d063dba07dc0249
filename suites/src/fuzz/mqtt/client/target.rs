//! What comes of wrong answers: what the device says, whether it goes, and how it comes again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::{Heard, Here, Sentinel};
use super::grammar::{ClientGrammar, Step};
use super::presence::{Client, LISTEN};
use super::reading::{Sent, read};
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::target::{Delivered, Target};
use crate::modbus::hex;

/// How sending went.
#[derive(Clone, Copy, Debug, Default)]
struct Sending {
    /// The device had ended the connection.
    ended: bool,
    /// The bench's side was ended.
    shut: bool,
}

impl Client<'_> {
    /// Sends what an input says behind the right answers.
    async fn send(&self, here: &mut Here, input: &Input) -> Sending {
        let mut sending = Sending::default();
        for act in &input.acts {
            match act {
                // `up_to` has seen to the right answers.
                Act::Step(_) | Act::Asked(_) | Act::Tear | Act::Login => {}
                Act::Send(bytes) => {
                    here.clean = false;
                    if !here.send(bytes).await {
                        sending.ended = true;
                        return sending;
                    }
                }
                Act::Pause(time) => sleep(*time).await,
                Act::Shut => {
                    sending.shut = true;
                    here.finish().await;
                }
            }
        }
        sending
    }

    /// What comes of bytes that were sent, and whether the session goes on.
    async fn heard(
        &self,
        here: &mut Here,
        (input, sent): (&Input, &Sent),
        sending: Sending,
        came: &mut Vec<Vec<u8>>,
    ) -> Heard {
        if sending.ended {
            return Heard::Ended;
        }
        if sent.part || sending.shut || here.step == Step::Connect {
            return here.listen(LISTEN, came, |_| false).await;
        }
        let sentinel = self.sentinel();
        let limit = match sentinel {
            Sentinel::Nothing => LISTEN,
            _ => self.limit(),
        };
        let id = self.id(&input.bytes());
        here.ask(sentinel, id, limit, came).await
    }

    /// Waits until the device comes again, and says what is wrong with how it does. One that does not come shows as such to
    /// whoever looks at the device as a whole.
    async fn again(&self, left: Instant) -> (Option<Here>, Option<Finding>) {
        let Ok((here, at)) = self.comes(self.returns.limit()).await else {
            return (None, None);
        };
        let pause = at.saturating_duration_since(left);
        self.returns.took(pause);
        // Measured from before the input went out, so that the pause was no longer than that; one that came before then was
        // another connection.
        let early = match self.server.waits {
            Some(waits) if at > left && pause < waits / 2 => Some(Finding::new(
                Oracle::Model,
                "the device comes again sooner than it is stated to",
                format!(
                    "after {} ms; {} ms are stated",
                    pause.as_millis(),
                    waits.as_millis()
                ),
            )),
            _ => None,
        };
        (Some(here), early)
    }
}

impl Target for Client<'_> {
    /// The connection is the device's: what is kept is that there is one.
    type Link = ();

    fn waiting(&self) -> usize {
        1
    }

    /// The order that the rig file states is given rightly only to put back what a wrong one has changed.
    fn gives_no_orders(&self) -> Option<&str> {
        Some(self.name)
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::new(ClientGrammar {
            version: self.version,
            order: self.order.as_ref().map(|order| order.text.clone()),
        })
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        let order = self.order.as_ref()?;
        let sent = read(&input.bytes(), self.version);
        let right = sent.topics.contains(&order.text.topic);
        right.then_some("an order that is right")
    }

    async fn open(&self) -> Result<(), String> {
        let mut kept = self.here.lock().await;
        if kept.as_ref().is_some_and(|here| here.clean) {
            return Ok(());
        }
        *kept = None;
        let (here, _) = self.comes(self.returns.limit()).await?;
        *kept = Some(here);
        Ok(())
    }

    async fn deliver(&self, (): (), input: &Input) -> Delivered<()> {
        let mut seen = Seen::default();
        let mut kept = self.here.lock().await;
        let step = Step::of(input);
        let mut here = match kept.take().filter(|here| here.step <= step) {
            Some(here) => here,
            // What is said earlier in the dialogue needs a connection of its own.
            None => match self.comes(self.returns.limit()).await {
                Ok((here, _)) => here,
                Err(_) => return Delivered::fine(None, seen),
            },
        };
        let bytes = input.bytes();
        let sent = read(&bytes, self.version);
        let order = self
            .order
            .as_ref()
            .filter(|order| (sent.unreadable || step == Step::Connect) && order.is_in(&bytes));
        let before = match order {
            Some(order) => order.value().await,
            None => None,
        };
        let mut came = Vec::new();
        if self.up_to(&mut here, step, &mut came).await == Heard::Ended {
            return Delivered::fine(None, seen);
        }
        let left = Instant::now();
        let sending = self.send(&mut here, input).await;
        let heard = self
            .heard(&mut here, (input, &sent), sending, &mut came)
            .await;
        for packet in &came {
            let kind = slcert_rigs::mqtt::wire::frame::PacketType::of(packet[0]);
            seen.kinds.push(format!("{kind:?}"));
        }
        seen.kinds.push(match heard {
            Heard::Answer => "the session goes on".to_owned(),
            Heard::Ended => "the connection was ended".to_owned(),
            Heard::Silence => "silence".to_owned(),
        });
        // A device that is only not heard to leave has answered nothing.
        let answers = heard == Heard::Answer && self.sentinel() != Sentinel::Nothing;
        seen.parsed = answers || heard == Heard::Ended;
        let breach = sent.breach.filter(|_| answers && step > Step::Connect);
        let mut finding = self.illegal(&came).or_else(|| {
            breach.map(|breach| {
                Finding::new(
                    Oracle::Acceptance,
                    format!("{breach} is taken, and the session goes on"),
                    hex(&bytes),
                )
            })
        });
        let goes_on = heard == Heard::Answer && step > Step::Connect && finding.is_none();
        if goes_on {
            here.step = Step::Session;
            *kept = Some(here);
        } else {
            drop(here);
            let (again, early) = self.again(left).await;
            *kept = again;
            finding = finding.or(early);
        }
        if finding.is_none()
            && let (Some(order), Some(before)) = (order, before)
        {
            finding = order.carried_out(&before, &bytes).await;
            if finding.is_some() {
                // What is ordered again is to show again.
                *kept = self.put_back(kept.take(), order, &before).await;
            }
        }
        Delivered {
            finding,
            ..Delivered::fine(goes_on.then_some(()), seen)
        }
    }

    fn hurry(&self, on: bool) {
        self.returns.hurry(on);
    }

    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let mut kept = self.here.lock().await;
        // That a connection is not ended says nothing of a device that answers nothing on it.
        if let Some(mut here) = kept.take().filter(|_| self.sentinel() != Sentinel::Nothing) {
            let began = Instant::now();
            if self.is_there(&mut here).await.is_ok() {
                let took = began.elapsed();
                self.pace.took(took);
                *kept = Some(here);
                return Ok(took);
            }
        }
        // A connection on which much that is wrong was sent may end at any time: a new one has to be right.
        let limit = self.returns.limit().max(patience);
        let deadline = Instant::now() + limit;
        let mut said = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let comes = match self.known().sentinel {
                None => self.find_out(limit).await,
                Some(_) => self.comes(left).await.map(|(here, _)| here),
            };
            let mut here = comes.map_err(|why| said.take().unwrap_or(why))?;
            let began = Instant::now();
            match self.is_there(&mut here).await {
                Ok(()) => {
                    let took = began.elapsed();
                    self.pace.took(took);
                    *kept = Some(here);
                    return Ok(took);
                }
                Err(why) => said = Some(why),
            }
        }
    }
}
