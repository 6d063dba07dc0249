//! Connections that wait for the device.

use tokio::task::JoinSet;

use crate::fuzz::finding::Finding;
use crate::fuzz::target::Later;

/// Connections that the device has to end by itself.
#[derive(Default)]
pub struct Open(JoinSet<Option<Finding>>);

impl Open {
    /// One more, where there is one.
    pub fn add(&mut self, later: Option<Later>) {
        if let Some(later) = later {
            self.0.spawn(later);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has come of them; waits where there are too many, and for all of them at the end.
    pub async fn next(&mut self, most: usize, all: bool) -> Option<Finding> {
        loop {
            let ended = if all || self.0.len() >= most {
                self.0.join_next().await
            } else {
                self.0.try_join_next()
            };
            match ended {
                None => return None,
                Some(Ok(Some(found))) => return Some(found),
                Some(_) => {}
            }
        }
    }
}
