//! From a finding to the least that brings it about: recover, replay, reduce the sequence, shrink inside it, confirm.

#[cfg(test)]
mod fake;
mod reduce;
mod run;
mod shrink;
mod steps;

use std::time::Duration;

use tokio::time::Instant;

use super::device::Device;
use super::finding::{Finding, Oracle};
use super::generate::Shrinker;
use super::input::{Generated, Input, Origin};
use super::target::Target;
use super::window::Window;
use reduce::{Replays, alike, reduced, repeated};
use run::{Shows, Sought, run};
use shrink::shrunk;

/// How often a reproducer is tried.
const TRIES: u32 = 3;
/// The most inputs among which the cause of a silence is looked for: a bench that was late has no cause among them.
const SILENCE: usize = 64;

/// How often the least of a history is looked for, until it is confirmed: what it brings about may hang on the moment at which
/// the power is cut, and one replay by chance leads astray.
const ROUNDS: u32 = 3;

/// What brings a finding about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// One input.
    Input,
    /// A sequence of them.
    Sequence,
    /// It did not come about again: it depends on load or time, or on what was sent before the window.
    LoadOrTime,
}

impl Cause {
    /// The word in reports and reproducers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "one input",
            Self::Sequence => "a sequence",
            Self::LoadOrTime => "load or time",
        }
    }
}

/// What isolation came to.
#[derive(Clone, Debug)]
pub struct Isolated {
    /// The finding as the last replay showed it; the first sight of it where none did.
    pub finding: Finding,
    /// What is left of the inputs; empty where none brought it about again.
    pub inputs: Vec<Generated>,
    /// How often they brought it about, of how many tries.
    pub confirmed: (u32, u32),
    /// What it depends on.
    pub cause: Cause,
    /// Whether the time was over before nothing more could be left out.
    pub cut_short: bool,
    /// Why the device could not be brought back, where it could not.
    pub lost: Option<String>,
}

impl Isolated {
    /// A finding of which no input is the cause by itself.
    pub fn unclear(finding: Finding) -> Self {
        Self {
            finding,
            inputs: Vec::new(),
            confirmed: (0, 0),
            cause: Cause::LoadOrTime,
            cut_short: false,
            lost: None,
        }
    }

    /// Whether it says something of the device: an answer that was late once, and not again, may be the bench's own fault,
    /// but not that the device never came back.
    pub fn decides(&self) -> bool {
        let gone = self.lost.is_some() && self.finding.oracle.is_about_the_device();
        !self.finding.to_confirm || self.confirmed.0 > 0 || gone
    }
}

/// Isolates a finding among the inputs of a window, within `limit`.
pub async fn isolate<T: Target>(
    device: &Device<'_, T>,
    seed: u64,
    window: &Window,
    finding: &Finding,
    limit: Duration,
) -> Isolated {
    let mut isolation = Isolation {
        device,
        seed,
        sought: finding.clone(),
        seen: None,
        until: Instant::now() + limit,
        lost: None,
        sent: 0,
        broken: false,
    };
    let rounds = match window.last(1).iter().any(|one| one.input.is_history()) {
        true => ROUNDS,
        false => 1,
    };
    let mut round = 0;
    let (inputs, confirmed, tries) = loop {
        round += 1;
        let inputs = isolation.least(window).await;
        let (confirmed, tries) = isolation.confirm(&inputs).await;
        if confirmed > 0 || round >= rounds || isolation.is_over() {
            break (inputs, confirmed, tries);
        }
    };
    let cause = match (confirmed, inputs.len()) {
        (0, _) | (_, 0) => Cause::LoadOrTime,
        (_, 1) => Cause::Input,
        _ => Cause::Sequence,
    };
    // What comes next meets a device that is well.
    if isolation.lost.is_none()
        && (finding.oracle.is_about_the_device() || device.look(false).await.is_some())
    {
        isolation.lost = device.recover(true).await.err();
    }
    Isolated {
        finding: isolation.seen.unwrap_or_else(|| finding.clone()),
        inputs,
        confirmed: (confirmed, tries),
        cause,
        cut_short: Instant::now() >= isolation.until,
        lost: isolation.lost,
    }
}

/// Replays inputs once, on a device that was switched off and on before where the bench can, and says what is wrong.
///
/// # Errors
/// The device could not be brought back before.
pub async fn replay<T: Target>(
    device: &Device<'_, T>,
    inputs: &[Input],
) -> Result<Option<Finding>, String> {
    device.recover(true).await?;
    let any = Sought {
        shows: Shows::InTime,
        grave: true,
        is: &|_| true,
    };
    Ok(run(device, inputs, any).await.found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    /// Off and on before the replay, where the bench can.
    Cycle,
    /// Only where the device is not well.
    Keep,
}

struct Isolation<'i, T> {
    device: &'i Device<'i, T>,
    seed: u64,
    sought: Finding,
    /// As the last replay showed it.
    seen: Option<Finding>,
    until: Instant,
    lost: Option<String>,
    /// How many inputs the last replay had sent when it showed.
    sent: usize,
    /// Whether the last replay has left the device broken as a whole: it need not be asked.
    broken: bool,
}

