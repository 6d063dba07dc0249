//! The monitor: watches the essential functions during every trial.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::curve::{Curve, Reading};
use super::{Bench, Entry, Session, Who};
use crate::attempt::Attempt;
use crate::line::WATCHING;
use crate::rig::{Essential, Expectation, Values};

/// A time in which an essential function was not right.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The function.
    pub function: String,
    /// Since when there was no right reading.
    pub since: Instant,
    /// When it was right again; none while it is not.
    pub until: Option<Instant>,
    /// What was read instead.
    pub seen: String,
}

/// How an essential function bore up since the bench was asked to note it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strain {
    /// The function.
    pub function: String,
    /// The longest time without a right reading.
    pub longest: Duration,
    /// How long it may go without one.
    pub allowed: Duration,
    /// How many readings were right.
    pub right: u64,
    /// How far the farthest reading was from the value that it has to stay near, and how far it may be.
    pub farthest: Option<(u64, u64)>,
}

impl Strain {
    /// Whether it was right as often as it has to be.
    pub fn held(&self) -> bool {
        self.right > 0 && self.longest <= self.allowed
    }

    /// In words, for a report.
    pub fn words(&self) -> String {
        let mut words = format!(
            "`{}` {} readings right, at most {} ms apart",
            self.function,
            self.right,
            self.longest.as_millis()
        );
        if let Some((farthest, _)) = self.farthest {
            words.push_str(&format!(", at most {farthest} off"));
        }
        words
    }
}

/// What the watch notes for [`Strain`].
#[derive(Debug)]
struct Noted {
    name: String,
    allowed: Duration,
    tolerance: Option<u64>,
    /// The end of the last right reading.
    last: Instant,
    longest: Duration,
    right: u64,
    farthest: u64,
}

/// The notes of a bench's watches.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Vec<Noted>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Vec<Noted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        let now = Instant::now();
        for noted in self.lock().iter_mut() {
            (noted.last, noted.longest) = (now, Duration::ZERO);
            (noted.right, noted.farthest) = (0, 0);
        }
    }

    fn read(&self) -> Vec<Strain> {
        let strain = |noted: &Noted| Strain {
            function: noted.name.clone(),
            longest: noted.longest.max(noted.last.elapsed()),
            allowed: noted.allowed,
            right: noted.right,
            farthest: noted.tolerance.map(|tolerance| (noted.farthest, tolerance)),
        };
        self.lock().iter().map(strain).collect()
    }
}

impl Bench {
    /// Begins to note anew how the essential functions bear up.
    pub fn note_strain(&self) {
        self.notes.begin();
    }

    /// How the essential functions have borne up since [`Bench::note_strain`]; nothing where none is watched.
    pub fn strain(&self) -> Vec<Strain> {
        self.notes.read()
    }
}

/// Watches the essential functions of a bench's device. Dropping it ends the watch.
pub struct Monitor {
    tasks: Vec<JoinHandle<()>>,
    /// The longest time that any function may go without a right reading, with one period more.
    longest: Duration,
    state: Arc<Mutex<State>>,
    /// Asks every watch for a reading out of its turn.
    prompt: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    violations: Vec<Violation>,
    /// Functions that had a right reading, and when the last one was.
    right: Vec<(String, Option<Instant>)>,
}

/// The most violations that are kept.
const MAX_KEPT: usize = 1000;

impl Monitor {
    /// Starts to watch.
    pub fn start(bench: &Arc<Bench>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (prompt, prompted) = watch::channel(());
        let mut tasks = Vec::new();
        bench.notes.lock().clear();
        let mut curves = Vec::new();
        for (at, (name, essential)) in bench.rig().essential.iter().enumerate() {
            let tolerance = match essential.expect {
                Expectation::Near { tolerance, .. } => Some(tolerance.unsigned_abs()),
                _ => None,
            };
            curves.push(Curve::new(name.as_str(), essential.within.0, tolerance));
            bench.notes.lock().push(Noted {
                name: name.as_str().to_owned(),
                allowed: essential.within.0,
                tolerance,
                last: Instant::now(),
                longest: Duration::ZERO,
                right: 0,
                farthest: 0,
            });
            lock(&state).right.push((name.as_str().to_owned(), None));
            let watch = Watch {
                at,
                name: name.as_str().to_owned(),
                essential: essential.clone(),
                state: Arc::clone(&state),
                prompted: prompted.clone(),
            };
            let watching = WATCHING.scope((), watch.run(Arc::clone(bench)));
            tasks.push(tokio::spawn(watching));
        }
        bench.curves.watch(curves);
        let longest = bench.rig().essential.values();
        let longest = longest
            .map(|one| one.within.0 + one.period.0)
            .max()
            .unwrap_or_default();
        Self {
            tasks,
            longest,
            state,
            prompt,
        }
    }

