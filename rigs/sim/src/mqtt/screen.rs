//! The screen before the broker: it ends TLS, and lets through what MQTT allows.
//!
//! What `mqtt5` 0.49 does is not legal in some things, and the device is to be: it takes packet identifiers of zero, filters with `#` inside,
//! a quality of service of 3 in a subscription, packets that only a server sends, and a PINGREQ with a body; and it answers a refused publication
//! of MQTT 3.1.1 with a PUBACK or PUBREC of MQTT 5.0.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::deep::{self, Fate};
use crate::controller::Controller;
use crate::flaw::Defect;
use crate::handshake;
use kind::{
    CONNACK, CONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, SUBACK, SUBSCRIBE, UNSUBACK,
    UNSUBSCRIBE,
};

/// Packet types, the high half of the first byte (MQTT 5.0 section 2.1.2).
pub(super) mod kind {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const CONNACK: u8 = 2;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const PUBACK: u8 = 4;
    pub(crate) const PUBREC: u8 = 5;
    pub(crate) const PUBREL: u8 = 6;
    pub(crate) const PUBCOMP: u8 = 7;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const SUBACK: u8 = 9;
    pub(crate) const UNSUBSCRIBE: u8 = 10;
    pub(crate) const UNSUBACK: u8 = 11;
    pub(crate) const PINGREQ: u8 = 12;
    pub(crate) const PINGRESP: u8 = 13;
}

/// The protocol level of MQTT 5.0.
const LEVEL_5: u8 = 5;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts clients for ever, and passes them on to the broker at `broker`. At most `most` are served at a time.
pub(super) async fn run(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    controller: Arc<Controller>,
    broker: SocketAddr,
    most: usize,
    longest: usize,
) {
    let room = Arc::new(Semaphore::new(most));
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of file handles: others have to go first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let (acceptor, controller) = (acceptor.clone(), Arc::clone(&controller));
        tokio::spawn(async move {
            let _ = client.set_nodelay(true);
            if let Ok(client) = handshake::accept(&acceptor, client, &controller, HANDSHAKE).await {
                let _ = pass_on(client, &controller, broker, longest).await;
            }
            drop(place);
        });
    }
}

async fn pass_on(
    client: impl AsyncRead + AsyncWrite,
    controller: &Controller,
    broker: SocketAddr,
    longest: usize,
) -> io::Result<()> {
    let inside = TcpStream::connect(broker).await?;
    inside.set_nodelay(true)?;
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_broker, mut to_broker) = inside.into_split();
    // The first packet tells which MQTT the client speaks.
    if deep::is_blocked(controller) {
        std::future::pending::<()>().await;
    }
    let first = read_packet(&mut from_client, longest, |length| {
        deep::declared(controller, length)
    })
    .await?;
    let version_5 = first.level() == Some(LEVEL_5);
    to_broker.write_all(&first.bytes).await?;
    let mut session = deep::Session::default();
    let up = async {
        loop {
            let packet = read_packet(&mut from_client, longest, |length| {
                deep::declared(controller, length)
            });
            let packet = if controller.flaws.enabled(Defect::MqttIdlesForEver) {
                packet.await?
            } else {
                let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
                let limit = controller.policy().remote_idle();
                let read = controller.before_silence(limit, packet).await;
                read.map_err(silent)??
            };
            let wrong = match deep::from_client(controller, &mut session, &packet) {
                Fate::Lost => continue,
                Fate::Unjudged => false,
                Fate::Usual => packet.has_id_zero() || packet.is_malformed(version_5),
            };
            if wrong {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            to_broker.write_all(&packet.bytes).await?;
        }
    };
    let down = async {
        if version_5 {
            copy(&mut from_broker, &mut to_client).await?;
            return Ok(());
        }
        loop {
            let mut packet = read_packet(&mut from_broker, usize::MAX, |_| ()).await?;
            if deep::to_client(controller, &mut packet) {
                packet.shorten_acknowledgement();
            }
            to_client.write_all(&packet.bytes).await?;
            to_client.flush().await?;
        }
    };
    let ended: io::Result<()> = tokio::select! { ended = up => ended, ended = down => ended };
    let _ = timeout(HANDSHAKE, to_client.shutdown()).await;
    ended
}

/// One packet, whole.
pub(super) struct Packet {
    bytes: Vec<u8>,
    /// Where the fixed header ends.
    body: usize,
}

