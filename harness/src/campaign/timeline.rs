//! What happened when in a trial: every reading of the essential functions as a file, and a timeline for the record.

use std::time::Duration;

use slcert_reports::csv;
use slcert_reports::excerpt;
use slcert_reports::timeline::{FunctionRecord, RemarkRecord, SentRecord, Series, TimelineRecord};
use slcert_rigs::bench::Curve;
use slcert_rigs::line::Recording;
use tokio::time::Instant;

/// How many steps a timeline has.
const STEPS: usize = 80;
/// The most lines and remarks of one.
const MOST_LINES: usize = 12;
const MOST_REMARKS: usize = 24;
/// The longest value of a reading, and the longest remark.
const LONGEST: usize = 120;

const COLUMNS: [&str; 11] = [
    "function",
    "asked at (ms)",
    "answered after (ms)",
    "value",
    "off",
    "off at most",
    "right",
    "without a right reading (ms)",
    "at most (ms)",
    "excused",
    "worst of",
];

/// The readings of the essential functions in a trial that began then, as CSV; none where none is watched.
pub(super) fn readings(curves: &[Curve], began: Instant) -> Option<String> {
    let mut text = csv::line(COLUMNS);
    let header = text.len();
    for curve in curves {
        for reading in &curve.readings {
            let millis = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
            let number = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
            let yes = |is: bool| if is { "yes" } else { "no" };
            let seen = match &reading.seen {
                Ok(value) => value.clone(),
                Err(why) => format!("none: {why}"),
            };
            let at = reading.asked.saturating_duration_since(began);
            text.push_str(&csv::line([
                curve.function.as_str(),
                &millis(at),
                &millis(reading.took),
                &excerpt(&seen, LONGEST),
                &number(reading.off),
                &number(curve.tolerance),
                yes(reading.right),
                &millis(reading.without),
                &millis(curve.allowed),
                yes(reading.excused),
                &reading.of.to_string(),
            ]));
        }
    }
    (text.len() > header).then_some(text)
}

/// The timeline of a trial that began then and took this long.
pub(super) fn timeline(
    recording: &Recording,
    curves: &[Curve],
    began: Instant,
    took: Duration,
) -> TimelineRecord {
    let step = step(took);
    TimelineRecord {
        step_us: step.as_micros() as u64,
        steps: STEPS,
        sent: sent(recording, step),
        functions: curves
            .iter()
            .map(|curve| function(curve, began, took))
            .collect(),
        remarks: remarks(recording),
    }
}

fn step(took: Duration) -> Duration {
    took.max(Duration::from_millis(1)) / STEPS as u32
}

fn step_of(at: Duration, step: Duration) -> usize {
    let place = at.as_nanos() / step.as_nanos().max(1);
    usize::try_from(place).unwrap_or(STEPS).min(STEPS - 1)
}

/// What was sent over each line. What is under TLS and what is on its wire are one line.
fn sent(recording: &Recording, step: Duration) -> Vec<SentRecord> {
    let activity = recording.activity();
    let mut sent: Vec<SentRecord> = Vec::new();
    for (name, counts) in &activity.lines {
        let name = name.strip_suffix(".wire").unwrap_or(name);
        let place = sent.iter().position(|one| one.line == name);
        let place = match place {
            Some(place) => place,
            None if sent.len() < MOST_LINES => {
                sent.push(SentRecord {
                    line: name.to_owned(),
                    count: Series(vec![Some(0); STEPS]),
                });
                sent.len() - 1
            }
            None => continue,
        };
        for (at, count) in (0..).zip(counts) {
            let value = &mut sent[place].count.0[step_of(activity.step * at, step)];
            *value = value.map(|value| value + u64::from(*count));
        }
    }
    sent
}

