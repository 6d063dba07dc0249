//! Passwords: kept as salted hashes only, and made at random for the first accounts.

use std::num::NonZeroU32;

use ring::pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// PBKDF2-HMAC-SHA-256 rounds: well under 1 ms. Few, as on a small controller; a campaign logs in a thousand times.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);
/// Longer passwords are refused, so that hashing stays cheap.
pub(crate) const LONGEST: usize = 64;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct NoRandom;

/// A salted hash of a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hash {
    salt: [u8; 16],
    digest: [u8; 32],
}

impl Hash {
    pub(crate) fn of(password: &str) -> Result<Self, NoRandom> {
        let mut salt = [0; 16];
        random(&mut salt)?;
        let mut digest = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            ROUNDS,
            &salt,
            password.as_bytes(),
            &mut digest,
        );
        Ok(Self { salt, digest })
    }

    /// A hash that no password matches, and that costs as much to check as any other.
    pub(crate) fn unmatchable() -> Self {
        Self {
            salt: [0x5a; 16],
            digest: [0; 32],
        }
    }

    pub(crate) fn matches(&self, password: &str) -> bool {
        pbkdf2::verify(
            pbkdf2::PBKDF2_HMAC_SHA256,
            ROUNDS,
            &self.salt,
            password.as_bytes(),
            &self.digest,
        )
        .is_ok()
    }
}

/// Fills a buffer with random bytes.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), NoRandom> {
    SystemRandom::new().fill(bytes).map_err(|_| NoRandom)
}

/// A password of 16 letters and digits, with at least one of each class.
pub(crate) fn generate() -> Result<String, NoRandom> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    loop {
        let mut password = String::new();
        while password.len() < 16 {
            let mut byte = [0];
            random(&mut byte)?;
            // 248 is the highest multiple of 62 in a byte: every letter is as likely.
            if byte[0] < 248 {
                password.push(char::from(LETTERS[usize::from(byte[0] % 62)]));
            }
        }
        if classes(&password) == 3 {
            return Ok(password);
        }
    }
}

/// How many of the four classes (upper, lower, digit, other) a password draws on.
pub(crate) fn classes(password: &str) -> u32 {
    let has = |class: fn(char) -> bool| u32::from(password.chars().any(class));
    has(|c| c.is_ascii_uppercase())
        + has(|c| c.is_ascii_lowercase())
        + has(|c| c.is_ascii_digit())
        + has(|c| !c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_alone() {
        let hash = Hash::of("Correct-Horse1").unwrap();
        assert!(hash.matches("Correct-Horse1"));
        assert!(!hash.matches("correct-Horse1"));
        assert!(!Hash::unmatchable().matches(""));
        assert_ne!(hash.salt, Hash::of("Correct-Horse1").unwrap().salt);
    }

    #[test]
    fn generated_passwords_have_three_classes_and_differ() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        assert_eq!((a.len(), classes(&a)), (16, 3));
        assert_ne!(a, b);
    }
}
