//! Carries bytes between rumqttc, which opens its own sockets, and a stream that is already open.
//!
//! All that the server sends is judged on the way: packets go on to rumqttc only while they are legal, and their
//! meaning goes to the session with the codes and reason strings that rumqttc drops.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::raw::{End, MAX_PACKET};
use super::settings::MqttError;
use super::wire::frame::{Length, length};
use super::wire::property::id;
use super::wire::{Illegal, ServerPacket, Version, decode};
use crate::inbox::is_end;
use crate::tls::alert;

/// The longest packet that is taken from a server.
pub(super) const MAX_INCOMING: usize = 1024 * 1024;
/// How many packets wait for the session before the oldest is dropped.
const MAX_WAITING: usize = 1024;

/// How long the relay may take to see the end that rumqttc saw.
const SETTLE: Duration = Duration::from_millis(200);

/// What happened on the wire, in its order.
#[derive(Debug)]
pub(super) enum Happening {
    /// A legal packet came.
    Came(ServerPacket),
    /// rumqttc sent a PUBLISH or SUBSCRIBE with this packet identifier.
    Sent(Sent, u16),
}

/// What rumqttc sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Publish,
    Subscribe,
}

/// How the session ended.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    Closed(End),
    Illegal { illegal: Illegal, packet: Vec<u8> },
    Disconnected { code: u8, reason: Option<String> },
    Refused { code: u8, reason: Option<String> },
    Alert(String),
    Client(String),
}

impl From<Fault> for MqttError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Closed(end) => Self::Closed(end),
            Fault::Illegal { illegal, packet } => Self::Illegal { illegal, packet },
            Fault::Disconnected { code, reason } | Fault::Refused { code, reason } => {
                Self::Refused { code, reason }
            }
            Fault::Alert(alert) => Self::Alert(alert),
            Fault::Client(why) => Self::Io(io::Error::other(why)),
        }
    }
}

/// What the relay and rumqttc's loop tell the session; the first fault stays.
#[derive(Debug, Default)]
pub(super) struct Wire {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    happenings: VecDeque<Happening>,
    dropped: u64,
    fault: Option<Fault>,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, happening: Happening) {
        let mut state = self.state();
        if state.happenings.len() == MAX_WAITING {
            state.happenings.pop_front();
            state.dropped += 1;
        }
        state.happenings.push_back(happening);
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.state().fault.get_or_insert(fault);
        self.changed.notify_one();
    }

    /// What rumqttc says when its loop ends, unless the relay has a better word for it in a moment.
    pub(super) async fn give_up(&self, why: String) {
        tokio::time::sleep(SETTLE).await;
        self.fail(Fault::Client(why));
    }

    /// What happened already and was not looked at.
    pub(super) fn try_next(&self) -> Option<Happening> {
        self.state().happenings.pop_front()
    }

    /// How many packets were dropped because nobody looked at them in time.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// The next happening, then the fault, for ever.
    pub(super) async fn next(&self) -> Result<Happening, Fault> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if let Some(happening) = state.happenings.pop_front() {
                    return Ok(happening);
                }
                if let Some(fault) = &state.fault {
                    return Err(fault.clone());
                }
            }
            changed.await;
        }
    }
}

