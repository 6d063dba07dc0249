//! Several profiles for one device.

use std::collections::BTreeMap;

use super::{Decision, Gap, Profile};
use crate::catalogue::{Catalogue, Requirement};
use crate::component::ComponentType;
use crate::level::SlVector;
use crate::requirement::RequirementId;

/// Several profiles taken together: what any of them selects has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    components: Vec<ComponentType>,
    claim: SlVector,
    rows: Vec<MergedRow>,
    gaps: Vec<MergedRow>,
}

/// What the profiles say of one requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedRow {
    /// The standard's edition that the requirement is of.
    pub basis: &'static Catalogue,
    /// The requirement.
    pub requirement: &'static Requirement,
    /// The profiles that select it, in the order they were given.
    pub selected_by: Vec<Voice>,
    /// The profiles that exclude it, in the order they were given.
    pub excluded_by: Vec<Voice>,
}

/// One profile's word on a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The profile's id.
    pub profile: String,
    /// Its reason; an exclusion has one always.
    pub justification: Option<String>,
}

impl MergedRow {
    /// Whether it has to hold: one profile that selects it is enough.
    pub fn is_required(&self) -> bool {
        !self.selected_by.is_empty()
    }

    /// Whether the profiles disagree.
    pub fn is_conflict(&self) -> bool {
        !self.selected_by.is_empty() && !self.excluded_by.is_empty()
    }
}

impl Merged {
    /// The component types that any of the profiles is for, in the standard's order.
    pub fn components(&self) -> &[ComponentType] {
        &self.components
    }

    /// The highest level that any of the profiles claims, for each of the seven.
    pub fn claim(&self) -> SlVector {
        self.claim
    }

    /// All requirements that any of the profiles selects or excludes, in the standard's order.
    pub fn rows(&self) -> &[MergedRow] {
        &self.rows
    }

    /// The requirements that have to hold.
    pub fn required(&self) -> impl Iterator<Item = &'static Requirement> {
        self.rows
            .iter()
            .filter(|row| row.is_required())
            .map(|row| row.requirement)
    }

    /// The requirements that profiles exclude and none selects.
    pub fn excluded(&self) -> impl Iterator<Item = &MergedRow> {
        self.rows.iter().filter(|row| !row.is_required())
    }

    /// The requirements that one profile selects and another excludes: they have to hold, and both reasons are kept.
    pub fn conflicts(&self) -> impl Iterator<Item = &MergedRow> {
        self.rows.iter().filter(|row| row.is_conflict())
    }

    /// The requirements that the claim of a profile asks for and no profile selects, with the reasons there are.
    pub fn gaps(&self) -> impl Iterator<Item = &MergedRow> {
        self.gaps.iter()
    }
}

impl Profile {
    /// Takes several profiles for one device together: the union of what they select. Where one excludes what another
    /// selects, it has to hold, and both reasons are kept.
    pub fn merge(profiles: &[Self]) -> Merged {
        let mut rows = Rows::new();
        let mut claim = SlVector::default();
        let mut components = Vec::new();
        for profile in profiles {
            components.extend_from_slice(&profile.components);
            for (highest, level) in claim.0.iter_mut().zip(profile.claim.0) {
                *highest = level.max(*highest);
            }
            for entry in &profile.entries {
                let row = row_of(&mut rows, profile, entry.requirement);
                let (list, justification) = match &entry.decision {
                    Decision::Selected { justification } => {
                        (&mut row.selected_by, justification.clone())
                    }
                    Decision::Excluded { justification } => {
                        (&mut row.excluded_by, Some(justification.clone()))
                    }
                };
                list.push(Voice {
                    profile: profile.id.clone(),
                    justification,
                });
            }
        }
        components.sort_unstable();
        components.dedup();

        // Each profile's claim is for its own component types, so the gaps are those of the profiles one by one.
        let mut gaps = Rows::new();
        for profile in profiles {
            for Gap { requirement, .. } in profile.gaps() {
                match rows.get(&key(profile.basis, requirement)) {
                    Some(row) if row.is_required() => {}
                    Some(row) => *row_of(&mut gaps, profile, requirement) = row.clone(),
                    None => {
                        row_of(&mut gaps, profile, requirement);
                    }
                }
            }
        }
        Merged {
            components,
            claim,
            rows: rows.into_values().collect(),
            gaps: gaps.into_values().collect(),
        }
    }
}

/// Editions may share ids, so a row is told by all three.
type Rows = BTreeMap<(&'static str, &'static str, RequirementId), MergedRow>;

fn key(
    basis: &'static Catalogue,
    requirement: &Requirement,
) -> (&'static str, &'static str, RequirementId) {
    (basis.standard(), basis.edition(), requirement.id)
}

fn row_of<'r>(
    rows: &'r mut Rows,
    profile: &Profile,
    requirement: &'static Requirement,
) -> &'r mut MergedRow {
    rows.entry(key(profile.basis, requirement))
        .or_insert_with(|| MergedRow {
            basis: profile.basis,
            requirement,
            selected_by: Vec::new(),
            excluded_by: Vec::new(),
        })
}
