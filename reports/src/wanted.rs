//! What a campaign's reports have beyond the usual. The record keeps it, so that they come out the same from it alone.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use slcert_profiles::Zone;

use crate::junit::Flavour;

/// The folder of the documents of OSCAL.
const OSCAL: &str = "oscal";

/// What is reported only where it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The zone whose SL-T the device's SL-C is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// JUnit files beside `junit.xml`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub junit: BTreeSet<Flavour>,
    /// The documents of OSCAL, in the folder `oscal`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oscal: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Wanted {
    /// Whether it is the usual alone.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What a folder has beside the usual reports already.
    pub fn found(folder: &Path) -> Self {
        let flavours = [Flavour::Rich, Flavour::Strict].into_iter();
        Self {
            zone: None,
            junit: flavours
                .filter(|flavour| folder.join(flavour.file()).exists())
                .collect(),
            oscal: folder.join(OSCAL).exists(),
        }
    }

    /// The files that are there for it.
    pub fn files(&self) -> Vec<&'static str> {
        let junit = self.junit.iter().map(|flavour| flavour.file());
        junit.chain(self.oscal.then_some(OSCAL)).collect()
    }

    /// What is wanted of either; the zone of the later one, where it names one.
    #[must_use]
    pub fn and(&self, later: &Self) -> Self {
        Self {
            zone: later.zone.clone().or_else(|| self.zone.clone()),
            junit: self.junit.union(&later.junit).copied().collect(),
            oscal: self.oscal || later.oscal,
        }
    }
}
