//! What the page says, before it is HTML. All text is harmless, and bounded where a device has a say in its length.

use askama::Template;

use super::annex::{Point, points};
use super::cards::{self, Card, Check, FileLink};
use super::findings::{Finding, findings};
use super::levels::{FrLevels, GapLink, levels};
use super::matrix::{MatrixGroup, interfaces, matrix};
use super::measures::Measures;
use super::practices::{Practice, practices};
use super::standing::{Standing, Tally, standing, tally};
use super::{SCRIPT, policy, style};
use crate::assess::{Assessment, RequirementResult};
use crate::escape::{one_line, shorten};
use crate::lab::LabRecord;
use crate::metrics::metrics;
use crate::record::{Found, Record};
use crate::redact::RedactionRecord;
use crate::selftest::SelfTestRecord;
use crate::verdict::Verdict;

/// The longest text in one line.
const LONGEST_LINE: usize = 400;

/// How many things that were cut are listed.
const MOST_CUTS: usize = 500;
/// How many findings are listed before the trials.
const MOST_FINDINGS: usize = 200;

/// Everything on the page.
#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page {
    pub policy: String,
    pub style: String,
    pub script: &'static str,
    pub campaign: String,
    /// The product, and what else is known of the device.
    pub device: (String, String),
    pub standing: Standing,
    pub tallies: Vec<Tally>,
    pub facts: Vec<(&'static str, String)>,
    pub findings: Vec<Finding>,
    pub more_findings: usize,
    /// The SL-C claimed, demonstrated, and demonstrated and reviewed.
    pub vectors: (String, String, String),
    pub frs: Vec<FrLevels>,
    pub common: Vec<GapLink>,
    pub measures: Measures,
    /// The columns of the matrix; the last may be that of trials about the whole device.
    pub interfaces: Vec<String>,
    pub matrix: Vec<MatrixGroup>,
    pub left_out: usize,
    pub verdicts: Vec<Word>,
    pub sections: Vec<Section>,
    pub not_run: Vec<(String, String)>,
    pub reviews: Vec<Review>,
    pub lab: Option<Lab>,
    pub selftests: Vec<SelfTest>,
    pub firmware: Vec<String>,
    pub redaction: Option<Redaction>,
    pub practices: Vec<Practice>,
    pub points: Vec<Point>,
}

pub(super) struct Word {
    pub class: &'static str,
    pub word: &'static str,
}

/// The trials of one foundational requirement.
pub(super) struct Section {
    pub key: String,
    pub short: String,
    pub name: String,
    pub cards: Vec<Card>,
}

pub(super) struct Review {
    pub id: String,
    pub class: &'static str,
    pub outcome: Verdict,
    pub by: String,
    pub how: String,
    pub remark: Option<String>,
    pub files: Vec<FileLink>,
}

/// The lab record. A fact without a value is missing.
pub(super) struct Lab {
    pub facts: Vec<(&'static str, Option<String>)>,
    pub deviations: Vec<String>,
    pub equipment: Vec<Equipment>,
}

/// What was cut from this copy.
pub(super) struct Redaction {
    pub words: String,
    pub lists: Vec<CutList>,
}

/// Values or files that were cut.
pub(super) struct CutList {
    /// How many, and of what.
    pub title: String,
    pub open: bool,
    /// Each with what became of it and a hash.
    pub rows: Vec<(String, &'static str, String)>,
    pub more: usize,
}

/// What the bench showed of itself.
pub(super) struct SelfTest {
    pub title: String,
    pub checks: Vec<Check>,
    /// What the device told of its firmware, and on which interface.
    pub firmware: Option<(String, String)>,
}

pub(super) struct Equipment {
    pub id: String,
    pub what: String,
    pub software: Option<String>,
    pub calibrated: Option<String>,
    pub due: Option<String>,
    pub overdue: bool,
}

/// What trials about the whole device stand under.
pub(super) const DEVICE: &str = "device";

pub(super) fn line(text: &str) -> String {
    shorten(&one_line(text), LONGEST_LINE)
}

pub(crate) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inc",
        Verdict::Review => "rev",
        Verdict::NotEvaluated => "ne",
        Verdict::NotApplicable => "na",
    }
}

impl Page {
    pub fn of(record: &Record, assessment: &Assessment) -> Self {
        let style = style(record);
        let interfaces = interfaces(record);
        let mut sections = cards::sections(record);
        let in_matrix = |row: &&RequirementResult| row.claimed || !row.trials.is_empty();
        let mut findings = findings(record, assessment);
        let more_findings = findings.len().saturating_sub(MOST_FINDINGS);
        findings.truncate(MOST_FINDINGS);
        let used = Verdict::WORST_FIRST
            .into_iter()
            .filter(|verdict| assessment.trial_counts.of(*verdict) > 0);
        sections.retain(|section| !section.cards.is_empty());
        Self {
            policy: policy(&style, Some(SCRIPT)),
            style,
            script: SCRIPT,
            campaign: line(&record.campaign),
            device: device(record),
            standing: standing(assessment),
            tallies: vec![
                tally("Requirements of the claim", &assessment.counts, 0),
                tally("Trials", &assessment.trial_counts, record.not_run().count()),
            ],
            facts: facts(record),
            findings,
            more_findings,
            vectors: (
                assessment.claimed.to_string(),
                assessment.demonstrated.to_string(),
                assessment.reviewed.to_string(),
            ),
            frs: assessment.frs.iter().map(levels).collect(),
            common: assessment
                .common
                .iter()
                .filter(|gap| gap.claimed)
                .map(GapLink::of)
                .collect(),
            measures: Measures::of(metrics(record, assessment)),
            matrix: matrix(record, assessment, &interfaces),
            left_out: assessment
                .requirements
                .iter()
                .filter(|row| !in_matrix(row))
                .count(),
            verdicts: used
                .map(|one| Word {
                    class: class(one),
                    word: one.word(),
                })
                .collect(),
            sections,
            not_run: record
                .not_run()
                .map(|one| (line(&one.id), line(&one.title)))
                .collect(),
            reviews: reviews(record),
            lab: record
                .lab
                .as_ref()
                .map(|lab| self::lab(lab, record.started)),
            selftests: record.selftest.iter().map(selftest).collect(),
            firmware: record
                .firmware_notes()
                .iter()
                .map(|one| line(one))
                .collect(),
            redaction: record.redaction.as_ref().map(redaction),
            practices: practices(record),
            points: points(record, assessment),
            interfaces,
        }
    }
}

