//! The text within cases and suites: bounded, and harmless whatever the record holds.

use slcert_profiles::RequirementId;

use super::{Flavour, JunitOptions};
use crate::assess::Assessment;
use crate::escape::{defuse, one_line, shorten};
use crate::record::{self, AttestationRecord, Found, PlannedRecord, Record, TrialRecord};
use crate::verdict::Verdict;

/// The longest output of a case: Jenkins cuts that of a passing one to 500 characters at either end.
const LONGEST_OUTPUT: usize = 900;
/// The longest reason.
const LONGEST_REASON: usize = 500;
/// The longest value of one property within an output.
const LONGEST_VALUE: usize = 120;
/// How many checks a case lists.
const MOST_CHECKS: usize = 20;
/// The longest expectation or observation of a check.
const LONGEST_CHECK: usize = 800;
/// The longest path that is attached: no system knows longer ones.
const LONGEST_PATH: usize = 4096;
/// The longest value of a property of a suite.
const LONGEST_FACT: usize = 300;

/// The reason in one line, never empty.
pub(super) fn reason(reason: &str, verdict: Verdict) -> String {
    let line = shorten(&one_line(reason), LONGEST_REASON);
    if line.is_empty() {
        verdict.word().to_owned()
    } else {
        line
    }
}

/// The text of a failure, an error or a skip: the reason, then the checks that were not met. The reason stands here
/// again, as there are readers of the message alone and readers of the text alone.
pub(super) fn body(trial: &TrialRecord, reason: &str) -> String {
    let mut body = reason.to_owned();
    let open = || trial.checks.iter().filter(|check| !check.verdict.is_met());
    for check in open().take(MOST_CHECKS) {
        let part =
            |text: &str| shorten(&defuse(text), LONGEST_CHECK).replace('\n', "\n            ");
        body.push_str(&format!(
            "\n\n{} {}\n  expected: {}\n  observed: {}",
            check.verdict,
            shorten(&one_line(&check.name), LONGEST_VALUE),
            part(&check.expected),
            part(&check.observed),
        ));
    }
    let more = open().count().saturating_sub(MOST_CHECKS);
    if more > 0 {
        body.push_str(&format!("\n\nand {more} more checks, in result.json"));
    }
    // Harmless pieces side by side may be harmful as one.
    defuse(&body)
}

/// What CI servers keep with a trial: properties first, attachments last, the most telling first of them.
pub(super) fn output_of_trial(
    trial: &TrialRecord,
    reviews: &[&AttestationRecord],
    seed: u64,
    options: &JunitOptions,
) -> String {
    let mut output = Output::new(trial.verdict);
    if options.flavour == Some(Flavour::Rich) {
        output.left = usize::MAX;
    }
    output.requirements(&trial.requirements);
    output.property("trial", &trial.id);
    if let Some(interface) = &trial.interface {
        output.property("interface", interface);
    }
    output.property("svv", &trial.svv);
    output.property("seed", &seed.to_string());
    let mut evidence: Vec<_> = trial
        .evidence
        .iter()
        .map(|file| file.path.clone())
        .collect();
    for review in reviews {
        let found = format!("{}: {}", review.requirement, review.words());
        output.property("found", &found);
        for file in &review.files {
            if evidence.contains(&file.path) {
                continue;
            }
            // Apart from each other, so that neither is shortened.
            output.property("file", &file.path);
            output.property("sha256", &file.sha256);
            if matches!(review.found, Found::Inspection { .. }) {
                evidence.push(file.path.clone());
            }
        }
    }
    output.attachments(&evidence, options.attachment_root.as_deref());
    output.finish()
}

/// [`output_of_trial`] for a trial that was not run.
pub(super) fn output_of_planned(planned: &PlannedRecord) -> String {
    let mut output = Output::new(Verdict::NotEvaluated);
    output.requirements(&planned.requirements);
    output.property("trial", &planned.id);
    if let Some(interface) = &planned.interface {
        output.property("interface", interface);
    }
    output.finish()
}

/// [`output_of_trial`] for a row without trials.
pub(super) fn output_of_row(id: RequirementId, title: &str) -> String {
    let mut output = Output::new(Verdict::NotEvaluated);
    output.requirements(&[id]);
    output.property("title", title);
    output.finish()
}

