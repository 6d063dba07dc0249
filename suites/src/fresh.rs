//! Values that no device has seen before: passwords, tags and markers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use slcert_rigs::rig::PasswordRules;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A tag of twelve lower-case letters and digits that no other call of this or another run gives.
pub fn tag() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos() as u64;
    let mut number = now.rotate_left(17) ^ NEXT.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
    let mut tag = String::new();
    for _ in 0..12 {
        // 32 characters without those that people mistake for each other.
        let alphabet = b"abcdefghijkmnpqrstuvwxyz23456789";
        tag.push(char::from(alphabet[(number % 32) as usize]));
        number = (number / 32).wrapping_add(number << 57);
    }
    tag
}

/// A password that keeps any sensible rule: 20 characters of three kinds, all of them safe in a console dialogue.
pub fn strong_password() -> String {
    format!("Qz7{}Xk4W9", tag())
}

/// Passwords that break one rule each, with the rule in words.
pub fn weak_passwords(rules: PasswordRules) -> Vec<(String, String)> {
    let mut weak = Vec::new();
    let length = rules.length as usize;
    if length > 1 {
        // All kinds of characters, and one character too short.
        let short: String = "Zq4xW7kB9mT2vR6nC8jH3pL5sD"
            .chars()
            .cycle()
            .take(length - 1)
            .collect();
        weak.push((
            short,
            format!("{} characters, where {length} are the least", length - 1),
        ));
    }
    let long = length.max(12);
    if rules.classes >= 2 {
        let one: String = "qmxvtrnwkjhg".chars().cycle().take(long).collect();
        weak.push((
            one,
            format!(
                "lower case alone, where {} kinds are the least",
                rules.classes
            ),
        ));
    }
    if rules.classes >= 3 {
        let two: String = "q7m4x9v2t5r3".chars().cycle().take(long).collect();
        weak.push((
            two,
            format!(
                "two kinds of characters, where {} are the least",
                rules.classes
            ),
        ));
    }
    if rules.classes >= 4 {
        let three: String = "Q7mx4Vt9Rk2h".chars().cycle().take(long).collect();
        weak.push((
            three,
            "three kinds of characters, where 4 are the least".to_owned(),
        ));
    }
    weak
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ() {
        let tags: std::collections::BTreeSet<_> = (0..1000).map(|_| tag()).collect();
        assert_eq!(tags.len(), 1000);
        assert!(tags.iter().all(|tag| tag.len() == 12));
    }

    #[test]
    fn each_weak_password_breaks_one_rule_only() {
        let rules = PasswordRules {
            length: 10,
            classes: 3,
        };
        let weak = weak_passwords(rules);
        assert_eq!(weak.len(), 3);
        for (password, _) in &weak {
            let kinds = [
                password.chars().any(|c| c.is_ascii_lowercase()),
                password.chars().any(|c| c.is_ascii_uppercase()),
                password.chars().any(|c| c.is_ascii_digit()),
            ];
            let kinds = kinds.iter().filter(|has| **has).count();
            let short = password.len() < 10;
            assert_eq!(usize::from(short) + usize::from(kinds < 3), 1, "{password}");
        }
    }
}
