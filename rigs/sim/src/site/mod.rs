//! The device as a client of the site's own broker: it tells its level there, and takes the site's demand.

mod deep;
mod packet;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::audit::{Category, Source};
use crate::controller::{Actor, Controller};
use deep::Deep;
use packet::{PROTOCOL_ERROR, Packet, TOO_LARGE, TOO_MANY_MESSAGES, kind, length, read};

/// Where the site's demand comes from, and where the level is told.
const DEMAND: &str = "site/demand";
const LEVEL: &str = "site/level";
/// The scratch register that holds the demand: holding register 15.
const REGISTER: usize = 12;
/// The greatest demand.
const MOST_DEMAND: u16 = 1000;

/// How long the device waits before it comes again.
const WAIT: Duration = Duration::from_millis(20);
const CONNECT: Duration = Duration::from_secs(2);
/// How long the broker may take for what it owes.
const ANSWER: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How often the level is told.
const TELL: Duration = Duration::from_secs(1);
/// Bytes of the longest packet.
const LONGEST: usize = 64 * 1024;
/// Messages of quality of service 2 that are open at a time.
const MOST_OPEN: usize = 16;
const SUBSCRIBED: u16 = 1;

/// A broker of the site.
#[derive(Debug, Clone)]
pub struct Broker {
    /// `host:port`.
    pub address: String,
    /// Whether MQTT 5.0 is spoken, and not 3.1.1.
    pub v5: bool,
}

/// What comes next when a connection is over.
enum Next {
    Again,
    /// Flaws: at once, and never.
    AtOnce,
    Never,
}

/// Comes to a broker again and again.
pub(crate) async fn run(controller: Arc<Controller>, broker: Broker) {
    let mut deep = Deep::default();
    loop {
        let connected = timeout(CONNECT, TcpStream::connect(&broker.address)).await;
        let next = match connected {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                let mut session = Session {
                    controller: &controller,
                    v5: broker.v5,
                    stream,
                    state: State::Connecting,
                    open: BTreeSet::new(),
                    deep: &mut deep,
                };
                // An error is the connection's end.
                let next = session.stay().await.unwrap_or(Next::Again);
                session.deep.over();
                next
            }
            _ => Next::Again,
        };
        match next {
            Next::Again => sleep(WAIT).await,
            Next::AtOnce => {}
            Next::Never => return,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// CONNACK is awaited.
    Connecting,
    /// SUBACK is awaited.
    Subscribing,
    Up,
}

struct Session<'s> {
    controller: &'s Controller,
    v5: bool,
    stream: TcpStream,
    state: State,
    /// The open messages of quality of service 2.
    open: BTreeSet<u16>,
    deep: &'s mut Deep,
}

