//! How much of a serial line's time the fuzz suite for Modbus RTU uses, at 9,600 baud: on a pty whose other end is a device that
//! has bit times. The line is in use while a character or the silence of 3.5 between frames is on it; while the device thinks,
//! nobody can use it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use slcert_profiles::file::Source;
use slcert_rigs::bench::Bench;
use slcert_rigs::modbus::wire::rtu;
use slcert_rigs::rig::Rig;
use slcert_suites::Procedure;
use slcert_suites::fuzz::engine::{self, Budget};

use super::no_finding;

/// A line at 9,600 baud, 8E1: what a character takes, and what ends a frame.
const CHARACTER: Duration = Duration::from_nanos(1_145_833);
const SILENCE: Duration = Duration::from_nanos(4_010_416);
/// How long the device thinks about a frame.
const THINKS: Duration = Duration::from_millis(3);
const TIME: Duration = Duration::from_secs(20);

pub async fn measure() {
    let work = tempfile::tempdir().expect("a temporary folder");
    let (device, tty) = Device::start();
    let rig = Rig::load(&Source::new("line.toml", &rig(&tty))).expect("a rig");
    let bench = Bench::start(rig, work.path(), work.path(), Path::new(""))
        .await
        .expect("a bench");
    let requirement = "CR 3.5".parse().expect("an id");
    let procedure = Procedure::new(&bench, Some("line"), requirement);
    let target = slcert_suites::fuzz::modbus::serial(&procedure).expect("a target");
    let budget = Budget {
        time: TIME,
        seed: 1,
        ..Budget::default()
    };
    let outcome = engine::run(&bench, &target, budget)
        .await
        .expect("a device that serves");
    no_finding(&outcome);
    let times = device.end();
    let whole = times.whole.as_secs_f64();
    let share = |part: Duration| part.as_secs_f64() * 100.0;
    println!(
        "Modbus RTU at 9,600 baud           {:.1} % of the line's time in use, {} inputs, {:.1} % read as messages; \
         apart from that the device thought for {:.1} % of {whole:.0} s",
        share(times.used) / (times.whole - times.thought).as_secs_f64(),
        outcome.coverage.inputs(),
        outcome.coverage.parsed() as f64 * 100.0 / outcome.coverage.inputs() as f64,
        share(times.thought) / whole,
    );
    for (what, (sum, count)) in ["an answer", "none"].into_iter().zip(times.idle) {
        let each = sum.as_secs_f64() * 1000.0 / f64::from(count.max(1));
        println!(
            "{:35}idle for {each:.1} ms behind {what}, {count} times",
            ""
        );
    }
    bench.stop().await;
}

fn rig(tty: &str) -> String {
    format!(
        r#"
[dut]
product = "a line"
vendor = "the benchmark"
firmware = "1"
component = "embedded-device"

[interface.line]
kind = "modbus-rtu"
port = "{tty}"
baud = 9600
parity = "even"
users = ["process"]
anonymous = ["read"]
offers = {{ functions = [3], map = ["holding[0..15]"] }}

[operation.read]
line = {{ read_holding = 0 }}
"#
    )
}

/// Where the line's time went.
#[derive(Clone, Copy, Default)]
struct Times {
    whole: Duration,
    used: Duration,
    thought: Duration,
    /// How long nothing came behind an answer, and behind a frame without one, and how often.
    idle: [(Duration, u32); 2],
}

/// The other end of the line.
struct Device {
    over: Arc<AtomicBool>,
    times: Arc<Mutex<Times>>,
    thread: JoinHandle<()>,
    /// Kept open, so that the line is never down.
    _spare: OwnedFd,
}

impl Device {
    /// A device, and the name of the tty at which it is reached.
    fn start() -> (Self, String) {
        let ends = nix::pty::openpty(None, None).expect("a pty");
        let mut raw = nix::sys::termios::tcgetattr(&ends.slave).expect("its settings");
        nix::sys::termios::cfmakeraw(&mut raw);
        nix::sys::termios::tcsetattr(&ends.slave, nix::sys::termios::SetArg::TCSANOW, &raw)
            .expect("a raw line");
        let tty = nix::unistd::ttyname(&ends.slave).expect("its name");
        let (over, times) = (Arc::default(), Arc::default());
        let end = Other {
            line: File::from(ends.master),
            over: Arc::clone(&over),
            times: Arc::clone(&times),
        };
        let device = Self {
            over,
            times,
            thread: std::thread::spawn(move || end.serve()),
            _spare: ends.slave,
        };
        (device, tty.display().to_string())
    }

