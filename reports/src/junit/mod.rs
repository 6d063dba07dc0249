//! `junit.xml`: the view that every CI server reads.
//!
//! JUnit knows four outcomes and we know six verdicts: FAIL is a `failure`, INCONCLUSIVE an `error`, and NOT
//! APPLICABLE, NOT EVALUATED and REVIEW are `skipped`. Many readers drop the reason of a skip, so a green JUnit report
//! does not say that a claim is demonstrated: the exit code does.
//!
//! The file is flat, one suite a foundational requirement, and is valid against Jenkins' `junit-10.xsd`. The crate
//! `junit-report` writes the body. It takes text as it comes, so all text is made harmless before it gets there
//! (`text`); what the schema wants beyond it is added afterwards (`finish`); and the file is read back and compared
//! with the trials before anyone sees it (`proof`).

pub(crate) mod case;
mod finish;
mod flavour;
mod proof;
mod properties;
mod text;

use junit_report::{
    Duration, OffsetDateTime, ReportBuilder, TestCase, TestResult, TestSuiteBuilder,
};
use thiserror::Error;

use crate::assess::Assessment;
use crate::record::Record;
use crate::verdict::Verdict;
use case::{Case, Suite};
pub use flavour::Flavour;

/// How the file is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JunitOptions {
    /// Where the campaign's folder lies, seen from the folder that the CI server resolves attachments against
    /// (`campaigns/2026-01-02`). Without it, paths are relative to the campaign's folder.
    pub attachment_root: Option<String>,
    /// Whether it is to be another than `junit.xml`.
    pub flavour: Option<Flavour>,
}

/// The report could not be written. It is a fault of this program.
#[derive(Debug, Error)]
pub enum JunitError {
    /// The body could not be written.
    #[error("the JUnit report cannot be written: {0}")]
    Body(#[from] junit_report::Error),
    /// The body is not what it was taken for.
    #[error("the JUnit report cannot be completed: {0}")]
    Xml(#[from] quick_xml::Error),
    /// Memory refused. It is where the file is written to first.
    #[error("the JUnit report cannot be written: {0}")]
    Io(#[from] std::io::Error),
    /// An attribute of the body is not what it was taken for.
    #[error("the JUnit report cannot be completed: {0}")]
    Attribute(#[from] quick_xml::events::attributes::AttrError),
    /// The body is not UTF-8.
    #[error("the JUnit report is not UTF-8")]
    Utf8(#[from] std::string::FromUtf8Error),
    /// What is read back from it is not what was put into it.
    #[error("the JUnit report does not say what the record says: {0}")]
    Forged(String),
}

/// The JUnit report of a campaign.
///
/// # Errors
/// [`JunitError`] if it cannot be written, or does not read back as what was put into it.
pub fn junit(record: &Record, assessment: &Assessment) -> Result<String, JunitError> {
    junit_with(record, assessment, &JunitOptions::default())
}

/// [`junit`], with options.
///
/// # Errors
/// As [`junit`].
pub fn junit_with(
    record: &Record,
    assessment: &Assessment,
    options: &JunitOptions,
) -> Result<String, JunitError> {
    let suites = case::suites(record, assessment, options);
    let is_strict = options.flavour == Some(Flavour::Strict);
    let mut report = ReportBuilder::new();
    for suite in &suites {
        let cases: Vec<_> = suite
            .cases
            .iter()
            .map(|case| testcase(case, is_strict))
            .collect();
        let mut builder = TestSuiteBuilder::new(&suite.name);
        builder
            // The time is written by `finish`: the crate panics on a year of five digits.
            .set_timestamp(OffsetDateTime::UNIX_EPOCH)
            .add_testcases(cases);
        if is_strict {
            builder.set_system_out("").set_system_err("");
        }
        report.add_testsuite(builder.build());
    }
    let mut body = Vec::new();
    report.build().write_xml(&mut body)?;
    let facts = text::facts(record, assessment);
    let xml = finish::finish(
        &String::from_utf8(body)?,
        record,
        &suites,
        &facts,
        options.flavour,
    )?;
    proof::check(&xml, &suites)?;
    Ok(xml)
}

/// The form that the crate wants. It gives a skip neither a duration nor a text, so the fields are set directly.
fn testcase(case: &Case, is_strict: bool) -> TestCase {
    let type_ = case.verdict.word().to_owned();
    let message = case.reason.clone();
    let cause = Some(case.text.clone());
    TestCase {
        name: case.name.clone(),
        time: Duration::milliseconds(case.duration_ms),
        result: match case.verdict {
            Verdict::Pass => TestResult::Success,
            Verdict::Fail => TestResult::Failure {
                type_,
                message,
                cause,
            },
            Verdict::Inconclusive => TestResult::Error {
                type_,
                message,
                cause,
            },
            Verdict::NotApplicable | Verdict::NotEvaluated | Verdict::Review => {
                TestResult::SkippedWithCause {
                    type_,
                    message,
                    cause,
                }
            }
        },
        classname: Some(case.classname.clone()),
        filepath: None,
        system_out: (!is_strict).then(|| case.output.clone()),
        system_err: None,
    }
}

impl Suite {
    /// The sum of its cases' times, in milliseconds.
    fn duration_ms(&self) -> i64 {
        self.cases
            .iter()
            .map(|case| case.duration_ms)
            .fold(0, i64::saturating_add)
    }

    fn count(&self, element: fn(Verdict) -> bool) -> usize {
        self.cases
            .iter()
            .filter(|case| element(case.verdict))
            .count()
    }
}

fn is_failure(verdict: Verdict) -> bool {
    verdict == Verdict::Fail
}

fn is_error(verdict: Verdict) -> bool {
    verdict == Verdict::Inconclusive
}

fn is_skipped(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::NotApplicable | Verdict::NotEvaluated | Verdict::Review
    )
}

#[cfg(test)]
mod tests;
