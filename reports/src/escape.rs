//! The one place where text that came from a device is made harmless.
//!
//! A device may print whatever it likes: the end of a CDATA section, terminal sequences, text that runs from right to
//! left, or a line that asks the CI to attach a file of its host. Two functions deal with it:
//!
//! - [`escape`], once, where device text enters a record. It is lossless and therefore not idempotent: a backslash is
//!   doubled, so that an escaped text can be told from a text that only looks escaped.
//! - [`defuse`], wherever a view writes text of a record. It leaves an escaped text as it is, and makes any other
//!   harmless too.

/// The words that CI servers act on when they stand in a test's output as `[[WORD|`.
const DIRECTIVES: [&str; 2] = ["[[ATTACHMENT", "[[PROPERTY"];

/// The longest word of a command between `##` and its bracket.
const LONGEST_COMMAND: usize = 16;

/// Text from a device, made harmless for XML, CDATA, CI directives and terminals.
///
/// `\` becomes `\\`; C0 controls other than tab and newline, and DEL, become `\xNN`; C1 controls, bidirectional and
/// invisible characters, line separators and U+FFFE, U+FFFF become `\u{..}`; `]]>` becomes `]]\x3e`, and
/// `[[ATTACHMENT|` becomes `[\x5bATTACHMENT|`, and `##vso[` becomes `##vso\x5b`. What HTML or Markdown want beyond that is theirs to add.
///
/// Not idempotent, on purpose: call it once, where the text enters a record.
///
/// ```
/// assert_eq!(slcert_reports::escape("ok\x1b[2J ]]>"), r"ok\x1b[2J ]]\x3e");
/// ```
pub fn escape(text: &str) -> String {
    let mut out = Harmless::with_capacity(text.len());
    for c in text.chars() {
        out.push_escaped(c);
    }
    out.text
}

/// [`escape`] for bytes: what is no UTF-8 becomes `\xNN`, byte by byte. A C1 control that is UTF-8 becomes `\u{NN}`,
/// so the two can be told apart.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = Harmless::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            out.push_escaped(c);
        }
        for byte in chunk.invalid() {
            out.text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.text
}

/// [`escape`] without doubling the backslash: idempotent, and the identity on escaped text. For the views.
pub fn defuse(text: &str) -> String {
    let mut out = Harmless::with_capacity(text.len());
    for c in text.chars() {
        out.push(c);
    }
    out.text
}

/// [`defuse`] on one line: each run of white space becomes one blank.
pub fn one_line(text: &str) -> String {
    let defused = defuse(text);
    defused.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text from a device, escaped, and cut in the middle where it would be longer than `max_chars` characters; the
/// mark `…(N characters left out)…` takes the place of what was cut. The mark itself is never cut, so a very small
/// `max_chars` is exceeded by it.
pub fn excerpt(text: &str, max_chars: usize) -> String {
    // Escaping never makes a text shorter: only a short one is worth escaping whole.
    if text.chars().nth(max_chars).is_none() {
        let whole = escape(text);
        if whole.chars().nth(max_chars).is_none() {
            return whole;
        }
    }
    let (head, left_out, tail) = cut(text, max_chars, escaped_width);
    format!("{}{}{}", escape(head), mark(left_out), escape(tail))
}

/// Text that is harmless already, cut like [`excerpt`].
pub(crate) fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().nth(max_chars).is_none() {
        return text.to_owned();
    }
    let (head, left_out, tail) = cut(text, max_chars, |_| 1);
    format!("{head}{}{tail}", mark(left_out))
}

/// A relative path as the address of that file, and of nothing else.
pub(crate) fn address(path: &str) -> String {
    let mut address = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                address.push(char::from(byte));
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

fn mark(left_out: usize) -> String {
    format!("…({left_out} characters left out)…")
}

/// The head and the tail of a text that fit, and how many characters stand between.
fn cut(text: &str, max_chars: usize, width: fn(char) -> usize) -> (&str, usize, &str) {
    let total = text.chars().count();
    let room = max_chars.saturating_sub(mark(total).chars().count());
    let (head_room, tail_room) = (room - room / 3, room / 3);
    let fits = |chars: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let mut bytes = 0;
        let mut count = 0;
        for c in chars {
            used += width(c);
            if used > room {
                break;
            }
            bytes += c.len_utf8();
            count += 1;
        }
        (bytes, count)
    };
    let (head, head_chars) = fits(&mut text.chars(), head_room);
    let rest = &text[head..];
    let (tail, tail_chars) = fits(&mut rest.chars().rev(), tail_room);
    (
        &text[..head],
        total - head_chars - tail_chars,
        &rest[rest.len() - tail..],
    )
}

