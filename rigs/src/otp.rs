//! One-time codes of a second factor, by time (RFC 6238 on RFC 4226).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::hmac;
use slcert_profiles::file::{Fields, Period, Table, Word};
use thiserror::Error;

use crate::secret::{Secret, SecretSource};

/// How the codes of an account are made.
#[derive(Clone, Debug)]
pub struct Otp {
    /// Where the secret is found, in base32.
    pub secret: SecretSource,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: u8,
    /// How long a code stands.
    pub period: Period,
    /// How many codes before the present one the device takes as well.
    pub window: u8,
    /// Whether the device asks for it only once it is told to (`demand_second_factor`).
    pub on_demand: bool,
}

/// The hash function under the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1, as RFC 4226 has it.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Word for Algorithm {
    const WHAT: &'static str = "hash function";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sha1", Self::Sha1),
        ("sha256", Self::Sha256),
        ("sha512", Self::Sha512),
    ];
}

/// The secret is no base32.
#[derive(Debug, Error)]
#[error("the secret of a second factor is no base32 (RFC 4648 section 6)")]
pub struct NotBase32;

impl Otp {
    /// The step of a moment: how many codes were before it.
    pub fn step(&self, at: SystemTime) -> u64 {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        (since.as_millis() / self.millis()) as u64
    }

    /// How long it is from a moment until a step begins; nothing where it has begun.
    pub fn until(&self, step: u64, at: SystemTime) -> Duration {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let begins = u128::from(step) * self.millis();
        let left = begins.saturating_sub(since.as_millis());
        Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX))
    }

    /// The code of a step.
    ///
    /// # Errors
    /// [`NotBase32`].
    pub fn code(&self, secret: &Secret, step: u64) -> Result<String, NotBase32> {
        let algorithm = match self.algorithm {
            Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, &from_base32(secret.reveal()).ok_or(NotBase32)?);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        // RFC 4226 section 5.3: the last four bits say where the number is.
        let tag = tag.as_ref();
        let at = usize::from(tag[tag.len() - 1] & 0x0F);
        let number = u32::from_be_bytes([tag[at] & 0x7F, tag[at + 1], tag[at + 2], tag[at + 3]]);
        let digits = usize::from(self.digits);
        let code = u64::from(number) % 10_u64.pow(u32::from(self.digits));
        Ok(format!("{code:0digits$}"))
    }

    fn millis(&self) -> u128 {
        self.period.0.as_millis().max(1)
    }
}

/// The bytes of a text in base32, whatever its case, with or without blanks and padding; none if it is something else.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes().filter(|byte| !b" -=".contains(byte)) {
        let letter = letter.to_ascii_uppercase();
        let value = ALPHABET.iter().position(|one| *one == letter)?;
        bits = bits << 5 | value as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

impl Table for Otp {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let secret = SecretSource::fields(f);
        let algorithm = f.or("algorithm", "The hash function.", Algorithm::Sha1);
        let digits = f.or("digits", "Digits of a code: 6, 7 or 8.", 6);
        let period = f.or(
            "period",
            "How long a code stands.",
            Period(Duration::from_secs(30)),
        );
        let window = f.or(
            "window",
            "How many codes before the present one the device takes as well.",
            1,
        );
        let on_demand = f.or(
            "on_demand",
            "Whether the device asks for it only once it is told to (`demand_second_factor`).",
            false,
        );
        let digits = digits?;
        if !(6..=8).contains(&digits) {
            f.refuse(
                "digits",
                format!("a code has 6 to 8 digits, not {digits}"),
                "write 6, 7 or 8",
            );
            return None;
        }
        Some(Self {
            secret: secret?,
            algorithm: algorithm?,
            digits,
            period: period?,
            window: window?,
            on_demand: on_demand?,
        })
    }
}

slcert_profiles::settings_word!(Algorithm);
slcert_profiles::settings_table!(Otp);

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn otp(algorithm: Algorithm, digits: u8) -> Otp {
        Otp {
            secret: SecretSource::Env(String::new()),
            algorithm,
            digits,
            period: Period(Duration::from_secs(30)),
            window: 1,
            on_demand: false,
        }
    }

    fn base32(bytes: &[u8]) -> Secret {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        let letters = bits.as_bytes().chunks(5).map(|five| {
            let five = format!("{:0<5}", String::from_utf8_lossy(five));
            char::from(ALPHABET[usize::from_str_radix(&five, 2).unwrap()])
        });
        Secret::new(letters.collect::<String>())
    }

    /// RFC 6238 appendix B.
    #[test]
    fn the_vectors_of_the_rfc_hold() {
        const DIGITS: &str = "1234567890123456789012345678901234567890123456789012345678901234";
        const VECTORS: [(u64, [&str; 3]); 6] = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ];
        let columns = [
            (Algorithm::Sha1, 20),
            (Algorithm::Sha256, 32),
            (Algorithm::Sha512, 64),
        ];
        for (time, codes) in VECTORS {
            for ((algorithm, length), expected) in columns.into_iter().zip(codes) {
                let otp = otp(algorithm, 8);
                let secret = base32(&DIGITS.as_bytes()[..length]);
                let step = otp.step(UNIX_EPOCH + Duration::from_secs(time));
                assert_eq!(otp.code(&secret, step).unwrap(), expected, "{time}");
            }
        }
    }

    #[test]
    fn oathtool_makes_the_same_codes() {
        if Command::new("oathtool").arg("--version").output().is_err() {
            assert!(
                std::env::var_os("SLCERT_REQUIRE").is_none(),
                "oathtool is not installed"
            );
            eprintln!("left out: oathtool is not installed");
            return;
        }
        let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
        for (algorithm, mode) in [
            (Algorithm::Sha1, "--totp=sha1"),
            (Algorithm::Sha256, "--totp=sha256"),
            (Algorithm::Sha512, "--totp=sha512"),
        ] {
            for (digits, time) in [(6, 1_700_000_000), (7, 1_700_000_030), (8, 1_800_000_012)] {
                let told = Command::new("oathtool")
                    .args([mode, "--base32", "--digits", &digits.to_string()])
                    .args(["--now", &format!("@{time}"), secret])
                    .output()
                    .unwrap();
                let otp = otp(algorithm, digits);
                let step = otp.step(UNIX_EPOCH + Duration::from_secs(time));
                let code = otp.code(&Secret::new(secret), step).unwrap();
                assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), code);
            }
        }
    }

    #[test]
    fn base32_is_read_as_people_write_it() {
        assert_eq!(from_base32("MZXW6YTBOI======"), Some(b"foobar".to_vec()));
        assert_eq!(from_base32("mzxw 6ytb oi"), Some(b"foobar".to_vec()));
        assert_eq!(from_base32("MZXW6Y1B"), None);
        assert_eq!(from_base32(""), None);
    }

    #[test]
    fn a_step_begins_where_the_one_before_ends() {
        let otp = otp(Algorithm::Sha1, 6);
        let at = UNIX_EPOCH + Duration::from_millis(59_250);
        assert_eq!(otp.step(at), 1);
        assert_eq!(otp.until(2, at), Duration::from_millis(750));
        assert_eq!(otp.until(1, at), Duration::ZERO);
    }
}
