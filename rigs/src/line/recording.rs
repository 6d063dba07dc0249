//! What a recorder kept, to be written.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::activity::Activity;
use super::channel::{Channel, Direction, Event};
use super::mask::Hidden;

/// What a recorder kept, in the order of time. No secret is in it, but for the keys where they were asked for.
pub struct Recording {
    pub(super) began: Instant,
    pub(super) began_at: SystemTime,
    pub(super) events: Vec<Event>,
    pub(super) hidden: Hidden,
    /// The connections that are known beside those of the events.
    pub(super) channels: Vec<Arc<Channel>>,
    pub(super) left_out: usize,
    pub(super) activity: Activity,
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

    /// The events. In a secret's place stand as many other bytes.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// When something was sent over which line, by whoever is not the monitor.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// What the bench did beside the lines: when, which part of it, and what, with everything that is not printable escaped.
    pub fn remarks(&self) -> Vec<(Duration, String, String)> {
        let of_bench = |(_, event): &(usize, &Event)| {
            event.direction == Direction::Note && matches!(event.line(), "bench" | "power")
        };
        let events = self.events.iter().enumerate().filter(of_bench);
        let remarks = events.map(|(place, event)| {
            let text = self.hidden.shown(place, event);
            (event.at, event.line().to_owned(), text)
        });
        remarks.collect()
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
        // Lines that are left out are never made: there may be far more of them than fit into memory.
        let sizes: Vec<usize> = self.events.iter().map(size).collect();
        let cut = middle(&sizes, most);
        let mut text = String::new();
        for (place, event) in self.events.iter().enumerate() {
            if place == cut.start && !cut.is_empty() {
                text.push_str(&format!("# {} lines are left out here\n", cut.len()));
            }
            if !cut.contains(&place) {
                let bytes = self.hidden.shown(place, event);
                text.push_str(&line(event, &bytes));
            }
        }
        if self.left_out > 0 {
            text.push_str(&format!("# {} bytes more were not kept\n", self.left_out));
        }
        text
    }
}

/// About how long a line is.
fn size(event: &Event) -> usize {
    16 + event.line().len() + event.bytes.escape_ascii().count()
}

fn line(event: &Event, bytes: &str) -> String {
    let arrow = match event.direction {
        Direction::Sent => ">",
        Direction::Received => "<",
        Direction::Note => "#",
    };
    let at = event.at.as_secs_f64();
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
    use crate::line::{Carrier, Direction, Keep, MAX_KEPT, Recorder};

    #[test]
    fn what_is_written_is_no_longer_than_asked_whatever_came() {
        let recorder = Recorder::new();
        let channel = recorder.open("plc", Some(Carrier::Tcp(502)), Keep::All);
        // A device that sends bytes one by one, more of them than are kept.
        for _ in 0..MAX_KEPT / 64 {
            recorder.keep(&channel, Direction::Received, b"\0", Keep::All);
        }
        let recording = recorder.take();
        assert!(recording.left_out() > 0);
        let most = 1 << 20;
        let written = [
            recording.transcript(most).into_bytes(),
            recording.pcapng(most).unwrap(),
        ];
        for written in written {
            assert!(
                (most * 3 / 4..most * 5 / 4).contains(&written.len()),
                "{}",
                written.len()
            );
        }
    }

    #[test]
    fn connections_of_which_nothing_is_written_have_no_packets() {
        let recorder = Recorder::new();
        for _ in 0..20_000 {
            let channel = recorder.open("plc", Some(Carrier::Tcp(502)), Keep::All);
            recorder.keep(&channel, Direction::Received, b"\0", Keep::All);
        }
        let most = 1 << 20;
        let written = recorder.take().pcapng(most).unwrap().len();
        assert!((most / 2..most * 5 / 4).contains(&written), "{written}");
    }

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
