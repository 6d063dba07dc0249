//! A session with a server: publish, subscribe, receive. rumqttc speaks, every packet of the server is judged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::QoS;
use rumqttc::v5::mqttbytes::QoS as QoS5;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::client::{Client, MAX_REQUESTS, open_v5, open_v311};
use super::relay::{Happening, MAX_INCOMING, Sent, Wire, relay};
use super::settings::{MqttError, MqttSettings};
use super::topic::{legal_filter, legal_topic};
use super::wire::frame::PacketType;
use super::wire::{ServerPacket, Version};

/// A message that a server delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic name.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Whether it is a retained one.
    pub retain: bool,
}

/// A message that a server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// 0, or 0x10 if nobody subscribes to the topic (5.0). A server of 3.1.1 has no way to say that it discarded a message.
    pub reason: u8,
}

/// A subscription that a server granted, with the QoS it grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted(pub u8);

/// A session. It never reconnects; when it is dropped, the connection ends without a DISCONNECT.
#[derive(Debug)]
pub struct Session {
    client: Client,
    wire: Arc<Wire>,
    tasks: [JoinHandle<()>; 2],
    messages: VecDeque<Message>,
    lost: u64,
    subscribed: Vec<String>,
    session_present: bool,
    assigned_client_id: Option<String>,
}

/// How many messages wait before the oldest is dropped.
const MAX_MESSAGES: usize = 1024;
/// How long a DISCONNECT may take to be written.
const DISCONNECT_LIMIT: Duration = Duration::from_secs(1);
/// A code of SUBACK from here on is a refusal.
const FAILURE: u8 = 0x80;

