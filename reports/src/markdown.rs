//! `summary.md`: a campaign on one page, for a merge request or the page of a CI job.
//!
//! Text of the record is quoted where a device may have had a say in it: within a code span there are no links, no
//! mentions and no HTML.

mod measures;

use std::fmt::Write;

use crate::assess::{Assessment, Gap};
use crate::escape::{one_line, shorten};
use crate::metrics::metrics;
use crate::record::Record;
use crate::verdict::Verdict;

/// The longest text of the record in one place.
const LONGEST: usize = 300;
/// How many trials or rows one table lists.
const MOST: usize = 50;

/// The summary of a campaign in GitHub's Markdown.
pub fn markdown(record: &Record, assessment: &Assessment) -> String {
    let mut text = String::new();
    head(&mut text, record, assessment);
    levels(&mut text, assessment);
    measures::measures(&mut text, &metrics(record, assessment));
    trials(&mut text, record, assessment);
    open(&mut text, assessment);
    let _ = writeln!(
        text,
        "slcert {}, campaign {}, seed {}. This is pre-check evidence.",
        code(&record.slcert),
        code(&record.campaign),
        record.seed
    );
    text
}

fn head(text: &mut String, record: &Record, assessment: &Assessment) {
    let open = assessment.counts.total() - assessment.counts.met();
    let total = assessment.counts.total();
    let claimed = assessment.claimed;
    let standing = if assessment.bench_fault.is_some() {
        let what = match assessment.has_judged() {
            true => "not all",
            false => "nothing",
        };
        format!("⚠️ The bench failed its self-test, so {what} was judged")
    } else if assessment.interrupted {
        format!("⚠️ Interrupted: {open} of the {total} rows of the claim {claimed} are open")
    } else if !assessment.has_run() {
        "⚠️ Nothing was run, so nothing is demonstrated".to_owned()
    } else if assessment.is_demonstrated() {
        format!("✅ Demonstrated: every row of the claim {claimed} is met")
    } else {
        let fails = assessment.counts.of(Verdict::Fail);
        let mark = if fails > 0 { "❌" } else { "⚠️" };
        let failed = if fails > 0 {
            format!(", {fails} of them FAIL")
        } else {
            String::new()
        };
        format!(
            "{mark} Not demonstrated: {open} of the {total} rows of the claim {claimed} are open{failed}"
        )
    };
    let dut = &record.dut;
    let _ = writeln!(text, "## {standing}\n");
    let _ = writeln!(
        text,
        "{} of {}, firmware {}, {}, tested against the profile {} {} on the rig {}.\n",
        code(&dut.product),
        code(&dut.vendor),
        code(&dut.firmware),
        dut.component,
        code(&record.profile.id),
        code(&record.profile.version),
        code(&record.rig.file)
    );
    if let Some(cut) = &record.redaction {
        let _ = writeln!(text, "✂️ {}.\n", code(&cut.words()));
    }
    for note in assessment
        .bench_fault
        .iter()
        .chain(&record.firmware_notes())
    {
        let _ = writeln!(text, "⚠️ {}\n", code(note));
    }
    let words = assessment.trial_counts.words();
    let mut counts: Vec<String> = Some(words)
        .filter(|it| !it.is_empty())
        .into_iter()
        .collect();
    let not_run = record.not_run().count();
    if not_run > 0 {
        counts.push(format!("{not_run} planned and not run"));
    }
    if !counts.is_empty() {
        let _ = writeln!(text, "Trials: {}.\n", counts.join(", "));
    }
}

fn levels(text: &mut String, assessment: &Assessment) {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let frs = || assessment.frs.iter();
    let names = frs().map(|fr| fr.fr.to_string()).collect::<Vec<_>>();
    text.push_str(&row([vec!["SL-C".to_owned()], names].concat()));
    text.push_str(&format!("|---{}|\n", "|:-:".repeat(assessment.frs.len())));
    for (name, levels) in [
        ("claimed", assessment.claimed),
        ("demonstrated", assessment.demonstrated),
        ("demonstrated and reviewed", assessment.reviewed),
    ] {
        let cells = frs().map(|fr| match levels[fr.fr] < fr.claimed {
            true => format!("**{}**", levels[fr.fr]),
            false => levels[fr.fr].to_string(),
        });
        text.push_str(&row([vec![name.to_owned()], cells.collect()].concat()));
    }
    text.push('\n');
}

