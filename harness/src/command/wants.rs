//! What reports have beyond the usual, on the command line.

use clap::{Args, ValueEnum};
use slcert_profiles::Zone;
use slcert_reports::{Flavour, Wanted};

/// What is reported only where it is asked for.
#[derive(Clone, Debug, Default, Args)]
pub struct Wants {
    /// Compare the SL-C with a zone's SL-T: `{2 2 0 1 3 1 3}`, `SL-T(control room) = {2 2 0 1 3 1 3}`.
    #[arg(long, value_name = "SL-T")]
    pub zone: Option<Zone>,
    /// Write `junit-rich.xml` or `junit-strict.xml` beside `junit.xml`; may be repeated.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FLAVOUR")]
    pub junit: Vec<Junit>,
    /// Write the campaign in OSCAL 1.1.3 as well: catalogue, profile, assessment plan and results, in the folder `oscal`.
    #[arg(long)]
    pub oscal: bool,
}

/// A JUnit file beside `junit.xml`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Junit {
    /// With properties in each case, and all evidence attached: more than the schemas allow.
    Rich,
    /// With what every schema allows, that of Ant among them, and no more.
    Strict,
}

impl From<Junit> for Flavour {
    fn from(junit: Junit) -> Self {
        match junit {
            Junit::Rich => Self::Rich,
            Junit::Strict => Self::Strict,
        }
    }
}

impl Wants {
    /// The same, as a record keeps it.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            zone: self.zone.clone(),
            junit: self.junit.iter().copied().map(Flavour::from).collect(),
            oscal: self.oscal,
        }
    }
}
