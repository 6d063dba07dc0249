//! Fuzz suites: properties of requirements, held over generated inputs, with every oracle at once.
//!
//! A suite sends inputs of a grammar (`proptest` strategies over a whole protocol) to one interface, and judges each answer
//! and the device as a whole. What an oracle finds is isolated: the device is brought back, the inputs are replayed, the
//! sequence is reduced, each input is shrunk, the rest is confirmed and written down as a reproducer.

mod alter;
mod comparison;
pub mod console;
pub mod coverage;
mod deed;
mod device;
pub mod differences;
pub mod engine;
pub mod finding;
pub mod generate;
pub mod history;
mod idle;
pub mod input;
mod isolate;
mod memory;
pub mod modbus;
pub mod mqtt;
mod open;
mod pace;
mod reference;
mod regression;
pub mod reproducer;
mod returns;
mod steady;
pub mod target;
pub mod tls;
mod window;

use std::time::Duration;

use slcert_reports::escape;
use slcert_rigs::bench::Bench;
use slcert_rigs::rig::InterfaceKind;

use crate::procedure::{Procedure, Stop};
use device::Device;
use differences::Differences;
pub use engine::Budget;
use engine::{Outcome, Reported};
use finding::Finding;
use history::{Histories, Property};
use input::Input;
use isolate::Cause;
pub use reference::Reference;
use reproducer::Reproducer;
use target::Target;

/// How long a suite sends inputs for where nobody says otherwise.
pub const TIME: Duration = Duration::from_secs(3);
/// The same in a laboratory: the suites of a device with a few interfaces take hours.
pub const LAB: Duration = Duration::from_secs(600);

impl Default for Budget {
    fn default() -> Self {
        Self {
            time: TIME,
            inputs: None,
            seed: 0,
            first: false,
        }
    }
}

/// Runs a suite on the interface under test, and writes down what it came to.
///
/// # Errors
/// INCONCLUSIVE where the device did not serve before anything was sent.
pub async fn hold<T: Target>(p: &mut Procedure<'_>, target: &T) -> Result<(), Stop> {
    let budget = p.fuzz_budget();
    hold_for(p, target, budget).await
}

/// The same in a part of the time, where other suites see to the rest of the device, or wait more than they work.
///
/// # Errors
/// As [`hold`].
pub async fn hold_in_part<T: Target>(p: &mut Procedure<'_>, target: &T) -> Result<(), Stop> {
    let budget = p.fuzz_budget().part();
    hold_for(p, target, budget).await
}

/// The same, and compares the device with a reference, where there is one.
///
/// # Errors
/// As [`hold`].
pub async fn hold_beside<T: Target>(
    p: &mut Procedure<'_>,
    target: &T,
    reference: Option<&Result<T, String>>,
) -> Result<(), Stop> {
    let budget = p.fuzz_budget();
    hold_compared(p, target, reference, budget).await
}

/// The same with a budget of its own.
async fn hold_for<T: Target>(
    p: &mut Procedure<'_>,
    target: &T,
    budget: Budget,
) -> Result<(), Stop> {
    hold_compared(p, target, None, budget).await
}

async fn hold_compared<T: Target>(
    p: &mut Procedure<'_>,
    target: &T,
    reference: Option<&Result<T, String>>,
    budget: Budget,
) -> Result<(), Stop> {
    regression::check(p, target).await?;
    let had = reference.and_then(|it| it.as_ref().ok());
    let (bench, interrupt) = (p.bench(), p.interrupted());
    let mut written = Vec::new();
    let mut found = |reported: &Reported| {
        let number = written.len() + 1;
        written.push(write_down(p, reported, number, (budget.seed, T::TYPED)));
    };
    let mut outcome = engine::follow(bench, target, had, budget, interrupt, &mut found)
        .await
        .map_err(|why| {
            Stop::inconclusive(format!(
                "a right request is not answered before anything was sent: {}",
                escape(&why)
            ))
        })?;
    if let Some(Err(why)) = reference {
        outcome.differences = Some(Differences::none(why));
    }
    for (written, reported) in written.iter().zip(&outcome.reported) {
        p.restate(written.check, observed(reported, written.file.as_deref()));
    }
    summarise(p, &outcome, budget);
    match outcome.interrupted {
        true => Err(Stop::inconclusive("interrupted")),
        false => Ok(()),
    }
}