/// The most characters that [`escape`] can make of one.
fn escaped_width(c: char) -> usize {
    match c {
        '[' | '>' => 4,
        '\\' => 2,
        c => replacement(c).map_or(1, |text| text.len()),
    }
}

/// A text that holds no harm, grown character by character.
struct Harmless {
    text: String,
}

impl Harmless {
    fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
        }
    }

    fn push_escaped(&mut self, c: char) {
        if c == '\\' {
            self.text.push('\\');
        }
        self.push(c);
    }

    fn push(&mut self, c: char) {
        match c {
            '>' if self.text.ends_with("]]") => self.text.push_str("\\x3e"),
            '|' => {
                self.break_directive();
                self.text.push('|');
            }
            '[' if self.ends_in_command() => self.text.push_str("\\x5b"),
            c => match replacement(c) {
                Some(text) => self.text.push_str(&text),
                None => self.text.push(c),
            },
        }
    }

    /// Whether a bracket would make a command of it that CI servers find anywhere in a line: `##[`, `##vso[`, `##teamcity[`.
    fn ends_in_command(&self) -> bool {
        let word = self
            .text
            .trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        self.text.len() - word.len() <= LONGEST_COMMAND && word.ends_with("##")
    }

    /// Breaks a directive that the next character would complete. The case of its letters does not matter, as a
    /// reader may not care.
    fn break_directive(&mut self) {
        for directive in DIRECTIVES {
            let Some(start) = self.text.len().checked_sub(directive.len()) else {
                continue;
            };
            let found = self
                .text
                .get(start..)
                .is_some_and(|end| end.eq_ignore_ascii_case(directive));
            if found {
                self.text.replace_range(start + 1..start + 2, "\\x5b");
                return;
            }
        }
    }
}

/// What is written for a character that must not stand as it is.
fn replacement(c: char) -> Option<String> {
    match c {
        '\t' | '\n' => None,
        '\0'..='\x1f' | '\x7f' => Some(format!("\\x{:02x}", u32::from(c))),
        '\u{80}'..='\u{9f}' => Some(code_point(c)),
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator: invisible.
        '\u{ad}' | '\u{61c}' | '\u{180e}' => Some(code_point(c)),
        // Zero-width characters, direction marks, line and paragraph separators, bidirectional embeddings,
        // overrides and isolates, invisible operators.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
            Some(code_point(c))
        }
        // Byte order mark, interlinear annotations, and what XML 1.0 forbids.
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' => Some(code_point(c)),
        // Tags: a second, invisible alphabet.
        '\u{e0000}'..='\u{e007f}' => Some(code_point(c)),
        _ => None,
    }
}

