//! The bench's self-test: what a bench has to show of itself before it judges anything, and the firmware that it reads
//! from the device. A campaign makes it before its trials and after them, `slcert selftest` by itself.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use slcert_reports::record::CheckRecord;
use slcert_reports::selftest::{FirmwareRecord, SelfTestRecord, When};
use slcert_reports::{Verdict, excerpt, one_line};
use slcert_rigs::bench::{Bench, BenchError, Entry, Who};
use slcert_rigs::rig::{InterfaceKind, Values};
use slcert_suites::{fixture, ra::cr_7_8};
use tokio::time::{Instant, sleep, timeout};

use crate::bench::with_bench;
use crate::command::SelfTest;
use crate::sources::{self, BENCH};

/// How long a line may take to show that it works: a device that has just been switched on is not blamed.
const LINE: Duration = Duration::from_secs(10);
/// The time between two tries of it.
const BETWEEN: Duration = Duration::from_millis(200);
/// How long the firmware may take to be told.
const FIRMWARE: Duration = Duration::from_secs(10);
/// How far the wall clock may run away from the steady one in the short time of a self-test.
const DRIFT: Duration = Duration::from_millis(250);
/// How far in a whole campaign: a second, and what a clock is off that nobody steers.
const LONG_DRIFT: Duration = Duration::from_secs(1);
/// The coarsest step of the clock that times a device.
const RESOLUTION: Duration = Duration::from_millis(1);
/// The first second that a wall clock can show which somebody has set: 2024-01-01.
const SET: Duration = Duration::from_secs(1_704_067_200);
/// The least room for evidence, in bytes.
const ROOM: u64 = 100 * 1024 * 1024;

/// Runs the self-test of a rig's bench alone.
pub fn run(command: &SelfTest) -> ExitCode {
    let rig = match sources::rig(command.rig.as_deref(), None) {
        Ok(rig) => rig,
        Err(unusable) => return unusable.into(),
    };
    with_bench(rig, async |bench| {
        let (test, _) = before(bench, Path::new(".")).await;
        for check in &test.checks {
            anstream::println!(
                "{:<12}  {}: {}",
                check.verdict.word(),
                one_line(&check.name),
                one_line(&check.observed)
            );
        }
        match &test.firmware {
            Some(one) => {
                anstream::println!("firmware      {}: {}", one.interface, one_line(&one.told))
            }
            None => anstream::println!("firmware      nothing tells it"),
        }
        match test.fault() {
            None => ExitCode::SUCCESS,
            Some(fault) => {
                eprintln!("error: {}", one_line(&fault));
                ExitCode::from(BENCH)
            }
        }
    })
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    steady: Instant,
    wall: SystemTime,
}

impl Clocks {
    fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// What the bench shows of itself before trials, and the clocks at that moment. Evidence goes to `folder`.
pub async fn before(bench: &Bench, folder: &Path) -> (SelfTestRecord, Clocks) {
    let started = jiff::Timestamp::now();
    let clocks = Clocks::now();
    let mut checks = vec![resolution(), set(clocks.wall), room(free(folder))];
    for name in bench.rig().interfaces.keys() {
        checks.push(line(bench, name.as_str()).await);
    }
    checks.extend(fixture::judged().await);
    let firmware = firmware(bench).await;
    // Over all of it.
    checks.insert(2, together(clocks, Clocks::now(), DRIFT));
    let test = SelfTestRecord {
        when: When::Before,
        started,
        checks,
        firmware,
    };
    (test, clocks)
}

/// What the bench shows of itself after trials that began when its clocks showed `clocks`.
pub async fn after(bench: &Bench, clocks: Clocks) -> SelfTestRecord {
    let started = jiff::Timestamp::now();
    let now = Clocks::now();
    let allowed = LONG_DRIFT + now.steady.duration_since(clocks.steady) / 1000;
    SelfTestRecord {
        when: When::After,
        started,
        checks: vec![together(clocks, now, allowed)],
        firmware: firmware(bench).await,
    }
}

fn check(name: String, expected: &str, observed: &str, verdict: Verdict) -> CheckRecord {
    CheckRecord {
        name,
        expected: expected.to_owned(),
        observed: excerpt(observed, 300),
        verdict,
    }
}

fn judged(name: &str, expected: &str, observed: &str, met: bool) -> CheckRecord {
    let verdict = if met { Verdict::Pass } else { Verdict::Fail };
    check(name.to_owned(), expected, observed, verdict)
}

/// The finest step of the steady clock: it must be there, and go forward.
fn resolution() -> CheckRecord {
    let first = Instant::now();
    let mut next = Instant::now();
    // Bounded by tries: a clock that stands still shows no time that could be a limit.
    for _ in 0..10_000_000 {
        if next != first {
            break;
        }
        next = Instant::now();
    }
    let step = next.saturating_duration_since(first);
    let seen = format!("a step of {step:?}");
    let fine = !step.is_zero() && step <= RESOLUTION;
    judged("the clock's resolution", "at most 1 ms", &seen, fine)
}

fn set(wall: SystemTime) -> CheckRecord {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let shown = jiff::Timestamp::try_from(wall);
    let shown = shown.map_or_else(
        |_| "no date".to_owned(),
        |date| date.strftime("%F").to_string(),
    );
    judged("the clock's date", "not before 2024", &shown, since >= SET)
}

/// Whether the wall clock went on as the steady one did: it was not set, and the bench did not sleep.
fn together(begun: Clocks, now: Clocks, allowed: Duration) -> CheckRecord {
    let steady = now.steady.duration_since(begun.steady);
    let name = "the clock beside a steady one";
    let expected = format!("within {allowed:.2?}");
    let apart = match now.wall.duration_since(begun.wall) {
        Ok(wall) => wall.abs_diff(steady),
        Err(back) => back.duration() + steady,
    };
    let seen = format!("{apart:.2?} apart after {steady:.2?}");
    judged(name, &expected, &seen, apart <= allowed)
}

/// How many bytes a folder has room for.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let system = nix::sys::statvfs::statvfs(folder).ok()?;
    #[allow(
        clippy::useless_conversion,
        reason = "their width depends on the system"
    )]
    let (blocks, size) = (
        u64::from(system.blocks_available()),
        u64::from(system.fragment_size()),
    );
    Some(blocks.saturating_mul(size))
}

