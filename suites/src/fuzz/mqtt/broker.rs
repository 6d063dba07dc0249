//! A broker under inputs of any kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use memchr::memmem;
use slcert_rigs::bench::{Bench, Who};
use slcert_rigs::line::Line;
use slcert_rigs::mqtt::wire::frame::PacketType;
use slcert_rigs::mqtt::wire::{Connect, ServerPacket, Version, decode};
use slcert_rigs::mqtt::{Raw, RawError};
use tokio::time::{Instant, sleep, timeout};

use super::grammar::MqttGrammar;
use super::reading::{Packet, Rest, read};
use crate::fuzz::coverage::Seen;
use crate::fuzz::differences::Comes;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::pace::Pace;
use crate::fuzz::target::{Delivered, Later, Target, waiting};
use crate::fuzz::tls::Served;
use crate::modbus::hex;

pub(super) const PINGREQ: [u8; 2] = [0xC0, 0];
const DISCONNECT: [u8; 2] = [0xE0, 0];
/// The time that an answer is waited for: the broker's usual time so many times, and more.
pub(super) const ANSWER: (u32, Duration) = (20, Duration::from_millis(600));
/// How long a connection whose client has gone is listened to: the broker's usual time so many times, and more.
pub(super) const LISTEN: (u32, Duration) = (8, Duration::from_millis(10));
/// The most packets that are taken for one input: what a subscription brings in is bounded.
const MOST: usize = 500;

/// A broker.
pub struct Broker<'b> {
    pub(super) bench: &'b Bench,
    pub(super) interface: &'b str,
    pub(super) version: Version,
    /// Whose sessions these are.
    pub(super) who: Who<'b>,
    pub(super) user: String,
    /// None for an account that shows a certificate alone.
    pub(super) password: Option<slcert_rigs::Secret>,
    /// The topics on which the device takes orders.
    pub(super) orders: Vec<String>,
    pub(super) client: AtomicU64,
    pub(super) pace: Pace,
}

/// A connection, and whether a session is open on it.
pub struct Link {
    pub(super) raw: Raw<Line>,
    pub(super) session: bool,
}

/// What came until the broker answered the bench's own PINGREQ, or did not.
enum Heard {
    Ping,
    Ended,
    Silence,
}

