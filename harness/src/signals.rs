//! What asks the program to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of what was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// SIGINT and SIGTERM, which are the same to a campaign.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on. Needs a runtime.
    ///
    /// # Errors
    /// The operating system gives no handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
