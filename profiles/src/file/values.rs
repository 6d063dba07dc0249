//! Values with a meaning of their own: periods of time, patterns, and values that remember where they stood.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use regex::Regex;
use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::Diagnostic;
use super::setting::{Schema, Setting, wrong_type};
use super::suggest::excerpt;
use crate::requirement::RequirementId;

/// A length of time, written with its unit: `"100ms"`, `"30s"`, `"2m"`, `"1h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// The units, smallest first, with what one of them is in milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The longest period that a file may ask for: a week.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

impl Period {
    /// Reads a period; none if it has no unit, no number, or is longer than a week.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let period = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*millis)?);
        (period <= LONGEST).then_some(Self(period))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let largest = UNITS.iter().rev().find(|(_, unit)| {
            millis >= u128::from(*unit) && millis.is_multiple_of(u128::from(*unit))
        });
        match largest {
            Some((name, unit)) => write!(f, "{}{name}", millis / u128::from(*unit)),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl Setting for Period {
    fn schema() -> Schema {
        json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let wanted = r#"write a number and a unit, such as "100ms", "30s", "2m" or "1h""#;
        if !value.get_ref().is_str() {
            let what = "a length of time has a unit";
            faults.push(Diagnostic::error(value.span(), what).help(wanted));
            return None;
        }
        let text = String::read(value, faults)?;
        let period = Self::parse(&text);
        if period.is_none() {
            let what = format!("`{}` is no length of time up to a week", excerpt(&text));
            faults.push(Diagnostic::error(value.span(), what).help(wanted));
        }
        period
    }
}

/// A regular expression, in the syntax of the `regex` crate: it has no way to run for long on hostile text.
///
/// It is shared: a `Regex` that is cloned begins with empty caches, which cost more than most searches.
#[derive(Clone, Debug)]
pub struct Pattern(pub Arc<Regex>);

impl Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Setting for Pattern {
    fn schema() -> Schema {
        json!({ "type": "string", "format": "regex" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        match Regex::new(&text) {
            Ok(regex) => Some(Self(Arc::new(regex))),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                let what = format!(
                    "this is no regular expression: {}",
                    last.trim_start_matches("error: ")
                );
                let help = "write it in single quotes, so that backslashes stand for themselves";
                faults.push(Diagnostic::error(value.span(), what).help(help));
                None
            }
        }
    }
}

/// A requirement's id, also as a key.
impl Setting for RequirementId {
    fn schema() -> Schema {
        String::schema()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        let id = text.parse().ok();
        if id.is_none() {
            let what = format!("`{}` is no requirement's id", excerpt(&text));
            let help = "write it as `CR 1.11` or `CR 1.1 RE(1)`";
            faults.push(Diagnostic::error(value.span(), what).help(help));
        }
        id
    }
}

/// A value and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// Where it stood, as bytes of the text.
    pub span: Range<usize>,
    /// The value.
    pub value: T,
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Setting> Setting for Located<T> {
    fn schema() -> Schema {
        T::schema()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let span = value.span();
        T::read(value, faults).map(|value| Self { span, value })
    }
}

/// A value that may be wrong: its fault is reported, and what stands around it is still read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt<T>(pub Option<T>);

impl<T: Setting> Setting for Attempt<T> {
    fn schema() -> Schema {
        T::schema()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        Some(Self(T::read(value, faults)))
    }
}

/// A list of one or more values, each of which stands once; in the order of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several<T>(pub Vec<T>);

impl<T: Setting + Ord> Setting for Several<T> {
    fn schema() -> Schema {
        json!({ "type": "array", "items": T::schema(), "minItems": 1, "uniqueItems": true })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let items = BTreeSet::<T>::read(value, faults)?;
        if items.is_empty() {
            let what = "the list is empty";
            faults.push(Diagnostic::error(value.span(), what).help("name at least one"));
            return None;
        }
        Some(Self(items.into_iter().collect()))
    }
}

/// Text that says something: it is not blank.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(pub String);

impl Setting for Text {
    fn schema() -> Schema {
        json!({ "type": "string", "pattern": "\\S" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        if text.trim().is_empty() {
            let what = "the text is empty";
            faults.push(
                Diagnostic::error(value.span(), what)
                    .help("a text that says something has to stand here"),
            );
            return None;
        }
        Some(Self(text))
    }
}

/// A day of the calendar, written `2026-03-01`, with or without quotes.
impl Setting for Date {
    fn schema() -> Schema {
        json!({ "type": "string", "format": "date" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let help = "a date like `2026-03-01` has to stand here";
        let text = match value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => {
                faults.push(wrong_type(value, "a date like `2026-03-01`"));
                return None;
            }
        };
        let date = (text.len() == 10).then(|| text.parse().ok()).flatten();
        if date.is_none() {
            let what = format!("`{}` is no day of the calendar", excerpt(&text));
            faults.push(Diagnostic::error(value.span(), what).help(help));
        }
        date
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_a_unit_and_an_end() {
        let millis = |text| Period::parse(text).map(|it| it.0.as_millis());
        assert_eq!(millis("100ms"), Some(100));
        assert_eq!(millis("2m"), Some(120_000));
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "8d",
            "169h",
            "99999999999999999999s",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn periods_print_as_they_are_written() {
        for text in ["100ms", "90s", "2m", "1h"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
    }
}
