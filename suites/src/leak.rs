//! What an answer must not tell: paths, source places, versions of parts, stack traces, queries.

use std::sync::LazyLock;

use regex::Regex;

/// What gives a system's inside away, as a pattern, with words for it.
const PATTERNS: &[(&str, &str)] = &[
    (
        "a stack trace",
        r"(?im)traceback \(most recent|^\s*at [\w.$<>]+\([\w.]+:\d+\)|stack backtrace|panicked at|^\s*#\d+ 0x[0-9a-f]+",
    ),
    (
        "a place in source code",
        r"(?i)[\w/\\.-]+\.(?:c|cc|cpp|h|hpp|rs|go|py|java|cs|js|php):\d+",
    ),
    (
        "a path of the file system",
        r"(?:^|[\s'=:(\x22])/(?:usr|etc|var|home|opt|root|tmp|proc|bin|lib|mnt|srv|dev)/[\w./-]+",
    ),
    ("a path of the file system", r"(?i)\b[a-z]:\\[\w\\.-]+"),
    (
        "a database's words",
        r"(?i)\b(?:sqlite|ora-\d{4,}|mysql|postgres\w*|sqlstate|syntax error at or near)\b",
    ),
    ("an address in memory", r"(?i)\b0x[0-9a-f]{8,16}\b"),
    (
        "a system call's error",
        r"(?i)\berrno\b|\bsegmentation fault\b|\bcore dumped\b|\bassertion .{0,60} failed\b",
    ),
];

static COMPILED: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    // Patterns that do not compile would be seen by the test below.
    PATTERNS
        .iter()
        .filter_map(|(words, pattern)| Some((*words, Regex::new(pattern).ok()?)))
        .collect()
});

/// The first thing in a text that gives the system's inside away: what it is, and the words.
pub fn find(text: &str) -> Option<(&'static str, String)> {
    COMPILED
        .iter()
        .find_map(|(words, pattern)| Some((*words, pattern.find(text)?.as_str().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_the_inside_away_is_found() {
        assert_eq!(COMPILED.len(), PATTERNS.len());
        for (text, what) in [
            ("Traceback (most recent call last):", "a stack trace"),
            ("thread 'main' panicked at src/main.rs", "a stack trace"),
            ("error in src/auth/login.c:212", "a place in source code"),
            (
                "cannot open /etc/tc100/users.db",
                "a path of the file system",
            ),
            ("SQLSTATE 42601", "a database's words"),
            ("fault at 0x7ffdeadbeef0", "an address in memory"),
        ] {
            assert_eq!(find(text).map(|(what, _)| what), Some(what), "{text}");
        }
    }

    #[test]
    fn plain_words_are_no_leak() {
        for text in [
            "error: not permitted",
            "Login incorrect",
            "exception 1 (illegal function)",
            "the server refused with 0x87",
            "OK 17",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
