//! What ends a campaign before its end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::Runner;
use crate::signals::{INTERRUPTED, Signals};

impl Runner {
    /// Takes the end of standard input for an interrupt from now on.
    pub fn guarded(&self) {
        let (interrupted, cancel) = (Arc::clone(&self.interrupted), self.cancel.clone());
        let guard = move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            interrupted.store(true, Ordering::SeqCst);
            cancel.send_replace(true);
        };
        // Its runtime would wait for a blocked read.
        std::thread::spawn(guard);
    }
}

/// The first interrupt ends the campaign after the trial's own end; the second one at once.
pub(super) async fn watch_signals(
    interrupted: Arc<AtomicBool>,
    asking: Arc<AtomicBool>,
    cancel: watch::Sender<bool>,
) {
    let Ok(mut signals) = Signals::listen() else {
        return;
    };
    loop {
        signals.next().await;
        if asking.load(Ordering::SeqCst) && !*cancel.borrow() {
            cancel.send_replace(true);
            continue;
        }
        if interrupted.swap(true, Ordering::SeqCst) || asking.load(Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        eprintln!("\ninterrupted: the device is brought to its safe state; once more ends at once");
        cancel.send_replace(true);
    }
}
