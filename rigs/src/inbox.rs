//! What came in on a stream and was not looked at yet, with every wait and every size bounded.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// How the peer ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It closed its side in good order (FIN, `close_notify`, end of file).
    Orderly,
    /// It tore the connection down (RST), or the line went away.
    Torn,
}

/// What a wait for bytes brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// More bytes wait than before.
    More,
    /// The time is over.
    Quiet,
    /// Nothing will come any more.
    Ended(End),
}

/// A stream and the bytes read from it that nobody took yet.
#[derive(Debug)]
pub(crate) struct Inbox<S> {
    stream: S,
    waiting: Vec<u8>,
    /// When bytes came last.
    came: Option<Instant>,
    end: Option<End>,
}

/// How much one read takes in at most.
const READ_SIZE: usize = 4096;
/// How many bytes are kept while one waits for the end of the connection.
const KEPT_UNTIL_CLOSE: usize = 64 * 1024;
/// How long a peer may take to take in what is sent.
pub(crate) const SEND_LIMIT: Duration = Duration::from_secs(10);

impl<S: AsyncRead + AsyncWrite + Unpin> Inbox<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            waiting: Vec::new(),
            came: None,
            end: None,
        }
    }

    /// The bytes that wait.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.waiting
    }

    /// When bytes came last; none where none did yet.
    pub(crate) fn came(&self) -> Option<Instant> {
        self.came
    }

    /// Takes the first `count` bytes, or all if there are fewer.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.waiting.split_off(count.min(self.waiting.len()));
        std::mem::replace(&mut self.waiting, rest)
    }

    /// Writes all bytes; a peer that does not take them within [`SEND_LIMIT`] is an error of kind `TimedOut`.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(SEND_LIMIT, writing).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the peer does not take what is sent",
            )),
        }
    }

    /// Closes our side; what the peer still sends can be read.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        match timeout(SEND_LIMIT, self.stream.shutdown()).await {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Waits for more bytes.
    pub(crate) async fn fill(&mut self, deadline: Instant) -> io::Result<Filled> {
        if let Some(end) = self.end {
            return Ok(Filled::Ended(end));
        }
        let mut chunk = [0; READ_SIZE];
        // A deadline that is over must not keep bytes out that are already there, hence `biased` by timeout_at:
        // it polls the read before the clock.
        match timeout_at(deadline, self.stream.read(&mut chunk)).await {
            Err(_) => Ok(Filled::Quiet),
            Ok(Ok(0)) => Ok(self.ended(End::Orderly)),
            Ok(Ok(count)) => {
                self.waiting.extend_from_slice(&chunk[..count]);
                self.came = Some(Instant::now());
                Ok(Filled::More)
            }
            Ok(Err(error)) if is_end(&error) => Ok(self.ended(End::Torn)),
            Ok(Err(error)) => Err(error),
        }
    }

    /// Waits for the end of the connection; bytes that come are kept up to a bound.
    pub(crate) async fn end(&mut self, limit: Duration) -> io::Result<Option<End>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.fill(deadline).await? {
                Filled::More => self.waiting.truncate(KEPT_UNTIL_CLOSE),
                Filled::Quiet => return Ok(None),
                Filled::Ended(end) => return Ok(Some(end)),
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Throws away what waits and what comes until nothing came for `quiet`, for `limit` at most.
    ///
    /// Says whether it became quiet.
    pub(crate) async fn drain(&mut self, quiet: Duration, limit: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            self.waiting.clear();
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            match self.fill(deadline.min(now + quiet)).await? {
                Filled::More => {}
                Filled::Quiet => return Ok(now + quiet <= deadline),
                Filled::Ended(_) => return Ok(true),
            }
        }
    }

    fn ended(&mut self, end: End) -> Filled {
        self.end = Some(end);
        Filled::Ended(end)
    }
}

/// Whether an error means that the peer, or the line, is gone.
pub(crate) fn is_end(error: &io::Error) -> bool {
    // What reading a pseudo-terminal gives on Linux once its other side is closed.
    const EIO: i32 = 5;
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    ) || error.raw_os_error() == Some(EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn bytes_wait_until_they_are_taken() {
        let (ours, mut peer) = tokio::io::duplex(64);
        let mut inbox = Inbox::new(ours);
        peer.write_all(b"abc").await.unwrap();
        assert_eq!(
            inbox.fill(Instant::now() + LONG).await.unwrap(),
            Filled::More
        );
        assert_eq!(inbox.take(2), b"ab");
        assert_eq!(inbox.waiting(), b"c");
        assert_eq!(
            inbox.fill(Instant::now() + SHORT).await.unwrap(),
            Filled::Quiet
        );
        drop(peer);
        assert_eq!(
            inbox.fill(Instant::now() + LONG).await.unwrap(),
            Filled::Ended(End::Orderly)
        );
        assert_eq!(inbox.take(9), b"c");
    }

    #[tokio::test]
    async fn a_flood_is_bounded_while_waiting_for_the_end() {
        let (ours, mut peer) = tokio::io::duplex(1024);
        let mut inbox = Inbox::new(ours);
        let flood = tokio::spawn(async move { while peer.write_all(&[7; 1024]).await.is_ok() {} });
        assert_eq!(inbox.end(Duration::from_millis(200)).await.unwrap(), None);
        assert!(inbox.waiting().len() <= KEPT_UNTIL_CLOSE);
        assert!(
            !inbox
                .drain(SHORT, Duration::from_millis(100))
                .await
                .unwrap()
        );
        drop(inbox);
        flood.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_does_not_hold_us_up() {
        let (ours, _peer) = tokio::io::duplex(8);
        let error = Inbox::new(ours).send(&[0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
