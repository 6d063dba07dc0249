//! The screen before the broker: it ends TLS, and lets through what MQTT allows.
//!
//! Two things that `mqtt5` 0.49 does are not legal, and the device is to be: it takes packet identifiers of zero, and it answers a refused
//! publication of MQTT 3.1.1 with a PUBACK of MQTT 5.0.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::controller::Controller;
use crate::flaw::Defect;

/// Packet types, the high half of the first byte (MQTT 5.0 section 2.1.2).
const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
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
            if let Ok(Ok(client)) = timeout(HANDSHAKE, acceptor.accept(client)).await {
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
    let first = read_packet(&mut from_client, longest).await?;
    let version_5 = first.level() == Some(LEVEL_5);
    to_broker.write_all(&first.bytes).await?;
    let up = async {
        loop {
            let packet = read_packet(&mut from_client, longest);
            let packet = if controller.flaws.enabled(Defect::MqttIdlesForEver) {
                packet.await?
            } else {
                let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
                let limit = controller.policy().remote_idle();
                timeout(limit, packet).await.map_err(silent)??
            };
            if packet.has_id_zero() {
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
            let mut packet = read_packet(&mut from_broker, usize::MAX).await?;
            packet.shorten_acknowledgement();
            to_client.write_all(&packet.bytes).await?;
            to_client.flush().await?;
        }
    };
    let ended: io::Result<()> = tokio::select! { ended = up => ended, ended = down => ended };
    let _ = timeout(HANDSHAKE, to_client.shutdown()).await;
    ended
}

/// One packet, whole.
struct Packet {
    bytes: Vec<u8>,
    /// Where the fixed header ends.
    body: usize,
}

async fn read_packet(stream: &mut (impl AsyncRead + Unpin), longest: usize) -> io::Result<Packet> {
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
    if length > longest {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let body = bytes.len();
    bytes.resize(body + length, 0);
    stream.read_exact(&mut bytes[body..]).await?;
    Ok(Packet { bytes, body })
}

impl Packet {
    fn kind(&self) -> u8 {
        self.bytes[0] >> 4
    }

    /// The protocol level of a CONNECT.
    fn level(&self) -> Option<u8> {
        (self.kind() == CONNECT).then_some(*self.bytes.get(self.body + 6)?)
    }

    /// Whether the packet needs an identifier and has zero [MQTT-2.2.1-3].
    fn has_id_zero(&self) -> bool {
        let body = &self.bytes[self.body..];
        let at = match self.kind() {
            SUBSCRIBE | UNSUBSCRIBE => 0,
            PUBLISH if self.bytes[0] & 0x06 != 0 => match body {
                [high, low, ..] => 2 + usize::from(u16::from_be_bytes([*high, *low])),
                _ => return false,
            },
            _ => return false,
        };
        body.get(at..at + 2) == Some(&[0, 0])
    }

    /// MQTT 3.1.1 section 3.4: a PUBACK is an identifier and nothing else.
    fn shorten_acknowledgement(&mut self) {
        if self.kind() == PUBACK && self.bytes.len() > self.body + 2 {
            let id = [self.bytes[self.body], self.bytes[self.body + 1]];
            self.bytes = vec![self.bytes[0], 2, id[0], id[1]];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn packet(mut bytes: &[u8]) -> Packet {
        read_packet(&mut bytes, 1024).await.unwrap()
    }

    #[tokio::test]
    async fn identifiers_of_zero_are_seen() {
        assert!(packet(&[0x32, 5, 0, 1, b'a', 0, 0]).await.has_id_zero());
        assert!(packet(&[0x82, 2, 0, 0]).await.has_id_zero());
        assert!(!packet(&[0x32, 5, 0, 1, b'a', 0, 1]).await.has_id_zero());
        assert!(!packet(&[0x30, 5, 0, 1, b'a', 0, 0]).await.has_id_zero());
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
            read_packet(&mut &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 1][..], 1024)
                .await
                .is_err()
        );
        assert!(
            read_packet(&mut &[0x10, 0xFF, 0x7F, 0][..], 1024)
                .await
                .is_err()
        );
    }
}
