//! A Modbus server on TCP or TLS, under inputs of any kind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use slcert_rigs::bench::{Bench, Who};
use slcert_rigs::line::Line;
use slcert_rigs::modbus::wire::{Mbap, Request, mbap};
use slcert_rigs::modbus::{Raw, RawError};
use slcert_rigs::rig::Area;
use tokio::time::{Instant, sleep};

use super::framing::{ModbusGrammar, frame};
use super::hazard::Hazards;
use super::judge::{Judge, is_legal, kind};
use crate::fuzz::coverage::Seen;
use crate::fuzz::differences::Comes;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::pace::Pace;
use crate::fuzz::target::{Delivered, Target, waiting};
use crate::fuzz::tls::Served;
use crate::modbus::hex;

/// The transaction of the bench's own requests.
const OWN: u16 = 0x51CE;
/// The time that an answer is waited for before a right request follows: the device's usual time so many times, and more.
pub(super) const SHORT: (u32, Duration) = (8, Duration::from_millis(10));
/// The time that the right request is waited for.
pub(super) const LONG: (u32, Duration) = (20, Duration::from_millis(600));
/// How long a connection on which a request does not end is listened to.
const LISTEN: Duration = Duration::from_millis(100);

/// A server on TCP or TLS.
pub struct Tcp<'b> {
    pub(super) bench: &'b Bench,
    pub(super) interface: &'b str,
    pub(super) who: Who<'b>,
    pub(super) unit: u8,
    pub(super) grammar: Arc<ModbusGrammar>,
    pub(super) judge: Judge,
    pub(super) hazards: Hazards,
    /// The items that an operation writes and another one reads back.
    pub(super) read_back: Vec<(Area, u16)>,
    /// A right request, as a PDU.
    pub(super) right: Vec<u8>,
    pub(super) pace: Pace,
}

/// A connection, and what is owed on it.
pub struct Link {
    pub(super) raw: Raw<Line>,
    pub(super) sent: Sent,
}

/// What was sent on a connection, as a server that follows the specification reads it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// What does not make a whole frame yet.
    rest: Vec<u8>,
    /// A header that no frame has came: what follows means nothing.
    broken: bool,
    /// Whole requests that are not answered yet.
    pub(super) owed: VecDeque<Owed>,
    /// What was written to items that can be read back.
    written: BTreeMap<(Area, u16), u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    transaction: u16,
    unit: u8,
    pub(super) pdu: Vec<u8>,
}

impl Sent {
    fn add(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        self.rest.extend_from_slice(bytes);
        loop {
            let header = Mbap::new_unchecked(self.rest.as_slice());
            if self.rest.len() >= mbap::field::PROTOCOL.end && header.protocol() != 0 {
                self.broken = true;
            }
            if self.rest.len() < mbap::field::LENGTH.end || self.broken {
                return;
            }
            let length = header.length();
            if !(2..=254).contains(&length) {
                self.broken = true;
                return;
            }
            let end = mbap::field::UNIT + usize::from(length);
            if self.rest.len() < end {
                return;
            }
            let after = self.rest.split_off(end);
            let whole = std::mem::replace(&mut self.rest, after);
            let whole = Mbap::new_unchecked(whole.as_slice());
            self.owed.push_back(Owed {
                transaction: whole.transaction(),
                unit: whole.unit(),
                pdu: whole.pdu().to_vec(),
            });
        }
    }

    /// Whether the next byte begins a frame.
    pub(super) fn is_clean(&self) -> bool {
        !self.broken && self.rest.is_empty()
    }

    /// The request that has to be answered. Where something was sent that is not legal, a server may end the connection over
    /// it, and owes nothing to what stands beside it then.
    fn due(&self, unit: u8, ended: bool) -> Option<&Owed> {
        let legal = |owed: &&Owed| owed.unit == unit && is_legal(&owed.pdu);
        if ended && !self.owed.iter().all(|owed| legal(&owed)) {
            return None;
        }
        self.owed.iter().find(legal)
    }

