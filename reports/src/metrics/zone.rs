//! What a device can do (SL-C) against what a zone asks for (SL-T), as IEC 62443-3-2 wants it compared.
//!
//! What is achieved in the plant (SL-A) is its owner's to say: here stands what the component leaves open there.

use serde::Serialize;
use slcert_profiles::{FoundationalRequirement, SecurityLevel, SlVector, Zone};

use super::{OpenRow, line};
use crate::assess::Assessment;

/// How a device compares with a zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ZoneResult {
    /// What the zone is called.
    pub name: Option<String>,
    /// Its SL-T.
    pub target: SlVector,
    /// Whether the SL-C reaches the SL-T for each foundational requirement.
    pub is_met: bool,
    /// The seven, in the standard's order.
    pub frs: Vec<Against>,
}

/// One foundational requirement of a device against the zone's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Against {
    /// Which one: `IAC`.
    pub fr: &'static str,
    /// What the zone asks for.
    pub target: SecurityLevel,
    /// The SL-C demonstrated by tests alone.
    pub demonstrated: SecurityLevel,
    /// The SL-C demonstrated by tests and reviews, which is what is compared.
    pub reviewed: SecurityLevel,
    /// How many levels are missing. Where any is, the zone needs a compensating countermeasure.
    pub shortfall: u8,
    /// The rows that cause the shortfall.
    pub rows: Vec<OpenRow>,
}

impl ZoneResult {
    pub(crate) fn of(zone: &Zone, assessment: &Assessment) -> Self {
        let frs = FoundationalRequirement::ALL.map(|fr| Against::of(fr, zone, assessment));
        Self {
            name: zone.name.as_deref().map(line),
            target: zone.target,
            is_met: frs.iter().all(|one| one.shortfall == 0),
            frs: frs.to_vec(),
        }
    }
}

impl Against {
    fn of(fr: FoundationalRequirement, zone: &Zone, assessment: &Assessment) -> Self {
        let (target, reviewed) = (zone.target[fr], assessment.reviewed[fr]);
        let rows = assessment
            .requirements
            .iter()
            .filter(|row| row.id.fr() == Some(fr) && row.level <= target && !row.reviewed.is_met());
        Self {
            fr: fr.abbreviation(),
            target,
            demonstrated: assessment.demonstrated[fr],
            reviewed,
            shortfall: target.get().saturating_sub(reviewed.get()),
            rows: rows.map(OpenRow::of).collect(),
        }
    }
}
