//! What a recorder kept, to be written.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::activity::Activity;
use super::channel::{Channel, Direction, Event};
use super::mask;
use crate::secret::Secret;

/// What a recorder kept, in the order of time. It has secrets in it: what is made of it masks them.
pub struct Recording {
    pub(super) began: Instant,
    pub(super) began_at: SystemTime,
    pub(super) events: Vec<Event>,
    /// The connections that are known beside those of the events.
    pub(super) channels: Vec<Arc<Channel>>,
    pub(super) left_out: usize,
    pub(super) activity: Activity,
    pub(super) secrets: Vec<Secret>,
    pub(super) keys: Option<String>,
}

impl Recording {
    /// When it began, by the clock that only goes forward.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// When it began.
    pub(crate) fn began_at(&self) -> SystemTime {
        self.began_at
    }

    /// How many bytes were too many to be kept.
    pub(crate) fn left_out(&self) -> usize {
        self.left_out
    }

    /// The keys of the TLS sessions that were opened in it, where they were kept.
    pub(crate) fn keys(&self) -> Option<&str> {
        self.keys.as_deref().filter(|keys| !keys.is_empty())
    }

    /// When something was sent over which line, by whoever is not the monitor.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// What the bench did beside the lines: when, which part of it, and what. Secrets are masked.
    pub fn remarks(&self) -> Vec<(Duration, String, String)> {
        let of_bench = |event: &&Event| {
            event.direction == Direction::Note && matches!(event.line(), "bench" | "power")
        };
        let mut events: Vec<Event> = self.events.iter().filter(of_bench).cloned().collect();
        mask::mask(&mut events, &self.secrets);
        let remarks = events.into_iter().map(|event| {
            let text = String::from_utf8_lossy(&event.bytes).into_owned();
            (event.at, event.line().to_owned(), text)
        });
        remarks.collect()
    }

    /// The events with as many bytes in a secret's place as it has.
    pub(crate) fn filled(&self) -> Vec<Event> {
        let mut events = self.events.clone();
        mask::fill(&mut events, &self.secrets);
        events
    }

    /// Every connection that it knows, each once, in the order in which they were opened.
    pub(crate) fn channels(&self) -> Vec<Arc<Channel>> {
        let of_events = self.events.iter().map(|event| &event.channel);
        let mut channels: Vec<_> = self.channels.iter().chain(of_events).cloned().collect();
        channels.sort_by_key(|channel| channel.number);
        channels.dedup_by_key(|channel| channel.number);
        channels
    }

    /// As text, one line an event: time, line, direction, and the bytes as text with everything that is not printable
    /// escaped. Secrets are masked, also where they are spread over several events. Of one that is longer than `most`
    /// bytes, the beginning and the end stay.
    pub fn transcript(&self, most: usize) -> String {
        let mut events = self.events.clone();
        mask::mask(&mut events, &self.secrets);
        let lines: Vec<String> = events.iter().map(line).collect();
        let sizes: Vec<usize> = lines.iter().map(String::len).collect();
        let cut = middle(&sizes, most);
        let mut text = lines[..cut.start].concat();
        if !cut.is_empty() {
            text.push_str(&format!("# {} lines are left out here\n", cut.len()));
        }
        text.push_str(&lines[cut.end..].concat());
        if self.left_out > 0 {
            text.push_str(&format!("# {} bytes more were not kept\n", self.left_out));
        }
        text
    }
}

fn line(event: &Event) -> String {
    let arrow = match event.direction {
        Direction::Sent => ">",
        Direction::Received => "<",
        Direction::Note => "#",
    };
    let at = event.at.as_secs_f64();
    let bytes = event.bytes.escape_ascii();
    format!("{at:11.6} {} {arrow} {bytes}\n", event.line())
}

/// What to leave out of the middle, so that no more than `most` is left of parts of these sizes.
pub(crate) fn middle(sizes: &[usize], most: usize) -> Range<usize> {
    if sizes.iter().sum::<usize>() <= most {
        return sizes.len()..sizes.len();
    }
    let fit = |sizes: &mut dyn Iterator<Item = &usize>| {
        let mut room = most / 2;
        sizes
            .take_while(|size| {
                let fits = **size <= room;
                room = room.saturating_sub(**size);
                fits
            })
            .count()
    };
    let begin = fit(&mut sizes.iter());
    let end = sizes.len() - fit(&mut sizes[begin..].iter().rev());
    begin..end
}

#[cfg(test)]
mod tests {
    use super::middle;

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end() {
        assert_eq!(middle(&[4, 4, 4], 12), 3..3);
        assert_eq!(middle(&[4, 4, 4, 4, 4], 12), 1..4);
        assert_eq!(middle(&[4, 4, 4, 4, 4], 16), 2..3);
        assert_eq!(middle(&[100, 1], 10), 0..1);
        assert_eq!(middle(&[1, 100], 10), 1..2);
        assert_eq!(middle(&[100], 0), 0..1);
        assert_eq!(middle(&[], 0), 0..0);
    }
}