    /// A transaction for the bench's own request.
    pub(super) fn unused(&self) -> u16 {
        let mut own = OWN;
        while self.owed.iter().any(|owed| owed.transaction == own) {
            own = own.wrapping_add(1);
        }
        own
    }

    pub(super) fn settle(&mut self, transaction: u16) -> Option<Owed> {
        let at = self
            .owed
            .iter()
            .position(|owed| owed.transaction == transaction)?;
        self.owed.remove(at)
    }
}

/// How requests were cut into segments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// One in one.
    Whole,
    /// One in several.
    Pieces,
    /// Several in one.
    Joined,
}

/// How listening for answers ended.
enum Heard {
    /// Everything is answered.
    All,
    /// Something is not, and nothing more came.
    Silence,
    /// The server ended the connection.
    Ended,
    /// An answer is wrong.
    Wrong(Finding),
}

impl Tcp<'_> {
    pub(super) fn limit(&self, (times, more): (u32, Duration)) -> Duration {
        self.pace.limit(times, more).unwrap_or(more)
    }

    /// Takes answers until nothing is owed.
    async fn hear(&self, link: &mut Link, limit: Duration, seen: &mut Seen) -> Heard {
        while !link.sent.owed.is_empty() {
            match link.raw.receive_tcp(limit).await {
                Ok(Some(bytes)) => {
                    if let Some(found) = self.answered(&mut link.sent, &bytes, seen) {
                        return Heard::Wrong(found);
                    }
                }
                Ok(None) => return Heard::Silence,
                Err(_) => return Heard::Ended,
            }
        }
        Heard::All
    }

    fn answered(&self, sent: &mut Sent, bytes: &[u8], seen: &mut Seen) -> Option<Finding> {
        let answer = match Mbap::new_checked(bytes) {
            Ok(answer) => answer,
            Err(error) => {
                let what = super::judge::without_numbers(&error.to_string());
                return Some(Finding::new(
                    Oracle::Grammar,
                    format!("a frame that is none: {what}"),
                    hex(bytes),
                ));
            }
        };
        let Some(owed) = sent.settle(answer.transaction()) else {
            if sent.broken {
                // What a server makes of bytes behind a broken header is its own affair.
                seen.kinds
                    .push("an answer behind a broken header".to_owned());
                return None;
            }
            let what = match sent.rest.is_empty() {
                true => "an answer that nobody asked for",
                false => "an answer to a request that has not ended",
            };
            let oracle = if sent.rest.is_empty() {
                Oracle::Grammar
            } else {
                Oracle::Acceptance
            };
            return Some(Finding::new(oracle, what, hex(bytes)));
        };
        seen.parsed = true;
        seen.kinds.push(kind(&owed.pdu, answer.pdu()));
        if answer.unit() != owed.unit {
            return Some(Finding::new(
                Oracle::Grammar,
                "the unit of the answer is not that of the request",
                format!("{} answers {}", hex(bytes), hex(&owed.pdu)),
            ));
        }
        if owed.unit != self.unit {
            return None;
        }
        let found = self.judge.judge(&owed.pdu, answer.pdu());
        if found.is_none() && answer.pdu().first().is_some_and(|code| code & 0x80 == 0) {
            for (item, value) in writes(&owed.pdu) {
                if self.read_back.contains(&item) {
                    sent.written.insert(item, value);
                }
            }
        }
        found.or_else(|| self.judge.exposes(&owed.pdu, answer.pdu()))
    }

    /// Reads back what the device says that it has written.
    async fn reads_back(&self, link: &mut Link) -> Option<Finding> {
        for ((area, at), value) in std::mem::take(&mut link.sent.written) {
            let [high, low] = at.to_be_bytes();
            let function = if area == Area::Coil { 1 } else { 3 };
            let request = [function, high, low, 0, 1];
            let bytes = frame(OWN, self.unit, &request);
            link.raw.send(&bytes).await.ok()?;
            let answer = link.raw.receive_tcp(self.limit(LONG)).await.ok()??;
            let read = match *Mbap::new_unchecked(answer.as_slice()).pdu() {
                [1, 1, bits] => u16::from(bits & 1),
                [3, 2, high, low] => u16::from_be_bytes([high, low]),
                // Whatever this is, the inputs that read will show it.
                _ => return None,
            };
            if read != value {
                return Some(Finding::new(
                    Oracle::State,
                    "a write is acknowledged and not done",
                    format!("{read} in item {at}, where {value} was written"),
                ));
            }
        }
        None
    }

    /// What silence, or the end of the connection, means for requests that have to be answered.
    fn unanswered(&self, sent: &Sent, how: Sending, ended: bool) -> Option<Finding> {
        let owed = sent.due(self.unit, ended)?;
        let seen = if ended {
            "the end of the connection"
        } else {
            "nothing"
        };
        let function = owed.pdu.first().copied().unwrap_or_default();
        let (oracle, what) = match how {
            Sending::Whole => (
                Oracle::Grammar,
                format!("FC {function}: a legal request is not answered"),
            ),
            Sending::Pieces => (
                Oracle::Segmentation,
                "a legal request in pieces is not answered".to_owned(),
            ),
            Sending::Joined => (
                Oracle::Segmentation,
                "a legal request in one segment with others is not answered".to_owned(),
            ),
        };
        Some(Finding::by_silence(
            oracle,
            what,
            format!("{seen} answers {}", hex(&owed.pdu)),
        ))
    }

    /// Whether a right request on this connection is answered; what else comes is judged meanwhile. A server that takes its time
    /// over a refusal may hear nothing before that has come: it is asked once more then.
    async fn still_answers(&self, link: &mut Link, seen: &mut Seen) -> Heard {
        let owed = link.sent.owed.len();
        match self.answers(link, seen).await {
            Heard::Silence if link.sent.owed.len() < owed => self.answers(link, seen).await,
            heard => heard,
        }
    }

    async fn answers(&self, link: &mut Link, seen: &mut Seen) -> Heard {
        let own = link.sent.unused();
        let bytes = frame(own, self.unit, &self.right);
        if link.raw.send(&bytes).await.is_err() {
            return Heard::Ended;
        }
        let deadline = Instant::now() + self.limit(LONG);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match link.raw.receive_tcp(left).await {
                Ok(Some(bytes)) if Mbap::new_unchecked(&bytes).transaction() == own => {
                    return Heard::All;
                }
                Ok(Some(bytes)) => {
                    if let Some(found) = self.answered(&mut link.sent, &bytes, seen) {
                        return Heard::Wrong(found);
                    }
                }
                Ok(None) => return Heard::Silence,
                Err(_) => return Heard::Ended,
            }
        }
    }

    pub(super) async fn send(&self, link: &mut Link, input: &Input) -> (bool, bool) {
        let mut shut = false;
        for act in &input.acts {
            match act {
                Act::Send(bytes) => {
                    if link.raw.send(bytes).await.is_err() {
                        return (shut, false);
                    }
                    link.sent.add(bytes);
                }
                Act::Login | Act::Step(_) | Act::Asked(_) | Act::Tear => {}
                Act::Pause(time) => sleep(*time).await,
                Act::Shut => {
                    shut = true;
                    let _ = link.raw.finish().await;
                }
            }
        }
        (shut, true)
    }
}

