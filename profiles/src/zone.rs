//! The target security level of a zone (SL-T), as IEC 62443-3-2 makes its owner write it down.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::level::{SecurityLevel, SlVector};
use crate::requirement::FoundationalRequirement;

/// What one zone asks of what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// What the zone is called; none where nobody said.
    #[serde(default)]
    pub name: Option<String>,
    /// Its SL-T; 0 where it asks for nothing.
    pub target: SlVector,
}

/// Text is no SL-T.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what}, at character {}:\n  {text}\n  {}^", at + 1, " ".repeat(*at))]
pub struct NotAZone {
    /// The text.
    pub text: String,
    /// How many characters stand before the fault.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

/// What the seven are called, for who writes a vector.
const SEVEN: &str = "IAC, UC, SI, DC, RDF, TRE, RA";

impl FromStr for Zone {
    type Err = NotAZone;

    /// Reads the forms of IEC 62443-3-3 annex A: `{2 2 0 1 3 1 3}`, `SL-T(control room) = {2 2 0 1 3 1 3}`, and
    /// `SL-T(RA, control room) = 3`, which asks for nothing of the other six. Commas may stand between the levels, and the
    /// brackets may be left out.
    fn from_str(text: &str) -> Result<Self, NotAZone> {
        let fault = |rest: &str, what: String| NotAZone {
            text: text.to_owned(),
            at: text.chars().count() - rest.chars().count(),
            what,
        };
        let (domain, rest) = head(text.trim_start(), &fault)?;
        let (fr, name) = domain.map_or((None, None), subject);
        let levels = levels(rest, &fault)?;
        let target = match (fr, levels.as_slice()) {
            (Some(fr), [level]) => {
                let mut target = SlVector::default();
                target[fr] = *level;
                target
            }
            (None, seven) if seven.len() == 7 => SlVector(std::array::from_fn(|at| seven[at])),
            (Some(fr), _) => {
                let what = format!("one level has to stand here, that of {fr}");
                return Err(fault(rest.trim_start(), what));
            }
            (None, [level]) => {
                let what = format!(
                    "one number is no SL-T: write the seven of {SEVEN}, as in {}",
                    SlVector::uniform(*level)
                );
                return Err(fault(rest.trim_start(), what));
            }
            (None, _) => {
                let what = format!(
                    "{} levels stand here, and seven are wanted: {SEVEN}",
                    levels.len()
                );
                return Err(fault(rest.trim_start(), what));
            }
        };
        Ok(Self { name, target })
    }
}

/// What stands in the brackets of `SL-T(...) =`, and what comes after it.
fn head<'a>(
    text: &'a str,
    fault: &impl Fn(&str, String) -> NotAZone,
) -> Result<(Option<&'a str>, &'a str), NotAZone> {
    let is_level = |kind: &&str| {
        kind.get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("SL-"))
    };
    let Some(kind) = text.get(..4).filter(is_level) else {
        return Ok((None, text));
    };
    if !kind.eq_ignore_ascii_case("SL-T") {
        let what = format!("a zone has a target level, SL-T, and this is {kind}");
        return Err(fault(text, what));
    }
    let mut rest = text[4..].trim_start();
    let mut domain = None;
    if let Some(inside) = rest.strip_prefix('(') {
        let Some((words, after)) = inside.split_once(')') else {
            return Err(fault(rest, "this bracket is not closed".to_owned()));
        };
        domain = Some(words);
        rest = after.trim_start();
    }
    Ok((domain, rest.strip_prefix('=').unwrap_or(rest)))
}

/// `RA, control room`, or a name alone.
fn subject(domain: &str) -> (Option<FoundationalRequirement>, Option<String>) {
    let named = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    let fr = |word: &str| {
        FoundationalRequirement::ALL
            .into_iter()
            .find(|fr| fr.abbreviation().eq_ignore_ascii_case(word.trim()))
    };
    let (first, name) = domain.split_once(',').unwrap_or((domain, ""));
    match fr(first) {
        Some(fr) => (Some(fr), named(name)),
        None => (None, named(domain)),
    }
}

fn levels(
    text: &str,
    fault: &impl Fn(&str, String) -> NotAZone,
) -> Result<Vec<SecurityLevel>, NotAZone> {
    let mut rest = text.trim();
    // From here to the end, so that places are counted in the whole text.
    let from = |part: &str| &text[part.as_ptr() as usize - text.as_ptr() as usize..];
    if let Some(inside) = rest.strip_prefix('{') {
        let Some(inside) = inside.strip_suffix('}') else {
            return Err(fault(from(rest), "this bracket is not closed".to_owned()));
        };
        rest = inside;
    }
    let words = rest.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    words
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.parse()
                .map_err(|error: crate::NoSuchLevel| fault(from(word), error.to_string()))
        })
        .collect()
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "SL-T({name}) = {}", self.target),
            None => write!(f, "SL-T = {}", self.target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_forms_are_read() {
        for text in [
            "{2 2 0 1 3 1 3}",
            "{2,2,0,1,3,1,3}",
            "2 2 0 1 3 1 3",
            " SL-T = { 2, 2, 0, 1, 3, 1, 3 } ",
            "sl-t {2 2 0 1 3 1 3}",
        ] {
            let zone: Zone = text.parse().unwrap();
            assert_eq!(zone.to_string(), "SL-T = {2 2 0 1 3 1 3}", "{text}");
        }
        let zone: Zone = "SL-T(control room, east) = {1 1 1 1 1 1 2}"
            .parse()
            .unwrap();
        assert_eq!(zone.name.as_deref(), Some("control room, east"));
        assert_eq!(zone.to_string().parse(), Ok(zone));
        let zone: Zone = "SL-T(RA, cell 4) = 3".parse().unwrap();
        assert_eq!(zone.name.as_deref(), Some("cell 4"));
        assert_eq!(zone.target.to_string(), "{0 0 0 0 0 0 3}");
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        for (text, at, what) in [
            ("{2 2 0 1 5 1 3}", 9, "`5` is no security level"),
            ("{2 2 0 x 3 1 3}", 7, "`x` is no security level"),
            ("{2 2 0 1 3 1}", 0, "6 levels stand here"),
            ("SL-T(é) = {2 2 0 1 3 1 3 3}", 10, "8 levels stand here"),
            ("3", 0, "as in {3 3 3 3 3 3 3}"),
            ("{2 2 0 1 3 1 3", 0, "is not closed"),
            ("SL-T(x = {1 1 1 1 1 1 1}", 4, "is not closed"),
            ("SL-C {1 1 1 1 1 1 1}", 0, "this is SL-C"),
            ("SL-T(RA, x) = {1 1}", 14, "that of FR 7 RA"),
            ("", 0, "0 levels stand here"),
            ("é", 0, "is no security level"),
            ("SLé", 0, "is no security level"),
        ] {
            let fault = text.parse::<Zone>().unwrap_err();
            assert!(fault.what.contains(what), "{text}: {fault}");
            assert_eq!(fault.at, at, "{text}: {fault}");
        }
        let said = "{2 2 9 1 3 1 3}".parse::<Zone>().unwrap_err().to_string();
        assert!(said.ends_with("\n  {2 2 9 1 3 1 3}\n       ^"), "{said}");
    }
}
