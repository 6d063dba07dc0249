//! What must hold: the catalogue of IEC 62443-4-2, security levels and profiles.
//!
//! ```
//! use slcert_profiles::{Catalogue, ComponentType, SecurityLevel};
//!
//! let catalogue = Catalogue::of("IEC 62443-4-2", "2019").expect("built in");
//! let row = catalogue.get("CR 1.11".parse().unwrap()).expect("in the catalogue");
//! assert_eq!(row.title, "Unsuccessful login attempts");
//! assert!(row.applies_to(ComponentType::EmbeddedDevice));
//! assert_eq!(row.level, SecurityLevel::CLAIMABLE[0]);
//! ```
//!
//! ```
//! use slcert_profiles::Profile;
//!
//! let profile = Profile::built_in("embedded-device-sl2").expect("built in");
//! assert_eq!(profile.claim().to_string(), "{2 2 2 2 2 2 2}");
//! assert_eq!(profile.gaps().count(), 0);
//! ```

#![deny(missing_docs)]

mod catalogue;
mod component;
pub mod file;
mod level;
pub mod profile;
mod requirement;
mod zone;

pub use catalogue::{Catalogue, CatalogueError, Requirement, TestClass};
pub use component::{ComponentType, NotAComponent};
pub use level::{NoSuchLevel, SecurityLevel, SlVector};
pub use profile::Profile;
pub use requirement::{FoundationalRequirement, NotAnId, RequirementId};
pub use zone::{NotAZone, Zone};