/// What a legal request writes, item by item.
fn writes(request: &[u8]) -> Vec<((Area, u16), u16)> {
    let Ok((parsed, _)) = Request::parse_start(request) else {
        return Vec::new();
    };
    let items = |area, address: u16, values: Vec<u16>| {
        let places = (address..=u16::MAX).map(move |at| (area, at));
        places.zip(values).collect()
    };
    match parsed {
        Request::WriteSingleCoil { address, on } => items(Area::Coil, address, vec![u16::from(on)]),
        Request::WriteSingleRegister { address, value } => {
            items(Area::Holding, address, vec![value])
        }
        Request::WriteMultipleCoils { address, values } => items(
            Area::Coil,
            address,
            values.into_iter().map(u16::from).collect(),
        ),
        Request::WriteMultipleRegisters { address, values } => {
            items(Area::Holding, address, values)
        }
        Request::ReadWriteMultipleRegisters {
            write_address,
            values,
            ..
        } => items(Area::Holding, write_address, values),
        _ => Vec::new(),
    }
}

fn ended(mut seen: Seen, finding: Option<Finding>) -> Delivered<Link> {
    seen.kinds.push("the connection was ended".to_owned());
    Delivered {
        finding,
        ..Delivered::fine(None, seen)
    }
}

fn wrong(seen: Seen, finding: Finding) -> Delivered<Link> {
    Delivered {
        finding: Some(finding),
        ..Delivered::fine(None, seen)
    }
}

