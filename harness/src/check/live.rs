//! `slcert check --live`: every binding of a rig, tried on its device.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use slcert_reports::one_line;
use slcert_rigs::Attempt;
use slcert_rigs::bench::{Bench, Entry, Who};
use slcert_rigs::rig::{Template, Values};
use slcert_suites::live::{Arguments, arguments, order};

use crate::bench::with_bench;
use crate::command::Format;
use crate::sources::{RigFile, USAGE};

/// Tries every binding; fails if one does not work.
pub fn check(rig: RigFile, format: Format) -> ExitCode {
    with_bench(rig, async |bench| {
        let mut bad = 0;
        let mut documents = Vec::new();
        try_all(bench, |tried| {
            bad += usize::from(!tried.works);
            match format {
                Format::Text => anstream::println!("{tried}"),
                Format::Json => documents.push(tried.document()),
            }
        })
        .await;
        match format {
            Format::Json => super::show("bindings", documents),
            Format::Text if bad == 0 => anstream::println!("all bindings work"),
            Format::Text => anstream::println!("{bad} bindings do not work"),
        }
        ExitCode::from(if bad == 0 { 0 } else { USAGE })
    })
}

/// What became of one binding.
struct Tried<'a> {
    operation: &'a str,
    /// The interface; none for what the bench does by itself.
    interface: Option<&'a str>,
    who: &'a str,
    result: String,
    works: bool,
}

impl Tried<'_> {
    fn document(&self) -> Value {
        json!({
            "operation": self.operation,
            "interface": self.interface,
            "as": self.interface.map(|_| self.who),
            "result": self.result,
            "works": self.works,
        })
    }
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.works { "ok  " } else { "FAIL" };
        let place = match self.interface {
            Some(interface) => format!("{interface} as {}", self.who),
            None => "the bench".to_owned(),
        };
        write!(f, "{mark} {} on {place}: {}", self.operation, self.result)
    }
}

async fn try_all(bench: &Bench, mut tell: impl FnMut(Tried<'_>)) {
    let left = Arguments::new(bench.rig());
    for operation in order(bench.rig()) {
        for interface in bench.rig().operations[operation]
            .bindings
            .keys()
            .map(|name| name.as_str())
        {
            let described = bench.rig().interface(interface);
            let open = described.is_some_and(|it| it.is_open(operation));
            let account = bench.rig().who_may_str(operation, interface);
            let (result, works) = match (open, account) {
                _ if bench.rig().binding(operation, interface).is_none() => {
                    ("a hazard: not tried".to_owned(), true)
                }
                (false, None) => (
                    "nobody may do this here, so that it is bound to show a refusal: not tried"
                        .to_owned(),
                    true,
                ),
                (true, _) => try_one(bench, interface, operation, &Who::Nobody, &left).await,
                (false, Some(account)) => {
                    try_one(bench, interface, operation, &Who::Account(account), &left).await
                }
            };
            let who = if open {
                "anyone"
            } else {
                account.unwrap_or("-")
            };
            tell(Tried {
                operation,
                interface: Some(interface),
                who,
                result,
                works,
            });
        }
        if let Some((result, works)) = on_the_bench(bench, operation) {
            tell(Tried {
                operation,
                interface: None,
                who: "",
                result,
                works,
            });
        }
    }
}

/// What the bench does by itself may change the device, or want it switched off: it is told, and not tried. A program that
/// is not there would be found out in the middle of a campaign, so it is looked for.
fn on_the_bench(bench: &Bench, operation: &str) -> Option<(String, bool)> {
    bench.rig().operations.get(operation)?.bench.as_ref()?;
    let Some(bound) = bench.rig().bench_command(operation) else {
        return Some(("a hazard: not tried".to_owned(), true));
    };
    let words: Vec<_> = bound.command.iter().map(shown).collect();
    let would = format!("not tried: would run `{}`", one_line(&words.join(" ")));
    let program = bound.command.first().and_then(|word| bench.fill(word).ok());
    // A program whose name is known only when it is run cannot be looked for.
    Some(match program {
        Some(program) if !is_program(&program) => (
            format!(
                "there is no program `{}`: install it, or write its path; {would}",
                one_line(&bench.conceal(&program))
            ),
            false,
        ),
        _ => (would, true),
    })
}

/// A word of a command as the rig file has it: what its placeholders stand for may be secret.
fn shown(word: &Template) -> String {
    let text = word.to_string();
    if text.is_empty() || text.contains(char::is_whitespace) {
        let quote = if text.contains('\'') { '"' } else { '\'' };
        format!("{quote}{text}{quote}")
    } else {
        text
    }
}

/// Whether the operating system would find a program: by its path, or in one of the folders of `PATH`.
fn is_program(name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return runs(Path::new(name));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| runs(&folder.join(name)))
}

