//! The reference of an interface, on a bench of its own.

use std::collections::BTreeMap;

use super::{Bench, BenchError};
use crate::rig::Rig;

/// What stands before the names of its lines in a recording.
const LABEL: &str = "reference.";

impl Bench {
    /// The reference that the rig file names for an interface; none where it names none. It is started where the file says how,
    /// and ends with what is handed back. It has this interface alone, and none of the device's accounts.
    ///
    /// # Errors
    /// It could not be started.
    pub async fn reference(&self, interface: &str) -> Result<Option<Self>, BenchError> {
        let named = self.rig.references.get_key_value(interface);
        let Some((name, described)) = named else {
            return Ok(None);
        };
        let mut alone = self.interface(interface)?.clone();
        alone.address = described.address.value.clone();
        if !described.tls {
            alone.tls = None;
        }
        let rig = Rig {
            start: described.start.clone(),
            interfaces: BTreeMap::from([(name.clone(), alone)]),
            power: None,
            specimen: None,
            servers: BTreeMap::new(),
            accounts: BTreeMap::new(),
            keys: BTreeMap::new(),
            essential: BTreeMap::new(),
            networks: BTreeMap::new(),
            ..self.rig.clone()
        };
        let folder = format!("reference-{}", name.as_str());
        self.beside(rig, &folder, LABEL).await.map(Some)
    }

    /// What a client shows the reference of an interface, on the reference's own bench: a user name, and a password.
    ///
    /// # Errors
    /// The password cannot be had.
    pub fn reference_login(
        &self,
        interface: &str,
    ) -> Result<Option<(String, Option<crate::Secret>)>, BenchError> {
        let described = self.rig.references.get(interface);
        let Some((user, described)) = described.and_then(|it| Some((it.user.clone()?, it))) else {
            return Ok(None);
        };
        let source = described.password.as_ref();
        let secret = source
            .map(|source| source.fetch(&self.values()))
            .transpose()?;
        if let Some(secret) = &secret {
            self.recorder.conceal(secret);
        }
        Ok(Some((user, secret)))
    }
}
