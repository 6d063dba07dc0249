//! The page says what the record says, and nothing that a device wants it to do.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::assess::assess;
use crate::example::{INJECTION, file, many, record};
use crate::lab::{EquipmentRecord, LabRecord};
use crate::record::{AttestationRecord, Found};
use crate::timeline::{FunctionRecord, RemarkRecord, SentRecord, Series, TimelineRecord};
use crate::verdict::Verdict;

fn page(record: &Record) -> String {
    html(record, &assess(record)).unwrap()
}

#[test]
fn the_verdict_and_the_findings_come_first() {
    let page = page(&record());
    let places = [
        "<h1>Gateway 1</h1>",
        "Not demonstrated",
        "id=\"findings\"",
        "7 attempts were taken, 5 are stated",
        "id=\"levels\"",
        "id=\"matrix\"",
        "id=\"trials\"",
        "To see whether it holds.",
        "Planned and not run",
        "End of report",
    ];
    let mut last = 0;
    for place in places {
        let found = page[last..]
            .find(place)
            .unwrap_or_else(|| panic!("no {place} after {last}"));
        last += found;
    }
}

#[test]
fn a_card_has_the_command_that_runs_its_trial_again() {
    let page = page(&record());
    let command = "slcert run --profile &#39;it&#39;\\&#39;&#39;s mine.toml&#39; --seed 7 --exact CR-1.11/lockout@console";
    assert!(page.contains(command), "{page}");
}

#[test]
fn a_card_draws_what_was_sent_and_how_it_was_borne() {
    let mut record = record();
    assert!(!page(&record).contains("<div class=\"time\">"));
    record.trials[0].timeline = Some(timeline("plc"));
    assert_eq!(record.check(), Ok(()));
    let page = page(&record);
    for part in [
        "sent 5 times",
        "gap 1500 of 1000 ms, off by 3 of 20",
        "class=\"lane over\"",
        // The third step is excused: a gap, and two areas.
        "d=\"M0 40V38H250V1H500V40zM750 40V39H1000V40z\"",
        "0.01 s power: off and on",
    ] {
        assert!(page.contains(part), "{part}");
    }
    record.trials[0].timeline.as_mut().unwrap().steps = 5;
    assert!(record.check().is_err());
}

/// A timeline of four steps, with this name wherever one stands.
fn timeline(name: &str) -> TimelineRecord {
    let series = |values: &[Option<u64>]| Series(values.to_vec());
    TimelineRecord {
        step_us: 5000,
        steps: 4,
        sent: vec![SentRecord {
            line: name.to_owned(),
            count: series(&[Some(1), Some(0), Some(4), Some(0)]),
        }],
        functions: vec![FunctionRecord {
            function: name.to_owned(),
            allowed_ms: 1000,
            longest_ms: series(&[Some(80), Some(1500), None, Some(3)]),
            tolerance: Some(20),
            farthest: Some(series(&[Some(1), Some(3), None, None])),
        }],
        remarks: vec![RemarkRecord {
            at_ms: 10,
            what: "power: off and on".to_owned(),
        }],
    }
}

#[test]
fn a_reproducer_comes_with_the_command_that_replays_it() {
    let mut record = record();
    record.options = ["--profile", "p", "--rig", "my rig.toml"]
        .map(str::to_owned)
        .to_vec();
    record.trials[0]
        .evidence
        .push(file("evidence/CR-3.5.tcp@plc.finding-1.toml"));
    let command =
        "slcert replay data/evidence/CR-3.5.tcp@plc.finding-1.toml --rig &#39;my rig.toml&#39;";
    assert!(page(&record).contains(command));
}

#[test]
fn what_the_laboratory_has_on_record_is_there_and_what_it_has_not_is_missing() {
    let mut record = record();
    assert!(!page(&record).contains("id=\"lab\""));
    record.lab = Some(LabRecord {
        laboratory: Some("Example Lab".to_owned()),
        equipment: vec![EquipmentRecord {
            id: "INV-1".to_owned(),
            what: "adapter".to_owned(),
            software: None,
            calibrated: None,
            due: Some("2025-12-31".to_owned()),
        }],
        ..LabRecord::default()
    });
    let page = page(&record);
    assert!(page.contains("Example Lab") && page.contains("overdue"));
    assert_eq!(page.matches(">missing<").count(), 8);
}

#[test]
fn a_zone_that_is_not_reached_wants_countermeasures() {
    let mut record = record();
    assert!(!page(&record).contains("id=\"zone\""));
    record.wanted.zone = Some("SL-T(cell 4) = {0 0 0 0 0 1 1}".parse().unwrap());
    let page = page(&record);
    assert!(page.contains("Zone cell 4") && page.contains("1 of the seven do not reach"));
    let needs = "needs a compensating countermeasure in the zone";
    assert_eq!(page.matches(needs).count(), 1);
}

#[test]
fn the_trials_stand_by_practice_and_by_point_of_the_act() {
    let page = page(&record());
    let (_, documents) = page.split_once("id=\"documents\"").unwrap();
    for words in [
        "9 trials: 1 FAIL, 1 INCONCLUSIVE, 1 REVIEW, 1 NOT EVALUATED, 4 PASS, 1 NOT APPLICABLE; 9 files.",
        "<td class=\"nowrap\">SVV-3</td><td>Vulnerability testing</td><td>No trial was run for it.</td>",
        "no requirement of IEC 62443-4-2 speaks for it",
        "href=\"#CR-1.11\" title=\"FAIL\"",
    ] {
        assert!(documents.contains(words), "{words}");
    }
}