async fn try_one(
    bench: &Bench,
    interface: &str,
    operation: &str,
    who: &Who<'_>,
    left: &Arguments,
) -> (String, bool) {
    let account = match who {
        Who::Account(account) => Some(*account),
        _ => None,
    };
    let Some(values) = arguments(bench, operation, account, left) else {
        return (
            "the rig file gives no value to try it with: not tried".to_owned(),
            true,
        );
    };
    let said = match attempt(bench, interface, operation, who, &values).await {
        Ok(attempt) => attempt,
        Err(error) => return (one_line(&bench.conceal(&error)), false),
    };
    let text = one_line(&bench.conceal(&said.answer().text));
    let text: String = text.chars().take(100).collect();
    match said {
        Attempt::Done(answer) => {
            if operation == "change_own_password"
                && let Some(account) = account
                && let Err(why) = change_back(bench, interface, account, &values).await
            {
                return (
                    format!("done, but the original password could not be set again: {why}"),
                    false,
                );
            }
            (
                answer.value.map_or_else(
                    || format!("done: {text}"),
                    |value| format!("done: {}", one_line(&value)),
                ),
                true,
            )
        }
        Attempt::Refused(_) => (
            format!("refused, though the rig file lists it: {text}"),
            false,
        ),
        // An MQTT 3.1.1 broker has no word for done: reading back is for the trials.
        Attempt::Unclear(_) if bench.rig().operations[operation].changes_state() => {
            (format!("asked: {text}"), true)
        }
        Attempt::Unclear(_) => (
            format!("the answer matches no pattern of the binding: {text}"),
            false,
        ),
    }
}

/// Sets an account's original password again.
async fn change_back(
    bench: &Bench,
    interface: &str,
    account: &str,
    values: &Values,
) -> Result<(), String> {
    let (Some(old), Some(new)) = (values.get("old_password"), values.get("new_password")) else {
        return Err("the values are gone".to_owned());
    };
    let password = slcert_rigs::Secret::new(new.clone());
    let user = bench.user(account).to_owned();
    let who = Who::Password {
        user: &user,
        password: &password,
    };
    let back = Values::from([
        ("old_password".to_owned(), new.clone()),
        ("new_password".to_owned(), old.clone()),
    ]);
    let attempt = attempt(bench, interface, "change_own_password", &who, &back).await?;
    if attempt.is_done() {
        Ok(())
    } else {
        Err(one_line(&bench.conceal(&attempt.answer().text)))
    }
}

async fn attempt(
    bench: &Bench,
    interface: &str,
    operation: &str,
    who: &Who<'_>,
    values: &Values,
) -> Result<Attempt, String> {
    match bench
        .enter(interface, who)
        .await
        .map_err(|error| error.to_string())?
    {
        Entry::Refused(answer) => Err(format!("not let in: {}", answer.text)),
        Entry::In(mut session) => {
            let attempt = session.perform(operation, values).await;
            session.close().await;
            attempt.map_err(|error| error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_path_and_in_the_folders_of_path() {
        assert!(is_program("sh") && is_program("/bin/sh"));
        for name in [
            "",
            "no-such-program",
            "/bin/no-such-program",
            "/bin",
            "/etc/passwd",
        ] {
            assert!(!is_program(name), "{name}");
        }
    }

    #[test]
    fn a_command_is_shown_as_the_rig_file_has_it() {
        assert_eq!(shown(&Template::new("{password}")), "{password}");
        assert_eq!(shown(&Template::new("a b")), "'a b'");
        assert_eq!(shown(&Template::new("cd 'a b'")), "\"cd 'a b'\"");
    }
}
