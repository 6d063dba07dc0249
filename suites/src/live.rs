//! Values to try a rig's bindings with, one by one, without leaving anything behind.

use slcert_rigs::bench::Bench;
use slcert_rigs::rig::{Rig, Values};

use crate::clock::{self, days};
use crate::effect::other_value;
use crate::fresh;
use crate::offer;
use crate::rights::override_values;

/// What the bindings that were tried have made, and what has to be put back.
#[derive(Debug, Default)]
pub struct Arguments {
    account: String,
    password: String,
    role: String,
}

impl Arguments {
    /// Nothing was tried yet.
    pub fn new(rig: &Rig) -> Self {
        let role = rig
            .roles
            .iter()
            .find(|(name, _)| {
                rig.accounts
                    .values()
                    .any(|account| account.role.value == **name)
            })
            .map(|(name, role)| {
                role.called
                    .clone()
                    .unwrap_or_else(|| name.as_str().to_owned())
            });
        Self {
            account: format!("t{}", &fresh::tag()[..8]),
            password: fresh::strong_password(),
            role: role.unwrap_or_default(),
        }
    }
}

/// The operations in an order in which each finds what it needs: an account is made before it is removed, and the log
/// is cleared last.
pub fn order(rig: &Rig) -> Vec<&str> {
    let place = |name: &str| match name {
        "create_account" => 1,
        "set_password" | "unlock_account" | "disable_account" => 2,
        "enable_account" => 3,
        "grant" => 3,
        "revoke" => 4,
        "delete_account" => 5,
        "island_off" | "restore_rules" => 1,
        "clear_audit" => 6,
        _ => 0,
    };
    let mut names: Vec<&str> = rig.operations.keys().map(|name| name.as_str()).collect();
    names.sort_by_key(|name| place(name));
    names
}

/// Values for the placeholders of an operation; none where the rig file gives nothing to go by.
pub fn arguments(
    bench: &Bench,
    operation: &str,
    account: Option<&str>,
    left: &Arguments,
) -> Option<Values> {
    let rig = bench.rig();
    let described = rig.operations.get(operation)?;
    let policy = &rig.policy;
    let number =
        |value: Option<u64>| Some(Values::from([("value".to_owned(), value?.to_string())]));
    match operation {
        "create_account" | "delete_account" | "unlock_account" | "set_password"
        | "disable_account" | "enable_account" => Some(Values::from([
            ("name".to_owned(), left.account.clone()),
            ("role".to_owned(), left.role.clone()),
            ("new_password".to_owned(), left.password.clone()),
        ])),
        "grant" | "revoke" => {
            // A right that the role does not have, given and then taken away.
            let role = rig.roles.iter().find(|(name, role)| {
                role.called.as_deref().unwrap_or(name.as_str()) == left.role
            })?;
            let (name, lacking) = rig.operations.iter().find(|(name, operation)| {
                operation.changes_state() && !role.1.may(name.as_str())
            })?;
            let permission = lacking
                .permission
                .clone()
                .unwrap_or_else(|| name.as_str().to_owned());
            Some(Values::from([
                ("role".to_owned(), left.role.clone()),
                ("permission".to_owned(), permission),
            ]))
        }
        "change_own_password" => {
            let account = account?;
            let original = bench.password(account).ok()?.reveal().to_owned();
            Some(Values::from([
                ("old_password".to_owned(), original),
                ("new_password".to_owned(), left.password.clone()),
            ]))
        }
        "read_setting" | "change_setting" => {
            let (name, recommended) = rig.baseline.iter().next()?;
            Some(Values::from([
                ("name".to_owned(), name.clone()),
                ("value".to_owned(), recommended.value.clone()),
            ]))
        }
        "set_output_on_loss" => Some(Values::from([(
            "value".to_owned(),
            policy.output_on_loss.as_ref()?.state.to_string(),
        )])),
        // They change what the device is, and need a file that it takes.
        _ if offer::CHANGE_THE_DEVICE.contains(&operation) => None,
        "set_banner" => Some(Values::from([(
            "text".to_owned(),
            "Authorized use only. Activity is recorded.".to_owned(),
        )])),
        "set_failed_logins" => number(policy.failed_logins.map(u64::from)),
        "set_session_lock" => number(policy.session_lock.map(|period| period.0.as_secs())),
        "set_password_length" => number(policy.password.map(|rules| u64::from(rules.length))),
        "list_sessions" => {
            let user = bench.user(account?).to_owned();
            Some(Values::from([("name".to_owned(), user)]))
        }
        "request_critical" => number(described.values.map(|it| it.from.into())),
        "approve_critical" => None,
        "override" => rig
            .interfaces
            .keys()
            .find_map(|name| override_values(rig, name.as_str())),
        "approve_access" => number(Some(0)),
        // There is no session that nobody needs.
        "end_session" => None,
        "set_time" => Some(clock::set(0).1),
        "set_session_limit" => {
            let mut limits = policy.sessions.values();
            number(limits.next().map(|limit| u64::from(limit.most)))
        }
        "set_remote_idle" => number(policy.remote_idle.map(|period| period.0.as_secs())),
        "set_password_history" => number(policy.password_life?.history.map(u64::from)),
        "set_password_minimum_age" => Some(days(policy.password_life?.minimum_days?)),
        "set_audit_capacity" => number(policy.audit_capacity.map(u64::from)),
        "set_audit_warning" => number(policy.audit_warning.map(u64::from)),
        "set_time_source" => Some(clock::time_source(policy.time_source.as_deref()?)),
        // They change what has to be put back, or whom the device lets in.
        "change_key" | "demand_second_factor" | "waive_second_factor" => None,
        // One waits for what may never come, one needs a backup, one an erasure.
        "alerts" | "restore" | "verify_erasure" => None,
        _ if described.changes_state() => Some(Values::from([(
            "value".to_owned(),
            other_value(described, ""),
        )])),
        _ => Some(Values::new()),
    }
}
