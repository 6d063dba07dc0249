//! What goes wrong on a line.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// A line could not be opened, or dropped.
#[derive(Debug, Error)]
pub enum LineError {
    /// Nothing listens there.
    #[error(
        "{address}: nothing listens there; check that the device runs and that the address is right"
    )]
    Refused {
        /// The address.
        address: String,
    },
    /// No answer in time.
    #[error("{address}: no answer within {} ms", limit.as_millis())]
    TimedOut {
        /// The address.
        address: String,
        /// The limit.
        limit: Duration,
    },
    /// There is no such port.
    #[error("{address}: there is no such port; check the cable, and the name with `ls /dev/tty*`")]
    NoPort {
        /// The port.
        address: String,
    },
    /// Another program holds the port.
    #[error("{address}: another program holds this port; close it")]
    InUse {
        /// The port.
        address: String,
    },
    /// This user may not open the port.
    #[error("{address}: this user may not open it; on Linux, add the user to the group `dialout`")]
    Forbidden {
        /// The port.
        address: String,
    },
    /// The device ended the TLS handshake with an alert.
    #[error("{address}: the device ended the TLS handshake: {alert}")]
    PeerAlert {
        /// The address.
        address: String,
        /// The alert.
        alert: String,
    },
    /// The device's side of TLS is not acceptable to the bench: its certificate, version or suite.
    #[error("{address}: the device's TLS is not acceptable: {why}")]
    PeerTls {
        /// The address.
        address: String,
        /// Why.
        why: String,
    },
    /// The bench's own certificate or key is not usable.
    #[error("{what} cannot be used: {why}")]
    OurTls {
        /// The file or item.
        what: String,
        /// Why.
        why: String,
    },
    /// Anything else of the operating system.
    #[error("{address}: {source}")]
    Io {
        /// The address.
        address: String,
        /// The error.
        source: io::Error,
    },
}

impl LineError {
    /// Names an error of the operating system.
    pub fn io(address: &str, source: io::Error) -> Self {
        let address = address.to_owned();
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { address },
            io::ErrorKind::NotFound => Self::NoPort { address },
            io::ErrorKind::PermissionDenied => Self::Forbidden { address },
            _ => Self::Io { address, source },
        }
    }
}

/// Whether this error says that the link is down: the peer closed it, or the port went away.
///
/// A pty whose other side closed gives EIO, a port that was pulled gives ENXIO (measured on Linux).
pub fn is_link_down(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    const ENXIO: i32 = 6;
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    ) || matches!(error.raw_os_error(), Some(EIO | ENXIO))
}