impl<T: Target> Isolation<'_, T> {
    /// The least that was found; empty where nothing brings it about again.
    async fn least(&mut self, window: &Window) -> Vec<Generated> {
        self.device.target.hurry(true);
        let inputs = self.newest(window).await;
        let inputs = repeated(self, inputs).await;
        let inputs = reduced(self, inputs).await;
        let inputs = alike(self, inputs).await;
        let inputs = shrunk(self, inputs).await;
        self.device.target.hurry(false);
        inputs
    }

    /// How often inputs bring it about again, of how many tries.
    async fn confirm(&mut self, inputs: &[Generated]) -> (u32, u32) {
        let (mut confirmed, mut tries) = (0, 0);
        while !inputs.is_empty() && tries < TRIES && self.lost.is_none() {
            tries += 1;
            // An answer that is wrong on a device just switched on is wrong on one that runs: that saves its start.
            let power = match tries {
                1 => Power::Cycle,
                _ => sparing(inputs),
            };
            confirmed += u32::from(self.again(inputs, power).await);
        }
        (confirmed, tries)
    }

    /// The newest that bring it about again, up to the one that shows it; none where nothing does.
    async fn newest(&mut self, window: &Window) -> Vec<Generated> {
        let mut count = 1;
        let answers = self.sought.by_silence && !self.sought.oracle.is_about_the_device();
        let most = if answers { SILENCE } else { window.len() };
        loop {
            let mut inputs = window.last(count);
            if inputs.is_empty() || self.is_over() {
                return Vec::new();
            }
            // One alone is tried as the device is; what depends on what came before needs a known beginning.
            let power = if count == 1 {
                Power::Keep
            } else {
                Power::Cycle
            };
            if self.again(&inputs, power).await
                && (count > 1 || self.again(&inputs, Power::Cycle).await)
            {
                inputs.truncate(self.sent);
                return inputs;
            }
            if count >= most.min(window.len()) {
                return Vec::new();
            }
            count *= 2;
        }
    }
}

impl<T: Target> Replays for Isolation<'_, T> {
    async fn again(&mut self, inputs: &[Generated], power: Power) -> bool {
        let target = self.device.target;
        if self.lost.is_some()
            || inputs
                .iter()
                .any(|one| target.forbidden(&one.input).is_some())
        {
            return false;
        }
        let well = || async { self.device.look(false).await.is_none() };
        let cycles = self.device.bench.can_power_cycle();
        let broken = std::mem::take(&mut self.broken);
        let restart = cycles && (power == Power::Cycle || broken) || !well().await;
        if restart
            && let Err(why) = self
                .device
                .recover(self.sought.oracle == Oracle::Essential)
                .await
        {
            self.lost = Some(why);
            return false;
        }
        // What is late after a restart, before anything was sent, is late because of the bench's own machine.
        if restart && cycles && self.sought.oracle == Oracle::Slow && !self.device.is_quick().await
        {
            return false;
        }
        let plain: Vec<Input> = inputs.iter().map(|one| one.input.clone()).collect();
        let sought = self.sought.clone();
        let is = |found: &Finding| found.is_like(&sought);
        let sought = Sought {
            shows: match sought.oracle {
                Oracle::Essential => Shows::OnControl,
                _ => Shows::Now,
            },
            grave: sought.oracle.is_about_the_device(),
            is: &is,
        };
        let ran = run(self.device, &plain, sought).await;
        self.sent = ran.sent;
        match ran.found {
            Some(found) if found.is_like(&self.sought) => {
                self.broken = found.oracle.is_about_the_device();
                self.seen = Some(found);
                true
            }
            _ => false,
        }
    }

    fn sent(&self) -> usize {
        self.sent
    }

    fn is_over(&self) -> bool {
        self.lost.is_some() || Instant::now() >= self.until
    }

    fn shrinker(&self, origin: Origin) -> Option<Shrinker> {
        Shrinker::start(self.device.target.grammar(), self.seed, origin).ok()
    }
}

/// Whether the device needs to be switched off and on before inputs that are known to bring the finding about.
fn sparing(inputs: &[Generated]) -> Power {
    match inputs {
        // What a device remembers of one history may serve the next.
        [one] if !one.input.is_history() => Power::Keep,
        _ => Power::Cycle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn isolated(finding: Finding, confirmed: u32, lost: bool) -> bool {
        let mut isolated = Isolated::unclear(finding);
        isolated.confirmed = (confirmed, TRIES);
        isolated.lost = lost.then(|| "it does not answer".to_owned());
        isolated.decides()
    }

    #[test]
    fn a_silence_decides_only_where_it_comes_about_again_or_the_device_is_gone() {
        let answer = || Finding::by_silence(Oracle::Grammar, "it", "that");
        let device = || Finding::by_silence(Oracle::Liveness, "it", "that");
        assert!(!isolated(answer(), 0, false) && isolated(answer(), 1, false));
        assert!(
            !isolated(answer(), 0, true),
            "a port that another program holds"
        );
        assert!(!isolated(device(), 0, false) && isolated(device(), 0, true));
        assert!(isolated(
            Finding::new(Oracle::Grammar, "it", "that"),
            0,
            false
        ));
    }
}
