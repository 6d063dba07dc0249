//! Interfaces: the ways into the device.

use slcert_profiles::file::{Fields, Located, Pattern, Period, Table, Word};

use super::account::Certificate;
use super::name::Name;
use super::span::Span;
use super::template::Template;
use crate::mqtt::wire::Version;

/// What an interface speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceKind {
    /// A console on a serial port or a pty.
    Console,
    /// Modbus RTU on a serial port or a pty.
    ModbusRtu,
    /// Modbus TCP, without security.
    ModbusTcp,
    /// Modbus/TCP Security: the same in TLS, with the client's role in its certificate.
    ModbusTls,
    /// An MQTT broker.
    Mqtt,
}

impl InterfaceKind {
    /// The word that rig files use.
    pub fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, one)| *one == self)
            .map_or("", |(word, _)| word)
    }

    /// Whether requests and replies are Modbus PDUs.
    pub fn is_modbus(self) -> bool {
        matches!(self, Self::ModbusRtu | Self::ModbusTcp | Self::ModbusTls)
    }

    /// Whether the interface is a serial port, which one session at a time can hold.
    pub fn is_serial(self) -> bool {
        matches!(self, Self::Console | Self::ModbusRtu)
    }
}

impl Word for InterfaceKind {
    const WHAT: &'static str = "kind of interface";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("console", Self::Console),
        ("modbus-rtu", Self::ModbusRtu),
        ("modbus-tcp", Self::ModbusTcp),
        ("modbus-tls", Self::ModbusTls),
        ("mqtt", Self::Mqtt),
    ];
}

/// Who uses an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// People.
    Human,
    /// Software and other devices.
    Process,
    /// The manufacturer's service and test staff.
    Diagnostic,
}

impl Word for User {
    const WHAT: &'static str = "kind of user";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("human", Self::Human),
        ("process", Self::Process),
        ("diagnostic", Self::Diagnostic),
    ];
}

/// The version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1
    V311,
    /// 5.0
    V5,
}

impl From<MqttVersion> for Version {
    fn from(stated: MqttVersion) -> Self {
        match stated {
            MqttVersion::V311 => Self::V311,
            MqttVersion::V5 => Self::V5,
        }
    }
}

impl Word for MqttVersion {
    const WHAT: &'static str = "version of MQTT";
    const WORDS: &'static [(&'static str, Self)] = &[("3.1.1", Self::V311), ("5.0", Self::V5)];
}

/// The parity bit of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

impl Word for Parity {
    const WHAT: &'static str = "parity";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("even", Self::Even),
        ("odd", Self::Odd),
    ];
}

slcert_profiles::settings_word!(InterfaceKind, User, MqttVersion, Parity);

/// One way into the device.
#[derive(Clone, Debug)]
pub struct Interface {
    /// What it speaks.
    pub kind: InterfaceKind,
    /// Who uses it.
    pub users: Vec<User>,
    /// Where it is: `host:port`, or the path of a serial port.
    pub address: Template,
    /// The operations that need no identity. All others must be refused to who has not authenticated.
    pub anonymous: Vec<Located<Name>>,
    /// Serial ports only: the settings of the port.
    pub serial: SerialPort,
    /// Consoles only: how to talk to it.
    pub console: Option<ConsoleManner>,
    /// Modbus only: the unit id.
    pub unit: u8,
    /// MQTT only: the version.
    pub version: MqttVersion,
    /// MQTT only: what is sent as the password.
    pub password: Template,
    /// TLS, where the interface has it.
    pub tls: Option<Tls>,
    /// What the device says that the interface offers.
    pub offers: Offers,
}

/// The settings of a serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialPort {
    /// Bits a second.
    pub baud: u32,
    /// The parity bit.
    pub parity: Parity,
    /// Stop bits: 1 or 2.
    pub stop_bits: u8,
}

/// How to talk to a console.
#[derive(Clone, Debug)]
pub struct ConsoleManner {
    /// What stands at the end of the output when the device waits for a command.
    pub prompt: Pattern,
    /// The dialogue that logs in; it starts with what an idle console shows.
    pub login: Vec<Step>,
    /// The dialogue in which the device asks for a second factor, where it does.
    pub second_factor: Vec<Step>,
    /// What the device says when it refuses a login, or asks for a new password in place of one that has expired.
    pub login_refused: Pattern,
    /// What the device says when it refuses a command.
    pub refused: Pattern,
    /// The command that ends the session.
    pub logout: String,
    /// The command that locks the session by hand.
    pub lock: Option<String>,
    /// What stands at the end of the output when the session is locked.
    pub locked: Option<Pattern>,
    /// How a locked session is unlocked: the dialogue after `locked` was seen.
    pub unlock: Vec<Step>,
    /// What ends a line that is sent.
    pub newline: String,
    /// What gets a console in an unknown state back to its login: sent when nothing else helps.
    pub reset: String,
    /// How long a login and a command may take.
    pub patience: Period,
    /// How long the device is silent behind a prompt at which an answer ends.
    pub quiet: Period,
}

