//! What can stand as a value in a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::Diagnostic;
use super::suggest::{choose, excerpt};
use super::values::{Attempt, Located};

/// A JSON Schema.
pub type Schema = serde_json::Value;

/// A type that can stand as a value in a file.
pub trait Setting: Sized {
    /// The JSON Schema of the value.
    fn schema() -> Schema;

    /// Reads the value; what is wrong with it goes into `faults`, and then there is no value.
    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self>;
}

/// A value that is one of a few words.
pub trait Word: Sized + Copy + 'static {
    /// What the words stand for: "kind of interface".
    const WHAT: &'static str;
    /// The words and what they mean.
    const WORDS: &'static [(&'static str, Self)];

    /// Reads a word; the error has the closest one as a suggestion.
    #[doc(hidden)]
    fn read_word(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        if let Some((_, word)) = Self::WORDS.iter().find(|(name, _)| *name == text) {
            return Some(*word);
        }
        let names: Vec<_> = Self::WORDS.iter().map(|(name, _)| *name).collect();
        faults.push(
            Diagnostic::error(
                value.span(),
                format!("`{}` is no {}", excerpt(&text), Self::WHAT),
            )
            .help(choose(&text, &names)),
        );
        None
    }
}

/// Makes types that implement [`Word`] readable.
#[macro_export]
macro_rules! settings_word {
    ($($word:ty),+ $(,)?) => {$(
        impl $crate::file::Setting for $word {
            fn schema() -> $crate::file::Schema {
                let names: Vec<_> = <$word as $crate::file::Word>::WORDS
                    .iter()
                    .map(|(name, _)| *name)
                    .collect();
                $crate::file::words_schema(&names)
            }

            fn read(
                value: &$crate::file::Spanned<$crate::file::DeValue<'_>>,
                faults: &mut Vec<$crate::file::Diagnostic>,
            ) -> Option<Self> {
                <$word as $crate::file::Word>::read_word(value, faults)
            }
        }
    )+};
}

#[doc(hidden)]
pub fn words_schema(names: &[&str]) -> Schema {
    json!({ "enum": names })
}

/// The fault of a value that has the wrong type.
pub(super) fn wrong_type(value: &Spanned<DeValue<'_>>, wanted: &str) -> Diagnostic {
    let found = match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Diagnostic::error(value.span(), format!("this is {found}"))
        .help(format!("{wanted} has to stand here"))
}

impl Setting for String {
    fn schema() -> Schema {
        json!({ "type": "string" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => {
                faults.push(wrong_type(value, "text in quotes"));
                None
            }
        }
    }
}

impl Setting for PathBuf {
    fn schema() -> Schema {
        String::schema()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        String::read(value, faults).map(Self::from)
    }
}

impl Setting for bool {
    fn schema() -> Schema {
        json!({ "type": "boolean" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(it) => Some(*it),
            _ => {
                faults.push(wrong_type(value, "`true` or `false`"));
                None
            }
        }
    }
}

macro_rules! whole_number {
    ($($number:ty),+) => {$(
        impl Setting for $number {
            fn schema() -> Schema {
                json!({ "type": "integer", "minimum": <$number>::MIN, "maximum": <$number>::MAX })
            }

            fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
                let range = format!("a whole number from {} to {}", <$number>::MIN, <$number>::MAX);
                let DeValue::Integer(number) = value.get_ref() else {
                    faults.push(wrong_type(value, &range));
                    return None;
                };
                let read = <$number>::from_str_radix(number.as_str(), number.radix());
                if read.is_err() {
                    let what = format!("`{}` is out of range", excerpt(number.as_str()));
                    let help = format!("{range} has to stand here");
                    faults.push(Diagnostic::error(value.span(), what).help(help));
                }
                read.ok()
            }
        }
    )+};
}

whole_number!(u8, u16, u32, u64, i32, i64);

impl Setting for f64 {
    fn schema() -> Schema {
        json!({ "type": "number" })
    }

    /// A whole number is taken as well; infinity and `nan` are not.
    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            _ => {
                faults.push(wrong_type(value, "a number"));
                return None;
            }
        };
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        if number.is_none() {
            let what = format!("`{}` is no finite number", excerpt(text));
            faults.push(Diagnostic::error(value.span(), what).help("a number has to stand here"));
        }
        number
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn schema() -> Schema {
        json!({ "type": "array", "items": T::schema() })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            faults.push(wrong_type(value, "a list in square brackets"));
            return None;
        };
        // All items are read before any of them spoils the list: their faults belong in one report.
        let read: Vec<Option<T>> = items.iter().map(|item| T::read(item, faults)).collect();
        read.into_iter().collect()
    }
}

impl<T: Setting + Ord> Setting for BTreeSet<T> {
    fn schema() -> Schema {
        json!({ "type": "array", "items": T::schema(), "uniqueItems": true })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let items = Vec::<Attempt<Located<T>>>::read(value, faults)?;
        let mut set = Self::new();
        let mut whole = true;
        for item in items {
            let Some(Located { span, value }) = item.0 else {
                whole = false;
                continue;
            };
            if !set.insert(value) {
                faults.push(
                    Diagnostic::error(span, "this stands twice in the list").help("remove one"),
                );
                whole = false;
            }
        }
        whole.then_some(set)
    }
}

impl<K: Setting + Ord, T: Setting> Setting for BTreeMap<K, T> {
    fn schema() -> Schema {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let DeValue::Table(entries) = value.get_ref() else {
            faults.push(wrong_type(value, "a table"));
            return None;
        };
        let read: Vec<Option<(K, T)>> = entries
            .iter()
            .map(|(key, value)| {
                let key = read_key::<K>(key.get_ref(), key.span(), faults);
                let value = T::read(value, faults);
                Some((key?, value?))
            })
            .collect();
        read.into_iter().collect()
    }
}

/// Reads a key as if it were a text value, so that names are checked alike wherever they stand.
pub(super) fn read_key<K: Setting>(
    key: &str,
    span: Range<usize>,
    faults: &mut Vec<Diagnostic>,
) -> Option<K> {
    K::read(&Spanned::new(span, DeValue::String(key.into())), faults)
}
