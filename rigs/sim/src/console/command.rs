//! The commands of the console.

use std::sync::Arc;

use crate::boundary::DELIVERED;
use crate::controller::{Actor, Controller, PRODUCT, Refusal, VENDOR, Write};
use crate::flaw::Defect;
use crate::process::Point;
use crate::role::Permission;

/// Audit entries shown when no number is given.
const AUDIT_LINES: usize = 20;

const HELP: &[&str] = &[
    "help",
    "show version | level | output | setpoint | limit",
    "show audit [N]",
    "show audit json [N]",
    "show settings json",
    "show erasure",
    "show peers",
    "peer key PEER",
    "set output | setpoint | limit N",
    "audit clear",
    "config show KEY",
    "config set KEY VALUE...",
    "config import BASE64",
    "update install BASE64",
    "update rollback VERSION",
    "code load BASE64",
    "code run | show | remove",
    "trust add NAME BASE64",
    "trust remove NAME",
    "trust authority NAME BASE64",
    "trust distrust NAME",
    "trust revoked BASE64",
    "certificate request | remove",
    "certificate install BASE64",
    "user list",
    "user add NAME ROLE",
    "user del | passwd | unlock | disable | enable NAME",
    "user factor NAME on | off",
    "passwd",
    "whoami",
    "role list",
    "role grant | revoke ROLE PERMISSION",
    "backup",
    "restore BASE64",
    "purge OWN-NAME",
    "session list",
    "session end ID",
    "interlock show",
    "interlock request 0 | 1",
    "interlock approve REQUEST",
    "override USER PERMISSION SECONDS",
    "boundary island on | off",
    "boundary clear | restore",
    "access approve SECONDS",
    "time show",
    "time set TIME",
    "time source ADDRESS:PORT | none",
    "lock",
    "logout | exit",
];

/// Whose password, or key, is asked for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Own,
    NewAccount { name: String, role: String },
    Account { name: String },
    Key { peer: String },
}

/// What a command leads to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The lines to show; the last is the answer.
    Done(Vec<String>),
    Ask(Asked),
    Lock,
    Logout,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("unknown command")]
    Unknown,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Does what a line asks for.
