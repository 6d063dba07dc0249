//! Text with `{placeholders}`: addresses that are known once the device runs, and values that a case puts in.

use std::collections::BTreeMap;
use std::fmt;

use slcert_profiles::file::{DeValue, Diagnostic, Schema, Setting, Spanned};
use thiserror::Error;

/// Text with placeholders in braces, such as `set output {value}` or `127.0.0.1:{start.modbus_tcp}`.
///
/// A placeholder is a name and nothing else (`[a-z0-9_.]+`, not a number alone), so the braces of JSON and of regular
/// expressions stand for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// A placeholder has no value here.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{{{name}}}` has no value here; known are {known}")]
pub struct NoValue {
    /// The placeholder's name.
    pub name: String,
    /// The names that have a value.
    pub known: String,
}

/// The values of placeholders.
pub type Values = BTreeMap<String, String>;

impl Template {
    /// Parses text. Every text is a template; braces that enclose no name are text.
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some((name, after)) = placeholder(from) {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Name(name.to_owned()));
                rest = after;
            } else {
                plain.push_str(&from[..1]);
                rest = &from[1..];
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Self { pieces }
    }

    /// The names of the placeholders, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with the values put in.
    ///
    /// # Errors
    /// [`NoValue`] names the first placeholder that `values` lacks.
    pub fn fill(&self, values: &Values) -> Result<String, NoValue> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Name(name) => match values.get(name) {
                    Some(value) => text.push_str(value),
                    None => {
                        let known: Vec<_> = values.keys().map(|k| format!("{{{k}}}")).collect();
                        return Err(NoValue {
                            name: name.clone(),
                            known: if known.is_empty() {
                                "none".to_owned()
                            } else {
                                known.join(", ")
                            },
                        });
                    }
                },
            }
        }
        Ok(text)
    }

    /// The text with the values that are known put in, and the other placeholders left as they stand.
    pub fn fill_known(&self, values: &Values) -> Self {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Name(name) => values
                .get(name)
                .map_or_else(|| piece.clone(), |value| Piece::Text(value.clone())),
            Piece::Text(_) => piece.clone(),
        });
        Self {
            pieces: pieces.collect(),
        }
    }
}

impl fmt::Display for Template {
    /// As it stands in the file: the placeholders, and not what they stand for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => f.write_str(plain)?,
                Piece::Name(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

impl Setting for Template {
    fn schema() -> Schema {
        String::schema()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        String::read(value, faults).map(|text| Self::new(&text))
    }
}

/// Splits `{name}rest` into its name and what follows; none if the braces hold no name.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let (name, rest) = inner.split_once('}')?;
    let named = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.');
    let digits_only = name.bytes().all(|b| b.is_ascii_digit());
    (named && !digits_only).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values::from([
            ("value".to_owned(), "17".to_owned()),
            ("start.port".to_owned(), "1502".to_owned()),
        ])
    }

    #[test]
    fn placeholders_take_their_values() {
        let filled = Template::new("set output {value} on {start.port}").fill(&values());
        assert_eq!(filled.unwrap(), "set output 17 on 1502");
    }

    #[test]
    fn json_and_regex_braces_are_text() {
        let json = Template::new(r#"{"id": 1, "args": {"v": {value}}}"#);
        assert_eq!(
            json.fill(&values()).unwrap(),
            r#"{"id": 1, "args": {"v": 17}}"#
        );
        let regex = Template::new(r"\d{2}x{2,3}");
        assert_eq!(regex.fill(&values()).unwrap(), r"\d{2}x{2,3}");
    }

    #[test]
    fn a_name_without_a_value_is_an_error_that_names_it() {
        let error = Template::new("{user}").fill(&values()).unwrap_err();
        assert_eq!(error.name, "user");
        assert!(
            error.to_string().contains("{start.port}, {value}"),
            "{error}"
        );
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        let hostile = Values::from([("value".to_owned(), "{user}".to_owned())]);
        let filled = Template::new("a {value} {user}").fill_known(&hostile);
        let user = Values::from([("user".to_owned(), "ines".to_owned())]);
        assert_eq!(filled.fill(&user).unwrap(), "a {user} ines");
    }
}
