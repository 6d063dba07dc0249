//! The engine: sends inputs for as long as the budget lasts, lets every oracle judge, and isolates what they find.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::time::Duration;

use slcert_rigs::bench::Bench;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::comparison::{AGAIN, Comparison};
use super::coverage::Coverage;
use super::device::{Device, SHOWN};
use super::differences::Differences;
use super::finding::{Finding, Oracle};
use super::generate::Source;
use super::idle::{self, Share};
use super::input::Generated;
use super::isolate::{Cause, Isolated, isolate};
use super::memory::Memory;
use super::target::{Later, Target};
use super::window::Window;

/// The time between two looks at the device as a whole, with so many times what one takes at least.
const LOOK: (Duration, u32) = (Duration::from_millis(100), 4);
/// How long isolating one finding may take.
const ISOLATION: Duration = Duration::from_secs(60);
/// How long all findings of a suite may take, with twice the time that inputs are sent for on top.
const ISOLATIONS: Duration = Duration::from_secs(60);
/// The time that is left to other suites, where one takes a part of a budget.
const LEFT: Duration = Duration::from_secs(1);
/// The most findings that are isolated in one suite.
const MAX_FINDINGS: usize = 12;
/// So often an answer may come late that does not when the same is sent again: a bench is late at times, too.
const MAX_LATE: usize = 3;
/// After so many findings of one kind of input, no more of that kind are sent.
const ENOUGH: u64 = 2;

/// How much a suite does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long inputs are sent for; the time that isolation takes comes on top.
    pub time: Duration,
    /// The most inputs; any number where left out.
    pub inputs: Option<u64>,
    /// What makes every input the same again.
    pub seed: u64,
    /// Whether the suite ends at its first finding.
    pub first: bool,
}

impl Budget {
    /// The part of it that a suite takes which stands beside others of its kind: time is left to those.
    pub fn part(self) -> Self {
        Self {
            time: self.time.saturating_sub(LEFT).max(self.time / 2),
            ..self
        }
    }

    /// How long isolating all findings may take, beside the time that inputs are sent for.
    pub fn isolation(&self) -> Duration {
        ISOLATIONS + self.time * 2
    }
}

/// A finding with what isolation made of it.
#[derive(Clone, Debug)]
pub struct Reported {
    /// What isolation came to.
    pub isolated: Isolated,
    /// How often it was seen.
    pub count: u64,
}

/// What a suite came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What the device did.
    pub coverage: Coverage,
    /// What is wrong with it.
    pub reported: Vec<Reported>,
    /// How many inputs were held back because the rig file names a hazard.
    pub held_back: u64,
    /// How many were not sent any more because of what they are known to do.
    pub muted: u64,
    /// The kinds of inputs that are not sent any more.
    pub muted_kinds: BTreeSet<String>,
    /// How long inputs were sent for.
    pub time: Duration,
    /// The operations whose values were read beside the inputs, none of which was an order.
    pub read_back: Vec<String>,
    /// What the device held.
    pub memory: Memory,
    /// What did not come in time, and did when the same was sent again.
    pub late: Vec<Finding>,
    /// Where the device answers otherwise than a reference, where there is one.
    pub differences: Option<Differences>,
    /// Why it ended before the budget was used up.
    pub ended: Option<String>,
    /// Whether that is an interrupt.
    pub interrupted: bool,
}

/// Runs a suite against a device that serves.
///
/// # Errors
/// The device does not serve before anything was sent, or the machine gives no thread.
pub async fn run<T: Target>(bench: &Bench, target: &T, budget: Budget) -> Result<Outcome, String> {
    follow(bench, target, None, budget, pending(), &mut |_| {}).await
}