fn trials(text: &mut String, record: &Record, assessment: &Assessment) {
    for verdict in [Verdict::Fail, Verdict::Inconclusive] {
        let trials: Vec<_> = record
            .trials
            .iter()
            .filter(|trial| trial.verdict == verdict)
            .collect();
        if trials.is_empty() {
            continue;
        }
        let _ = writeln!(text, "### {verdict}\n\n| trial | reason |\n|---|---|");
        for trial in trials.iter().take(MOST) {
            let claimed = trial
                .requirements
                .iter()
                .any(|id| assessment.get(*id).is_some_and(|row| row.claimed));
            let above = if claimed {
                ""
            } else {
                " (not asked for by the claim)"
            };
            let _ = writeln!(
                text,
                "| {}{above} | {} |",
                code(&trial.id),
                code(&trial.reason)
            );
        }
        more(text, trials.len());
    }
}

fn open(text: &mut String, assessment: &Assessment) {
    let gaps = assessment
        .frs
        .iter()
        .flat_map(|fr| &fr.gaps)
        .chain(&assessment.common);
    let mut open: Vec<&Gap> = gaps.filter(|gap| gap.claimed).collect();
    if open.is_empty() {
        return;
    }
    open.sort_by_key(|gap| gap.verdict.place());
    let _ = writeln!(
        text,
        "<details><summary>{} open rows of the claim</summary>\n\n| requirement | | verdict | reason |\n|---|---|---|---|",
        open.len()
    );
    for gap in open.iter().take(MOST) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            gap.id,
            plain(&gap.title),
            gap.verdict,
            code(&gap.reason)
        );
    }
    more(text, open.len());
    text.push_str("</details>\n\n");
}

fn more(text: &mut String, of: usize) {
    text.push('\n');
    if of > MOST {
        let _ = writeln!(text, "and {} more\n", of - MOST);
    }
}

/// Text of the record as a code span, which may stand in a table.
fn code(text: &str) -> String {
    let text = shorten(&one_line(text), LONGEST);
    if text.is_empty() {
        return String::new();
    }
    // A span ends at a run of as many backticks as it began with.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A table takes its columns apart before anything else is looked at.
    let text = text.replace('|', "\\|");
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text of ours, such as a requirement's title, without any meaning of its own.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in shorten(&one_line(text), LONGEST).chars() {
        if c.is_ascii_punctuation() && !matches!(c, '-' | ',' | '(' | ')') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::assess::assess;
    use crate::example::record;

    #[test]
    fn an_open_claim_reads_as_it_should() {
        let record = record();
        insta::assert_snapshot!(markdown(&record, &assess(&record)));
    }

    #[test]
    fn what_a_device_says_is_neither_link_nor_html_and_stays_in_its_cell() {
        for hostile in [
            "<script>alert(1)</script> <img src=x onerror=y>",
            "[click](javascript:x) ![i](http://e.example/p.png) https://e.example www.e.example @team #1",
            "a | b | c \\| d",
            "`` ` ``` </summary> <b>",
            "`",
            "line\n\n# heading\n- item\n|a|b|",
            "<!-- --> &lt;b&gt; **bold** ~~x~~ $x$",
        ] {
            let mut record = record();
            for trial in &mut record.trials {
                trial.reason = hostile.to_owned();
                trial.id = format!("{} {hostile}", trial.id);
            }
            record.dut.product = hostile.to_owned();
            let text = markdown(&record, &assess(&record));
            let mut codes = Vec::new();
            for event in Parser::new_ext(&text, Options::all()) {
                match event {
                    Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::InlineMath(_) => {
                        panic!("{event:?} in {text}")
                    }
                    Event::Html(html) | Event::InlineHtml(html) => {
                        let ours = ["<details>", "</details>"];
                        assert!(
                            ours.iter().any(|one| html.starts_with(one)),
                            "{html} in {text}"
                        );
                        assert!(!html.contains("onerror"), "{html}");
                    }
                    Event::Code(code) => codes.push(code.to_string()),
                    Event::Text(words) => assert!(!words.contains("e.example"), "{words}"),
                    _ => {}
                }
            }
            assert!(
                codes.contains(&one_line(hostile).trim().to_owned()),
                "{hostile:?} in {codes:#?}"
            );
        }
    }
}
