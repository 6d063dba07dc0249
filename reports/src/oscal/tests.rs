//! The documents refer to what is there, and to nothing else.

use std::collections::HashSet;

use super::*;
use crate::assess::assess;
use crate::example::{bare, file, id, record};
use crate::record::{AttestationRecord, Found};
use crate::verdict::Verdict;

fn documents(record: &Record) -> [Value; 4] {
    oscal(record, &assess(record)).map(|(_, text)| serde_json::from_str(&text).unwrap())
}

/// The example with what people found.
fn full() -> Record {
    let mut record = record();
    let found = [
        Found::Document,
        Found::Inspection {
            trial: record.trials[6].id.clone(),
        },
    ];
    for found in found {
        record.attestations.push(AttestationRecord {
            requirement: id("CR 4.3"),
            outcome: Verdict::Pass,
            files: vec![file(if found == Found::Document {
                "list.pdf"
            } else {
                "evidence/photo 1.jpg"
            })],
            found,
            reviewer: "A. Tester".to_owned(),
            date: "2026-01-02".to_owned(),
            remark: None,
        });
    }
    record
}

/// Each value of one name, wherever it stands.
fn all<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == name => found.push(text),
                    Value::Array(texts) if key == name && texts.iter().all(Value::is_string) => {
                        found.extend(texts.iter().filter_map(Value::as_str));
                    }
                    value => all(value, name, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| all(value, name, found)),
        _ => {}
    }
}

fn named<'a>(document: &'a Value, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    all(document, name, &mut found);
    found
}

/// What does not refer to something that is there, or stands there twice.
fn faults(documents: &[Value; 4]) -> Vec<String> {
    let mut faults = Vec::new();
    let known: HashSet<&str> = named(&documents[0], "id").into_iter().collect();
    let files = ["catalog.json", "assessment-plan.json"];
    for document in documents {
        let uuids = named(document, "uuid");
        let unique: HashSet<&str> = uuids.iter().copied().collect();
        if unique.len() < uuids.len() {
            faults.push("a UUID stands twice".to_owned());
        }
        for name in ["subject-uuid", "observation-uuid"] {
            let lost = named(document, name)
                .into_iter()
                .filter(|uuid| !unique.contains(uuid));
            faults.extend(lost.map(|uuid| format!("{name} {uuid}")));
        }
        for href in named(document, "href") {
            let is_there = match href.strip_prefix('#') {
                Some(uuid) => unique.contains(uuid),
                None => files.contains(&href) || href.starts_with("../evidence/"),
            };
            if !is_there {
                faults.push(format!("href {href}"));
            }
        }
        for name in ["control-id", "with-ids", "target-id"] {
            let lost = named(document, name)
                .into_iter()
                .filter(|id| !known.contains(id));
            faults.extend(lost.map(|id| format!("{name} {id}")));
        }
    }
    faults
}

#[test]
fn every_reference_is_to_something_that_is_there() {
    for record in [full(), record(), bare([0; 7]), bare([4; 7])] {
        assert_eq!(faults(&documents(&record)), Vec::<String>::new());
    }
    // The check can fail.
    let mut broken = documents(&full());
    let result = &mut broken[3]["assessment-results"]["results"][0];
    let twice = result["observations"][0]["uuid"].clone();
    result["observations"][1]["uuid"] = twice;
    result["findings"][0]["target"]["target-id"] = "cr-9.9_obj".into();
    broken[3]["assessment-results"]["back-matter"]["resources"][0]["uuid"] = "x".into();
    let faults = faults(&broken);
    assert!(faults.len() >= 4, "{faults:?}");
}

#[test]
fn a_finding_is_satisfied_by_a_pass_or_where_nothing_applies_and_by_nothing_else() {
    let documents = documents(&full());
    let findings = &documents[3]["assessment-results"]["results"][0]["findings"];
    let of = |id: &str| {
        let findings = findings.as_array().unwrap().iter();
        let mut findings = findings.filter(|one| one["target"]["target-id"] == format!("{id}_obj"));
        findings.next().map(|one| {
            let status = &one["target"]["status"];
            (
                status["state"].as_str().unwrap(),
                status["reason"].as_str().unwrap(),
            )
        })
    };
    assert_eq!(of("cr-1.11"), Some(("not-satisfied", "fail")));
    assert_eq!(of("cr-1.3"), Some(("not-satisfied", "other")));
    assert_eq!(of("cr-4.1"), Some(("satisfied", "pass")));
    // A person answered.
    assert_eq!(of("cr-4.3"), Some(("satisfied", "pass")));
    // Not evaluated, planned and not run, excluded, and not in the catalogue of this type.
    for id in ["cr-1.5", "cr-2.1", "cr-2.2", "ndr-1.6"] {
        assert_eq!(of(id), None, "{id}");
    }
    let unanswered = self::documents(&record());
    let findings = unanswered[3]["assessment-results"]["results"][0]["findings"].to_string();
    assert!(findings.contains("CR 4.3: REVIEW"));
    let nothing = self::documents(&bare([2; 7]));
    let result = &nothing[3]["assessment-results"]["results"][0];
    assert!(result.get("findings").is_none() && result.get("observations").is_none());
}

#[test]
fn the_profile_selects_what_the_claim_asks_for_and_says_why_it_leaves_out_a_row() {
    let documents = documents(&record());
    let profile = &documents[1]["profile"];
    let ids = named(&profile["imports"], "with-ids");
    // UC is claimed at 1, and CR 2.2 is excluded.
    assert!(ids.contains(&"cr-2.1") && !ids.contains(&"cr-2.1.1") && !ids.contains(&"cr-2.2"));
    let excluded = &profile["back-matter"]["resources"][0];
    assert_eq!(excluded["title"], "CR 2.2 is excluded");
    assert_eq!(excluded["description"], "there is no radio");
}

#[test]
fn the_same_record_has_the_same_uuids_and_another_campaign_has_others() {
    let first = documents(&record());
    assert_eq!(first, documents(&record()));
    let mut other = record();
    other.campaign.push('2');
    let uuids = |documents: &[Value; 4]| -> HashSet<String> {
        let uuids = documents.iter().flat_map(|one| named(one, "uuid"));
        uuids.map(str::to_owned).collect()
    };
    assert!(uuids(&first).is_disjoint(&uuids(&documents(&other))));
    let is_v5 = |uuid: &String| uuid.as_bytes()[14] == b'5' && uuid.len() == 36;
    assert!(uuids(&first).iter().all(is_v5));
}

#[test]
fn a_document_that_is_not_in_the_folder_is_not_linked_to() {
    let documents = documents(&full());
    let resources = documents[3]["assessment-results"]["back-matter"]["resources"]
        .as_array()
        .unwrap();
    let of = |title: &str| resources.iter().find(|one| one["title"] == title).unwrap();
    assert!(of("list.pdf").get("rlinks").is_none());
    let photo = &of("evidence/photo 1.jpg")["rlinks"][0];
    assert_eq!(photo["href"], "../evidence/photo%201.jpg");
    assert_eq!(photo["hashes"][0]["algorithm"], "SHA-256");
}
