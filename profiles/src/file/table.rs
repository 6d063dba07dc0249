//! Tables: types with named fields, read field by field.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::schema::Describer;
use super::setting::{Schema, Setting, read_key, wrong_type};
use super::source::Source;
use super::suggest::{choose, closest, excerpt};

/// A type with named fields.
pub trait Table: Sized {
    /// Asks for each field, and makes the value of them. It is called once to read, and once with nothing to read to
    /// write the schema; so it asks for every field before it uses any.
    fn fields(f: &mut impl Fields) -> Option<Self>;
}

/// Makes types that implement [`Table`] readable.
#[macro_export]
macro_rules! settings_table {
    ($($table:ty),+ $(,)?) => {$(
        impl $crate::file::Setting for $table {
            fn schema() -> $crate::file::Schema {
                $crate::file::table_schema::<$table>()
            }

            fn read(
                value: &$crate::file::Spanned<$crate::file::DeValue<'_>>,
                faults: &mut Vec<$crate::file::Diagnostic>,
            ) -> Option<Self> {
                $crate::file::read_table(value, faults)
            }
        }
    )+};
}

/// What asks for the fields of a [`Table`]. Every question names the field and says what it is for.
///
/// An answer of `None` means that something was wrong and has been reported.
pub trait Fields {
    /// A field that has to be there.
    fn required<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Option<T>;

    /// A field that may be left out.
    fn optional<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Option<Option<T>>;

    /// A field with a default.
    fn or<T: Setting>(&mut self, name: &'static str, doc: &'static str, default: T) -> Option<T> {
        Some(self.optional(name, doc)?.unwrap_or(default))
    }

    /// All fields that were not asked for by name so far.
    fn rest<K: Setting + Ord, T: Setting>(&mut self, doc: &'static str) -> Option<BTreeMap<K, T>>;

    /// Whether the field stands in the file; never when a schema is written.
    fn has(&self, name: &str) -> bool;

    /// Reports a fault at a field's value, or at the whole table where it has no such field.
    fn refuse(&mut self, name: &str, what: String, help: &str);

    /// Reports a warning at a field's value, or at the whole table where it has no such field.
    fn warn(&mut self, name: &str, what: String, help: &str);

    /// A field that is taken and not used: a warning where it stands, with `why` and what to do instead.
    fn discouraged(&mut self, name: &'static str, why: &'static str, help: &'static str);

    /// Reports what a check over several fields has found.
    fn report(&mut self, found: Diagnostic);

    /// Where the table stands.
    fn span(&self) -> Range<usize>;
}

/// Reads a whole file.
///
/// # Errors
/// Everything that is wrong with it. Warnings alone are no error: [`read_with_warnings`] has them.
pub fn read<T: Table>(source: &Source) -> Result<T, Diagnostics> {
    read_with_warnings(source).map(|(value, _)| value)
}

/// Reads a whole file, with the warnings about it.
///
/// # Errors
/// Everything that is wrong with it, the warnings included.
pub fn read_with_warnings<T: Table>(source: &Source) -> Result<(T, Diagnostics), Diagnostics> {
    let mut faults = Vec::new();
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        faults.push(Diagnostic::error(
            span,
            format!("this is not TOML: {}", error.message()),
        ));
    }
    // A file that is not TOML would give faults that follow from the first one only.
    let value = if faults.is_empty() {
        let (span, table) = (table.span(), table.into_inner());
        read_table(&Spanned::new(span, DeValue::Table(table)), &mut faults)
    } else {
        None
    };
    let faults = Diagnostics::new(source.clone(), faults);
    match value {
        Some(value) if !faults.has_errors() => Ok((value, faults)),
        _ => Err(faults),
    }
}

/// Reads a table that stands as a value.
pub fn read_table<T: Table>(
    value: &Spanned<DeValue<'_>>,
    faults: &mut Vec<Diagnostic>,
) -> Option<T> {
    let DeValue::Table(table) = value.get_ref() else {
        faults.push(wrong_type(value, "a table"));
        return None;
    };
    let mut reader = Reader {
        span: value.span(),
        table,
        asked: Vec::new(),
        discouraged: Vec::new(),
        missing: Vec::new(),
        all: false,
        faults,
    };
    let read = T::fields(&mut reader);
    reader.finish();
    read
}

#[doc(hidden)]
pub fn table_schema<T: Table>() -> Schema {
    let mut describer = Describer::default();
    let _ = T::fields(&mut describer);
    describer.schema()
}

struct Reader<'f, 't> {
    span: Range<usize>,
    table: &'f DeTable<'t>,
    asked: Vec<&'static str>,
    discouraged: Vec<&'static str>,
    missing: Vec<(&'static str, Diagnostic)>,
    all: bool,
    faults: &'f mut Vec<Diagnostic>,
}

impl Reader<'_, '_> {
    fn span_of(&self, name: &str) -> Range<usize> {
        self.table
            .get(name)
            .map_or(self.span.start..self.span.start, Spanned::span)
    }

