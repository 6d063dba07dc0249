//! Operations and bindings: what the device can be asked to do, and how, on each interface.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use slcert_profiles::file::{
    DeValue, Diagnostic, Fields, Located, Pattern, Period, Schema, Setting, Spanned, Table,
};

use super::interface::{InterfaceKind, Step};
use super::key::Seal;
use super::name::Name;
use super::template::{NoValue, Template, Values};

/// Something that the device can be asked to do.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The operation that reads back what this one changes.
    pub read_back: Option<Located<Name>>,
    /// The values that may be written, for an operation that takes one.
    pub values: Option<Range>,
    /// What the device calls the right to do this, where that differs from the operation's name.
    pub permission: Option<String>,
    /// How the bench does it by itself, with a command on this machine.
    pub bench: Option<Located<BenchCommand>>,
    /// How it is done, by interface.
    pub bindings: BTreeMap<Name, Located<Binding>>,
}

/// A range of whole numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The smallest.
    pub from: u16,
    /// The largest.
    pub to: u16,
}

/// How an operation is done on one interface.
#[derive(Clone, Debug)]
pub enum Binding {
    /// A dialogue with a console.
    Console(ConsoleBinding),
    /// A Modbus request.
    Modbus(ModbusBinding),
    /// A message to an MQTT broker, or one from it.
    Mqtt(MqttBinding),
}

/// A command on the bench: a vendor's tool, a programmer, a file copy. It is run without a shell.
#[derive(Clone, Debug)]
pub struct BenchCommand {
    /// The program and its arguments.
    pub command: Vec<Template>,
    /// How long it may take.
    pub limit: Period,
    /// What its output means. Without patterns, exit code 0 is done, and any other says nothing.
    pub meaning: Meaning,
}

/// A dialogue with a console that is logged in.
#[derive(Clone, Debug)]
pub struct ConsoleBinding {
    /// The steps; a single command is one `Send`.
    pub steps: Vec<Step>,
    /// The answers' meaning.
    pub meaning: Meaning,
}

/// What an answer means.
#[derive(Clone, Debug, Default)]
pub struct Meaning {
    /// The answer says that it is done, where this matches. Any answer that is no refusal, where it is left out.
    pub ok: Option<AnswerPattern>,
    /// The answer is a refusal, where this matches; it comes before the interface's own pattern.
    pub refused: Option<AnswerPattern>,
    /// Finds the value in the answer: the first group.
    pub answer: Option<AnswerPattern>,
}

/// A pattern for an answer. It may have placeholders, so that an answer can be told from one to somebody else: their
/// values stand for themselves.
#[derive(Clone, Debug)]
pub struct AnswerPattern {
    template: Template,
    /// The pattern itself, where it has no placeholders: to compile it costs more than to search with it.
    whole: Option<Pattern>,
}

impl AnswerPattern {
    /// The pattern with its placeholders filled.
    ///
    /// # Errors
    /// [`NoValue`] where a placeholder has none.
    pub fn with(&self, values: &Values) -> Result<Arc<Regex>, NoValue> {
        if let Some(whole) = &self.whole {
            return Ok(Arc::clone(&whole.0));
        }
        let quoted = values
            .iter()
            .map(|(name, value)| (name.clone(), regex::escape(value)))
            .collect();
        let text = self.template.fill(&quoted)?;
        // What was read from the file compiles with any quoted value.
        Regex::new(&text).map(Arc::new).map_err(|_| NoValue {
            name: text,
            known: String::new(),
        })
    }
}

impl Setting for AnswerPattern {
    fn schema() -> Schema {
        String::schema()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let template = Template::read(value, faults)?;
        let any: Values = template
            .names()
            .map(|name| (name.to_owned(), "x".to_owned()))
            .collect();
        let text = template.fill(&any).unwrap_or_default();
        let filled = Spanned::new(value.span(), DeValue::String(text.into()));
        let pattern = Pattern::read(&filled, faults)?;
        Some(Self {
            whole: any.is_empty().then_some(pattern),
            template,
        })
    }
}

/// A Modbus request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModbusBinding {
    /// Read one item.
    Read(Area, u16),
    /// Write one item: a holding register or a coil.
    Write(Area, u16),
    /// Read the device's identification (function 43/14).
    Identify,
}

/// The four tables of the Modbus data model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Single bits that can be written.
    Coil,
    /// Single bits that can be read.
    Discrete,
    /// Registers that can be written.
    Holding,
    /// Registers that can be read.
    Input,
}

impl Area {
    /// Whether its items are registers, and not single bits.
    pub fn has_words(self) -> bool {
        matches!(self, Self::Holding | Self::Input)
    }
}

