//! What was probably meant, and how much of a bad text is shown.

/// Longer texts are compared with nothing and shown in part: nobody misspells that much.
const LONGEST: usize = 60;

/// The name that `text` was probably meant to be, if any is close.
pub fn closest<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if text.len() > LONGEST {
        return None;
    }
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(text, name), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

/// A text of the file as a message shows it: on one line, without control characters, and cut where it is long.
pub fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == LONGEST {
            shown.push('…');
            break;
        }
        if c.is_control() || turns(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character changes the direction of the text after it.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// "did you mean ...", or the whole choice where nothing is close.
pub fn choose(text: &str, names: &[&str]) -> String {
    match closest(text, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "nothing can stand here".to_owned(),
        None => format!("choose one of `{}`", names.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let names = ["serial", "mqtt"];
        assert_eq!(closest("serail", names), Some("serial"));
        assert_eq!(closest("telnet", names), None);
        assert_eq!(closest(&"serial".repeat(100), names), None);
    }

    #[test]
    fn an_excerpt_is_short_and_cannot_steer_a_terminal() {
        assert_eq!(excerpt("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(excerpt("a\u{9b}\u{202e}b"), "a\\u{9b}\\u{202e}b");
        assert!(excerpt(&"x".repeat(10_000)).chars().count() <= LONGEST + 1);
    }
}
