//! The rows of the catalogue that the component type has: ids, short titles and levels, and what our trials are to show.

use serde_json::{Value, json};
use slcert_profiles::{FoundationalRequirement, RequirementId};

use super::{Campaign, control, line, objective, property, put};
use crate::record::SelectionRecord;

/// The catalogue.
pub(super) fn catalog(campaign: &Campaign<'_>) -> Value {
    let frs = FoundationalRequirement::ALL.map(Some);
    let groups = frs.into_iter().chain([None]).map(|fr| {
        let (id, class, title) = match fr {
            Some(fr) => (format!("fr{}", fr.number()), "FR", fr.title()),
            None => (
                "ccsc".to_owned(),
                "CCSC",
                "Common component security constraints",
            ),
        };
        let mut group = json!({ "id": id, "class": class, "title": title });
        let bases =
            rows(campaign).filter(|row| row.id.fr() == fr && base(campaign, row.id).is_none());
        put(
            &mut group,
            "controls",
            bases.map(|row| entry(campaign, row)).collect(),
        );
        group
    });
    json!({ "catalog": {
        "uuid": campaign.uuid("document", "catalog"),
        "metadata": campaign.metadata("IEC 62443-4-2:2019, ids and short titles of the requirements of one component type"),
        "groups": groups.collect::<Vec<_>>(),
    }})
}

fn rows<'a>(campaign: &'a Campaign<'_>) -> impl Iterator<Item = &'a SelectionRecord> {
    campaign.record.selection.iter()
}

/// The row that one enhances, where the catalogue has it.
fn base(campaign: &Campaign<'_>, id: RequirementId) -> Option<RequirementId> {
    id.base()
        .filter(|base| rows(campaign).any(|row| row.id == *base))
}

fn entry(campaign: &Campaign<'_>, row: &SelectionRecord) -> Value {
    let id = control(row.id);
    let family = row.id.to_string();
    let family = family.split(' ').next().unwrap_or_default();
    let mut control = json!({
        "id": id,
        "class": if row.id.base().is_some() { "RE" } else { family },
        "title": line(&row.title),
        "props": [
            { "name": "label", "value": row.id.to_string() },
            property("sl-c-min", &row.level.to_string()),
        ],
        "parts": [
            { "id": format!("{id}_smt"), "name": "statement", "prose": "The text is in the standard, which is not reproduced here." },
            { "id": objective(row.id), "name": "assessment-objective", "prose": objectives(campaign, row.id) },
        ],
    });
    let enhancements = rows(campaign).filter(|one| base(campaign, one.id) == Some(row.id));
    put(
        &mut control,
        "controls",
        enhancements.map(|one| entry(campaign, one)).collect(),
    );
    control
}

/// What the trials of a row are to show, each objective once.
fn objectives(campaign: &Campaign<'_>, id: RequirementId) -> String {
    let trials = campaign.record.trials.iter();
    let mut objectives: Vec<String> = trials
        .filter(|trial| trial.requirements.contains(&id))
        .map(|trial| line(&trial.objective))
        .collect();
    let mut seen = std::collections::HashSet::new();
    objectives.retain(|one| seen.insert(one.clone()));
    match objectives.is_empty() {
        true => "No trial of this campaign is about it.".to_owned(),
        false => line(&objectives.join(" ")),
    }
}
