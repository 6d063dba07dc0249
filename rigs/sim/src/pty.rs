//! A pseudo-terminal that stands for a serial line: the device holds one end, its link leads to the other.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{FlushArg, SetArg, cfmakeraw, tcflush, tcgetattr, tcsetattr};
use nix::unistd;
use tokio::io::unix::AsyncFd;

/// How long output waits for a reader; a serial line loses what nobody reads.
const STALL: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Pty {
    master: AsyncFd<OwnedFd>,
    /// Held so that the device sees no hang-up while nobody has the line open.
    spare: OwnedFd,
    name: PathBuf,
}

impl Pty {
    /// Opens a line in raw mode: no echo and no line ends but those the device makes.
    ///
    /// # Errors
    /// What the system answers; there must be a tokio runtime.
    pub(crate) fn open() -> io::Result<Self> {
        let pair = openpty(None, None)?;
        let mut terminal = tcgetattr(&pair.slave)?;
        cfmakeraw(&mut terminal);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &terminal)?;
        let name = unistd::ttyname(&pair.slave)?;
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self {
            master: watch(pair.master)?,
            spare: pair.slave,
            name,
        })
    }

    /// The path that the other side opens.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    /// Reads what has come, at least one byte.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.master.readable().await?;
            let read = ready.try_io(|master| Ok(unistd::read(master, buffer)?));
            match read {
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// Writes bytes, and drops those that nobody makes room for.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let Ok(ready) = tokio::time::timeout(STALL, self.master.writable()).await else {
                tcflush(&self.spare, FlushArg::TCIFLUSH)?;
                return Ok(());
            };
            match ready?.try_io(|master| Ok(unistd::write(master, bytes)?)) {
                // A full line takes nothing and says so only later.
                Ok(Ok(0)) => tokio::time::sleep(Duration::from_millis(1)).await,
                Ok(written) => bytes = &bytes[written?..],
                Err(_would_block) => {}
            }
        }
        Ok(())
    }
}

#[allow(
    deprecated,
    reason = "an OwnedFd always names the file it owns, which is all that the unsafe successor asks for"
)]
fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}
