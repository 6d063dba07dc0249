//! The engine: sends inputs for as long as the budget lasts, lets every oracle judge, and isolates what they find.

mod budget;
mod found;

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::time::Duration;

use slcert_rigs::bench::Bench;
use tokio::time::Instant;

use crate::fuzz::comparison::{AGAIN, Comparison};
use crate::fuzz::coverage::Coverage;
use crate::fuzz::device::Device;
use crate::fuzz::differences::Differences;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Source;
use crate::fuzz::idle::{self, Share};
use crate::fuzz::input::Generated;
use crate::fuzz::isolate::Isolated;
use crate::fuzz::memory::Memory;
use crate::fuzz::open::Open;
use crate::fuzz::target::Target;
use crate::fuzz::window::Window;
pub use budget::Budget;

/// The time between two looks at the device as a whole, with so many times what one takes at least.
const LOOK: (Duration, u32) = (Duration::from_millis(100), 4);

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
}

/// The device takes no new connection, though it served a moment later.
fn refused(why: &str) -> Finding {
    Finding::new(Oracle::Connection, "a new connection is refused", why)
}
