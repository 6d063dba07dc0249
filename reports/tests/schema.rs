//! The schema that we ship and the program agree on what a record is.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

#[allow(dead_code)]
mod example;

use serde_json::{Value, json};
use slcert_reports::lab::{EquipmentRecord, LabRecord};
use slcert_reports::record::{AttestationRecord, Found};
use slcert_reports::redact::{CutFile, CutValue, RedactionRecord};
use slcert_reports::selftest::{FirmwareRecord, SelfTestRecord, When};
use slcert_reports::timeline::{FunctionRecord, RemarkRecord, SentRecord, Series, TimelineRecord};
use slcert_reports::view::SCHEMA;
use slcert_reports::{Flavour, Record};

fn validator() -> jsonschema::Validator {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// The example with each kind of thing in it.
fn full() -> Record {
    let mut record = example::record();
    let found = [
        Found::Document,
        Found::Inspection {
            trial: record.trials[0].id.clone(),
        },
    ];
    record.attestations = found
        .map(|found| AttestationRecord {
            requirement: example::id("CR 4.3"),
            found,
            outcome: slcert_reports::Verdict::Pass,
            files: vec![example::file("evidence/list.pdf")],
            reviewer: "A. Tester".to_owned(),
            date: "2026-01-02".to_owned(),
            remark: None,
        })
        .to_vec();
    record.selftest = vec![SelfTestRecord {
        when: When::Before,
        started: example::began(),
        checks: record.trials[0].checks.clone(),
        firmware: Some(FirmwareRecord {
            interface: "plc".to_owned(),
            told: "4.2.1".to_owned(),
            as_stated: true,
        }),
    }];
    record.redaction = Some(RedactionRecord {
        original: "ab".repeat(32),
        what: vec!["keys".to_owned()],
        values: vec![CutValue {
            mark: "(cut text 1)".to_owned(),
            sha256: "cd".repeat(32),
        }],
        files: vec![CutFile {
            path: "evidence/a.txt".to_owned(),
            sha256: "ef".repeat(32),
            left_out: true,
        }],
    });
    record.wanted.zone = Some("SL-T(cell 4) = {2 2 0 1 3 1 3}".parse().unwrap());
    record.wanted.oscal = true;
    record.wanted.junit = [Flavour::Rich, Flavour::Strict].into();
    record.trials[0].timeline = Some(TimelineRecord {
        step_us: 5000,
        steps: 2,
        sent: vec![SentRecord {
            line: "plc".to_owned(),
            count: Series(vec![Some(3), Some(0)]),
        }],
        functions: vec![FunctionRecord {
            function: "level".to_owned(),
            allowed_ms: 1000,
            longest_ms: Series(vec![Some(30), None]),
            tolerance: Some(20),
            farthest: Some(Series(vec![None, None])),
        }],
        remarks: vec![RemarkRecord {
            at_ms: 3,
            what: "power: off".to_owned(),
        }],
    });
    record.lab = Some(LabRecord {
        report: Some("R-1".to_owned()),
        deviations: vec!["none".to_owned()],
        equipment: vec![EquipmentRecord {
            id: "INV-1".to_owned(),
            what: "adapter".to_owned(),
            software: None,
            calibrated: None,
            due: Some("2027-01-10".to_owned()),
        }],
        ..LabRecord::default()
    });
    record
}

#[test]
fn a_record_is_valid_whatever_is_in_it() {
    let validator = validator();
    let killed = Record {
        finished: None,
        interrupted: true,
        ..example::bare([0; 7])
    };
    for record in [full(), example::record(), killed] {
        let value = serde_json::to_value(&record).unwrap();
        let faults: Vec<_> = validator
            .iter_errors(&value)
            .map(|e| e.to_string())
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// Each object within a record, by its place.
fn objects(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.push(at.clone());
            for (name, value) in map {
                objects(value, format!("{at}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate().take(2) {
                objects(value, format!("{at}/{place}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let validator = validator();
    let whole = serde_json::to_value(full()).unwrap();
    let mut places = Vec::new();
    objects(&whole, String::new(), &mut places);
    let agree = |changed: Value, what: &str| {
        let valid = validator.is_valid(&changed);
        let read = serde_json::from_value::<Record>(changed).is_ok();
        assert_eq!(valid, read, "{what}: by the schema, and by the program");
    };
    for place in places {
        let names: Vec<String> = match whole.pointer(&place).unwrap() {
            Value::Object(map) => map.keys().cloned().collect(),
            _ => unreachable!(),
        };
        let change = |edit: &dyn Fn(&mut serde_json::Map<String, Value>), what: &str| {
            let mut changed = whole.clone();
            edit(
                changed
                    .pointer_mut(&place)
                    .unwrap()
                    .as_object_mut()
                    .unwrap(),
            );
            agree(changed, what);
        };
        // Serde takes what is unknown within an enum's own fields.
        if !place.ends_with("/inspection") {
            let what = format!("{place}/surprise is there");
            change(
                &|map| drop(map.insert("surprise".to_owned(), json!(1))),
                &what,
            );
        }
        for name in names {
            // What may be null may be left out for serde, and the schema asks for it where a reader would miss it.
            let nullable = ["finished"].contains(&name.as_str());
            if !nullable {
                let what = format!("{place}/{name} is missing");
                change(&|map| drop(map.remove(&name)), &what);
            }
            let what = format!("{place}/{name} is of another type");
            change(
                &|map| drop(map.insert(name.clone(), json!({"odd": []}))),
                &what,
            );
        }
    }
}

#[test]
fn the_schema_refuses_what_cannot_be() {
    let validator = validator();
    let whole = serde_json::to_value(full()).unwrap();
    assert!(validator.is_valid(&whole));
    for (place, value) in [
        ("/claim/0", json!(5)),
        ("/claim", json!([1, 2, 3])),
        ("/selection/0/level", json!(0)),
        ("/selection/0/id", json!("CR 1")),
        ("/trials/0/verdict", json!("pass")),
        ("/trials/0/started", json!("yesterday")),
        ("/format", json!(1)),
        ("/trials/0/timeline/steps", json!(201)),
        ("/trials/0/timeline/sent/0/count", json!("3  0")),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = value;
        assert!(!validator.is_valid(&changed), "{place}");
    }
}
