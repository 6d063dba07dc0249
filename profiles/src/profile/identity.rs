//! What a profile says of itself and of its sector.

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;
use serde_json::json;

use crate::file::{
    DeValue, Diagnostic, Fields, Schema, Setting, Spanned, Table, Text, Word, excerpt,
};

/// The scheme that a profile follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// IEC TS 62443-1-5, edition 1.0 of 2023.
    Ts62443Part1_5Of2023,
}

impl Word for Scheme {
    const WHAT: &'static str = "known scheme for profiles";
    const WORDS: &'static [(&'static str, Self)] =
        &[("IEC TS 62443-1-5:2023", Self::Ts62443Part1_5Of2023)];
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ts62443Part1_5Of2023 => f.write_str("IEC TS 62443-1-5:2023"),
        }
    }
}

/// Whether a profile is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is being written.
    Draft,
    /// It is in force.
    Published,
    /// It is no longer in force.
    Withdrawn,
}

impl Word for Status {
    const WHAT: &'static str = "status of a profile";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("draft", Self::Draft),
        ("published", Self::Published),
        ("withdrawn", Self::Withdrawn),
    ];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        })
    }
}

crate::settings_word!(Scheme, Status);

/// The sector that a profile is meant for, and what its words mean there. Nothing of it is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The sector: `water`, `rail`, ...
    pub sector: Option<String>,
    /// Where the component is meant to be used.
    pub environment: Option<String>,
    /// What the profile takes for granted.
    pub assumptions: Vec<String>,
    /// The kinds of interface in scope.
    pub interfaces: Vec<String>,
    /// What the component has to keep doing while it is attacked.
    pub essential_functions: Vec<String>,
    /// The document with the security risk evaluation that the profile rests on: a title or an address.
    pub risk_evaluation: Option<String>,
    /// The sector's words for those of the standard, by the standard's word.
    pub terms: BTreeMap<String, String>,
}

impl Table for Context {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let sector = f.optional::<Text>("sector", "The sector: `water`, `rail`, ...");
        let environment =
            f.optional::<Text>("environment", "Where the component is meant to be used.");
        let assumptions = f.or::<Vec<Text>>(
            "assumptions",
            "What the profile takes for granted.",
            Vec::new(),
        );
        let interfaces =
            f.or::<Vec<Text>>("interfaces", "The kinds of interface in scope.", Vec::new());
        let essential_functions = f.or::<Vec<Text>>(
            "essential_functions",
            "What the component has to keep doing while it is attacked.",
            Vec::new(),
        );
        let risk_evaluation = f.optional::<Text>(
            "risk_evaluation",
            "The document with the security risk evaluation that the profile rests on: a title or an address.",
        );
        let terms = f.or::<BTreeMap<Text, Text>>(
            "terms",
            "The sector's words for those of the standard: `\"human user\" = \"shift operator\"`.",
            BTreeMap::new(),
        );
        Some(Self {
            sector: sector?.map(|text| text.0),
            environment: environment?.map(|text| text.0),
            assumptions: plain(assumptions?),
            interfaces: plain(interfaces?),
            essential_functions: plain(essential_functions?),
            risk_evaluation: risk_evaluation?.map(|text| text.0),
            terms: terms?
                .into_iter()
                .map(|(key, text)| (key.0, text.0))
                .collect(),
        })
    }
}

crate::settings_table!(Context);

fn plain(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.0).collect()
}

/// A profile's name: it stands in file names and reports.
pub(super) struct ProfileId(pub String);

impl Setting for ProfileId {
    fn schema() -> Schema {
        json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{0,63}$" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let plain = text.len() <= 64
            && text.starts_with(letter)
            && text.chars().all(|c| letter(c) || ".-".contains(c));
        if !plain {
            let what = format!("`{}` is no name for a profile", excerpt(&text));
            let help = "use up to 64 of `a` to `z`, `0` to `9`, `-` and `.`, with a letter or digit in front";
            faults.push(Diagnostic::error(value.span(), what).help(help));
        }
        plain.then_some(Self(text))
    }
}

/// A version by the rules of semver.org, 2.0.0.
impl Setting for Version {
    fn schema() -> Schema {
        let number = "(0|[1-9][0-9]*)";
        let pattern =
            format!("^{number}\\.{number}\\.{number}(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$");
        json!({ "type": "string", "pattern": pattern })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let help = "write three numbers in quotes, such as \"1.0.0\"";
        let (shown, version) = match value.get_ref() {
            DeValue::String(text) => (text.as_ref(), Version::parse(text).ok()),
            DeValue::Float(number) => (number.as_str(), None),
            _ => ("this", None),
        };
        if version.is_none() {
            let what = format!("`{}` is no version", excerpt(shown));
            faults.push(Diagnostic::error(value.span(), what).help(help));
        }
        version
    }
}
