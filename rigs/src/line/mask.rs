//! Secrets in a recording are masked before it is written anywhere.

use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem;

use super::channel::{Direction, Event};
use crate::secret::{MASK, Secret};

/// What stands for a byte of a secret where its length has to stay.
const FILLER: u8 = b'*';

/// Masks the secrets in the bytes of each line and direction, taken together: a secret may be spread over events.
pub(super) fn mask(events: &mut [Event], secrets: &[Secret]) {
    for (places, bytes) in streams(events) {
        let hits = hits(&bytes, secrets);
        if hits.is_empty() {
            continue;
        }
        let mut hits = hits.into_iter().peekable();
        let mut begin = 0;
        for place in places {
            let event = &mut events[place];
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

/// As [`mask`], with as many bytes in a secret's place as it has, so that whatever says a length stays right.
pub(super) fn fill(events: &mut [Event], secrets: &[Secret]) {
    for (places, mut bytes) in streams(events) {
        let hits = hits(&bytes, secrets);
        if hits.is_empty() {
            continue;
        }
        for hit in hits {
            bytes[hit].fill(FILLER);
        }
        let mut rest = bytes.as_slice();
        for place in places {
            let (own, behind) = rest.split_at(events[place].bytes.len());
            events[place].bytes.copy_from_slice(own);
            rest = behind;
        }
    }
}

/// The bytes of each connection and direction, with the places of the events that they are from.
fn streams(events: &[Event]) -> Vec<(Vec<usize>, Vec<u8>)> {
    let mut streams: Vec<(Vec<usize>, Vec<u8>)> = Vec::new();
    let mut known: HashMap<(u64, Direction), usize> = HashMap::new();
    for (place, event) in events.iter().enumerate() {
        let key = (event.channel.number, event.direction);
        let at = *known.entry(key).or_insert_with(|| {
            streams.push(Default::default());
            streams.len() - 1
        });
        let (places, bytes) = &mut streams[at];
        places.push(place);
        bytes.extend_from_slice(&event.bytes);
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