    /// Reports the keys that nobody asked for, and those that are missing. A key that is a misspelt missing one is one fault.
    fn finish(&mut self) {
        let unknown = self.table.keys().filter(|key| {
            let name: &str = key.get_ref();
            !self.all && !self.asked.contains(&name) && !self.discouraged.contains(&name)
        });
        let free: Vec<_> = self
            .asked
            .iter()
            .copied()
            .filter(|asked| !self.table.contains_key(*asked))
            .collect();
        for key in unknown {
            let name: &str = key.get_ref();
            let meant = closest(name, free.iter().copied());
            self.missing.retain(|(missing, _)| Some(*missing) != meant);
            let help = match closest(name, self.asked.iter().copied()) {
                Some(there) if meant.is_none() => {
                    format!("`{there}` stands here already: remove one")
                }
                _ if free.is_empty() => "remove it".to_owned(),
                _ => choose(name, &free),
            };
            let what = format!("there is no setting `{}` here", excerpt(name));
            self.faults
                .push(Diagnostic::error(key.span(), what).help(help));
        }
        self.faults
            .extend(self.missing.drain(..).map(|(_, fault)| fault));
    }
}

impl Fields for Reader<'_, '_> {
    fn required<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Option<T> {
        match self.optional(name, doc)? {
            Some(value) => Some(value),
            None => {
                // The header line is enough to find the table by.
                let at = self.span.start..self.span.start;
                let what = format!("`{name}` is missing");
                let help = match T::schema()["type"].as_str() {
                    Some("object") => format!("add a table `{name}`: {doc}"),
                    _ => format!("add `{name} = ...`: {doc}"),
                };
                self.missing
                    .push((name, Diagnostic::error(at, what).help(help)));
                None
            }
        }
    }

    fn optional<T: Setting>(
        &mut self,
        name: &'static str,
        _doc: &'static str,
    ) -> Option<Option<T>> {
        self.asked.push(name);
        match self.table.get(name) {
            Some(value) => T::read(value, self.faults).map(Some),
            None => Some(None),
        }
    }

    fn rest<K: Setting + Ord, T: Setting>(&mut self, _doc: &'static str) -> Option<BTreeMap<K, T>> {
        self.all = true;
        let mut whole = true;
        let mut entries = BTreeMap::new();
        for (key, value) in self.table {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) || self.discouraged.contains(&name) {
                continue;
            }
            let key = read_key::<K>(key.get_ref(), key.span(), self.faults);
            match (key, T::read(value, self.faults)) {
                (Some(key), Some(value)) => {
                    entries.insert(key, value);
                }
                _ => whole = false,
            }
        }
        whole.then_some(entries)
    }

    fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    fn refuse(&mut self, name: &str, what: String, help: &str) {
        let fault = Diagnostic::error(self.span_of(name), what).help(help);
        self.faults.push(fault);
    }

    fn warn(&mut self, name: &str, what: String, help: &str) {
        let fault = Diagnostic::warning(self.span_of(name), what).help(help);
        self.faults.push(fault);
    }

    fn discouraged(&mut self, name: &'static str, why: &'static str, help: &'static str) {
        self.discouraged.push(name);
        if let Some((key, _)) = self.table.get_key_value(name) {
            self.faults
                .push(Diagnostic::warning(key.span(), why).help(help));
        }
    }

    fn report(&mut self, found: Diagnostic) {
        self.faults.push(found);
    }

    fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{MAX_FAULTS, schema_of};

    #[derive(Debug)]
    struct Speed {
        limit: Option<f64>,
    }

    impl Table for Speed {
        fn fields(f: &mut impl Fields) -> Option<Self> {
            let limit = f.optional("limit", "The limit.");
            f.discouraged("colour", "a speed has no colour", "remove it");
            Some(Self { limit: limit? })
        }
    }

    fn speed(text: &str) -> Result<(Speed, Diagnostics), Diagnostics> {
        read_with_warnings(&Source::new("speed.toml", text))
    }

    #[test]
    fn a_warning_does_not_keep_a_file_from_being_used() {
        let (speed, warnings) = speed("limit = 1.5\ncolour = 3\n").unwrap();
        assert_eq!(speed.limit, Some(1.5));
        assert_eq!(
            warnings.to_string(),
            "speed.toml:2:1: warning: a speed has no colour; remove it"
        );
        assert!(read::<Speed>(&Source::new("speed.toml", "colour = 3")).is_ok());
        assert_eq!(
            schema_of::<Speed>("Speed")["properties"]["colour"]["deprecated"],
            true
        );
    }

    struct Port {
        number: u16,
    }

    impl Table for Port {
        fn fields(f: &mut impl Fields) -> Option<Self> {
            let number = f.required("number", "The port's number.");
            Some(Self { number: number? })
        }
    }

    #[test]
    fn a_misspelt_key_is_one_fault_and_not_a_missing_one_as_well() {
        let faults = |text| {
            let read = read::<Port>(&Source::new("port.toml", text));
            read.map(|port| port.number).unwrap_err().to_string()
        };
        assert_eq!(
            faults("numbre = 1"),
            "port.toml:1:1: error: there is no setting `numbre` here; did you mean `number`?"
        );
        assert_eq!(
            faults("number = 1\nnumbre = 1"),
            "port.toml:2:1: error: there is no setting `numbre` here; `number` stands here already: remove one"
        );
        assert_eq!(faults("speed = 1").lines().count(), 2);
        assert_eq!(
            faults("number = 1\nspeed = 1"),
            "port.toml:2:1: error: there is no setting `speed` here; remove it"
        );
    }

    #[test]
    fn a_number_may_have_a_point_and_has_an_end() {
        assert_eq!(speed("limit = 2").unwrap().0.limit, Some(2.0));
        for bad in ["inf", "nan", "1e999", "'1'", "0x10"] {
            let faults = speed(&format!("limit = {bad}")).unwrap_err();
            assert!(faults.has_errors(), "{bad}");
        }
    }

    #[test]
    fn a_file_with_a_fault_at_every_word_is_told_so_in_a_bounded_way() {
        let text: String = (0..5_000).map(|n| format!("a{n} = 1\n")).collect();
        let faults = speed(&format!("colour = 1\n{text}")).unwrap_err();
        assert_eq!(faults.list().len(), MAX_FAULTS);
        assert!(faults.has_errors());
        assert!(faults.to_string().ends_with("and 4901 more"), "{faults}");
    }
}
