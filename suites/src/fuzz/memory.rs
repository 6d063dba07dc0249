//! Whether the device's memory grows with the inputs: oracle O9, where the device is a process of this machine.

use std::time::Duration;

use super::finding::{Finding, Oracle};

/// The least time for which inputs were sent before growth says something: logs and caches fill first.
const LEAST: Duration = Duration::from_secs(45);
/// The part at the end that is judged is cut into so many blocks, each of which has to be above the one before.
const BLOCKS: usize = 5;
/// The least growth over that part, in bytes, that counts: a log whose rate is limited may fill for longer than that.
const GROWTH: u64 = 8 << 20;
/// The most samples that are kept; of a long run every other one is left out.
const MAX_SAMPLES: usize = 4096;

/// What the device held, and after how many inputs.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    samples: Vec<(u64, u64)>,
    /// One sample of so many is kept.
    every: usize,
    seen: usize,
}

impl Memory {
    /// Takes a sample: the bytes that the device holds after so many inputs.
    pub fn sample(&mut self, inputs: u64, bytes: u64) {
        self.every = self.every.max(1);
        self.seen += 1;
        if !self.seen.is_multiple_of(self.every) {
            return;
        }
        self.samples.push((inputs, bytes));
        if self.samples.len() > MAX_SAMPLES {
            let mut at = 0;
            self.samples.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            self.every *= 2;
        }
    }

    /// Forgets everything: the device has started anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What the device held at first and at last.
    pub fn words(&self) -> Option<String> {
        let ((_, first), (_, last)) = (self.samples.first()?, self.samples.last()?);
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Some(format!(
            "memory {:.1} MiB at first, {:.1} MiB at last",
            megabytes(*first),
            megabytes(*last)
        ))
    }

    /// What is wrong with how the memory has grown while inputs were sent for so long.
    pub fn grows(&self, time: Duration) -> Option<Finding> {
        // The first half is the time in which logs and caches fill.
        let half = &self.samples[self.samples.len() / 2..];
        if time < LEAST || half.len() < BLOCKS * 4 {
            return None;
        }
        let medians: Vec<(u64, u64)> = half
            .chunks(half.len().div_ceil(BLOCKS))
            .map(median)
            .collect();
        let rises = medians.windows(2).all(|pair| pair[1].1 > pair[0].1);
        let ((from, least), (to, most)) = (medians.first()?, medians.last()?);
        let growth = most.saturating_sub(*least);
        if !rises || growth < GROWTH {
            return None;
        }
        let each = growth / (to - from).max(1);
        Some(Finding::new(
            Oracle::Leak,
            "the device's memory grows with the inputs",
            format!(
                "{growth} bytes over the last {} inputs, {each} for each",
                to - from
            ),
        ))
    }
}

/// The median of a block, by bytes.
fn median(block: &[(u64, u64)]) -> (u64, u64) {
    let mut block = block.to_vec();
    block.sort_unstable_by_key(|(_, bytes)| *bytes);
    block[block.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bytes: impl Fn(u64) -> u64) -> Memory {
        let mut memory = Memory::default();
        for at in 0..600 {
            memory.sample(at * 100, bytes(at));
        }
        memory
    }

    #[test]
    fn a_leak_is_told_from_a_log_that_fills_and_from_noise() {
        let minute = Duration::from_secs(60);
        let leak = memory(|at| 30_000_000 + at * 50_000);
        let found = leak.grows(minute).unwrap();
        assert!(found.seen.contains("500 for each"), "{}", found.seen);
        assert_eq!(leak.grows(Duration::from_secs(8)), None);
        let fills = memory(|at| 30_000_000 + at.min(200) * 50_000);
        assert_eq!(fills.grows(minute), None);
        let noise = memory(|at| 30_000_000 + at % 7 * 400_000);
        assert_eq!(noise.grows(minute), None);
    }

    #[test]
    fn samples_are_bounded() {
        let mut memory = Memory::default();
        for at in 0..100_000 {
            memory.sample(at, at);
        }
        assert!(memory.samples.len() <= MAX_SAMPLES);
        assert!(memory.samples.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