/// A function's curve. The time without a right reading grows until there is one, so that each step has a value whose own
/// time has no reading in it.
fn function(curve: &Curve, began: Instant, took: Duration) -> FunctionRecord {
    let step = step(took);
    let mut longest = vec![None; STEPS];
    let mut farthest = vec![None; STEPS];
    let mut from = Duration::ZERO;
    let mut right = None;
    for reading in &curve.readings {
        let read = (reading.asked + reading.took).saturating_duration_since(began);
        let off = reading.off.filter(|_| !reading.excused);
        for place in step_of(from, step)..=step_of(read, step) {
            // How long there had been none when the step ended, or the reading came.
            let left = read.saturating_sub(step * (place as u32 + 1));
            let without = reading.without.saturating_sub(left);
            let without = (!reading.excused).then_some(without.as_millis() as u64);
            longest[place] = longest[place].max(without);
            farthest[place] = farthest[place].max(off);
        }
        from = read;
        right = match reading.right || reading.excused {
            true => Some(read),
            false => right,
        };
    }
    // After the last one.
    let right = right.unwrap_or_default();
    for (place, longest) in (0..).zip(&mut longest).skip(step_of(from, step)) {
        let end = took.min(step * (place + 1));
        let without = end.saturating_sub(right).as_millis() as u64;
        *longest = (*longest).max(Some(without));
    }
    FunctionRecord {
        function: curve.function.clone(),
        allowed_ms: curve.allowed.as_millis() as u64,
        longest_ms: Series(longest),
        tolerance: curve.tolerance,
        farthest: curve.tolerance.map(|_| Series(farthest)),
    }
}

fn remarks(recording: &Recording) -> Vec<RemarkRecord> {
    let all = recording.remarks();
    let more = all.len().saturating_sub(MOST_REMARKS);
    let remarks = all.into_iter().take(MOST_REMARKS);
    let mut remarks: Vec<_> = remarks
        .map(|(at, line, text)| {
            // It is escaped already.
            let text: String = text.chars().take(LONGEST).collect();
            RemarkRecord {
                at_ms: at.as_millis() as u64,
                what: format!("{line}: {text}"),
            }
        })
        .collect();
    if let Some(last) = remarks.last_mut().filter(|_| more > 0) {
        last.what.push_str(&format!("; and {more} more"));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use slcert_rigs::bench::Reading;

    use super::*;

    /// A reading that came so many milliseconds after the beginning.
    fn reading(began: Instant, at: u64, without: u64, right: bool) -> Reading {
        Reading {
            asked: began + Duration::from_millis(at),
            took: Duration::ZERO,
            seen: Ok("500".to_owned()),
            off: Some(at / 100),
            right,
            without: Duration::from_millis(without),
            excused: false,
            of: 1,
        }
    }

    fn curve(readings: impl IntoIterator<Item = Reading>) -> Curve {
        let mut curve = Curve::new("level", Duration::from_secs(1), Some(20));
        readings.into_iter().for_each(|reading| curve.add(reading));
        curve
    }

    #[test]
    fn the_time_without_a_right_reading_grows_until_there_is_one() {
        let began = Instant::now();
        let one = |at, without, right| reading(began, at, without, right);
        // The readings between are wrong.
        let read = [
            one(0, 30, true),
            one(200, 200, false),
            one(400, 400, true),
            one(450, 50, true),
        ];
        let curve = function(&curve(read), began, Duration::from_millis(800));
        let at = |place: usize| curve.longest_ms.0[place];
        assert_eq!(curve.longest_ms.most(), Some(400));
        assert_eq!([at(10), at(30), at(39)], [Some(110), Some(310), Some(400)]);
        assert_eq!([at(41), at(44), at(50)], [Some(20), Some(50), Some(60)]);
        // And to the end, where none came after the last.
        assert_eq!(at(79), Some(350));
        assert_eq!(curve.farthest.unwrap().most(), Some(4));
    }

    #[test]
    fn what_is_excused_is_a_gap() {
        let began = Instant::now();
        let excused = Reading {
            excused: true,
            ..reading(began, 400, 9_000, false)
        };
        let read = [
            reading(began, 0, 30, true),
            excused,
            reading(began, 500, 100, true),
        ];
        let curve = function(&curve(read), began, Duration::from_millis(800));
        assert_eq!(curve.longest_ms.0[20], None);
        assert!(curve.longest_ms.most() < Some(400));
    }

    #[test]
    fn readings_are_no_formulas_and_stay_on_their_line() {
        let began = Instant::now();
        let hostile = Reading {
            seen: Err("=1+1\r\n\x1b[2J\"".to_owned()),
            ..reading(began, 0, 30, true)
        };
        let text = readings(&[curve([hostile])], began).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\x1b') && !text.contains("\"=1"), "{text}");
        assert!(readings(&[curve([])], began).is_none());
    }
}
