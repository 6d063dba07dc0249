//! The text that a campaign ends with on the terminal.

mod zone;

use std::fmt::Write;

use textwrap::Options;

use crate::assess::{Assessment, Counts, FrResult, Gap};
use crate::escape::{one_line, shorten};
use crate::record::{Record, TrialRecord};
use crate::verdict::Verdict;

/// The narrowest and the widest text.
const WIDTHS: (usize, usize) = (50, 160);
/// How many lines the rows take that keep one FR back.
const GAP_LINES: usize = 3;
/// How many trials are listed under one verdict.
const MOST_TRIALS: usize = 20;
/// How many answers of people are listed, and how many of their files.
const MOST_REVIEWS: usize = 60;
/// The longest reason of a row.
const GAP_REASON: usize = 70;
/// The longest reason of a trial.
const TRIAL_REASON: usize = 300;
/// A blank that no line's end may take. [`one_line`] leaves none of them.
const TOGETHER: &str = "\u{a0}";
/// The longest name of a thing.
const LONGEST_NAME: usize = 120;

/// The summary of a campaign: what it was, how many rows came to what, the SL-C claimed and demonstrated with the rows
/// that keep each FR back, and each FAIL and INCONCLUSIVE with its reason. Harmless on a terminal, whatever the record
/// holds; `color` adds colours to our own words only. Lines are at most `width` columns, held to 50 to 160.
pub fn summary(record: &Record, assessment: &Assessment, color: bool, width: usize) -> String {
    let mut summary = Summary {
        text: String::new(),
        paint: Paint(color),
        width: width.clamp(WIDTHS.0, WIDTHS.1),
    };
    summary.header(record);
    summary.counts(record, assessment);
    summary.levels(record, assessment);
    for verdict in [Verdict::Fail, Verdict::Inconclusive] {
        summary.trials(record, assessment, verdict);
    }
    summary.reviews(record);
    summary.standing(assessment);
    summary.text
}

struct Summary {
    text: String,
    paint: Paint,
    width: usize,
}

impl Summary {
    fn header(&mut self, record: &Record) {
        let name = |text: &str| shorten(&one_line(text), LONGEST_NAME);
        self.wrapped(
            "",
            "",
            &format!(
                "slcert {}, campaign {}, seed {}",
                name(&record.slcert),
                name(&record.campaign),
                record.seed
            ),
        );
        let dut = &record.dut;
        let serial = dut
            .serial
            .as_ref()
            .map(|serial| format!(", serial {}", name(serial)))
            .unwrap_or_default();
        let device = format!(
            "{} ({}), firmware {}{serial}, {}",
            name(&dut.product),
            name(&dut.vendor),
            name(&dut.firmware),
            dut.component
        );
        let profile = &record.profile;
        let profile = format!(
            "{} {}, {}",
            name(&profile.id),
            name(&profile.version),
            name(&profile.status)
        );
        for (what, text) in [
            ("device ", device),
            ("profile", profile),
            ("rig    ", name(&record.rig.file)),
        ] {
            self.wrapped(&format!("  {what}  "), "           ", &text);
        }
        if let Some(cut) = &record.redaction {
            self.wrapped("  copy     ", "           ", &cut.words());
        }
        for note in record.firmware_notes() {
            let note = shorten(&one_line(&note), TRIAL_REASON);
            self.wrapped("  firmware ", "           ", &note);
        }
        self.text.push('\n');
    }

    fn counts(&mut self, record: &Record, assessment: &Assessment) {
        let rows = tally(&assessment.counts);
        let mut trials = tally(&assessment.trial_counts);
        let not_run = record.not_run().count();
        if not_run > 0 {
            let _ = write!(trials, "; {not_run} planned and not run");
        }
        self.wrapped("rows of the claim  ", "                   ", &rows);
        self.wrapped("trials             ", "                   ", &trials);
        self.text.push('\n');
    }

    fn levels(&mut self, record: &Record, assessment: &Assessment) {
        let _ = writeln!(
            self.text,
            "SL-C claimed                    {}",
            assessment.claimed
        );
        let _ = writeln!(
            self.text,
            "SL-C demonstrated               {}",
            assessment.demonstrated
        );
        let _ = writeln!(
            self.text,
            "SL-C demonstrated and reviewed  {}",
            assessment.reviewed
        );
        self.zone(record, assessment);
        self.text.push('\n');
        for fr in &assessment.frs {
            self.fr(fr);
        }
        let open: Vec<&Gap> = assessment.common.iter().filter(|gap| gap.claimed).collect();
        if !open.is_empty() {
            self.gaps("CCSC      ", "open: ", open);
        }
        self.text.push('\n');
    }