/// The facts of the run, which each suite carries.
pub(super) fn facts(record: &Record, assessment: &Assessment) -> Vec<(&'static str, String)> {
    let fact = |text: &str| shorten(&one_line(text), LONGEST_FACT);
    let mut facts = vec![
        ("slcert", fact(&record.slcert)),
        ("campaign", fact(&record.campaign)),
        ("standing", "pre-check evidence".to_owned()),
        ("interrupted", record.interrupted.to_string()),
        ("seed", record.seed.to_string()),
        ("dut.product", fact(&record.dut.product)),
        ("dut.vendor", fact(&record.dut.vendor)),
        ("dut.firmware", fact(&record.dut.firmware)),
        ("dut.component", record.dut.component.to_string()),
        ("profile.id", fact(&record.profile.id)),
        ("profile.version", fact(&record.profile.version)),
        ("profile.status", fact(&record.profile.status)),
        ("profile.sha256", fact(&record.profile.sha256)),
        ("rig.file", fact(&record.rig.file)),
        ("rig.sha256", fact(&record.rig.sha256)),
        ("sl-c.claimed", assessment.claimed.to_string()),
        ("sl-c.demonstrated", assessment.demonstrated.to_string()),
    ];
    if let Some(serial) = &record.dut.serial {
        facts.push(("dut.serial", fact(serial)));
    }
    facts
}

/// The path of a file as a CI server finds it; none of one that could end its line early, or lead out of the campaign's
/// folder.
pub(super) fn attached(path: &str, root: Option<&str>) -> Option<String> {
    let is_plain = path.len() <= LONGEST_PATH
        && record::is_inside(path)
        && !path.contains(['[', ']', '|'])
        && defuse(path) == path;
    let root = root
        .map(|root| root.trim_end_matches('/'))
        .filter(|root| !root.is_empty());
    is_plain.then(|| match root {
        Some(root) => format!("{root}/{path}"),
        None => path.to_owned(),
    })
}

/// The output of a case, which does not grow over [`LONGEST_OUTPUT`].
struct Output {
    text: String,
    left: usize,
}

impl Output {
    fn new(verdict: Verdict) -> Self {
        let text = format!("verdict={verdict}");
        Self {
            left: LONGEST_OUTPUT - text.len(),
            text,
        }
    }

    fn finish(self) -> String {
        self.text + "\n"
    }

    /// Adds a line if it fits.
    fn line(&mut self, line: &str) {
        let length = line.chars().count() + 1;
        if length > self.left {
            return;
        }
        self.left -= length;
        self.text.push('\n');
        self.text.push_str(line);
    }

    fn property(&mut self, name: &str, value: &str) {
        let value = shorten(&one_line(value), LONGEST_VALUE).replace(']', "\\x5d");
        self.line(&format!("[[PROPERTY|{name}={value}]]"));
    }

    /// A trial may name many; ten lines of them are enough here.
    fn requirements(&mut self, ids: &[RequirementId]) {
        for id in ids.iter().take(10) {
            self.property("requirement", &id.to_string());
        }
        if ids.len() > 10 {
            self.line(&format!("and {} more requirements", ids.len() - 10));
        }
    }

    fn attachments(&mut self, paths: &[String], root: Option<&str>) {
        /// Room for the line that tells of those that did not fit.
        const REST: usize = 60;
        let mut left_out = 0;
        let mut lines = Vec::new();
        for path in paths {
            match attached(path, root) {
                None => left_out += 1,
                Some(path) => lines.push(format!("[[ATTACHMENT|{path}]]")),
            }
        }
        let mut fitting = 0;
        let mut room = self.left.saturating_sub(REST);
        for line in &lines {
            let length = line.chars().count() + 1;
            if length > room {
                break;
            }
            room -= length;
            fitting += 1;
        }
        left_out += lines.len() - fitting;
        // Attachments come last, so what is not attached is said before them.
        if left_out > 0 {
            self.line(&format!(
                "{left_out} more files of evidence: see result.json"
            ));
        }
        for line in &lines[..fitting] {
            self.line(line);
        }
    }
}
