//! The profiles that are built in, and the JSON Schema that editors check profiles with.
//!
//! `SLCERT_BLESS=1 cargo test -p slcert-profiles --test built_in` writes the schema anew.

// Helpers of tests may stop a test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use slcert_profiles::{ComponentType, Profile, SecurityLevel, SlVector, profile};

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn profile_files() -> Vec<PathBuf> {
    let is_profile = |path: &PathBuf| {
        path.extension().is_some_and(|it| it == "toml") && !path.ends_with("Cargo.toml")
    };
    let entries = fs::read_dir(folder()).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(is_profile)
        .collect()
}

/// TOML as JSON, dates as text: what editors check.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, it)| (key, json(it))).collect())
        }
        plain => serde_json::to_value(plain).unwrap(),
    }
}

fn validator() -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&profile::schema())
        .unwrap()
}

fn problems(validator: &jsonschema::Validator, text: &str) -> Vec<String> {
    let file = json(toml::Value::Table(toml::from_str(text).unwrap()));
    validator
        .iter_errors(&file)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn each_profile_asks_for_the_published_number_of_rows() {
    let published = [
        (ComponentType::SoftwareApplication, [34, 53, 67, 73]),
        (ComponentType::EmbeddedDevice, [36, 61, 77, 83]),
        (ComponentType::HostDevice, [36, 62, 78, 84]),
        (ComponentType::NetworkDevice, [40, 67, 86, 92]),
    ];
    for (component, counts) in published {
        for (level, count) in SecurityLevel::CLAIMABLE.into_iter().zip(counts) {
            let name = format!("{component}-sl{level}");
            let profile = Profile::built_in(&name).unwrap_or_else(|| panic!("{name}"));
            let (common, rows): (Vec<_>, Vec<_>) =
                profile.required().partition(|row| row.id.fr().is_none());
            assert_eq!((rows.len(), common.len()), (count, 4), "{name}");
            assert_eq!(profile.components(), [component], "{name}");
            assert_eq!(profile.claim(), SlVector::uniform(level), "{name}");
            assert_eq!(profile.gaps().count(), 0, "{name}");
        }
    }
}

#[test]
fn every_profile_in_the_folder_is_built_in_under_its_file_name_without_a_warning() {
    let mut stems: Vec<_> = profile_files()
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    stems.sort();
    let mut names: Vec<_> = Profile::names().collect();
    names.sort_unstable();
    assert_eq!(stems, names);
    for name in names {
        let source = Profile::built_in_source(name).unwrap();
        let file = fs::read_to_string(folder().join(&source.name)).unwrap();
        assert_eq!(*source.text, *file, "{name}");
        let profile = Profile::load(&source).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(profile.warnings().is_empty(), "{}", profile.warnings());
        assert_eq!(profile.id, format!("slcert-{name}"));
        assert_eq!(Some(&profile), Profile::built_in(name));
    }
    assert_eq!(Profile::built_in("embedded-device"), None);
}

#[test]
fn the_schema_in_the_folder_is_the_one_that_the_code_describes() {
    let path = folder().join("profile.schema.json");
    let described = profile::schema();
    if std::env::var_os("SLCERT_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&described).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let how = "SLCERT_BLESS=1 cargo test -p slcert-profiles --test built_in";
    assert!(
        serde_json::from_str::<Value>(&text).is_ok_and(|written| written == described),
        "profile.schema.json is not what the code describes: write it anew with `{how}`"
    );
}

#[test]
fn the_schema_takes_every_profile_and_each_names_it() {
    let validator = validator();
    let mut texts = 0;
    for path in profile_files() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next();
        assert_eq!(
            first,
            Some("#:schema ./profile.schema.json"),
            "{}",
            path.display()
        );
        let problems = problems(&validator, &text);
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
        texts += 1;
    }
    assert_eq!(texts, 16);
}

#[test]
fn the_schema_takes_what_the_loader_takes() {
    let validator = validator();
    for entry in fs::read_dir(folder().join("tests/warned")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "toml") {
            let problems = problems(&validator, &fs::read_to_string(&path).unwrap());
            assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
        }
    }
}

/// An editor sees the shape; what needs the catalogue or two places of the file at once is the loader's.
#[test]
fn the_schema_refuses_what_is_bad_in_shape() {
    let validator = validator();
    for name in [
        "claim-empty",
        "claim-in-part",
        "claim-twice",
        "component-types",
        "empty",
        "exclusion-without-reason",
        "five-at-once",
        "identity",
        "level-out-of-range",
        "misspelt-key",
        "no-component-type",
        "not-the-standards-form",
        "rows-word",
        "unknown-edition",
        "unknown-id",
        "unknown-standard",
        "version",
        "wrong-type",
    ] {
        let path = folder().join(format!("tests/bad/{name}.toml"));
        let text = fs::read_to_string(path).unwrap();
        assert!(!problems(&validator, &text).is_empty(), "{name}");
    }
}