pub(crate) fn run(
    controller: &Arc<Controller>,
    actor: &Actor,
    line: &str,
) -> Result<Outcome, CommandError> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let done = match words[..] {
        [] => Vec::new(),
        ["help"] => help(controller),
        ["factory"] if controller.flaws.enabled(Defect::DebugCommand) => answer("factory mode"),
        ["whoami"] => {
            controller.require(actor, Permission::Whoami)?;
            answer(whoami(controller, actor))
        }
        ["show", "audit"] => audit(controller, actor, AUDIT_LINES)?,
        ["show", "audit", "json"] => exported(controller, actor, AUDIT_LINES)?,
        ["show", "audit", "json", count] => {
            controller.require(actor, Permission::ReadAudit)?;
            exported(controller, actor, number(count)?)?
        }
        ["time", "show"] => {
            controller.require(actor, Permission::Whoami)?;
            answer(controller.clock.now())
        }
        ["time", "set", time] => controller.set_time(actor, time).map(|()| ok())?,
        ["time", "source", source] => controller.set_time_source(actor, source).map(|()| ok())?,
        ["show", "audit", count] => {
            controller.require(actor, Permission::ReadAudit)?;
            audit(controller, actor, number(count)?)?
        }
        ["show", "settings", "json"] => vec![controller.report(actor)?, "OK".into()],
        ["show", "peers"] => listed(controller.peer_lines(actor)?),
        ["peer", "key", name] => {
            controller.check_peer(actor, name)?;
            return Ok(Outcome::Ask(Asked::Key {
                peer: name.to_owned(),
            }));
        }
        ["show", "erasure"] => answer(controller.erasure(actor)?),
        ["show", what] => answer(show(controller, actor, what)?),
        ["set", what, value] => {
            let point = point(what).ok_or(CommandError::Unknown)?;
            // A value that is no number is refused after the right is checked, as one out of range is.
            let value = value.parse().unwrap_or(u16::MAX);
            controller.write(actor, &[Write::Point(point, value)])?;
            ok()
        }
        ["audit", "clear"] => controller.clear_audit(actor).map(|()| ok())?,
        ["config", "show", key] => answer(controller.setting(actor, key)?),
        ["config", "import", data] => controller.import(actor, data).map(|()| ok())?,
        // Writing the flash takes its time, and nobody else waits for it.
        ["update", "install", data] => {
            let install = || controller.install_update(actor, data);
            tokio::task::block_in_place(install).map(|()| ok())?
        }
        ["update", "rollback", version] => controller.roll_back(actor, version).map(|()| ok())?,
        ["code", "load", data] => controller.load_code(actor, data).map(|()| ok())?,
        ["code", "run"] => controller.run_code(actor).map(|()| ok())?,
        ["code", "remove"] => controller.remove_code(actor).map(|()| ok())?,
        ["code", "show"] => {
            controller.require(actor, Permission::Identify)?;
            answer(format_args!("program={}", controller.running_code()))
        }
        ["trust", "add", name, data] => controller.add_root(actor, name, data).map(|()| ok())?,
        ["trust", "remove", name] => controller.remove_root(actor, name).map(|()| ok())?,
        ["trust", "authority", name, data] => controller
            .trust_authority(actor, name, data)
            .map(|()| ok())?,
        ["trust", "distrust", name] => controller.distrust_authority(actor, name).map(|()| ok())?,
        ["certificate", "request"] => {
            let request = controller.request_certificate(actor)?;
            listed(request.lines().map(str::to_owned).collect())
        }
        ["certificate", "install", data] => {
            controller.install_certificate(actor, data).map(|()| ok())?
        }
        ["certificate", "remove"] => controller.remove_certificate(actor).map(|()| ok())?,
        ["trust", "revoked", data] => controller.load_revocations(actor, data).map(|()| ok())?,
        ["config", "set", key, _, ..] => {
            let value = rest(line, 3);
            controller.set_setting(actor, key, value).map(|()| ok())?
        }
        ["user", "list"] => listed(controller.account_lines(actor)?),
        ["user", "add", name, role] => {
            controller.check_new_account(actor, name, role)?;
            let (name, role) = (name.to_owned(), role.to_owned());
            return Ok(Outcome::Ask(Asked::NewAccount { name, role }));
        }
        ["user", "passwd", name] => {
            controller.check_account(actor, name)?;
            return Ok(Outcome::Ask(Asked::Account {
                name: name.to_owned(),
            }));
        }
        ["user", "del", name] => controller.delete_account(actor, name).map(|()| ok())?,
        ["user", "unlock", name] => controller.unlock_account(actor, name).map(|()| ok())?,
        ["user", "disable", name] => controller
            .enable_account(actor, name, false)
            .map(|()| ok())?,
        ["user", "enable", name] => controller
            .enable_account(actor, name, true)
            .map(|()| ok())?,
        ["user", "factor", name, to @ ("on" | "off")] => controller
            .demand_code(actor, name, to == "on")
            .map(|()| ok())?,
        ["passwd"] => {
            controller.require(actor, Permission::ChangeOwnPassword)?;
            return Ok(Outcome::Ask(Asked::Own));
        }
        ["role", "list"] => {
            controller.require(actor, Permission::ManageRoles)?;
            let lines = controller.state().roles.lines().collect();
            listed(lines)
        }
        ["role", change @ ("grant" | "revoke"), role, permission] => {
            controller.change_role(actor, role, permission, change == "grant")?;
            ok()
        }
        ["backup"] => vec![controller.backup(actor)?, "OK".into()],
        ["restore", line] => controller.restore(actor, line).map(|()| ok())?,
        ["purge", name] => controller
            .purge(actor, name)
            .map(|()| answer("erased at the next start"))?,
        ["session", "list"] => {
            controller.require(actor, Permission::ManageAccounts)?;
            listed(controller.sessions.lines())
        }
        ["session", "end", id] => controller.end_session(actor, id).map(|()| ok())?,
        ["interlock", "show"] => answer(u8::from(controller.interlock(actor)?)),
        ["interlock", "request", value] => {
            let id = controller.request_interlock(actor, value)?;
            answer(format_args!("request={id}"))
        }
        ["interlock", "approve", id] => controller.approve_interlock(actor, id).map(|()| ok())?,
        ["override", user, permission, seconds] => {
            controller.grant_override(actor, user, permission, seconds)?;
            ok()
        }
        ["boundary", "island", to @ ("on" | "off")] => {
            controller.set_island(actor, to == "on").map(|()| ok())?
        }
        ["boundary", "clear"] => controller.set_rules(actor, &[]).map(|()| ok())?,
        ["boundary", "restore"] => controller.set_rules(actor, &DELIVERED).map(|()| ok())?,
        ["access", "approve", seconds] => {
            controller.approve_access(actor, seconds).map(|()| ok())?
        }
        ["lock"] => return Ok(Outcome::Lock),
        ["logout" | "exit"] => return Ok(Outcome::Logout),
        _ => return Err(CommandError::Unknown),
    };
    Ok(Outcome::Done(done))
}

