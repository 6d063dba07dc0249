//! A manifest: one line a file, its SHA-256 and its path, as `sha256sum --check` reads it.

use std::collections::BTreeMap;

/// Hashes in hex, by path.
pub(super) type Hashes = BTreeMap<String, String>;

/// The text of a manifest, in the order of the paths.
pub(super) fn text(hashes: &Hashes) -> String {
    let lines = hashes
        .iter()
        .map(|(path, hash)| format!("{hash}  {}\n", encoded(path)));
    lines.collect()
}

/// What a manifest lists, and the number, from 1, of the first line that none of ours has.
pub(super) fn read(bytes: &[u8]) -> (Hashes, Option<usize>) {
    let mut hashes = Hashes::new();
    let mut odd = None;
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let listed = std::str::from_utf8(line).ok().and_then(entry);
        let new = listed.is_some_and(|(path, hash)| hashes.insert(path, hash).is_none());
        if !new {
            odd = odd.or(Some(number));
        }
    }
    (hashes, odd)
}

/// Strict: one byte more or less, or in another case, and it is another line.
fn entry(line: &str) -> Option<(String, String)> {
    let (hash, written) = line.strip_suffix('\n')?.split_once("  ")?;
    let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    let path = decoded(written);
    let well_formed = hash.len() == 64 && hash.chars().all(is_hex) && encoded(&path) == written;
    well_formed.then(|| (path, hash.to_owned()))
}

/// RFC 8493, 2.1.3: a line's end within a path would end its line.
fn encoded(path: &str) -> String {
    path.replace('%', "%25")
        .replace('\n', "%0A")
        .replace('\r', "%0D")
}

fn decoded(path: &str) -> String {
    path.replace("%0A", "\n")
        .replace("%0D", "\r")
        .replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let paths = ["data/a b", "data/100%", "data/%0A", "data/é"];
        let hashes: Hashes = paths
            .iter()
            .map(|path| ((*path).to_owned(), "ab".repeat(32)))
            .collect();
        assert_eq!(read(text(&hashes).as_bytes()), (hashes, None));
    }

    #[test]
    fn a_line_that_is_not_ours_is_named() {
        let good = format!("{}  data/a\n", "ab".repeat(32));
        for bad in [
            good.replace("ab", "AB"),
            good.replace("  ", " "),
            good.trim_end().to_owned(),
            good.replace("\n", "\r\n"),
            "\n".to_owned(),
        ] {
            let text = format!("{}{bad}", good.replace("/a", "/b"));
            assert_eq!(read(text.as_bytes()).1, Some(2), "{bad:?}");
        }
        assert_eq!(read(format!("{good}{good}").as_bytes()).1, Some(2), "twice");
    }
}
