//! Another implementation of an interface's protocol, to compare answers with.

use slcert_profiles::file::{Diagnostic, Fields, Located, Table, choose};

use super::dut::Start;
use super::template::Template;
use super::{InterfaceKind, Name, Rig};
use crate::secret::SecretSource;

/// Another implementation of the protocol of an interface, which gets what the interface gets. Nothing of the device's
/// accounts goes to it.
#[derive(Clone, Debug)]
pub struct Reference {
    /// How it is started, where it is a process of this machine.
    pub start: Option<Start>,
    /// Where it is.
    pub address: Located<Template>,
    /// Whether it is behind TLS.
    pub tls: bool,
    /// MQTT only: the user name, where it asks for one.
    pub user: Option<String>,
    /// MQTT only: the password.
    pub password: Option<SecretSource>,
}

impl Table for Reference {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let start = f.optional(
            "start",
            "How it is started, where it is a process of this machine. `{work}` is a folder of its own, and `{start.NAME}` what it reports.",
        );
        let address = f.required("address", "Where it is: `host:port`.");
        let tls = f.or(
            "tls",
            "Whether it is behind TLS; clients show it no certificate.",
            false,
        );
        let user = f.optional("user", "MQTT: the user name, where it asks for one.");
        let password = f.optional("password", "MQTT: the password.");
        let reference = Self {
            start: start?,
            address: address?,
            tls: tls?,
            user: user?,
            password: password?,
        };
        if reference.password.is_some() && reference.user.is_none() {
            f.refuse(
                "password",
                "a password without a user name".into(),
                "add `user = \"...\"`",
            );
            return None;
        }
        Some(reference)
    }
}

/// What does not fit the interface that a reference is for.
pub(super) fn check(rig: &Rig, faults: &mut Vec<Diagnostic>) {
    for (name, reference) in &rig.references {
        let span = reference.address.span.clone();
        let Some(interface) = rig.interfaces.get(name) else {
            let names: Vec<&str> = rig.interfaces.keys().map(Name::as_str).collect();
            let what = format!("there is no interface `{name}` in this file");
            let help = choose(name.as_str(), &names);
            faults.push(Diagnostic::error(span, what).help(help));
            continue;
        };
        if interface.kind.is_serial() {
            let what = format!(
                "the interface `{name}` is a {}: its answers are compared with no reference",
                interface.kind.word()
            );
            let help = "leave the reference out, or name an interface of Modbus TCP or MQTT";
            faults.push(Diagnostic::error(span, what).help(help));
        } else if reference.tls && interface.tls.is_none() {
            let what = format!("the interface `{name}` has no TLS that its reference could have");
            faults.push(Diagnostic::error(span, what).help("leave out `tls = true`"));
        } else if reference.user.is_some() && interface.kind != InterfaceKind::Mqtt {
            let what = format!("the interface `{name}` has no user names");
            faults.push(Diagnostic::error(span, what).help("leave out `user` and `password`"));
        }
    }
}

slcert_profiles::settings_table!(Reference);

#[cfg(test)]
mod tests {
    use slcert_profiles::file::Source;

    use crate::rig::{Rig, SIMULATED};

    fn told(reference: &str) -> String {
        let text = format!("{SIMULATED}\n{reference}\n");
        match Rig::load(&Source::new("rig.toml", &text)) {
            Ok(_) => String::new(),
            Err(faults) => faults.to_string(),
        }
    }

    #[test]
    fn a_reference_fits_its_interface_or_is_told_where_it_does_not() {
        let line = SIMULATED.lines().count() + 3;
        let at = format!("rig.toml:{line}:");
        for (reference, fault) in [
            ("[reference.field]\naddress = \"h:502\"", ""),
            (
                "[reference.gateway]\naddress = \"h:1883\"\ntls = true\nuser = \"u\"",
                "",
            ),
            (
                "[reference.feild]\naddress = \"h:502\"",
                "there is no interface `feild`",
            ),
            (
                "[reference.console]\naddress = \"h:23\"",
                "compared with no reference",
            ),
            (
                "[reference.field]\naddress = \"h:502\"\ntls = true",
                "has no TLS",
            ),
            (
                "[reference.field]\naddress = \"h:502\"\nuser = \"u\"",
                "has no user names",
            ),
            (
                "[reference.gateway]\naddress = \"h:1883\"\npassword = { env = \"X\" }",
                "a password without",
            ),
            ("[reference.gateway]\nuser = \"u\"", "address"),
        ] {
            let told = told(reference);
            assert_eq!(told.is_empty(), fault.is_empty(), "{reference}\n{told}");
            assert!(told.contains(fault), "{fault} is not in\n{told}");
            let elsewhere = fault.is_empty() || ["a password without", "address"].contains(&fault);
            assert!(elsewhere || told.contains(&at), "{at} is not in\n{told}");
        }
    }
}
