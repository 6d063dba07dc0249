//! What was sent lately: the inputs among which the cause of a finding has to be.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::input::{Generated, Input};

/// The most inputs that are remembered.
const MAX_INPUTS: usize = 8192;
/// The most bytes of them that are remembered.
const MAX_BYTES: usize = 16 << 20;

/// The inputs that were sent, the newest last. Its size is bounded, however long a suite runs.
#[derive(Debug, Default)]
pub struct Window {
    sent: VecDeque<(Instant, Generated)>,
    bytes: usize,
}

impl Window {
    /// Remembers an input; `anew` says whether a connection was opened for it.
    pub fn push(&mut self, mut sent: Generated, anew: bool) {
        sent.input.anew = anew;
        self.bytes += sent.input.size();
        self.sent.push_back((Instant::now(), sent));
        while self.sent.len() > MAX_INPUTS || self.bytes > MAX_BYTES {
            if let Some((_, oldest)) = self.sent.pop_front() {
                self.bytes -= oldest.input.size();
            }
        }
    }

    /// Forgets everything: the device was switched off and on.
    pub fn clear(&mut self) {
        self.sent.clear();
        self.bytes = 0;
    }

    /// Forgets what was sent after a moment.
    pub fn forget_after(&mut self, moment: Instant) {
        while let Some((at, _)) = self.sent.back()
            && *at > moment
            && let Some((_, newest)) = self.sent.pop_back()
        {
            self.bytes -= newest.input.size();
        }
    }

    /// How many inputs are remembered.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// The newest so many, in the order in which they were sent.
    pub fn last(&self, count: usize) -> Vec<Generated> {
        let skip = self.sent.len().saturating_sub(count);
        let last = self.sent.iter().skip(skip);
        let mut last: Vec<_> = last.map(|(_, sent)| sent.clone()).collect();
        if let Some(first) = last.first_mut() {
            first.input.anew = true;
        }
        last
    }
}

/// Those of `inputs` whose place is in `keep`. What began a connection still does, also where the one that opened it is
/// left out.
pub fn kept(inputs: &[Generated], keep: &[bool]) -> Vec<Generated> {
    let mut kept = Vec::new();
    let mut anew = true;
    for (one, keep) in inputs.iter().zip(keep) {
        anew |= one.input.anew;
        if *keep {
            let input = Input {
                anew: std::mem::take(&mut anew),
                ..one.input.clone()
            };
            kept.push(Generated {
                input,
                origin: one.origin.clone(),
            });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::input::Origin;

    fn one(index: u64) -> Generated {
        Generated {
            input: Input::of("one", vec![index as u8]),
            origin: Origin { index, base: None },
        }
    }

    #[test]
    fn the_window_is_bounded_and_keeps_the_newest() {
        let mut window = Window::default();
        for index in 0..MAX_INPUTS as u64 + 10 {
            window.push(one(index), false);
        }
        assert_eq!(window.len(), MAX_INPUTS);
        let last = window.last(2);
        assert_eq!(last[1].origin.index, MAX_INPUTS as u64 + 9);
        assert!(last[0].input.anew && !last[1].input.anew);
    }

    #[test]
    fn what_began_a_connection_still_does_where_inputs_are_left_out() {
        let mut inputs: Vec<_> = (0..4).map(one).collect();
        inputs[0].input.anew = true;
        inputs[2].input.anew = true;
        let kept = kept(&inputs, &[true, true, false, true]);
        let anew: Vec<_> = kept.iter().map(|one| one.input.anew).collect();
        assert_eq!(anew, [true, false, true]);
    }
}