/// A message to an MQTT broker, or one from it.
#[derive(Clone, Debug)]
pub enum MqttBinding {
    /// Publish a message, and wait for the reply where there is one.
    Publish {
        /// Where to.
        topic: Template,
        /// The message.
        payload: Template,
        /// The topic of the device's answer.
        reply: Option<Template>,
        /// Whether the broker keeps the message.
        retain: bool,
        /// What seals the message, where something does: the value of `{seal}`.
        seal: Option<Seal>,
        /// What the reply means.
        meaning: Meaning,
    },
    /// Wait for the next message.
    Subscribe {
        /// The topic.
        topic: Template,
        /// What the message means.
        meaning: Meaning,
    },
}

impl Operation {
    /// Whether the operation changes something that can be read back.
    pub fn changes_state(&self) -> bool {
        self.read_back.is_some()
    }

    /// How it is done on `interface`.
    pub fn on(&self, interface: &str) -> Option<&Binding> {
        self.bindings.get(interface).map(|binding| &binding.value)
    }
}

impl Binding {
    /// Whether an interface of this kind can do it.
    pub fn fits(&self, kind: InterfaceKind) -> bool {
        match self {
            Self::Console(_) => kind == InterfaceKind::Console,
            Self::Modbus(_) => kind.is_modbus(),
            Self::Mqtt(_) => kind == InterfaceKind::Mqtt,
        }
    }

    /// What its answers mean, where the rig file says so.
    pub fn meaning(&self) -> Option<&Meaning> {
        match self {
            Self::Console(console) => Some(&console.meaning),
            Self::Modbus(_) => None,
            Self::Mqtt(
                MqttBinding::Publish { meaning, .. } | MqttBinding::Subscribe { meaning, .. },
            ) => Some(meaning),
        }
    }

    /// The placeholders that the binding wants values for.
    pub fn placeholders(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut of = |template: &Template| names.extend(template.names().map(str::to_owned));
        match self {
            Self::Console(console) => {
                for step in &console.steps {
                    if let Step::Send(text) = step {
                        of(text);
                    }
                }
            }
            Self::Modbus(ModbusBinding::Write(..)) => names.push("value".to_owned()),
            Self::Modbus(_) => {}
            Self::Mqtt(MqttBinding::Publish {
                topic,
                payload,
                reply,
                seal,
                ..
            }) => {
                of(topic);
                of(payload);
                if let Some(seal) = seal {
                    of(&seal.over);
                }
                if let Some(reply) = reply {
                    of(reply);
                }
            }
            Self::Mqtt(MqttBinding::Subscribe { topic, .. }) => of(topic),
        }
        if let Some(meaning) = self.meaning() {
            let patterns = [&meaning.ok, &meaning.refused, &meaning.answer];
            for pattern in patterns.into_iter().flatten() {
                names.extend(pattern.template.names().map(str::to_owned));
            }
        }
        names
    }
}

impl Table for Operation {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let read_back = f.optional(
            "read_back",
            "The operation that reads back what this one changes.",
        );
        let values = f.optional(
            "values",
            "The values that may be written: { from = 0, to = 1000 }.",
        );
        let permission = f.optional("permission", "What the device calls the right to do this, where it differs from the operation's name.");
        let bench = f.optional(
            "bench",
            "How the bench does it by itself: { command = [\"program\", \"{file}\"] }.",
        );
        let bindings = f.rest("How it is done on the interface of this name.");
        Some(Self {
            read_back: read_back?,
            values: values?,
            permission: permission?,
            bench: bench?,
            bindings: bindings?,
        })
    }
}

impl Table for BenchCommand {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let command = f.required::<Vec<Template>>(
            "command",
            "The program and its arguments; it is run without a shell.",
        );
        let limit = f.or(
            "limit",
            "How long it may take.",
            Period(std::time::Duration::from_secs(60)),
        );
        let ok = f.optional("ok", "Its output says that it is done where this matches.");
        let refused = f.optional("refused", "Its output is a refusal where this matches.");
        let answer = f.optional("answer", "Finds the value in its output: the first group.");
        let (command, limit) = (command?, limit?);
        if command.is_empty() {
            f.refuse("command", "the command is empty".into(), "name a program");
            return None;
        }
        Some(Self {
            command,
            limit,
            meaning: Meaning {
                ok: ok?,
                refused: refused?,
                answer: answer?,
            },
        })
    }
}