/// Whether a line begins with the first word of a command.
pub(crate) fn is_known(line: &str) -> bool {
    let first = |text: &str| text.split_ascii_whitespace().next().map(str::to_owned);
    let word = first(line);
    word.is_some() && HELP.iter().any(|command| first(command) == word)
}

/// Whether a line starts like a command that reads or sets a value.
pub(crate) fn is_process_command(line: &str) -> bool {
    line == "show output" || line.starts_with("set output ")
}

fn whoami(controller: &Controller, actor: &Actor) -> String {
    let by_role = controller.flaws.enabled(Defect::RoleAsIdentity);
    let user = if by_role { &actor.role } else { &actor.name };
    let beside = controller.beside_name(actor);
    format!("user={user} role={}{beside}", actor.role)
}

fn show(controller: &Controller, actor: &Actor, what: &str) -> Result<String, CommandError> {
    let permission = match what {
        "version" => Permission::Identify,
        "level" => Permission::ReadLevel,
        "output" => Permission::ReadOutput,
        "setpoint" | "limit" => Permission::ReadSetpoint,
        _ => return Err(CommandError::Unknown),
    };
    controller.require(actor, permission)?;
    Ok(match (what, point(what)) {
        ("level", _) => controller.process.level().to_string(),
        (_, Some(point)) => controller.process.get(point).to_string(),
        _ => format!(
            "product={PRODUCT} vendor={VENDOR} firmware={} serial={}",
            controller.firmware_version(),
            controller.serial()
        ),
    })
}

fn audit(controller: &Controller, actor: &Actor, count: usize) -> Result<Vec<String>, Refusal> {
    controller.require(actor, Permission::ReadAudit)?;
    let lines = controller.audit.last(count);
    let shown = lines
        .iter()
        .map(|line| super::deep::shown(controller, line));
    Ok(listed(shown.collect()))
}

/// The audit log for programs: one JSON object a line.
fn exported(controller: &Controller, actor: &Actor, count: usize) -> Result<Vec<String>, Refusal> {
    controller.require(actor, Permission::ReadAudit)?;
    let mut lines = Vec::new();
    for line in controller.audit.last(count) {
        let mut entry = crate::audit::json(&line);
        if controller.flaws.enabled(Defect::ExportWithoutTime) {
            entry.remove("time");
        }
        let failed = entry
            .get("result")
            .is_some_and(|result| result == "failure");
        if !failed || !controller.flaws.enabled(Defect::ExportLeavesOutFailures) {
            lines.push(serde_json::Value::from(entry).to_string());
        }
    }
    if controller.flaws.enabled(Defect::ExportCutShort)
        && let Some(last) = lines.last_mut()
    {
        last.truncate(last.len() / 2);
    }
    Ok(listed(lines))
}

fn help(controller: &Controller) -> Vec<String> {
    let factory = controller
        .flaws
        .enabled(Defect::DebugCommand)
        .then_some(&"factory");
    listed(
        HELP.iter()
            .chain(factory)
            .map(ToString::to_string)
            .collect(),
    )
}

fn point(name: &str) -> Option<Point> {
    [Point::Setpoint, Point::Output, Point::Limit]
        .into_iter()
        .find(|point| point.name() == name)
}

fn number(word: &str) -> Result<usize, Refusal> {
    word.parse().map_err(|_| Refusal::BadValue)
}

/// What follows the first words of a line.
fn rest(line: &str, words: usize) -> &str {
    (0..words).fold(line.trim(), |rest, _| {
        rest.split_once(|c: char| c.is_ascii_whitespace())
            .map_or("", |(_, rest)| rest.trim_start())
    })
}

fn ok() -> Vec<String> {
    vec!["OK".into()]
}

fn answer(value: impl std::fmt::Display) -> Vec<String> {
    vec![format!("OK {value}")]
}

fn listed(mut lines: Vec<String>) -> Vec<String> {
    lines.push("OK".into());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_known_by_their_first_word() {
        assert!(is_known("set output 5") && is_known("whoami") && is_known("logout"));
        assert!(!is_known("Secret-Pass 1") && !is_known(""));
    }

    #[test]
    fn a_setting_may_hold_blanks() {
        assert_eq!(rest("config set banner  Keep  out! ", 3), "Keep  out!");
        assert_eq!(rest("config set", 3), "");
    }
}
