//! Packets that need not be well-formed: sends any bytes, hands back whatever came.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::wire::frame::{Length, length};
use crate::inbox::{Filled, Inbox, is_end};

pub use crate::inbox::End;

/// The most bytes that [`Raw::receive`] hands back at once.
pub const MAX_PACKET: usize = 64 * 1024;

/// Why bytes could not be sent or received.
#[derive(Debug, Error)]
pub enum RawError {
    /// The peer ended the connection, and nothing is left to hand back.
    #[error("the peer ended the connection ({0:?})")]
    Closed(End),
    /// The peer does not take in what is sent.
    #[error("the peer does not take what is sent")]
    Stalled,
    /// Anything else that the line says.
    #[error("the line failed")]
    Io(#[source] io::Error),
}

/// An MQTT connection without any protection: for tests that break the protocol.
#[derive(Debug)]
pub struct Raw<S> {
    inbox: Inbox<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Takes over a connected stream; nothing is sent.
    pub fn new(stream: S) -> Self {
        Self {
            inbox: Inbox::new(stream),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// [`RawError::Closed`] if the peer is gone, [`RawError::Stalled`] if it takes nothing for ten seconds.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), RawError> {
        self.inbox.send(bytes).await.map_err(failed)
    }

    /// Closes our side; what the peer still sends can be received.
    ///
    /// # Errors
    /// As [`Raw::send`].
    pub async fn finish(&mut self) -> Result<(), RawError> {
        self.inbox.finish().await.map_err(failed)
    }

    /// Receives one packet, legal or not; `None` is silence for `limit`.
    ///
    /// A packet that is not complete by then, or by the end of the connection, is handed back as far as it came, and so
    /// are the first 64 KiB of a longer one. [`decode`](super::wire::decode) tells these from packets.
    ///
    /// # Errors
    /// [`RawError::Closed`] once the connection is over and nothing is left.
    pub async fn receive(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, RawError> {
        let deadline = Instant::now() + limit;
        loop {
            let waiting = self.inbox.waiting();
            match length(waiting) {
                Length::Bytes { total, .. } if total <= waiting.len() => {
                    return Ok(Some(self.inbox.take(total.min(MAX_PACKET))));
                }
                Length::Malformed => return Ok(Some(self.inbox.take(MAX_PACKET))),
                _ if waiting.len() >= MAX_PACKET => return Ok(Some(self.inbox.take(MAX_PACKET))),
                _ => {}
            }
            match self.inbox.fill(deadline).await.map_err(failed)? {
                Filled::More => {}
                Filled::Quiet if self.inbox.waiting().is_empty() => return Ok(None),
                Filled::Ended(end) if self.inbox.waiting().is_empty() => {
                    return Err(RawError::Closed(end));
                }
                Filled::Quiet | Filled::Ended(_) => return Ok(Some(self.inbox.take(MAX_PACKET))),
            }
        }
    }

    /// Waits for the peer to end the connection and says how; `None` if it did not within `limit`.
    ///
    /// What comes before the end can still be received, up to 64 KiB.
    ///
    /// # Errors
    /// [`RawError::Io`] if the stream fails in a way that is no end.
    pub async fn closed(&mut self, limit: Duration) -> Result<Option<End>, RawError> {
        self.inbox.end(limit).await.map_err(failed)
    }
}

fn failed(error: io::Error) -> RawError {
    match error.kind() {
        _ if is_end(&error) => RawError::Closed(End::Torn),
        io::ErrorKind::TimedOut => RawError::Stalled,
        _ => RawError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn packets_are_cut_apart_and_garbage_comes_back() {
        let (ours, mut peer) = duplex(1 << 20);
        let mut raw = Raw::new(ours);
        peer.write_all(&[0xD0, 0, 0x20, 2, 0, 0, 0x30])
            .await
            .unwrap();
        assert_eq!(raw.receive(LONG).await.unwrap().unwrap(), [0xD0, 0]);
        assert_eq!(raw.receive(LONG).await.unwrap().unwrap(), [0x20, 2, 0, 0]);
        assert_eq!(raw.receive(SHORT).await.unwrap().unwrap(), [0x30]);
        assert_eq!(raw.receive(SHORT).await.unwrap(), None);
        peer.write_all(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1])
            .await
            .unwrap();
        assert_eq!(raw.receive(LONG).await.unwrap().unwrap().len(), 6);
        peer.write_all(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F])
            .await
            .unwrap();
        peer.write_all(&vec![7; 100_000]).await.unwrap();
        assert_eq!(raw.receive(LONG).await.unwrap().unwrap().len(), MAX_PACKET);
        drop(peer);
        assert_eq!(raw.closed(LONG).await.unwrap(), Some(End::Orderly));
        let last = loop {
            match raw.receive(LONG).await {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        assert!(
            matches!(last, Err(RawError::Closed(End::Orderly))),
            "{last:?}"
        );
    }
}
