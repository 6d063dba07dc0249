//! Trials as libtest-mimic runs them.

use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Completion, Failed};
use slcert_reports::{Verdict, escape};
use slcert_suites::Trial;

use super::Runner;

/// A trial as libtest-mimic runs it.
pub fn mimic(runner: &Arc<Runner>, trial: Trial) -> libtest_mimic::Trial {
    let runner = Arc::clone(runner);
    libtest_mimic::Trial::ignorable_test(trial.id(), move || complete(&runner, &trial))
}

/// A trial as libtest-mimic runs it on whichever of several benches is free: as many threads have to run as there are
/// benches.
pub fn mimic_on_one_of(benches: &Benches, trial: Trial) -> libtest_mimic::Trial {
    let benches = Arc::clone(benches);
    libtest_mimic::Trial::ignorable_test(trial.id(), move || {
        let free = || benches.lock().unwrap_or_else(PoisonError::into_inner);
        let runner = free().pop();
        let runner = runner.ok_or_else(|| Failed::from("no bench is free"))?;
        let completed = complete(&runner, &trial);
        free().push(runner);
        completed
    })
}

/// Benches that no trial uses now.
pub type Benches = Arc<Mutex<Vec<Arc<Runner>>>>;

fn complete(runner: &Runner, trial: &Trial) -> Result<Completion, Failed> {
    let Some(record) = runner.run(trial) else {
        return Ok(Completion::ignored_with("interrupted"));
    };
    let reason = escape(&record.reason);
    match record.verdict {
        Verdict::Pass => Ok(Completion::Completed),
        Verdict::NotApplicable | Verdict::NotEvaluated | Verdict::Review => Ok(
            Completion::ignored_with(format!("{}: {reason}", record.verdict)),
        ),
        Verdict::Fail | Verdict::Inconclusive => {
            Err(Failed::from(format!("{}: {reason}", record.verdict)))
        }
    }
}
