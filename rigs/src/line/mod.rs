//! Lines: serial ports, TCP and what is recorded of them.

mod error;
mod recorded;
mod recorder;
mod serial;
mod tcp;

use tokio::io::{AsyncRead, AsyncWrite};

pub use error::{LineError, is_link_down};
pub use recorded::Recorded;
pub use recorder::{Direction, Event, MAX_KEPT, Mark, Recorder, find};
pub use serial::{SerialSettings, open_serial};
pub use tcp::open_tcp;

/// What bytes go over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for S {}

/// A line that is open.
pub type Line = Box<dyn Stream>;
