//! The SL-C of each foundational requirement, and what keeps it back.

use super::model::{class, line};
use crate::assess::{FrResult, Gap};
use crate::verdict::Verdict;

pub(super) struct FrLevels {
    pub class: &'static str,
    pub name: String,
    pub title: &'static str,
    pub claimed: u8,
    pub demonstrated: u8,
    pub reviewed: u8,
    pub gaps: Vec<GapLink>,
    /// Whether the claim is reached, so that the gaps keep it from the next level only.
    pub beyond: bool,
    pub next: u8,
}

impl FrLevels {
    /// The place of a level in the plot.
    pub fn x(&self, level: &u8) -> u32 {
        14 + u32::from(*level) * 56
    }
}

pub(super) struct GapLink {
    pub class: &'static str,
    pub id: String,
    pub slug: String,
    pub verdict: Verdict,
    pub reason: String,
}

pub(super) fn levels(fr: &FrResult) -> FrLevels {
    let beyond = fr.reviewed >= fr.claimed;
    let gaps = fr.gaps.iter().filter(|gap| beyond || gap.claimed);
    let mut gaps: Vec<&Gap> = gaps.collect();
    gaps.sort_by_key(|gap| gap.verdict.place());
    // The colour of the worst that keeps it from the claim.
    let worst = gaps.first().filter(|_| fr.demonstrated < fr.claimed);
    FrLevels {
        class: worst.map_or("pass", |gap| class(gap.verdict)),
        name: fr.fr.to_string(),
        title: fr.fr.title(),
        claimed: fr.claimed.get(),
        demonstrated: fr.demonstrated.get(),
        reviewed: fr.reviewed.get(),
        gaps: gaps.into_iter().map(GapLink::of).collect(),
        beyond,
        next: fr.reviewed.get() + 1,
    }
}

impl GapLink {
    pub fn of(gap: &Gap) -> Self {
        Self {
            class: class(gap.verdict),
            id: gap.id.to_string(),
            slug: gap.id.slug(),
            verdict: gap.verdict,
            reason: line(&gap.reason),
        }
    }
}
