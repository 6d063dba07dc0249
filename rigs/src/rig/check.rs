//! What has to agree across the tables of a rig file.

use std::ops::Range;

use slcert_profiles::file::{Diagnostic, Located, choose};

use super::name::Name;
use super::{Binding, InterfaceKind, KNOWN, MqttBinding, Rig, ServerKind, Step};

/// Everything in the file that names what is not there, or that does not fit together.
pub(super) fn check(rig: &Rig) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let interfaces: Vec<&str> = rig.interfaces.keys().map(Name::as_str).collect();
    let roles: Vec<&str> = rig.roles.keys().map(Name::as_str).collect();
    let accounts: Vec<&str> = rig.accounts.keys().map(Name::as_str).collect();
    let mut operations: Vec<&str> = rig.operations.keys().map(Name::as_str).collect();

    let mut known = |kind: &str, name: &Located<Name>, names: &[&str]| {
        if !names.contains(&name.as_str()) {
            faults.push(
                Diagnostic::error(
                    name.span.clone(),
                    format!("there is no {kind} `{}` in this file", name.value),
                )
                .help(choose(name.as_str(), names)),
            );
        }
    };
    for account in rig.accounts.values() {
        known("role", &account.role, &roles);
        for interface in &account.interfaces {
            known("interface", interface, &interfaces);
        }
    }
    for operation in rig.operations.values() {
        if let Some(read_back) = &operation.read_back {
            known("operation", read_back, &operations);
        }
    }
    for essential in rig.essential.values() {
        known("operation", &essential.operation, &operations);
        known("interface", &essential.interface, &interfaces);
        if let Some(account) = &essential.account {
            known("account", account, &accounts);
        }
    }
    for server in rig.servers.values() {
        if let Some(order) = &server.order {
            known("operation", &order.changes, &operations);
        }
        if let Some(shown) = &server.shown {
            known("operation", &shown.by, &operations);
        }
    }
    let trusts: Vec<&str> = rig.trusts.keys().map(Name::as_str).collect();
    for configuration in rig.configurations.values() {
        if let Some(trust) = &configuration.trust {
            known("root of trust", trust, &trusts);
        }
        for (name, value) in &configuration.sets {
            let named = Located {
                span: value.span.clone(),
                value: name.clone(),
            };
            known("operation", &named, &operations);
        }
    }
    if let Some(holds) = &rig.policy.backup_holds {
        known("operation", holds, &operations);
    }
    // Rights may name operations that this rig does not bind: they say what the role is meant to do.
    operations.extend(KNOWN.iter().map(|(name, _, _)| *name));
    for role in rig.roles.values() {
        for operation in &role.listed {
            known("operation", operation, &operations);
        }
    }
    for interface in rig.interfaces.values() {
        for operation in &interface.anonymous {
            known("operation", operation, &operations);
        }
    }
    for operation in &rig.hazard.never_perform {
        known("operation", operation, &operations);
    }
    let hazard = &rig.hazard;
    let writes = hazard
        .never_write
        .iter()
        .map(|it| (&it.value.interface, &it.span));
    let calls = hazard
        .never_call
        .iter()
        .map(|it| (&it.value.interface, &it.span));
    let sends = hazard
        .never_send
        .iter()
        .map(|it| (&it.value.interface, &it.span));
    for (interface, span) in writes.chain(calls).chain(sends) {
        let name = Located {
            value: interface.clone(),
            span: span.clone(),
        };
        known("interface", &name, &interfaces);
    }
    let networks: Vec<&str> = rig.networks.keys().map(Name::as_str).collect();
    for flow in rig.flows.values() {
        known("network", &flow.from, &networks);
        known("network", &flow.to, &networks);
    }
    for network in rig.networks.values() {
        for (interface, address) in &network.interfaces {
            let name = Located {
                value: interface.clone(),
                span: address.span.clone(),
            };
            known("interface", &name, &interfaces);
        }
    }
    let elsewhere = rig.specimen.iter().flat_map(|one| &one.interfaces);
    for (interface, address) in elsewhere {
        let name = Located {
            value: interface.clone(),
            span: address.span.clone(),
        };
        known("interface", &name, &interfaces);
    }
    for (interface, limit) in &rig.policy.sessions {
        let name = Located {
            value: interface.clone(),
            span: limit.span.clone(),
        };
        known("interface", &name, &interfaces);
    }
    let keys: Vec<&str> = rig.keys.keys().map(Name::as_str).collect();
    for operation in rig.operations.values() {
        for binding in operation.bindings.values() {
            if let Binding::Mqtt(MqttBinding::Publish {
                seal: Some(seal), ..
            }) = &binding.value
            {
                known("key", &seal.key, &keys);
            }
        }
    }
    bindings(rig, &interfaces, &mut faults);
    servers(rig, &mut faults);
    super::reference::check(rig, &mut faults);
    authenticators(rig, &mut faults);
    faults
}

