//! The policy that the device is set to: cases judge the device against its own statement.

use std::collections::BTreeMap;

use slcert_profiles::file::{
    DeValue, Diagnostic, Fields, Located, Pattern, Period, Schema, Setting, Spanned, Table, Word,
};

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
    /// What the text shown before login has to contain.
    pub banner: Option<Pattern>,
    /// The oldest version of TLS that may be offered.
    pub tls_oldest: Option<TlsVersion>,
    /// What the output goes to when whoever writes it is gone.
    pub output_on_loss: Option<OutputOnLoss>,
    /// What the output goes to at a start.
    pub output_on_restart: Option<OutputState>,
    /// For how long the essential functions may stop while an update is installed; not at all where it is left out.
    pub update_outage: Option<Period>,
    /// An operation whose value a backup holds, a restore brings back, and a power cut leaves as it is.
    pub backup_holds: Option<Located<Name>>,
}

/// What the output goes to when whoever writes it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputOnLoss {
    /// What it goes to.
    pub state: OutputState,
    /// How long that may take.
    pub within: Period,
}

/// What an output goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputState {
    /// It stays what it was.
    Hold,
    /// It becomes this.
    Value(u16),
}

/// The word for an output that stays what it was.
const HOLD: &str = "hold";

impl std::fmt::Display for OutputState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hold => f.write_str(HOLD),
            Self::Value(value) => write!(f, "{value}"),
        }
    }
}

impl Setting for OutputState {
    fn schema() -> Schema {
        serde_json::json!({ "type": "string", "pattern": "^(hold|[0-9]{1,5})$" })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        let state = match text.parse() {
            Ok(number) => Some(Self::Value(number)),
            Err(_) => (text == HOLD).then_some(Self::Hold),
        };
        if state.is_none() {
            faults.push(
                Diagnostic::error(value.span(), format!("`{text}` is no state of an output"))
                    .help("write \"hold\" or a value, such as \"0\""),
            );
        }
        state
    }
}

/// The rules for passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// The least number of characters.
    pub length: u32,
    /// How many of the four kinds of characters (lower case, upper case, digits, others) a password needs.
    pub classes: u32,
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
    /// Matches an entry that tells that something altered was found or refused.
    pub integrity: Option<Pattern>,
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

slcert_profiles::settings_word!(TlsVersion, Category);

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
        let banner = f.optional("banner", "What the text shown before login has to contain.");
        let tls_oldest = f.optional(
            "tls_oldest",
            "The oldest version of TLS that the device offers.",
        );
        let output_on_loss = f.optional(
            "output_on_loss",
            "What the output goes to when whoever writes it is gone: { state = \"hold\", within = \"1s\" }.",
        );
        let output_on_restart = f.optional(
            "output_on_restart",
            "What the output goes to at a start: \"hold\" or a value.",
        );
        let update_outage = f.optional(
            "update_outage",
            "For how long the essential functions may stop while an update is installed.",
        );
        let backup_holds = f.optional(
            "backup_holds",
            "An operation whose value a backup holds, a restore brings back, and a power cut leaves as it is.",
        );
        Some(Self {
            failed_logins: failed_logins?,
            lockout: lockout?,
            session_lock: session_lock?,
            password: password?,
            banner: banner?,
            tls_oldest: tls_oldest?,
            output_on_loss: output_on_loss?,
            output_on_restart: output_on_restart?,
            update_outage: update_outage?,
            backup_holds: backup_holds?,
        })
    }
}

impl Table for OutputOnLoss {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let state = f.required("state", "What it goes to: \"hold\" or a value.");
        let within = f.required("within", "How long that may take.");
        Some(Self {
            state: state?,
            within: within?,
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
        let integrity = f.optional(
            "integrity",
            "Matches an entry that tells that something altered was found or refused.",
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
        Some(Self {
            entry,
            categories,
            integrity: integrity?,
        })
    }
}

slcert_profiles::settings_table!(Policy, OutputOnLoss, PasswordRules, Audit);