    fn end(self) -> Times {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("a device that ends");
        *self.times.lock().expect("times")
    }
}

struct Other {
    line: File,
    over: Arc<AtomicBool>,
    times: Arc<Mutex<Times>>,
}

impl Other {
    /// Takes frames as the line's bits let them come, and answers them likewise.
    fn serve(mut self) {
        let mut core = CpuSet::new();
        core.set(1).expect("a second core");
        let _ = sched_setaffinity(Pid::from_raw(0), &core);
        let began = Instant::now();
        let mut used = Duration::ZERO;
        let mut thought = Duration::ZERO;
        // What has come of a frame, and when its last bit has.
        let mut frame: Vec<u8> = Vec::new();
        let mut until = began;
        // Since when the line is free, and whether behind an answer.
        let mut free = None;
        let mut idle = [(Duration::ZERO, 0); 2];
        while !self.over.load(Ordering::Relaxed) {
            let ends = until + SILENCE;
            let wait = match frame.is_empty() {
                true => Duration::from_millis(50),
                false => ends.saturating_duration_since(Instant::now()),
            };
            if self.comes(wait) {
                let mut part = [0; 1024];
                let Ok(count) = self.line.read(&mut part) else {
                    continue;
                };
                let now = Instant::now();
                if let Some((since, silent)) = free.take() {
                    let (sum, count): &mut (Duration, u32) = &mut idle[usize::from(silent)];
                    *sum += now.saturating_duration_since(since);
                    *count += 1;
                }
                if !frame.is_empty() && now > ends {
                    used += SILENCE;
                    frame.clear();
                }
                until = until.max(now) + CHARACTER * count as u32;
                used += CHARACTER * count as u32;
                frame.extend(&part[..count]);
                continue;
            }
            if frame.is_empty() || Instant::now() < ends {
                continue;
            }
            used += SILENCE;
            std::thread::sleep(THINKS);
            thought += THINKS;
            free = Some((Instant::now(), true));
            if let Some(answer) = answer(&std::mem::take(&mut frame)) {
                used += CHARACTER * answer.len() as u32 + SILENCE;
                until = self.sends(&answer);
                free = Some((until + SILENCE, false));
            }
            *self.times.lock().expect("times") = Times {
                whole: began.elapsed(),
                used,
                thought,
                idle,
            };
        }
    }

    fn comes(&self, wait: Duration) -> bool {
        let mut line = [PollFd::new(self.line.as_fd(), PollFlags::POLLIN)];
        let ready = ppoll(&mut line, Some(wait.into()), None);
        ready.is_ok_and(|ready| ready > 0)
    }

    /// Sends each character once its bits are over; when the last is.
    fn sends(&mut self, answer: &[u8]) -> Instant {
        let mut until = Instant::now();
        for byte in answer {
            until += CHARACTER;
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            self.line.write_all(&[*byte]).expect("a line");
        }
        until
    }
}

/// What a device of unit 1 that reads holding registers says.
fn answer(frame: &[u8]) -> Option<Vec<u8>> {
    let read = rtu::Rtu::new_checked(frame).ok()?;
    let pdu = read.pdu();
    if read.address() != 1 {
        return None;
    }
    let word = |at: usize| {
        pdu.get(at..at + 2)
            .map(|of| u16::from_be_bytes([of[0], of[1]]))
    };
    let said = match (pdu.first()?, word(1), word(3), pdu.len()) {
        (3, Some(from), Some(count), 5) => match (1..=125).contains(&count) {
            false => vec![0x83, 3],
            true if u32::from(from) + u32::from(count) > 16 => vec![0x83, 2],
            true => [vec![3, (count * 2) as u8], vec![0; usize::from(count) * 2]].concat(),
        },
        (3, ..) => vec![0x83, 3],
        (other, ..) => vec![other | 0x80, 1],
    };
    Some(rtu::seal([vec![1], said].concat()))
}
