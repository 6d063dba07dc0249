//! Lines: serial ports, TCP and what is recorded of them.

mod activity;
mod channel;
mod error;
mod keys;
mod mask;
mod recorded;
mod recorder;
mod recording;
mod serial;
mod tap;
mod tcp;

use tokio::io::{AsyncRead, AsyncWrite};

pub use activity::Activity;
pub(crate) use channel::WATCHING;
pub use channel::{Carrier, Channel, Direction, Ending, Event};
pub use error::{LineError, is_link_down};
pub use keys::Keys;
pub use recorded::Recorded;
pub use recorder::{Keep, MAX_KEPT, Mark, NotKept, Recorder, find};
pub use recording::Recording;
pub(crate) use recording::middle;
pub use serial::{SerialSettings, open_serial};
pub use tap::Tap;
pub use tcp::open_tcp;

/// What bytes go over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for S {}

/// A line that is open.
pub type Line = Box<dyn Stream>;