impl Broker<'_> {
    pub(super) fn limit(&self, (times, more): (u32, Duration)) -> Duration {
        self.pace.limit(times, more).unwrap_or(more)
    }

    /// A right CONNECT.
    fn connect(&self) -> Option<Vec<u8>> {
        let number = self.client.fetch_add(1, Ordering::Relaxed);
        let mut connect = Connect::new(self.version, &format!("slcert-fuzz-{number}"));
        if let Some(password) = &self.password {
            connect.user = Some(self.user.clone());
            connect.password = Some(password.reveal().as_bytes().to_vec());
        }
        connect.emit().ok()
    }

    /// Opens a session; the broker's refusal is an error.
    async fn log_in(&self, raw: &mut Raw<Line>) -> Result<(), String> {
        let bytes = self.connect().ok_or("no CONNECT can be made")?;
        let said = |error: RawError| error.to_string();
        raw.send(&bytes).await.map_err(said)?;
        let answer = raw.receive(self.limit(ANSWER) * 4).await.map_err(said)?;
        let answer = answer.ok_or("no CONNACK")?;
        match decode(&answer, self.version) {
            Ok(ServerPacket::ConnAck { code: 0, .. }) => Ok(()),
            _ => Err(format!("{} answers a right CONNECT", hex(&answer))),
        }
    }

    /// Takes what comes until as many PINGRESPs came as were asked for.
    async fn hear(&self, raw: &mut Raw<Line>, pings: usize, came: &mut Vec<Vec<u8>>) -> Heard {
        let deadline = Instant::now() + self.limit(ANSWER);
        let mut left = pings;
        while came.len() < MOST {
            let wait = deadline.saturating_duration_since(Instant::now());
            match raw.receive(wait).await {
                Ok(Some(bytes)) => {
                    left -= usize::from(bytes == [0xD0, 0]);
                    came.push(bytes);
                    if left == 0 {
                        return Heard::Ping;
                    }
                }
                Ok(None) => return Heard::Silence,
                Err(_) => return Heard::Ended,
            }
        }
        Heard::Silence
    }

    /// What is wrong with the packets that came, by what they answer.
    fn judged(&self, sent: &[Packet], came: &[Vec<u8>], seen: &mut Seen) -> Option<Finding> {
        let mut owed: Vec<&Packet> = sent
            .iter()
            .filter(|it| matches!(it, Packet::Owes(..)))
            .collect();
        let unclear = sent.contains(&Packet::Unclear);
        for bytes in came {
            let packet = match decode(bytes, self.version) {
                Ok(packet) => packet,
                Err(illegal) => {
                    let what = format!("a packet that the standard forbids: {}", illegal.what);
                    return Some(Finding::new(Oracle::Grammar, what, hex(bytes)));
                }
            };
            seen.parsed = true;
            let (kind, id, codes) = match &packet {
                ServerPacket::Ack {
                    kind,
                    packet_id,
                    reason,
                    ..
                } => {
                    seen.kinds.push(format!("{kind:?} reason {reason:#04x}"));
                    (*kind, *packet_id, None)
                }
                ServerPacket::SubAck {
                    kind,
                    packet_id,
                    codes,
                    ..
                } => {
                    for code in codes {
                        seen.kinds.push(format!("{kind:?} code {code:#04x}"));
                    }
                    let count = (!codes.is_empty()).then_some(codes.len());
                    (*kind, *packet_id, count)
                }
                ServerPacket::Disconnect { reason, .. } => {
                    seen.kinds.push(format!("DISCONNECT reason {reason:#04x}"));
                    continue;
                }
                other => {
                    let kind = format!("{other:?}");
                    seen.kinds
                        .push(kind.split([' ', '{']).next().unwrap_or_default().to_owned());
                    continue;
                }
            };
            let answers = |it: &&&Packet| matches!(it, Packet::Owes(of, for_id, _) if *of == kind && *for_id == id);
            match owed.iter().position(|it| answers(&it)) {
                Some(at) => {
                    if let Packet::Owes(_, _, Some(count)) = owed.remove(at)
                        && codes.is_some_and(|codes| codes != *count)
                    {
                        let what = format!("{kind:?}: not one code for each topic filter");
                        return Some(Finding::new(Oracle::Grammar, what, hex(bytes)));
                    }
                }
                // What an unclear packet brings about is not judged; nor what is sent for a subscription.
                None if unclear => {}
                None => return Some(unasked(kind, breach(sent), bytes)),
            }
        }
        None
    }

    /// A packet that has to be acknowledged, and was not.
    fn unanswered(&self, sent: &[Packet], came: &[Vec<u8>]) -> Option<Finding> {
        let is_there = |kind: PacketType, id: u16| {
            came.iter().any(|bytes| match decode(bytes, self.version) {
                Ok(
                    ServerPacket::Ack {
                        kind: of,
                        packet_id,
                        ..
                    }
                    | ServerPacket::SubAck {
                        kind: of,
                        packet_id,
                        ..
                    },
                ) => of == kind && packet_id == id,
                _ => false,
            })
        };
        sent.iter().find_map(|packet| match packet {
            Packet::Owes(kind, id, _) if !is_there(*kind, *id) => Some(Finding::by_silence(
                Oracle::Grammar,
                format!("{kind:?}: a packet that has to be acknowledged is not"),
                format!("packet identifier {id}"),
            )),
            _ => None,
        })
    }

    pub(super) async fn send(&self, link: &mut Link, input: &Input) -> Result<bool, String> {
        let mut shut = false;
        for act in &input.acts {
            match act {
                Act::Step(_) | Act::Asked(_) | Act::Tear => {}
                Act::Login if link.session => {}
                Act::Login => {
                    self.log_in(&mut link.raw).await?;
                    link.session = true;
                }
                Act::Send(bytes) => {
                    if link.raw.send(bytes).await.is_err() {
                        return Ok(shut);
                    }
                }
                Act::Pause(time) => sleep(*time).await,
                Act::Shut => {
                    shut = true;
                    let _ = link.raw.finish().await;
                }
            }
        }
        Ok(shut)
    }

    /// Judges an input in a session.
    async fn in_session(&self, mut link: Link, input: &Input, shut: bool) -> Delivered<Link> {
        let mut seen = Seen::default();
        let (sent, rest) = read(&input.bytes(), self.version);
        let breach = breach(&sent);
        let leaves = sent.contains(&Packet::Leaves);
        if rest == Rest::Part || shut {
            // The broker waits for the rest: it goes on waiting beside the inputs that follow.
            seen.kinds
                .push("nothing to a packet that does not end".to_owned());
            let later: Later = Box::pin(gone(link.raw, vec![self.version], self.limit(LISTEN)));
            return Delivered {
                later: Some(later),
                ..Delivered::fine(None, seen)
            };
        }
        let pings = 1 + sent
            .iter()
            .filter(|packet| **packet == Packet::Ping)
            .count();
        let _ = link.raw.send(&PINGREQ).await;
        let mut came = Vec::new();
        let heard = self.hear(&mut link.raw, pings, &mut came).await;
        let found = self.judged(&sent, &came, &mut seen);
        let finding = match (&heard, breach) {
            _ if found.is_some() => found,
            (Heard::Ping, Some(statement)) => Some(taken(statement, &input.bytes())),
            (Heard::Ping, None) if leaves => Some(Finding::new(
                Oracle::Acceptance,
                "after a DISCONNECT the session goes on",
                hex(&input.bytes()),
            )),
            (Heard::Ping, None) => self.unanswered(&sent, &came),
            // Ended as it must be, or by a broker that may.
            (Heard::Ended, _) => None,
            (Heard::Silence, None)
                if came.len() < MOST && !leaves && !sent.contains(&Packet::Unclear) =>
            {
                Some(Finding::by_silence(
                    Oracle::Grammar,
                    "PINGREQ is not answered any more",
                    format!("after {}", hex(&input.bytes())),
                ))
            }
            (Heard::Silence, Some(statement)) => Some(Finding::by_silence(
                Oracle::Acceptance,
                format!("{statement} does not end the connection"),
                hex(&input.bytes()),
            )),
            (Heard::Silence, None) => None,
        };
        match heard {
            Heard::Ping => {}
            Heard::Ended => seen.kinds.push("the connection was ended".to_owned()),
            Heard::Silence => seen.kinds.push("silence".to_owned()),
        }
        let goes_on = matches!(heard, Heard::Ping) && finding.is_none();
        Delivered {
            finding,
            ..Delivered::fine(goes_on.then_some(link), seen)
        }
    }
}