    fn fr(&mut self, fr: &FrResult) {
        let shown = fr.reviewed >= fr.claimed;
        // Painted text is wider for `format!` than for the reader, so it is painted when it has been laid out.
        let start = format!(
            "{:<9} claimed {}  demonstrated {}{}",
            fr.fr.to_string(),
            fr.claimed,
            fr.demonstrated,
            if fr.reviewed > fr.demonstrated {
                format!(", {} with reviews", fr.reviewed)
            } else {
                String::new()
            }
        );
        let (label, gaps): (_, Vec<&Gap>) = if shown {
            let next = fr.reviewed.get() + 1;
            (format!("kept from {next} by: "), fr.gaps.iter().collect())
        } else {
            (
                "kept back by: ".to_owned(),
                fr.gaps.iter().filter(|gap| gap.claimed).collect(),
            )
        };
        let begins = self.text.len();
        if gaps.is_empty() {
            self.text.push_str(&start);
            self.text.push('\n');
        } else {
            self.gaps(&format!("{start}  "), &label, gaps);
        }
        let word = if shown { Verdict::Pass } else { Verdict::Fail };
        let plain = format!("demonstrated {}", fr.demonstrated);
        let painted = self.paint.verdict(word, &plain);
        if let Some(at) = self.text[begins..].find(&plain) {
            let at = begins + at;
            self.text.replace_range(at..at + plain.len(), &painted);
        }
    }

    /// The rows that keep something back, the worst first, as many as fit.
    fn gaps(&mut self, start: &str, label: &str, mut gaps: Vec<&Gap>) {
        gaps.sort_by_key(|gap| (!gap.claimed, gap.verdict.place()));
        for fitting in (0..=gaps.len()).rev() {
            let mut list = listed(&gaps[..fitting]);
            let more = gaps.len() - fitting;
            match (fitting, more) {
                (_, 0) => {}
                (0, _) => list = format!("{more} rows"),
                _ => {
                    let _ = write!(list, "; and {more} more");
                }
            }
            let lines = self.lines(start, "          ", &format!("{label}{list}"));
            if lines.len() <= GAP_LINES || fitting == 0 {
                self.push(&lines);
                return;
            }
        }
    }

    fn trials(&mut self, record: &Record, assessment: &Assessment, verdict: Verdict) {
        let trials: Vec<&TrialRecord> = record
            .trials
            .iter()
            .filter(|trial| trial.verdict == verdict)
            .collect();
        if trials.is_empty() {
            return;
        }
        let heading = self.paint.verdict(verdict, verdict.word());
        let _ = writeln!(self.text, "{heading}");
        for trial in trials.iter().take(MOST_TRIALS) {
            let rows = || {
                trial
                    .requirements
                    .iter()
                    .filter_map(|id| assessment.get(*id))
            };
            let above = if rows().any(|row| row.claimed) {
                ""
            } else {
                " (not asked for by the claim)"
            };
            let id = shorten(&one_line(&trial.id), LONGEST_NAME);
            let reason = shorten(&one_line(&trial.reason), TRIAL_REASON);
            self.wrapped("  ", "      ", &format!("{id}{above}: {reason}"));
        }
        if trials.len() > MOST_TRIALS {
            let _ = writeln!(self.text, "  and {} more", trials.len() - MOST_TRIALS);
        }
        self.text.push('\n');
    }

