//! Serial ports, real ones and ptys, and serial servers over TCP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serialport::{ClearBuffer, SerialPort};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use super::Line;
use super::error::LineError;
use super::tcp::open_tcp;
use crate::rig::{Parity, SerialPort as Settings};

/// A serial port and how it is set.
pub type SerialSettings = Settings;

/// Opens a serial port: a path, or `tcp://host:port` for a serial server. What was in the port's buffers is discarded.
///
/// # Errors
/// There is no such port, another program holds it, or this user may not open it.
pub async fn open_serial(
    port: &str,
    settings: SerialSettings,
    limit: Duration,
) -> Result<Line, LineError> {
    if let Some(server) = port.strip_prefix("tcp://") {
        return Ok(Box::new(open_tcp(server, limit).await?));
    }
    let opened = tokio_serial::new(port, settings.baud)
        .parity(match settings.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        })
        .stop_bits(if settings.stop_bits == 2 {
            tokio_serial::StopBits::Two
        } else {
            tokio_serial::StopBits::One
        })
        .open_native_async();
    let stream = opened.map_err(|error| named(port, error))?;
    // A pty has no such buffers in some kernels; then there is nothing stale either.
    let _ = stream.clear(ClearBuffer::All);
    Ok(Box::new(SerialLine {
        stream,
        down: false,
    }))
}

fn named(port: &str, error: serialport::Error) -> LineError {
    let address = port.to_owned();
    match error.kind {
        // serialport 4.10 says "no device" for a lock that somebody else holds.
        serialport::ErrorKind::NoDevice if error.description.contains("lock") => {
            LineError::InUse { address }
        }
        serialport::ErrorKind::NoDevice => LineError::NoPort { address },
        serialport::ErrorKind::Io(kind) => {
            LineError::io(port, io::Error::new(kind, error.description))
        }
        _ => LineError::Io {
            address,
            source: io::Error::other(error.description),
        },
    }
}

/// A serial port on which a link that is down gives one error, and then stays down: `tokio-serial` reads nothing for ever
/// from a pty whose other side has closed, and a reader that took it for data would spin.
#[derive(Debug)]
struct SerialLine {
    stream: SerialStream,
    down: bool,
}

impl SerialLine {
    fn gone() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionReset, "the serial link is down")
    }
}

impl AsyncRead for SerialLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.down {
            return Poll::Ready(Err(Self::gone()));
        }
        let before = buffer.filled().len();
        let room = buffer.remaining();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) if buffer.filled().len() == before && room > 0 => {
                self.down = true;
                Poll::Ready(Err(Self::gone()))
            }
            Poll::Ready(Err(error)) if super::is_link_down(&error) => {
                self.down = true;
                Poll::Ready(Err(Self::gone()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for SerialLine {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.down {
            return Poll::Ready(Err(Self::gone()));
        }
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(Err(error)) if super::is_link_down(&error) => {
                self.down = true;
                Poll::Ready(Err(Self::gone()))
            }
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // `tcdrain` waits without bound on a pty that nobody reads; what was written is on its way anyhow.
        let _ = (&mut self.stream, context);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
