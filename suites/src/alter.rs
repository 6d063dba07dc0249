//! Files that were altered in one thing: what a device has to refuse.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A file that was altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Altered {
    /// How, in words.
    pub how: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The bits of which one is flipped: the first that leaves text printable. No reader leaves it out, be it of hexadecimal or
/// of base64 at its end.
const BITS: [u8; 2] = [0x10, 0x04];
/// The most numbers of a text that are changed.
const NUMBERS: usize = 3;

/// The file with one bit flipped at several places, with a number changed where it is text, and with parts missing. A file
/// that is base64 as a whole is altered in what it encodes.
pub fn alterations(file: &[u8]) -> Vec<Altered> {
    let (inner, encoded) = match decoded(file) {
        Some(inner) => (inner, true),
        None => (file.to_vec(), false),
    };
    let mut all = flipped(&inner);
    all.extend(renumbered(&inner));
    all.extend(cut(&inner));
    if encoded {
        for one in &mut all {
            one.bytes = BASE64.encode(&one.bytes).into_bytes();
        }
    }
    all.retain(|one| one.bytes != file);
    all
}

/// The file with bytes behind its end.
pub fn lengthened(file: &[u8]) -> Altered {
    Altered {
        how: "16 bytes behind its end".to_owned(),
        bytes: [file, &[0xA5; 16]].concat(),
    }
}

/// What a file encodes that is base64 and nothing else.
pub fn decoded(file: &[u8]) -> Option<Vec<u8>> {
    let text: String = str::from_utf8(file)
        .ok()?
        .split_ascii_whitespace()
        .collect();
    // A short word may be base64 by chance.
    (text.len() >= 40)
        .then(|| BASE64.decode(text).ok())
        .flatten()
}

/// The last byte that counts: white space at the end of a text may be left out by whoever reads it.
fn last(file: &[u8]) -> usize {
    file.iter()
        .rposition(|byte| !byte.is_ascii_whitespace())
        .unwrap_or(0)
}

fn flipped(file: &[u8]) -> Vec<Altered> {
    let last = last(file);
    let mut places: Vec<usize> = [0, last / 4, last / 2, last / 4 * 3, last].to_vec();
    places.extend(last.checked_sub(12));
    places.sort_unstable();
    places.dedup();
    let is_text = file
        .iter()
        .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    places
        .into_iter()
        .filter_map(|place| {
            // In text, white space may be left out, and other characters may be taken for commands of the line.
            let printable = |at: &usize| !is_text || file[*at].is_ascii_graphic();
            let at = (place..file.len()).chain(0..place).find(printable)?;
            let mut bytes = file.to_vec();
            let flipped = BITS.map(|bit| file[at] ^ bit);
            let kept = flipped
                .into_iter()
                .find(|byte| !is_text || byte.is_ascii_graphic());
            bytes[at] = kept?;
            Some(Altered {
                how: format!("one bit of byte {at} of {} flipped", file.len()),
                bytes,
            })
        })
        .collect()
}

/// Text with the last digit of one number changed: well formed, and not what was signed.
fn renumbered(file: &[u8]) -> Vec<Altered> {
    let Ok(text) = str::from_utf8(file) else {
        return Vec::new();
    };
    let bytes = text.as_bytes();
    let letter = |at: Option<&u8>| {
        at.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+/_".contains(byte))
    };
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() && found.len() < NUMBERS {
        if !digit(at) {
            at += 1;
            continue;
        }
        let end = (at..).find(|&end| !digit(end)).unwrap_or(bytes.len());
        let alone = !letter(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !letter(bytes.get(end));
        if alone && end - at >= 2 {
            let mut changed = bytes.to_vec();
            changed[end - 1] = if changed[end - 1] == b'9' {
                b'8'
            } else {
                changed[end - 1] + 1
            };
            found.push(Altered {
                how: format!("the number {} at byte {at} changed", &text[at..end]),
                bytes: changed,
            });
        }
        at = end;
    }
    found
}

fn cut(file: &[u8]) -> Vec<Altered> {
    let last = last(file);
    [
        (last, "its last byte missing"),
        (last / 2, "its second half missing"),
    ]
    .into_iter()
    .map(|(length, how)| Altered {
        how: how.to_owned(),
        bytes: file[..length].to_vec(),
    })
    .collect()
}

/// The file with a version that it names in its bytes changed in the last digit, wherever it stands; with the version
/// that it names then. None where it names none.
pub fn renamed(file: &[u8], version: &str) -> Option<(Vec<u8>, String)> {
    let mut other = version.as_bytes().to_vec();
    let digit = other.iter_mut().rev().find(|byte| byte.is_ascii_digit())?;
    *digit = if *digit == b'9' { b'8' } else { *digit + 1 };
    let mut bytes = file.to_vec();
    let mut from = 0;
    while let Some(found) = slcert_rigs::line::find(&bytes[from..], version.as_bytes()) {
        let at = from + found;
        bytes[at..at + other.len()].copy_from_slice(&other);
        from = at + other.len();
    }
    (bytes != file).then(|| (bytes, String::from_utf8_lossy(&other).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alteration_differs_from_the_file_and_from_the_others() {
        let text = br#"{"limit": 900, "name": "TC-100", "mac": "YWJjMTIzNDU2Nzg5MDEy"}"#;
        let image: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for file in [&text[..], &image, BASE64.encode(text).as_bytes()] {
            let all = alterations(file);
            assert!(all.len() >= 8, "{all:?}");
            let mut seen: Vec<_> = all.iter().map(|one| &one.bytes).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), all.len());
            assert!(!seen.contains(&&file.to_vec()));
        }
    }

    #[test]
    fn base64_is_altered_in_what_it_encodes() {
        let file = BASE64.encode(br#"{"limit":900,"other":"a text that is long enough"}"#);
        let all = alterations(file.as_bytes());
        let inner: Vec<_> = all
            .iter()
            .filter_map(|one| BASE64.decode(&one.bytes).ok())
            .map(|inner| String::from_utf8_lossy(&inner).into_owned())
            .collect();
        assert_eq!(inner.len(), all.len(), "all are base64 still");
        assert!(inner.iter().any(|text| text.contains("901")), "{inner:?}");
    }

    #[test]
    fn numbers_within_words_are_left_alone() {
        assert!(renumbered(b"key=a12b34c56 x").is_empty());
        assert_eq!(renumbered(b"limit=89\n")[0].bytes, b"limit=88\n");
    }

    #[test]
    fn a_version_is_changed_wherever_it_stands() {
        let (bytes, version) = renamed(b"..1.4.2..|1.4.2", "1.4.2").unwrap();
        assert_eq!(
            (&bytes[..], &version[..]),
            (&b"..1.4.3..|1.4.3"[..], "1.4.3")
        );
        assert_eq!(renamed(b"nothing here", "1.4.2"), None);
    }
}
