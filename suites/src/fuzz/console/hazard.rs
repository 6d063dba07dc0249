//! What must not be typed on a console: checked here, below the generators, on the bytes that are about to go out.
//!
//! What a device makes of a line is not known: it may be a shell. So whatever goes out has to be made of the commands that the
//! rig file binds for reading, and of text that means nothing; and no key may bring back a line that somebody else has typed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use slcert_rigs::rig::Rig;

use super::keys::{INTERRUPT, XOFF};
use super::words::{NOISE, Words, Write};
use crate::fuzz::input::{Act, Input};

const LITERAL: u8 = 0x16;
/// Keys that hand the line to another program, or carry it out and bring the next one of the history.
const NEVER: [u8; 2] = [0x0F, 0x18];
/// Keys that bring in text that the suite did not type: completion, history, search and what was cut.
const RECALL: [u8; 6] = [b'\t', 0x0E, 0x10, 0x12, XOFF, 0x19];

/// An escape sequence as far as its own characters go, also one that does not end.
static SEQUENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\x1B(?:\[[0-?]*[ -/]*[@-~]?|\](?:[0-9]+;+)?|[NOP_^X][A-Z]?|.)?").ok()
});
/// What carries out the text that a command prints, or a file's.
static CARRIES_OUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?:^|[\x00-\x1F;|&(`{])[\s"']*(?:\$[({]|`|\.(?:[\s/]|$)|/)|[<>!=]"#).ok()
});

/// What must not be typed on one console.
#[derive(Clone, Debug, Default)]
pub struct Hazards {
    words: BTreeSet<String>,
    writes: Vec<Write>,
    /// The rig's own commands hold what else would not go out: they stand for themselves.
    reads: Vec<String>,
    /// The users whose wrong passwords would lock them out.
    users: Vec<String>,
    /// What the rig file names.
    never: Vec<Regex>,
}

impl Hazards {
    /// Those of a console.
    pub fn of(rig: &Rig, interface: &str, words: &Words) -> Self {
        let mut reads = words.reads.clone();
        reads.push(words.logout.clone());
        // The longest first: one may begin another.
        reads.sort_unstable_by_key(|line| std::cmp::Reverse(line.len()));
        let known = reads.iter().flat_map(|line| letters(line));
        let accounts = rig.accounts.iter();
        let users = accounts.map(|(name, it)| it.user.as_deref().unwrap_or(name.as_str()));
        let never = rig.hazard.never_send.iter();
        Self {
            words: known.map(str::to_owned).collect(),
            writes: words.writes.clone(),
            users: users.map(str::to_lowercase).collect(),
            never: never
                .filter(|it| it.interface.as_str() == interface)
                .map(|it| it.pattern.clone())
                .collect(),
            reads,
        }
    }

