//! A Modbus server on a serial line, under inputs of any kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slcert_rigs::bench::{Bench, Who};
use slcert_rigs::modbus::wire::Rtu as Frame;
use slcert_rigs::rig::SerialPort;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::framing::{ModbusGrammar, sealed};
use super::hazard::Hazards;
use super::judge::{Judge, is_legal, kind};
use super::port::{Port, takes};
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::pace::Pace;
use crate::fuzz::target::{Delivered, Target};
use crate::modbus::hex;

/// The silence after what is no frame, so that what follows begins one: a device that was seen to need it is given it.
const QUIET: Duration = Duration::from_millis(40);
/// When an answer has to begin, after the request has left the line: the device's usual time so many times, and more.
const ANSWER: (u32, Duration) = (3, Duration::from_millis(30));
/// The same where nothing is known of the device yet, and the time that a master gives a request that is whole (Modbus over Serial
/// Line V1.02, section 2.4.1): a device that takes so long over a refusal may hear nothing before it is done.
const FIRST: Duration = Duration::from_secs(1);
/// How long a wrong answer is waited for where none has to come, beyond the device's usual time: one that comes later makes the right
/// request that follows look lost, and is waited for longer then.
const NONE: Duration = Duration::from_millis(2);
/// How often a right request is sent before the line counts as dead, after a silence that is [`LONGER`] each time.
const TRIES: u32 = 4;
const LONGER: u32 = 4;
/// The least that counts as a device's time: a pty has no bit times, so that an answer may be there before the request has left.
const AT_ONCE: Duration = Duration::from_millis(1);

/// A server on a serial line. A port has one holder, so the line is shared and stays open.
pub struct Serial<'b> {
    pub(super) bench: &'b Bench,
    pub(super) interface: &'b str,
    pub(super) unit: u8,
    pub(super) settings: SerialPort,
    pub(super) grammar: Arc<ModbusGrammar>,
    pub(super) judge: Judge,
    pub(super) hazards: Hazards,
    /// A right request, as a PDU.
    pub(super) right: Vec<u8>,
    pub(super) line: Mutex<Option<Port>>,
    pub(super) pace: Pace,
    /// Whether the device takes long to see that what is no frame is over: what came too soon after one was lost.
    pub(super) slow: AtomicBool,
}

/// What an input is to a device that follows the specification.
enum Meaning {
    /// A whole frame for this unit: its request.
    Request(Vec<u8>),
    /// A whole frame that nobody may answer.
    ForOthers,
    /// Bytes without any frame in them.
    Damaged,
    /// Something of which the specification does not say what a device makes.
    Unclear,
}

/// Whether bytes begin or end with a whole frame, which a device may well answer.
fn holds_a_frame(bytes: &[u8]) -> bool {
    let is_frame = |part: &[u8]| Frame::new_checked(part).is_ok();
    (1..bytes.len()).any(|at| is_frame(&bytes[at..]) || is_frame(&bytes[..at]))
}

