//! Profiles: which requirements apply, at which level, with a reason for each exclusion (IEC TS 62443-1-5).
//!
//! A profile selects and combines requirements of a catalogue. It cannot add, change or weaken one, and it holds no
//! test parameters: those belong to the rig.

mod built_in;
mod claim;
mod identity;
mod lookup;
mod merge;
mod select;
mod selection;
mod shape;

use std::fmt::Write;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::catalogue::{Catalogue, Requirement};
use crate::component::ComponentType;
use crate::file::{Diagnostics, Schema, Source, read_with_warnings, schema_of};
use crate::level::SlVector;

pub use identity::{Context, Scheme, Status};
pub use merge::{Merged, MergedRow, Voice};

/// A security profile that has been read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name, the same for all its versions: `slcert-embedded-device-sl2`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: semver::Version,
    /// The scheme it follows.
    pub scheme: Scheme,
    /// Who publishes it.
    pub publisher: String,
    /// The day of this version.
    pub date: Option<Date>,
    /// Whether it is in force.
    pub status: Status,
    /// The sector it is meant for, and what its words mean there.
    pub context: Context,
    components: Vec<ComponentType>,
    basis: &'static Catalogue,
    claim: SlVector,
    entries: Vec<Entry>,
    sha256: String,
    warnings: Diagnostics,
}

/// What a profile says of one requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The requirement.
    pub requirement: &'static Requirement,
    /// Whether it is selected.
    pub decision: Decision,
}

/// Whether a requirement is selected, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has to hold.
    Selected {
        /// Why, where the profile says so.
        justification: Option<String>,
    },
    /// It is left out.
    Excluded {
        /// Why.
        justification: String,
    },
}

/// A requirement that the claim asks for and the profile does not select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap<'p> {
    /// The requirement.
    pub requirement: &'static Requirement,
    /// Why it is excluded; none where the profile is silent about it.
    pub justification: Option<&'p str>,
}

impl Profile {
    /// Reads and checks a profile. What does not keep it from being used is in [`warnings`](Self::warnings).
    ///
    /// # Errors
    /// Everything that is wrong with the file, each fault where it stands.
    pub fn load(source: &Source) -> Result<Self, Diagnostics> {
        let (shape::Shape(mut profile), warnings) = read_with_warnings(source)?;
        profile.warnings = warnings;
        for byte in Sha256::digest(source.text.as_bytes()) {
            // Writing to a string cannot fail.
            let _ = write!(profile.sha256, "{byte:02x}");
        }
        Ok(profile)
    }

    /// The warnings of reading it.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The SHA-256 of the file's text, in lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The component types that it is for, one or more, in the standard's order.
    pub fn components(&self) -> &[ComponentType] {
        &self.components
    }

    /// The standard's edition that it selects from.
    pub fn basis(&self) -> &'static Catalogue {
        self.basis
    }

    /// The claimed SL-C.
    pub fn claim(&self) -> SlVector {
        self.claim
    }

    /// What it says of each requirement, in the standard's order; it may be silent about some.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The selected requirements, in the standard's order.
    pub fn required(&self) -> impl Iterator<Item = &'static Requirement> {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.decision, Decision::Selected { .. }))
            .map(|entry| entry.requirement)
    }

    /// The excluded requirements and why, in the standard's order.
    pub fn excluded(&self) -> impl Iterator<Item = (&'static Requirement, &str)> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.decision {
                Decision::Excluded { justification } => {
                    Some((entry.requirement, justification.as_str()))
                }
                Decision::Selected { .. } => None,
            })
    }

    /// The requirements that the claim asks for and the profile does not select, with a reason or without one. The claim
    /// cannot be demonstrated while there are any.
    pub fn gaps(&self) -> impl Iterator<Item = Gap<'_>> {
        claim::asked(self.basis, &self.components, self.claim).filter_map(|requirement| {
            let entry = self
                .entries
                .iter()
                .find(|entry| entry.requirement.id == requirement.id);
            let justification = match entry.map(|entry| &entry.decision) {
                Some(Decision::Selected { .. }) => return None,
                Some(Decision::Excluded { justification }) => Some(justification.as_str()),
                None => None,
            };
            Some(Gap {
                requirement,
                justification,
            })
        })
    }
}

/// The JSON Schema of a profile file, for editors.
pub fn schema() -> Schema {
    schema_of::<shape::Shape>("slcert profile")
}
