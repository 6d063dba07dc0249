//! The matrix of rights: every role, every operation, on one interface, each compared with the rig file.

use slcert_rigs::bench::Who;
use slcert_rigs::rig::{InterfaceKind, Rig, Values};

use crate::boundary;
use crate::clock::{self, days};
use crate::effect::{Actor, Effect, attempt_with};
use crate::fresh;
use crate::offer;
use crate::procedure::{Procedure, Stop};
use crate::uc::cr_2_1_re_3::lacking;

/// Operations that change who the actor is; CR 1.5 has a case of its own for them.
const OWN: [&str; 1] = ["change_own_password"];

/// One cell of the matrix.
struct Cell<'r> {
    who: &'r str,
    operation: &'r str,
    allowed: bool,
    effect: Effect,
}

/// Walks through the matrix, and writes down a check for each account.
///
/// # Errors
/// The bench could not try.
pub async fn matrix(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let here = p.name();
    let interface = p.interface()?;
    let operations: Vec<&str> = rig
        .operations
        .keys()
        .map(|name| name.as_str())
        .filter(|name| rig.binding(name, here).is_some() && !OWN.contains(name))
        .collect();
    if operations.is_empty() {
        return Err(Stop::not_evaluated(format!(
            "no operation is bound on `{here}`"
        )));
    }
    let scratch = Scratch::make(p).await?;
    // Who has not logged in at a console is CR 1.1's matter.
    let mut rows: Vec<(&str, Who<'_>)> = match interface.kind {
        InterfaceKind::Console => Vec::new(),
        _ => vec![("nobody", Who::Nobody)],
    };
    rows.extend(
        rig.accounts_on(here)
            .map(|(name, _)| (name.as_str(), Who::Account(name.as_str()))),
    );

    let mut cells = Vec::new();
    for (name, who) in rows {
        let mut actor = Actor::new(who);
        for operation in &operations {
            let allowed = interface.is_open(operation) || rig.may(name, operation);
            let values = if rig.operations[*operation].changes_state() {
                None
            } else {
                match scratch.values(p, operation, allowed) {
                    Some(values) => Some(values),
                    None => continue,
                }
            };
            let effect = attempt_with(p, &mut actor, operation, values.clone()).await?;
            if matches!(effect, Effect::Happened(_))
                && ["create_account", "delete_account"].contains(operation)
            {
                actor.leave().await;
                scratch
                    .mend(p, operation, &values.unwrap_or_default())
                    .await?;
            }
            cells.push(Cell {
                who: name,
                operation,
                allowed,
                effect,
            });
        }
        actor.leave().await;
    }
    scratch.remove(p).await?;
    judge(p, &cells);
    Ok(())
}

fn judge(p: &mut Procedure<'_>, cells: &[Cell<'_>]) {
    let works = |operation: &str| {
        cells.iter().any(|cell| {
            cell.operation == operation
                && cell.allowed
                && matches!(cell.effect, Effect::Happened(_))
        })
    };
    let mut names: Vec<&str> = cells.iter().map(|cell| cell.who).collect();
    names.dedup();
    for name in names {
        let row: Vec<_> = cells.iter().filter(|cell| cell.who == name).collect();
        let mut as_declared = 0;
        for cell in &row {
            let operation = cell.operation;
            let words = cell.effect.words();
            match (&cell.effect, cell.allowed) {
                (Effect::Happened(_), true) | (Effect::Refused(_), false) => as_declared += 1,
                (Effect::Nothing(_), false) if works(operation) => as_declared += 1,
                (Effect::Happened(_), false) => {
                    p.check(format!("{name}, {operation}"), "refused", words, false)
                }
                (Effect::Nothing(_), false) => p.cannot_tell(
                    format!("{name}, {operation}"),
                    "refused",
                    format!("nothing came of it, and nobody showed that it works at all: {words}"),
                ),
                (_, true) => p.cannot_tell(
                    format!("{name}, {operation}"),
                    "done, as the rig file lists it",
                    format!("not done: {words}"),
                ),
            }
        }
        p.check(
            format!("{name}, {} operations", row.len()),
            "what the rig file lists is done, all else is refused",
            format!("{as_declared} of {} as declared", row.len()),
            true,
        );
    }
}

/// An account and a right of the device that nobody needs, to try the administrator's operations on.
struct Scratch {
    account: Option<String>,
    role: String,
}

