//! The policy that the device is set to: cases judge the device against its own statement.

use std::collections::BTreeMap;

use slcert_profiles::file::{Fields, Located, Pattern, Period, Table, Word};

use super::name::Name;

/// What the device is set to. What is left out is not judged: its cases are NOT EVALUATED.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How many failed logins in a row lock an account.
    pub failed_logins: Option<u32>,
    /// How long an account stays locked.
    pub lockout: Option<Period>,
    /// How long a session may idle before it locks.
    pub session_lock: Option<Period>,
    /// The rules for passwords.
    pub password: Option<PasswordRules>,
    /// How long passwords live, and which may not be set again.
    pub password_life: Option<PasswordLife>,
    /// How many sessions a user may have, by interface.
    pub sessions: BTreeMap<Name, Located<SessionLimit>>,
    /// How long a remote session may be silent before the device ends it.
    pub remote_idle: Option<Period>,
    /// How long an open session may go on after its account was disabled or removed.
    pub revocation: Option<Period>,
    /// Identifiers of the device's own that the bench does not use.
    pub identifiers: Vec<String>,
    /// What the text shown before login has to contain.
    pub banner: Option<Pattern>,
    /// The oldest version of TLS that may be offered.
    pub tls_oldest: Option<TlsVersion>,
}

/// The rules for passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// The least number of characters.
    pub length: u32,
    /// How many of the four kinds of characters (lower case, upper case, digits, others) a password needs.
    pub classes: u32,
}

/// How long passwords live, and which may not be set again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PasswordLife {
    /// How many of an account's last passwords may not be set again.
    pub history: Option<u32>,
    /// How many days a user has to wait before changing a new password again.
    pub minimum_days: Option<u32>,
    /// How many days a password lasts.
    pub maximum_days: Option<u32>,
}

/// How many sessions a user may have on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimit {
    /// The most at a time.
    pub most: u32,
    /// What becomes of one too many.
    pub excess: Excess,
}

/// What a device does with one session too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The new one is refused.
    Refused,
    /// The new one is let in, and the oldest one is ended.
    OldestEnds,
}

impl Word for Excess {
    const WHAT: &'static str = "way with one session too many";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("refused", Self::Refused),
        ("oldest-ends", Self::OldestEnds),
    ];
}

/// A version of TLS that may be declared as the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2, RFC 5246.
    V12,
    /// 1.3, RFC 8446.
    V13,
}

impl Word for TlsVersion {
    const WHAT: &'static str = "version of TLS that may be declared";
    const WORDS: &'static [(&'static str, Self)] = &[("1.2", Self::V12), ("1.3", Self::V13)];
}

/// How the audit log reads.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Matches one entry; named groups `time`, `source`, `category`, `type`, `id`, `result`, `user` give its fields.
    pub entry: Pattern,
    /// What the device calls each category of CR 2.8, by ours.
    pub categories: BTreeMap<Category, Pattern>,
}

/// The categories of events that CR 2.8 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Access control.
    AccessControl,
    /// Request errors.
    RequestError,
    /// Control system events.
    ControlSystem,
    /// Backup and restore.
    Backup,
    /// Configuration changes.
    Configuration,
    /// Audit log events.
    AuditLog,
}

impl Category {
    /// The word that rig files use.
    pub fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, one)| *one == self)
            .map_or("", |(word, _)| word)
    }
}

impl Word for Category {
    const WHAT: &'static str = "category of audit events";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("access-control", Self::AccessControl),
        ("request-error", Self::RequestError),
        ("control-system", Self::ControlSystem),
        ("backup", Self::Backup),
        ("configuration", Self::Configuration),
        ("audit-log", Self::AuditLog),
    ];
}

slcert_profiles::settings_word!(TlsVersion, Category, Excess);

impl Table for Policy {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let failed_logins = f.optional(
            "failed_logins",
            "How many failed logins in a row lock an account.",
        );
        let lockout = f.optional(
            "lockout",
            "How long an account stays locked, such as \"30s\".",
        );
        let session_lock = f.optional(
            "session_lock",
            "How long a session may idle before it locks.",
        );
        let password = f.optional("password", "The rules for passwords.");
        let password_life = f.optional(
            "password_life",
            "How long passwords live, and which may not be set again.",
        );
        let sessions = f.or(
            "sessions",
            "How many sessions a user may have, by interface.",
            BTreeMap::new(),
        );
        let remote_idle = f.optional(
            "remote_idle",
            "How long a remote session may be silent before the device ends it.",
        );
        let revocation = f.optional(
            "revocation",
            "How long an open session may go on after its account was disabled or removed; 30s where left out.",
        );
        let identifiers = f.or(
            "identifiers",
            "Identifiers of the device's own that the bench does not use, so that its list of accounts may have them.",
            Vec::new(),
        );
        let banner = f.optional("banner", "What the text shown before login has to contain.");
        let tls_oldest = f.optional(
            "tls_oldest",
            "The oldest version of TLS that the device offers.",
        );
        Some(Self {
            failed_logins: failed_logins?,
            lockout: lockout?,
            session_lock: session_lock?,
            password: password?,
            password_life: password_life?,
            sessions: sessions?,
            remote_idle: remote_idle?,
            revocation: revocation?,
            identifiers: identifiers?,
            banner: banner?,
            tls_oldest: tls_oldest?,
        })
    }
}

impl Table for PasswordRules {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let length = f.required("length", "The least number of characters.");
        let classes = f.or(
            "classes",
            "How many of the four kinds of characters a password needs.",
            1,
        );
        let (length, classes) = (length?, classes?);
        if !(1..=4).contains(&classes) {
            f.refuse(
                "classes",
                "there are four kinds of characters".into(),
                "write 1, 2, 3 or 4",
            );
            return None;
        }
        Some(Self { length, classes })
    }
}

impl Table for PasswordLife {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let history = f.optional(
            "history",
            "How many of an account's last passwords may not be set again.",
        );
        let minimum_days = f.optional(
            "minimum_days",
            "How many days a user has to wait before changing a new password again.",
        );
        let maximum_days = f.optional("maximum_days", "How many days a password lasts.");
        Some(Self {
            history: history?,
            minimum_days: minimum_days?,
            maximum_days: maximum_days?,
        })
    }
}

impl Table for SessionLimit {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let most = f.required("most", "The most that a user may have at a time.");
        let excess = f.required(
            "excess",
            "What becomes of one too many: `refused`, or `oldest-ends`.",
        );
        let (most, excess) = (most?, excess?);
        if most == 0 {
            f.refuse("most", "nobody gets in".into(), "write 1 or more");
            return None;
        }
        Some(Self { most, excess })
    }
}

/// The groups that the pattern of an audit entry may have.
pub const AUDIT_GROUPS: [&str; 7] = ["time", "source", "category", "type", "id", "result", "user"];

impl Table for Audit {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let entry = f.required::<Pattern>(
            "entry",
            "Matches one entry of the log; named groups `time`, `source`, `category`, `type`, `id`, `result`, `user` give its fields.",
        );
        let categories = f.or(
            "categories",
            "What the device calls each category, as a pattern for the group `category`.",
            BTreeMap::new(),
        );
        let (entry, categories) = (entry?, categories?);
        for group in entry.capture_names().flatten() {
            if !AUDIT_GROUPS.contains(&group) {
                f.refuse(
                    "entry",
                    format!("`{group}` is no field of an audit entry"),
                    &slcert_profiles::file::choose(group, &AUDIT_GROUPS),
                );
            }
        }
        Some(Self { entry, categories })
    }
}

slcert_profiles::settings_table!(Policy, PasswordRules, PasswordLife, SessionLimit, Audit);
