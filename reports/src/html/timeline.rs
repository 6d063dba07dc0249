//! The timeline of a trial: what was sent, above how each essential function bore it.

use super::model::line;
use crate::timeline::{FunctionRecord, SentRecord, Series, TimelineRecord};

/// The page draws in these units; a lane is as wide as its place.
const WIDTH: u64 = 1000;
/// How high a lane of a line, and of a function, is.
const BARS: u64 = 14;
const CURVE: u64 = 40;
/// Where the limit of a function stands in its lane, from the top; the style draws it.
const LIMIT: u64 = 10;

/// The lines and functions that a card shows.
const MOST_LANES: usize = 12;
/// The remarks that are marked, and those that are told in words.
const MOST_REMARKS: usize = 40;
const MOST_TOLD: usize = 6;

pub(super) struct Timeline {
    /// How long it was, in words.
    pub took: String,
    pub sent: Vec<Lane>,
    pub functions: Vec<Lane>,
    pub remarks: Vec<Remark>,
    /// How many of them are not told in words.
    pub more: usize,
}

/// A line or a function.
pub(super) struct Lane {
    pub name: String,
    /// Its worst, in words.
    pub words: String,
    /// Whether that is more than what is allowed.
    pub over: bool,
    pub height: u64,
    /// Its shape, as a path.
    pub shape: String,
    /// A second line, thinner.
    pub second: String,
}

pub(super) struct Remark {
    /// When, where it is told in words.
    pub at: Option<String>,
    pub x: u64,
    pub what: String,
}

impl Timeline {
    pub fn of(record: &TimelineRecord) -> Self {
        let total = record.step_us.saturating_mul(record.steps as u64) / 1000;
        let remarks = record.remarks.iter().take(MOST_REMARKS);
        let remarks = remarks.enumerate().map(|(place, remark)| Remark {
            at: (place < MOST_TOLD).then(|| seconds(remark.at_ms)),
            x: (remark.at_ms.saturating_mul(WIDTH) / total.max(1)).min(WIDTH),
            what: line(&remark.what),
        });
        Self {
            took: seconds(total),
            sent: record.sent.iter().take(MOST_LANES).map(bars).collect(),
            functions: record
                .functions
                .iter()
                .take(MOST_LANES)
                .map(curve)
                .collect(),
            more: record.remarks.len().saturating_sub(MOST_TOLD),
            remarks: remarks.collect(),
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1000, ms % 1000 / 10)
}

/// The left edge of a step.
fn x(step: usize, steps: usize) -> u64 {
    step as u64 * WIDTH / steps.max(1) as u64
}

/// A bar a step in which something was sent. Its height grows with the digits of how often: once is to be seen beside a flood.
fn bars(sent: &SentRecord) -> Lane {
    let values = &sent.count.0;
    let mut shape = String::new();
    for (step, count) in values.iter().enumerate() {
        let count = count.unwrap_or(0);
        if count == 0 {
            continue;
        }
        let height = (4 + 2 * u64::from(count.ilog2())).min(BARS);
        let (left, right) = (x(step, values.len()), x(step + 1, values.len()));
        let width = (right - left).saturating_sub(2).max(2);
        shape.push_str(&format!("M{left} {BARS}v-{height}h{width}v{height}z"));
    }
    let total: u64 = values
        .iter()
        .flatten()
        .fold(0, |sum, one| sum.saturating_add(*one));
    Lane {
        name: line(&sent.line),
        words: match total {
            1 => "once".to_owned(),
            _ => format!("{total} times"),
        },
        over: false,
        height: BARS,
        shape,
        second: String::new(),
    }
}

/// How far a function was from what is not allowed any more, step by step.
fn curve(function: &FunctionRecord) -> Lane {
    let longest = function.longest_ms.most();
    let farthest = function.farthest.as_ref().and_then(Series::most);
    let mut words = match longest {
        Some(longest) => format!("gap {longest} of {} ms", function.allowed_ms),
        None => "not asked".to_owned(),
    };
    let mut second = String::new();
    let mut over = longest.is_some_and(|longest| longest > function.allowed_ms);
    if let (Some(tolerance), Some(series)) = (function.tolerance, &function.farthest) {
        if let Some(farthest) = farthest {
            words.push_str(&format!(", off by {farthest} of {tolerance}"));
            over |= farthest > tolerance;
        }
        second = path(series, tolerance, false);
    }
    Lane {
        name: line(&function.function),
        words,
        over,
        height: CURVE,
        shape: path(&function.longest_ms, function.allowed_ms, true),
        second,
    }
}

/// A line through the values, or the area under it, with a gap where there is none. What is far over the limit is cut off.
/// Steps that are drawn at the same height are one: most curves hardly move, and a page may have ten thousand of them.
fn path(series: &Series, limit: u64, filled: bool) -> String {
    let steps = series.0.len();
    let y = |value: u64| {
        let part = u128::from(value) * u128::from(CURVE - LIMIT) / u128::from(limit.max(1));
        CURVE - u64::try_from(part).unwrap_or(CURVE).clamp(1, CURVE - 1)
    };
    let heights: Vec<Option<u64>> = series.0.iter().map(|value| value.map(y)).collect();
    let mut path = String::new();
    let (mut step, mut last) = (0, None);
    for run in heights.chunk_by(|one, next| one == next) {
        let (left, right) = (x(step, steps), x(step + run.len(), steps));
        match (run[0], last) {
            (None, Some(_)) if filled => path.push_str(&format!("V{CURVE}z")),
            (None, _) => {}
            (Some(y), None) if filled => path.push_str(&format!("M{left} {CURVE}V{y}H{right}")),
            (Some(y), None) => path.push_str(&format!("M{left} {y}H{right}")),
            (Some(y), Some(_)) => path.push_str(&format!("V{y}H{right}")),
        }
        (step, last) = (step + run.len(), run[0]);
    }
    if filled && last.is_some() {
        path.push_str(&format!("V{CURVE}z"));
    }
    path
}
