//! The names of requirements: `CR 1.11`, `CR 1.1 RE(2)`, `EDR 3.10`, `CCSC 1`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The id of one row of the catalogue. Ids sort in the order of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequirementId {
    group: u8,
    number: u8,
    family: Family,
    /// 0 for the base requirement.
    enhancement: u8,
}

/// The letters in front of a requirement's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Family {
    Ccsc,
    Cr,
    Sar,
    Edr,
    Hdr,
    Ndr,
}

const FAMILIES: [(&str, Family); 6] = [
    ("CCSC", Family::Ccsc),
    ("CR", Family::Cr),
    ("SAR", Family::Sar),
    ("EDR", Family::Edr),
    ("HDR", Family::Hdr),
    ("NDR", Family::Ndr),
];

/// Text is no requirement id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is no requirement id: write it like `CR 1.11`, `CR 1.1 RE(2)`, `EDR 3.10` or `CCSC 1`"
)]
pub struct NotAnId(pub String);

impl RequirementId {
    /// The foundational requirement that it belongs to; none for the common constraints (CCSC).
    pub fn fr(&self) -> Option<FoundationalRequirement> {
        match self.family {
            Family::Ccsc => None,
            _ => FoundationalRequirement::ALL
                .get(usize::from(self.group).checked_sub(1)?)
                .copied(),
        }
    }

    /// The requirement that this one enhances; none if it is a base requirement itself.
    pub fn base(&self) -> Option<Self> {
        (self.enhancement > 0).then_some(Self {
            enhancement: 0,
            ..*self
        })
    }

    /// Whether the two are the same requirement written for other component types: `CR 2.13` and `EDR 2.13`.
    pub fn is_sibling_of(&self, other: &Self) -> bool {
        let number = |id: &Self| (id.group, id.number, id.enhancement);
        self.family != other.family && self.group != 0 && number(self) == number(other)
    }

    /// A form without blanks and brackets, for the command line and for names: `CR-1.1-RE-2`.
    pub fn slug(&self) -> String {
        let base = self.written("-");
        match self.enhancement {
            0 => base,
            n => format!("{base}-RE-{n}"),
        }
    }

    fn written(&self, between: &str) -> String {
        let family = FAMILIES
            .iter()
            .find_map(|(text, family)| (*family == self.family).then_some(*text))
            .unwrap_or_default();
        match self.family {
            Family::Ccsc => format!("{family}{between}{}", self.number),
            _ => format!("{family}{between}{}.{}", self.group, self.number),
        }
    }
}

impl fmt::Display for RequirementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(" "))?;
        match self.enhancement {
            0 => Ok(()),
            n => write!(f, " RE({n})"),
        }
    }
}

impl FromStr for RequirementId {
    type Err = NotAnId;

    /// Reads the standard's own form and the slug, in any case.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let error = || NotAnId(text.to_owned());
        let upper = text.trim().to_ascii_uppercase();
        let words: Vec<&str> = upper
            .split(['-', ' ', '(', ')'])
            .filter(|word| !word.is_empty())
            .collect();
        let (family, number, enhancement) = match words[..] {
            [family, number] => (family, number, 0),
            [family, number, "RE", n] => match small(n) {
                Some(n) if n > 0 => (family, number, n),
                _ => return Err(error()),
            },
            _ => return Err(error()),
        };
        let family = FAMILIES
            .iter()
            .find_map(|(name, value)| (*name == family).then_some(*value))
            .ok_or_else(error)?;
        let (group, number) = match (family, number.split_once('.')) {
            (Family::Ccsc, None) => (0, small(number).ok_or_else(error)?),
            (Family::Ccsc, Some(_)) | (_, None) => return Err(error()),
            (_, Some((group, number))) => (
                small(group)
                    .filter(|g| (1..=7).contains(g))
                    .ok_or_else(error)?,
                small(number).ok_or_else(error)?,
            ),
        };
        Ok(Self {
            group,
            number,
            family,
            enhancement,
        })
    }
}

/// A number of one or two digits with no sign and no leading zero.
fn small(text: &str) -> Option<u8> {
    let plain = (1..=2).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

impl TryFrom<String> for RequirementId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<RequirementId> for String {
    fn from(id: RequirementId) -> Self {
        id.to_string()
    }
}

/// The seven groups of requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoundationalRequirement {
    /// FR 1, identification and authentication control.
    Iac,
    /// FR 2, use control.
    Uc,
    /// FR 3, system integrity.
    Si,
    /// FR 4, data confidentiality.
    Dc,
    /// FR 5, restricted data flow.
    Rdf,
    /// FR 6, timely response to events.
    Tre,
    /// FR 7, resource availability.
    Ra,
}

impl FoundationalRequirement {
    /// All seven, in the standard's order.
    pub const ALL: [Self; 7] = [
        Self::Iac,
        Self::Uc,
        Self::Si,
        Self::Dc,
        Self::Rdf,
        Self::Tre,
        Self::Ra,
    ];

    /// Its number, 1 to 7.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Its abbreviation: `IAC`.
    pub fn abbreviation(self) -> &'static str {
        ["IAC", "UC", "SI", "DC", "RDF", "TRE", "RA"][self as usize]
    }

    /// Its title.
    pub fn title(self) -> &'static str {
        [
            "Identification and authentication control",
            "Use control",
            "System integrity",
            "Data confidentiality",
            "Restricted data flow",
            "Timely response to events",
            "Resource availability",
        ][self as usize]
    }
}

impl fmt::Display for FoundationalRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FR {} {}", self.number(), self.abbreviation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RequirementId {
        text.parse().unwrap()
    }

    #[test]
    fn the_standards_form_and_the_slug_are_read_and_written() {
        for (text, slug) in [
            ("CR 1.11", "CR-1.11"),
            ("CR 1.1 RE(2)", "CR-1.1-RE-2"),
            ("EDR 3.10", "EDR-3.10"),
            ("CCSC 1", "CCSC-1"),
        ] {
            assert_eq!(id(text).to_string(), text);
            assert_eq!(id(text).slug(), slug);
            assert_eq!(id(slug), id(text));
            assert_eq!(id(&slug.to_lowercase()), id(text));
        }
    }

    #[test]
    fn an_enhancement_knows_its_base_and_its_group() {
        assert_eq!(id("CR 2.1 RE(1)").base(), Some(id("CR 2.1")));
        assert_eq!(id("CR 2.1").base(), None);
        assert_eq!(id("CR 2.1").fr(), Some(FoundationalRequirement::Uc));
        assert_eq!(id("CCSC 1").fr(), None);
        assert!(id("EDR 2.13 RE(1)").is_sibling_of(&id("NDR 2.13 RE(1)")));
        assert!(!id("EDR 2.13 RE(1)").is_sibling_of(&id("NDR 2.13")));
    }

    #[test]
    fn ids_sort_as_numbers_in_the_order_of_the_standard() {
        let sorted = [
            "CCSC 4",
            "CR 1.2",
            "CR 1.2 RE(1)",
            "CR 1.11",
            "EDR 2.4",
            "CR 2.5",
        ];
        assert!(sorted.windows(2).all(|pair| id(pair[0]) < id(pair[1])));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "CR",
            "CR 1",
            "CR 8.1",
            "CR 0.1",
            "CR 1.x",
            "CR 1.1 RE",
            "CR 1.1 RE(0)",
            "CR 1.01",
            "CCSC 1.1",
            "XR 1.1",
            "CR 1.1 RE(2) x",
            "CR 1.999",
        ] {
            assert!(text.parse::<RequirementId>().is_err(), "{text}");
        }
    }
}
