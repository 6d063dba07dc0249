//! A second look at what is recorded: whoever asks again and again what went over the lines since the last time is not held
//! up by all that went before, nor by what a recorder has no more room for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::channel::Event;
use super::recorder::NotKept;

/// The most memory that it takes between two looks.
const MAX_KEPT: usize = 16 << 20;

/// What went over the lines since the last look. There is one at a time: a later one takes the place of one before.
#[derive(Debug, Default)]
pub struct Tap(pub(super) Arc<Mutex<Tapped>>);

/// What is kept for the next look.
#[derive(Debug, Default)]
pub(super) struct Tapped {
    events: Vec<Event>,
    kept: usize,
    left_out: usize,
}

impl Tap {
    /// What went over the lines since the last look, or since this began.
    ///
    /// # Errors
    /// Not all of it was kept: nobody can say what was not in it.
    pub fn take(&self) -> Result<Vec<Event>, NotKept> {
        let tapped = std::mem::take(&mut *lock(&self.0));
        match tapped.left_out {
            0 => Ok(tapped.events),
            bytes => Err(NotKept(bytes)),
        }
    }
}

pub(super) fn lock(tapped: &Mutex<Tapped>) -> MutexGuard<'_, Tapped> {
    tapped.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tapped {
    pub(super) fn keep(&mut self, event: &Event) {
        let size = event.bytes.len() + size_of::<Event>();
        if self.kept + size > MAX_KEPT {
            self.left_out += event.bytes.len();
            return;
        }
        self.kept += size;
        self.events.push(event.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Direction, Keep, Recorder};

    #[test]
    fn each_look_has_what_went_since_the_last_one() {
        let recorder = Recorder::new();
        recorder.note("plc", "before");
        let tap = recorder.tap();
        recorder.note("plc", "first");
        let channel = recorder.open("plc", None, Keep::Window);
        recorder.keep(&channel, Direction::Received, b"second", Keep::Window);
        let words = || -> Vec<String> {
            let events = tap.take().unwrap();
            let texts = events.into_iter();
            texts
                .map(|it| String::from_utf8(it.bytes).unwrap())
                .collect()
        };
        assert_eq!(words(), ["first", "second"]);
        recorder.take();
        recorder.note("plc", "third");
        assert_eq!(words(), ["third"]);
        assert!(words().is_empty());
    }

    #[test]
    fn a_later_look_goes_on_when_the_one_before_ends() {
        let recorder = Recorder::new();
        let before = recorder.tap();
        let tap = recorder.tap();
        drop(before);
        recorder.note("plc", "first");
        assert_eq!(tap.take().unwrap().len(), 1);
    }

    #[test]
    fn what_was_not_kept_is_told_once() {
        let recorder = Recorder::new();
        let tap = recorder.tap();
        let channel = recorder.open("plc", None, Keep::All);
        let flood = vec![0; MAX_KEPT];
        recorder.keep(&channel, Direction::Received, &flood, Keep::All);
        assert!(tap.take().is_err());
        assert!(tap.take().unwrap().is_empty());
    }
}
