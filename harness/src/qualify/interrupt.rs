//! The interrupt of a qualification: its campaigns are ended as they would be by one of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::signals::{INTERRUPTED, Signals};

/// How often whoever waits looks for an interrupt.
const BETWEEN: Duration = Duration::from_millis(50);

/// Whether there was one.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on. The second one ends the program, and with it each campaign.
    ///
    /// # Errors
    /// The operating system gives no thread, or no handler.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::listen()?
        };
        let came = Arc::clone(&interrupt.0);
        let listening = async move {
            loop {
                signals.next().await;
                if came.swap(true, Ordering::SeqCst) {
                    std::process::exit(i32::from(INTERRUPTED));
                }
                eprintln!("\ninterrupted: each campaign is ended; once more ends at once");
            }
        };
        std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || runtime.block_on(listening))?;
        Ok(interrupt)
    }

    /// Whether it came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits, until it comes at the longest.
    pub fn sleep_until(&self, end: Instant) {
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
            && !self.came()
        {
            std::thread::sleep(left.min(BETWEEN));
        }
    }
}