/// The same until an interrupt, and each finding is told of once it is isolated: it has to be kept whatever comes next. The device
/// is compared with a reference, where there is one.
///
/// # Errors
/// As [`run`].
pub async fn follow<T: Target>(
    bench: &Bench,
    target: &T,
    reference: Option<&T>,
    budget: Budget,
    interrupt: impl Future<Output = ()> + Send,
    told: &mut (dyn FnMut(&Reported) + Send),
) -> Result<Outcome, String> {
    let device = Device::find(bench, target).await?;
    let source = Source::start(target.grammar(), budget.seed)
        .map_err(|error| format!("this machine gives no thread: {error}"))?;
    let outcome = Outcome {
        read_back: device.read_back(),
        ..Outcome::default()
    };
    let comparison = match reference {
        Some(reference) => Some(Comparison::with(reference).await),
        None => None,
    };
    let mut engine = Engine {
        device,
        comparison,
        budget,
        window: Window::default(),
        outcome,
        paused: Duration::ZERO,
        leaked: false,
        share: None,
        restarted: false,
        isolating: None,
        told,
    };
    tokio::select! {
        // An interrupt may reach the bench's own commands, too: what ends with it is no sign of the device.
        biased;
        () = interrupt => engine.interrupted(),
        () = engine.drive(source) => {}
    }
    let compared = engine.comparison.map(Comparison::end);
    Ok(Outcome {
        differences: compared,
        ..engine.outcome
    })
}

struct Engine<'e, T> {
    device: Device<'e, T>,
    comparison: Option<Comparison<'e, T>>,
    budget: Budget,
    window: Window,
    outcome: Outcome,
    /// How long isolation took.
    paused: Duration,
    /// Whether a leak is written down.
    leaked: bool,
    /// What the device wants of a processor.
    share: Option<Share>,
    /// Whether it was restarted to compare that.
    restarted: bool,
    /// What is being isolated.
    isolating: Option<Finding>,
    told: &'e mut (dyn FnMut(&Reported) + Send),
}