impl Table for Range {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let from = f.required("from", "The smallest value.");
        let to = f.required("to", "The largest value.");
        let (from, to) = (from?, to?);
        if from >= to {
            f.refuse(
                "to",
                "`to` has to be larger than `from`".into(),
                "a test needs two values at least",
            );
            return None;
        }
        Some(Self { from, to })
    }
}

/// The fields of which a binding has exactly one.
const VERBS: [&str; 11] = [
    "send",
    "steps",
    "read_coil",
    "read_discrete",
    "read_holding",
    "read_input",
    "write_coil",
    "write_holding",
    "identify",
    "publish",
    "subscribe",
];

impl Table for Binding {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let send = f.optional::<Template>("send", "Console: send this command.");
        let steps = f.optional::<Vec<Step>>(
            "steps",
            "Console: a dialogue, steps of { expect = '...' } and { send = \"...\" }.",
        );
        let areas = [
            ("read_coil", Area::Coil, false),
            ("read_discrete", Area::Discrete, false),
            ("read_holding", Area::Holding, false),
            ("read_input", Area::Input, false),
            ("write_coil", Area::Coil, true),
            ("write_holding", Area::Holding, true),
        ]
        .map(|(name, area, write)| {
            let address = f.optional::<u16>(name, "Modbus: the item's address, from 0.");
            (address, area, write)
        });
        let identify = f.optional::<bool>("identify", "Modbus: read the device's identification.");
        let publish = f.optional::<Template>("publish", "MQTT: publish to this topic.");
        let payload = f.optional::<Template>("payload", "MQTT: the message.");
        let reply = f.optional::<Template>("reply", "MQTT: the topic on which the device answers.");
        let retain = f.or(
            "retain",
            "MQTT: whether the broker keeps the message.",
            false,
        );
        let seal = f.optional::<Seal>(
            "seal",
            "MQTT: what makes `{seal}` in the payload: { key = \"NAME\", over = \"{counter} {value}\" }; `{counter}` is a number that rises with each message.",
        );
        let subscribe =
            f.optional::<Template>("subscribe", "MQTT: wait for a message on this topic.");
        let ok = f.optional("ok", "The answer says that it is done where this matches.");
        let refused = f.optional("refused", "The answer is a refusal where this matches.");
        let answer = f.optional("answer", "Finds the value in the answer: the first group.");

        let meaning = Meaning {
            ok: ok?,
            refused: refused?,
            answer: answer?,
        };
        let found = VERBS.iter().filter(|verb| f.has(verb)).count();
        if found != 1 {
            f.refuse(
                "send",
                format!("a binding has exactly one of `{}`", VERBS.join("`, `")),
                "say what is sent: `send = \"show output\"`, `read_holding = 0`, `publish = \"topic\"`",
            );
            return None;
        }
        for (field, beside) in [
            ("payload", "publish"),
            ("reply", "publish"),
            ("retain", "publish"),
            ("seal", "publish"),
        ] {
            if f.has(field) && !f.has(beside) {
                f.refuse(
                    field,
                    format!("`{field}` stands beside `{beside}` only"),
                    "remove it",
                );
            }
        }
        if let Some(command) = send? {
            return Some(Self::Console(ConsoleBinding {
                steps: vec![Step::Send(command)],
                meaning,
            }));
        }
        if let Some(steps) = steps? {
            return Some(Self::Console(ConsoleBinding { steps, meaning }));
        }
        for (address, area, write) in areas {
            if let Some(address) = address? {
                return Some(Self::Modbus(if write {
                    ModbusBinding::Write(area, address)
                } else {
                    ModbusBinding::Read(area, address)
                }));
            }
        }
        if identify? == Some(true) {
            return Some(Self::Modbus(ModbusBinding::Identify));
        }
        if let Some(topic) = publish? {
            let Some(payload) = payload? else {
                f.refuse(
                    "publish",
                    "`payload` is missing".into(),
                    "add `payload = '...'`",
                );
                return None;
            };
            return Some(Self::Mqtt(MqttBinding::Publish {
                topic,
                payload,
                reply: reply?,
                retain: retain?,
                seal: seal?,
                meaning,
            }));
        }
        let Some(topic) = subscribe? else {
            f.refuse(
                "identify",
                "this binding does nothing".into(),
                "write `identify = true`",
            );
            return None;
        };
        Some(Self::Mqtt(MqttBinding::Subscribe { topic, meaning }))
    }
}

slcert_profiles::settings_table!(Operation, BenchCommand, Range, Binding);

/// What an operation on a file may use: its bytes in base64, its text, where it is on this machine, its length in bytes.
const FILE: &[&str] = &["data", "text", "file", "size"];