#[test]
fn nothing_is_asked_of_a_network() {
    let page = page(&record());
    for word in [
        "http:",
        "https:",
        "//cdn",
        "@import",
        "url(",
        "innerHTML",
        "document.write",
        "eval(",
        " style=\"",
        " onclick",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    let policy = policy(&style(&record()), Some(SCRIPT));
    assert!(page.contains(&policy.replace('\'', "&#39;")), "{policy}");
}

#[test]
fn a_link_leads_to_a_file_beside_the_page() {
    let mut record = record();
    record.trials[0].evidence = vec![
        file("evidence/a b@c.txt"),
        file("javascript:alert(1)"),
        file("../../etc/passwd"),
        file("//host/share"),
    ];
    let page = page(&record);
    assert!(page.contains("<a href=\"./evidence/a%20b%40c.txt\">"));
    assert!(page.contains("<a href=\"./javascript%3Aalert%281%29\">"));
    for path in ["href=\"../", "href=\"./../", "href=\"//", "href=\".//"] {
        assert!(!page.contains(path), "{path}");
    }
}

/// What a browser would make elements of.
fn tags(page: &str) -> Vec<&str> {
    let tags = page
        .split('<')
        .skip(1)
        .map(|rest| rest.split(['>', ' ', '\n']).next().unwrap());
    tags.collect()
}

#[test]
fn text_of_a_device_makes_no_element_and_no_attribute() {
    let hostile = [
        INJECTION,
        "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)\" x=\"",
        "' onfocus='alert(1)' '",
        "</style></title></textarea><!-- <svg/onload=alert(1)>",
        "{{ 7 * 7 }} {% include \"/etc/passwd\" %}",
        "\u{202e}\u{2066}\0\x1b[2J\u{9b}31m\u{2028}",
    ];
    let plain = page(&full_of("plain"));
    for text in hostile {
        let page = page(&full_of(text));
        assert_eq!(tags(&plain), tags(&page), "{text:?}");
        assert!(
            !page.contains(['\0', '\x1b', '\u{202e}', '\u{2066}', '\u{9b}', '\u{2028}']),
            "{text:?}"
        );
        assert!(!page.contains("onerror=alert(1)>"), "{text:?}");
        // A style is no attribute; its own text is held to letters and digits.
        let (_, body) = page.split_once("</style>").unwrap();
        assert!(!body.contains("\" onmouseover"), "{text:?}");
    }
}

/// The example with one text wherever text stands.
fn full_of(text: &str) -> Record {
    let mut record = record();
    record.campaign = text.to_owned();
    let mut zone: slcert_profiles::Zone = "{4 4 4 4 4 4 4}".parse().unwrap();
    zone.name = Some(text.to_owned());
    record.wanted.zone = Some(zone);
    record.options = vec![text.to_owned()];
    let profile = &mut record.profile;
    for field in [
        &mut profile.id,
        &mut profile.version,
        &mut profile.status,
        &mut profile.sha256,
    ] {
        text.clone_into(field);
    }
    text.clone_into(&mut record.rig.file);
    let dut = &mut record.dut;
    for field in [&mut dut.product, &mut dut.vendor, &mut dut.firmware] {
        text.clone_into(field);
    }
    dut.serial = Some(text.to_owned());
    for row in &mut record.selection {
        text.clone_into(&mut row.title);
    }
    for planned in &mut record.planned {
        text.clone_into(&mut planned.title);
        planned.interface = Some(text.to_owned());
    }
    for (number, trial) in record.trials.iter_mut().enumerate() {
        trial.id = format!("{number}{text}");
        trial.interface = trial.interface.is_some().then(|| text.to_owned());
        for field in [
            &mut trial.title,
            &mut trial.reason,
            &mut trial.objective,
            &mut trial.criterion,
            &mut trial.svv,
        ] {
            text.clone_into(field);
        }
        for check in &mut trial.checks {
            for field in [&mut check.name, &mut check.expected, &mut check.observed] {
                text.clone_into(field);
            }
        }
        let mut timeline = timeline(text);
        text.clone_into(&mut timeline.remarks[0].what);
        trial.timeline = Some(timeline);
        // A name that is no path within the folder gets no link.
        trial.evidence = vec![file(&format!("../{text}"))];
    }
    let trial = record.trials[6].id.clone();
    record.attestations = vec![AttestationRecord {
        requirement: record.trials[6].requirements[0],
        found: Found::Inspection { trial },
        outcome: Verdict::Pass,
        files: vec![file(&format!("../{text}"))],
        reviewer: text.to_owned(),
        date: text.to_owned(),
        remark: Some(text.to_owned()),
    }];
    record
}

#[test]
fn ten_thousand_trials_with_their_timelines_are_a_page_that_a_browser_bears() {
    let page = page(&many(10_000));
    assert_eq!(page.matches("<details class=\"card\"").count(), 10_009);
    assert_eq!(page.matches("<div class=\"time\">").count(), 10_000);
    // Each step of each curve on its own made it half as large again.
    let each = page.len() / 10_000;
    assert!(each < 6000, "{each} bytes a trial");
}

#[test]
fn steps_at_the_same_height_are_drawn_as_one() {
    let mut record = record();
    let mut timeline = timeline("plc");
    timeline.functions[0].longest_ms = Series(vec![Some(30), Some(31), Some(30), Some(900)]);
    record.trials[0].timeline = Some(timeline);
    assert!(page(&record).contains("d=\"M0 40V39H750V13H1000V40z\""));
}
