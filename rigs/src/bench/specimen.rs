//! The second device of the same type, on a bench of its own.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{Bench, BenchError, CONNECT};
use crate::rig::{Rig, Template};

/// What stands before the names of the second device's lines in a recording.
pub(super) const LABEL: &str = "specimen.";

impl Bench {
    /// The second device of the same type. It is started where the rig file says how; its lines are recorded with this
    /// device's.
    ///
    /// # Errors
    /// The rig file describes none, or it could not be started.
    pub async fn specimen(&self) -> Result<Self, BenchError> {
        let described =
            self.rig.specimen.as_ref().ok_or_else(|| {
                BenchError::Rig("the rig file describes no `specimen`".to_owned())
            })?;
        let mut rig = Rig {
            start: described.start.clone(),
            // Nothing of this device may be switched or asked by way of the other.
            power: None,
            specimen: None,
            // The bench's servers are for this device.
            servers: std::collections::BTreeMap::new(),
            ..self.rig.clone()
        };
        if rig.start.is_none() {
            rig.interfaces
                .retain(|name, _| described.interfaces.contains_key(name));
            for (name, address) in &described.interfaces {
                if let Some(interface) = rig.interfaces.get_mut(name) {
                    interface.address = address.value.clone();
                }
            }
        }
        let started = rig.start.is_some();
        let bench = self.beside(rig, "specimen", LABEL).await?;
        if !started {
            // The credentials of the rig file are for both devices, wherever they are.
            *bench.values.lock().unwrap_or_else(PoisonError::into_inner) = self.values();
        }
        Ok(bench)
    }

    /// A bench of its own beside this one, whose lines are recorded with this one's. What it starts has a folder of its own.
    ///
    /// # Errors
    /// It could not be started.
    pub(super) async fn beside(
        &self,
        rig: Rig,
        folder: &str,
        label: &'static str,
    ) -> Result<Self, BenchError> {
        let fill = |name: &str| self.fill(&Template::new(name)).map(PathBuf::from);
        let (mut work, files, slcert) = (fill("{work}")?, fill("{rig}")?, fill("{slcert}")?);
        if rig.start.is_some() {
            work = work.join("bench").join(folder);
            std::fs::create_dir_all(&work)
                .map_err(|error| BenchError::Rig(format!("{}: {error}", work.display())))?;
        }
        let recorder = (self.recorder.clone(), label);
        Self::with_recorder(rig, &work, &files, &slcert, recorder).await
    }

    /// Whether an interface of another bench is at the same place as this one's.
    ///
    /// # Errors
    /// An address has no value.
    pub async fn is_at_the_same_place(
        &self,
        other: &Self,
        interface: &str,
    ) -> Result<bool, BenchError> {
        let (here, there) = (self.address(interface)?, other.address(interface)?);
        if here == there {
            return Ok(true);
        }
        if self.interface(interface)?.kind.is_serial() {
            let port = |path: &str| Path::new(path).canonicalize().ok();
            return Ok(port(&here).is_some_and(|here| port(&there) == Some(here)));
        }
        let resolved = async {
            let here: Vec<_> = lookup_host(&here).await?.collect();
            Ok::<_, std::io::Error>(lookup_host(&there).await?.any(|one| here.contains(&one)))
        };
        // A name that does not resolve shows when the line is opened.
        Ok(matches!(timeout(CONNECT, resolved).await, Ok(Ok(true))))
    }
}
