//! What was found: an observation a trial and a review, and a finding a requirement.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Campaign, evidence, line, objective, property, put, selected, time};
use crate::assess::RequirementResult;
use crate::record::{AttestationRecord, FileRecord, Found, TrialRecord};
use crate::verdict::Verdict;

/// The assessment results.
pub(super) fn results(campaign: &Campaign<'_>) -> Value {
    let record = campaign.record;
    let assessment = campaign.assessment;
    let evaluated = || {
        let rows = assessment.requirements.iter();
        rows.filter(|row| row.reviewed != Verdict::NotEvaluated)
    };
    let mut result = json!({
        "uuid": campaign.uuid("result", "campaign"),
        "title": line(&record.campaign),
        "description": "What the trials of this campaign found. What was not evaluated is not among the reviewed controls.",
        "start": time(record.started),
        "props": [
            property("sl-c-claimed", &assessment.claimed.to_string()),
            property("sl-c-demonstrated", &assessment.demonstrated.to_string()),
            property("sl-c-demonstrated-and-reviewed", &assessment.reviewed.to_string()),
            property("interrupted", &record.interrupted.to_string()),
            property("seed", &record.seed.to_string()),
        ],
        "local-definitions": { "components": [campaign.device()] },
        "reviewed-controls": selected(campaign, evaluated().map(|row| row.id)),
    });
    if let Some(finished) = record.finished {
        result["end"] = time(finished).into();
    }
    let trials = trials(campaign).map(|trial| observation(campaign, trial));
    let reviews = record.attestations.iter().enumerate();
    let reviews = reviews.map(|(place, one)| review(campaign, place, one));
    put(&mut result, "observations", trials.chain(reviews).collect());
    put(
        &mut result,
        "findings",
        evaluated().map(|row| finding(campaign, row)).collect(),
    );
    let mut results = json!({
        "uuid": campaign.uuid("document", "assessment-results"),
        "metadata": campaign.metadata("What an slcert campaign found"),
        "import-ap": { "href": "assessment-plan.json" },
        "results": [result],
    });
    let resources = resources(campaign);
    if !resources.is_empty() {
        put(&mut results["back-matter"], "resources", resources);
    }
    json!({ "assessment-results": results })
}

/// The trials that saw something.
fn trials<'a>(campaign: &'a Campaign<'_>) -> impl Iterator<Item = &'a TrialRecord> {
    let trials = campaign.record.trials.iter();
    trials.filter(|trial| trial.verdict != Verdict::NotEvaluated)
}

fn observation(campaign: &Campaign<'_>, trial: &TrialRecord) -> Value {
    let method = match trial.verdict {
        Verdict::Review => "EXAMINE",
        _ => "TEST",
    };
    let mut properties = vec![
        property("verdict", trial.verdict.word()),
        property("trial", &trial.id),
        property("svv", &trial.svv),
    ];
    properties.extend(trial.interface.iter().map(|one| property("interface", one)));
    let mut observation = json!({
        "uuid": campaign.uuid("observation", &trial.id),
        "title": line(&trial.title),
        "description": line(&trial.reason),
        "props": properties,
        "methods": [method],
        "types": ["control-objective"],
        "subjects": [{ "subject-uuid": campaign.device_uuid(), "type": "component" }],
        "collected": time(trial.started),
    });
    put(
        &mut observation,
        "relevant-evidence",
        links(campaign, &trial.evidence),
    );
    observation
}

/// What a person found. The day has no hour: it is that of UTC.
fn review(campaign: &Campaign<'_>, place: usize, one: &AttestationRecord) -> Value {
    let day = format!("{}T00:00:00Z", one.date).parse();
    let mut observation = json!({
        "uuid": campaign.uuid("review", &place.to_string()),
        "title": format!("{}, by a person", one.requirement),
        "description": line(&one.words()),
        "props": [property("verdict", one.outcome.word()), property("reviewer", &one.reviewer)],
        "methods": ["EXAMINE"],
        "types": ["control-objective"],
        "subjects": [{ "subject-uuid": campaign.device_uuid(), "type": "component" }],
        "collected": time(day.unwrap_or(campaign.record.started)),
    });
    put(
        &mut observation,
        "relevant-evidence",
        links(campaign, &one.files),
    );
    observation
}

fn links(campaign: &Campaign<'_>, files: &[FileRecord]) -> Vec<Value> {
    let links = files.iter().map(|file| {
        json!({
            "href": format!("#{}", campaign.uuid("resource", &file.path)),
            "description": line(&file.path),
        })
    });
    links.collect()
}

/// OSCAL knows two states. What is neither shown nor refuted is not satisfied, for another reason than a failure.
fn finding(campaign: &Campaign<'_>, row: &RequirementResult) -> Value {
    let (state, reason) = match row.reviewed {
        Verdict::Pass => ("satisfied", "pass"),
        Verdict::NotApplicable => ("satisfied", "other"),
        Verdict::Fail => ("not-satisfied", "fail"),
        Verdict::Inconclusive | Verdict::Review | Verdict::NotEvaluated => {
            ("not-satisfied", "other")
        }
    };
    let id = row.id.to_string();
    let mut finding = json!({
        "uuid": campaign.uuid("finding", &id),
        "title": format!("{id}: {}", row.reviewed),
        "description": line(&row.reason),
        "props": [
            property("verdict", row.verdict.word()),
            property("verdict-with-reviews", row.reviewed.word()),
            property("claimed", &row.claimed.to_string()),
        ],
        "target": {
            "type": "objective-id",
            "target-id": objective(row.id),
            "status": { "state": state, "reason": reason },
        },
    });
    let about = trials(campaign).filter(|trial| trial.requirements.contains(&row.id));
    let about = about.map(|trial| campaign.uuid("observation", &trial.id));
    let reviews = campaign.record.attestations.iter().enumerate();
    let reviews = reviews.filter(|(_, one)| one.requirement == row.id);
    let reviews = reviews.map(|(place, _)| campaign.uuid("review", &place.to_string()));
    let related = about.chain(reviews);
    put(
        &mut finding,
        "related-observations",
        related
            .map(|uuid| json!({ "observation-uuid": uuid }))
            .collect(),
    );
    finding
}

/// Every file that an observation refers to, once. A document lies where the file of attestations says, which is not in
/// the campaign's folder.
fn resources(campaign: &Campaign<'_>) -> Vec<Value> {
    let of_trials = trials(campaign).flat_map(|trial| &trial.evidence);
    let of_trials = of_trials.map(|file| (file, evidence(file)));
    let of_people = campaign.record.attestations.iter().flat_map(|one| {
        let is_here = one.found != Found::Document;
        let files = one.files.iter();
        files.map(move |file| (file, evidence(file).filter(|_| is_here)))
    });
    let mut seen = HashSet::new();
    of_trials
        .chain(of_people)
        .filter(|(file, _)| seen.insert(file.path.as_str()))
        .map(|(file, href)| campaign.resource(&file.path, href, &file.sha256))
        .collect()
}
