//! `attestations.toml`: what a person has reviewed, for what no test shows.
//!
//! ```toml
//! [attestation."CCSC 4"]
//! document = "certificates/62443-4-1.pdf"      # relative to this file
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! outcome = "pass"                             # pass, fail or not-applicable
//! reviewer = "A. Reviewer, Example Lab"
//! date = 2026-11-20
//! remark = "covers firmware 1.x until 2028"
//! ```
//!
//! An attestation stands for the REVIEW of its requirement only: what was tested keeps the verdict of the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use slcert_profiles::RequirementId;
use slcert_profiles::file::{
    Diagnostic, Diagnostics, Fields, Located, Schema, Source, Table, Text, Word, read, schema_of,
};

use crate::record::{AttestationRecord, FileRecord, Found};
use crate::sha256;
use crate::verdict::Verdict;

/// The file of what was reviewed.
#[derive(Clone, Debug)]
pub struct Attestations {
    attestations: BTreeMap<RequirementId, Attestation>,
}

/// What was reviewed for one requirement.
#[derive(Clone, Debug)]
struct Attestation {
    document: Located<PathBuf>,
    sha256: Located<String>,
    outcome: Outcome,
    reviewer: Text,
    date: Date,
    remark: Option<Text>,
}

/// What a review came to.
#[derive(Clone, Copy, Debug)]
struct Outcome(Verdict);

impl Word for Outcome {
    const WHAT: &'static str = "outcome of a review";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("pass", Self(Verdict::Pass)),
        ("fail", Self(Verdict::Fail)),
        ("not-applicable", Self(Verdict::NotApplicable)),
    ];
}

slcert_profiles::settings_word!(Outcome);

impl Table for Attestations {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let attestations = f.required("attestation", "What was reviewed, by requirement.");
        Some(Self {
            attestations: attestations?,
        })
    }
}

impl Table for Attestation {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let document = f.required("document", "The document, relative to this file.");
        let sha256 = f.required("sha256", "SHA-256 of the document, in hex.");
        let outcome = f.required("outcome", "What the review came to.");
        let reviewer = f.required("reviewer", "Who reviewed it: name and organisation.");
        let date = f.required("date", "The day of the review.");
        let remark = f.optional("remark", "What a reader of the report should know.");
        Some(Self {
            document: document?,
            sha256: sha256?,
            outcome: outcome?,
            reviewer: reviewer?,
            date: date?,
            remark: remark?,
        })
    }
}

slcert_profiles::settings_table!(Attestations, Attestation);

impl Attestations {
    /// Reads the file, and compares each document, which is looked for from `folder`, with its hash.
    ///
    /// # Errors
    /// Everything that is wrong with the file; a document that is missing, or that is not the one that was reviewed.
    pub fn load(source: &Source, folder: &Path) -> Result<Vec<AttestationRecord>, Diagnostics> {
        let file: Self = read(source)?;
        let mut faults = Vec::new();
        let mut records = Vec::new();
        for (requirement, one) in file.attestations {
            match sha256::of_file(&folder.join(&one.document.value)).map(|(hash, _)| hash) {
                Ok(found) if found.eq_ignore_ascii_case(one.sha256.value.trim()) => {}
                Ok(found) => faults.push(
                    Diagnostic::error(
                        one.sha256.span.clone(),
                        format!(
                            "the document for {requirement} is another one: its SHA-256 is {found}"
                        ),
                    )
                    .help("review the document as it is now, and write down its hash"),
                ),
                Err(error) => faults.push(
                    Diagnostic::error(
                        one.document.span.clone(),
                        format!("the document for {requirement} cannot be read: {error}"),
                    )
                    .help("write its path as seen from this file"),
                ),
            }
            records.push(AttestationRecord {
                requirement,
                found: Found::Document,
                outcome: one.outcome.0,
                files: vec![FileRecord {
                    path: one.document.value.display().to_string(),
                    sha256: one.sha256.value.trim().to_ascii_lowercase(),
                }],
                reviewer: one.reviewer.0,
                date: one.date.to_string(),
                remark: one.remark.map(|remark| remark.0),
            });
        }
        if faults.is_empty() {
            Ok(records)
        } else {
            Err(Diagnostics::new(source.clone(), faults))
        }
    }

    /// The JSON Schema of these files.
    pub fn schema() -> Schema {
        schema_of::<Self>("slcert attestations")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Vec<AttestationRecord>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("report.txt"), "test").unwrap();
        Attestations::load(&Source::new("attestations.toml", text), folder.path())
            .map_err(|faults| faults.to_string())
    }

    /// `printf test | sha256sum`
    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn text(hash: &str, document: &str) -> String {
        format!(
            "[attestation.\"CCSC 4\"]\ndocument = \"{document}\"\nsha256 = \"{hash}\"\noutcome = \"pass\"\n\
             reviewer = \"A. Reviewer\"\ndate = 2026-11-20\n"
        )
    }

    #[test]
    fn a_review_of_the_document_that_is_there_counts() {
        let records = load(&text(HASH, "report.txt")).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].outcome, Verdict::Pass);
        assert_eq!(records[0].date, "2026-11-20");
    }

    #[test]
    fn another_document_does_not_count() {
        let fault = load(&text(&HASH.replace('9', "8"), "report.txt")).unwrap_err();
        assert!(fault.contains("is another one"), "{fault}");
        let fault = load(&text(HASH, "nowhere.txt")).unwrap_err();
        assert!(fault.contains("cannot be read"), "{fault}");
    }

    #[test]
    fn what_is_no_outcome_is_told() {
        let fault = load(&text(HASH, "report.txt").replace("pass", "passed")).unwrap_err();
        assert!(fault.contains("`passed`"), "{fault}");
    }
}
