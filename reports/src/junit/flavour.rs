//! No one JUnit file is right for every reader. `junit.xml` is the one that most take; these two are made where they are
//! asked for.

use serde::{Deserialize, Serialize};

/// Another way to write the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// All that is known of a case: properties within it, and every file of evidence attached. `junit-10.xsd` allows no
    /// properties there, and Jenkins cuts long output.
    Rich,
    /// Only what every schema allows, that of Ant among them: no output within a case, nothing at the root, and times
    /// without a zone.
    Strict,
}

impl Flavour {
    /// The name of its file, which lies beside `junit.xml`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Rich => "junit-rich.xml",
            Self::Strict => "junit-strict.xml",
        }
    }
}
