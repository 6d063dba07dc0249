//! A connection on which the device has come, and what is known of how it answers.

use std::time::Duration;

use slcert_rigs::line::Line;
use slcert_rigs::mqtt::serve::answer;
use slcert_rigs::mqtt::wire::Version;
use slcert_rigs::mqtt::wire::frame::{Length, PacketType, length, packet, sized};
use slcert_rigs::mqtt::{Raw, RawError};
use tokio::time::Instant;

use super::grammar::Step;

/// The most packets that are taken for one input.
const MOST: usize = 200;
/// Where the bench asks whether a client is there: a topic that nobody has subscribed to.
const ALIVE: &str = "slcert/alive";

/// What a client certainly answers: the bench finds out before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentinel {
    /// PUBCOMP to a PUBREL, whatever it is for [MQTT-4.3.3-2]: nothing comes of it.
    PubRel,
    /// PUBACK to a PUBLISH of QoS 1 [MQTT-4.3.2-2].
    Publish,
    /// Neither: that it stays and says what is legal has to do.
    Nothing,
}

/// What is known of a client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// What it answers.
    pub sentinel: Option<Sentinel>,
    /// Whether it asks for something once it is let in.
    pub asks: bool,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The answer.
    Answer,
    /// The device ended the connection.
    Ended,
    /// Nothing, for the time that it has.
    Silence,
}

fn is_whole(bytes: &[u8]) -> bool {
    matches!(length(bytes), Length::Bytes { total, .. } if total == bytes.len())
}

/// A connection of the device's.
pub struct Here {
    raw: Raw<Line>,
    version: Version,
    /// How far the bench has answered rightly.
    pub step: Step,
    /// Whether nothing but right answers went out on it.
    pub clean: bool,
    /// The packets that wait for their answer.
    owed: Vec<Vec<u8>>,
}

impl Here {
    /// A connection on which CONNECT has come.
    pub fn new(raw: Raw<Line>, connect: Vec<u8>, version: Version) -> Self {
        Self {
            raw,
            version,
            step: Step::Connect,
            clean: true,
            owed: vec![connect],
        }
    }

    /// Sends bytes as they are; whether the connection took them.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.raw.send(bytes).await.is_ok()
    }

    /// Ends the bench's side.
    pub async fn finish(&mut self) {
        let _ = self.raw.finish().await;
    }

    /// Answers what is owed, as the standard asks, and goes a step on. `asks` says whether something is waited for behind
    /// CONNECT, for so long at most. What comes meanwhile is added to `came`.
    pub async fn advance(&mut self, asks: bool, limit: Duration, came: &mut Vec<Vec<u8>>) -> Heard {
        for packet in std::mem::take(&mut self.owed) {
            if !self.send(&answer(&packet, self.version)).await {
                return Heard::Ended;
            }
        }
        if self.step == Step::Connect {
            self.step = Step::Subscribe;
            if asks {
                return self.listen(limit, came, |_| true).await;
            }
        } else {
            self.step = Step::Session;
        }
        Heard::Answer
    }

    /// Takes packets until one is the answer that is looked for. In a session each gets what it is owed.
    pub async fn listen(
        &mut self,
        limit: Duration,
        came: &mut Vec<Vec<u8>>,
        is_answer: impl Fn(&[u8]) -> bool,
    ) -> Heard {
        let deadline = Instant::now() + limit;
        while came.len() < MOST {
            let wait = deadline.saturating_duration_since(Instant::now());
            let packet = match self.raw.receive(wait).await {
                Ok(Some(packet)) => packet,
                Ok(None) => return Heard::Silence,
                Err(RawError::Closed(_) | RawError::Stalled | RawError::Io(_)) => {
                    return Heard::Ended;
                }
            };
            // What is not whole, or too long to be taken at once, would be taken for other packets than it is.
            if !is_whole(&packet) {
                return Heard::Ended;
            }
            let found = is_answer(&packet);
            // One of 3.1.1 says so before it goes, and one of 5.0 may.
            let leaves = PacketType::of(packet[0]) == PacketType::Disconnect;
            if self.step < Step::Session {
                self.owed.push(packet.clone());
            } else if !self.send(&answer(&packet, self.version)).await {
                came.push(packet);
                return Heard::Ended;
            }
            came.push(packet);
            if leaves {
                return Heard::Ended;
            }
            if found {
                return Heard::Answer;
            }
        }
        Heard::Silence
    }

    /// Asks whether the client is there, with a packet identifier that nothing else had.
    pub async fn ask(
        &mut self,
        sentinel: Sentinel,
        id: u16,
        limit: Duration,
        came: &mut Vec<Vec<u8>>,
    ) -> Heard {
        let [high, low] = id.to_be_bytes();
        let (question, kind) = match sentinel {
            Sentinel::PubRel => (packet(0x62, &[high, low]), PacketType::PubComp),
            Sentinel::Publish => {
                let topic = sized(ALIVE.as_bytes()).unwrap_or_default();
                let behind: &[u8] = match self.version {
                    Version::V311 => &[high, low],
                    Version::V5 => &[high, low, 0],
                };
                let body = [&topic, behind].concat();
                (packet(0x32, &body), PacketType::PubAck)
            }
            Sentinel::Nothing => {
                return match self.listen(limit, came, |_| false).await {
                    Heard::Silence => Heard::Answer,
                    ended => ended,
                };
            }
        };
        if !self.send(&question.unwrap_or_default()).await {
            return Heard::Ended;
        }
        self.listen(limit, came, |packet| {
            PacketType::of(packet[0]) == kind && packet.get(2..4) == Some(&[high, low][..])
        })
        .await
    }
}
