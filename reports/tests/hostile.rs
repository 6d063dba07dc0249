//! A device that says whatever it likes, in every field that it has a say in: nothing of it reaches a view as more than
//! text. What each format makes of quotes, tags and formulas is tested where the format is.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

#[allow(dead_code)]
mod example;

use serde_json::Value;
use slcert_reports::compare::{compare, page, text};
use slcert_reports::github::annotations;
use slcert_reports::{Flavour, Record, assess, bag, escape, escape_bytes, summary, views};

/// What a device would try.
fn payloads() -> Vec<String> {
    vec![
        example::INJECTION.to_owned(),
        "]]></system-out></testcase>".to_owned(),
        "\0\x07\x08\x0c\x1b[31m\x1b]0;owned\x07\x7f\u{9b}2J\u{85}".to_owned(),
        "\u{202a}\u{202e}\u{2066}\u{200b}\u{200e}\u{2028}\u{2029}\u{feff}\u{ad}\u{e0041}\u{fffe}\u{ffff}".to_owned(),
        "</script><script>alert(1)</script><img src=x onerror=alert(1)>".to_owned(),
        "[x](javascript:alert(1)) ![y](http://e.example/) @team `` | ||".to_owned(),
        "=cmd|' /C calc'!A0\r\n@SUM(1)\t-1".to_owned(),
        "::error::x\n##[error]y\r\n%0A::stop-commands::z".to_owned(),
        "[[ATTACHMENT|/etc/passwd]] [[PROPERTY|verdict=PASS]]".to_owned(),
        escape_bytes(b"\xff\xfe\x80 \xc3( \xed\xa0\x80"),
        "{{7*7}}{%raw%}${7*7}".to_owned(),
        "x".repeat(20_000),
    ]
}

/// The example with one text in every string of it but those that are no text: ids, verdicts, times.
fn full_of(text: &str) -> Record {
    let mut record = example::record();
    record.wanted.zone = Some("SL-T(name) = {4 4 4 4 4 4 4}".parse().unwrap());
    let mut value = serde_json::to_value(record).unwrap();
    fill(&mut value, "", text);
    for (number, trial) in value["trials"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        trial["id"] = format!("{number} {text}").into();
    }
    let mut record: Record = serde_json::from_value(value).unwrap();
    record.wanted.oscal = true;
    record.wanted.junit = [Flavour::Rich, Flavour::Strict].into();
    record
}

fn fill(value: &mut Value, name: &str, text: &str) {
    let fixed = [
        "component",
        "started",
        "finished",
        "verdict",
        "requirements",
    ];
    match value {
        _ if fixed.contains(&name) => {}
        Value::String(string)
            if !(name == "id" && string.parse::<slcert_profiles::RequirementId>().is_ok()) =>
        {
            text.clone_into(string);
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, name, text)),
        Value::Object(map) => map
            .iter_mut()
            .for_each(|(name, value)| fill(value, name, text)),
        _ => {}
    }
}

/// Characters that no view has, whatever it is of.
fn assert_harmless(view: &str, name: &str, payload: &str) {
    for c in view.chars() {
        let is_line_end = c == '\n' || (c == '\r' && name == "requirements.csv");
        let hidden = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}');
        let harmless = is_line_end || c == '\t' || !(c.is_control() || hidden);
        assert!(harmless, "{c:?} of {payload:?} in {name}");
    }
}

#[test]
fn no_view_has_a_character_that_does_something() {
    for payload in payloads() {
        // As a record has it, and as one would have it that somebody wrote by hand.
        for text_of_device in [escape(&payload), payload.clone()] {
            let record = full_of(&text_of_device);
            let assessment = assess(&record);
            let mut all: Vec<(String, String)> = views(&record, &assessment)
                .unwrap()
                .into_iter()
                .map(|view| (view.name.to_owned(), view.text))
                .collect();
            let comparison = compare(&example::record(), &record);
            all.extend([
                (
                    "the summary".to_owned(),
                    summary(&record, &assessment, false, 100),
                ),
                (
                    "the annotations".to_owned(),
                    annotations(&record, &assessment),
                ),
                ("the comparison".to_owned(), text(&comparison, 100)),
                (
                    "the comparison's page".to_owned(),
                    page(&comparison).unwrap(),
                ),
            ]);
            for (name, view) in &all {
                assert_harmless(view, name, &payload);
                if name == "report.html" || name == "the comparison's page" {
                    let ours = usize::from(name == "report.html");
                    assert_eq!(
                        view.matches("<script").count(),
                        ours,
                        "{payload:?} in {name}"
                    );
                    assert!(!view.contains("<img"), "{payload:?} in {name}");
                }
                assert!(
                    !view.to_uppercase().contains("[[ATTACHMENT|/ETC"),
                    "{payload:?} in {name}"
                );
            }
        }
    }
}

#[test]
fn however_much_a_device_says_the_reports_stay_small() {
    let long = full_of(&"x".repeat(100_000));
    for view in views(&long, &assess(&long)).unwrap() {
        assert!(
            view.text.len() < 2_000_000,
            "{} has {} bytes",
            view.name,
            view.text.len()
        );
    }
}

#[test]
fn a_bag_has_its_information_in_its_lines() {
    for payload in payloads() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        bag::seal(folder.path(), &full_of(&payload)).unwrap();
        let info = std::fs::read_to_string(folder.path().join("bag-info.txt")).unwrap();
        assert_eq!(info.lines().count(), 5, "{payload:?}");
        assert_harmless(&info, "bag-info.txt", &payload);
    }
}
