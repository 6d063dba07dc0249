//! A stream whose bytes are kept.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::channel::{Carrier, Channel, Direction, Ending};
use super::recorder::{Keep, Recorder};

/// A stream that keeps its bytes in a recorder, under a name.
#[derive(Debug)]
pub struct Recorded<S> {
    stream: S,
    recorder: Recorder,
    channel: Arc<Channel>,
    keep: Keep,
}

impl<S> Recorded<S> {
    /// Wraps a stream that was opened just now.
    pub fn new(
        stream: S,
        recorder: &Recorder,
        line: &str,
        carrier: Option<Carrier>,
        keep: Keep,
    ) -> Self {
        Self {
            stream,
            recorder: recorder.clone(),
            channel: recorder.open(line, carrier, keep),
            keep,
        }
    }
}

impl<S> Drop for Recorded<S> {
    fn drop(&mut self) {
        let ending = match self.keep {
            Keep::All => Ending::Orderly,
            // A fuzz suite resets its connections.
            Keep::Window => Ending::Torn,
        };
        self.channel.end(Direction::Sent, ending);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = &buffer.filled()[before..];
        match &polled {
            Poll::Ready(Ok(())) if !new.is_empty() => {
                self.recorder
                    .keep(&self.channel, Direction::Received, new, self.keep);
            }
            Poll::Ready(Ok(())) if buffer.remaining() > 0 => {
                self.channel.end(Direction::Received, Ending::Orderly);
            }
            Poll::Ready(Err(_)) => self.channel.end(Direction::Received, Ending::Torn),
            _ => {}
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.recorder
                .keep(&self.channel, Direction::Sent, &bytes[..written], self.keep);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.end(Direction::Sent, Ending::Orderly);
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
