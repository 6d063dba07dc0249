//! The claim of a profile: one level for each foundational requirement.

use serde_json::json;

use crate::catalogue::{Catalogue, Requirement};
use crate::component::ComponentType;
use crate::file::{
    DeValue, Diagnostic, Fields, Schema, Setting, Spanned, Table, read_table, table_schema,
};
use crate::level::{SecurityLevel, SlVector};

/// The keys of the seven, in the order of the standard, with what they stand for.
const KEYS: [(&str, &str); 7] = [
    (
        "iac",
        "The level claimed for FR 1, identification and authentication control.",
    ),
    ("uc", "The level claimed for FR 2, use control."),
    ("si", "The level claimed for FR 3, system integrity."),
    ("dc", "The level claimed for FR 4, data confidentiality."),
    ("rdf", "The level claimed for FR 5, restricted data flow."),
    (
        "tre",
        "The level claimed for FR 6, timely response to events.",
    ),
    ("ra", "The level claimed for FR 7, resource availability."),
];

/// The rows that a claim asks for, in the standard's order. The common constraints follow the highest level claimed.
pub(super) fn asked(
    catalogue: &'static Catalogue,
    components: &[ComponentType],
    claim: SlVector,
) -> impl Iterator<Item = &'static Requirement> {
    catalogue.requirements().iter().filter(move |row| {
        let level = row.id.fr().map_or_else(|| claim.highest(), |fr| claim[fr]);
        row.level <= level && components.iter().any(|one| row.applies_to(*one))
    })
}

/// The table `[claim]`: either one level for all, or seven.
pub(super) struct Claim(pub SlVector);

impl Table for Claim {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let level = f.optional::<SecurityLevel>("level", "The level claimed for all seven.");
        let each = KEYS.map(|(key, doc)| f.optional::<SecurityLevel>(key, doc));
        let missing: Vec<_> = KEYS
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| !f.has(key))
            .collect();
        let some = missing.len() < KEYS.len();
        if f.has("level") && some {
            let what = "the claim is made twice: for all seven by `level`, and one by one";
            let help =
                "keep `level` alone, or all of `iac`, `uc`, `si`, `dc`, `rdf`, `tre` and `ra`";
            f.refuse("level", what.to_owned(), help);
            return None;
        }
        if f.has("level") {
            return Some(Self(SlVector::uniform(level??)));
        }
        if !some {
            let help = "write `level = 2`, or a level for each of `iac`, `uc`, `si`, `dc`, `rdf`, `tre` and `ra`";
            f.refuse("level", "the claim names no level".to_owned(), help);
            return None;
        }
        if let Some(first) = missing.first() {
            let what = format!("the claim leaves out `{}`", missing.join("`, `"));
            f.refuse(first, what, "write `0` where nothing is claimed");
            return None;
        }
        let mut claim = SlVector::default();
        for (place, level) in claim.0.iter_mut().zip(each) {
            *place = level??;
        }
        Some(Self(claim))
    }
}

impl Setting for Claim {
    fn schema() -> Schema {
        let mut schema = table_schema::<Self>();
        if let Some(object) = schema.as_object_mut() {
            let seven = KEYS.map(|(key, _)| key);
            object.insert(
                "oneOf".into(),
                json!([
                    { "required": ["level"], "maxProperties": 1 },
                    { "required": seven, "maxProperties": 7 },
                ]),
            );
        }
        schema
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        read_table(value, faults)
    }
}
