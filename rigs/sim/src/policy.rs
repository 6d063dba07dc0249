//! The security policy that an administrator can change at run time.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::password;

/// The longest notice that is shown before login.
const LONGEST_BANNER: usize = 200;
/// Seconds of a day.
const DAY: u32 = 86_400;
/// Passwords of an account that are remembered.
pub(crate) const MOST_PASSWORDS: usize = 10;
/// The word for an output that stays where it is.
const HOLD: &str = "hold";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    /// Failed logins in a row that lock an account.
    pub failed_logins: u32,
    /// Seconds an account stays locked.
    pub lockout: u32,
    /// Idle seconds after which a console session is locked.
    pub session_lock: u32,
    pub password_min: u32,
    pub password_classes: u32,
    /// How many of an account's passwords, the one now included, may not be set again.
    pub password_history: u32,
    /// Seconds until a user may change the own password again.
    pub password_min_age: u32,
    /// Seconds until a password opens no session any more.
    pub password_max_age: u32,
    /// Sessions that a user may have on one interface.
    pub sessions: u32,
    /// Silent seconds after which a remote session is ended.
    pub remote_idle: u32,
    pub banner: String,
    /// Entries that the audit log keeps.
    pub audit_capacity: u32,
    /// The part of the capacity, in percent, at which the log is nearly full.
    pub audit_warning: u32,
    /// The time server, as an address and a port, or `none`.
    pub time_source: String,
    /// What the output goes to when its master is gone; it holds where this is none.
    #[serde(default)]
    pub output_on_loss: Option<u16>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            failed_logins: 3,
            lockout: 2,
            session_lock: 2,
            password_min: 10,
            password_classes: 3,
            password_history: 0,
            password_min_age: 0,
            password_max_age: 365 * DAY,
            sessions: 16,
            remote_idle: 300,
            banner:
                "TC-100 tank level controller. Authorised use only; use is monitored and recorded."
                    .into(),
            audit_capacity: 10_000,
            audit_warning: 90,
            time_source: "none".into(),
            output_on_loss: None,
        }
    }
}

/// Why a setting was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadSetting {
    #[error("no such setting")]
    Unknown,
    #[error("{key} is {low}..{high}")]
    Range {
        key: &'static str,
        low: u32,
        high: u32,
    },
    #[error("output_on_loss is hold or 0..1000")]
    OutputOnLoss,
    #[error("banner is 1..{LONGEST_BANNER} printable ASCII characters")]
    Banner,
    #[error("a time source is none or an IPv4 address and a port")]
    TimeSource,
}

/// The password does not fit the policy.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) struct Weak {
    min: u32,
    classes: u32,
}

impl fmt::Display for Weak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} to {} characters of {} classes: upper case, lower case, digit, other",
            self.min,
            password::LONGEST,
            self.classes
        )
    }
}

impl Policy {
    /// The names of the settings.
    pub(crate) const KEYS: [&str; 7] = [
        "failed_logins",
        "lockout",
        "session_lock",
        "password_min",
        "password_classes",
        "banner",
        "output_on_loss",
    ];

    pub(crate) fn lockout(&self) -> Duration {
        Duration::from_secs(self.lockout.into())
    }

    pub(crate) fn session_lock(&self) -> Duration {
        Duration::from_secs(self.session_lock.into())
    }

