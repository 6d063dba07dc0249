//! The policy that the device is set to: cases judge the device against its own statement.

use std::collections::BTreeMap;

use slcert_profiles::file::{
    DeValue, Diagnostic, Fields, Located, Pattern, Period, Schema, Setting, Spanned, Table, Word,
};

use super::name::Name;
use super::operation::AnswerPattern;

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
    /// How long what was revoked may go on: an open session after its account was disabled or removed, a certificate after the
    /// list that revokes it was loaded.
    pub revocation: Option<Period>,
    /// Identifiers of the device's own that the bench does not use.
    pub identifiers: Vec<String>,
    /// What the text shown before login has to contain.
    pub banner: Option<Pattern>,
    /// The oldest version of TLS that may be offered.
    pub tls_oldest: Option<TlsVersion>,
    /// The least strength of the keys that the device makes for its certificates, in bits.
    pub key_strength: Option<u32>,
    /// How many entries the audit log keeps.
    pub audit_capacity: Option<u32>,
    /// What a full audit log does with a new entry.
    pub audit_full: Option<AuditFull>,
    /// The part of its capacity, in percent, at which the device warns.
    pub audit_warning: Option<u32>,
    /// How long the audit log may take to work again after its storage does.
    pub audit_recovery: Option<Period>,
    /// How far the clock may be off.
    pub clock_tolerance: Option<Period>,
    /// The largest step of a time server that the device follows.
    pub clock_step: Option<Period>,
    /// The time server that the device is set to, in the device's words for `set_time_source`.
    pub time_source: Option<String>,
    /// How long the device may take to follow its time server.
    pub time_within: Option<Period>,
    /// How long an alert may take until it has left the device.
    pub alert_within: Option<Period>,
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

/// What a full audit log does with a new entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFull {
    /// The oldest entry makes room.
    Overwrite,
    /// New entries are not taken, and the device says so.
    Stop,
}

impl Word for AuditFull {
    const WHAT: &'static str = "way of a full audit log";
    const WORDS: &'static [(&'static str, Self)] =
        &[("overwrite", Self::Overwrite), ("stop", Self::Stop)];
}

/// How the alerts read that the device sends by itself.
#[derive(Clone, Debug, Default)]
pub struct Alert {
    /// Matches the alert of a lockout. `{name}` is the account.
    pub lockout: Option<AnswerPattern>,
    /// Matches the alert of an altered backup, image or configuration.
    pub integrity: Option<Pattern>,
}

/// Where the bench's time server is for the device.
#[derive(Clone, Debug)]
pub struct TimeServer {
    /// The address of the bench's computer that the device reaches, and a port; port 0 is any that is free.
    pub listen: String,
}

impl Default for TimeServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
        }
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
    /// How the group `time` reads, as `strftime` writes it; RFC 3339 where it is left out.
    pub time_format: Option<String>,
    /// The time zone of a time that names none: an offset such as `+01:00`, or a name such as `Europe/Berlin`; UTC where it is left out.
    pub time_zone: Option<String>,
    /// What the export calls the fields, by the names of the pattern's groups, where it has other names.
    pub export: BTreeMap<Name, String>,
    /// Matches the entry, or the alert, that warns that the log is nearly full.
    pub warning: Option<Pattern>,
    /// Matches the entry, or the alert, that tells that the log could not be written.
    pub failure: Option<Pattern>,
    /// Matches the entry that tells that a time server's time was not believed.
    pub time_rejected: Option<Pattern>,
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