fn code_point(c: char) -> String {
    format!("\\u{{{:x}}}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Characters and pieces that a device would try, in any order.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            "[\\x00-\\x9f]{0,4}",
            proptest::sample::select(vec![
                "]",
                "]]",
                ">",
                "]]>",
                "[",
                "[[",
                "[[ATTACHMENT|",
                "[[attachment|",
                "[[PROPERTY|",
                "ATTACHMENT",
                "PROPERTY",
                "|",
                "##",
                "vso",
                "teamcity",
                "\\",
                "\\x3e",
                "\u{202e}",
                "\u{fffe}",
                "\u{9b}31m",
                "\x1b[2J",
                "\0",
                "é",
                "…",
            ])
            .prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn assert_harmless(text: &str) {
        for c in text.chars() {
            assert!(
                !c.is_control() || c == '\t' || c == '\n',
                "{c:?} in {text:?}"
            );
            assert!(!matches!(c, '\u{fffe}' | '\u{ffff}'), "{c:?} in {text:?}");
            assert!(
                !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'),
                "{c:?} in {text:?}"
            );
        }
        assert!(!text.contains("]]>"), "{text:?}");
        let upper = text.to_ascii_uppercase();
        assert!(!upper.contains("[[ATTACHMENT|"), "{text:?}");
        assert!(!upper.contains("[[PROPERTY|"), "{text:?}");
        for command in ["##[", "##VSO[", "##TEAMCITY["] {
            assert!(!upper.contains(command), "{text:?}");
        }
    }

    /// What [`escape`] promises to be undone by: it is lossless.
    fn unescape(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            let hex: String = match rest.next().unwrap() {
                '\\' => {
                    out.push('\\');
                    continue;
                }
                'x' => rest.by_ref().take(2).collect(),
                'u' => rest.by_ref().skip(1).take_while(|c| *c != '}').collect(),
                other => panic!("{other:?} after a backslash"),
            };
            out.push(char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap());
        }
        out
    }

    proptest! {
        #[test]
        fn escaped_text_is_harmless_and_nothing_of_it_is_lost(text in hostile()) {
            let escaped = escape(&text);
            assert_harmless(&escaped);
            prop_assert_eq!(unescape(&escaped), text);
        }

        #[test]
        fn escaped_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            assert_harmless(&escape_bytes(&bytes));
        }

        #[test]
        fn bytes_that_are_text_are_escaped_as_text(text in hostile()) {
            prop_assert_eq!(escape_bytes(text.as_bytes()), escape(&text));
        }

        #[test]
        fn defused_text_is_harmless_and_stays_as_it_is(text in hostile()) {
            let once = defuse(&text);
            assert_harmless(&once);
            prop_assert_eq!(&defuse(&once), &once);
            let escaped = escape(&text);
            prop_assert_eq!(&defuse(&escaped), &escaped);
        }

        #[test]
        fn an_excerpt_is_harmless_and_keeps_to_its_length(text in hostile(), max in 0usize..200) {
            let short = excerpt(&text, max);
            assert_harmless(&short);
            let mark = mark(text.chars().count()).chars().count();
            prop_assert!(short.chars().count() <= max.max(mark), "{short:?}");
        }
    }

    #[test]
    fn each_danger_has_its_form() {
        for (text, escaped) in [
            ("a\\b", r"a\\b"),
            ("\0\x07\x1b[31m\r\n\t", "\\x00\\x07\\x1b[31m\\x0d\n\t"),
            ("\x7f\u{9b}", r"\x7f\u{9b}"),
            ("\u{202e}txt.exe", r"\u{202e}txt.exe"),
            ("\u{fffe}\u{ffff}", r"\u{fffe}\u{ffff}"),
            ("]]>]]]>", r"]]\x3e]]]\x3e"),
            (
                "[[[ATTACHMENT|/etc/passwd]]",
                r"[[\x5bATTACHMENT|/etc/passwd]]",
            ),
            ("[[PROPERTY|verdict=PASS]]", r"[\x5bPROPERTY|verdict=PASS]]"),
            (
                "##[error] ##vso[x] ###[",
                r"##\x5berror] ##vso\x5bx] ###\x5b",
            ),
            ("# a [link] ## b [x] #[", "# a [link] ## b [x] #["),
            ("<&\"'> grüß 漢字", "<&\"'> grüß 漢字"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_visible() {
        assert_eq!(escape_bytes(b"ok \xff\xfe\xc3("), r"ok \xff\xfe\xc3(");
        assert_eq!(escape_bytes("\u{9b}".as_bytes()), r"\u{9b}");
        assert_eq!(escape_bytes(b"\x9b"), r"\x9b");
    }

    #[test]
    fn an_excerpt_says_how_much_is_missing() {
        let text = "a".repeat(60) + &"b".repeat(60);
        let short = excerpt(&text, 60);
        assert_eq!(
            short,
            format!(
                "{}…(87 characters left out)…{}",
                "a".repeat(22),
                "b".repeat(11)
            )
        );
        assert_eq!(excerpt("short", 60), "short");
    }
}
