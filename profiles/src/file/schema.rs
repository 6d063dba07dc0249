//! JSON Schema of a file, from the same description that reads it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, json};

use super::diagnostic::Diagnostic;
use super::setting::{Schema, Setting};
use super::table::{Fields, Table, table_schema};

/// The JSON Schema (draft 2020-12) of a file, for editors.
pub fn schema_of<T: Table>(title: &str) -> Schema {
    let mut schema = table_schema::<T>();
    if let Some(object) = schema.as_object_mut() {
        object.insert(
            "$schema".into(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        object.insert("title".into(), json!(title));
    }
    schema
}

/// Asks for fields with nothing to read, and writes down what was asked.
#[derive(Default)]
pub(super) struct Describer {
    properties: Map<String, Schema>,
    required: Vec<&'static str>,
    rest: Option<Schema>,
}

impl Describer {
    pub(super) fn schema(self) -> Schema {
        let mut schema = json!({
            "type": "object",
            "properties": self.properties,
            "additionalProperties": self.rest.unwrap_or(json!(false)),
        });
        if let Some(object) = schema.as_object_mut()
            && !self.required.is_empty()
        {
            object.insert("required".into(), json!(self.required));
        }
        schema
    }
}

impl Fields for Describer {
    fn required<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Option<T> {
        self.required.push(name);
        self.optional::<T>(name, doc).flatten()
    }

    fn optional<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Option<Option<T>> {
        let mut schema = T::schema();
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), json!(doc));
        }
        self.properties.insert(name.into(), schema);
        None
    }

    fn rest<K: Setting + Ord, T: Setting>(&mut self, doc: &'static str) -> Option<BTreeMap<K, T>> {
        let mut schema = T::schema();
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), json!(doc));
        }
        self.rest = Some(schema);
        None
    }

    fn has(&self, _name: &str) -> bool {
        false
    }

    fn refuse(&mut self, _name: &str, _what: String, _help: &str) {}

    fn warn(&mut self, _name: &str, _what: String, _help: &str) {}

    fn discouraged(&mut self, name: &'static str, why: &'static str, _help: &'static str) {
        let schema = json!({ "deprecated": true, "description": why });
        self.properties.insert(name.into(), schema);
    }

    fn report(&mut self, _found: Diagnostic) {}

    fn span(&self) -> Range<usize> {
        0..0
    }
}
