//! Roles and the operations they permit; an administrator can change both at run time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::audit::Source;

macro_rules! permissions {
    ($($permission:ident $name:literal),* $(,)?) => {
        /// An operation that a role can permit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum Permission { $($permission),* }

        impl fmt::Display for Permission {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$permission => $name),* })
            }
        }

        impl FromStr for Permission {
            type Err = ();

            fn from_str(name: &str) -> Result<Self, ()> {
                match name { $($name => Ok(Self::$permission),)* _ => Err(()) }
            }
        }
    };
}

permissions! {
    ReadOutput "read_output",
    ReadSetpoint "read_setpoint",
    ReadLevel "read_level",
    Identify "identify",
    Whoami "whoami",
    ChangeOwnPassword "change_own_password",
    WriteOutput "write_output",
    WriteSetpoint "write_setpoint",
    WriteLimit "write_limit",
    ReadAudit "read_audit",
    Backup "backup",
    ManageAccounts "manage_accounts",
    ManageRoles "manage_roles",
    WriteConfig "write_config",
    ReadConfig "read_config",
    ClearAudit "clear_audit",
    Restore "restore",
    Subscribe "subscribe",
    SetTime "set_time",
    Override "override",
    Interlock "interlock",
    EndSessions "end_sessions",
    InstallUpdate "install_update",
    ManageTrust "manage_trust",
    Purge "purge",
    ManageCode "manage_code",
    ManageBoundary "manage_boundary",
    ApproveAccess "approve_access",
}

use Permission::*;

const VIEWER: &[Permission] = &[
    ReadOutput,
    ReadSetpoint,
    ReadLevel,
    Identify,
    Whoami,
    ChangeOwnPassword,
];
const OPERATOR: &[Permission] = &[WriteOutput, WriteSetpoint, Interlock, Subscribe];
const ENGINEER: &[Permission] = &[
    ReadAudit,
    WriteLimit,
    Backup,
    Override,
    ManageCode,
    ApproveAccess,
];
const ADMINISTRATOR: &[Permission] = &[
    ReadAudit,
    Backup,
    ManageAccounts,
    ManageRoles,
    WriteConfig,
    ReadConfig,
    ClearAudit,
    Restore,
    SetTime,
    EndSessions,
    InstallUpdate,
    ManageTrust,
    Purge,
    ManageBoundary,
];

/// What the accounts of a role are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    Human,
    Process,
}

/// Whether a role is for people or for processes.
pub(crate) fn users(role: &str) -> Users {
    match role {
        "telemetry" | "controller" => Users::Process,
        _ => Users::Human,
    }
}

/// Whether the accounts of a role log in on an interface: a process has no console, and of the people operators alone use MQTT.
pub(crate) fn logs_in_by(role: &str, source: Source) -> bool {
    match users(role) {
        Users::Process => source == Source::Mqtt,
        Users::Human => source != Source::Mqtt || role == "operator",
    }
}

/// The permissions of every role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Roles(BTreeMap<String, BTreeSet<Permission>>);

impl Default for Roles {
    fn default() -> Self {
        let role = |name: &str, parts: &[&[Permission]]| {
            (
                name.to_owned(),
                parts.iter().flat_map(|part| part.iter().copied()).collect(),
            )
        };
        Self(BTreeMap::from([
            role("viewer", &[VIEWER]),
            role("operator", &[VIEWER, OPERATOR]),
            role("engineer", &[VIEWER, OPERATOR, ENGINEER]),
            role("administrator", &[VIEWER, ADMINISTRATOR]),
            role("telemetry", &[&[Subscribe]]),
            role("controller", &[&[Subscribe, WriteOutput]]),
        ]))
    }
}

impl Roles {
    pub(crate) fn exists(&self, role: &str) -> bool {
        self.0.contains_key(role)
    }

    pub(crate) fn permits(&self, role: &str, permission: Permission) -> bool {
        self.0
            .get(role)
            .is_some_and(|permissions| permissions.contains(&permission))
    }

    /// Gives or takes a permission; false when there is no such role, or when nobody could undo it.
    pub(crate) fn change(&mut self, role: &str, permission: Permission, granted: bool) -> bool {
        if role == "administrator" && permission == ManageRoles && !granted {
            return false;
        }
        let Some(permissions) = self.0.get_mut(role) else {
            return false;
        };
        if granted {
            permissions.insert(permission);
        } else {
            permissions.remove(&permission);
        }
        true
    }

    /// Whether the same roles are there as in the delivered device, and roles can still be managed.
    pub(crate) fn is_sane(&self) -> bool {
        self.0.keys().eq(Self::default().0.keys()) && self.permits("administrator", ManageRoles)
    }

    /// One line a role: its name and its permissions.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(role, permissions)| {
            let names: Vec<_> = permissions.iter().map(ToString::to_string).collect();
            format!("{role}: {}", names.join(" "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_are_separated() {
        let roles = Roles::default();
        assert!(roles.permits("operator", WriteOutput));
        assert!(roles.permits("engineer", WriteLimit));
        for permission in [WriteOutput, WriteSetpoint, WriteLimit] {
            assert!(!roles.permits("administrator", permission));
            assert!(!roles.permits("viewer", permission));
        }
        assert!(!roles.permits("engineer", ReadConfig));
        assert!(!roles.permits("nobody", Whoami));
    }

    #[test]
    fn a_permission_reads_as_it_is_written() {
        for permission in [ReadOutput, ChangeOwnPassword, Subscribe] {
            assert_eq!(permission.to_string().parse(), Ok(permission));
        }
    }

    #[test]
    fn an_administrator_cannot_lock_all_out_of_the_roles() {
        let mut roles = Roles::default();
        assert!(!roles.change("administrator", ManageRoles, false));
        assert!(roles.change("viewer", WriteOutput, true));
        assert!(roles.permits("viewer", WriteOutput));
    }
}