impl Scratch {
    async fn make(p: &Procedure<'_>) -> Result<Self, Stop> {
        let role = p
            .rig()
            .accounts_on(p.name())
            .find_map(|(_, account)| {
                let role = p.rig().roles.get(&account.role.value)?;
                Some(
                    role.called
                        .clone()
                        .unwrap_or_else(|| account.role.value.as_str().to_owned()),
                )
            })
            .unwrap_or_default();
        let mut scratch = Self {
            account: None,
            role,
        };
        let made = ["create_account", "delete_account"]
            .iter()
            .all(|operation| {
                p.rig().binding(operation, p.name()).is_some() && p.anywhere(operation).is_ok()
            });
        if made {
            let name = format!("t{}", &fresh::tag()[..8]);
            by_whoever_may(p, "create_account", &scratch.new_account(&name)).await?;
            scratch.account = Some(name);
        }
        Ok(scratch)
    }

    fn new_account(&self, name: &str) -> Values {
        Values::from([
            ("name".to_owned(), name.to_owned()),
            ("role".to_owned(), self.role.clone()),
            ("new_password".to_owned(), fresh::strong_password()),
        ])
    }

    /// Values with which the operation harms nothing; none where there are none.
    fn values(&self, p: &Procedure<'_>, operation: &str, allowed: bool) -> Option<Values> {
        let policy = &p.rig().policy;
        let number =
            |value: Option<u64>| Some(Values::from([("value".to_owned(), value?.to_string())]));
        match operation {
            "create_account" if self.account.is_none() => None,
            "create_account" => Some(self.new_account(&format!("u{}", &fresh::tag()[..8]))),
            "delete_account" | "unlock_account" | "set_password" | "disable_account"
            | "enable_account" => Some(self.new_account(self.account.as_deref()?)),
            // A second factor that is demanded is asked for at the next login.
            "demand_second_factor" | "waive_second_factor" => {
                (!allowed).then(|| self.new_account("nobody"))
            }
            // A key that is changed would have to be put back.
            "change_key" => (!allowed).then(|| {
                let key = "00".repeat(32);
                Values::from([
                    ("name".to_owned(), "nobody".to_owned()),
                    ("new_key".to_owned(), key),
                ])
            }),
            // A right that the role has already, and one that it does not have: nothing changes where this is allowed.
            "grant" | "revoke" => {
                let role = p.rig().roles.iter().find(|(name, role)| {
                    role.called.as_deref().unwrap_or(name.as_str()) == self.role
                });
                let held = role.and_then(|(_, role)| {
                    role.may
                        .iter()
                        .find(|name| p.rig().operations.contains_key(name.as_str()))
                })?;
                if operation == "revoke" {
                    return None;
                }
                let permission = p
                    .rig()
                    .operations
                    .get(held.as_str())
                    .and_then(|it| it.permission.clone());
                Some(Values::from([
                    ("role".to_owned(), self.role.clone()),
                    (
                        "permission".to_owned(),
                        permission.unwrap_or_else(|| held.as_str().to_owned()),
                    ),
                ]))
            }
            // Where it is allowed, it waits for what may never come, or has no effect without a backup.
            "alerts" | "restore" | "verify_erasure" if allowed => None,
            "restore" => p.bench().place(b"AAAA").ok(),
            "set_audit_capacity" => number(policy.audit_capacity.map(u64::from)),
            "set_audit_warning" => number(policy.audit_warning.map(u64::from)),
            "set_time_source" => policy.time_source.as_deref().map(clock::time_source),
            "set_banner" if allowed => None,
            "set_banner" => Some(Values::from([(
                "text".to_owned(),
                "authorized use only".to_owned(),
            )])),
            "set_failed_logins" => number(policy.failed_logins.map(u64::from)),
            "set_session_lock" => number(policy.session_lock.map(|period| period.0.as_secs())),
            "set_password_length" => number(policy.password.map(|rules| u64::from(rules.length))),
            // Whoever may list the sessions has one.
            "list_sessions" => {
                let account = p.rig().who_may_str(operation, p.name())?;
                let user = p.bench().user(account).to_owned();
                Some(Values::from([("name".to_owned(), user)]))
            }
            // Asked for and not approved, it is not done.
            "request_critical" => number(
                p.rig().operations[operation]
                    .values
                    .map(|it| it.from.into()),
            ),
            "approve_critical" if allowed => None,
            "approve_critical" => Some(Values::from([("request".to_owned(), "0".to_owned())])),
            "override" if allowed => None,
            "override" => Some(override_values(p.rig(), p.name())?),
            // No session and no clock is at the matrix's disposal: these are tried as who may not.
            "end_session" | "set_time" if allowed => None,
            "end_session" => Some(Values::from([
                ("name".to_owned(), "nobody".to_owned()),
                ("session".to_owned(), "0".to_owned()),
            ])),
            "set_time" => Some(clock::set(0).1),
            "set_session_limit" => {
                let mut limits = policy.sessions.values();
                number(limits.next().map(|limit| u64::from(limit.most)))
            }
            "set_remote_idle" => number(policy.remote_idle.map(|period| period.0.as_secs())),
            "set_password_history" => number(policy.password_life?.history.map(u64::from)),
            "set_password_minimum_age" => Some(days(policy.password_life?.minimum_days?)),
            "read_setting" | "change_setting" => {
                let (name, recommended) = p.rig().baseline.iter().next()?;
                Some(Values::from([
                    ("name".to_owned(), name.clone()),
                    ("value".to_owned(), recommended.value.clone()),
                ]))
            }
            "set_output_on_loss" => Some(Values::from([(
                "value".to_owned(),
                policy.output_on_loss.as_ref()?.state.to_string(),
            )])),
            // They change what may pass: who may is not tried here.
            _ if boundary::OPERATIONS.contains(&operation) => {
                (!allowed).then(|| number(Some(0))).flatten()
            }
            // They change what the device is: who may is not tried here, and who may not has nothing of worth to give.
            _ if offer::CHANGE_THE_DEVICE.contains(&operation) => {
                let mut values = p.bench().place(b"nothing").ok()?;
                values.insert("version".to_owned(), "0".to_owned());
                values.insert("name".to_owned(), "nobody".to_owned());
                (!allowed).then_some(values)
            }
            _ => Some(Values::new()),
        }
    }