    /// Waits until every essential function has a right reading that is newer than the call.
    ///
    /// # Errors
    /// The functions that had none within `limit`.
    pub async fn healthy(&self, limit: Duration) -> Result<(), Vec<String>> {
        let began = Instant::now();
        self.prompt.send_replace(());
        loop {
            let behind: Vec<String> = lock(&self.state)
                .right
                .iter()
                .filter(|(_, right)| right.is_none_or(|at| at < began))
                .map(|(name, _)| name.clone())
                .collect();
            if behind.is_empty() {
                return Ok(());
            }
            if began.elapsed() > limit {
                return Err(behind);
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every essential function has a right reading that is newer than `moment`, for as long as each may go
    /// without one.
    ///
    /// # Errors
    /// The functions that had none.
    pub async fn right_since(&self, moment: Instant) -> Result<(), Vec<String>> {
        self.prompt.send_replace(());
        loop {
            let behind: Vec<String> = {
                let state = lock(&self.state);
                let behind = state
                    .right
                    .iter()
                    .filter(|(_, right)| right.is_none_or(|at| at < moment));
                behind.map(|(name, _)| name.clone()).collect()
            };
            if behind.is_empty() {
                return Ok(());
            }
            if moment.elapsed() > self.longest {
                return Err(behind);
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The times, since a moment, in which a function was not right.
    pub fn violations_since(&self, moment: Instant) -> Vec<Violation> {
        lock(&self.state)
            .violations
            .iter()
            .filter(|violation| violation.until.is_none_or(|until| until >= moment))
            .cloned()
            .collect()
    }

    /// How many functions are watched.
    pub fn functions(&self) -> usize {
        lock(&self.state).right.len()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The watch over one function.
struct Watch {
    at: usize,
    name: String,
    essential: Essential,
    state: Arc<Mutex<State>>,
    /// Somebody waits for a reading.
    prompted: watch::Receiver<()>,
}

impl Watch {
    async fn run(mut self, bench: Arc<Bench>) {
        // Whether somebody asks for this reading, and whether it follows one that was asked for.
        let (mut asked, mut soon) = (false, false);
        let mut session = None;
        let mut before: Option<String> = None;
        let mut last_right = Instant::now();
        let mut read_before = Instant::now();
        loop {
            let began = Instant::now();
            let moves = matches!(self.essential.expect, Expectation::Moves);
            // It takes two readings to see something move.
            let follows = asked && moves;
            let period = self.essential.period.0;
            let next = began + if follows { period / 4 } else { period };
            let down = bench.is_down();
            let read = self.read(&bench, &mut session).await;
            let still = before.is_some() && read.as_ref().ok() == before.as_ref();
            if moves && still && (asked || soon) {
                // That it has not moved in less than its period says nothing; it may from here on.
                read_before = began;
                (asked, soon) = (is_prompted(&mut self.prompted, next).await, follows);
                continue;
            }
            // Masked before anything is cut or quoted: half a secret is found by nobody.
            let shown = match &read {
                Ok(value) => Ok(bench.conceal(value)),
                Err(why) => Err(bench.conceal(why)),
            };
            let mut reading = Reading {
                asked: began,
                took: began.elapsed(),
                seen: shown,
                off: None,
                right: false,
                without: last_right.elapsed(),
                excused: down,
                of: 1,
            };
            let seen = match read {
                Ok(value) => {
                    let right = is_right(&self.essential.expect, &value, before.as_deref());
                    (reading.right, reading.off) = (right, off(&self.essential.expect, &value));
                    self.note_reading(&bench, &reading);
                    let since = read_before;
                    read_before = began;
                    let first = before.is_none();
                    before = Some(value.clone());
                    if right {
                        last_right = Instant::now();
                        // That something moves is known for the time between two readings.
                        self.note_right(match self.essential.expect {
                            Expectation::Moves => since,
                            _ => began,
                        });
                        None
                    } else if first {
                        None
                    } else {
                        Some(value)
                    }
                }
                Err(why) => {
                    session = None;
                    Some(why)
                }
            };
            reading.excused |= bench.is_down();
            let excused = reading.excused;
            bench.curves.add(self.at, reading);
            if excused {
                // The bench itself has cut the power: nothing can be expected of the device.
                last_right = Instant::now();
                self.note_pause(&bench);
            } else if let Some(seen) = seen
                && last_right.elapsed() > self.essential.within.0
            {
                self.note_wrong(last_right, bench.conceal(&seen));
            }
            (asked, soon) = (is_prompted(&mut self.prompted, next).await, follows);
        }
    }

    async fn read(&self, bench: &Bench, session: &mut Option<Session>) -> Result<String, String> {
        let limit = self.essential.within.0.max(Duration::from_millis(500));
        let reading = async {
            if session.is_none() {
                let who = match &self.essential.account {
                    Some(account) => Who::Account(account.as_str()),
                    None => Who::Nobody,
                };
                match bench.enter(self.essential.interface.as_str(), &who).await {
                    Ok(Entry::In(opened)) => *session = Some(opened),
                    Ok(Entry::Refused(answer)) => {
                        return Err(format!("not let in: {}", answer.text));
                    }
                    Err(error) => return Err(error.to_string()),
                }
            }
            let Some(open) = session.as_mut() else {
                return Err("no session".to_owned());
            };
            match open
                .perform(self.essential.operation.as_str(), &Values::new())
                .await
            {
                Ok(Attempt::Done(answer)) => Ok(answer.value.unwrap_or(answer.text)),
                Ok(other) => Err(other.answer().text.clone()),
                Err(error) => Err(error.to_string()),
            }
        };
        tokio::time::timeout(limit, reading)
            .await
            .unwrap_or_else(|_| Err("no answer".to_owned()))
    }

    fn note_reading(&self, bench: &Bench, reading: &Reading) {
        let mut notes = bench.notes.lock();
        let Some(noted) = notes.get_mut(self.at) else {
            return;
        };
        noted.farthest = noted.farthest.max(reading.off.unwrap_or(0));
        if reading.right {
            noted.longest = noted.longest.max(noted.last.elapsed());
            noted.last = Instant::now();
            noted.right += 1;
        }
    }

    /// Nothing was expected of the device.
    fn note_pause(&self, bench: &Bench) {
        if let Some(noted) = bench.notes.lock().get_mut(self.at) {
            noted.last = Instant::now();
        }
    }

    fn note_right(&self, at: Instant) {
        let mut state = lock(&self.state);
        if let Some((_, right)) = state.right.get_mut(self.at) {
            *right = Some(at);
        }
        for violation in &mut state.violations {
            if violation.function == self.name && violation.until.is_none() {
                violation.until = Some(at);
            }
        }
    }

    fn note_wrong(&self, since: Instant, seen: String) {
        let mut state = lock(&self.state);
        let open = state
            .violations
            .iter()
            .any(|one| one.function == self.name && one.until.is_none());
        if !open && state.violations.len() < MAX_KEPT {
            state.violations.push(Violation {
                function: self.name.clone(),
                since,
                until: None,
                seen,
            });
        }
    }
}

/// Waits for the time of the next reading, or until somebody asks for one before.
async fn is_prompted(prompted: &mut watch::Receiver<()>, next: Instant) -> bool {
    tokio::select! {
        () = tokio::time::sleep_until(next) => false,
        Ok(()) = prompted.changed() => true,
    }
}

/// How far a value is from the one that it has to stay near.
fn off(expect: &Expectation, value: &str) -> Option<u64> {
    let Expectation::Near { value: near, .. } = expect else {
        return None;
    };
    let read = value.trim().parse::<i64>().ok()?;
    Some(read.abs_diff(*near))
}

fn is_right(expect: &Expectation, value: &str, before: Option<&str>) -> bool {
    match expect {
        Expectation::Answers => true,
        Expectation::Moves => before.is_some_and(|before| before != value),
        Expectation::Near { tolerance, .. } => {
            let most = u64::try_from(*tolerance);
            off(expect, value).is_some_and(|off| most.is_ok_and(|most| off <= most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes of a function that may go a second without a right reading.
    fn notes(last: Instant, longest: Duration, right: u64) -> Notes {
        Notes(Mutex::new(vec![Noted {
            name: "level".to_owned(),
            allowed: Duration::from_secs(1),
            tolerance: Some(20),
            last,
            longest,
            right,
            farthest: 7,
        }]))
    }

    #[test]
    fn a_function_holds_that_is_right_often_enough() {
        let read = notes(Instant::now(), Duration::from_millis(900), 3).read();
        assert!(read[0].held());
        assert_eq!(
            read[0].words(),
            "`level` 3 readings right, at most 900 ms apart, at most 7 off"
        );
    }

    #[test]
    fn a_function_does_not_hold_that_was_never_right_or_not_for_too_long() {
        let now = Instant::now();
        assert!(!notes(now, Duration::ZERO, 0).read()[0].held());
        assert!(!notes(now, Duration::from_millis(1_001), 9).read()[0].held());
        // The time since the last right reading counts, also where none came after it.
        let before = now - Duration::from_secs(2);
        assert!(!notes(before, Duration::ZERO, 9).read()[0].held());
    }

    #[tokio::test]
    async fn a_reading_comes_in_its_turn_or_when_somebody_waits_for_it() {
        let (prompt, mut prompted) = watch::channel(());
        assert!(!is_prompted(&mut prompted, Instant::now()).await);
        // Asked for while the one before was under way.
        prompt.send_replace(());
        let hour = Instant::now() + Duration::from_secs(3600);
        let asked = is_prompted(&mut prompted, hour);
        let asked = tokio::time::timeout(Duration::from_secs(10), asked).await;
        assert_eq!(asked, Ok(true));
        // Once, not for ever; and without anybody who could ask, in turn.
        assert!(!is_prompted(&mut prompted, Instant::now()).await);
        drop(prompt);
        assert!(!is_prompted(&mut prompted, Instant::now()).await);
    }

    #[test]
    fn no_value_is_so_far_off_that_it_is_right_again() {
        let near = Expectation::Near {
            value: 500,
            tolerance: 20,
        };
        assert!(is_right(&near, "480", None) && is_right(&near, " 520 ", None));
        // Its distance is more than a signed number holds.
        let far = (i64::MIN + 500).to_string();
        for value in ["479", "521", "nothing", &far, &i64::MAX.to_string()] {
            assert!(!is_right(&near, value, None), "{value}");
        }
    }
}
