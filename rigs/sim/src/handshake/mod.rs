//! The beginning of TLS, of whatever is under it: the records up to the ClientHello are looked at before rustls has them.
//!
//! What rustls 0.23 does is not legal in two things, and the device is to be: it takes records of more than 2^14 bytes that are not
//! encrypted, and empty ones of a handshake that are ([`provider`]).

mod behind;
mod deep;
mod provider;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::controller::Controller;
use crate::flaw::Defect;
use behind::Behind;
use deep::Fate;
pub(crate) use deep::{Deep, in_clear};
pub(crate) use provider::provider;

/// Types of records (RFC 8446 section 5.1).
mod content {
    pub(super) const ALERT: u8 = 21;
    pub(super) const HANDSHAKE: u8 = 22;
    pub(super) const APPLICATION_DATA: u8 = 23;
}

/// A record's type, version and length.
const HEAD: usize = 5;
/// The most bytes of a record that is not encrypted.
const LONGEST: usize = 1 << 14;
/// A fatal `record_overflow`.
const OVERFLOW: [u8; 7] = [content::ALERT, 3, 3, 0, 2, 2, 22];

/// A client's connection under TLS.
pub(crate) type Secured<'c> = TlsStream<Records<'c>>;

/// Does a handshake within `limit`.
///
/// # Errors
/// It was refused, or the client left.
pub(crate) async fn accept<'c>(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    controller: &'c Controller,
    limit: Duration,
) -> io::Result<Secured<'c>> {
    if deep::is_blocked(controller) {
        std::future::pending::<()>().await;
    }
    let records = Records {
        stream,
        controller,
        hello: Hello::default(),
        stage: Stage::Begun,
        ready: Vec::new(),
        behind: Behind::default(),
    };
    let mut secured = timeout(limit, acceptor.accept(records)).await??;
    secured.get_mut().0.stage = Stage::Done;
    Ok(secured)
}

/// A connection whose records are looked at until the ClientHello is there.
pub(crate) struct Records<'c> {
    stream: TcpStream,
    controller: &'c Controller,
    hello: Hello,
    stage: Stage,
    /// What rustls has not had yet.
    ready: Vec<u8>,
    behind: Behind,
}

/// How far a handshake has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begun,
    /// The device's own part is said.
    Answered,
    Refused,
    Done,
}

/// The records of a ClientHello, as far as they came.
#[derive(Default)]
struct Hello {
    /// What does not make a record yet.
    part: Vec<u8>,
    /// How much of it rustls has had.
    passed: usize,
    /// The message, as far as it came.
    message: Vec<u8>,
    /// How many records it came in.
    records: usize,
    /// What a flaw shows of the connection before.
    before: Vec<u8>,
    /// What is said instead of going on.
    last_words: Option<Vec<u8>>,
    whole: bool,
}

impl Hello {
    fn begun(&self) -> bool {
        !self.part.is_empty() || !self.message.is_empty()
    }

    /// The length of the record that comes.
    fn announced(&self) -> Option<usize> {
        let head = self.part.get(..HEAD)?;
        Some(usize::from(u16::from_be_bytes([head[3], head[4]])))
    }

    fn message_length(&self) -> Option<usize> {
        let head = self.message.get(..4)?;
        Some(4 + u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize)
    }

    /// Takes bytes, and hands back what rustls is to have of them.
    fn take(&mut self, controller: &Controller, bytes: &[u8]) -> Vec<u8> {
        let holds_back = deep::holds_back(controller);
        let mut through = Vec::new();
        deep::begins(controller, self, bytes);
        self.part.extend_from_slice(bytes);
        while let Some(length) = self.announced() {
            deep::announced(controller, length);
            let is_long = self.part[0] == content::HANDSHAKE && length > LONGEST;
            if is_long && !controller.flaws.enabled(Defect::LongRecordsTaken) {
                self.last_words = Some(OVERFLOW.to_vec());
                return Vec::new();
            }
            if self.part.len() < HEAD + length {
                break;
            }
            let rest = self.part.split_off(HEAD + length);
            let record = std::mem::replace(&mut self.part, rest);
            let passed = std::mem::take(&mut self.passed);
            match deep::record(controller, self, &record) {
                Fate::Usual => through.extend_from_slice(&record[passed..]),
                Fate::Lost => {}
                Fate::Answered(words) => {
                    self.last_words = Some(words);
                    return through;
                }
            }
            if record[0] == content::HANDSHAKE {
                self.records += 1;
                self.message.extend_from_slice(&record[HEAD..]);
            }
            if self
                .message_length()
                .is_some_and(|length| self.message.len() >= length)
            {
                self.whole = true;
                deep::hello(controller, self);
                break;
            }
        }
        // A record that is not whole is not held back: rustls may refuse it for its head.
        if self.whole || !holds_back {
            through.extend_from_slice(&self.part[self.passed..]);
            self.passed = self.part.len();
        }
        through
    }
}

impl AsyncRead for Records<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let length = this.ready.len().min(buffer.remaining());
                buffer.put_slice(&this.ready[..length]);
                this.ready.drain(..length);
                return Poll::Ready(Ok(()));
            }
            if let Some(words) = &this.hello.last_words {
                let _ = this.stream.try_write(words);
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if this.hello.whole {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
                let words = this
                    .behind
                    .comes(this.controller, &buffer.filled()[before..]);
                if let Some(words) = words {
                    let _ = this.stream.try_write(words);
                }
                return Poll::Ready(Ok(()));
            }
            let mut part = [0; 4096];
            let mut read = ReadBuf::new(&mut part);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.ready = this.hello.take(this.controller, read.filled());
        }
    }
}

impl AsyncWrite for Records<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match (this.stage, bytes.first()) {
            (Stage::Begun, Some(&content::HANDSHAKE)) => this.stage = Stage::Answered,
            (Stage::Begun, Some(&content::ALERT)) => this.stage = Stage::Refused,
            _ => {}
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl Drop for Records<'_> {
    fn drop(&mut self) {
        deep::ends(self.controller, &self.hello, self.stage);
    }
}
