//! The process under control: a tank whose level follows a setpoint, and the loop that keeps it there.
//!
//! The loop has a thread of its own and takes no lock, so nothing on any interface can hold it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One step of the loop.
const PERIOD: Duration = Duration::from_millis(20);
/// Holding registers 3..15 hold no meaning for the device.
pub(crate) const SCRATCH: usize = 13;

/// The values that survive a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub setpoint: u16,
    pub output: u16,
    pub limit: u16,
    pub coils: u8,
    pub scratch: [u16; SCRATCH],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            setpoint: 500,
            output: 400,
            limit: 900,
            coils: 0,
            scratch: [0; SCRATCH],
        }
    }
}

/// A value that somebody may set, with its unit of 0.1 % and its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Setpoint,
    Output,
    Limit,
}

impl Point {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Setpoint => "setpoint",
            Self::Output => "output",
            Self::Limit => "limit",
        }
    }

    pub(crate) fn accepts(self, value: u16) -> bool {
        match self {
            Self::Setpoint => (200..=800).contains(&value),
            Self::Output | Self::Limit => value <= 1000,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Process {
    level: AtomicU16,
    heartbeat: AtomicU16,
    setpoint: AtomicU16,
    output: AtomicU16,
    limit: AtomicU16,
    coils: AtomicU8,
    scratch: [AtomicU16; SCRATCH],
    started: Instant,
    /// Milliseconds after `started` until which a stalled loop does nothing (flaw `loop-stalls`).
    stalled_until: AtomicU64,
    /// Milliseconds after `started` until which the level reads 0 (flaw `refused-certificate-falsifies`).
    falsified_until: AtomicU64,
    stop: AtomicBool,
}

impl Process {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            level: AtomicU16::new(settings.setpoint),
            heartbeat: AtomicU16::new(0),
            setpoint: AtomicU16::new(settings.setpoint),
            output: AtomicU16::new(settings.output),
            limit: AtomicU16::new(settings.limit),
            coils: AtomicU8::new(settings.coils),
            scratch: settings.scratch.map(AtomicU16::new),
            started: Instant::now(),
            stalled_until: AtomicU64::new(0),
            falsified_until: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            setpoint: self.setpoint.load(Relaxed),
            output: self.output.load(Relaxed),
            limit: self.limit.load(Relaxed),
            coils: self.coils.load(Relaxed),
            scratch: std::array::from_fn(|i| self.scratch[i].load(Relaxed)),
        }
    }

    pub(crate) fn get(&self, point: Point) -> u16 {
        self.cell(point).load(Relaxed)
    }

    /// Sets a value that the caller has checked with [`Point::accepts`].
    pub(crate) fn set(&self, point: Point, value: u16) {
        self.cell(point).store(value, Relaxed);
    }

    pub(crate) fn scratch(&self, index: usize) -> u16 {
        self.scratch.get(index).map_or(0, |cell| cell.load(Relaxed))
    }

    pub(crate) fn set_scratch(&self, index: usize, value: u16) {
        if let Some(cell) = self.scratch.get(index) {
            cell.store(value, Relaxed);
        }
    }

    pub(crate) fn coil(&self, index: u16) -> bool {
        index < 8 && self.coils.load(Relaxed) >> index & 1 == 1
    }

    pub(crate) fn set_coil(&self, index: u16, on: bool) {
        if index < 8 {
            let bit = 1u8 << index;
            if on {
                self.coils.fetch_or(bit, Relaxed);
            } else {
                self.coils.fetch_and(!bit, Relaxed);
            }
        }
    }

    pub(crate) fn level(&self) -> u16 {
        self.level.load(Relaxed)
    }

    pub(crate) fn heartbeat(&self) -> u16 {
        self.heartbeat.load(Relaxed)
    }

    pub(crate) fn high_alarm(&self) -> bool {
        self.level() > self.limit.load(Relaxed)
    }

    /// Whole seconds since start, as a register holds them.
    pub(crate) fn uptime(&self) -> u16 {
        self.started.elapsed().as_secs() as u16
    }

    pub(crate) fn stall(&self, time: Duration) {
        let until = self.started.elapsed() + time;
        self.stalled_until.store(until.as_millis() as u64, Relaxed);
    }

    pub(crate) fn falsify(&self, time: Duration) {
        let until = self.started.elapsed() + time;
        self.falsified_until
            .store(until.as_millis() as u64, Relaxed);
    }

    fn is_falsified(&self) -> bool {
        (self.started.elapsed().as_millis() as u64) < self.falsified_until.load(Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Starts the control loop, which runs until [`Process::stop`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let process = Arc::clone(self);
        std::thread::Builder::new()
            .name("control-loop".into())
            .spawn(move || process.run())
    }

    fn run(&self) {
        let mut level = f64::from(self.level());
        let mut noise = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = Instant::now();
        while !self.stop.load(Relaxed) {
            // After a long stop of the whole process the loop goes on from now, and does not catch up.
            if next.elapsed() > 10 * PERIOD {
                next = Instant::now();
            }
            next += PERIOD;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            if (self.started.elapsed().as_millis() as u64) < self.stalled_until.load(Relaxed) {
                continue;
            }
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            // A first-order lag of 1 s, and noise of 0.3 % of the range.
            level += (f64::from(self.setpoint.load(Relaxed)) - level) * 0.02;
            let mut measured = level + (noise % 7) as f64 - 3.0;
            if self.is_falsified() {
                measured = 0.0;
            }
            self.level
                .store(measured.clamp(0.0, 1000.0) as u16, Relaxed);
            self.heartbeat.fetch_add(1, Relaxed);
        }
    }

    fn cell(&self, point: Point) -> &AtomicU16 {
        match point {
            Point::Setpoint => &self.setpoint,
            Point::Output => &self.output,
            Point::Limit => &self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_data_sheet() {
        assert!(Point::Setpoint.accepts(200) && Point::Setpoint.accepts(800));
        assert!(!Point::Setpoint.accepts(199) && !Point::Setpoint.accepts(801));
        assert!(Point::Output.accepts(1000) && !Point::Output.accepts(1001));
    }

    #[test]
    fn the_loop_beats_at_fifty_hertz_and_follows_the_setpoint() {
        let process = Arc::new(Process::new(&Settings::default()));
        let thread = process.start().unwrap();
        process.set(Point::Setpoint, 600);
        std::thread::sleep(Duration::from_millis(1050));
        let beats = process.heartbeat();
        process.stop();
        thread.join().unwrap();
        assert!((40..=55).contains(&beats), "{beats} beats in 1.05 s");
        assert!(process.level() > 530, "level {}", process.level());
    }
}