/// What is wrong with the first packet that the standard forbids.
fn breach(sent: &[Packet]) -> Option<&'static str> {
    sent.iter().find_map(|packet| match packet {
        Packet::Breach(statement) => Some(*statement),
        _ => None,
    })
}

fn taken(statement: &str, seen: &[u8]) -> Finding {
    let what = format!("{statement} is taken, and the session goes on");
    Finding::new(Oracle::Acceptance, what, hex(seen))
}

/// An acknowledgement that is not owed: of what stands behind a forbidden packet, which had to end the session, or of nothing.
fn unasked(kind: PacketType, breach: Option<&str>, bytes: &[u8]) -> Finding {
    match breach {
        Some(statement) => taken(statement, bytes),
        None => {
            let what = format!("{kind:?}: an acknowledgement that nobody asked for");
            Finding::new(Oracle::Grammar, what, hex(bytes))
        }
    }
}

/// A client that has gone: whatever still comes has to be packets that the standard allows in one of the versions.
async fn gone(mut raw: Raw<Line>, versions: Vec<Version>, limit: Duration) -> Option<Finding> {
    let _ = raw.finish().await;
    let deadline = Instant::now() + limit;
    for _ in 0..MOST {
        let wait = deadline.saturating_duration_since(Instant::now());
        let bytes = raw.receive(wait).await.ok()??;
        // What is cut off by the end is no packet, and no fault.
        let whole = matches!(
            slcert_rigs::mqtt::wire::frame::length(&bytes),
            slcert_rigs::mqtt::wire::frame::Length::Bytes { total, .. } if total == bytes.len()
        );
        let mut read = versions.iter().map(|version| decode(&bytes, *version));
        if whole
            && read.all(|read| read.is_err())
            && let Err(illegal) = decode(&bytes, versions[0])
        {
            let what = format!("a packet that the standard forbids: {}", illegal.what);
            return Some(Finding::new(Oracle::Grammar, what, hex(&bytes)));
        }
    }
    None
}

