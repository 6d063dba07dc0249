//! Whatever stands in a file, reading it ends: with a profile, or with a bounded number of faults that can be shown.

// Helpers of tests may stop a test.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use slcert_profiles::Profile;
use slcert_profiles::file::{MAX_FAULTS, Source};

/// Loads, and shows whatever is to be shown.
fn load(text: &str) {
    let source = Source::new("hostile.toml", text);
    match Profile::load(&source) {
        Ok(profile) => {
            let asked = profile.required().count() + profile.excluded().count();
            assert_eq!(asked, profile.entries().len());
            for row in profile.required() {
                let fits = |one: &_| row.applies_to(*one);
                assert!(profile.components().iter().any(fits), "{}", row.id);
            }
            profile.warnings().render(true);
        }
        Err(faults) => {
            assert!(faults.has_errors());
            assert!(faults.list().len() <= MAX_FAULTS);
            let shown = faults.to_string() + &faults.render(false);
            let steers = |c: char| c.is_control() && c != '\n';
            assert!(!shown.contains(steers), "{shown:?}");
        }
    }
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "id", "title", "version", "scheme", "publisher", "date", "status", "components",
            "basis", "standard", "edition", "claim", "level", "iac", "ra", "select", "rows",
            "include", "exclude", "justification", "context", "terms", "requirement_text",
        ]).prop_map(str::to_owned),
        1 => "[a-z_]{1,12}",
        1 => any::<String>().prop_map(|text| toml::Value::String(text).to_string()),
    ]
}

fn values() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        any::<String>(),
        "(CCSC|CR|EDR|NDR|XR)[ -]?[0-9]{1,2}\\.[0-9]{1,3}( ?RE\\(?[0-9]\\)?)?",
        prop::sample::select(vec![
            "required",
            "embedded-device",
            "network-device",
            "2019",
            "IEC 62443-4-2",
            "draft",
            "1.0.0",
            "IEC TS 62443-1-5:2023",
            "CR 1.1",
            "CR 1.1 RE(1)",
            "CR 1.12",
        ])
        .prop_map(str::to_owned),
    ]
    .prop_map(|text| toml::Value::String(text).to_string());
    let plain = prop_oneof![
        6 => text,
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => (-1_i64..7).prop_map(|number| number.to_string()),
        1 => prop::sample::select(vec!["true", "1.5", "nan", "1e400", "2026-03-01", "07:32:00"])
            .prop_map(str::to_owned),
    ];
    plain.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((keys(), inner), 0..5).prop_map(|entries| {
                let entries: Vec<_> = entries
                    .into_iter()
                    .map(|(key, value)| format!("{key} = {value}"))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }),
        ]
    })
}

/// A sound profile with one line of it replaced.
fn nearly_sound() -> impl Strategy<Value = String> {
    let source = Profile::built_in_source("embedded-device-sl2").unwrap();
    let exclude = "[[select.exclude]]\nid = 'CR 1.12'\njustification = 'It has no screen.'\n[[select.include]]\nid = 'CR 1.1 RE(2)'\n";
    let text = source
        .text
        .replace("[context]", &format!("{exclude}[context]"));
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    (0..lines.len(), values()).prop_map(move |(at, value)| {
        let mut lines = lines.clone();
        lines[at] = match lines[at].split_once(" = ") {
            Some((key, _)) => format!("{key} = {value}"),
            None => String::new(),
        };
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_faults(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        load(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_table_ends_in_a_profile_or_faults(
        entries in prop::collection::btree_map(keys(), values(), 0..12),
    ) {
        let lines: Vec<_> = entries.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        load(&lines.join("\n"));
    }

    #[test]
    fn a_profile_with_any_value_in_one_place_ends_in_a_profile_or_faults(text in nearly_sound()) {
        load(&text);
    }
}

#[test]
fn large_and_deep_files_end_soon() {
    let sound = Profile::built_in_source("embedded-device-sl2").unwrap();
    let with_rows = |rows: String| sound.text.replace("\"required\"", &rows);
    let files = [
        with_rows(format!("[{}]", "\"CR 1.99\", ".repeat(90_000))),
        with_rows(format!("[{}]", "\"CR 1.99\", ".repeat(999))),
        with_rows(format!("\"{}\"", "x".repeat(1_000_000))),
        with_rows(format!("[\"{}\"]", "CR 1.1 ".repeat(140_000))),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        (0..100_000).map(|n| format!("k{n} = 1\n")).collect(),
        "[[select.exclude]]\n".repeat(50_000),
        "x".repeat(1_000_000),
        "\n\"".repeat(300_000),
    ];
    for (at, text) in files.iter().enumerate() {
        let start = Instant::now();
        load(text);
        let took = start.elapsed();
        assert!(took < Duration::from_secs(20), "file {at} took {took:?}");
        println!("file {at}: {took:?}");
    }
}
