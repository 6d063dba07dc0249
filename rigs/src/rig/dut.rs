//! The device itself: what it is, how it is started and powered, what it must keep doing, what must never be touched.

use regex::Regex;
use slcert_profiles::ComponentType;
use slcert_profiles::file::{Fields, Located, Period, Table, Word};

use super::name::Name;
use super::operation::Area;
use super::span::Span;
use super::template::Template;

/// The device under test, as its label has it.
#[derive(Clone, Debug)]
pub struct Dut {
    /// The product's name.
    pub product: String,
    /// Its vendor.
    pub vendor: String,
    /// The firmware's version.
    pub firmware: String,
    /// The serial number.
    pub serial: Option<String>,
    /// What type of component it is.
    pub component: ComponentType,
}

/// A device that is a process on this machine. The command prints one line of JSON when the device is ready; its members
/// are the placeholders `{start.…}`.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program and its arguments.
    pub command: Vec<Template>,
    /// How long it may take.
    pub ready: Period,
}

/// How the device is switched off and on.
#[derive(Clone, Debug)]
pub struct Power {
    /// The command that switches the device off and on again.
    pub cycle: Vec<Template>,
    /// The command that switches it off, for what is done while it is off.
    pub off: Option<Vec<Template>>,
    /// The command that switches it on.
    pub on: Option<Vec<Template>>,
    /// How long the device may take until it answers again.
    pub ready: Period,
}

/// What the device must keep doing while it is attacked.
#[derive(Clone, Debug)]
pub struct Essential {
    /// The operation that reads it.
    pub operation: Located<Name>,
    /// The interface that it is read on.
    pub interface: Located<Name>,
    /// The account that reads it, where the operation needs one.
    pub account: Option<Located<Name>>,
    /// How often it is read.
    pub period: Period,
    /// The longest time that may pass without a reading that is right.
    pub within: Period,
    /// What is right.
    pub expect: Expectation,
}

/// What reading of an essential function is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expectation {
    /// It differs from the reading before: a counter, a heartbeat.
    Moves,
    /// It is near this value.
    Near {
        /// The value.
        value: i64,
        /// How far off it may be.
        tolerance: i64,
    },
    /// There is an answer.
    Answers,
}

/// What no test may touch.
#[derive(Clone, Debug, Default)]
pub struct Hazard {
    /// Modbus items that are never written.
    pub never_write: Vec<Located<Items>>,
    /// Operations that are never performed.
    pub never_perform: Vec<Located<Name>>,
    /// Modbus functions that no fuzz suite calls.
    pub never_call: Vec<Located<Function>>,
    /// What no fuzz suite types on a console.
    pub never_send: Vec<Located<Typed>>,
}

/// What is typed on a console: `console: (?i)reboot`.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The interface.
    pub interface: Name,
    /// Finds it anywhere in an input.
    pub pattern: Regex,
}

impl Typed {
    fn parse(text: &str) -> Option<Self> {
        let (interface, pattern) = text.split_once(": ")?;
        Some(Self {
            interface: Name::new(interface)?,
            pattern: Regex::new(pattern).ok()?,
        })
    }
}

/// Items of the Modbus data model on an interface that can be written: `plc.holding[100..199]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items {
    /// The interface.
    pub interface: Name,
    /// The items.
    pub span: Span,
}

impl Items {
    fn parse(text: &str) -> Option<Self> {
        let (interface, rest) = text.split_once('.')?;
        let span = Span::parse(rest).filter(|span| matches!(span.area, Area::Holding | Area::Coil));
        Some(Self {
            interface: Name::new(interface)?,
            span: span?,
        })
    }
}

/// A Modbus function on an interface: `plc.21`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The interface.
    pub interface: Name,
    /// The function code.
    pub code: u8,
}

impl Function {
    fn parse(text: &str) -> Option<Self> {
        let (interface, code) = text.split_once('.')?;
        Some(Self {
            interface: Name::new(interface)?,
            code: code.parse().ok()?,
        })
    }
}

/// A component type, as a word of a file.
#[derive(Clone, Copy, Debug)]
struct Component(ComponentType);

impl Word for Component {
    const WHAT: &'static str = "component type";
    const WORDS: &'static [(&'static str, Self)] = &[
        (
            "software-application",
            Self(ComponentType::SoftwareApplication),
        ),
        ("embedded-device", Self(ComponentType::EmbeddedDevice)),
        ("host-device", Self(ComponentType::HostDevice)),
        ("network-device", Self(ComponentType::NetworkDevice)),
    ];
}

slcert_profiles::settings_word!(Component);

impl Table for Dut {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let product = f.required("product", "The product's name.");
        let vendor = f.required("vendor", "Its vendor.");
        let firmware = f.required("firmware", "The firmware's version.");
        let serial = f.optional("serial", "The serial number.");
        let component = f.required::<Component>("component", "What type of component it is.");
        Some(Self {
            product: product?,
            vendor: vendor?,
            firmware: firmware?,
            serial: serial?,
            component: component?.0,
        })
    }
}

impl Table for Start {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let command = f.required::<Vec<Template>>(
            "command",
            "The program and its arguments. `{work}` is a folder for the device's state, `{slcert}` this program, `{rig}` the rig file's folder.",
        );
        let ready = f.or(
            "ready",
            "How long it may take until it prints its line of JSON.",
            Period(std::time::Duration::from_secs(10)),
        );
        let (command, ready) = (command?, ready?);
        if command.is_empty() {
            f.refuse("command", "the command is empty".into(), "name a program");
            return None;
        }
        Some(Self { command, ready })
    }
}

