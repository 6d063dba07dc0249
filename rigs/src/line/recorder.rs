//! The recorder: every byte that went over a line, both ways, with its time.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::secret::{MASK, Secret};

/// The most bytes that a recorder keeps. What comes later is counted, not kept.
pub const MAX_KEPT: usize = 64 << 20;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the bench to the device.
    Sent,
    /// From the device to the bench.
    Received,
    /// No bytes of the line: the bench's own remark.
    Note,
}

/// Bytes on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, since the recorder began; of a clock that only goes forward.
    pub at: Duration,
    /// The line: the interface's name, and `.wire` behind it for what is under TLS.
    pub line: Arc<str>,
    /// Which way.
    pub direction: Direction,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Keeps what goes over lines. Clones keep into the same place.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    events: Vec<Event>,
    kept: usize,
    left_out: usize,
    secrets: Vec<Secret>,
}

/// A place in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// A recorder that begins now.
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                began: Instant::now(),
                events: Vec::new(),
                kept: 0,
                left_out: 0,
                secrets: Vec::new(),
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A recording is whole after each step, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps bytes.
    pub fn keep(&self, line: &Arc<str>, direction: Direction, bytes: &[u8]) {
        let mut inner = self.lock();
        if inner.kept + bytes.len() > MAX_KEPT {
            inner.left_out += bytes.len();
            return;
        }
        inner.kept += bytes.len();
        let at = inner.began.elapsed();
        inner.events.push(Event {
            at,
            line: Arc::clone(line),
            direction,
            bytes: bytes.to_vec(),
        });
    }

    /// Keeps a remark of the bench.
    pub fn note(&self, line: &str, text: &str) {
        self.keep(&Arc::from(line), Direction::Note, text.as_bytes());
    }

    /// This moment.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().events.len())
    }

    /// What was kept since a moment.
    pub fn since(&self, mark: Mark) -> Vec<Event> {
        self.lock()
            .events
            .get(mark.0..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Forgets what was kept, and begins anew; secrets stay known.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.events.clear();
        inner.kept = 0;
        inner.left_out = 0;
        inner.began = Instant::now();
    }

    /// Makes a secret known, so that no export shows it.
    pub fn conceal(&self, secret: &Secret) {
        // A secret of a few characters would stand everywhere by chance.
        if secret.reveal().len() < 4 {
            return;
        }
        let mut inner = self.lock();
        if !inner.secrets.contains(secret) {
            inner.secrets.push(secret.clone());
        }
    }

    /// Text with every known secret masked.
    pub fn masked(&self, text: &str) -> String {
        let inner = self.lock();
        let mut masked = text.to_owned();
        for secret in &inner.secrets {
            masked = masked.replace(secret.reveal(), MASK);
        }
        masked
    }

    /// The recording since a moment as text, one line an event: time, line, direction, and the bytes as text with
    /// everything that is not printable escaped. Secrets are masked, also where they are spread over several events.
    pub fn transcript(&self, mark: Mark) -> String {
        let mut events = self.since(mark);
        let (secrets, left_out) = {
            let inner = self.lock();
            (inner.secrets.clone(), inner.left_out)
        };
        mask_events(&mut events, &secrets);
        let mut text = String::new();
        for event in &events {
            let arrow = match event.direction {
                Direction::Sent => ">",
                Direction::Received => "<",
                Direction::Note => "#",
            };
            let at = event.at.as_secs_f64();
            text.push_str(&format!(
                "{at:11.6} {} {arrow} {}\n",
                event.line,
                event.bytes.escape_ascii()
            ));
        }
        if left_out > 0 {
            text.push_str(&format!("# {left_out} bytes more were not kept\n"));
        }
        text
    }
}

