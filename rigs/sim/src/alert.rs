//! Alerts: what the device tells by itself, as it happens.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Alerts that wait to be told; the oldest beyond are dropped.
const WAITING: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Alerts {
    waiting: Mutex<VecDeque<String>>,
    come: Notify,
}

impl Alerts {
    pub(crate) fn raise(&self, alert: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == WAITING {
            waiting.pop_front();
        }
        waiting.push_back(alert);
        self.come.notify_one();
    }

    /// The next alert.
    pub(crate) async fn next(&self) -> String {
        loop {
            let first = self
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match first {
                Some(alert) => return alert,
                None => self.come.notified().await,
            }
        }
    }
}