    /// Why an input must not go out.
    pub fn forbid(&self, input: &Input) -> Option<&'static str> {
        let bytes = input.bytes();
        let text = String::from_utf8_lossy(&bytes);
        let plain: String = text.chars().filter(|c| !c.is_control()).collect();
        let named = |pattern: &Regex| pattern.is_match(&text) || pattern.is_match(&plain);
        if self.never.iter().any(named) {
            return Some("what the rig file forbids (`hazard.never_send`)");
        }
        if bytes.iter().any(|byte| NEVER.contains(byte)) || recalls(&bytes) || stops(&bytes) {
            return Some("a key that could bring a line of others to be carried out");
        }
        let mut before = Vec::new();
        for act in &input.acts {
            match act {
                Act::Login => break,
                Act::Send(bytes) => before.extend_from_slice(bytes),
                Act::Pause(_) | Act::Shut | Act::Step(_) | Act::Asked(_) | Act::Tear => {}
            }
        }
        let before = String::from_utf8_lossy(&before).to_lowercase();
        if self.users.iter().any(|user| before.contains(user.as_str())) {
            return Some("the name of a user, whom a wrong password would lock out");
        }
        self.forbid_text(&text)
    }

    fn forbid_text(&self, text: &str) -> Option<&'static str> {
        const COMMAND: Option<&str> = Some("what may be a command that the rig file does not bind");
        let (Some(sequence), Some(carries_out)) = (&*SEQUENCE, &*CARRIES_OUT) else {
            return COMMAND;
        };
        let (text, wrote) = self.without_writes(text);
        let edits = |c: char| c.is_control() && c != '\r' && c != '\n';
        if wrote && text.contains(edits) {
            return Some("a command that writes, and keys that could change its value");
        }
        let text = sequence.replace_all(&text, "\u{0}");
        let own = |letters: &str| {
            letters
                .chars()
                .all(|c| NOISE.contains(c.to_ascii_lowercase()) || NOISE.contains(c))
        };
        let known = |letters: &str| self.words.contains(letters) || own(letters);
        let directive = |at: usize| text[..at].ends_with(['%', '*', '$', 'l', 'h']);
        let mut from = 0;
        for letters in letters(&text) {
            let at = from + text[from..].find(letters).unwrap_or_default();
            from = at + letters.len();
            // A part that was cut off from a word's end, and one letter of a format directive.
            let begins = || self.words.iter().any(|word| word.starts_with(letters));
            let fits = known(letters) || begins() || directive(at) && letters.len() <= 2;
            if !fits {
                return COMMAND;
            }
        }
        // The rig's own commands may hold paths.
        let mut rest = text.into_owned();
        for line in &self.reads {
            rest = rest.replace(line.as_str(), "z");
        }
        if carries_out.is_match(&rest) {
            return Some("what may carry out the text of a file or of an answer");
        }
        let chosen = |line: &str| {
            let line: String = line.chars().filter(|c| !c.is_control()).collect();
            let line = line.trim();
            matches!(line.len(), 1..=3)
                && line.chars().all(|c| c.is_ascii_alphanumeric())
                && line != "z"
        };
        if rest.split(['\r', '\n', ';', '|', '&']).any(chosen) {
            return Some("what may be the choice of a menu");
        }
        None
    }

    /// The text without whole commands that write a value which may be written, and whether there was one.
    fn without_writes(&self, text: &str) -> (String, bool) {
        let mut wrote = false;
        let lines = text.split_inclusive(['\r', '\n']).map(|line| {
            let own = line.trim_end_matches(['\r', '\n']);
            let allowed = self.writes.iter().any(|write| {
                let value = own
                    .strip_prefix(write.before.as_str())
                    .and_then(|rest| rest.strip_suffix(write.after.as_str()));
                value
                    .and_then(|value| value.parse::<u16>().ok())
                    .is_some_and(|value| (write.values.from..=write.values.to).contains(&value))
            });
            wrote |= allowed;
            if allowed { &line[own.len()..] } else { line }
        });
        let text = lines.collect();
        (text, wrote)
    }
}

/// The runs of letters in a text.
fn letters(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|run| !run.is_empty())
}

/// Whether a key brings in text which the suite did not type.
pub fn brings_in(bytes: &[u8]) -> bool {
    let mut bytes = bytes.to_vec();
    bytes.retain(|byte| !matches!(*byte, b'\r' | b'\n' | INTERRUPT));
    bytes.push(b'\r');
    recalls(&bytes)
}

/// Whether a device is stopped while a key brings in text: an interrupt that it takes only when it goes on may give up nothing.
fn stops(bytes: &[u8]) -> bool {
    let mut keys = bytes.to_vec();
    keys.retain(|byte| *byte != XOFF);
    keys.len() < bytes.len() && brings_in(&keys)
}

/// Whether a line end may follow on a key that brings in text which the suite did not type, without an interrupt between.
fn recalls(bytes: &[u8]) -> bool {
    let mut recalled = false;
    for (at, byte) in bytes.iter().enumerate() {
        let literal = at > 0 && bytes[at - 1] == LITERAL;
        match byte {
            &INTERRUPT if !literal => recalled = false,
            b'\r' | b'\n' if recalled => return true,
            0x1B => recalled |= !harmless(&bytes[at + 1..]),
            byte => recalled |= RECALL.contains(byte),
        }
    }
    false
}

