use proptest::prelude::*;
use textwrap::core::display_width;

use super::*;
use crate::assess::assess;
use crate::example::{INJECTION, bare, record, trial};

fn shown(record: &Record) -> String {
    summary(record, &assess(record), false, 110)
}

/// A text without the colours that we put in.
fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    for code in ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"] {
        text = text.replace(code, "");
    }
    text
}

#[test]
fn an_open_claim_reads_as_it_should() {
    insta::assert_snapshot!(shown(&record()));
}

#[test]
fn a_claim_that_is_demonstrated_reads_as_it_should() {
    let mut record = bare([1; 7]);
    let rows = record.selection.iter().filter(|row| row.level == 1);
    record.trials = rows
        .map(|row| trial(&row.id.to_string(), "all", None, Verdict::Pass, "held"))
        .collect();
    insta::assert_snapshot!(shown(&record));
}

#[test]
fn a_zone_is_compared_where_one_is_given() {
    let mut record = record();
    assert!(!shown(&record).contains("SL-T"));
    record.wanted.zone = Some("SL-T(cell 4) = {1 0 0 0 0 1 2}".parse().unwrap());
    let text = shown(&record);
    let line =
        "SL-T of the zone                {1 0 0 0 0 1 2} of cell 4, short in IAC by 1, RA by 2:";
    assert!(text.contains(line), "{text}");
    record.wanted.zone = Some("{0 0 0 0 0 1 0}".parse().unwrap());
    assert!(shown(&record).contains("{0 0 0 0 0 1 0}, reached\n"));
    record.wanted.zone.as_mut().unwrap().name = Some(INJECTION.to_owned());
    let text = shown(&record);
    assert!(!text.contains(['\0', '\x1b', '\u{202e}']), "{text}");
}

#[test]
fn an_interrupted_campaign_says_so() {
    let mut record = record();
    record.interrupted = true;
    let text = shown(&record);
    assert!(
        text.contains("Interrupted: the campaign ended before its plan did"),
        "{text}"
    );
    let words: Vec<_> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("1 planned and not run"), "{text}");
}

#[test]
fn a_campaign_without_trials_demonstrates_not_even_an_empty_claim() {
    let record = bare([0; 7]);
    assert!(!assess(&record).is_demonstrated());
    assert!(shown(&record).contains("Nothing was run: no trial ran"));
}

#[test]
fn nobody_is_told_that_a_device_is_certified() {
    assert!(!shown(&record()).to_lowercase().contains("certif"));
}

#[test]
fn colours_change_nothing_else() {
    let record = record();
    let painted = summary(&record, &assess(&record), true, 110);
    assert!(painted.contains("\x1b[31mFAIL\x1b[0m\n"));
    assert!(painted.contains("\x1b[31mdemonstrated 0\x1b[0m"));
    assert_eq!(plain(&painted), shown(&record));
}

#[test]
fn a_trial_above_the_claim_is_marked() {
    let mut record = bare([1; 7]);
    record.trials.push(trial(
        "CR 1.1 RE(1)",
        "unique",
        None,
        Verdict::Fail,
        "two with one name",
    ));
    assert!(
        shown(&record)
            .contains("CR-1.1-RE-1/unique (not asked for by the claim): two with one name")
    );
}

#[test]
fn many_fails_are_cut_to_a_list() {
    let mut record = bare([1; 7]);
    let fail = trial("CR 1.1", "x", None, Verdict::Fail, "no");
    record.trials = vec![fail; 25];
    let text = shown(&record);
    assert!(text.contains("\n  and 5 more\n"), "{text}");
}

proptest! {
    #[test]
    fn whatever_a_record_holds_the_terminal_gets_plain_lines_of_its_width(
        text in prop_oneof![any::<String>(), Just(INJECTION.repeat(20)), Just("x".repeat(5000))],
        width in 0usize..200,
        color: bool,
    ) {
        let mut record = record();
        record.campaign = text.clone();
        record.dut.product = text.clone();
        record.rig.file = text.clone();
        for trial in &mut record.trials {
            trial.id = text.clone();
            trial.reason = text.clone();
        }
        let shown = plain(&summary(&record, &assess(&record), color, width));
        prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        for line in shown.lines() {
            prop_assert!(display_width(line) <= width.clamp(50, 160), "{} of {width}: {line:?}", display_width(line));
        }
        prop_assert!(shown.lines().count() < 250, "{}", shown.lines().count());
    }
}
