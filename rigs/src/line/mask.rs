//! Secrets in a recording are masked before it is written anywhere.

use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem;

use super::channel::{Direction, Event};
use crate::secret::{MASK, Secret};

/// What stands for a byte of a secret where its length has to stay.
const FILLER: u8 = b'*';

/// Where secrets were, by the event that they were in.
#[derive(Debug, Default)]
pub(super) struct Hidden(HashMap<usize, Vec<Part>>);

/// A part of a secret in an event.
#[derive(Clone, Debug)]
struct Part {
    place: Range<usize>,
    /// Whether the secret begins there.
    first: bool,
}

/// Overwrites the secrets in the bytes of each connection and direction, taken together: a secret may be spread over
/// events. As many other bytes stand in its place, so that whatever says a length stays right.
pub(super) fn hide(events: &mut [Event], secrets: &[Secret]) -> Hidden {
    let mut hidden = Hidden::default();
    for places in streams(events) {
        let parts: Vec<&[u8]> = places
            .iter()
            .map(|place| &events[*place].bytes[..])
            .collect();
        let bytes = parts.concat();
        let mut hits = hits(&bytes, secrets).into_iter().peekable();
        let mut begin = 0;
        for place in places {
            let end = begin + events[place].bytes.len();
            while let Some(hit) = hits.peek().filter(|hit| hit.start < end) {
                let part = Part {
                    place: hit.start.max(begin) - begin..hit.end.min(end) - begin,
                    first: hit.start >= begin,
                };
                events[place].bytes[part.place.clone()].fill(FILLER);
                hidden.0.entry(place).or_default().push(part);
                if hit.end > end {
                    break;
                }
                hits.next();
            }
            begin = end;
        }
    }
    hidden
}

impl Hidden {
    /// The bytes of an event as text, with everything that is not printable escaped, and one mask for each secret.
    pub(super) fn shown(&self, place: usize, event: &Event) -> String {
        let mut text = String::new();
        let mut from = 0;
        for part in self.0.get(&place).into_iter().flatten() {
            text.push_str(
                &event.bytes[from..part.place.start]
                    .escape_ascii()
                    .to_string(),
            );
            if part.first {
                text.push_str(MASK);
            }
            from = part.place.end;
        }
        text.push_str(&event.bytes[from..].escape_ascii().to_string());
        text
    }
}

/// The places of the events of each connection and direction.
fn streams(events: &[Event]) -> Vec<Vec<usize>> {
    let mut streams: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<(u64, Direction), usize> = HashMap::new();
    for (place, event) in events.iter().enumerate() {
        let key = (event.channel.number, event.direction);
        let at = *known.entry(key).or_insert_with(|| {
            streams.push(Vec::new());
            streams.len() - 1
        });
        streams[at].push(place);
    }
    streams
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
