//! What `junit-report` leaves out of its file: counts, properties, packages, and times in the form that the schema takes.

use std::borrow::Cow;

use jiff::Timestamp;
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

use super::case::Suite;
use super::{Flavour, JunitError, is_error, is_failure, is_skipped};
use crate::escape::one_line;
use crate::record::Record;

/// Completes a body that holds exactly these suites.
pub(super) fn finish(
    body: &str,
    record: &Record,
    suites: &[Suite],
    facts: &[(&'static str, String)],
    flavour: Option<Flavour>,
) -> Result<String, JunitError> {
    let is_strict = flavour == Some(Flavour::Strict);
    let mut reader = Reader::from_str(body);
    let mut writer = Writer::new(Vec::with_capacity(body.len() * 2));
    let mut coming = suites.iter();
    let mut cases = [].iter();
    let mut depth = 0usize;
    loop {
        match reader.read_event()? {
            Event::Eof => break,
            Event::Decl(declaration) => writer.write_event(Event::Decl(declaration))?,
            Event::Start(element) | Event::Empty(element)
                if element.name().as_ref() == b"testsuites" =>
            {
                break_line(&mut writer, 0)?;
                writer.write_event(Event::Start(root(record, suites, flavour)))?;
                depth = 1;
            }
            event @ (Event::Start(_) | Event::Empty(_)) => {
                let empty = matches!(event, Event::Empty(_));
                let (Event::Start(element) | Event::Empty(element)) = event else {
                    continue;
                };
                break_line(&mut writer, depth)?;
                match element.name().as_ref() {
                    b"testsuite" => {
                        let suite = coming.next().ok_or_else(unexpected)?;
                        cases = suite.cases.iter();
                        writer.write_event(Event::Start(testsuite(&element, suite, is_strict)?))?;
                        properties(&mut writer, 2, facts)?;
                        if empty {
                            break_line(&mut writer, 1)?;
                            writer.write_event(Event::End(element.to_end()))?;
                        }
                    }
                    b"testcase" => {
                        let case = cases.next().ok_or_else(unexpected)?;
                        let element = with(&element, &[("time", seconds(case.duration_ms))])?;
                        write(&mut writer, element, empty)?;
                        if flavour == Some(Flavour::Rich) && !empty {
                            properties(&mut writer, 3, &case.properties)?;
                        }
                    }
                    b"skipped" if is_strict => {
                        write(&mut writer, without_type(&element)?, empty)?;
                    }
                    _ => write(&mut writer, element, empty)?,
                }
                depth += usize::from(!empty);
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                // The text of the innermost elements is theirs to the last blank.
                if matches!(
                    element.name().as_ref(),
                    b"testsuites" | b"testsuite" | b"testcase"
                ) {
                    break_line(&mut writer, depth)?;
                }
                writer.write_event(Event::End(element))?;
            }
            other => writer.write_event(other)?,
        }
    }
    writer.write_event(Event::Text(BytesText::from_escaped("\n")))?;
    Ok(String::from_utf8(writer.into_inner())?)
}

fn unexpected() -> JunitError {
    JunitError::Forged("the body has more elements than were put into it".to_owned())
}

fn write(
    writer: &mut Writer<Vec<u8>>,
    element: BytesStart<'_>,
    empty: bool,
) -> Result<(), JunitError> {
    let event = if empty {
        Event::Empty(element)
    } else {
        Event::Start(element)
    };
    Ok(writer.write_event(event)?)
}

fn break_line(writer: &mut Writer<Vec<u8>>, depth: usize) -> Result<(), JunitError> {
    let blank = format!("\n{}", "  ".repeat(depth));
    Ok(writer.write_event(Event::Text(BytesText::from_escaped(blank)))?)
}

fn root(record: &Record, suites: &[Suite], flavour: Option<Flavour>) -> BytesStart<'static> {
    let sum = |of: &dyn Fn(&Suite) -> usize| suites.iter().map(of).sum::<usize>().to_string();
    let time = suites
        .iter()
        .map(Suite::duration_ms)
        .fold(0, i64::saturating_add);
    let mut root = BytesStart::new("testsuites");
    if flavour == Some(Flavour::Strict) {
        return root;
    }
    let name = format!("slcert {}", one_line(&record.campaign));
    root.push_attribute(("name", name.as_str()));
    root.push_attribute(("tests", sum(&|suite| suite.cases.len()).as_str()));
    root.push_attribute(("failures", sum(&|suite| suite.count(is_failure)).as_str()));
    root.push_attribute(("errors", sum(&|suite| suite.count(is_error)).as_str()));
    root.push_attribute(("time", seconds(time).as_str()));
    if flavour == Some(Flavour::Rich) {
        root.push_attribute(("skipped", sum(&|suite| suite.count(is_skipped)).as_str()));
        root.push_attribute(("timestamp", timestamp(record.started).as_str()));
    }
    root
}

fn testsuite(
    element: &BytesStart<'_>,
    suite: &Suite,
    is_strict: bool,
) -> Result<BytesStart<'static>, JunitError> {
    let mut began = timestamp(suite.started);
    if is_strict {
        began.pop();
    }
    let mut element = with(
        element,
        &[
            ("package", suite.group.package()),
            ("timestamp", began),
            ("time", seconds(suite.duration_ms())),
        ],
    )?;
    element.push_attribute(("skipped", suite.count(is_skipped).to_string().as_str()));
    Ok(element)
}

fn properties(
    writer: &mut Writer<Vec<u8>>,
    depth: usize,
    facts: &[(&'static str, String)],
) -> Result<(), JunitError> {
    break_line(writer, depth)?;
    writer.write_event(Event::Start(BytesStart::new("properties")))?;
    for (name, value) in facts {
        break_line(writer, depth + 1)?;
        let mut property = BytesStart::new("property");
        property.push_attribute(("name", *name));
        property.push_attribute(("value", value.as_str()));
        write(writer, property, true)?;
    }
    break_line(writer, depth)?;
    let end = BytesStart::new("properties");
    Ok(writer.write_event(Event::End(end.to_end()))?)
}

/// An element with other values for some of its attributes, in their places.
fn with(
    element: &BytesStart<'_>,
    values: &[(&str, String)],
) -> Result<BytesStart<'static>, JunitError> {
    let name = element.name();
    let mut changed = BytesStart::new(String::from_utf8(name.as_ref().to_vec())?);
    for attribute in element.attributes() {
        let mut attribute = attribute?;
        let new = values
            .iter()
            .find(|(key, _)| key.as_bytes() == attribute.key.as_ref());
        if let Some((_, value)) = new {
            attribute.value = Cow::Owned(value.clone().into_bytes());
        }
        changed.push_attribute(attribute);
    }
    Ok(changed.into_owned())
}

/// A skip without its type, which Ant's schema refuses. Without its message, Allure would take the case for passed.
fn without_type(element: &BytesStart<'_>) -> Result<BytesStart<'static>, JunitError> {
    let mut bare = BytesStart::new("skipped");
    for attribute in element.attributes() {
        let attribute = attribute?;
        if attribute.key.as_ref() != b"type" {
            bare.push_attribute(attribute);
        }
    }
    Ok(bare.into_owned())
}

/// Seconds with three decimals: the schema takes no more.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// RFC 3339 in UTC, to the second. Readers know years of four digits only.
fn timestamp(at: Timestamp) -> String {
    let text = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let plain = text.len() == 20 && text.as_bytes()[0].is_ascii_digit();
    if plain {
        text
    } else {
        "1970-01-01T00:00:00Z".to_owned()
    }
}
