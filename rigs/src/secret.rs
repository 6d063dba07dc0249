//! Secrets of a rig: passwords and keys that never reach a log, the journal or the bundle.

use std::fmt;
use std::path::{Path, PathBuf};

use slcert_profiles::file::{Fields, Table};

/// The placeholder that stands wherever a secret would be printed.
pub const MASK: &str = "[secret]";

/// A secret's value. It has no way to be printed: `Debug` and `Display` show [`MASK`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the moment it goes onto a line.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Where a secret's value is found: exactly one of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file that holds the secret alone; a newline at its end is dropped.
    File(PathBuf),
    /// A member of what the rig's `[start]` command reported, as a dotted path.
    Start(String),
}
