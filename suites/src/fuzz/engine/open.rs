//! Connections that wait for the device.

use tokio::task::JoinSet;

use crate::fuzz::finding::Finding;
use crate::fuzz::target::Later;

/// Connections that the device has to end by itself.
#[derive(Default)]
pub(super) struct Open(JoinSet<Option<Finding>>);

impl Open {
    pub fn add(&mut self, later: Option<Later>) {
        if let Some(later) = later {
            self.0.spawn(later);
        }
    }

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