impl Session {
    /// Opens a session over a connected stream; TLS is a matter of the stream.
    ///
    /// # Errors
    /// [`MqttError::Refused`] with the code of CONNACK and its reason string; otherwise see [`MqttError`].
    pub async fn open<S>(
        settings: MqttSettings,
        stream: S,
        limit: Duration,
    ) -> Result<Self, MqttError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        settings.check()?;
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(MqttError::Io)?;
        let port = listener.local_addr().map_err(MqttError::Io)?.port();
        let wire = Arc::new(Wire::default());
        let relaying = relay(
            listener,
            stream,
            settings.version,
            settings.clean,
            wire.clone(),
        );
        let relaying = tokio::spawn(relaying);
        let (client, looping) = match settings.version {
            Version::V311 => open_v311(&settings, port, wire.clone()),
            Version::V5 => open_v5(&settings, port, wire.clone()),
        };
        let mut session = Self {
            client,
            wire,
            tasks: [relaying, looping],
            messages: VecDeque::new(),
            lost: 0,
            subscribed: Vec::new(),
            session_present: false,
            assigned_client_id: None,
        };
        timeout(limit, session.connected())
            .await
            .unwrap_or(Err(MqttError::TimedOut))?;
        Ok(session)
    }

    async fn connected(&mut self) -> Result<(), MqttError> {
        loop {
            if let ServerPacket::ConnAck {
                session_present,
                properties,
                ..
            } = self.next_packet().await?
            {
                self.session_present = session_present;
                self.assigned_client_id = properties.assigned_client_id().map(str::to_owned);
                return Ok(());
            }
        }
    }

    /// Whether the server resumed an earlier session.
    pub fn session_present(&self) -> bool {
        self.session_present
    }

    /// How many messages came and were dropped because nobody asked for them in time.
    pub fn lost(&self) -> u64 {
        self.lost + self.wire.dropped()
    }

    /// Publishes at QoS 1 and waits for the acknowledgement.
    ///
    /// # Errors
    /// [`MqttError::Refused`] with the reason of PUBACK (5.0), otherwise see [`MqttError`].
    pub async fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        retain: bool,
        limit: Duration,
    ) -> Result<Published, MqttError> {
        legal_topic(topic)?;
        if topic.len() + payload.len() > MAX_INCOMING / 2 {
            return Err(MqttError::Settings("the message is longer than 512 KiB"));
        }
        let deadline = Instant::now() + limit;
        self.sort_out();
        let asking = async {
            let asked = match &self.client {
                Client::V311(client) => client
                    .publish(topic, QoS::AtLeastOnce, retain, payload)
                    .await
                    .map_err(|_| ()),
                Client::V5(client) => client
                    .publish(topic, QoS5::AtLeastOnce, retain, payload.to_vec())
                    .await
                    .map_err(|_| ()),
            };
            self.asked(asked).await
        };
        timeout_at(deadline, asking)
            .await
            .unwrap_or(Err(MqttError::TimedOut))?;
        match self.acknowledged(Sent::Publish, deadline).await? {
            ServerPacket::Ack {
                reason, properties, ..
            } if reason >= FAILURE => Err(MqttError::Refused {
                code: reason,
                reason: properties.reason_string().map(str::to_owned),
            }),
            ServerPacket::Ack { reason, .. } => Ok(Published { reason }),
            _ => Ok(Published { reason: 0 }),
        }
    }

    /// Subscribes to a topic filter at QoS 1 and waits for the acknowledgement.
    ///
    /// # Errors
    /// [`MqttError::Refused`] with the code of SUBACK, otherwise see [`MqttError`].
    pub async fn subscribe(&mut self, filter: &str, limit: Duration) -> Result<Granted, MqttError> {
        legal_filter(filter)?;
        let deadline = Instant::now() + limit;
        self.sort_out();
        let asking = async {
            let asked = match &self.client {
                Client::V311(client) => client
                    .subscribe(filter, QoS::AtLeastOnce)
                    .await
                    .map_err(|_| ()),
                Client::V5(client) => client
                    .subscribe(filter, QoS5::AtLeastOnce)
                    .await
                    .map_err(|_| ()),
            };
            self.asked(asked).await
        };
        timeout_at(deadline, asking)
            .await
            .unwrap_or(Err(MqttError::TimedOut))?;
        let ServerPacket::SubAck {
            codes, properties, ..
        } = self.acknowledged(Sent::Subscribe, deadline).await?
        else {
            return Err(MqttError::TimedOut);
        };
        match codes.as_slice() {
            [code] if *code < FAILURE => {
                self.subscribed.push(filter.to_owned());
                Ok(Granted(*code))
            }
            [code] => Err(MqttError::Refused {
                code: *code,
                reason: properties.reason_string().map(str::to_owned),
            }),
            _ => Err(MqttError::Illegal {
                illegal: super::wire::Illegal::new(
                    "MQTT-3.8.4-6",
                    "more than one code for one topic filter",
                ),
                packet: codes,
            }),
        }
    }

    /// The next message of any subscription, in the order they came; `None` if there is none within `limit`, or if the
    /// session is over and all messages are taken.
    pub async fn next_message(&mut self, limit: Duration) -> Option<Message> {
        self.message_until(Instant::now() + limit).await.ok()
    }

    /// Publishes a request and waits for the message that answers it: the first on `reply_topic` that `is_answer` says
    /// yes to. Messages before it are passed over.
    ///
    /// # Errors
    /// See [`MqttError`]; [`MqttError::TimedOut`] if no such message came.
    pub async fn request(
        &mut self,
        topic: &str,
        payload: &[u8],
        reply_topic: &str,
        mut is_answer: impl FnMut(&Message) -> bool,
        limit: Duration,
    ) -> Result<Message, MqttError> {
        let deadline = Instant::now() + limit;
        let left = || deadline.saturating_duration_since(Instant::now());
        if !self.subscribed.iter().any(|filter| filter == reply_topic) {
            self.subscribe(reply_topic, left()).await?;
        }
        self.sort_out();
        // An answer cannot be older than its request.
        self.messages.clear();
        self.publish(topic, payload, false, left()).await?;
        loop {
            let message = self.message_until(deadline).await?;
            if message.topic == reply_topic && is_answer(&message) {
                return Ok(message);
            }
        }
    }

    /// Why the session is over, if it is: the server's reason, or how the connection ended. Waits for it up to `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Option<MqttError> {
        let deadline = Instant::now() + limit;
        loop {
            match timeout_at(deadline, self.next_packet()).await {
                Err(_) => return None,
                Ok(Err(error)) => return Some(error),
                Ok(Ok(packet)) => self.keep(packet),
            }
        }
    }

    /// Sends DISCONNECT and ends the connection.
    pub async fn disconnect(mut self) {
        let _ = match &self.client {
            Client::V311(client) => timeout(DISCONNECT_LIMIT, client.disconnect())
                .await
                .map(|_| ()),
            Client::V5(client) => timeout(DISCONNECT_LIMIT, client.disconnect())
                .await
                .map(|_| ()),
        };
        // The loop of rumqttc ends once it is written, and the relay once that is carried.
        for task in &mut self.tasks {
            let _ = timeout(DISCONNECT_LIMIT, task).await;
        }
    }

    async fn message_until(&mut self, deadline: Instant) -> Result<Message, MqttError> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(message);
            }
            match timeout_at(deadline, self.next_packet()).await {
                Err(_) => return Err(MqttError::TimedOut),
                Ok(packet) => self.keep(packet?),
            }
        }
    }

    /// Waits for the acknowledgement of what was just asked for.
    ///
    /// rumqttc tells the packet identifier after it has written the packet, so the acknowledgement may come first.
    async fn acknowledged(
        &mut self,
        sent: Sent,
        deadline: Instant,
    ) -> Result<ServerPacket, MqttError> {
        let mut asked = None;
        let mut early: Vec<(u16, ServerPacket)> = Vec::new();
        loop {
            match timeout_at(deadline, self.wire.next()).await {
                Err(_) => return Err(MqttError::TimedOut),
                Ok(Err(fault)) => return Err(fault.into()),
                Ok(Ok(Happening::Sent(what, id))) => {
                    if what == sent && id != 0 {
                        asked = asked.or(Some(id));
                    }
                }
                Ok(Ok(Happening::Came(packet))) => match acknowledges(&packet) {
                    Some((what, id)) if what == sent && early.len() < MAX_REQUESTS => {
                        early.push((id, packet))
                    }
                    _ => self.keep(packet),
                },
            }
            if let Some(at) = early.iter().position(|(id, _)| Some(*id) == asked) {
                return Ok(early.swap_remove(at).1);
            }
        }
    }

    async fn next_packet(&mut self) -> Result<ServerPacket, MqttError> {
        loop {
            if let Happening::Came(packet) = self.wire.next().await.map_err(MqttError::from)? {
                return Ok(packet);
            }
        }
    }

    /// Looks through what waits, so that what is asked next is not mistaken for what was asked before.
    fn sort_out(&mut self) {
        while let Some(happening) = self.wire.try_next() {
            if let Happening::Came(packet) = happening {
                self.keep(packet);
            }
        }
    }

    fn keep(&mut self, packet: ServerPacket) {
        if let ServerPacket::Publish {
            topic,
            payload,
            retain,
            ..
        } = packet
        {
            if self.messages.len() == MAX_MESSAGES {
                self.messages.pop_front();
                self.lost += 1;
            }
            self.messages.push_back(Message {
                topic,
                payload,
                retain,
            });
        }
    }

    /// A request that rumqttc does not take means that its loop is over; the wire knows why.
    async fn asked(&self, asked: Result<(), ()>) -> Result<(), MqttError> {
        match asked {
            Ok(()) => Ok(()),
            Err(()) => loop {
                self.wire.next().await?;
            },
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn acknowledges(packet: &ServerPacket) -> Option<(Sent, u16)> {
    match packet {
        ServerPacket::Ack {
            kind: PacketType::PubAck,
            packet_id,
            ..
        } => Some((Sent::Publish, *packet_id)),
        ServerPacket::SubAck {
            kind: PacketType::SubAck,
            packet_id,
            ..
        } => Some((Sent::Subscribe, *packet_id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
