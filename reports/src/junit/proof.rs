//! The proof that nobody put anything into the file but us: it is read back, and must say what was put in.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::case::{Case, Suite};
use super::{JunitError, is_error, is_failure, is_skipped};

/// What of a case is compared.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    classname: String,
    name: String,
    /// `failure`, `error`, `skipped` or nothing.
    outcome: &'static str,
}

/// Reads the file back.
///
/// # Errors
/// [`JunitError::Forged`] if its cases or its outcomes are not those of the suites.
pub(super) fn check(xml: &str, suites: &[Suite]) -> Result<(), JunitError> {
    let expected: Vec<Seen> = suites
        .iter()
        .flat_map(|suite| &suite.cases)
        .map(Seen::of)
        .collect();
    let found = read(xml)?;
    if let Some((at, _)) = expected
        .iter()
        .zip(&found)
        .enumerate()
        .find(|(_, (a, b))| a != b)
    {
        return Err(JunitError::Forged(format!(
            "testcase {} reads back as {:?}",
            at + 1,
            found[at]
        )));
    }
    if expected.len() != found.len() {
        let (put, read) = (expected.len(), found.len());
        return Err(JunitError::Forged(format!(
            "{put} testcases were put in, and {read} are read back"
        )));
    }
    Ok(())
}

impl Seen {
    fn of(case: &Case) -> Self {
        let outcome = match case.verdict {
            verdict if is_failure(verdict) => "failure",
            verdict if is_error(verdict) => "error",
            verdict if is_skipped(verdict) => "skipped",
            _ => "",
        };
        Self {
            classname: case.classname.clone(),
            name: case.name.clone(),
            outcome,
        }
    }
}

fn read(xml: &str) -> Result<Vec<Seen>, JunitError> {
    let mut reader = Reader::from_str(xml);
    let mut found: Vec<Seen> = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(found),
            Event::Start(element) | Event::Empty(element) => match element.name().as_ref() {
                b"testcase" => found.push(Seen {
                    classname: attribute(&element, "classname")?,
                    name: attribute(&element, "name")?,
                    outcome: "",
                }),
                b"failure" => outcome(&mut found, "failure")?,
                b"error" => outcome(&mut found, "error")?,
                b"skipped" => outcome(&mut found, "skipped")?,
                _ => {}
            },
            _ => {}
        }
    }
}

fn outcome(found: &mut [Seen], outcome: &'static str) -> Result<(), JunitError> {
    match found.last_mut() {
        Some(case) if case.outcome.is_empty() => {
            case.outcome = outcome;
            Ok(())
        }
        _ => Err(JunitError::Forged(format!(
            "a {outcome} stands where none was put"
        ))),
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<String, JunitError> {
    let attribute = element.try_get_attribute(name)?;
    let attribute =
        attribute.ok_or_else(|| JunitError::Forged(format!("a testcase has no {name}")))?;
    Ok(attribute
        .normalized_value(XmlVersion::Implicit1_0)?
        .into_owned())
}
