//! What reports have beyond the usual, on the command line.

use clap::Args;
use slcert_profiles::Zone;
use slcert_reports::Wanted;

/// What is reported only where it is asked for.
#[derive(Clone, Debug, Default, Args)]
pub struct Wants {
    /// Compare the SL-C with a zone's SL-T: `{2 2 0 1 3 1 3}`, `SL-T(control room) = {2 2 0 1 3 1 3}`.
    #[arg(long, value_name = "SL-T")]
    pub zone: Option<Zone>,
}

impl Wants {
    /// The same, as a record keeps it.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            zone: self.zone.clone(),
        }
    }
}
