//! The keys of TLS sessions, for whoever has to read what they carried. They open what secrets were masked in: they are
//! kept only where somebody asks for them, and never reach the bundle.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::secret::MASK;

/// The most lines that are kept, the newest: a flood of handshakes has no end.
const MAX_LINES: usize = 64 << 10;

/// Lines of a key log in the form that NSS gave it. Clones keep into the same place.
#[derive(Clone, Default)]
pub struct Keys(Arc<Mutex<VecDeque<String>>>);

impl Keys {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn text(&self) -> String {
        self.lock().iter().map(String::as_str).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl rustls::KeyLog for Keys {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let (random, secret) = (Hex(client_random), Hex(secret));
        let mut lines = self.lock();
        if lines.len() >= MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(format!("{label} {random} {secret}\n"));
    }
}

struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