fn bindings(rig: &Rig, interfaces: &[&str], faults: &mut Vec<Diagnostic>) {
    for (operation, described) in &rig.operations {
        for (name, binding) in &described.bindings {
            match rig.interfaces.get(name) {
                None => faults.push(
                    Diagnostic::error(binding.span.clone(), format!("there is no interface `{name}` in this file"))
                        .help(choose(name.as_str(), interfaces)),
                ),
                Some(interface) if !binding.fits(interface.kind) => faults.push(
                    Diagnostic::error(
                        binding.span.clone(),
                        format!("the interface `{name}` cannot do this"),
                    )
                    .help(match interface.kind {
                        InterfaceKind::Console => "on a console, write `send = \"...\"` or `steps = [...]`",
                        InterfaceKind::Mqtt => "on MQTT, write `publish = \"...\"` or `subscribe = \"...\"`",
                        _ => "on Modbus, write `read_holding = 0`, `write_holding = 0`, ... or `identify = true`",
                    }),
                ),
                Some(_) => {}
            }
            placeholders(operation, binding.placeholders(), &binding.span, faults);
        }
        if let Some(bench) = &described.bench {
            let names = bench.command.iter().flat_map(|word| word.names());
            let names = names.map(str::to_owned).collect();
            placeholders(operation, names, &bench.span, faults);
        }
    }
}

/// A server of the bench's has a name of its own, by which its trials are told from those of interfaces.
fn servers(rig: &Rig, faults: &mut Vec<Diagnostic>) {
    for (name, server) in &rig.servers {
        let span = &server.kind.span;
        if rig.interfaces.contains_key(name) {
            let what = format!("there is an interface `{name}`, too");
            let help = "give the server another name";
            faults.push(Diagnostic::error(span.clone(), what).help(help));
        }
        if server.password.is_some() && server.user.is_none() {
            let what = "a password without a user name";
            let help = "add `user = \"...\"`, as the device shows it";
            faults.push(Diagnostic::error(span.clone(), what).help(help));
        }
        if let Some(order) = &server.order
            && !order.payload.names().any(|name| name == "value")
        {
            let what = "the payload of the order has no `{value}`";
            let help = "without a number that differs, nobody sees whether the order was taken";
            faults.push(Diagnostic::error(order.changes.span.clone(), what).help(help));
        }
        for (kind, given) in [
            (ServerKind::Mqtt, server.of_mqtt()),
            (ServerKind::ModbusTcp, server.of_modbus()),
        ] {
            if let Some(field) = given.filter(|_| server.kind.value != kind) {
                let what = format!("`{field}` says nothing of a server of this kind");
                let help = format!("leave it out, or write `kind = \"{}\"`", kind.word());
                faults.push(Diagnostic::error(span.clone(), what).help(help));
            }
        }
    }
}