/// Takes rumqttc's one connection and carries bytes until either side ends.
pub(super) async fn relay<S>(
    listener: TcpListener,
    stream: S,
    version: Version,
    clean: bool,
    wire: Arc<Wire>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let client = match listener.accept().await {
        Ok((client, _)) => client,
        Err(error) => return wire.fail(Fault::Client(error.to_string())),
    };
    // No further connection: this stream is one session.
    drop(listener);
    let _ = client.set_nodelay(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(stream);
    let up = async {
        let mut chunk = [0; 4096];
        loop {
            match from_client.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    if to_server.write_all(&chunk[..count]).await.is_err()
                        || to_server.flush().await.is_err()
                    {
                        // The reading side says what happened.
                        return std::future::pending().await;
                    }
                }
            }
        }
        let _ = to_server.shutdown().await;
    };
    let down = async {
        let mut judge = Judge {
            version,
            clean,
            connected: false,
        };
        let mut waiting = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match from_server.read(&mut chunk).await {
                Ok(0) => return Fault::Closed(End::Orderly),
                Err(error) if is_end(&error) => return Fault::Closed(End::Torn),
                Err(error) => {
                    return alert(&error)
                        .map_or_else(|| Fault::Client(error.to_string()), Fault::Alert);
                }
                Ok(count) => waiting.extend_from_slice(&chunk[..count]),
            }
            loop {
                let packet = match next_packet(&mut waiting) {
                    Ok(Some(packet)) => packet,
                    Ok(None) => break,
                    Err(illegal) => return illegal_packet(illegal, &waiting),
                };
                match judge.judge(&packet) {
                    Ok(Verdict::Pass(meaning)) => wire.tell(Happening::Came(meaning)),
                    Ok(Verdict::Over(fault)) => return fault,
                    Err(illegal) => return illegal_packet(illegal, &packet),
                }
                if to_client.write_all(&packet).await.is_err() {
                    return Fault::Client("the client ended before the server".into());
                }
            }
        }
    };
    tokio::select! {
        () = up => wire.fail(Fault::Client("the session is over".into())),
        fault = down => wire.fail(fault),
    }
}

fn illegal_packet(illegal: Illegal, packet: &[u8]) -> Fault {
    Fault::Illegal {
        illegal,
        packet: packet[..packet.len().min(MAX_PACKET)].to_vec(),
    }
}

fn next_packet(waiting: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Illegal> {
    match length(waiting) {
        Length::Malformed => Err(Illegal::new(
            "§2.1.4",
            "the remaining length has a fifth byte",
        )),
        Length::Bytes { total, .. } if total > MAX_INCOMING => Err(Illegal::new(
            "§2.1.4",
            "the packet is longer than the megabyte that this client takes",
        )),
        Length::Bytes { total, .. } if total <= waiting.len() => {
            let rest = waiting.split_off(total);
            Ok(Some(std::mem::replace(waiting, rest)))
        }
        Length::Bytes { .. } | Length::Unknown => Ok(None),
    }
}

enum Verdict {
    Pass(ServerPacket),
    Over(Fault),
}

/// What a single packet cannot tell: order, and what this session did not ask for.
struct Judge {
    version: Version,
    clean: bool,
    connected: bool,
}

impl Judge {
    fn judge(&mut self, packet: &[u8]) -> Result<Verdict, Illegal> {
        let meaning = decode(packet, self.version)?;
        let v5 = self.version == Version::V5;
        match &meaning {
            ServerPacket::ConnAck { .. } if self.connected => Err(Illegal::new(
                "MQTT-3.2.0-2",
                "a second CONNACK in a connection",
            )),
            ServerPacket::ConnAck {
                code: 0,
                session_present,
                ..
            } => {
                if *session_present && self.clean {
                    let statement = if v5 { "MQTT-3.2.2-2" } else { "MQTT-3.2.2-1" };
                    return Err(Illegal::new(
                        statement,
                        "session present is set for a clean session",
                    ));
                }
                self.connected = true;
                Ok(Verdict::Pass(meaning))
            }
            ServerPacket::ConnAck {
                code, properties, ..
            } => {
                let reason = properties.reason_string().map(str::to_owned);
                Ok(Verdict::Over(Fault::Refused {
                    code: *code,
                    reason,
                }))
            }
            _ if !self.connected => Err(Illegal::new(
                "MQTT-3.2.0-1",
                "the first packet is not CONNACK",
            )),
            ServerPacket::Disconnect {
                reason: code,
                properties,
            } => {
                let reason = properties.reason_string().map(str::to_owned);
                Ok(Verdict::Over(Fault::Disconnected {
                    code: *code,
                    reason,
                }))
            }
            ServerPacket::Publish { properties, .. }
                if properties.0.iter().any(|p| p.id == id::TOPIC_ALIAS) =>
            {
                Err(Illegal::new(
                    "MQTT-3.1.2-27",
                    "a topic alias that this client did not allow",
                ))
            }
            ServerPacket::Auth { .. } => Err(Illegal::new(
                "§4.12",
                "AUTH without an authentication method",
            )),
            _ => Ok(Verdict::Pass(meaning)),
        }
    }
}