/// Masks the secrets in the bytes of each line and direction, taken together: a secret may be spread over events.
fn mask_events(events: &mut [Event], secrets: &[Secret]) {
    let mut streams: Vec<(Arc<str>, Direction)> = Vec::new();
    for event in events.iter() {
        if !streams
            .iter()
            .any(|(line, direction)| *line == event.line && *direction == event.direction)
        {
            streams.push((Arc::clone(&event.line), event.direction));
        }
    }
    for (line, direction) in streams {
        let of_stream = |event: &&mut Event| event.line == line && event.direction == direction;
        let bytes: Vec<u8> = events
            .iter_mut()
            .filter(of_stream)
            .flat_map(|event| event.bytes.iter().copied())
            .collect();
        let hits = hits(&bytes, secrets);
        if hits.is_empty() {
            continue;
        }
        let mut hits = hits.into_iter().peekable();
        let mut begin = 0;
        for event in events.iter_mut().filter(of_stream) {
            let end = begin + event.bytes.len();
            let mut kept = Vec::new();
            let mut at = begin;
            while at < end {
                match hits.peek() {
                    Some(hit) if hit.contains(&at) => {
                        if at == hit.start {
                            kept.extend(MASK.bytes());
                        }
                        let over = hit.end;
                        at = over.min(end);
                        if at == over {
                            hits.next();
                        }
                    }
                    _ => {
                        kept.push(bytes[at]);
                        at += 1;
                    }
                }
            }
            event.bytes = kept;
            begin = end;
        }
    }
}

/// Where the secrets stand, in order; what overlaps is one place.
fn hits(bytes: &[u8], secrets: &[Secret]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = secrets
        .iter()
        .map(|secret| secret.reveal().as_bytes())
        .filter(|secret| !secret.is_empty())
        .flat_map(|secret| memmem::find_iter(bytes, secret).map(move |at| at..at + secret.len()))
        .collect();
    found.sort_by_key(|hit| hit.start);
    let mut hits: Vec<Range<usize>> = Vec::new();
    for hit in found {
        match hits.last_mut() {
            Some(last) if hit.start < last.end => last.end = last.end.max(hit.end),
            _ => hits.push(hit),
        }
    }
    hits
}

/// Where `needle` first stands in `hay`.
pub fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    memmem::find(hay, needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_also_where_it_is_spread_over_events() {
        let recorder = Recorder::new();
        let line: Arc<str> = "console".into();
        let start = recorder.mark();
        recorder.conceal(&Secret::new("hunter2"));
        recorder.keep(&line, Direction::Sent, b"hunter2\r");
        for byte in b"a hunter2 hunter2\x1b" {
            recorder.keep(&line, Direction::Received, &[*byte]);
        }
        let transcript = recorder.transcript(start);
        assert!(!transcript.contains("hunter2"), "{transcript}");
        assert_eq!(transcript.matches("[secret]").count(), 3, "{transcript}");
        assert!(transcript.contains(r"\x1b"), "{transcript}");
        assert_eq!(recorder.masked("x hunter2 y"), "x [secret] y");
    }

    #[test]
    fn secrets_that_overlap_or_touch_leave_nothing_of_themselves() {
        let recorder = Recorder::new();
        let line: Arc<str> = "console".into();
        let start = recorder.mark();
        for secret in ["alpha-beta", "beta-gamma", "delta"] {
            recorder.conceal(&Secret::new(secret));
        }
        recorder.keep(&line, Direction::Received, b"1 alpha-beta-");
        recorder.keep(&line, Direction::Received, b"gamma 2 deltadel");
        recorder.keep(&line, Direction::Received, b"ta 3 del");
        let transcript = recorder.transcript(start);
        let texts: Vec<_> = transcript
            .lines()
            .filter_map(|line| line.split_once("< "))
            .map(|(_, text)| text)
            .collect();
        assert_eq!(texts, ["1 [secret]", " 2 [secret][secret]", " 3 del"]);
    }

    #[test]
    fn a_mark_divides_what_was_before_from_what_came_after() {
        let recorder = Recorder::new();
        recorder.note("plc", "before");
        let mark = recorder.mark();
        recorder.note("plc", "after");
        assert_eq!(recorder.since(mark).len(), 1);
    }
}
