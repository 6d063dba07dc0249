//! What comes of an input, as far as it can be compared with what comes of it elsewhere.

use std::time::Duration;

use slcert_rigs::line::Line;
use slcert_rigs::mqtt::Raw;
use slcert_rigs::mqtt::wire::{ServerPacket, Version, decode};

use super::broker::{ANSWER, Broker, LISTEN, PINGREQ};
use super::reading::{Packet, Rest, read};
use crate::fuzz::differences::{Answer, Class, Comes, PATIENT};
use crate::fuzz::input::Input;
use crate::fuzz::target::Target as _;

/// The most packets that are taken.
const MOST: usize = 200;
/// From here on, a reason code is a refusal (5.0, section 2.4); so is that of a SUBACK in 3.1.1 (section 3.9.3).
const REFUSED: u8 = 0x80;

/// What a packet means for what is waited for.
enum Came {
    /// A PINGRESP.
    Pong,
    /// A session is open.
    Session,
    Other,
}

impl Broker<'_> {
    /// In a session, a PINGREQ tells when all has come; elsewhere, and inside a packet, silence has to.
    pub(super) async fn compared(&self, input: &Input, patient: bool) -> Option<Comes> {
        let mut link = self.open().await.ok()?;
        let shut = self.send(&mut link, input).await.ok()?;
        let least = if patient { PATIENT } else { Duration::ZERO };
        let (sent, rest) = read(&input.bytes(), self.version);
        let mut hearing = Hearing {
            raw: link.raw,
            version: self.version,
            limits: (self.limit(ANSWER).max(least), self.limit(LISTEN).max(least)),
            pongs: None,
            asks: !link.session && !shut,
            answer: Answer::default(),
        };
        if !link.session || shut || rest == Rest::Part {
            return Some(Comes::Later(Box::pin(hearing.hear())));
        }
        let own = sent.iter().filter(|it| **it == Packet::Ping).count();
        hearing.ask(own + 1).await;
        Some(Comes::Now(hearing.hear().await))
    }
}

/// A connection on which all was sent.
struct Hearing {
    raw: Raw<Line>,
    version: Version,
    /// How long a PINGRESP is waited for, and anything else.
    limits: (Duration, Duration),
    /// How many PINGRESPs are to come.
    pongs: Option<usize>,
    /// Whether a PINGREQ is sent once a session is open.
    asks: bool,
    answer: Answer,
}

impl Hearing {
    async fn ask(&mut self, pongs: usize) {
        self.pongs = Some(pongs);
        // Where the broker has ended the connection, what came before that is still there.
        let _ = self.raw.send(&PINGREQ).await;
    }

    async fn hear(mut self) -> Answer {
        for _ in 0..MOST {
            let (ping, other) = self.limits;
            let limit = if self.pongs.is_some() { ping } else { other };
            match self.raw.receive(limit).await {
                Ok(Some(bytes)) => match self.take(&bytes) {
                    Came::Pong => {
                        self.pongs = self.pongs.map(|left| left - 1);
                        if self.pongs == Some(0) {
                            break;
                        }
                    }
                    // What was sent has opened one: what stands behind it is heard before this.
                    Came::Session if self.pongs.is_none() && self.asks => self.ask(1).await,
                    Came::Session | Came::Other => {}
                },
                Ok(None) => {
                    self.answer.silent();
                    break;
                }
                Err(_) => {
                    self.answer.ended();
                    break;
                }
            }
        }
        if self.answer.is_empty() {
            self.answer.silent();
        }
        self.answer
    }

    fn take(&mut self, bytes: &[u8]) -> Came {
        let answer = &mut self.answer;
        let code = |code: u8, what: String| match code {
            REFUSED.. => (Class::Refused, what),
            _ => (Class::Done, what),
        };
        match decode(bytes, self.version) {
            Ok(ServerPacket::PingResp) => return Came::Pong,
            Ok(ServerPacket::ConnAck { code: 0, .. }) => {
                answer.add(Class::Done, "CONNACK 0");
                return Came::Session;
            }
            Ok(ServerPacket::ConnAck { code, .. }) => {
                answer.add(Class::Refused, format!("CONNACK {code:#04x}"));
            }
            Ok(ServerPacket::Ack { kind, reason, .. }) => {
                let (class, words) = code(reason, format!("{kind:?} {reason:#04x}"));
                answer.add(class, words);
            }
            Ok(ServerPacket::SubAck { kind, codes, .. }) => {
                if codes.is_empty() {
                    answer.add(Class::Done, format!("{kind:?}"));
                }
                for one in codes {
                    let (class, words) = code(one, format!("{kind:?} {one:#04x}"));
                    answer.add(class, words);
                }
            }
            Ok(ServerPacket::Disconnect { reason, .. }) => {
                answer.add(Class::Ended, format!("DISCONNECT {reason:#04x}"));
            }
            // What others have published, and asks for more, depends on who else is there.
            Ok(_) => {}
            Err(_) => answer.add(Class::Done, "what is no packet"),
        }
        Came::Other
    }
}