async fn read_packet(
    stream: &mut (impl AsyncRead + Unpin),
    longest: usize,
    declared: impl FnOnce(usize),
) -> io::Result<Packet> {
    let mut bytes = vec![stream.read_u8().await?];
    let mut length = 0_usize;
    for place in 0..4 {
        let byte = stream.read_u8().await?;
        bytes.push(byte);
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
        if place == 3 {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
    declared(length);
    if length > longest {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let body = bytes.len();
    bytes.resize(body + length, 0);
    stream.read_exact(&mut bytes[body..]).await?;
    Ok(Packet { bytes, body })
}

impl Packet {
    pub(super) fn kind(&self) -> u8 {
        self.bytes[0] >> 4
    }

    /// What follows the fixed header.
    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// Sends it twice: a flaw.
    pub(super) fn double(&mut self) {
        self.shorten_acknowledgement();
        self.bytes.extend(self.bytes.clone());
    }

    /// Leaves its last byte out: a flaw. Its length is one byte long.
    pub(super) fn drop_last(&mut self) {
        self.bytes.pop();
        self.bytes[1] -= 1;
    }

    /// The protocol level of a CONNECT.
    fn level(&self) -> Option<u8> {
        (self.kind() == CONNECT).then_some(*self.bytes.get(self.body + 6)?)
    }

    /// Whether the packet needs an identifier and has zero [MQTT-2.2.1-3].
    fn has_id_zero(&self) -> bool {
        let body = &self.bytes[self.body..];
        let at = match self.kind() {
            PUBACK..=PUBCOMP | SUBSCRIBE | UNSUBSCRIBE => 0,
            PUBLISH if self.bytes[0] & 0x06 != 0 => match body {
                [high, low, ..] => 2 + usize::from(u16::from_be_bytes([*high, *low])),
                _ => return false,
            },
            _ => return false,
        };
        body.get(at..at + 2) == Some(&[0, 0])
    }

    /// Whether a client may not send this at all (MQTT 3.1.1 sections 2.2.1, 3.8.3, 3.12, 4.7.1).
    fn is_malformed(&self, version_5: bool) -> bool {
        let body = &self.bytes[self.body..];
        match self.kind() {
            CONNACK | SUBACK | UNSUBACK | PINGRESP => true,
            PINGREQ => !body.is_empty(),
            SUBSCRIBE => filters(body, version_5, true).is_none(),
            UNSUBSCRIBE => filters(body, version_5, false).is_none(),
            _ => false,
        }
    }

    /// MQTT 3.1.1 sections 3.4 to 3.7: an acknowledgement is an identifier and nothing else.
    fn shorten_acknowledgement(&mut self) {
        if matches!(self.kind(), PUBACK..=PUBCOMP) && self.bytes.len() > self.body + 2 {
            let id = [self.bytes[self.body], self.bytes[self.body + 1]];
            self.bytes = vec![self.bytes[0], 2, id[0], id[1]];
        }
    }
}

/// Reads the filters of a SUBSCRIBE (each with its options) or an UNSUBSCRIBE; none if one of them is not allowed.
fn filters(body: &[u8], version_5: bool, options: bool) -> Option<()> {
    let mut rest = body.get(2..)?;
    if version_5 {
        // The properties' length is a variable byte integer (MQTT 5.0 section 1.5.5).
        let mut length = 0_usize;
        for place in 0..4 {
            let (byte, after) = rest.split_first()?;
            rest = after;
            length |= usize::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                break;
            }
        }
        rest = rest.get(length..)?;
    }
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let filter = after.get(..length)?;
        rest = &after[length..];
        let levels: Vec<&[u8]> = filter.split(|byte| *byte == b'/').collect();
        let last = levels.len() - 1;
        let wild = |level: &[u8]| level.contains(&b'#') || level.contains(&b'+');
        let misplaced = levels.iter().enumerate().any(|(at, level)| match level {
            [b'+'] => false,
            [b'#'] => at != last,
            other => wild(other),
        });
        if misplaced || filter.is_empty() {
            return None;
        }
        if options {
            let (chosen, after) = rest.split_first()?;
            rest = after;
            let reserved = if version_5 { 0xC0 } else { 0xFC };
            if chosen & 0x03 == 3 || chosen & reserved != 0 {
                return None;
            }
        }
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn packet(mut bytes: &[u8]) -> Packet {
        read_packet(&mut bytes, 1024, |_| ()).await.unwrap()
    }

    #[tokio::test]
    async fn identifiers_of_zero_are_seen() {
        assert!(packet(&[0x32, 5, 0, 1, b'a', 0, 0]).await.has_id_zero());
        assert!(packet(&[0x82, 2, 0, 0]).await.has_id_zero());
        assert!(!packet(&[0x32, 5, 0, 1, b'a', 0, 1]).await.has_id_zero());
        assert!(!packet(&[0x30, 5, 0, 1, b'a', 0, 0]).await.has_id_zero());
    }

    #[tokio::test]
    async fn what_a_client_may_not_send_is_seen() {
        let five = |bytes: &'static [u8]| async move { packet(bytes).await.is_malformed(true) };
        let three = |bytes: &'static [u8]| async move { packet(bytes).await.is_malformed(false) };
        assert!(three(&[0x20, 2, 0, 0]).await);
        assert!(three(&[0xC0, 1, 0]).await);
        assert!(!three(&[0xC0, 0]).await);
        assert!(!three(&[0x82, 8, 0, 1, 0, 3, b'a', b'/', b'#', 1]).await);
        assert!(three(&[0x82, 8, 0, 1, 0, 3, b'a', b'/', b'#', 3]).await);
        assert!(three(&[0x82, 8, 0, 1, 0, 3, b'#', b'/', b'a', 0]).await);
        assert!(!five(&[0x82, 7, 0, 1, 0, 0, 1, b'+', 0x2C]).await);
        assert!(five(&[0x82, 8, 0, 1, 0, 0, 2, b'a', b'#', 0]).await);
        assert!(!five(&[0xA2, 6, 0, 1, 0, 0, 1, b'a']).await);
    }

    #[tokio::test]
    async fn a_puback_of_mqtt_5_becomes_one_of_3_1_1() {
        let mut answer = packet(&[0x40, 3, 0, 7, 0x87]).await;
        answer.shorten_acknowledgement();
        assert_eq!(answer.bytes, [0x40, 2, 0, 7]);
    }

    #[tokio::test]
    async fn a_length_without_an_end_is_refused() {
        assert!(
            read_packet(&mut &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 1][..], 1024, |_| ())
                .await
                .is_err()
        );
        assert!(
            read_packet(&mut &[0x10, 0xFF, 0x7F, 0][..], 1024, |_| ())
                .await
                .is_err()
        );
    }
}
