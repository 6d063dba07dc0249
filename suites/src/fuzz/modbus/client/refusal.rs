//! A time in which nobody is let in: whether the device comes again sooner than it is stated to.

use std::time::Duration;

use tokio::time::Instant;

/// The most times of coming that are kept.
const MOST: usize = 4096;
/// Fewer spans say nothing.
const LEAST: usize = 4;

/// What is done with who comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// They are served.
    #[default]
    Open,
    /// They are sent away at once.
    Shut,
    /// They are sent away once they have asked: to some clients, a server that lets them in is another thing.
    ShutOnceAsked,
}

/// When they came.
#[derive(Debug, Default)]
pub struct Comings(Vec<Instant>);

impl Comings {
    /// Somebody has come.
    pub fn add(&mut self, came: Instant) {
        if self.0.len() < MOST {
            self.0.push(came);
        }
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The most that came within such a time.
    pub fn at_once(&self, time: Duration) -> usize {
        let begins = self.0.iter().enumerate();
        let within = begins.map(|(at, first)| {
            let rest = self.0[at..].iter();
            rest.take_while(|came| **came - *first < time).count()
        });
        within.max().unwrap_or_default()
    }

    /// How long it took from one to as many behind as show that one of so many clients had come twice, in the middle; none where
    /// too few came, or each waited in between.
    pub fn too_soon(&self, clients: usize, waits: Duration) -> Option<Duration> {
        // One more client than is known.
        let behind = clients + 1;
        let spans = self.0.windows(behind + 1);
        let mut spans: Vec<_> = spans.map(|some| some[behind] - some[0]).collect();
        spans.sort_unstable();
        let middle = *spans.get(spans.len() / 2)?;
        (spans.len() >= LEAST && middle < waits * 3 / 4).then_some(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Duration = Duration::from_millis(40);

    fn comings(millis: impl IntoIterator<Item = u64>) -> Comings {
        let began = Instant::now();
        let mut comings = Comings::default();
        for after in millis {
            comings.add(began + Duration::from_millis(after));
        }
        comings
    }

    fn too_soon(clients: usize, millis: impl IntoIterator<Item = u64>) -> bool {
        comings(millis).too_soon(clients, WAITS).is_some()
    }

    #[test]
    fn who_waits_in_between_is_not_too_soon_and_who_does_not_is() {
        assert!(!too_soon(1, (0..12).map(|at| at * 40)));
        assert!(too_soon(1, (0..40).map(|at| at * 12)));
        // Now and then a bench is late, and sees two of them together.
        assert!(!too_soon(1, [0, 40, 80, 200, 200, 201, 241, 281, 321, 361]));
        // Too few, and nobody.
        assert!(!too_soon(1, [0, 1, 2, 3]) && !too_soon(1, []));
    }

    #[test]
    fn several_clients_wait_each_for_itself() {
        let three = || (0..36).map(|at| at / 3 * 40 + at % 3);
        assert!(!too_soon(3, three()));
        assert!(!too_soon(2, three()), "one more than is known");
        let pair = (0..24).map(|at| at / 2 * 40 + at % 2);
        assert!(!too_soon(1, pair), "one that tries twice at a time");
        assert_eq!(comings(three()).at_once(WAITS), 3);
        assert!(too_soon(3, (0..60).map(|at| at * 2)));
    }

    #[test]
    fn a_device_that_comes_without_an_end_takes_no_room_without_an_end() {
        assert_eq!(comings(0..9999).len(), MOST);
    }
}
