//! Security levels and the vector of seven that a component claims.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::file::{DeValue, Diagnostic, Schema, Setting, Spanned};
use crate::requirement::FoundationalRequirement;

/// A capability security level, SL-C 0 to 4. Level 0 asks for nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct SecurityLevel(u8);

/// A number is no security level.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is no security level: it is a whole number from 0 to 4")]
pub struct NoSuchLevel(pub String);

impl SecurityLevel {
    /// Level 0: nothing is claimed.
    pub const NONE: Self = Self(0);
    /// Levels 1 to 4, lowest first.
    pub const CLAIMABLE: [Self; 4] = [Self(1), Self(2), Self(3), Self(4)];

    /// The level as a number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for SecurityLevel {
    type Error = NoSuchLevel;

    fn try_from(level: u8) -> Result<Self, NoSuchLevel> {
        if level <= 4 {
            Ok(Self(level))
        } else {
            Err(NoSuchLevel(level.to_string()))
        }
    }
}

impl From<SecurityLevel> for u8 {
    fn from(level: SecurityLevel) -> Self {
        level.0
    }
}

impl FromStr for SecurityLevel {
    type Err = NoSuchLevel;

    fn from_str(text: &str) -> Result<Self, NoSuchLevel> {
        let level = text.parse::<u8>().ok();
        level
            .and_then(|level| Self::try_from(level).ok())
            .ok_or_else(|| NoSuchLevel(text.to_owned()))
    }
}

impl fmt::Display for SecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Setting for SecurityLevel {
    fn schema() -> Schema {
        serde_json::json!({ "type": "integer", "minimum": 0, "maximum": 4 })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let before = faults.len();
        let level = i64::read(value, faults);
        let read = level
            .and_then(|level| u8::try_from(level).ok())
            .and_then(|level| Self::try_from(level).ok());
        if read.is_none() {
            let what = match level {
                Some(level) => format!("`{level}` is no security level"),
                None => "this is no security level".to_owned(),
            };
            let help = "a whole number from 0 to 4 has to stand here";
            faults.truncate(before);
            faults.push(Diagnostic::error(value.span(), what).help(help));
        }
        read
    }
}

/// One level for each foundational requirement, in the standard's order; never a single number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlVector(pub [SecurityLevel; 7]);

impl SlVector {
    /// The same level for all seven.
    pub fn uniform(level: SecurityLevel) -> Self {
        Self([level; 7])
    }

    /// The highest level in the vector. Rows outside the seven, such as the CCSC, follow it.
    pub fn highest(&self) -> SecurityLevel {
        self.0.into_iter().max().unwrap_or_default()
    }
}

impl Index<FoundationalRequirement> for SlVector {
    type Output = SecurityLevel;

    fn index(&self, fr: FoundationalRequirement) -> &SecurityLevel {
        &self.0[fr as usize]
    }
}

impl IndexMut<FoundationalRequirement> for SlVector {
    fn index_mut(&mut self, fr: FoundationalRequirement) -> &mut SecurityLevel {
        &mut self.0[fr as usize]
    }
}

impl fmt::Display for SlVector {
    /// The form of IEC 62443-3-3 annex A: `{2 2 0 1 3 1 3}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, level) in self.0.iter().enumerate() {
            write!(f, "{}{level}", if at == 0 { "" } else { " " })?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_prints_in_the_standards_form() {
        let mut vector = SlVector::uniform(SecurityLevel(2));
        vector[FoundationalRequirement::Dc] = SecurityLevel(1);
        assert_eq!(vector.to_string(), "{2 2 2 1 2 2 2}");
    }

    #[test]
    fn five_is_no_level() {
        assert_eq!("5".parse::<SecurityLevel>(), Err(NoSuchLevel("5".into())));
        assert!("two".parse::<SecurityLevel>().is_err());
    }
}
