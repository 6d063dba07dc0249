//! The four component types of IEC 62443-4-2.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::file::Word;

/// What a component is. The standard's requirements differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentType {
    /// Software that runs on a machine of others.
    SoftwareApplication,
    /// A special-purpose device with its own software, such as a controller.
    EmbeddedDevice,
    /// A general-purpose machine, such as an operator station.
    HostDevice,
    /// A device that passes on or restricts traffic.
    NetworkDevice,
}

impl Word for ComponentType {
    const WHAT: &'static str = "component type";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("software-application", Self::SoftwareApplication),
        ("embedded-device", Self::EmbeddedDevice),
        ("host-device", Self::HostDevice),
        ("network-device", Self::NetworkDevice),
    ];
}

crate::settings_word!(ComponentType);

/// Text is no component type.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is no component type: those are `software-application`, `embedded-device`, `host-device` and `network-device`"
)]
pub struct NotAComponent(pub String);

impl ComponentType {
    /// All four, in the order of the standard.
    pub const ALL: [Self; 4] = [
        Self::SoftwareApplication,
        Self::EmbeddedDevice,
        Self::HostDevice,
        Self::NetworkDevice,
    ];

    /// The word for it in files.
    pub fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find_map(|(word, component)| (*component == self).then_some(*word))
            .unwrap_or_default()
    }

    /// The letter for it in the catalogue: S, E, H or N.
    pub fn letter(self) -> char {
        match self {
            Self::SoftwareApplication => 'S',
            Self::EmbeddedDevice => 'E',
            Self::HostDevice => 'H',
            Self::NetworkDevice => 'N',
        }
    }
}

impl fmt::Display for ComponentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for ComponentType {
    type Err = NotAComponent;

    fn from_str(text: &str) -> Result<Self, NotAComponent> {
        Self::ALL
            .into_iter()
            .find(|component| component.word() == text)
            .ok_or_else(|| NotAComponent(text.to_owned()))
    }
}
