//! What is done to bytes of any protocol: some of them altered, and all of them cut into segments.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::input::Act;

/// Bytes of which some are changed, taken away or put in.
pub fn altered(original: Vec<u8>) -> BoxedStrategy<Vec<u8>> {
    vec((any::<Index>(), any::<u8>(), 0..=3u8), 1..=3)
        .prop_map(move |changes| {
            let mut bytes = original.clone();
            for (at, byte, how) in changes {
                if bytes.is_empty() {
                    bytes.push(byte);
                    continue;
                }
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] ^= 1 << (byte & 7),
                    1 => bytes[at] = byte,
                    2 => {
                        bytes.remove(at);
                    }
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        })
        .boxed()
}

/// Bytes in segments, with a pause of so many milliseconds after each that is cut off.
pub fn in_pieces(bytes: &[u8], cuts: &[(Index, u64)]) -> Vec<Act> {
    let places = cuts.iter();
    let mut places: Vec<(usize, u64)> = places
        .map(|(at, pause)| (at.index(bytes.len().max(1)), *pause))
        .collect();
    places.sort_unstable();
    let mut acts = Vec::new();
    let mut from = 0;
    for (at, pause) in places {
        if at > from {
            acts.push(Act::Send(bytes[from..at].to_vec()));
            acts.push(Act::Pause(Duration::from_millis(pause)));
            from = at;
        }
    }
    acts.push(Act::Send(bytes[from..].to_vec()));
    acts
}