impl Serial<'_> {
    /// When something has to come, once all has left the line.
    fn limit(&self, (times, more): (u32, Duration)) -> Duration {
        self.pace.limit(times, more).unwrap_or(FIRST)
    }

    async fn line(&self) -> Result<MutexGuard<'_, Option<Port>>, String> {
        let mut line = self.line.lock().await;
        if line.is_none() {
            let opened = self.bench.open_fuzzed(self.interface, &Who::Nobody).await;
            let opened = opened.map_err(|error| error.to_string())?;
            *line = Some(Port::new(opened, self.settings));
        }
        Ok(line)
    }

    fn meaning(&self, input: &Input) -> Meaning {
        let [Act::Send(bytes)] = input.acts.as_slice() else {
            return Meaning::Unclear;
        };
        match Frame::new_checked(bytes.as_slice()) {
            Ok(frame) if frame.address() == self.unit => Meaning::Request(frame.pdu().to_vec()),
            Ok(_) => Meaning::ForOthers,
            Err(_) if holds_a_frame(bytes) => Meaning::Unclear,
            Err(_) => Meaning::Damaged,
        }
    }

    /// What is wrong with what came, or did not.
    fn judged(&self, meaning: &Meaning, answer: Option<&[u8]>, seen: &mut Seen) -> Option<Finding> {
        let Some(bytes) = answer else {
            seen.kinds.push("silence".to_owned());
            return None;
        };
        match meaning {
            Meaning::Unclear => {
                seen.kinds
                    .push("an answer to what is no single frame".to_owned());
                None
            }
            Meaning::ForOthers => Some(Finding::new(
                Oracle::Grammar,
                "a frame for others is answered",
                hex(bytes),
            )),
            // Silence alone parts the frames of this line: a bench that was late may have joined or cut them.
            Meaning::Damaged => Some(Finding::by_silence(
                Oracle::Acceptance,
                "what is no frame is answered",
                hex(bytes),
            )),
            Meaning::Request(request) => {
                let frame = match Frame::new_checked(bytes) {
                    Ok(frame) => frame,
                    Err(error) => {
                        let what = super::judge::without_numbers(&error.to_string());
                        let what = format!("a frame that is none: {what}");
                        return Some(Finding::new(Oracle::Grammar, what, hex(bytes)));
                    }
                };
                seen.parsed = true;
                seen.kinds.push(kind(request, frame.pdu()));
                if frame.address() != self.unit {
                    let what = "the unit of the answer is not that of the request";
                    return Some(Finding::new(Oracle::Grammar, what, hex(bytes)));
                }
                let found = self.judge.judge(request, frame.pdu());
                found.or_else(|| self.judge.exposes(request, frame.pdu()))
            }
        }
    }

    /// Sends right requests until one is answered: how many were lost before; none where all were.
    async fn still_answers(&self, port: &mut Port) -> Result<Option<u32>, String> {
        let bytes = sealed(self.unit, &self.right);
        for lost in 0..TRIES {
            if lost > 0 {
                port.pause(QUIET * LONGER.pow(lost - 1)).await;
            }
            let began = Instant::now();
            port.send(&bytes).await.map_err(|error| error.to_string())?;
            let answer = port.receive(self.limit(ANSWER)).await;
            if let Some(answer) = answer.map_err(|error| error.to_string())?
                && let Ok(frame) = Frame::new_checked(answer.as_slice())
                && frame.pdu().first() == self.right.first()
            {
                port.is_answered();
                let on_line = port.takes(bytes.len() + answer.len()) + port.gap();
                let took = began.elapsed().saturating_sub(on_line);
                self.pace.took(took.max(AT_ONCE));
                return Ok(Some(lost));
            }
        }
        Ok(None)
    }

    async fn exchange(
        &self,
        port: &mut Port,
        input: &Input,
        seen: &mut Seen,
    ) -> Result<Option<Finding>, String> {
        let said = |error: slcert_rigs::modbus::RawError| error.to_string();
        for act in &input.acts {
            match act {
                Act::Send(bytes) => port.send(bytes).await.map_err(said)?,
                Act::Pause(time) => port.pause(*time).await,
                Act::Login | Act::Shut | Act::Step(_) | Act::Asked(_) | Act::Tear => {}
            }
        }
        let meaning = self.meaning(input);
        let limit = match meaning {
            Meaning::Request(_) => self.limit(ANSWER),
            // Nothing has to come: a device that answers all the same answers like any other.
            _ if self.slow.load(Ordering::Relaxed) => QUIET,
            _ => port.gap() + self.pace.usual() + NONE,
        };
        let answer = port.receive(limit).await.map_err(said)?;
        if let Some(found) = self.judged(&meaning, answer.as_deref(), seen) {
            return Ok(Some(found));
        }
        if answer.is_some() && matches!(meaning, Meaning::Request(_)) {
            port.is_answered();
            return Ok(None);
        }
        if answer.is_some() {
            port.pause(QUIET).await;
        }
        let mut lost = self.still_answers(port).await?;
        if lost.is_some_and(|lost| lost > 0) {
            // What came too soon makes one frame of two: once more, with longer silences.
            let longer = match meaning {
                Meaning::Request(_) => FIRST,
                _ => QUIET * LONGER,
            };
            port.pause(longer).await;
            port.send(&input.bytes()).await.map_err(said)?;
            let answer = port.receive(longer).await.map_err(said)?;
            if let Some(bytes) = answer {
                let found = self.judged(&meaning, Some(&bytes), seen);
                if found.is_some() || matches!(meaning, Meaning::Request(_)) {
                    return Ok(found);
                }
            }
            lost = self.still_answers(port).await?;
            if lost == Some(0) {
                self.slow.store(true, Ordering::Relaxed);
            }
        }
        let seen_now = || format!("after {}", hex(&input.bytes()));
        Ok(match (lost, &meaning) {
            (None, _) => Some(Finding::by_silence(
                Oracle::Grammar,
                "right requests are not answered any more",
                seen_now(),
            )),
            (Some(1..), _) => Some(Finding::by_silence(
                Oracle::Grammar,
                "a right request after what is no frame is lost",
                seen_now(),
            )),
            (Some(0), Meaning::Request(request)) if is_legal(request) => {
                let function = request.first().copied().unwrap_or_default();
                let what = format!("FC {function}: a legal request is not answered");
                Some(Finding::by_silence(Oracle::Grammar, what, hex(request)))
            }
            (Some(0), _) => None,
        })
    }
}

impl Target for Serial<'_> {
    type Link = ();

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::<ModbusGrammar>::clone(&self.grammar)
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        self.hazards.forbid(input)
    }

    async fn open(&self) -> Result<(), String> {
        self.line().await.map(|_| ())
    }

    async fn deliver(&self, (): (), input: &Input) -> Delivered<()> {
        let mut seen = Seen::default();
        let mut line = match self.line().await {
            Ok(line) => line,
            Err(_) => return Delivered::fine(None, seen),
        };
        let Some(port) = line.as_mut() else {
            return Delivered::fine(None, seen);
        };
        match self.exchange(port, input, &mut seen).await {
            Ok(finding) => Delivered {
                finding,
                ..Delivered::fine(Some(()), seen)
            },
            // A line that is lost is looked at as a whole device is.
            Err(_) => {
                *line = None;
                Delivered::fine(None, seen)
            }
        }
    }

    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let began = Instant::now();
        let asked = async {
            let mut line = self.line().await?;
            let Some(port) = line.as_mut() else {
                return Err("the line is not open".to_owned());
            };
            let lost = self.still_answers(port).await;
            if !matches!(lost, Ok(Some(_))) {
                *line = None;
            }
            match lost? {
                Some(_) => Ok(()),
                None => Err("right requests are not answered".to_owned()),
            }
        };
        // All tries on a slow line take their time.
        let once = takes(self.settings, self.right.len() * 4) + self.limit(ANSWER) + QUIET * 2;
        let silences = QUIET * LONGER.pow(TRIES - 1);
        let patience = patience.max(once * (TRIES + 1) + silences);
        let late = |_| format!("no answer within {} ms", patience.as_millis());
        tokio::time::timeout(patience, asked)
            .await
            .map_err(late)??;
        Ok(began.elapsed())
    }
}