/// Where a finding stands.
struct Written {
    /// The place of its check among all.
    check: usize,
    /// The file that shows it, where there is one.
    file: Option<String>,
}

/// Writes a finding down to stay: what comes after it may be the end of the bench.
fn write_down(
    p: &mut Procedure<'_>,
    reported: &Reported,
    number: usize,
    (seed, typed): (u64, bool),
) -> Written {
    let isolated = &reported.isolated;
    let finding = &isolated.finding;
    let text = Reproducer::of(reported, p.trial(), p.name(), seed, typed)
        .and_then(|reproducer| reproducer.text().ok());
    let file = text.is_some().then(|| format!("finding-{number}.toml"));
    let observed = observed(reported, file.as_deref());
    let title = format!("{}: {}", finding.oracle, finding.what);
    let check = p.checks().len();
    if !isolated.decides() {
        p.cannot_tell(title, finding.oracle.criterion(), observed);
    } else {
        p.check(title, finding.oracle.criterion(), observed, false);
    }
    p.keep_now(file.as_deref().zip(text));
    Written { check, file }
}

/// What was seen of a finding, how often, what brings it about, and the file that shows it.
fn observed(reported: &Reported, file: Option<&str>) -> String {
    let isolated = &reported.isolated;
    let (confirmed, tries) = isolated.confirmed;
    let finding = &isolated.finding;
    let sought = tries > 0 || !isolated.cut_short;
    let cause = match isolated.cause {
        _ if finding.oracle.is_of_all_inputs() => "by all inputs together".to_owned(),
        Cause::LoadOrTime if !sought => "there was no time to find what brings it about".to_owned(),
        Cause::LoadOrTime => "not brought about again by what was sent before".to_owned(),
        cause => {
            let labels: Vec<_> = isolated
                .inputs
                .iter()
                .map(|one| one.input.label.as_str())
                .collect();
            format!("{} ({})", cause.word(), labels.join("; "))
        }
    };
    let times = match reported.count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let mut observed = format!("{}; seen {times}; {cause}", finding.seen);
    if tries > 0 {
        observed.push_str(&format!("; {confirmed} of {tries} tries"));
    }
    if isolated.cut_short && sought {
        observed.push_str("; there was no time to reduce it further");
    }
    if let Some(file) = file {
        observed.push_str(&format!("; {file}"));
    }
    observed
}

fn summarise(p: &mut Procedure<'_>, outcome: &Outcome, budget: Budget) {
    let mut observed = format!(
        "{} in {:.1} s, {} findings, seed {}",
        outcome.coverage.words(),
        outcome.time.as_secs_f64(),
        outcome.reported.len(),
        budget.seed
    );
    if let Some(why) = &outcome.ended {
        observed.push_str(&format!("; ended early: {why}"));
    }
    if let Some(differences) = &outcome.differences {
        observed.push_str(&format!("; {}", differences.words()));
        if let Some(text) = differences.text() {
            p.keep(differences::FILE, text);
        }
    }
    if let Some(words) = outcome.memory.words() {
        observed.push_str(&format!("; {words}"));
    }
    if !outcome.read_back.is_empty() {
        let names = outcome.read_back.join(", ");
        observed.push_str(&format!("; read back beside them: {names}"));
    }
    if outcome.held_back > 0 {
        observed.push_str(&format!(
            "; {} held back because of what the rig file forbids",
            outcome.held_back
        ));
    }
    if outcome.muted > 0 {
        let kinds: Vec<_> = outcome.muted_kinds.iter().map(String::as_str).collect();
        observed.push_str(&format!(
            "; {} of these kinds were not sent any more: {}",
            outcome.muted,
            kinds.join("; ")
        ));
    }
    for late in &outcome.late {
        observed.push_str(&format!(
            "; once late, and in time when the same was sent again: {}: {}, {}",
            late.oracle, late.what, late.seen
        ));
    }
    let kinds: Vec<_> = outcome
        .coverage
        .kinds()
        .map(|(kind, count)| format!("{count:>9}  {}\n", slcert_reports::excerpt(kind, 200)))
        .collect();
    p.keep("coverage.txt", format!("{observed}\n\n{}", kinds.concat()));
    let name = "all inputs";
    let expected = "no oracle finds anything wrong";
    if outcome.reported.iter().any(|one| one.isolated.decides()) {
        p.check(name, expected, observed, false);
    } else if !outcome.reported.is_empty() || outcome.interrupted {
        p.cannot_tell(name, expected, observed);
    } else if outcome.coverage.parsed() == 0 {
        p.cannot_tell(name, "the device reads some of them as messages", observed);
    } else {
        p.check(name, expected, observed, true);
    }
}