    /// What people have found, with the files that they keep of it.
    fn reviews(&mut self, record: &Record) {
        if record.attestations.is_empty() {
            return;
        }
        self.text.push_str("seen and reviewed by people\n");
        for one in record.attestations.iter().take(MOST_REVIEWS) {
            let found = shorten(&one_line(&one.words()), TRIAL_REASON);
            let id = together(&one.requirement.to_string());
            self.wrapped("  ", "      ", &format!("{id}  {found}"));
        }
        let more = record.attestations.len().saturating_sub(MOST_REVIEWS);
        if more > 0 {
            let _ = writeln!(self.text, "  and {more} more");
        }
        let mut files: Vec<_> = record
            .attestations
            .iter()
            .flat_map(|one| &one.files)
            .collect();
        files.dedup();
        for file in files.iter().take(MOST_REVIEWS) {
            // A hash is not wrapped, so that it can be copied.
            let path = shorten(&one_line(&file.path), LONGEST_NAME);
            let hash = shorten(&one_line(&file.sha256), LONGEST_NAME);
            self.wrapped("  ", "      ", &format!("SHA-256 {hash} {path}"));
        }
        if files.len() > MOST_REVIEWS {
            let _ = writeln!(self.text, "  and {} more files", files.len() - MOST_REVIEWS);
        }
        self.text.push('\n');
    }

    fn standing(&mut self, assessment: &Assessment) {
        let open = assessment.counts.total() - assessment.counts.met();
        let (verdict, word, rest) = if let Some(fault) = &assessment.bench_fault {
            let rest = format!("{}.", shorten(&one_line(fault), TRIAL_REASON));
            let word = match assessment.has_judged() {
                true => "Not all was judged:",
                false => "Nothing was judged:",
            };
            (Verdict::Inconclusive, word, rest)
        } else if assessment.interrupted {
            let rest = "the campaign ended before its plan did, and what it did not reach is open."
                .to_owned();
            (Verdict::Inconclusive, "Interrupted:", rest)
        } else if !assessment.has_run() {
            let rest = "no trial ran, so nothing is demonstrated.".to_owned();
            (Verdict::Fail, "Nothing was run:", rest)
        } else if assessment.is_demonstrated() {
            (
                Verdict::Pass,
                "Demonstrated:",
                format!("every row of the claim {} is met.", assessment.claimed),
            )
        } else {
            let total = assessment.counts.total();
            let rest = format!(
                "{open} of the {total} rows of the claim {} are open.",
                assessment.claimed
            );
            (Verdict::Fail, "Not demonstrated:", rest)
        };
        let begins = self.text.len();
        self.wrapped(
            "",
            "",
            &format!("{word} {rest} This is pre-check evidence."),
        );
        let painted = self.paint.verdict(verdict, word);
        let first = self.text[begins..].starts_with(word);
        if first {
            self.text
                .replace_range(begins..begins + word.len(), &painted);
        }
    }

    fn wrapped(&mut self, first: &str, other: &str, text: &str) {
        let lines = self.lines(first, other, text);
        self.push(&lines);
    }

    fn lines(&self, first: &str, other: &str, text: &str) -> Vec<String> {
        let options = Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(other);
        textwrap::wrap(text, options)
            .into_iter()
            .map(|line| line.replace(TOGETHER, " "))
            .collect()
    }

    fn push(&mut self, lines: &[String]) {
        for line in lines {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }
}

/// Rows with one verdict for one reason stand together: `CR 1.1, CR 1.3 NOT EVALUATED (no case covers it yet); ...`.
fn listed(gaps: &[&Gap]) -> String {
    let mut groups: Vec<(&Gap, Vec<String>)> = Vec::new();
    for gap in gaps {
        let id = together(&gap.id.to_string());
        match groups
            .iter_mut()
            .find(|(first, _)| first.verdict == gap.verdict && first.reason == gap.reason)
        {
            Some((_, ids)) => ids.push(id),
            None => groups.push((gap, vec![id])),
        }
    }
    let texts = groups.iter().map(|(gap, ids)| {
        let reason = shorten(&one_line(&gap.reason), GAP_REASON);
        format!(
            "{} {} ({reason})",
            ids.join(", "),
            together(gap.verdict.word())
        )
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// Words that no line's end may part.
fn together(words: &str) -> String {
    words.replace(' ', TOGETHER)
}

/// `9: 1 FAIL, 4 PASS`, the worst first.
fn tally(counts: &Counts) -> String {
    match counts.total() {
        0 => "none".to_owned(),
        total => format!("{total}: {}", counts.words()),
    }
}

/// Whether to use the terminal's colours.
struct Paint(bool);

impl Paint {
    fn verdict(&self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Pass => "32",
            Verdict::Fail => "31",
            Verdict::Inconclusive => "33",
            Verdict::Review => "35",
            Verdict::NotApplicable | Verdict::NotEvaluated => "2",
        };
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