/// Whether what follows an escape is a sequence that moves, or that no line editor takes for a key of its history.
fn harmless(rest: &[u8]) -> bool {
    match rest {
        [b']', ..] => true,
        [b'O', key, ..] => b"CDHF".contains(key),
        [b'[', rest @ ..] => {
            let parameters = rest.iter().take_while(|byte| (b' '..=b'?').contains(*byte));
            match rest.get(parameters.count()) {
                Some(last) => b"CDHFJKmnchlrsutR".contains(last),
                // One that does not end: the device may take the next byte for its end.
                None => rest.is_empty() || !rest.contains(&b'~'),
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slcert_rigs::rig::Range;

    fn hazards() -> Hazards {
        let reads = ["cat /srv/output", "show level", "show audit 60", "exit"];
        let words = Words {
            reads: reads.map(str::to_owned).to_vec(),
            writes: vec![Write {
                before: "echo ".to_owned(),
                after: " > /srv/output".to_owned(),
                values: Range { from: 0, to: 9 },
            }],
            logout: "exit".to_owned(),
            newline: "\r".to_owned(),
        };
        let known = words.reads.iter().flat_map(|line| letters(line));
        Hazards {
            words: known.map(str::to_owned).collect(),
            reads: words.reads.clone(),
            writes: words.writes,
            users: vec!["ada".to_owned()],
            never: vec![Regex::new("(?i)level").unwrap()],
        }
    }

    fn goes_out(bytes: &[u8]) -> bool {
        why_not(bytes).is_none()
    }

    fn why_not(bytes: &[u8]) -> Option<&'static str> {
        let input = Input {
            label: "it".to_owned(),
            anew: false,
            acts: vec![Act::Login, Act::Send(bytes.to_vec())],
        };
        hazards().forbid(&input)
    }

    #[test]
    fn what_is_bound_for_reading_goes_out_and_what_is_not_does_not() {
        assert!(goes_out(b"cat /srv/output\r"));
        assert!(goes_out(b"cat /srv/output zzzz;show audit 61\r"));
        assert!(goes_out(b"\x1b]0;zzzz\r"));
        assert!(goes_out(b"show audit %n%s\r"));
        assert!(goes_out(b"zzzz $(cat /srv/output)\r"));
        assert!(goes_out(b"show audi\r\n"));
        for line in [
            &b"rm -rf /\r"[..],
            b"reboot\r",
            b"cat /srv/output > /srv/output\r",
            b"$(cat /srv/output)\r",
            b"zzzz;`cat /srv/output`\r",
            b". /srv/output\r",
            b"/srv/output\r",
            b"!!\r",
            b"show level\r",
            b"show le\x00vel\r",
        ] {
            assert!(!goes_out(line), "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_value_that_may_be_written_goes_out_whole_alone() {
        assert!(goes_out(b"echo 7 > /srv/output\r"));
        assert!(!goes_out(b"echo 10 > /srv/output\r"));
        assert!(!goes_out(b"echo 9 > /srv/output\x08\r"));
        assert!(!goes_out(b"echo 9 > /srv/output zzzz\r"));
    }

    #[test]
    fn no_key_brings_a_line_of_others_to_be_carried_out() {
        assert!(goes_out(b"zzzz\x1b[C\x1b[999;1Hzz\r"));
        assert!(goes_out(b"\x1b[A\x03zzzz\r"));
        for line in [
            &b"\x1b[A\r"[..],
            b"\x1bOA\r",
            b"\x10\r",
            b"\x12z\r",
            b"zz\t\r",
            b"\x1b[A\x16\x03\r",
            b"\x1bP\r",
            b"\x18",
            b"zz\x13\x1b[A\x11\x03",
            b"zzzz\x0f",
        ] {
            let why = why_not(line).unwrap_or("it goes out");
            let text = String::from_utf8_lossy(line);
            assert!(why.starts_with("a key"), "{text:?}: {why}");
        }
    }

    #[test]
    fn no_menu_is_chosen_from_and_nobody_is_locked_out() {
        assert!(!goes_out(b"1\r") && !goes_out(b"zzzz\rz1\r"));
        let name = Input::of("a name", b"Ada\r".to_vec());
        assert!(hazards().forbid(&name).is_some());
    }
}
