//! What compliance-trestle makes of the documents of OSCAL. Its models were generated from NIST's schema of the same version.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use libtest_mimic::{Completion, Failed};
use serde_json::Value;
use slcert_reports::record::{AttestationRecord, Found};
use slcert_reports::{Record, Verdict, assess, oscal::oscal};

use crate::{example, hostile, leave_out};

const READ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/consumers/oscal.py");

/// A change of one document that makes it none.
type Spoil = fn(&mut Value);

/// Writes the documents, one of them spoilt, and has them read.
fn read(record: &Record, spoil: Option<(&str, Spoil)>) -> Result<Option<Output>, Failed> {
    let Some(python) = std::env::var_os("SLCERT_TRESTLE") else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    for (path, text) in oscal(record, &assess(record)) {
        let name = path.trim_start_matches("oscal/");
        let mut document: Value = serde_json::from_str(&text)?;
        match spoil {
            Some((which, spoil)) if which == name => spoil(&mut document),
            _ => {}
        }
        std::fs::write(folder.path().join(name), document.to_string())?;
    }
    let output = Command::new(python).arg(READ).arg(folder.path()).output()?;
    Ok(Some(output))
}

/// Valid, and the profile selects what the claim asks for.
pub fn valid() -> Result<Completion, Failed> {
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
    for record in [reviewed, example::bare([2; 7]), hostile()] {
        let Some(output) = read(&record, None)? else {
            return leave_out(
                "SLCERT_TRESTLE does not name a Python with compliance-trestle 3.9.1",
            );
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

/// The validation can fail.
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
                return leave_out(
                    "SLCERT_TRESTLE does not name a Python with compliance-trestle 3.9.1",
                );
            }
            Some(output) if output.status.success() => {
                return Err(format!("the spoilt document {number} was found valid").into());
            }
            Some(_) => {}
        }
    }
    Ok(Completion::Completed)
}
