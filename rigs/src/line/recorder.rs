//! The recorder: every byte that went over a line, both ways, with its time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use memchr::memmem;
use thiserror::Error;

use super::activity::Activity;
use super::channel::{Carrier, Channel, Direction, Event};
use super::keys::Keys;
use super::mask;
use super::recording::Recording;
use super::tap::{self, Tap, Tapped};
use crate::secret::{MASK, Secret};

/// The most memory that a recorder takes. What comes later is counted, not kept.
pub const MAX_KEPT: usize = 64 << 20;
/// The most connections that are kept where nothing went over them.
const MAX_CHANNELS: usize = 16 << 10;
/// What is kept of lines for whose bytes only the last moment counts: so many bytes and events, both ways together.
const WINDOW_BYTES: usize = 64 << 10;
const WINDOW_EVENTS: usize = 1024;

/// Keeps what goes over lines. Clones keep into the same place.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    began_at: SystemTime,
    events: Vec<Event>,
    kept: usize,
    left_out: usize,
    /// The connections that are open, or were since the recording began.
    channels: Vec<Arc<Channel>>,
    /// The number of the next connection.
    next: u64,
    /// What went lately over the lines of which only a window is kept.
    window: VecDeque<Event>,
    window_bytes: usize,
    activity: Activity,
    /// What is kept beside, for whoever looks again and again, as long as somebody does.
    tapped: Weak<Mutex<Tapped>>,
    secrets: Vec<Secret>,
    /// The keys of TLS sessions, where they are asked for.
    keys: Option<Keys>,
}

/// A place in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

/// More went over the lines than a recorder keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{0} bytes more went over the lines than the bench keeps, so that it cannot say what was in them"
)]
pub struct NotKept(pub(super) usize);

/// How much of a line is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All of it.
    All,
    /// The last moment before each [`Recorder::keep_window`].
    Window,
}

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
                began_at: SystemTime::now(),
                events: Vec::new(),
                kept: 0,
                left_out: 0,
                channels: Vec::new(),
                next: 1,
                window: VecDeque::new(),
                window_bytes: 0,
                activity: Activity::default(),
                tapped: Weak::new(),
                secrets: Vec::new(),
                keys: None,
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A recording is whole after each step, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was opened just now.
    pub fn open(&self, line: &str, carrier: Option<Carrier>, keep: Keep) -> Arc<Channel> {
        let mut inner = self.lock();
        let channel = Arc::new(Channel::new(line, carrier, inner.next));
        inner.next += 1;
        // One of which only a window is kept is known by what is in that.
        if keep == Keep::All && inner.channels.len() < MAX_CHANNELS {
            inner.channels.push(Arc::clone(&channel));
        }
        channel
    }

    /// Keeps bytes.
    pub fn keep(&self, channel: &Arc<Channel>, direction: Direction, bytes: &[u8], keep: Keep) {
        let offset = channel.count(direction, bytes.len());
        let mut inner = self.lock();
        let event = Event {
            at: inner.began.elapsed(),
            channel: Arc::clone(channel),
            direction,
            offset,
            bytes: bytes.to_vec(),
        };
        if direction == Direction::Sent && !channel.watches {
            inner.activity.count(&channel.line, event.at);
        }
        if let Some(tapped) = inner.tapped.upgrade() {
            tap::lock(&tapped).keep(&event);
        }
        match keep {
            Keep::All => inner.keep(event),
            Keep::Window => inner.keep_lately(event),
        }
    }

    /// Keeps what went lately over the lines of which only a window is kept: something has come of it.
    pub fn keep_window(&self) {
        let mut inner = self.lock();
        inner.window_bytes = 0;
        for event in std::mem::take(&mut inner.window) {
            inner.keep(event);
        }
    }

    /// Keeps a remark of the bench.
    pub fn note(&self, line: &str, text: &str) {
        let channel = Arc::new(Channel::new(line, None, 0));
        self.keep(&channel, Direction::Note, text.as_bytes(), Keep::All);
    }

    /// Keeps the keys of TLS sessions from now on.
    pub fn keep_keys(&self) {
        self.lock().keys.get_or_insert_default();
    }

    /// Where the keys of a TLS session go; none where nobody asks for them.
    pub fn keys(&self) -> Option<Keys> {
        self.lock().keys.clone()
    }

    /// This moment.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().events.len())
    }

    /// What went over the lines since a moment.
    ///
    /// # Errors
    /// Not all of it was kept: nobody can say what was not in it.
    pub fn since(&self, mark: Mark) -> Result<Vec<Event>, NotKept> {
        let inner = self.lock();
        match inner.left_out {
            0 => Ok(inner.events.get(mark.0..).unwrap_or_default().to_vec()),
            bytes => Err(NotKept(bytes)),
        }
    }

    /// From now on, what goes over the lines can be looked at again and again.
    pub fn tap(&self) -> Tap {
        let tap = Tap::default();
        self.lock().tapped = Arc::downgrade(&tap.0);
        tap
    }

    /// Forgets what was kept, and begins anew; secrets stay known, and connections that are open.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.events.clear();
        inner.window.clear();
        inner.window_bytes = 0;
        inner.kept = 0;
        inner.left_out = 0;
        inner.activity = Activity::default();
        if let Some(keys) = &inner.keys {
            keys.clear();
        }
        inner
            .channels
            .retain(|channel| channel.ended(Direction::Sent).is_none());
        inner.began = Instant::now();
        inner.began_at = SystemTime::now();
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
            // Nearly no text has one, and each reading of an essential function is looked through.
            if memmem::find(masked.as_bytes(), secret.reveal().as_bytes()).is_some() {
                masked = masked.replace(secret.reveal(), MASK);
            }
        }
        masked
    }

    /// The recording since it began, to be written: in the order of time, and without secrets. The recorder keeps no event.
    pub fn take(&self) -> Recording {
        let (mut recording, secrets) = {
            let mut inner = self.lock();
            let recording = Recording {
                began: inner.began,
                began_at: inner.began_at,
                events: std::mem::take(&mut inner.events),
                hidden: mask::Hidden::default(),
                channels: inner.channels.clone(),
                left_out: inner.left_out,
                activity: inner.activity.clone(),
                keys: inner.keys.as_ref().map(Keys::text),
            };
            (recording, inner.secrets.clone())
        };
        // The lines go on meanwhile: the essential functions are read on them. A window is kept once something has come of it.
        recording.events.sort_by_key(|event| event.at);
        recording.hidden = mask::hide(&mut recording.events, &secrets);
        recording
    }
}

