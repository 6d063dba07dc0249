//! What stands under `[select]`.

use serde_json::json;

use super::shape::{IdText, NO_RESTATING};
use crate::file::{
    Attempt, DeValue, Diagnostic, Fields, Located, Schema, Setting, Spanned, Table, excerpt,
};

/// The longest list that is read: several times what any catalogue holds.
const LONGEST_LIST: usize = 1_000;

/// The least that counts as a reason, in characters.
const SHORTEST_REASON: usize = 10;

/// The table `[select]`.
pub(super) struct Select {
    pub rows: Option<Located<Rows>>,
    pub include: Option<List<Include>>,
    pub exclude: Option<List<Exclude>>,
}

impl Table for Select {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let rows = f.required(
            "rows",
            "`\"required\"` for every row that the claim asks for, or a list of ids.",
        );
        let include = f.or(
            "include",
            "Requirements beyond the claim.",
            List(Vec::new()),
        );
        let exclude = f.or(
            "exclude",
            "Requirements left out, each with its reason.",
            List(Vec::new()),
        );
        let (restated, why, help) = NO_RESTATING;
        f.discouraged(restated, why, help);
        Some(Self {
            rows,
            include,
            exclude,
        })
    }
}

/// `rows`: what the claim asks for, or a list.
pub(super) enum Rows {
    Required,
    Listed(List<IdText>),
}

impl Setting for Rows {
    fn schema() -> Schema {
        json!({ "anyOf": [{ "const": "required" }, List::<IdText>::schema()] })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Array(_) => List::read(value, faults).map(Self::Listed),
            DeValue::String(text) if text == "required" => Some(Self::Required),
            other => {
                let what = match other {
                    DeValue::String(text) => format!("`{}` selects nothing", excerpt(text)),
                    _ => "this selects nothing".to_owned(),
                };
                let help = "write \"required\" for every row that the claim asks for, or a list of ids such as [\"CR 1.1\", \"CR 1.2\"]";
                faults.push(Diagnostic::error(value.span(), what).help(help));
                None
            }
        }
    }
}

/// An entry of `include`. What is wrong in it has been reported, and is left out.
pub(super) struct Include {
    pub id: Option<IdText>,
    pub justification: Option<Option<Reason>>,
}

impl Table for Include {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let id = f.required("id", "The requirement's id.");
        let justification = f.optional("justification", "Why it is selected beyond the claim.");
        let (restated, why, help) = NO_RESTATING;
        f.discouraged(restated, why, help);
        Some(Self { id, justification })
    }
}

/// An entry of `exclude`. What is wrong in it has been reported, and is left out.
pub(super) struct Exclude {
    pub id: Option<IdText>,
    pub justification: Option<Reason>,
}

impl Table for Exclude {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let id = f.required("id", "The requirement's id.");
        let justification = f.required(
            "justification",
            "Why it is left out; an exclusion counts only with its reason.",
        );
        let (restated, why, help) = NO_RESTATING;
        f.discouraged(restated, why, help);
        Some(Self { id, justification })
    }
}

crate::settings_table!(Select, Include, Exclude);

/// A reason: long enough to say something.
pub(super) struct Reason(pub String);

impl Setting for Reason {
    fn schema() -> Schema {
        let inner = SHORTEST_REASON - 2;
        json!({ "type": "string", "pattern": format!("\\S[\\s\\S]{{{inner},}}\\S") })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        let length = text.trim().chars().count();
        if length < SHORTEST_REASON {
            let what = match length {
                0 => "the justification is empty".to_owned(),
                _ => "the justification is too short to be one".to_owned(),
            };
            let help = format!(
                "say why in a sentence that an assessor can follow, of {SHORTEST_REASON} characters or more"
            );
            faults.push(Diagnostic::error(value.span(), what).help(help));
            return None;
        }
        Some(Self(text))
    }
}

/// A list whose good items are read although others are bad.
pub(super) struct List<T>(pub Vec<Attempt<T>>);

impl<T: Setting> Setting for List<T> {
    fn schema() -> Schema {
        json!({ "type": "array", "items": T::schema(), "maxItems": LONGEST_LIST })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        if let DeValue::Array(items) = value.get_ref()
            && items.len() > LONGEST_LIST
        {
            let what = format!("the list has {} entries", items.len());
            let help = format!("a list has up to {LONGEST_LIST}");
            faults.push(Diagnostic::error(value.span(), what).help(help));
            return None;
        }
        Vec::read(value, faults).map(Self)
    }
}