fn redaction(cut: &RedactionRecord) -> Redaction {
    let values = cut.values.iter();
    let values = values.map(|one| (one.mark.as_str(), "cut", one.sha256.as_str()));
    let files = cut.files.iter().map(|one| {
        let became = if one.left_out { "left out" } else { "changed" };
        (one.path.as_str(), became, one.sha256.as_str())
    });
    // The files may be hundreds.
    let lists = [
        cut_list("value", true, values),
        cut_list("file", false, files),
    ];
    Redaction {
        words: line(&cut.words()),
        lists: lists.into_iter().flatten().collect(),
    }
}

/// Nothing where there is none.
fn cut_list<'a>(
    of: &str,
    open: bool,
    all: impl ExactSizeIterator<Item = (&'a str, &'static str, &'a str)>,
) -> Option<CutList> {
    let count = all.len();
    let rows = all.map(|(name, became, hash)| (line(name), became, line(hash)));
    (count > 0).then(|| CutList {
        title: format!("{count} {of}{}", if count == 1 { "" } else { "s" }),
        open,
        rows: rows.take(MOST_CUTS).collect(),
        more: count.saturating_sub(MOST_CUTS),
    })
}

fn selftest(test: &SelfTestRecord) -> SelfTest {
    let at = test.started.strftime("%Y-%m-%d %H:%M:%S UTC");
    SelfTest {
        title: format!("{} the trials, {at}", test.when.word()),
        checks: test.checks.iter().map(Check::of).collect(),
        firmware: test
            .firmware
            .as_ref()
            .map(|one| (line(&one.interface), line(&one.told))),
    }
}

fn device(record: &Record) -> (String, String) {
    let dut = &record.dut;
    let serial = dut
        .serial
        .as_ref()
        .map(|serial| format!(", serial number {}", line(serial)))
        .unwrap_or_default();
    let rest = format!(
        "{}, firmware {}{serial}, {}",
        line(&dut.vendor),
        line(&dut.firmware),
        dut.component
    );
    (line(&dut.product), rest)
}

fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let time = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let profile = &record.profile;
    let hash = |sha256: &str| line(sha256).chars().take(16).collect::<String>();
    vec![
        ("Campaign", line(&record.campaign)),
        ("Begun", time(record.started)),
        (
            "Ended",
            record
                .finished
                .map_or("not known: it was cut short".to_owned(), time),
        ),
        (
            "Profile",
            format!(
                "{} {}, {}",
                line(&profile.id),
                line(&profile.version),
                line(&profile.status)
            ),
        ),
        ("Profile's SHA-256 begins", hash(&profile.sha256)),
        ("Rig", line(&record.rig.file)),
        ("Rig's SHA-256 begins", hash(&record.rig.sha256)),
        (
            "Method",
            format!("slcert {}, seed {}", line(&record.slcert), record.seed),
        ),
    ]
}

fn reviews(record: &Record) -> Vec<Review> {
    let reviews = record.attestations.iter().map(|one| Review {
        id: one.requirement.to_string(),
        class: class(one.outcome),
        outcome: one.outcome,
        by: format!("{}, {}", line(&one.reviewer), line(&one.date)),
        how: match &one.found {
            Found::Document => "in a document".to_owned(),
            Found::Inspection { trial } => {
                format!("by an inspection of the device, {}", line(trial))
            }
        },
        remark: one.remark.as_deref().map(line),
        // A document lies where the file of attestations says, which is not in the campaign's folder.
        files: one
            .files
            .iter()
            .map(|file| FileLink::of(file, one.found != Found::Document))
            .collect(),
    });
    reviews.collect()
}

fn lab(lab: &LabRecord, began: jiff::Timestamp) -> Lab {
    let day = jiff::tz::TimeZone::UTC.to_datetime(began).date();
    let equipment = lab.equipment.iter().map(|one| Equipment {
        id: line(&one.id),
        what: line(&one.what),
        software: one.software.as_deref().map(line),
        calibrated: one.calibrated.as_deref().map(line),
        due: one.due.as_deref().map(line),
        overdue: one.is_overdue(day),
    });
    Lab {
        facts: lab
            .facts()
            .map(|(name, value)| (name, value.map(line)))
            .to_vec(),
        deviations: lab.deviations.iter().map(|one| line(one)).collect(),
        equipment: equipment.collect(),
    }
}