impl Served for Tcp<'_> {
    fn asks(&self) -> Option<Vec<u8>> {
        Some(frame(OWN, self.unit, &self.right))
    }

    fn is_answer(&self, came: &[u8]) -> bool {
        came.starts_with(&OWN.to_be_bytes())
    }
}

impl Target for Tcp<'_> {
    type Link = Link;

    fn waiting(&self) -> usize {
        waiting(self.bench.rig(), self.interface)
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::<ModbusGrammar>::clone(&self.grammar)
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        self.hazards.forbid(input)
    }

    async fn open(&self) -> Result<Link, String> {
        match self.bench.open_fuzzed(self.interface, &self.who).await {
            Ok(line) => Ok(Link {
                raw: Raw::new(line),
                sent: Sent::default(),
            }),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn deliver(&self, mut link: Link, input: &Input) -> Delivered<Link> {
        let mut seen = Seen::default();
        let sends = |act: &&Act| matches!(act, Act::Send(_));
        let segments = input.acts.iter().filter(sends).count();
        let (shut, all) = self.send(&mut link, input).await;
        let how = match (segments, link.sent.owed.len()) {
            (2.., _) => Sending::Pieces,
            (_, 2..) => Sending::Joined,
            _ => Sending::Whole,
        };
        let heard = self.hear(&mut link, self.limit(SHORT), &mut seen).await;
        let heard = match heard {
            // A device may be slow, and may stay silent to what is not legal: a right request tells.
            Heard::Silence if link.sent.is_clean() && !shut => {
                self.still_answers(&mut link, &mut seen).await
            }
            other => other,
        };
        let clean = link.sent.is_clean() && !shut && all;
        match heard {
            Heard::Wrong(found) => wrong(seen, found),
            Heard::Ended => {
                let found = clean.then(|| self.unanswered(&link.sent, how, true));
                ended(seen, found.flatten())
            }
            Heard::Silence if clean => {
                // Its silence is what is wrong, whatever came before.
                let last = link
                    .sent
                    .owed
                    .back()
                    .map(|owed| hex(&owed.pdu))
                    .unwrap_or_default();
                let found = Finding::by_silence(
                    Oracle::Grammar,
                    "a connection on which right requests are not answered any more",
                    format!("silence after {last}"),
                );
                wrong(seen, found)
            }
            Heard::All if clean => {
                let found = match self.unanswered(&link.sent, how, false) {
                    None => self.reads_back(&mut link).await,
                    found => found,
                };
                for owed in link.sent.owed.drain(..) {
                    let function = owed.pdu.first().copied().unwrap_or_default();
                    seen.kinds.push(format!("FC {function} silence"));
                }
                Delivered {
                    finding: found,
                    ..Delivered::fine(Some(link), seen)
                }
            }
            // Nothing more can be said on this connection: it is listened to beside the inputs that follow.
            Heard::All | Heard::Silence => {
                seen.kinds.push("nothing to what is no frame".to_owned());
                let waiting = !link.sent.rest.is_empty() && !link.sent.broken;
                let later =
                    waiting.then(|| -> crate::fuzz::target::Later { Box::pin(listen(link.raw)) });
                Delivered {
                    later,
                    ..Delivered::fine(None, seen)
                }
            }
        }
    }

    async fn comes_of(&self, input: &Input, patient: bool) -> Option<Comes> {
        self.compared(input, patient).await
    }

    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let began = Instant::now();
        let asked = async {
            let line = self.bench.open_fuzzed(self.interface, &self.who).await;
            let mut raw = Raw::new(line.map_err(|error| error.to_string())?);
            let bytes = frame(OWN, self.unit, &self.right);
            let said = |error: RawError| error.to_string();
            raw.send(&bytes).await.map_err(said)?;
            let answer = raw.receive_tcp(patience).await.map_err(said)?;
            answer.ok_or_else(|| format!("no answer within {} ms", patience.as_millis()))
        };
        let bytes = tokio::time::timeout(patience, asked)
            .await
            .map_err(|_| format!("no answer within {} ms", patience.as_millis()))??;
        let answer = Mbap::new_checked(bytes.as_slice())
            .map_err(|error| format!("{}: {error}", hex(&bytes)))?;
        let right = answer.transaction() == OWN && answer.pdu().first() == self.right.first();
        if !right {
            return Err(format!("{} answers {}", hex(&bytes), hex(&self.right)));
        }
        if let Some(found) = self.judge.judge(&self.right, answer.pdu()) {
            return Err(format!("{}: {}", found.what, found.seen));
        }
        let took = began.elapsed();
        self.pace.took(took);
        Ok(took)
    }
}

