//! The second factor of people's accounts: one-time codes by time (RFC 6238), for whom an administrator demands them.

use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::audit::{Category, Source};
use crate::controller::{Actor, Controller, Refusal};
use crate::flaw::Defect;
use crate::password::{self, NoRandom};

/// How long a code stands, in milliseconds. Short, as the other times of this device are.
const PERIOD: i64 = 1000;
/// Digits of a code.
const DIGITS: usize = 6;
/// How many codes before the present one are taken: the one that was under way (RFC 6238 section 5.2).
const WINDOW: u64 = 1;
/// The same with the flaw `otp-stays-good`.
const LONG_WINDOW: u64 = 60;

/// An account's token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Factor {
    secret: [u8; 20],
    /// Whether a login has to have a code.
    #[serde(default)]
    pub demanded: bool,
    /// The first step whose code was not used.
    #[serde(default)]
    next: u64,
}

impl Factor {
    pub(crate) fn make() -> Result<Self, NoRandom> {
        let mut secret = [0; 20];
        password::random(&mut secret)?;
        Ok(Self {
            secret,
            demanded: false,
            next: 0,
        })
    }

    /// The secret as a token is given it (RFC 4648 section 6).
    pub(crate) fn base32(&self) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // 20 bytes are 32 groups of five bits.
        let bit = |at: usize| self.secret[at / 8] >> (7 - at % 8) & 1;
        let group = |at: usize| (0..5).fold(0, |value, low| value << 1 | bit(at * 5 + low));
        (0..32)
            .map(|at| char::from(LETTERS[usize::from(group(at))]))
            .collect()
    }

    fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let digest = hmac::sign(&key, &step.to_be_bytes());
        let digest = digest.as_ref();
        let offset = usize::from(digest[19] & 0xf);
        let word = &digest[offset..offset + 4];
        let number = word
            .iter()
            .fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }
}

impl Controller {
    /// Whether a login has to have a code beside the password.
    pub(crate) fn demands_code(&self, name: &str, source: Source) -> bool {
        let ignored = self.flaws.enabled(Defect::SecondFactorIgnored)
            || source == Source::Mqtt && self.flaws.enabled(Defect::SecondFactorNotByMqtt);
        let state = self.state();
        let factor = state.accounts.get(name).and_then(|it| it.factor.as_ref());
        factor.is_some_and(|factor| factor.demanded) && !ignored
    }

    /// Demands a code of an account at its logins, or does so no more.
    pub(crate) fn demand_code(
        &self,
        actor: &Actor,
        name: &str,
        demanded: bool,
    ) -> Result<(), Refusal> {
        self.check_account(actor, name)?;
        self.change(|state| {
            let account = state.accounts.get_mut(name).ok_or(Refusal::BadValue)?;
            let factor = account.factor.as_mut().ok_or(Refusal::BadValue)?;
            factor.demanded = demanded;
            Ok(())
        })?;
        let detail = format!("{name} {}", if demanded { "on" } else { "off" });
        self.record(actor, Category::Configuration, "user_factor", true, &detail);
        Ok(())
    }

    /// Whether a login has both factors. A wrong password uses no code up.
    pub(crate) fn has_both(&self, source: Source, name: &str, password: bool, code: &str) -> bool {
        if !self.demands_code(name, source) {
            return password;
        }
        (password || self.flaws.enabled(Defect::OtpIsEnough)) && self.takes_code(name, code)
    }

    /// Takes a code, once.
    fn takes_code(&self, name: &str, code: &str) -> bool {
        if self.flaws.enabled(Defect::OtpUnchecked) {
            return code.len() == DIGITS;
        }
        let now = (self.clock.now().as_millisecond() / PERIOD) as u64;
        let window = if self.flaws.enabled(Defect::OtpStaysGood) {
            LONG_WINDOW
        } else {
            WINDOW
        };
        let taken = self.change(|state| {
            let account = state.accounts.get_mut(name).ok_or(Refusal::BadValue)?;
            let factor = account.factor.as_mut().ok_or(Refusal::BadValue)?;
            let first = if self.flaws.enabled(Defect::OtpUsedAgain) {
                0
            } else {
                factor.next
            };
            let last_alone = self.flaws.enabled(Defect::OtpLastAlone);
            let used = |step: u64| {
                if last_alone {
                    step + 1 == first
                } else {
                    step < first
                }
            };
            let mut steps = now.saturating_sub(window)..=now;
            let step = steps.find(|step| !used(*step) && factor.code(*step) == code);
            factor.next = step.ok_or(Refusal::NotPermitted)? + 1;
            Ok(())
        });
        taken.is_ok()
    }
}

/// Parts a text that is a password and a code, as a client sends them that has one field for both.
pub(crate) fn part(text: &str) -> (&str, &str) {
    let at = text.len().saturating_sub(DIGITS);
    if text.is_char_boundary(at) {
        text.split_at(at)
    } else {
        (text, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Factor {
        Factor {
            secret: *b"12345678901234567890",
            demanded: true,
            next: 0,
        }
    }

    /// RFC 4226 appendix D.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let expected = ["755224", "287082", "359152", "969429", "338314"];
        let codes: Vec<_> = (0..5).map(|step| token().code(step)).collect();
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_secret_is_told_in_base32() {
        assert_eq!(token().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_password_and_a_code_are_parted() {
        assert_eq!(part("Pass-word123456"), ("Pass-word", "123456"));
        assert_eq!(part("1234"), ("", "1234"));
        assert_eq!(part("ää1"), ("", "ää1"));
    }
}