    /// Puts back what an operation that worked has changed.
    async fn mend(&self, p: &Procedure<'_>, operation: &str, values: &Values) -> Result<(), Stop> {
        match (operation, &self.account) {
            ("delete_account", Some(name)) => {
                by_whoever_may(p, "create_account", &self.new_account(name)).await
            }
            ("create_account", Some(_)) => by_whoever_may(p, "delete_account", values).await,
            _ => Ok(()),
        }
    }

    async fn remove(&self, p: &Procedure<'_>) -> Result<(), Stop> {
        match &self.account {
            Some(name) => by_whoever_may(p, "delete_account", &self.new_account(name)).await,
            None => Ok(()),
        }
    }
}

/// Values with which an override, where it is allowed, ends after a second.
pub fn override_values(rig: &Rig, interface: &str) -> Option<Values> {
    let supervisor = rig.who_may_str("override", interface)?;
    let (account, _, permission) = lacking(rig, interface, supervisor)?;
    let user = rig.accounts[account].user.as_deref().unwrap_or(account);
    Some(Values::from([
        ("name".to_owned(), user.to_owned()),
        ("permission".to_owned(), permission.to_owned()),
        ("value".to_owned(), "1".to_owned()),
    ]))
}

/// Performs an operation as somebody who may, on an interface that binds it.
///
/// # Errors
/// Nobody may, or the device did not do it.
pub async fn by_whoever_may(
    p: &Procedure<'_>,
    operation: &str,
    values: &Values,
) -> Result<(), Stop> {
    all_by_whoever_may(p, &[(operation, values.clone())]).await
}

/// Performs operations one after the other, each as somebody who may; in one session where one account may all.
///
/// # Errors
/// Nobody may, or the device did not do one of them.
pub async fn all_by_whoever_may(
    p: &Procedure<'_>,
    operations: &[(&str, Values)],
) -> Result<(), Stop> {
    let mut at = 0;
    while let Some((first, _)) = operations.get(at) {
        let (interface, account) = p.anywhere(first)?;
        let mut session = p.bench().login(interface, account).await?;
        let mut ended = Ok(());
        while let Some((operation, values)) = operations.get(at) {
            let here = p.rig().binding(operation, interface).is_some();
            if !here || !p.rig().may(account, operation) {
                break;
            }
            at += 1;
            ended = match session.perform(operation, values).await {
                Ok(attempt) if attempt.is_done() => continue,
                Ok(attempt) => Err(Stop::inconclusive(format!(
                    "`{account}` could not perform `{operation}` on `{interface}`: {}",
                    slcert_reports::excerpt(&attempt.answer().text, 200)
                ))),
                Err(error) => Err(error.into()),
            };
            break;
        }
        session.close().await;
        ended?;
    }
    Ok(())
}