slcert_profiles::settings_word!(TlsVersion, Category, Excess, AuditFull);

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
            "How long what was revoked may go on: an open session after its account was disabled or removed, a certificate after the list that revokes it was loaded; 30s where left out.",
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
        let key_strength = f.optional(
            "key_strength",
            "The least strength of the keys that the device makes for its certificates, in bits of NIST SP 800-57: 112 (RSA of 2048 bits) where left out, 128 is RSA of 3072 bits or a curve of 256.",
        );
        let audit_capacity = f.optional("audit_capacity", "How many entries the audit log keeps.");
        let audit_full = f.optional(
            "audit_full",
            "What a full audit log does with a new entry: \"overwrite\" the oldest, or \"stop\".",
        );
        let audit_warning = f.optional::<u32>(
            "audit_warning",
            "The part of the audit log's capacity, in percent, at which the device warns.",
        );
        let audit_recovery = f.optional(
            "audit_recovery",
            "How long the audit log may take to work again after its storage does.",
        );
        let clock_tolerance = f.optional("clock_tolerance", "How far the clock may be off.");
        let clock_step = f.optional(
            "clock_step",
            "The largest step of a time server that the device follows.",
        );
        let time_source = f.optional(
            "time_source",
            "The time server that the device is set to, as `set_time_source` would name it.",
        );
        let time_within = f.optional(
            "time_within",
            "How long the device may take to follow its time server.",
        );
        let alert_within = f.optional(
            "alert_within",
            "How long an alert may take until it has left the device.",
        );
        let audit_warning = audit_warning?;
        if audit_warning.is_some_and(|percent| !(1..=100).contains(&percent)) {
            f.refuse(
                "audit_warning",
                "this is no part in percent".into(),
                "write a number from 1 to 100",
            );
            return None;
        }
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
            password_life: password_life?,
            sessions: sessions?,
            remote_idle: remote_idle?,
            revocation: revocation?,
            identifiers: identifiers?,
            banner: banner?,
            tls_oldest: tls_oldest?,
            key_strength: key_strength?,
            audit_capacity: audit_capacity?,
            audit_full: audit_full?,
            audit_warning,
            audit_recovery: audit_recovery?,
            clock_tolerance: clock_tolerance?,
            clock_step: clock_step?,
            time_source: time_source?,
            time_within: time_within?,
            alert_within: alert_within?,
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
        let time_format = f.optional(
            "time_format",
            "How the group `time` reads, as strftime writes it, such as \"%Y-%m-%d %H:%M:%S\"; RFC 3339 where it is left out.",
        );
        let time_zone = f.optional(
            "time_zone",
            "The time zone of a time that names none: an offset such as \"+01:00\", or a name such as \"Europe/Berlin\".",
        );
        let export = f.or::<BTreeMap<Name, String>>(
            "export",
            "What `export_audit` calls the fields, by the names of the pattern's groups, where it has other names.",
            BTreeMap::new(),
        );
        let warning = f.optional(
            "warning",
            "Matches the entry, or the alert, that warns that the log is nearly full.",
        );
        let failure = f.optional(
            "failure",
            "Matches the entry, or the alert, that tells that the log could not be written.",
        );
        let time_rejected = f.optional(
            "time_rejected",
            "Matches the entry that tells that a time server's time was not believed.",
        );
        let integrity = f.optional(
            "integrity",
            "Matches an entry that tells that something altered was found or refused.",
        );
        let (entry, categories, export) = (entry?, categories?, export?);
        let exported = export.keys().map(|name| ("export", name.as_str()));
        let groups = entry
            .capture_names()
            .flatten()
            .map(|group| ("entry", group));
        for (field, group) in groups.chain(exported) {
            if !AUDIT_GROUPS.contains(&group) {
                f.refuse(
                    field,
                    format!("`{group}` is no field of an audit entry"),
                    &slcert_profiles::file::choose(group, &AUDIT_GROUPS),
                );
            }
        }
        Some(Self {
            entry,
            categories,
            time_format: time_format?,
            time_zone: time_zone?,
            export,
            warning: warning?,
            failure: failure?,
            time_rejected: time_rejected?,
            integrity: integrity?,
        })
    }
}

impl Table for Alert {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let lockout = f.optional(
            "lockout",
            "Matches the alert of a lockout; `{name}` is the account that was locked.",
        );
        let integrity = f.optional(
            "integrity",
            "Matches the alert of an altered backup, image or configuration.",
        );
        Some(Self {
            lockout: lockout?,
            integrity: integrity?,
        })
    }
}

impl Table for TimeServer {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let listen = f.or(
            "listen",
            "The address of the bench's computer that the device reaches, and a port; port 0 is any that is free.",
            Self::default().listen,
        );
        Some(Self { listen: listen? })
    }
}

slcert_profiles::settings_table!(
    Policy,
    OutputOnLoss,
    PasswordRules,
    PasswordLife,
    SessionLimit,
    Audit,
    Alert,
    TimeServer
);