impl Inner {
    fn keep(&mut self, event: Event) {
        let size = event.bytes.len() + size_of::<Event>();
        if self.kept + size > MAX_KEPT {
            self.left_out += event.bytes.len();
            return;
        }
        self.kept += size;
        self.events.push(event);
    }

    fn keep_lately(&mut self, event: Event) {
        self.window_bytes += event.bytes.len();
        self.window.push_back(event);
        while self.window.len() > 1
            && (self.window_bytes > WINDOW_BYTES || self.window.len() > WINDOW_EVENTS)
        {
            let Some(oldest) = self.window.pop_front() else {
                return;
            };
            self.window_bytes -= oldest.bytes.len();
        }
    }
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

    fn console(recorder: &Recorder) -> impl Fn(Direction, &[u8]) {
        let channel = recorder.open("console", None, Keep::All);
        let recorder = recorder.clone();
        move |direction, bytes: &[u8]| recorder.keep(&channel, direction, bytes, Keep::All)
    }

    #[test]
    fn a_secret_is_masked_also_where_it_is_spread_over_events() {
        let recorder = Recorder::new();
        let keep = console(&recorder);
        recorder.conceal(&Secret::new("hunter2"));
        keep(Direction::Sent, b"hunter2\r");
        for byte in b"a hunter2 hunter2\x1b" {
            keep(Direction::Received, &[*byte]);
        }
        let transcript = recorder.take().transcript(usize::MAX);
        assert!(!transcript.contains("hunter2"), "{transcript}");
        assert_eq!(transcript.matches("[secret]").count(), 3, "{transcript}");
        assert!(transcript.contains(r"\x1b"), "{transcript}");
        assert_eq!(recorder.masked("x hunter2 y"), "x [secret] y");
    }

    #[test]
    fn a_secret_is_filled_with_as_many_bytes_also_where_it_is_spread_over_events() {
        let recorder = Recorder::new();
        let keep = console(&recorder);
        recorder.conceal(&Secret::new("hunter2"));
        keep(Direction::Received, b"a hunt");
        keep(Direction::Sent, b"hunter2");
        keep(Direction::Received, b"er");
        keep(Direction::Received, b"2 b");
        let filled = recorder.take();
        let bytes: Vec<_> = filled
            .events()
            .iter()
            .map(|event| &event.bytes[..])
            .collect();
        assert_eq!(bytes, [&b"a ****"[..], b"*******", b"**", b"* b"]);
    }

    #[test]
    fn secrets_that_overlap_or_touch_leave_nothing_of_themselves() {
        let recorder = Recorder::new();
        let keep = console(&recorder);
        for secret in ["alpha-beta", "beta-gamma", "delta"] {
            recorder.conceal(&Secret::new(secret));
        }
        keep(Direction::Received, b"1 alpha-beta-");
        keep(Direction::Received, b"gamma 2 deltadel");
        keep(Direction::Received, b"ta 3 del");
        let transcript = recorder.take().transcript(usize::MAX);
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
        assert_eq!(recorder.since(mark).unwrap().len(), 1);
    }

    #[test]
    fn what_was_not_kept_is_no_silence() {
        let recorder = Recorder::new();
        let mark = recorder.mark();
        let keep = console(&recorder);
        keep(Direction::Received, &vec![0; MAX_KEPT]);
        assert!(recorder.since(mark).is_err());
        recorder.clear();
        assert!(recorder.since(mark).unwrap().is_empty());
    }

    #[test]
    fn of_a_window_the_last_moment_is_kept_when_something_comes_of_it() {
        let recorder = Recorder::new();
        let channel = recorder.open("plc", Some(Carrier::Tcp(502)), Keep::Window);
        for number in 0..5000_u16 {
            let bytes = number.to_be_bytes();
            recorder.keep(&channel, Direction::Sent, &bytes, Keep::Window);
        }
        assert!(recorder.take().events().is_empty());
        recorder.keep_window();
        recorder.keep_window();
        let recording = recorder.take();
        let kept = recording.events();
        assert_eq!(kept.len(), WINDOW_EVENTS);
        assert_eq!(kept[WINDOW_EVENTS - 1].bytes, 4999_u16.to_be_bytes());
        assert_eq!(kept[0].offset, 2 * (5000 - WINDOW_EVENTS as u64));
    }
}