/// What an operation that cases know has no value for.
fn placeholders(
    operation: &Name,
    names: Vec<String>,
    span: &Range<usize>,
    faults: &mut Vec<Diagnostic>,
) {
    let known = KNOWN
        .iter()
        .find(|(known, ..)| *known == operation.as_str());
    let Some((_, _, takes)) = known else {
        return;
    };
    for placeholder in names {
        let general = [
            "user", "password", "tag", "counter", "seal", "work", "rig", "slcert",
        ]
        .contains(&placeholder.as_str())
            || placeholder.starts_with("start.");
        if !general && !takes.contains(&placeholder.as_str()) {
            faults.push(
                Diagnostic::error(
                    span.clone(),
                    format!("the operation `{operation}` has no value for `{{{placeholder}}}`"),
                )
                .help(choose(&placeholder, takes)),
            );
        }
    }
}

/// An account needs what its interfaces ask for.
fn authenticators(rig: &Rig, faults: &mut Vec<Diagnostic>) {
    for (name, account) in &rig.accounts {
        for listed in &account.interfaces {
            let Some(interface) = rig.interfaces.get(&listed.value) else {
                continue;
            };
            let missing = match interface.kind {
                InterfaceKind::Console => {
                    let asks = interface.console.as_ref().is_some_and(|manner| {
                        manner.login.iter().any(|step| {
                            matches!(step, Step::Send(text) if text.names().any(|name| name == "password"))
                        })
                    });
                    (asks && account.password.is_none()).then_some("password")
                }
                InterfaceKind::ModbusTls => account.certificate.is_none().then_some("certificate"),
                InterfaceKind::Mqtt => None,
                InterfaceKind::ModbusTcp | InterfaceKind::ModbusRtu => {
                    faults.push(
                        Diagnostic::error(
                            listed.span.clone(),
                            "this interface has no accounts: nobody can say who he is on it",
                        )
                        .help(
                            "remove it here; say what anyone may do in the interface's `anonymous`",
                        ),
                    );
                    None
                }
            };
            if let Some(missing) = missing {
                faults.push(
                    Diagnostic::error(
                        listed.span.clone(),
                        format!("the account `{name}` has no `{missing}` for this interface"),
                    )
                    .help(format!("add `{missing} = {{ ... }}` to the account")),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use slcert_profiles::file::Source;

    use crate::rig::{Rig, SIMULATED};

    fn faults(edit: impl FnOnce(String) -> String) -> String {
        let text = edit(SIMULATED.to_owned());
        match Rig::load(&Source::new("rig.toml", &text)) {
            Ok(_) => String::new(),
            Err(faults) => faults.to_string(),
        }
    }

    #[test]
    fn the_simulated_rig_is_whole() {
        assert_eq!(faults(|text| text), "");
    }

    #[test]
    fn names_that_lead_nowhere_get_a_suggestion() {
        let told = faults(|text| {
            text.replace("role = \"viewer\"", "role = \"veiwer\"")
                .replace("read_back = \"read_limit\"", "read_back = \"read_limits\"")
                .replacen(
                    "\"whoami\", \"read_level\"",
                    "\"whoamI\", \"read_level\"",
                    1,
                )
        });
        for expected in [
            "there is no role `veiwer` in this file; did you mean `viewer`?",
            "there is no operation `read_limits` in this file; did you mean `read_limit`?",
            "there is no operation `whoamI` in this file; did you mean `whoami`?",
        ] {
            assert!(told.contains(expected), "{expected} is not in\n{told}");
        }
    }

    #[test]
    fn a_binding_has_to_fit_its_interface() {
        let told =
            faults(|text| text.replace("plc = { write_holding = 2 }", "plc = { send = \"x\" }"));
        assert!(
            told.contains("the interface `plc` cannot do this"),
            "{told}"
        );
        let told = faults(|text| {
            text.replace(
                "{ write_holding = 2 }",
                "{ write_holding = 2, send = \"x\" }",
            )
        });
        assert!(told.contains("exactly one of"), "{told}");
    }

    #[test]
    fn a_placeholder_without_a_value_is_told() {
        let told = faults(|text| text.replace("user del {name}", "user del {nmae}"));
        assert!(told.contains("did you mean `name`?"), "{told}");
    }

    #[test]
    fn what_a_configuration_sets_and_whom_it_needs_are_checked() {
        let told = faults(|text| {
            text.replace(
                "sets = { read_limit = \"850\" }",
                "sets = { read_limt = \"850\" }",
            )
            .replace("trust = \"plant\"", "trust = \"plan\"")
            .replace(
                "backup_holds = \"write_limit\"",
                "backup_holds = \"write_limits\"",
            )
            .replace("state = \"hold\", within", "state = \"stay\", within")
        });
        // What does not read is told alone.
        assert!(told.contains("`stay` is no state of an output"), "{told}");
        let told = faults(|text| {
            text.replace(
                "sets = { read_limit = \"850\" }",
                "sets = { read_limt = \"850\" }",
            )
            .replace("trust = \"plant\"", "trust = \"plan\"")
            .replace(
                "backup_holds = \"write_limit\"",
                "backup_holds = \"write_limits\"",
            )
        });
        for expected in [
            "there is no operation `read_limt` in this file; did you mean `read_limit`?",
            "there is no root of trust `plan` in this file; did you mean `plant`?",
            "there is no operation `write_limits` in this file; did you mean `write_limit`?",
        ] {
            assert!(told.contains(expected), "{expected} is not in\n{told}");
        }
    }

    #[test]
    fn a_command_of_the_bench_has_a_program() {
        let told = faults(|text| text.replace("command = [\"true\"]", "command = []"));
        assert!(told.contains("the command is empty"), "{told}");
        let told = faults(|text| text.replace("[\"cp\", \"{file}\"", "[\"cp\", \"{fiel}\""));
        assert!(told.contains("did you mean `file`?"), "{told}");
    }

    #[test]
    fn a_server_has_a_name_of_its_own_and_an_order_a_value() {
        let told = faults(|text| {
            let server = "[server.console]\nkind = \"mqtt\"\npassword = { env = \"X\" }\n\
                order = { topic = \"t\", payload = \"on\", changes = \"read_lmit\", from = 0, to = 9 }\n";
            format!("{text}\n{server}")
        });
        for expected in [
            "there is an interface `console`, too",
            "a password without a user name",
            "the payload of the order has no `{value}`",
            "did you mean `read_limit`?",
        ] {
            assert!(told.contains(expected), "{expected} is not in\n{told}");
        }
        let told = faults(|text| format!("{text}\n[server.x]\nkind = \"mqt\"\n"));
        assert!(told.contains("did you mean `mqtt`?"), "{told}");
    }

    #[test]
    fn a_modbus_server_has_no_user_and_shows_one_register() {
        let with = |server: &str| {
            let server = format!("\n[server.x]\nkind = \"modbus-tcp\"\n{server}");
            faults(|text| format!("{text}{server}"))
        };
        let shown = |item: &str, to: u16| {
            format!("shown = {{ item = \"{item}\", by = \"read_lmit\", from = 7, to = {to} }}\n")
        };
        for (server, expected) in [
            (
                "user = \"site\"\n".to_owned(),
                "`user` says nothing of a server of this kind",
            ),
            (shown("input[4]", 9), "did you mean `read_limit`?"),
            (shown("coil[4]", 9), "`coil[4]` is not one register"),
            (shown("input[4..5]", 9), "is not one register"),
            (shown("input[4]", 8), "there are no three numbers"),
        ] {
            let told = with(&server);
            assert!(told.contains(expected), "{expected} is not in\n{told}");
        }
        let told = faults(|text| format!("{text}\n[server.x]\nkind = \"mqtt\"\nunit = 1\n"));
        assert!(told.contains("`unit` says nothing"), "{told}");
    }

    #[test]
    fn an_account_needs_what_its_interface_asks_for() {
        let told = faults(|text| {
            text.replace(
                "interfaces = [\"plc\"]",
                "interfaces = [\"plc\", \"console\", \"field\"]",
            )
        });
        assert!(
            told.contains("has no `password` for this interface"),
            "{told}"
        );
        assert!(told.contains("this interface has no accounts"), "{told}");
    }
}