/// Replays inputs on the interface under test, on a device that was brought into a known state, and says what is wrong.
///
/// # Errors
/// The interface has no fuzz suite, an input must not be sent, or the device does not serve before anything was sent.
pub async fn replay(p: &Procedure<'_>, inputs: &[Input]) -> Result<Option<Finding>, String> {
    let property = Property::of_trial(p).map_err(|stop| stop.reason)?;
    if let Some(property) = property {
        let target = Histories::new(p, property);
        target.learn().await.map_err(|stop| stop.reason)?;
        return replay_on(p.bench(), &target, inputs).await;
    }
    if p.trial().contains(mqtt::client::CASE) {
        let target = mqtt::client::client(p).map_err(|stop| stop.reason)?;
        return replay_on(p.bench(), &target, inputs).await;
    }
    if p.trial().contains(modbus::client::CASE) {
        let target = modbus::client::client(p).map_err(|stop| stop.reason)?;
        return replay_on(p.bench(), &target, inputs).await;
    }
    let interface = p.interface().map_err(|stop| stop.reason)?;
    let below = p.trial().contains(tls::CASE);
    let behind = p.trial().contains(tls::CASE_BEHIND);
    match interface.kind {
        InterfaceKind::ModbusTls if behind => {
            let target = tls::behind_modbus(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
        InterfaceKind::Mqtt if behind => {
            let target = tls::behind_mqtt(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
        InterfaceKind::ModbusTls if below => {
            let target = tls::modbus(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
        InterfaceKind::Mqtt if below => {
            let target = tls::mqtt(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
        InterfaceKind::ModbusTcp | InterfaceKind::ModbusTls => {
            let target = modbus::tcp(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
        InterfaceKind::ModbusRtu => {
            let target = modbus::serial(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
        InterfaceKind::Mqtt => {
            let target = mqtt::broker(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
        InterfaceKind::Console => {
            let target = console::terminal(p).map_err(|stop| stop.reason)?;
            replay_on(p.bench(), &target, inputs).await
        }
    }
}

async fn replay_on<T: Target>(
    bench: &Bench,
    target: &T,
    inputs: &[Input],
) -> Result<Option<Finding>, String> {
    let device = match Device::find(bench, target).await {
        // What was replayed before may have left it running, and serving nobody.
        Err(_) if bench.can_power_cycle() => {
            let cycled = bench.power_cycle().await;
            cycled.map_err(|error| error.to_string())?;
            Device::find(bench, target).await?
        }
        found => found?,
    };
    for (number, input) in (1..).zip(inputs) {
        if let Some(why) = target.forbidden(input) {
            return Err(format!("input {number} must not be sent: it has {why}"));
        }
    }
    let found = isolate::replay(&device, inputs).await?;
    Ok(found.map(|found| Finding {
        seen: bench.conceal(&found.seen),
        ..found
    }))
}
