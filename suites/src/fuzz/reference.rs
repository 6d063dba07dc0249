//! The reference of the interface under test, for as long as a suite runs.

use slcert_rigs::bench::{Bench, BenchError};

use crate::procedure::Procedure;

/// What the rig file names to compare answers with: nothing, a bench of its own, or why that could not be had.
pub struct Reference(Option<Result<Bench, String>>);

impl Reference {
    /// Starts it, where the rig file says how.
    pub async fn start(p: &Procedure<'_>) -> Self {
        let had = p.bench().reference(p.name()).await;
        let why = |error| match error {
            BenchError::Start(error) => format!("the reference could not be started: {error}"),
            error => format!("the reference cannot be had: {error}"),
        };
        Self(had.map_err(why).transpose())
    }

    /// What inputs are sent to.
    pub fn target<'r, T>(
        &'r self,
        on: impl FnOnce(&'r Bench) -> Result<T, String>,
    ) -> Option<Result<T, String>> {
        let bench = self.0.as_ref()?;
        Some(bench.as_ref().map_err(Clone::clone).and_then(on))
    }

    /// Ends it, where it was started.
    pub async fn stop(self) {
        if let Some(Ok(bench)) = self.0 {
            bench.stop().await;
        }
    }
}
