//! Where the time of a campaign goes: before it, an estimate; after it, what was spent.

use std::collections::BTreeMap;
use std::time::Duration;

use slcert_reports::escape;
use slcert_reports::record::TrialRecord;
use slcert_rigs::rig::{InterfaceKind, Rig};
use slcert_suites::Trial;
use slcert_suites::case::Kind;

/// What a trial takes beside its waits: on a console, where each command waits for its prompt, and elsewhere. Measured on the simulated device.
const ON_A_CONSOLE: Duration = Duration::from_millis(1200);
const ELSEWHERE: Duration = Duration::from_millis(500);

/// About how long a trial takes.
pub fn estimate(trial: &Trial, rig: &Rig) -> Duration {
    if trial.blocked.is_some() || trial.case.kind == Kind::Inspection {
        return Duration::ZERO;
    }
    let interface = trial
        .interface
        .as_deref()
        .and_then(|name| rig.interface(name));
    let work = match interface.map(|interface| interface.kind) {
        Some(InterfaceKind::Console) => ON_A_CONSOLE,
        _ => ELSEWHERE,
    };
    let inputs = match trial.case.kind {
        Kind::Fuzz => slcert_suites::fuzz::TIME,
        _ => Duration::ZERO,
    };
    trial.waits(rig) + work + inputs
}

/// Where the time went, in lines for the terminal: in all, what could not have been shorter, and the longest trials.
pub(super) fn spent(trials: &[TrialRecord]) -> String {
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
    let all: u64 = trials.iter().map(|trial| trial.duration_ms).sum();
    let waited: u64 = trials.iter().map(|trial| trial.waited_ms).sum();
    let mut text = format!(
        "time     {} of trials, {} of it waiting for the device's own timers\n",
        seconds(all),
        seconds(waited)
    );
    text.push_str(&format!(
        "         {} is the longest chain of what cannot overlap\n",
        seconds(longest_chain(trials))
    ));
    text.push_str("         the longest:\n");
    let mut longest: Vec<_> = trials.iter().collect();
    longest.sort_by_key(|trial| std::cmp::Reverse(trial.duration_ms));
    for trial in longest.iter().take(LONGEST_TRIALS) {
        let id = escape(&trial.id);
        text.push_str(&format!(
            "         {:>8}  {id}\n",
            seconds(trial.duration_ms)
        ));
    }
    text
}

/// The longest chain of what cannot overlap, in milliseconds: all that the bench does, the waits that are about the whole device, and
/// the waits on the interface with the most of them. Waits on different interfaces could overlap, if nothing else did.
fn longest_chain(trials: &[TrialRecord]) -> u64 {
    let mut work = 0;
    let mut waits: BTreeMap<&str, u64> = BTreeMap::new();
    for trial in trials {
        work += trial.duration_ms.saturating_sub(trial.waited_ms);
        match &trial.interface {
            Some(interface) => *waits.entry(interface).or_default() += trial.waited_ms,
            None => work += trial.waited_ms,
        }
    }
    work + waits.into_values().max().unwrap_or_default()
}

/// How many of the longest trials are shown.
const LONGEST_TRIALS: usize = 5;

#[cfg(test)]
mod tests {
    use slcert_reports::Verdict;

    use super::*;

    fn trial(interface: Option<&str>, duration_ms: u64, waited_ms: u64) -> TrialRecord {
        TrialRecord {
            id: "CR-2.5/idle".to_owned(),
            case: "idle".to_owned(),
            title: String::new(),
            requirements: Vec::new(),
            interface: interface.map(str::to_owned),
            verdict: Verdict::Pass,
            reason: String::new(),
            checks: Vec::new(),
            started: jiff::Timestamp::UNIX_EPOCH,
            duration_ms,
            waited_ms,
            svv: String::new(),
            objective: String::new(),
            criterion: String::new(),
            timeline: None,
            evidence: Vec::new(),
        }
    }

    #[test]
    fn waits_on_different_interfaces_are_not_of_one_chain() {
        let trials = [
            trial(Some("console"), 1_000, 600),
            trial(Some("console"), 500, 300),
            trial(Some("gateway"), 900, 800),
            trial(None, 700, 700),
        ];
        // 400 + 200 + 100 of work, 700 about the whole device, 900 on the console.
        assert_eq!(longest_chain(&trials), 2_300);
    }

    #[test]
    fn the_lines_read_as_they_should() {
        let trials = [
            trial(Some("console"), 1_000, 600),
            trial(Some("gateway"), 2_500, 800),
        ];
        let lines = "\
time     3.5 s of trials, 1.4 s of it waiting for the device's own timers
         2.9 s is the longest chain of what cannot overlap
         the longest:
            2.5 s  CR-2.5/idle
            1.0 s  CR-2.5/idle
";
        assert_eq!(spent(&trials), lines);
    }

    #[test]
    fn a_clock_that_was_wrong_ends_in_no_panic() {
        assert_eq!(longest_chain(&[trial(Some("console"), 1, 5)]), 5);
    }
}