/// What takes a value and acts also where a binding does not use it.
const ACT_WITHOUT_VALUE: [&str; 2] = ["remove_trust", "roll_back_update"];

/// The operations that read, and do nothing else on any device.
const READ: [&str; 11] = [
    "code_state",
    "export_audit",
    "identify",
    "list_accounts",
    "read_audit",
    "read_critical",
    "read_output",
    "read_serial",
    "read_version",
    "report_settings",
    "whoami",
];

/// Whether an operation is known to read, and to do nothing else.
pub(super) fn reads(operation: &str) -> bool {
    READ.contains(&operation)
}

/// Whether an operation acts, or waits for what may not come, though it takes no value.
pub(super) fn acts_or_waits(operation: &str) -> bool {
    let plain = |(name, _, values): &(&str, &str, &[&str])| *name == operation && values.is_empty();
    ACT_WITHOUT_VALUE.contains(&operation) || !reads(operation) && KNOWN.iter().any(plain)
}

/// The operations that cases ask for by name, and what each is. A rig may have others: they are part of the rights matrix.
///
/// The last column lists the values that a binding may use as placeholders.
pub const KNOWN: &[(&str, &str, &[&str])] = &[
    ("identify", "tell vendor, product and firmware", &[]),
    (
        "read_serial",
        "tell the serial number: the one thing in which no two devices of a type are alike",
        &[],
    ),
    ("whoami", "tell the user of this session", &[]),
    ("read_output", "read an output", &[]),
    ("write_output", "write an output", &["value"]),
    (
        "read_audit",
        "read the newest entries of the audit log",
        &[],
    ),
    ("clear_audit", "clear the audit log", &[]),
    (
        "change_own_password",
        "change the password of the account that is logged in",
        &["old_password", "new_password"],
    ),
    (
        "set_password",
        "set another account's password",
        &["name", "new_password"],
    ),
    (
        "create_account",
        "create an account",
        &["name", "role", "new_password"],
    ),
    ("delete_account", "remove an account", &["name"]),
    ("unlock_account", "unlock an account", &["name"]),
    (
        "demand_second_factor",
        "ask the user `{name}` for a second factor from now on",
        &["name"],
    ),
    (
        "waive_second_factor",
        "ask the user `{name}` for a second factor no more",
        &["name"],
    ),
    ("disable_account", "disable an account", &["name"]),
    ("enable_account", "enable an account again", &["name"]),
    (
        "list_accounts",
        "list all accounts; each match of the binding's `answer` is an identifier",
        &[],
    ),
    (
        "list_sessions",
        "list the open sessions; each match of `answer`, which may have `{name}`, is a session of that user",
        &["name"],
    ),
    (
        "end_session",
        "end somebody else's session: `{session}` as `list_sessions` names it, or all of the user `{name}`",
        &["name", "session"],
    ),
    (
        "set_session_limit",
        "set how many sessions a user may have on one interface",
        &["value"],
    ),
    (
        "set_remote_idle",
        "set after how many silent seconds a remote session is ended",
        &["value"],
    ),
    (
        "set_password_history",
        "set how many of an account's last passwords may not be set again",
        &["value"],
    ),
    (
        "set_password_minimum_age",
        "set when a user may change a new password again, in seconds (`{value}`) or days (`{days}`)",
        &["value", "days"],
    ),
    (
        "set_time",
        "set the clock, in UTC: `time` is RFC 3339 with milliseconds, `unix` seconds since 1970",
        &[
            "time", "unix", "year", "month", "day", "hour", "minute", "second",
        ],
    ),
    ("grant", "give a role a right", &["role", "permission"]),
    (
        "revoke",
        "take a right from a role",
        &["role", "permission"],
    ),
    (
        "override",
        "let the user `{name}` do for `{value}` seconds what the own role may not: `{permission}`",
        &["name", "permission", "value"],
    ),
    (
        "read_critical",
        "read what the critical action changes that two people have to approve",
        &[],
    ),
    (
        "request_critical",
        "ask for the critical action; `answer` finds the request's name, where it has one",
        &["value"],
    ),
    (
        "approve_critical",
        "approve what was asked for: `{request}`",
        &["request"],
    ),
    ("set_banner", "set the text shown before login", &["text"]),
    (
        "set_failed_logins",
        "set how many failed logins lock an account",
        &["value"],
    ),
    (
        "set_session_lock",
        "set how long a session may idle, in seconds",
        &["value"],
    ),
    (
        "set_password_length",
        "set the least length of a password",
        &["value"],
    ),
    ("backup", "make a backup", &["file"]),
    ("restore", "take a backup", FILE),
    ("read_version", "tell the firmware's version", &[]),
    ("install_update", "install a firmware image", FILE),
    (
        "roll_back_update",
        "go back to the firmware before the last update",
        &["version"],
    ),
    (
        "load_code",
        "take a program, a script or logic that the device runs (mobile code)",
        FILE,
    ),
    (
        "run_code",
        "run the mobile code that was loaded, where loading does not",
        &[],
    ),
    (
        "code_state",
        "tell which mobile code runs: its version, or the same words whenever none does",
        &[],
    ),
    (
        "remove_code",
        "stop the mobile code that was loaded, and forget it",
        &[],
    ),
    (
        "read_stored_image",
        "copy the stored firmware image into a file, while the power is off",
        FILE,
    ),
    (
        "store_image",
        "put a file in the place of the stored firmware image, while the power is off",
        FILE,
    ),
    (
        "import_configuration",
        "take a configuration that was made elsewhere",
        FILE,
    ),
    (
        "provision_trust",
        "take a root of trust of the owner's",
        &["name", "data", "text", "file", "size"],
    ),
    (
        "remove_trust",
        "forget a root of trust of the owner's",
        &["name"],
    ),
    (
        "request_certificate",
        "make a request for a certificate of the device's own (PKCS#10); `answer` finds it in PEM",
        &[],
    ),
    (
        "install_certificate",
        "take a certificate for the device's request, and show it from then on: a chain in PEM, leaf first",
        FILE,
    ),
    (
        "remove_certificate",
        "forget the certificate that was installed, and show again the one before it",
        &[],
    ),
    (
        "trust_authority",
        "take an authority of certificates, in PEM, into the list of those that are trusted",
        &["name", "data", "text", "file", "size"],
    ),
    (
        "distrust_authority",
        "take an authority of certificates out of the list of those that are trusted",
        &["name"],
    ),
    (
        "load_revocations",
        "take a list of revoked certificates of the authority in `tls.issuer`, in PEM; the bench leaves one that revokes none",
        FILE,
    ),
    (
        "decommission",
        "erase everything that came from the owner, before the device leaves its place",
        &[],
    ),
    (
        "recommission",
        "bring a decommissioned device back to what this file says",
        &[],
    ),
    (
        "read_storage",
        "copy all that the device has stored into a file",
        FILE,
    ),
    (
        "verify_erasure",
        "tell whether the last erasure was verified; the binding's `ok` matches if it was",
        &[],
    ),
    (
        "break_erasure",
        "make a part of the storage impossible to erase; the bench does it",
        &[],
    ),
    (
        "mend_erasure",
        "make all of the storage possible to erase again; the bench does it",
        &[],
    ),
    (
        "change_key",
        "give the device another key to share with the peer `{name}`: `{new_key}`, in the form of the key before",
        &["name", "new_key"],
    ),
    ("read_setting", "read a setting", &["name"]),
    ("change_setting", "change a setting", &["name", "value"]),
    (
        "report_settings",
        "tell all settings in a form for machines",
        &[],
    ),
    (
        "set_output_on_loss",
        "set what the output goes to when its master is gone",
        &["value"],
    ),
    (
        "export_audit",
        "tell the newest entries of the audit log in JSON: an object a line, or an array",
        &[],
    ),
    (
        "set_audit_capacity",
        "set how many entries the audit log keeps",
        &["value"],
    ),
    (
        "set_audit_warning",
        "set the part of the audit log's capacity, in percent, at which the device warns",
        &["value"],
    ),
    (
        "break_audit",
        "make the audit log's storage fail; the bench does it",
        &[],
    ),
    (
        "mend_audit",
        "make the audit log's storage work again; the bench does it",
        &[],
    ),
    (
        "set_time_source",
        "name the time server that the clock follows",
        &["server", "address", "port"],
    ),
    (
        "island_on",
        "let nothing pass between the networks any more",
        &[],
    ),
    (
        "island_off",
        "let pass between the networks again what the rules permit",
        &[],
    ),
    (
        "clear_rules",
        "take away every rule of what may pass between the networks",
        &[],
    ),
    (
        "restore_rules",
        "put back the rules of what may pass between the networks",
        &[],
    ),
    (
        "break_filter",
        "make what keeps the networks apart fail; the bench may do it",
        &[],
    ),
    (
        "mend_filter",
        "make what keeps the networks apart work again; the bench may do it",
        &[],
    ),
    (
        "approve_access",
        "approve for so many seconds that the device is accessed from an untrusted network",
        &["value"],
    ),
    (
        "alerts",
        "hear what the device tells by itself: a subscription",
        &[],
    ),
];
