//! What a campaign tells GitHub Actions: an annotation for what failed.

use crate::assess::Assessment;
use crate::escape::{one_line, shorten};
use crate::record::{Record, TrialRecord};
use crate::verdict::Verdict;

/// How many annotations of one kind a step may make; GitHub drops the rest without a word.
const MOST: usize = 10;
/// The longest text of one.
const LONGEST: usize = 500;

/// The workflow commands that annotate each FAIL as an error and each INCONCLUSIVE as a warning.
pub fn annotations(record: &Record, assessment: &Assessment) -> String {
    let mut commands = String::new();
    for (verdict, kind) in [(Verdict::Fail, "error"), (Verdict::Inconclusive, "warning")] {
        let of_verdict =
            |trial: &&TrialRecord| trial.verdict == verdict && is_claimed(trial, assessment);
        let trials: Vec<_> = record.trials.iter().filter(of_verdict).collect();
        let shown = if trials.len() > MOST {
            MOST - 1
        } else {
            trials.len()
        };
        for trial in &trials[..shown] {
            commands.push_str(&command(
                kind,
                &format!("{verdict} {}", trial.id),
                &trial.reason,
            ));
        }
        if trials.len() > shown {
            let more = format!(
                "and {} more, in summary.md and report.html",
                trials.len() - shown
            );
            commands.push_str(&command(kind, verdict.word(), &more));
        }
    }
    commands
}

fn is_claimed(trial: &TrialRecord, assessment: &Assessment) -> bool {
    trial
        .requirements
        .iter()
        .any(|id| assessment.get(*id).is_some_and(|row| row.claimed))
}

fn command(kind: &str, title: &str, message: &str) -> String {
    let title = escaped(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{kind} title={title}::{}\n", escaped(message))
}

fn escaped(text: &str) -> String {
    shorten(&one_line(text), LONGEST).replace('%', "%25")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::assess;
    use crate::example::{record, trial};

    #[test]
    fn a_fail_is_an_error_and_an_inconclusive_trial_a_warning() {
        let record = record();
        let expected = "::error title=FAIL CR-1.11/lockout@console::7 attempts were taken, 5 are stated\n\
                        ::warning title=INCONCLUSIVE CR-1.3/accounts@console::the console went silent, twice\n";
        assert_eq!(annotations(&record, &assess(&record)), expected);
    }

    #[test]
    fn a_device_gives_no_commands() {
        let mut record = record();
        record.trials[0].reason = "100%\r\n::error::mine\n##[error]x %0A::stop".to_owned();
        record.trials[0].id = "a,b:c\n::x".to_owned();
        let text = annotations(&record, &assess(&record));
        let first = text.lines().next().unwrap();
        assert_eq!(
            first,
            "::error title=FAIL a%2Cb%3Ac %3A%3Ax::100%25\\x0d ::error::mine ##\\x5berror]x %250A::stop"
        );
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn more_than_ten_are_counted() {
        let mut record = record();
        for number in 0..20 {
            let case = format!("case{number}");
            record
                .trials
                .push(trial("CR 1.11", &case, None, Verdict::Fail, "no"));
        }
        let text = annotations(&record, &assess(&record));
        assert_eq!(text.matches("::error ").count(), 10);
        assert!(text.contains("and 12 more"), "{text}");
    }
}
