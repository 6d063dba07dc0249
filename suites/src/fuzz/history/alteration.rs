//! What is done to a file before the device is given it: each alteration by itself, readable in a reproducer.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::alter::decoded;

/// One thing done to a file. A place counts from the file's end where it is negative, and goes round in a shorter file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Alteration {
    /// A bit is flipped.
    Flip {
        /// Where.
        at: i64,
        /// Which.
        bit: u8,
    },
    /// The last digit of the first number from there on is another one.
    Number {
        /// Where.
        at: i64,
    },
    /// Bytes are written over.
    Fill {
        /// Where.
        at: i64,
        /// How many.
        count: u32,
        /// With what.
        value: u8,
    },
    /// Bytes are put in.
    Insert {
        /// Where.
        at: i64,
        /// How many.
        count: u32,
        /// Which.
        value: u8,
    },
    /// Bytes are taken out.
    Remove {
        /// Where.
        at: i64,
        /// How many.
        count: u32,
    },
    /// Two parts change places.
    Swap {
        /// Where the one is.
        at: i64,
        /// Where the other is.
        with: i64,
        /// How many bytes each has.
        count: u32,
    },
    /// A part is that of another file.
    Graft {
        /// The other file, by the rig file's name.
        of: String,
        /// Where.
        at: i64,
        /// How many bytes.
        count: u32,
    },
    /// Nothing is left from there on.
    Cut {
        /// Where.
        at: i64,
    },
    /// Bytes are put behind its end.
    Append {
        /// How many.
        count: u32,
        /// Which.
        value: u8,
    },
}

/// The bits that leave text printable, and that no reader leaves out.
const BITS: [u8; 2] = [0x10, 0x04];
/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Altered {
    /// It is as it was.
    Not,
    /// It may mean what it meant: with bytes behind its end, or text with other white space or capitals. Nobody is judged by it.
    Slightly,
    /// It is another file.
    Really,
}

/// A file with all of these done to it. One that is base64 as a whole is altered in what it encodes.
pub fn altered(
    file: &[u8],
    all: &[Alteration],
    other: impl Fn(&str) -> Option<Vec<u8>>,
) -> (Vec<u8>, Altered) {
    let inner = decoded(file);
    let encoded = inner.is_some();
    let original = inner.unwrap_or_else(|| file.to_vec());
    let text = is_text(&original);
    let mut bytes = original.clone();
    for one in all {
        one.apply(&mut bytes, text, &other);
    }
    let became = compare(&original, &bytes, text);
    match became {
        Altered::Not => (file.to_vec(), became),
        _ if encoded => (BASE64.encode(&bytes).into_bytes(), became),
        _ => (bytes, became),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let mut bytes = bytes.iter();
    bytes.all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

fn compare(original: &[u8], altered: &[u8], text: bool) -> Altered {
    if original == altered {
        return Altered::Not;
    }
    let meant = |bytes: &[u8]| match text {
        true => squeezed(bytes),
        false => bytes.to_vec(),
    };
    let (original, altered) = (meant(original), meant(altered));
    match altered.starts_with(&original) {
        true => Altered::Slightly,
        false => Altered::Really,
    }
}

/// A text without what may mean nothing: white space, capitals, and how base64 ends.
fn squeezed(text: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    for &byte in text {
        if byte == b'=' {
            rest.pop();
        } else if !byte.is_ascii_whitespace() {
            rest.push(byte.to_ascii_lowercase());
        }
    }
    rest
}

/// A place in so many bytes; none where there are none.
fn place(at: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok().filter(|length| *length > 0)?;
    usize::try_from(at.rem_euclid(length)).ok()
}

/// So many bytes from a place on, as far as there are any.
fn part(at: i64, count: u32, length: usize) -> Range<usize> {
    let from = place(at, length).unwrap_or(0);
    from..from.saturating_add(count as usize).min(length)
}

/// A byte that a text may hold.
fn fitting(value: u8, text: bool) -> u8 {
    match text {
        true => b'!' + value % (b'~' - b'!' + 1),
        false => value,
    }
}

impl Alteration {
    /// How it is called in reports, whatever its numbers.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Flip { .. } => "a bit flipped",
            Self::Number { .. } => "another number",
            Self::Fill { .. } => "bytes written over",
            Self::Insert { .. } => "bytes put in",
            Self::Remove { .. } => "bytes taken out",
            Self::Swap { .. } => "parts that changed places",
            Self::Graft { .. } => "a part of another file",
            Self::Cut { .. } => "its end missing",
            Self::Append { .. } => "bytes behind its end",
        }
    }

    fn apply(&self, bytes: &mut Vec<u8>, text: bool, other: impl Fn(&str) -> Option<Vec<u8>>) {
        let length = bytes.len();
        match self {
            Self::Flip { at, bit } => {
                if let Some(at) = place(*at, length) {
                    flip(bytes, at, *bit, text);
                }
            }
            Self::Number { at } => {
                if let Some(at) = place(*at, length) {
                    renumber(bytes, at);
                }
            }
            Self::Fill { at, count, value } => {
                bytes[part(*at, *count, length)].fill(fitting(*value, text));
            }
            Self::Insert { at, count, value } => {
                let at = place(*at, length).unwrap_or(0);
                let new = std::iter::repeat_n(fitting(*value, text), *count as usize);
                bytes.splice(at..at, new);
            }
            Self::Remove { at, count } => drop(bytes.drain(part(*at, *count, length))),
            Self::Swap { at, with, count } => {
                let (one, two) = (part(*at, *count, length), part(*with, *count, length));
                for (one, two) in one.zip(two) {
                    bytes.swap(one, two);
                }
            }
            Self::Graft { of, at, count } => {
                let from = other(of).unwrap_or_default();
                let (to, from) = (
                    part(*at, *count, length),
                    &from[part(*at, *count, from.len())],
                );
                for (to, from) in to.zip(from) {
                    bytes[to] = *from;
                }
            }
            Self::Cut { at } => bytes.truncate(place(*at, length).unwrap_or(0)),
            Self::Append { count, value } => {
                bytes.resize(length + *count as usize, fitting(*value, text));
            }
        }
    }
}

