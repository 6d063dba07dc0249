//! Names of a rig's own: of interfaces, accounts, roles, operations and essential functions.

use std::borrow::Borrow;
use std::fmt;

use serde_json::json;
use slcert_profiles::file::{DeValue, Diagnostic, Schema, Setting, Spanned};

/// A name that a rig file gives: letters, digits, `-` and `_`, and it starts with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Takes a name; none if it has other characters or is longer than 64.
    pub fn new(text: &str) -> Option<Self> {
        let legal = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        legal.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Name {
    fn schema() -> Schema {
        json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        let name = Self::new(&text);
        if name.is_none() {
            faults.push(
                Diagnostic::error(value.span(), format!("`{text}` is no name"))
                    .help("use up to 64 letters, digits, `-` and `_`, with a letter first"),
            );
        }
        name
    }
}