impl Session<'_> {
    async fn stay(&mut self) -> io::Result<Next> {
        self.connect().await?;
        let mut bytes = Vec::new();
        let mut until = Instant::now() + ANSWER;
        let mut tell = Instant::now() + TELL;
        loop {
            let next = if self.state == State::Up { tell } else { until };
            let mut part = [0; 4096];
            let read = tokio::time::timeout_at(next, self.stream.read(&mut part)).await;
            match read {
                Err(_) if self.state == State::Up => {
                    self.tell().await?;
                    tell = Instant::now() + TELL;
                    continue;
                }
                Err(_) => return Ok(Next::Again),
                Ok(Ok(0) | Err(_)) => {
                    self.deep.ended(self.controller, &bytes);
                    return Ok(Next::Again);
                }
                Ok(Ok(length)) => bytes.extend_from_slice(&part[..length]),
            }
            loop {
                let (header, total) = match length(&bytes) {
                    Ok(Some(found)) => found,
                    Ok(None) => break,
                    Err(reason) => return self.leave(reason).await,
                };
                if total > LONGEST {
                    return self.leave(TOO_LARGE).await;
                }
                if total > bytes.len() {
                    break;
                }
                let rest = bytes.split_off(total);
                let whole = std::mem::replace(&mut bytes, rest);
                let before = self.state;
                if let Some(next) = self.take(whole[0], &whole[header..]).await? {
                    return Ok(next);
                }
                if self.state != before {
                    until = Instant::now() + ANSWER;
                }
            }
        }
    }

    /// CONNECT, with a clean session and no Topic Alias Maximum.
    async fn connect(&mut self) -> io::Result<()> {
        let level = if self.v5 { 5 } else { 4 };
        let alive = KEEP_ALIVE.as_secs() as u16;
        let mut body = [
            b"\0\x04MQTT".as_slice(),
            &[level, 0x02],
            &alive.to_be_bytes(),
        ]
        .concat();
        if self.v5 {
            body.push(0);
        }
        body.extend(text(&format!("tc-100-{}", self.controller.plate.serial)));
        self.send(0x10, &body).await
    }

    async fn send(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        debug_assert!(body.len() < 128, "what the device tells is short");
        let head = [first, body.len() as u8];
        let packet = [&head, body].concat();
        let sent = timeout(ANSWER, self.stream.write_all(&packet)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn tell(&mut self) -> io::Result<()> {
        let level = self.controller.process.level().to_string();
        let mut body = text(LEVEL);
        if self.v5 {
            body.push(0);
        }
        body.extend(level.as_bytes());
        self.send(0x30, &body).await?;
        self.send(0xC0, &[]).await
    }

    /// Ends the connection because of what came.
    async fn leave(&mut self, reason: u8) -> io::Result<Next> {
        if self.v5 && self.state != State::Connecting {
            let _ = self.send(0xE0, &[reason]).await;
        }
        let _ = self.stream.shutdown().await;
        Ok(Next::Again)
    }

    /// Takes a packet; what comes next, where it ends the connection.
    async fn take(&mut self, first: u8, body: &[u8]) -> io::Result<Option<Next>> {
        self.deep.came(self.controller, first, body);
        let packet = match read(first, body, self.v5) {
            Ok(packet) => packet,
            Err(_) if self.deep.ignores(self.controller, first) => return Ok(None),
            Err(reason) => return self.leave(reason).await.map(Some),
        };
        match (self.state, packet) {
            (State::Connecting, Packet::ConnAck(0)) => {
                let mut subscribe = SUBSCRIBED.to_be_bytes().to_vec();
                if self.v5 {
                    subscribe.push(0);
                }
                subscribe.extend(text(DEMAND));
                subscribe.push(1);
                self.state = State::Subscribing;
                self.send(0x82, &subscribe).await?;
            }
            (State::Connecting, Packet::ConnAck(reason)) | (_, Packet::Disconnect(reason)) => {
                let _ = self.stream.shutdown().await;
                return Ok(Some(deep::next(self.controller, reason, self.v5)));
            }
            (State::Connecting, _) | (_, Packet::ConnAck(_)) => {
                return self.leave(PROTOCOL_ERROR).await.map(Some);
            }
            (State::Subscribing, Packet::SubAck(id, codes)) => {
                if id != SUBSCRIBED {
                    self.deep.foreign(self.controller);
                }
                if id != SUBSCRIBED || !matches!(codes, [0..=2]) {
                    return self.leave(PROTOCOL_ERROR).await.map(Some);
                }
                self.state = State::Up;
            }
            (_, Packet::SubAck(..)) => {
                return self.leave(PROTOCOL_ERROR).await.map(Some);
            }
            (
                _,
                Packet::Publish {
                    qos,
                    topic,
                    id,
                    payload,
                },
            ) => {
                if topic == DEMAND {
                    demand(self.controller, payload);
                }
                match qos {
                    1 => self.send(0x40, &id.to_be_bytes()).await?,
                    2 if self.open.len() >= MOST_OPEN && !self.open.contains(&id) => {
                        return self.leave(TOO_MANY_MESSAGES).await.map(Some);
                    }
                    2 => {
                        self.open.insert(id);
                        self.send(0x50, &id.to_be_bytes()).await?;
                    }
                    _ => {}
                }
            }
            (_, Packet::Ack(kind::PUBREL, id)) => {
                let known = self.open.remove(&id);
                if !known {
                    self.deep.unknown(self.controller);
                }
                let [high, low] = id.to_be_bytes();
                match self.v5 && !known {
                    true => self.send(0x70, &[high, low, 0x92]).await?,
                    false => self.send(0x70, &[high, low]).await?,
                }
            }
            // The device publishes nothing that they could be for.
            (_, Packet::Ack(..) | Packet::PingResp) => {}
        }
        Ok(None)
    }
}

/// Takes the site's demand.
fn demand(controller: &Controller, payload: &[u8]) {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let number = text.parse::<u16>();
    let actor = Actor {
        source: Source::Mqtt,
        name: "site".to_owned(),
        role: String::new(),
    };
    let (taken, detail) = match number {
        Ok(number) if number <= MOST_DEMAND => {
            controller.process.set_scratch(REGISTER, number);
            (true, number.to_string())
        }
        _ => (false, "bad value".to_owned()),
    };
    controller.record(&actor, Category::System, "demand", taken, &detail);
}

/// A text with its length in front.
fn text(text: &str) -> Vec<u8> {
    let size = (text.len() as u16).to_be_bytes();
    [&size, text.as_bytes()].concat()
}