    pub(crate) fn remote_idle(&self) -> Duration {
        Duration::from_secs(self.remote_idle.into())
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        Some(match key {
            "failed_logins" => self.failed_logins.to_string(),
            "lockout" => format!("{}s", self.lockout),
            "session_lock" => format!("{}s", self.session_lock),
            "password_min" => self.password_min.to_string(),
            "password_classes" => self.password_classes.to_string(),
            "password_history" => self.password_history.to_string(),
            "password_min_age" => format!("{}s", self.password_min_age),
            "password_max_age" => format!("{}s", self.password_max_age),
            "sessions" => self.sessions.to_string(),
            "remote_idle" => format!("{}s", self.remote_idle),
            "banner" => self.banner.clone(),
            "audit_capacity" => self.audit_capacity.to_string(),
            "audit_warning" => self.audit_warning.to_string(),
            "time_source" => self.time_source.clone(),
            "output_on_loss" => self
                .output_on_loss
                .map_or_else(|| HOLD.into(), |value| value.to_string()),
            _ => return None,
        })
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), BadSetting> {
        match key {
            "failed_logins" => self.failed_logins = number("failed_logins", value, 1, 10)?,
            "lockout" => self.lockout = seconds("lockout", value)?,
            "session_lock" => self.session_lock = seconds("session_lock", value)?,
            "password_min" => self.password_min = number("password_min", value, 8, 32)?,
            "password_classes" => self.password_classes = number("password_classes", value, 1, 4)?,
            "password_history" => {
                let most = MOST_PASSWORDS as u32;
                self.password_history = number("password_history", value, 0, most)?;
            }
            "password_min_age" => self.password_min_age = age("password_min_age", value)?,
            "password_max_age" => self.password_max_age = age("password_max_age", value)?,
            "sessions" => self.sessions = number("sessions", value, 1, 32)?,
            "remote_idle" => self.remote_idle = seconds("remote_idle", value)?,
            "output_on_loss" => {
                let number = value.parse().ok().filter(|number| *number <= 1000);
                if number.is_none() && value != HOLD {
                    return Err(BadSetting::OutputOnLoss);
                }
                self.output_on_loss = number;
            }
            "banner" => {
                let printable = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
                if value.is_empty() || value.len() > LONGEST_BANNER || !printable {
                    return Err(BadSetting::Banner);
                }
                self.banner = value.to_owned();
            }
            "audit_capacity" => {
                self.audit_capacity = number("audit_capacity", value, 40, 10_000)?;
            }
            "audit_warning" => self.audit_warning = number("audit_warning", value, 10, 100)?,
            "time_source" => {
                if value != "none" && value.parse::<std::net::SocketAddrV4>().is_err() {
                    return Err(BadSetting::TimeSource);
                }
                self.time_source = value.to_owned();
            }
            _ => return Err(BadSetting::Unknown),
        }
        Ok(())
    }

    /// Whether every value could have been set by [`Policy::set`].
    pub(crate) fn is_sane(&self) -> bool {
        let mut copy = Self::default();
        Self::KEYS.iter().all(|key| {
            self.get(key)
                .is_some_and(|value| copy.set(key, &value).is_ok())
        })
    }

    pub(crate) fn check(&self, password: &str) -> Result<(), Weak> {
        let length = password.chars().count();
        let long = length >= self.password_min as usize && length <= password::LONGEST;
        if long && password::classes(password) >= self.password_classes {
            Ok(())
        } else {
            Err(Weak {
                min: self.password_min,
                classes: self.password_classes,
            })
        }
    }
}

fn number(key: &'static str, value: &str, low: u32, high: u32) -> Result<u32, BadSetting> {
    value
        .parse()
        .ok()
        .filter(|number| (low..=high).contains(number))
        .ok_or(BadSetting::Range { key, low, high })
}

fn seconds(key: &'static str, value: &str) -> Result<u32, BadSetting> {
    number(key, value.strip_suffix('s').unwrap_or(value), 1, 3600)
}

/// Seconds up to ten years; 0 is none.
fn age(key: &'static str, value: &str) -> Result<u32, BadSetting> {
    number(
        key,
        value.strip_suffix('s').unwrap_or(value),
        0,
        3_650 * DAY,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_bounded() {
        let mut policy = Policy::default();
        for (key, value) in [
            ("failed_logins", "0"),
            ("failed_logins", "11"),
            ("lockout", "0s"),
            ("lockout", "1h"),
            ("session_lock", "3601"),
            ("password_min", "4"),
            ("password_classes", "5"),
            ("banner", ""),
            ("audit_capacity", "39"),
            ("audit_warning", "101"),
            ("time_source", "time.example:123"),
            ("banner", "a\u{1b}[2J"),
            ("nonsense", "1"),
        ] {
            assert!(policy.set(key, value).is_err(), "{key} {value}");
        }
        assert_eq!(policy, Policy::default());
        policy.set("lockout", "6s").unwrap();
        assert_eq!(policy.get("lockout").as_deref(), Some("6s"));
        assert!(policy.is_sane());
    }

    #[test]
    fn passwords_need_length_and_classes() {
        let policy = Policy::default();
        assert!(policy.check("Abcdefgh12").is_ok());
        assert!(policy.check("Abcdefg12").is_err());
        assert!(policy.check("abcdefghij12").is_err());
        assert!(policy.check(&"Ab1".repeat(30)).is_err());
    }
}