/// Listens on a connection on which a request has not ended; an answer to it, other than a refusal, is wrong.
async fn listen(mut raw: Raw<Line>) -> Option<Finding> {
    let bytes = raw.receive_tcp(LISTEN).await.ok()??;
    let answer = Mbap::new_checked(bytes.as_slice()).ok()?;
    let refused = answer.pdu().first().is_some_and(|code| code & 0x80 != 0);
    (!refused).then(|| {
        Finding::new(
            Oracle::Acceptance,
            "an answer to a request that has not ended",
            hex(&bytes),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_cut_into_requests_as_the_specification_says() {
        let mut sent = Sent::default();
        let one = frame(7, 1, &[3, 0, 0, 0, 1]);
        sent.add(&one[..5]);
        assert!(!sent.is_clean() && sent.owed.is_empty());
        sent.add(&[&one[5..], &one[..], &one[..2]].concat());
        assert_eq!(sent.owed.len(), 2);
        assert_eq!(sent.rest, [0, 7]);
        sent.add(&[0, 1]);
        assert!(sent.broken);
        sent.add(&one);
        assert_eq!(sent.owed.len(), 2);
    }

    #[test]
    fn a_server_that_ends_the_connection_owes_nothing_beside_what_is_not_legal() {
        let (legal, cut_off) = (frame(1, 1, &[2, 0, 0, 0, 1]), frame(0, 1, &[1, 0, 0, 0]));
        let mut sent = Sent::default();
        sent.add(&legal);
        assert!(sent.due(1, true).is_some() && sent.due(1, false).is_some());
        sent.add(&cut_off);
        assert!(sent.due(1, true).is_none(), "one of them was refused");
        assert!(sent.due(1, false).is_some(), "the connection goes on");
    }

    #[test]
    fn a_length_that_no_frame_has_breaks_the_stream() {
        for length in [0, 1, 255, 0xFFFF] {
            let mut sent = Sent::default();
            sent.add(&mbap::lie(1, 0, length, 1, &[3]));
            assert!(sent.broken, "{length}");
        }
    }
}