impl Served for Broker<'_> {
    fn asks(&self) -> Option<Vec<u8>> {
        self.connect()
    }

    fn is_answer(&self, came: &[u8]) -> bool {
        came.first()
            .is_some_and(|first| PacketType::of(*first) == PacketType::ConnAck)
    }
}

impl Target for Broker<'_> {
    type Link = Link;

    fn waiting(&self) -> usize {
        waiting(self.bench.rig(), self.interface)
    }

    fn gives_no_orders(&self) -> Option<&str> {
        Some(self.interface)
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::new(MqttGrammar {
            version: self.version,
        })
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        let bytes = input.bytes();
        let touches = |topic: &String| memmem::find(&bytes, topic.as_bytes()).is_some();
        self.orders
            .iter()
            .any(touches)
            .then_some("a topic on which the device takes orders")
    }

    async fn open(&self) -> Result<Link, String> {
        match self.bench.open_fuzzed(self.interface, &self.who).await {
            Ok(line) => Ok(Link {
                raw: Raw::new(line),
                session: false,
            }),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn deliver(&self, mut link: Link, input: &Input) -> Delivered<Link> {
        let wants = input.acts.contains(&Act::Login);
        if link.session && !wants {
            // What goes before CONNECT needs a connection of its own.
            match self.open().await {
                Ok(opened) => link = opened,
                Err(_) => return Delivered::fine(None, Seen::default()),
            }
        }
        let shut = match self.send(&mut link, input).await {
            Ok(shut) => shut,
            Err(why) => {
                let found =
                    Finding::by_silence(Oracle::Liveness, "a right CONNECT is not taken", why);
                return Delivered {
                    finding: Some(found),
                    ..Delivered::fine(None, Seen::default())
                };
            }
        };
        if link.session {
            return self.in_session(link, input, shut).await;
        }
        let mut seen = Seen::default();
        seen.kinds.push("before CONNECT".to_owned());
        // Which version a broken CONNECT asks for is not certain, nor in which one it is refused.
        let either = vec![Version::V311, Version::V5];
        let later: Later = Box::pin(gone(link.raw, either, self.limit(LISTEN)));
        Delivered {
            later: Some(later),
            ..Delivered::fine(None, seen)
        }
    }

    async fn comes_of(&self, input: &Input, patient: bool) -> Option<Comes> {
        self.compared(input, patient).await
    }

    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let began = Instant::now();
        let asked = async {
            let mut link = self.open().await?;
            self.log_in(&mut link.raw).await?;
            let said = |error: RawError| error.to_string();
            link.raw.send(&PINGREQ).await.map_err(said)?;
            let answer = link.raw.receive(patience).await.map_err(said)?;
            let _ = link.raw.send(&DISCONNECT).await;
            match answer {
                Some(bytes) if bytes == [0xD0, 0] => Ok(()),
                Some(bytes) => Err(format!("{} answers PINGREQ", hex(&bytes))),
                None => Err("PINGREQ is not answered".to_owned()),
            }
        };
        let late = |_| format!("no answer within {} ms", patience.as_millis());
        timeout(patience, asked).await.map_err(late)??;
        let took = began.elapsed();
        self.pace.took(took);
        Ok(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_behind_a_forbidden_packet_is_the_same_fault_as_a_session_that_goes_on() {
        // A PUBACK with flags, and a SUBSCRIBE behind it, as mosquitto takes them.
        let input = [0x41, 2, 0, 1, 0x82, 6, 0, 1, 0, 1, b'a', 0];
        let (sent, _) = read(&input, Version::V311);
        let acknowledged = unasked(PacketType::SubAck, breach(&sent), &[0x90, 3, 0, 1, 0]);
        let statement = breach(&sent).unwrap();
        assert!(acknowledged.is_like(&taken(statement, &input)));
        let (sent, _) = read(&input[4..], Version::V311);
        let unasked = unasked(PacketType::PubAck, breach(&sent), &[0x40, 2, 0, 1]);
        assert_eq!(unasked.oracle, Oracle::Grammar);
    }
}
