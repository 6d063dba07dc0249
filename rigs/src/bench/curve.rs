//! The curves of the essential functions: every reading of the monitor, for the evidence of a trial.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Bench;

/// One reading of an essential function, or the worst of some that followed each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When it was asked for.
    pub asked: Instant,
    /// How long the answer took.
    pub took: Duration,
    /// The value; why there is none.
    pub seen: Result<String, String>,
    /// How far it is from the value that it has to stay near.
    pub off: Option<u64>,
    /// Whether it is right.
    pub right: bool,
    /// How long there was no right reading before it.
    pub without: Duration,
    /// Whether the bench itself had cut the power, or asked for something that the device may pause for.
    pub excused: bool,
    /// How many readings it stands for.
    pub of: u32,
}

/// What was read of one essential function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// The function.
    pub function: String,
    /// How long it may go without a right reading.
    pub allowed: Duration,
    /// How far a reading may be from the value that it has to stay near.
    pub tolerance: Option<u64>,
    /// The readings, oldest first.
    pub readings: Vec<Reading>,
    /// How many readings the next one stands for.
    each: u32,
}

/// The most readings that are kept of one function. With more, each stands for the worst of twice as many.
const MOST: usize = 8192;

impl Curve {
    /// A curve without a reading.
    pub fn new(function: &str, allowed: Duration, tolerance: Option<u64>) -> Self {
        Self {
            function: function.to_owned(),
            allowed,
            tolerance,
            readings: Vec::new(),
            each: 1,
        }
    }

    /// Adds a reading.
    pub fn add(&mut self, reading: Reading) {
        match self.readings.last() {
            Some(last) if last.of < self.each => {
                let both = self.readings.pop().map(|last| self.worse(last, reading));
                self.readings.extend(both);
            }
            _ => self.readings.push(reading),
        }
        if self.readings.len() > MOST {
            self.each *= 2;
            let mut readings = std::mem::take(&mut self.readings).into_iter();
            while let Some(one) = readings.next() {
                let both = match readings.next() {
                    Some(other) => self.worse(one, other),
                    None => one,
                };
                self.readings.push(both);
            }
        }
    }

    /// The worse of two readings, which stands for both.
    fn worse(&self, one: Reading, other: Reading) -> Reading {
        let of = one.of + other.of;
        let worse = match self.strain(&one) >= self.strain(&other) {
            true => one,
            false => other,
        };
        Reading { of, ..worse }
    }

    /// How near a reading is to what is not allowed any more: 1000 of 1000 is as far as may be.
    fn strain(&self, reading: &Reading) -> (bool, u128) {
        if reading.excused {
            return (false, 0);
        }
        let late = reading.without.as_millis() * 1000 / self.allowed.as_millis().max(1);
        let off = match (reading.off, self.tolerance) {
            (Some(off), Some(tolerance)) => u128::from(off) * 1000 / u128::from(tolerance.max(1)),
            _ => 0,
        };
        (true, late.max(off))
    }

    fn clear(&mut self) {
        self.readings.clear();
        self.each = 1;
    }
}

/// The curves of a bench's watches, by their places.
#[derive(Debug, Default)]
pub(super) struct Curves(Mutex<Vec<Curve>>);

impl Curves {
    fn lock(&self) -> MutexGuard<'_, Vec<Curve>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(&self, curves: Vec<Curve>) {
        *self.lock() = curves;
    }

    pub(super) fn add(&self, at: usize, reading: Reading) {
        if let Some(curve) = self.lock().get_mut(at) {
            curve.add(reading);
        }
    }
}

impl Bench {
    /// Begins the curves of the essential functions anew.
    pub fn begin_curves(&self) {
        self.curves.lock().iter_mut().for_each(Curve::clear);
    }

    /// The curves of the essential functions since [`Bench::begin_curves`].
    pub fn curves(&self) -> Vec<Curve> {
        self.curves.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(without: u64, off: u64) -> Reading {
        Reading {
            asked: Instant::now(),
            took: Duration::from_millis(1),
            seen: Ok("500".to_owned()),
            off: Some(off),
            right: true,
            without: Duration::from_millis(without),
            excused: false,
            of: 1,
        }
    }

    #[test]
    fn a_long_curve_keeps_its_worst_readings() {
        let mut curve = Curve::new("level", Duration::from_secs(1), Some(20));
        for number in 0..100_000 {
            curve.add(match number {
                12_345 => reading(900, 0),
                67_890 => reading(30, 19),
                // What is excused is nothing bad, however long it takes.
                _ if number % 2 == 0 => Reading {
                    excused: true,
                    ..reading(50_000, 0)
                },
                _ => reading(30, 1),
            });
        }
        let readings = &curve.readings;
        assert!(readings.len() <= MOST, "{}", readings.len());
        assert_eq!(readings.iter().map(|one| one.of).sum::<u32>(), 100_000);
        let late = |one: &&Reading| one.without == Duration::from_millis(900);
        assert_eq!(readings.iter().filter(late).count(), 1);
        assert_eq!(readings.iter().filter(|one| one.off == Some(19)).count(), 1);
        assert!(readings.iter().all(|one| !one.excused));
    }
}
