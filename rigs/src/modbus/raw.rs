//! Frames that need not be well-formed: sends any bytes, hands back whatever came.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::wire::mbap::{self, Mbap, PROTOCOL_MODBUS};
use super::wire::rtu;
use crate::inbox::{Filled, Inbox, is_end};

pub use crate::inbox::End;

/// The most bytes that [`Raw::receive_any`] hands back at once.
pub const MAX_ANY: usize = 4096;

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

/// A Modbus line without any protection: for tests that break the protocol.
#[derive(Debug)]
pub struct Raw<S> {
    inbox: Inbox<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Takes over a connected line.
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

    /// Receives one frame with an MBAP header, or garbage, at most 260 bytes of it.
    ///
    /// `None` is silence for `limit`. A frame that is not complete by then, or by the end of the connection, is handed
    /// back as far as it came; a header that no frame has (protocol identifier not 0, length outside 2..=254) comes
    /// back with all that came with it. [`Mbap::new_checked`] tells these from frames.
    ///
    /// # Errors
    /// [`RawError::Closed`] once the connection is over and nothing is left.
    pub async fn receive_tcp(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, RawError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(length) = mbap_length(self.inbox.waiting()) {
                return Ok(Some(self.inbox.take(length)));
            }
            match self.inbox.fill(deadline).await.map_err(failed)? {
                Filled::More => {}
                Filled::Quiet if self.inbox.waiting().is_empty() => return Ok(None),
                Filled::Ended(end) if self.inbox.waiting().is_empty() => {
                    return Err(RawError::Closed(end));
                }
                Filled::Quiet | Filled::Ended(_) => {
                    return Ok(Some(self.inbox.take(mbap::MAX_FRAME)));
                }
            }
        }
    }

    /// Receives what comes until the line is silent for `gap`, at most 256 bytes.
    ///
    /// `None` is silence for `limit`. On a real serial line `gap` is 3.5 characters (1.75 ms above 19200 baud, SL
    /// §2.5.1.1); adapters and networks need 20 ms and more.
    ///
    /// # Errors
    /// [`RawError::Closed`] once the connection is over and nothing is left.
    pub async fn receive_rtu(
        &mut self,
        limit: Duration,
        gap: Duration,
    ) -> Result<Option<Vec<u8>>, RawError> {
        let deadline = Instant::now() + limit;
        loop {
            let waiting = self.inbox.waiting().len();
            if waiting >= rtu::MAX_FRAME {
                return Ok(Some(self.inbox.take(rtu::MAX_FRAME)));
            }
            let until = match waiting {
                0 => deadline,
                _ => Instant::now() + gap,
            };
            match self.inbox.fill(until).await.map_err(failed)? {
                Filled::More => {}
                Filled::Quiet if waiting == 0 => return Ok(None),
                Filled::Ended(end) if waiting == 0 => return Err(RawError::Closed(end)),
                Filled::Quiet | Filled::Ended(_) => {
                    return Ok(Some(self.inbox.take(rtu::MAX_FRAME)));
                }
            }
        }
    }

    /// When bytes came last; none where none did yet.
    pub fn came(&self) -> Option<Instant> {
        self.inbox.came()
    }

    /// Receives whatever comes first, at most [`MAX_ANY`] bytes; `None` is silence for `limit`.
    ///
    /// # Errors
    /// [`RawError::Closed`] once the connection is over and nothing is left.
    pub async fn receive_any(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, RawError> {
        if self.inbox.waiting().is_empty() {
            let filled = self.inbox.fill(Instant::now() + limit).await;
            match filled.map_err(failed)? {
                Filled::More => {}
                Filled::Quiet => return Ok(None),
                Filled::Ended(end) => return Err(RawError::Closed(end)),
            }
        }
        Ok(Some(self.inbox.take(MAX_ANY)))
    }

    /// Waits for the peer to end the connection and says how; `None` if it did not within `limit`.
    ///
    /// What comes before the end can still be received, up to 64 KiB.
    ///
    /// # Errors
    /// [`RawError::Io`] if the line fails in a way that is no end.
    pub async fn closed(&mut self, limit: Duration) -> Result<Option<End>, RawError> {
        self.inbox.end(limit).await.map_err(failed)
    }

    /// The line's own bookkeeping, for the client of well-formed frames.
    pub(super) fn inbox(&mut self) -> &mut Inbox<S> {
        &mut self.inbox
    }
}

