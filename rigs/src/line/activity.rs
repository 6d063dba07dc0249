//! When something was sent over which line, whether or not the bytes are kept: a fuzz suite's are not.

use std::time::Duration;

/// The most steps of time that are told apart.
const MOST: usize = 4096;

/// How often something was sent over each line, step by step.
#[derive(Clone, Debug)]
pub struct Activity {
    /// How long a step is.
    pub step: Duration,
    /// Each line with its counts; steps without any may lack at the end.
    pub lines: Vec<(String, Vec<u32>)>,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            step: Duration::from_millis(1),
            lines: Vec::new(),
        }
    }
}

impl Activity {
    /// Counts something that was sent at a time since the beginning.
    pub(super) fn count(&mut self, line: &str, at: Duration) {
        let mut step = self.step_of(at);
        while step >= MOST {
            self.step *= 2;
            for (_, counts) in &mut self.lines {
                let pairs = counts.chunks(2);
                *counts = pairs.map(|pair| pair.iter().sum()).collect();
            }
            step = self.step_of(at);
        }
        let place = self.lines.iter().position(|(name, _)| name == line);
        let place = place.unwrap_or_else(|| {
            self.lines.push((line.to_owned(), Vec::new()));
            self.lines.len() - 1
        });
        let (_, counts) = &mut self.lines[place];
        if counts.len() <= step {
            counts.resize(step + 1, 0);
        }
        counts[step] = counts[step].saturating_add(1);
    }

    fn step_of(&self, at: Duration) -> usize {
        usize::try_from(at.as_nanos() / self.step.as_nanos()).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_has_longer_steps_and_loses_nothing() {
        let mut activity = Activity::default();
        for second in 0..3600 {
            let line = if second < 60 { "plc" } else { "gateway" };
            activity.count(line, Duration::from_secs(second));
        }
        assert_eq!(activity.step, Duration::from_millis(1024));
        let sums: Vec<u32> = activity
            .lines
            .iter()
            .map(|(_, counts)| counts.iter().sum())
            .collect();
        assert_eq!(sums, [60, 3540]);
        let (_, gateway) = &activity.lines[1];
        assert_eq!(gateway.iter().position(|count| *count > 0), Some(58));
    }
}