/// In text another character that prints.
fn flip(bytes: &mut [u8], at: usize, bit: u8, text: bool) {
    if !text {
        bytes[at] ^= 1 << (bit & 7);
        return;
    }
    let order = [BITS[usize::from(bit & 1)], BITS[usize::from(!bit & 1)]];
    let prints = |byte: u8| byte.is_ascii_graphic();
    let flipped = order
        .map(|bit| bytes[at] ^ bit)
        .into_iter()
        .find(|it| prints(*it));
    if let Some(flipped) = flipped.filter(|_| prints(bytes[at])) {
        bytes[at] = flipped;
    }
}

fn renumber(bytes: &mut [u8], at: usize) {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut places = (at..bytes.len()).chain(0..at);
    let last = places.find(|&at| digit(at) && !digit(at + 1));
    if let Some(last) = last {
        bytes[last] = if bytes[last] == b'9' {
            b'8'
        } else {
            bytes[last] + 1
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &[u8] = b"\x00\x01\x02\x03\xFC\xFD\xFE\xFF";
    const TEXT: &[u8] = b"limit=850\nseal=QUJDRA==\n";

    fn become_of(file: &[u8], one: Alteration) -> (Vec<u8>, Altered) {
        altered(file, &[one], |_| Some(vec![9; 8]))
    }

    #[test]
    fn a_place_counts_from_either_end_and_goes_round() {
        let flipped = |at| become_of(IMAGE, Alteration::Flip { at, bit: 0 }).0;
        assert_eq!(flipped(1)[1], 0);
        assert_eq!(flipped(-1)[7], 0xFE);
        assert_eq!(flipped(9), flipped(1));
        assert!(
            become_of(b"", Alteration::Flip { at: 3, bit: 0 })
                .0
                .is_empty()
        );
    }

    #[test]
    fn what_changes_nothing_is_the_file_itself() {
        let same = Alteration::Fill {
            at: 0,
            count: 1,
            value: 0,
        };
        assert_eq!(become_of(IMAGE, same), (IMAGE.to_vec(), Altered::Not));
        let all = Alteration::Graft {
            of: "next".to_owned(),
            at: 0,
            count: 8,
        };
        assert_eq!(become_of(IMAGE, all), (vec![9; 8], Altered::Really));
    }

    #[test]
    fn what_may_mean_the_same_is_altered_slightly() {
        let longer = Alteration::Append { count: 2, value: 7 };
        assert_eq!(become_of(IMAGE, longer).1, Altered::Slightly);
        let end_of_base64 = Alteration::Flip { at: -4, bit: 0 };
        assert_eq!(become_of(TEXT, end_of_base64).1, Altered::Slightly);
        let no_newline = Alteration::Cut { at: -1 };
        assert_eq!(become_of(TEXT, no_newline).1, Altered::Slightly);
        let (bytes, became) = become_of(TEXT, Alteration::Number { at: 0 });
        assert_eq!(became, Altered::Really);
        assert!(bytes.starts_with(b"limit=851"));
    }

    #[test]
    fn base64_is_altered_in_what_it_encodes_and_text_stays_text() {
        let inner = br#"{"limit":900,"other":"a text that is long enough"}"#;
        let file = BASE64.encode(inner);
        for at in 0..50 {
            let fill = Alteration::Fill {
                at,
                count: 3,
                value: at as u8,
            };
            let (bytes, _) = become_of(file.as_bytes(), fill);
            let inner = BASE64.decode(bytes).unwrap();
            assert!(is_text(&inner));
        }
    }
}
