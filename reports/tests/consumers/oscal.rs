//! What NIST's schemas and compliance-trestle make of the documents of OSCAL. Trestle's models were generated from the schemas
//! of the same version; they let more pass, and it resolves the profile.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Completion, Failed};
use serde_json::Value;
use slcert_reports::record::{AttestationRecord, Found};
use slcert_reports::{Record, Verdict, assess, oscal::oscal};

use crate::{example, hostile, leave_out};

const READ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/consumers/oscal.py");

/// A change of one document that makes it none.
type Spoil = fn(&mut Value);
type Documents = Vec<(&'static str, Value)>;

/// The version that our documents are in, and the latest.
const VERSIONS: [&str; 2] = ["1.1.3", "1.2.3"];
const NO_SCHEMAS: &str = "SLCERT_OSCAL_SCHEMAS does not name a folder with NIST's schemas of OSCAL";
const NO_TRESTLE: &str = "SLCERT_TRESTLE does not name a Python with compliance-trestle 3.9.1";

/// The documents by their names, one of them spoilt.
fn documents(record: &Record, spoil: Option<(&str, Spoil)>) -> Result<Documents, Failed> {
    let documents = oscal(record, &assess(record)).map(|(path, text)| {
        let name = path.trim_start_matches("oscal/");
        let mut document: Value = serde_json::from_str(&text)?;
        match spoil {
            Some((which, spoil)) if which == name => spoil(&mut document),
            _ => {}
        }
        Ok((name, document))
    });
    documents.into_iter().collect()
}

/// Writes the documents and has them read.
fn read(record: &Record, spoil: Option<(&str, Spoil)>) -> Result<Option<Output>, Failed> {
    let Some(python) = std::env::var_os("SLCERT_TRESTLE") else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    for (name, document) in documents(record, spoil)? {
        std::fs::write(folder.path().join(name), document.to_string())?;
    }
    let output = Command::new(python).arg(READ).arg(folder.path()).output()?;
    Ok(Some(output))
}

/// Campaigns that fill every part of the documents, and some that claim or found nothing.
fn campaigns() -> [Record; 4] {
    let mut reviewed = example::record();
    reviewed.attestations.push(AttestationRecord {
        requirement: example::id("CR 4.3"),
        found: Found::Document,
        outcome: Verdict::Pass,
        files: vec![example::file("list.pdf")],
        reviewer: "A. Tester".to_owned(),
        date: "2026-01-02".to_owned(),
        remark: None,
    });
    [
        reviewed,
        example::bare([2; 7]),
        example::bare([0; 7]),
        hostile(),
    ]
}

/// What the schemas of a version find in the documents; none where there are no schemas.
fn faults(documents: &Documents, version: &str) -> Result<Option<Vec<String>>, Failed> {
    let Some(schemas) = std::env::var_os("SLCERT_OSCAL_SCHEMAS") else {
        return Ok(None);
    };
    let mut faults = Vec::new();
    for (name, document) in documents {
        let file = format!("oscal_{}_schema.json", name.trim_end_matches(".json"));
        let schema = std::fs::read(Path::new(&schemas).join(version).join(&file))
            .map_err(|error| format!("{version}/{file}: {error}"))?;
        let schema: Value = serde_json::from_slice(&schema)?;
        let id = schema["$id"].as_str().unwrap_or_default();
        if !id.starts_with(&format!("http://csrc.nist.gov/ns/oscal/{version}/")) {
            return Err(format!("{version}/{file} is the schema {id}").into());
        }
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)?;
        let found = validator.iter_errors(document);
        faults.extend(found.map(|fault| format!("{name} {}: {fault}", fault.instance_path())));
    }
    Ok(Some(faults))
}

/// Valid by NIST's schemas.
pub fn valid_by_schema() -> Result<Completion, Failed> {
    for record in campaigns() {
        for version in VERSIONS {
            match faults(&documents(&record, None)?, version)? {
                None => return leave_out(NO_SCHEMAS),
                Some(faults) if faults.is_empty() => {}
                Some(faults) => return Err(format!("{version}: {}", faults.join("\n")).into()),
            }
        }
    }
    Ok(Completion::Completed)
}

/// That validation can fail, in each document and where a pattern of Unicode or a format says what is allowed.
pub fn refused_by_schema() -> Result<Completion, Failed> {
    let spoilt: [(&str, Spoil); 7] = [
        ("catalog.json", |document| {
            document["catalog"]["groups"][0]["controls"][0]["id"] = "CR 1.1 RE(1)".into();
        }),
        ("catalog.json", |document| {
            document["catalog"]["metadata"]["last-modified"] = "yesterday".into();
        }),
        ("profile.json", |document| {
            document["profile"]["imports"][0]["include-controls"] = Vec::<Value>::new().into();
        }),
        ("profile.json", |document| {
            document["profile"]["imports"][0]["href"] = "a b".into();
        }),
        ("assessment-plan.json", |document| {
            document["assessment-plan"]["surprise"] = true.into();
        }),
        ("assessment-results.json", |document| {
            let result = &mut document["assessment-results"]["results"][0];
            result["findings"][0]["target"]["status"]["state"] = "inconclusive".into();
        }),
        ("assessment-results.json", |document| {
            let result = &mut document["assessment-results"]["results"][0];
            result["observations"][0]["uuid"] = "1".into();
        }),
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let documents = documents(&example::record(), Some(spoil))?;
        for version in VERSIONS {
            match faults(&documents, version)? {
                None => return leave_out(NO_SCHEMAS),
                Some(faults) if faults.is_empty() => {
                    return Err(
                        format!("{version} finds the spoilt document {number} valid").into(),
                    );
                }
                Some(_) => {}
            }
        }
    }
    Ok(Completion::Completed)
}

/// Valid, and the profile selects what the claim asks for.
pub fn valid() -> Result<Completion, Failed> {
    for record in campaigns() {
        let Some(output) = read(&record, None)? else {
            return leave_out(NO_TRESTLE);
        };
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let text = String::from_utf8(output.stdout)?;
        let selected: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        let excluded = |id| {
            let mut rows = record.selection.iter();
            rows.any(|row| row.id == id && row.excluded.is_some())
        };
        let asked: BTreeSet<String> = assess(&record)
            .requirements
            .iter()
            .filter(|row| row.claimed && !excluded(row.id))
            .map(|row| row.id.slug().to_lowercase().replace("-re-", "."))
            .collect();
        if selected != asked {
            return Err(format!("{selected:?} are selected, and not {asked:?}").into());
        }
    }
    Ok(Completion::Completed)
}

/// That validation can fail too.
pub fn refused() -> Result<Completion, Failed> {
    let spoilt: [(&str, Spoil); 4] = [
        ("assessment-results.json", |document| {
            let result = &mut document["assessment-results"]["results"][0];
            result["findings"][0]["target"]["status"]["state"] = "inconclusive".into();
        }),
        ("assessment-results.json", |document| {
            let result = &mut document["assessment-results"]["results"][0];
            result["observations"][0]["uuid"] = result["observations"][1]["uuid"].clone();
        }),
        ("assessment-plan.json", |document| {
            document["assessment-plan"]["surprise"] = true.into();
        }),
        ("catalog.json", |document| {
            document["catalog"]["groups"][0]["controls"][0]["id"] = "CR 1.1 RE(1)".into();
        }),
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        match read(&example::record(), Some(spoil))? {
            None => {
                return leave_out(NO_TRESTLE);
            }
            Some(output) if output.status.success() => {
                return Err(format!("the spoilt document {number} was found valid").into());
            }
            Some(_) => {}
        }
    }
    Ok(Completion::Completed)
}
