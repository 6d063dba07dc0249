//! What the rich flavour says of a case in properties, which programs read more easily than its output.

use std::collections::HashSet;

use slcert_profiles::RequirementId;

use super::JunitOptions;
use super::text::attached;
use crate::escape::{one_line, shorten};
use crate::record::{AttestationRecord, Found, PlannedRecord, TrialRecord};
use crate::verdict::Verdict;

/// The longest value.
const LONGEST: usize = 1000;

type Properties = Vec<(&'static str, String)>;

/// Those of a trial that was run. A file is attached by the name that Testmo and others know.
pub(super) fn of_trial(
    trial: &TrialRecord,
    reviews: &[&AttestationRecord],
    seed: u64,
    options: &JunitOptions,
) -> Properties {
    let mut properties = head(
        trial.verdict,
        &trial.requirements,
        &trial.id,
        trial.interface.as_deref(),
    );
    for (name, text) in [
        ("svv", &trial.svv),
        ("seed", &seed.to_string()),
        ("objective", &trial.objective),
        ("criterion", &trial.criterion),
    ] {
        properties.push((name, value(text)));
    }
    let found = reviews.iter().map(|one| {
        (
            "found",
            value(&format!("{}: {}", one.requirement, one.words())),
        )
    });
    properties.extend(found);
    let seen = reviews
        .iter()
        .filter(|one| matches!(one.found, Found::Inspection { .. }))
        .flat_map(|one| &one.files);
    // What a person saw may stand for several requirements.
    let mut once = HashSet::new();
    let files = trial.evidence.iter().chain(seen);
    for file in files.filter(|file| once.insert(file.path.as_str())) {
        if let Some(path) = attached(&file.path, options.attachment_root.as_deref()) {
            properties.push(("sha256", value(&format!("{} {path}", file.sha256))));
            properties.push(("attachment", path));
        }
    }
    properties
}

/// Those of a trial that was not run.
pub(super) fn of_planned(planned: &PlannedRecord) -> Properties {
    head(
        Verdict::NotEvaluated,
        &planned.requirements,
        &planned.id,
        planned.interface.as_deref(),
    )
}

/// Those of a row without trials.
pub(super) fn of_row(id: RequirementId, title: &str) -> Properties {
    let verdict = Verdict::NotEvaluated.to_string();
    vec![
        ("verdict", verdict),
        ("requirement", id.to_string()),
        ("title", value(title)),
    ]
}

fn head(
    verdict: Verdict,
    requirements: &[RequirementId],
    trial: &str,
    interface: Option<&str>,
) -> Properties {
    let mut properties = vec![("verdict", verdict.to_string()), ("trial", value(trial))];
    properties.extend(
        requirements
            .iter()
            .map(|id| ("requirement", id.to_string())),
    );
    properties.extend(interface.map(|interface| ("interface", value(interface))));
    properties
}

fn value(text: &str) -> String {
    shorten(&one_line(text), LONGEST)
}
