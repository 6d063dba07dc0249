//! What was to be tested: the trials of the plan, each with the requirements that it is about.

use std::collections::HashSet;

use serde_json::{Value, json};
use slcert_profiles::RequirementId;

use super::{Campaign, line, property, put, selected};

/// The assessment plan. A component has no system security plan: the rig file stands in its place.
pub(super) fn plan(campaign: &Campaign<'_>) -> Value {
    let rig = &campaign.record.rig;
    let resource = campaign.resource(&rig.file, None, &rig.sha256);
    let mut plan = json!({
        "uuid": campaign.uuid("document", "assessment-plan"),
        "metadata": campaign.metadata("The trials of an slcert campaign"),
        "import-ssp": {
            "href": format!("#{}", resource["uuid"].as_str().unwrap_or_default()),
            "remarks": "There is no system security plan of a component. The rig file states what the device is and how it is set.",
        },
        "local-definitions": { "components": [campaign.device()] },
        "reviewed-controls": selected(campaign, campaign.asked()),
        "assessment-subjects": [{
            "type": "component",
            "include-subjects": [{ "subject-uuid": campaign.device_uuid(), "type": "component" }],
        }],
        "back-matter": { "resources": [resource] },
    });
    put(
        &mut plan["local-definitions"],
        "activities",
        activities(campaign),
    );
    json!({ "assessment-plan": plan })
}

/// One activity a trial, planned or run.
fn activities(campaign: &Campaign<'_>) -> Vec<Value> {
    let record = campaign.record;
    let mut seen = HashSet::new();
    let planned = record.planned.iter();
    let planned = planned.map(|one| (&one.id, &one.title, &one.requirements, &one.interface));
    let run = record.trials.iter();
    let run = run.map(|one| (&one.id, &one.title, &one.requirements, &one.interface));
    planned
        .chain(run)
        .filter(|(id, ..)| seen.insert(id.as_str()))
        .map(|(id, title, requirements, interface)| {
            activity(campaign, id, title, requirements, interface.as_deref())
        })
        .collect()
}

fn activity(
    campaign: &Campaign<'_>,
    id: &str,
    title: &str,
    requirements: &[RequirementId],
    interface: Option<&str>,
) -> Value {
    let trial = campaign.record.trials.iter().find(|one| one.id == id);
    let description = trial.map_or(title.to_owned(), |one| {
        format!("{} It passes when: {}", one.objective, one.criterion)
    });
    let mut properties = vec![
        json!({ "name": "method", "value": "TEST" }),
        property("trial", id),
    ];
    properties.extend(interface.map(|interface| property("interface", interface)));
    let mut activity = json!({
        "uuid": campaign.uuid("activity", id),
        "title": line(title),
        "description": line(&description),
        "props": properties,
    });
    let mut about = known(campaign, requirements).peekable();
    if about.peek().is_some() {
        activity["related-controls"] = selected(campaign, about);
    }
    activity
}

/// Those of a trial's requirements that the catalogue has.
fn known(campaign: &Campaign<'_>, ids: &[RequirementId]) -> impl Iterator<Item = RequirementId> {
    ids.iter()
        .copied()
        .filter(|id| campaign.assessment.get(*id).is_some())
}