/// A step of a console dialogue.
#[derive(Clone, Debug)]
pub enum Step {
    /// Wait for a pattern.
    Expect(Pattern),
    /// Send a line. A placeholder whose name ends in `password` or `key` makes it a secret.
    Send(Template),
}

/// The TLS of an interface.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate authority of the device's certificate, as a PEM file.
    pub ca: Option<Template>,
    /// The name that the device's certificate has; the host of the address where left out.
    pub server_name: Option<String>,
    /// Whether a client has to show a certificate.
    pub client_certificate: bool,
    /// A certificate authority that the device trusts for its clients, so that the bench can issue certificates that are
    /// wrong in one thing only.
    pub issuer: Option<Certificate>,
}

/// What the device's own documents say that an interface offers. Whatever else answers is undeclared.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    /// Modbus function codes.
    pub functions: Option<Vec<u8>>,
    /// Console commands, by their first word.
    pub commands: Option<Vec<String>>,
    /// The command that lists the commands.
    pub help: Option<String>,
    /// MQTT topics, as filters.
    pub topics: Option<Vec<String>>,
    /// The items of the Modbus data model.
    pub map: Option<Vec<Span>>,
}

impl Interface {
    /// Whether these are among its users.
    pub fn used_by(&self, user: User) -> bool {
        self.users.contains(&user)
    }

    /// Whether `operation` needs no identity here.
    pub fn is_open(&self, operation: &str) -> bool {
        self.anonymous.iter().any(|name| name.as_str() == operation)
    }

    /// Whether a login here has a place for the code of a second factor.
    pub fn takes_code(&self) -> bool {
        let sends = |step: &Step| matches!(step, Step::Send(text) if names_code(text));
        match &self.console {
            Some(manner) => manner.login.iter().chain(&manner.second_factor).any(sends),
            None => names_code(&self.password),
        }
    }

    /// Whether the interface has a way to say who one is.
    pub fn has_identity(&self) -> bool {
        match self.kind {
            InterfaceKind::Console | InterfaceKind::Mqtt => true,
            InterfaceKind::ModbusTls => self.tls.as_ref().is_some_and(|tls| tls.client_certificate),
            InterfaceKind::ModbusTcp | InterfaceKind::ModbusRtu => false,
        }
    }
}

fn names_code(text: &Template) -> bool {
    text.names().any(|name| name == "otp")
}

impl Table for Interface {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let kind = f.required("kind", "What the interface speaks.");
        let users = f.required(
            "users",
            "Who uses it: `human`, `process`, `diagnostic`, one or more.",
        );
        let address = f.optional(
            "address",
            "Where it is: `host:port`. May have placeholders such as `{start.address}`.",
        );
        let port = f.optional("port", "The serial port: a path such as `/dev/ttyUSB0`, or `tcp://host:port` of a serial server.");
        let anonymous = f.or(
            "anonymous",
            "The operations that need no identity here.",
            Vec::new(),
        );
        let baud = f.or("baud", "Serial: bits a second.", 115_200);
        let parity = f.or("parity", "Serial: the parity bit.", Parity::None);
        let stop_bits = f.or("stop_bits", "Serial: stop bits.", 1);
        let unit = f.or("unit", "Modbus: the unit id.", 1);
        let version = f.or("version", "MQTT: the version.", MqttVersion::V5);
        let password = f.or(
            "password",
            "MQTT: what is sent as the password; `{password}{otp}` where the code of a second factor stands behind it.",
            Template::new("{password}"),
        );
        let tls = f.optional(
            "tls",
            "The TLS of the interface; leave it out where there is none.",
        );
        let manner = f.optional("console", "Console: how to talk to it.");
        let offers = f.or(
            "offers",
            "What the device's documents say that the interface offers.",
            Offers::default(),
        );
        let (kind, tls, console, address, port): (
            InterfaceKind,
            Option<Tls>,
            Option<ConsoleManner>,
            Option<Template>,
            Option<Template>,
        ) = (kind?, tls?, manner?, address?, port?);

        let (named, wanted, other) = if kind.is_serial() {
            (port, "port", "address")
        } else {
            (address, "address", "port")
        };
        if f.has(other) {
            let what = format!("this kind of interface has no `{other}`");
            f.refuse(other, what, &format!("write `{wanted}`"));
        }
        if named.is_none() {
            f.refuse(
                "kind",
                format!("`{wanted}` is missing"),
                &format!("add `{wanted} = ...`"),
            );
        }
        if kind == InterfaceKind::Console && console.is_none() {
            f.refuse(
                "kind",
                "`console` is missing".into(),
                "add a table that says how to talk to it: prompt, login, ...",
            );
            return None;
        }
        if kind == InterfaceKind::ModbusTls && tls.is_none() {
            f.refuse(
                "kind",
                "`tls` is missing".into(),
                "add `tls = { ca = \"ca.pem\" }`",
            );
            return None;
        }
        for (field, fits) in [
            ("console", kind == InterfaceKind::Console),
            ("baud", kind.is_serial()),
            ("parity", kind.is_serial()),
            ("stop_bits", kind.is_serial()),
            ("unit", kind.is_modbus()),
            ("version", kind == InterfaceKind::Mqtt),
            ("password", kind == InterfaceKind::Mqtt),
            (
                "tls",
                matches!(kind, InterfaceKind::ModbusTls | InterfaceKind::Mqtt),
            ),
        ] {
            if !fits && f.has(field) {
                f.refuse(
                    field,
                    format!("this kind of interface has no `{field}`"),
                    "remove it",
                );
            }
        }
        let users: Vec<User> = users?;
        if users.is_empty() {
            f.refuse(
                "users",
                "the interface has no users".into(),
                "name one of `human`, `process`, `diagnostic`",
            );
            return None;
        }
        Some(Self {
            kind,
            users,
            address: named?,
            anonymous: anonymous?,
            serial: SerialPort {
                baud: baud?,
                parity: parity?,
                stop_bits: stop_bits?,
            },
            console,
            unit: unit?,
            version: version?,
            password: password?,
            tls,
            offers: offers?,
        })
    }
}