impl Table for Power {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let cycle = f.required::<Vec<Template>>(
            "cycle",
            "The command that switches the device off and on again.",
        );
        let off = f.optional("off", "The command that switches the device off.");
        let on = f.optional("on", "The command that switches the device on.");
        let ready = f.or(
            "ready",
            "How long the device may take until it answers again.",
            Period(std::time::Duration::from_secs(60)),
        );
        let (cycle, ready) = (cycle?, ready?);
        if cycle.is_empty() {
            f.refuse("cycle", "the command is empty".into(), "name a program");
            return None;
        }
        Some(Self {
            cycle,
            off: off?,
            on: on?,
            ready,
        })
    }
}

impl Table for Essential {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let operation = f.required("operation", "The operation that reads it.");
        let interface = f.required("interface", "The interface that it is read on.");
        let account = f.optional(
            "account",
            "The account that reads it, where the operation needs one.",
        );
        let period = f.or(
            "period",
            "How often it is read.",
            Period(std::time::Duration::from_millis(200)),
        );
        let within = f.or(
            "within",
            "The longest time that may pass without a reading that is right.",
            Period(std::time::Duration::from_secs(2)),
        );
        let moves = f.or(
            "moves",
            "Whether each reading differs from the one before: a counter, a heartbeat.",
            false,
        );
        let near = f.optional::<i64>("near", "The value that the reading stays near.");
        let tolerance = f.optional::<String>(
            "tolerance",
            "How far off it may be: a number, or a part such as \"4%\".",
        );
        let (moves, near, tolerance) = (moves?, near?, tolerance?);
        let expect = match (moves, near) {
            (true, None) => Expectation::Moves,
            (false, None) => Expectation::Answers,
            (false, Some(value)) => {
                let text = tolerance.as_deref().unwrap_or("0");
                let parsed = match text.strip_suffix('%') {
                    Some(part) => part
                        .trim()
                        .parse::<i64>()
                        .ok()
                        .map(|part| value.saturating_mul(part).abs() / 100),
                    None => text.parse().ok(),
                };
                let Some(tolerance) = parsed else {
                    f.refuse(
                        "tolerance",
                        format!("`{text}` is no tolerance"),
                        "write a whole number, or a part such as \"4%\"",
                    );
                    return None;
                };
                Expectation::Near { value, tolerance }
            }
            (true, Some(_)) => {
                f.refuse(
                    "moves",
                    "a reading moves, or stays near a value".into(),
                    "remove one of `moves` and `near`",
                );
                return None;
            }
        };
        Some(Self {
            operation: operation?,
            interface: interface?,
            account: account?,
            period: period?,
            within: within?,
            expect,
        })
    }
}

/// Reads each text of a list; those that cannot be read are refused with their reason and what to write instead.
fn each<T>(
    f: &mut impl Fields,
    (key, texts): (&str, Vec<Located<String>>),
    parse: impl Fn(&str) -> Option<T>,
    what: &str,
    help: &str,
) -> Vec<Located<T>> {
    let mut read = Vec::new();
    for text in texts {
        match parse(&text.value) {
            Some(value) => read.push(Located {
                span: text.span,
                value,
            }),
            None => f.refuse(key, format!("`{}` {what}", text.value), help),
        }
    }
    read
}

impl Table for Hazard {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let never_write = f.or(
            "never_write",
            "Modbus items that are never written: \"plc.holding[100..199]\".",
            Vec::new(),
        );
        let never_perform = f.or(
            "never_perform",
            "Operations that are never performed.",
            Vec::new(),
        );
        let never_call = f.or(
            "never_call",
            "Modbus functions that no fuzz suite calls: \"plc.21\".",
            Vec::new(),
        );
        let never_send = f.or(
            "never_send",
            "Patterns that no fuzz suite types on a console, wherever they match: 'console: (?i)reboot'.",
            Vec::new(),
        );
        let items = each(
            f,
            ("never_write", never_write?),
            Items::parse,
            "names no Modbus items",
            "write an interface, `holding` or `coil`, and addresses: \"plc.holding[100..199]\"",
        );
        let functions = each(
            f,
            ("never_call", never_call?),
            Function::parse,
            "names no Modbus function",
            "write an interface and a function code: \"plc.21\"",
        );
        let typed = each(
            f,
            ("never_send", never_send?),
            Typed::parse,
            "is no interface with a pattern",
            "write an interface, a colon and a regular expression: 'console: (?i)reboot'",
        );
        Some(Self {
            never_write: items,
            never_perform: never_perform?,
            never_call: functions,
            never_send: typed,
        })
    }
}

slcert_profiles::settings_table!(Dut, Start, Power, Essential, Hazard);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_typed_has_an_interface_and_a_pattern() {
        let typed = Typed::parse("console: (?i)re(boot|set): now").unwrap();
        assert_eq!(typed.interface.as_str(), "console");
        assert!(typed.pattern.is_match("zz REBOOT: now"));
        assert!(Typed::parse("reboot").is_none());
        assert!(Typed::parse("console: (").is_none());
    }
}
