//! Values that no device has seen before: passwords, tags and markers. A campaign's seed makes them the same again.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use slcert_rigs::rig::PasswordRules;

/// The step of SplitMix64 (Steele, Lea and Flood 2014): odd, so that the state takes every value.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

static STATE: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(seed_from_clock()));

/// Makes the values that follow depend on a seed alone.
pub fn begin(seed: u64) {
    STATE.store(seed, Ordering::Relaxed);
}

/// A seed that hardly any other run has, short enough to be typed and for every reader of JSON.
pub fn seed_from_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos() as u64;
    u64::from((now ^ now >> 32) as u32)
}

/// The next number of SplitMix64.
fn next() -> u64 {
    let mut number = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// A tag of twelve lower-case letters and digits that no other call with this or another seed gives.
pub fn tag() -> String {
    // 32 characters without those that people mistake for each other.
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let number = next();
    (0..12)
        .map(|at| char::from(ALPHABET[(number >> (5 * at) & 31) as usize]))
        .collect()
}

/// A number below `end`, which is not zero.
pub fn below(end: u64) -> u64 {
    next() % end.max(1)
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