impl Table for ConsoleManner {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let prompt = f.required("prompt", "What stands at the end of the output when the device waits for a command; end it with `$`.");
        let login = f.required(
            "login",
            "The dialogue that logs in, steps of { expect = '...' } and { send = \"...\" }.",
        );
        let second_factor = f.or(
            "second_factor",
            "The dialogue in which the device asks for a second factor, after its login: { expect = '...' } and { send = \"{otp}\" }.",
            Vec::new(),
        );
        let login_refused = f.required(
            "login_refused",
            "What the device says when it refuses a login, or asks for a new password in place of one that has expired.",
        );
        let refused = f.required("refused", "What the device says when it refuses a command.");
        let logout = f.required("logout", "The command that ends the session.");
        let lock = f.optional("lock", "The command that locks the session by hand.");
        let locked = f.optional(
            "locked",
            "What stands at the end of the output when the session is locked.",
        );
        let unlock = f.or(
            "unlock",
            "The dialogue that unlocks the session.",
            Vec::new(),
        );
        let newline = f.or("newline", "What ends a line that is sent.", "\r".to_owned());
        let reset = f.or(
            "reset",
            "What gets the console from an unknown state back to its login.",
            "\u{3}\u{4}".to_owned(),
        );
        let patience = f.or(
            "patience",
            "How long a login or a command may take.",
            Period(std::time::Duration::from_secs(5)),
        );
        let quiet = f.or(
            "quiet",
            "How long the device is silent behind a prompt at which an answer ends. Longer where a line brings answers in pieces; shorter saves this time with each command.",
            Period(std::time::Duration::from_millis(25)),
        );
        Some(Self {
            prompt: prompt?,
            login: login?,
            second_factor: second_factor?,
            login_refused: login_refused?,
            refused: refused?,
            logout: logout?,
            lock: lock?,
            locked: locked?,
            unlock: unlock?,
            newline: newline?,
            reset: reset?,
            patience: patience?,
            quiet: quiet?,
        })
    }
}

impl Table for Step {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let expect = f.optional("expect", "Wait until this pattern is seen.");
        let send = f.optional("send", "Send this line.");
        match (expect?, send?) {
            (Some(expect), None) => Some(Self::Expect(expect)),
            (None, Some(send)) => Some(Self::Send(send)),
            _ => {
                f.refuse(
                    "expect",
                    "a step waits or sends".into(),
                    "write { expect = '...' } or { send = \"...\" }",
                );
                None
            }
        }
    }
}

impl Table for Tls {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let ca = f.optional(
            "ca",
            "The PEM file of the authority that signed the device's certificate.",
        );
        let server_name = f.optional(
            "server_name",
            "The name in the device's certificate, where it is not the address.",
        );
        let client_certificate = f.or(
            "client_certificate",
            "Whether a client has to show a certificate.",
            false,
        );
        let issuer = f.optional("issuer", "An authority that the device trusts for its clients: { chain = \"ca.pem\", key = \"ca.key\" }.");
        Some(Self {
            ca: ca?,
            server_name: server_name?,
            client_certificate: client_certificate?,
            issuer: issuer?,
        })
    }
}

impl Table for Offers {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let functions = f.optional(
            "functions",
            "The Modbus function codes that the device serves.",
        );
        let commands = f.optional("commands", "The console commands, by their first word.");
        let help = f.optional("help", "The console command that lists the commands.");
        let topics = f.optional("topics", "The MQTT topics, as filters.");
        let map = f.optional::<Vec<String>>(
            "map",
            "The items of the Modbus data model that the device has: \"holding[0..15]\".",
        );
        let mut spans = Vec::new();
        let map = map?;
        for text in map.iter().flatten() {
            match Span::parse(text) {
                Some(span) => spans.push(span),
                None => f.refuse(
                    "map",
                    format!("`{text}` names no Modbus items"),
                    "write `coil`, `discrete`, `holding` or `input`, and addresses: \"holding[0..15]\"",
                ),
            }
        }
        Some(Self {
            functions: functions?,
            commands: commands?,
            help: help?,
            topics: topics?,
            map: map.map(|_| spans),
        })
    }
}

slcert_profiles::settings_table!(Interface, ConsoleManner, Step, Tls, Offers);