/// How many bytes to take, once that is clear: a frame, or garbage.
pub(super) fn mbap_length(waiting: &[u8]) -> Option<usize> {
    let header = Mbap::new_unchecked(waiting);
    // Each field is judged as soon as it is there.
    if waiting.len() >= 4 && header.protocol() != PROTOCOL_MODBUS {
        return Some(waiting.len().min(mbap::MAX_FRAME));
    }
    if waiting.len() < 6 {
        return None;
    }
    if !(2..=254).contains(&header.length()) {
        return Some(waiting.len().min(mbap::MAX_FRAME));
    }
    let length = mbap::field::UNIT + usize::from(header.length());
    (waiting.len() >= length).then_some(length)
}

pub(super) fn failed(error: io::Error) -> RawError {
    match error.kind() {
        _ if is_end(&error) => RawError::Closed(End::Torn),
        io::ErrorKind::TimedOut => RawError::Stalled,
        _ => RawError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    const SHORT: Duration = Duration::from_millis(50);
    const GAP: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(5);
    const FRAME: [u8; 9] = [0, 1, 0, 0, 0, 3, 9, 0x83, 2];

    fn pair() -> (Raw<DuplexStream>, DuplexStream) {
        let (ours, peer) = duplex(8192);
        (Raw::new(ours), peer)
    }

    #[tokio::test]
    async fn frames_are_cut_apart_however_they_arrive() {
        let (mut raw, mut peer) = pair();
        peer.write_all(&[&FRAME[..], &FRAME[..], &FRAME[..4]].concat())
            .await
            .unwrap();
        assert_eq!(raw.receive_tcp(LONG).await.unwrap().unwrap(), FRAME);
        assert_eq!(raw.receive_tcp(LONG).await.unwrap().unwrap(), FRAME);
        peer.write_all(&FRAME[4..]).await.unwrap();
        assert_eq!(raw.receive_tcp(LONG).await.unwrap().unwrap(), FRAME);
        assert_eq!(raw.receive_tcp(SHORT).await.unwrap(), None);
    }

    #[tokio::test]
    async fn garbage_and_half_frames_come_back_as_bytes() {
        let (mut raw, mut peer) = pair();
        peer.write_all(b"HTTP/1.1 400 Bad Request").await.unwrap();
        assert_eq!(
            raw.receive_tcp(LONG).await.unwrap().unwrap(),
            b"HTTP/1.1 400 Bad Request"
        );
        peer.write_all(&FRAME[..8]).await.unwrap();
        assert_eq!(raw.receive_tcp(SHORT).await.unwrap().unwrap(), &FRAME[..8]);
        peer.write_all(&[0xFF; 1000]).await.unwrap();
        assert_eq!(raw.receive_tcp(LONG).await.unwrap().unwrap().len(), 260);
    }

    #[tokio::test]
    async fn the_end_is_told_after_the_last_bytes() {
        let (mut raw, mut peer) = pair();
        peer.write_all(&FRAME).await.unwrap();
        assert_eq!(raw.closed(SHORT).await.unwrap(), None);
        drop(peer);
        assert_eq!(raw.closed(LONG).await.unwrap(), Some(End::Orderly));
        assert_eq!(raw.receive_tcp(LONG).await.unwrap().unwrap(), FRAME);
        assert!(matches!(
            raw.receive_tcp(LONG).await,
            Err(RawError::Closed(End::Orderly))
        ));
        assert!(matches!(
            raw.receive_any(LONG).await,
            Err(RawError::Closed(_))
        ));
        assert!(matches!(raw.send(&FRAME).await, Err(RawError::Closed(_))));
    }

    #[tokio::test]
    async fn an_rtu_frame_ends_with_silence() {
        let (mut raw, mut peer) = pair();
        peer.write_all(&[1, 3]).await.unwrap();
        peer.write_all(&[2, 0]).await.unwrap();
        assert_eq!(
            raw.receive_rtu(LONG, GAP).await.unwrap().unwrap(),
            [1, 3, 2, 0]
        );
        assert_eq!(raw.receive_rtu(SHORT, GAP).await.unwrap(), None);
        peer.write_all(&[5; 300]).await.unwrap();
        assert_eq!(
            raw.receive_rtu(LONG, GAP).await.unwrap().unwrap().len(),
            256
        );
        assert_eq!(raw.receive_any(LONG).await.unwrap().unwrap().len(), 44);
    }

    #[tokio::test]
    async fn a_reset_is_told_from_an_orderly_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let mut raw = Raw::new(ours);
        raw.send(&FRAME).await.unwrap();
        peer.readable().await.unwrap();
        // Closing with bytes unread makes the kernel send a reset.
        drop(peer);
        assert_eq!(raw.closed(LONG).await.unwrap(), Some(End::Torn));
    }
}