impl<T: Target> Engine<'_, T> {
    async fn drive(&mut self, mut source: Source) {
        let began = Instant::now();
        let mut looked = began;
        let mut link = None;
        let mut open = Open::default();
        let mut compared = self.comparison.is_none();
        let (least, times) = LOOK;
        let between = least.max(self.device.usual() * times);
        loop {
            let spent = began.elapsed().saturating_sub(self.paused);
            self.outcome.time = spent;
            let over = self.is_over();
            let mut found = open.next(self.device.target.waiting(), over).await;
            if found.is_none() && (over || looked.elapsed() >= between) {
                let restarted = self.restarted;
                found = self.look(over).await;
                if self.restarted != restarted {
                    link = None;
                }
                looked = Instant::now();
            }
            if found.is_none() && !over {
                found = self.send_one(&mut source, &mut link, &mut open).await;
            }
            let nothing = found.is_none();
            self.broke(found, &mut link).await;
            if over && nothing && open.is_empty() {
                if compared || self.outcome.ended.is_some() {
                    return;
                }
                self.compare_again().await;
                compared = true;
            }
        }
    }

    /// What was seen stands, also where there was no time for its cause.
    fn interrupted(&mut self) {
        if let Some(found) = self.isolating.take() {
            self.report(Isolated {
                cut_short: true,
                ..Isolated::unclear(found)
            });
        }
        self.outcome.ended = Some("interrupted".to_owned());
        self.outcome.interrupted = true;
    }

    fn is_over(&self) -> bool {
        let inputs = self.outcome.coverage.inputs();
        self.outcome.time >= self.budget.time
            || self.budget.inputs.is_some_and(|most| inputs >= most)
            || self.outcome.ended.is_some()
    }

    /// Looks at the device as a whole; at the end also at what takes its time to show.
    async fn look(&mut self, over: bool) -> Option<Finding> {
        let found = self.device.look(true).await;
        if let Some(bytes) = self.device.bench.device_memory().await {
            let inputs = self.outcome.coverage.inputs();
            self.outcome.memory.sample(inputs, bytes);
        }
        if found.is_some() {
            return found;
        }
        self.rests(over).await;
        if !over {
            return None;
        }
        let found = self.device.look_last().await;
        if found.is_none() && !self.leaked {
            self.leaks();
        }
        found
    }

    /// Sends the next input that may be sent, and says what is wrong with what came of it.
    async fn send_one(
        &mut self,
        source: &mut Source,
        link: &mut Option<T::Link>,
        open: &mut Open,
    ) -> Option<Finding> {
        let Some(next) = source.another() else {
            self.outcome.ended = Some("the generator failed".to_owned());
            return None;
        };
        if self.device.target.forbidden(&next.input).is_some() {
            self.outcome.held_back += 1;
            return None;
        }
        if self.outcome.muted_kinds.contains(&next.input.label) {
            self.outcome.muted += 1;
            return None;
        }
        if next.input.anew {
            *link = None;
        }
        let anew = link.is_none();
        let opened = match link.take() {
            Some(link) => link,
            None => match self.device.target.open().await {
                Ok(opened) => opened,
                Err(why) => {
                    let whole = self.device.look(true).await;
                    return whole.or_else(|| Some(refused(&why)));
                }
            },
        };
        let input = next.input.clone();
        // To be sent to a reference, too.
        let again = self.comparison.is_some().then(|| next.clone());
        self.window.push(next, anew);
        let delivered = self.device.target.deliver(opened, &input).await;
        let new = self.outcome.coverage.count(&delivered.seen);
        if new {
            source.is_new(&input);
        }
        *link = delivered.link;
        open.add(delivered.later);
        // What brings the device down is for others to judge.
        let whole = |found: &Finding| found.oracle.is_about_the_device();
        if let Some(again) = again
            && !delivered.finding.as_ref().is_some_and(whole)
        {
            self.compare(again, new || delivered.finding.is_some())
                .await;
        }
        delivered.finding
    }

    /// Sends an input to a reference as well, where there is one, and to the device once more. What brought something about goes first.
    async fn compare(&mut self, input: Generated, first: bool) {
        let time = self.outcome.time;
        if let Some(comparison) = &mut self.comparison
            && comparison.takes(first, time)
        {
            self.window.push(input.clone(), true);
            comparison.compare(self.device.target, input).await;
        }
    }

    /// Sends what differs from a reference again. The time that it takes comes on top.
    async fn compare_again(&mut self) {
        let Some(comparison) = &mut self.comparison else {
            return;
        };
        let began = Instant::now();
        let until = began + AGAIN.max(self.outcome.time);
        let unclear = comparison.take_unclear().await;
        for some in unclear.chunks(comparison.at_a_time()) {
            let target = self.device.target;
            if comparison.send_again(target, some, until).await {
                for one in some {
                    self.window.push(one.input.clone(), true);
                }
            }
        }
        self.paused += began.elapsed();
    }

    /// Isolates a finding, and writes it down. One that is known is counted.
    async fn broke(&mut self, found: Option<Finding>, link: &mut Option<T::Link>) {
        let Some(found) = found else { return };
        if !found.oracle.is_about_the_device()
            && let Some(known) = self.known(&found)
        {
            known.count += 1;
            if found.oracle == Oracle::State {
                self.device.restore().await;
            }
            return;
        }
        let began = Instant::now();
        self.isolating = Some(found.clone());
        // As it happened, and below as it was isolated.
        self.device.bench.recorder().keep_window();
        // What an answer lacks may be the device's end.
        let found = match self.device.look(false).await {
            Some(whole) if !found.oracle.is_about_the_device() => whole,
            _ => found,
        };
        self.isolating = Some(found.clone());
        *link = None;
        if let Some(since) = found.since {
            self.window.forget_after(since + SHOWN);
        }
        let left = self.budget.isolation().saturating_sub(self.paused);
        let limit = ISOLATION.min(left);
        let isolated = isolate(&self.device, self.budget.seed, &self.window, &found, limit).await;
        self.isolating = None;
        self.paused += began.elapsed();
        self.device.bench.recorder().keep_window();
        if let Some(why) = &isolated.lost {
            self.outcome.ended = Some(format!(
                "the device did not come back ({why}): switch it off and on by hand; nothing more was sent"
            ));
        }
        // It was switched off and on: what was sent before cannot be the cause of what comes.
        if self.device.bench.can_power_cycle() {
            self.window.clear();
            self.outcome.memory.clear();
        }
        let (confirmed, tries) = isolated.confirmed;
        let again = confirmed * 2 > tries;
        if isolated.finding.by_silence
            && !again
            && isolated.lost.is_none()
            && self.outcome.late.len() < MAX_LATE
        {
            self.outcome.late.push(isolated.finding);
        } else {
            self.report(isolated);
        }
    }

    /// Writes down a leak. It belongs to all inputs, so that there is none to isolate.
    fn leaks(&mut self) {
        if let Some(finding) = self.outcome.memory.grows(self.outcome.time) {
            self.leaked = true;
            self.report(Isolated::unclear(finding));
        }
    }

    /// Writes down that the device does not rest. The time that it takes to be certain of it comes on top.
    async fn rests(&mut self, over: bool) {
        // Once is enough: a device that is busy by itself is no other after the next restart.
        if self.restarted {
            return;
        }
        let bench = self.device.bench;
        let share = match self.share.take() {
            Some(share) if over || share.is_old() => share,
            Some(share) => {
                self.share = Some(share);
                return;
            }
            None => {
                self.share = Share::begin(bench).await;
                return;
            }
        };
        let began = Instant::now();
        if let Some(least) = idle::unrest(bench, &share).await {
            self.restarted = true;
            let found = idle::compare(bench, least).await;
            self.window.clear();
            self.outcome.memory.clear();
            if let Some(finding) = found {
                self.report(Isolated::unclear(finding));
            }
        }
        self.paused += began.elapsed();
    }

    fn known(&mut self, found: &Finding) -> Option<&mut Reported> {
        let mut reported = self.outcome.reported.iter_mut();
        reported.find(|one| {
            one.isolated.finding.is_like(found) && one.isolated.finding.what == found.what
        })
    }

    fn report(&mut self, isolated: Isolated) {
        let labels = |one: &Isolated| -> Vec<String> {
            one.inputs
                .iter()
                .map(|one| one.input.label.clone())
                .collect()
        };
        let own = labels(&isolated);
        let same = self.outcome.reported.iter_mut().find(|one| {
            one.isolated.finding.is_like(&isolated.finding) && labels(&one.isolated) == own
        });
        let count = match same {
            Some(known) => {
                known.count += 1;
                known.count
            }
            None => {
                let new = Reported {
                    isolated: isolated.clone(),
                    count: 1,
                };
                (self.told)(&new);
                self.outcome.reported.push(new);
                1
            }
        };
        // What brings the device down again and again would leave no time for anything else.
        if count >= ENOUGH
            && isolated.finding.oracle.is_about_the_device()
            && let Some(last) = own.last()
        {
            self.outcome.muted_kinds.insert(last.clone());
        }
        let unclear = self
            .outcome
            .reported
            .iter()
            .map(|one| match one.isolated.cause {
                Cause::LoadOrTime => one.count,
                _ => 0,
            });
        if self.budget.first {
            self.outcome.ended = Some("at its first finding, as asked".to_owned());
        } else if self.outcome.reported.len() >= MAX_FINDINGS || unclear.sum::<u64>() >= 4 {
            self.outcome.ended = Some(format!(
                "after {} different findings nothing more was sent",
                self.outcome.reported.len()
            ));
        }
    }
}

/// The device takes no new connection, though it served a moment later.
fn refused(why: &str) -> Finding {
    Finding::new(Oracle::Connection, "a new connection is refused", why)
}

/// Connections that the device has to end by itself.
#[derive(Default)]
struct Open(JoinSet<Option<Finding>>);

impl Open {
    fn add(&mut self, later: Option<Later>) {
        if let Some(later) = later {
            self.0.spawn(later);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has come of them; waits where there are too many, and for all of them at the end.
    async fn next(&mut self, most: usize, all: bool) -> Option<Finding> {
        loop {
            let ended = if all || self.0.len() >= most {
                self.0.join_next().await
            } else {
                self.0.try_join_next()
            };
            match ended {
                None => return None,
                Some(Ok(Some(found))) => return Some(found),
                Some(_) => {}
            }
        }
    }
}