fn room(free: Option<u64>) -> CheckRecord {
    let name = "room for evidence";
    let expected = format!("{} MiB", ROOM / 1024 / 1024);
    match free {
        Some(free) => {
            let seen = format!("{} MiB", free / 1024 / 1024);
            judged(name, &expected, &seen, free >= ROOM)
        }
        None => check(
            name.to_owned(),
            &expected,
            "the system does not tell",
            Verdict::NotEvaluated,
        ),
    }
}

/// Whether a line works. Somebody is asked for a word where the rig file says what has one for anybody: a console's
/// login, a value on a serial bus.
async fn line(bench: &Bench, interface: &str) -> CheckRecord {
    let deadline = Instant::now() + LINE;
    let name = format!("the line `{interface}`");
    loop {
        match sign(bench, interface).await {
            Ok(seen) => return check(name, "works", &bench.conceal(&seen), Verdict::Pass),
            Err(error) if Instant::now() >= deadline => {
                let seen = bench.conceal(&error.to_string());
                return check(name, "works", &seen, Verdict::Fail);
            }
            Err(_) => sleep(BETWEEN).await,
        }
    }
}

/// A sign of life on a line.
async fn sign(bench: &Bench, interface: &str) -> Result<String, BenchError> {
    let rig = bench.rig();
    let kind = rig.interface(interface).map(|described| described.kind);
    if kind == Some(InterfaceKind::Console) {
        if let Entry::In(session) = bench.enter(interface, &Who::Nobody).await? {
            session.close().await;
        }
        return Ok("the device asks for a login".to_owned());
    }
    let asked = rig
        .operations
        .keys()
        .map(|name| name.as_str())
        .find(|name| {
            let open = rig.interface(interface).is_some_and(|it| it.is_open(name));
            open && rig.only_reads(name, interface)
        });
    if let (Some(InterfaceKind::ModbusRtu), Some(operation)) = (kind, asked) {
        let Entry::In(mut session) = bench.enter(interface, &Who::Nobody).await? else {
            return Ok("the device answers".to_owned());
        };
        let answered = session.perform(operation, &Values::new()).await;
        session.close().await;
        answered?;
        return Ok(format!("the device answers `{operation}`"));
    }
    drop(bench.open_line(interface, interface).await?);
    Ok("opens".to_owned())
}

/// The firmware, as the device tells it wherever the rig file says that it does: where it costs the least.
async fn firmware(bench: &Bench) -> Option<FirmwareRecord> {
    let rig = bench.rig();
    let operation = "identify";
    let mut places: Vec<_> = rig
        .interfaces
        .iter()
        .filter(|(name, _)| rig.binding(operation, name.as_str()).is_some())
        .filter_map(|(name, described)| {
            let name = name.as_str();
            let console = described.kind == InterfaceKind::Console;
            let (closed, who) = match described.is_open(operation) {
                true => (false, Who::Nobody),
                false => (true, Who::Account(rig.who_may_str(operation, name)?)),
            };
            Some(((closed, console), name, who))
        })
        .collect();
    places.sort_by_key(|(cost, ..)| *cost);
    for (_, interface, who) in places {
        let asked = async {
            let Entry::In(mut session) = bench.enter(interface, &who).await.ok()? else {
                return None;
            };
            let told = session.perform(operation, &Values::new()).await;
            session.close().await;
            told.ok().filter(slcert_rigs::Attempt::is_done)
        };
        if let Ok(Some(told)) = timeout(FIRMWARE, asked).await {
            let text = &told.answer().text;
            return Some(FirmwareRecord {
                interface: interface.to_owned(),
                told: excerpt(&bench.conceal(text), 200),
                as_stated: cr_7_8::holds(text, &rig.dut.firmware),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(clocks: Clocks, steady: i64, wall: i64) -> Clocks {
        let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
        Clocks {
            steady: clocks.steady + millis(steady),
            wall: match wall < 0 {
                true => clocks.wall - millis(wall),
                false => clocks.wall + millis(wall),
            },
        }
    }

    #[test]
    fn a_clock_that_was_set_is_found() {
        let begun = Clocks::now();
        for (steady, wall, fine) in [
            (1000, 1000, true),
            (1000, 1200, true),
            (1000, 1300, false),
            (1000, 600, false),
            (1000, -1, false),
            (1000, 3_600_000, false),
        ] {
            let check = together(begun, later(begun, steady, wall), DRIFT);
            let expected = if fine { Verdict::Pass } else { Verdict::Fail };
            assert_eq!(check.verdict, expected, "{steady} {wall}: {check:?}");
        }
        assert_eq!(set(UNIX_EPOCH).verdict, Verdict::Fail);
        assert_eq!(set(SystemTime::now()).verdict, Verdict::Pass);
        assert_eq!(resolution().verdict, Verdict::Pass);
    }

    #[test]
    fn a_disk_without_room_is_found() {
        assert_eq!(room(Some(ROOM - 1)).verdict, Verdict::Fail);
        assert_eq!(room(Some(ROOM)).verdict, Verdict::Pass);
        assert_eq!(room(None).verdict, Verdict::NotEvaluated);
        assert!(free(Path::new("/")).is_some());
    }
}
