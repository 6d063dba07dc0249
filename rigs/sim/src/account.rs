//! Accounts, and how they are managed.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal, State};
use crate::factor::Factor;
use crate::flaw::Defect;
use crate::password::Hash;
use crate::policy::{MOST_PASSWORDS, Policy};
use crate::role::{self, Permission, Users};

/// Accounts the device can hold.
const MOST: usize = 64;

/// One account; a person's or a process's, as its role says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub role: String,
    pub enabled: bool,
    pub hash: Hash,
    /// The token of a person who was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Factor>,
    /// When the password was set, in milliseconds of the device's clock.
    #[serde(default)]
    pub changed: i64,
    /// The passwords before it, the newest first.
    #[serde(default)]
    pub history: Vec<Hash>,
    /// Kept by the flaw `old-password-works` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Hash>,
    /// Failed logins in a row.
    #[serde(default)]
    pub failures: u32,
    /// Unix milliseconds.
    #[serde(default)]
    pub locked_until: Option<i64>,
    /// The same for MQTT, where the flaw `lockout-per-interface` counts apart.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub by_mqtt: (u32, Option<i64>),
}

fn is_nothing(count: &(u32, Option<i64>)) -> bool {
    *count == (0, None)
}

impl Account {
    pub(crate) fn new(role: &str, hash: Hash, now: i64) -> Self {
        Self {
            role: role.to_owned(),
            enabled: true,
            hash,
            factor: None,
            changed: now,
            history: Vec::new(),
            previous: None,
            failures: 0,
            locked_until: None,
            by_mqtt: (0, None),
        }
    }

    /// Whether the password is older than `policy` lets one be.
    pub(crate) fn is_expired(&self, now: i64, policy: &Policy) -> bool {
        let longest = i64::from(policy.password_max_age) * 1000;
        longest > 0 && now - self.changed > longest
    }

    /// Whether the password is so young that its user may not change it yet.
    fn is_fresh(&self, now: i64, policy: &Policy) -> bool {
        now - self.changed < i64::from(policy.password_min_age) * 1000
    }

    /// Whether a password is one of the account's last ones, the one now included.
    fn had(&self, password: &str, policy: &Policy) -> bool {
        let last = std::iter::once(&self.hash).chain(&self.history);
        let mut last = last.take(policy.password_history as usize);
        last.any(|hash| hash.matches(password))
    }
}

impl State {
    fn has_other_administrator(&self, name: &str) -> bool {
        let mut others = self.accounts.iter().filter(|(other, _)| *other != name);
        others.any(|(_, account)| account.enabled && account.role == "administrator")
    }
}

impl Controller {
    /// Whether an account with this name and role may be added, before its password is asked for.
    pub(crate) fn check_new_account(
        &self,
        actor: &Actor,
        name: &str,
        role: &str,
    ) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageAccounts)?;
        let state = self.state();
        let takes_duplicates = [Defect::DuplicateOverwrites, Defect::DuplicateRefusedButActs];
        let free = (!state.accounts.contains_key(name)
            || takes_duplicates.iter().any(|it| self.flaws.enabled(*it)))
            && state.accounts.len() < MOST;
        if free && is_name(name) && state.roles.exists(role) {
            Ok(())
        } else {
            Err(Refusal::BadValue)
        }
    }

    /// Whether there is an account to be managed.
    pub(crate) fn check_account(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageAccounts)?;
        self.state()
            .accounts
            .get(name)
            .map(|_| ())
            .ok_or(Refusal::BadValue)
    }

    pub(crate) fn add_account(
        &self,
        actor: &Actor,
        name: &str,
        role: &str,
        password: &str,
    ) -> Result<(), Refusal> {
        self.check_new_account(actor, name, role)?;
        self.check_password(password)?;
        let account = Account::new(role, Hash::of(password)?, self.clock.now().as_millisecond());
        let known = self.change(|state| {
            // Checked again under the lock: another interface may have been faster.
            let known = state.accounts.contains_key(name);
            let overwrites = [Defect::DuplicateOverwrites, Defect::DuplicateRefusedButActs];
            if known && !overwrites.iter().any(|it| self.flaws.enabled(*it)) {
                return Err(Refusal::BadValue);
            }
            state.accounts.insert(name.to_owned(), account);
            Ok(known)
        })?;
        if known && self.flaws.enabled(Defect::DuplicateRefusedButActs) {
            return Err(Refusal::BadValue);
        }
        self.password_changed(name, password);
        self.record(
            actor,
            Category::Configuration,
            "user_add",
            true,
            &format!("{name} {role}"),
        );
        Ok(())
    }

    /// Sets another account's password.
    pub(crate) fn set_password(
        &self,
        actor: &Actor,
        name: &str,
        password: &str,
    ) -> Result<(), Refusal> {
        self.check_account(actor, name)?;
        self.replace_password(name, password, false)?;
        self.record(actor, Category::Configuration, "user_passwd", true, name);
        Ok(())
    }

    /// Sets the actor's own password, which the caller has asked for and checked.
    pub(crate) fn set_own_password(&self, actor: &Actor, password: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::ChangeOwnPassword)?;
        self.replace_password(&actor.name, password, true)?;
        self.record(actor, Category::Configuration, "passwd", true, &actor.name);
        Ok(())
    }

    pub(crate) fn delete_account(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        self.check_account(actor, name)?;
        self.change(|state| {
            if !state.has_other_administrator(name) {
                return Err(Refusal::BadValue);
            }
            let account = state.accounts.remove(name).ok_or(Refusal::BadValue)?;
            if self.flaws.enabled(Defect::RemovedAccountReturns) {
                state.removed.insert(name.to_owned(), account);
            }
            Ok(())
        })?;
        self.record(actor, Category::Configuration, "user_del", true, name);
        self.end_sessions_of(name);
        Ok(())
    }

    pub(crate) fn enable_account(
        &self,
        actor: &Actor,
        name: &str,
        enabled: bool,
    ) -> Result<(), Refusal> {
        self.check_account(actor, name)?;
        self.change(|state| {
            if !enabled && !state.has_other_administrator(name) {
                return Err(Refusal::BadValue);
            }
            let account = state.accounts.get_mut(name).ok_or(Refusal::BadValue)?;
            account.enabled = enabled || self.flaws.enabled(Defect::DisableIgnored);
            Ok(())
        })?;
        let kind = if enabled {
            "user_enable"
        } else {
            "user_disable"
        };
        self.record(actor, Category::Configuration, kind, true, name);
        if !enabled && !self.flaws.enabled(Defect::DisableIgnored) {
            self.end_sessions_of(name);
        }
        Ok(())
    }

    /// Ends what an account that is no more, or no more enabled, has open.
    fn end_sessions_of(&self, name: &str) {
        if !self.flaws.enabled(Defect::ClosedAccountGoesOn) {
            self.sessions.end(name);
        }
    }

    /// The role of an account; empty where there is none.
    pub(crate) fn role_of(&self, name: &str) -> String {
        let state = self.state();
        let account = state.accounts.get(name);
        account.map(|it| it.role.clone()).unwrap_or_default()
    }

    pub(crate) fn unlock_account(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        self.check_account(actor, name)?;
        self.change(|state| {
            let account = state.accounts.get_mut(name).ok_or(Refusal::BadValue)?;
            (account.failures, account.locked_until) = (0, None);
            account.by_mqtt = (0, None);
            Ok(())
        })?;
        self.record(actor, Category::Configuration, "user_unlock", true, name);
        Ok(())
    }

    /// One line an account: its name, its role, and whether it is enabled.
    pub(crate) fn account_lines(&self, actor: &Actor) -> Result<Vec<String>, Refusal> {
        self.require(actor, Permission::ManageAccounts)?;
        let line = |(name, account): (&String, &Account)| {
            let state = if account.enabled {
                "enabled"
            } else {
                "disabled"
            };
            format!("{name} {} {state}", account.role)
        };
        let hidden = |account: &Account| {
            role::users(&account.role) == Users::Process
                && self.flaws.enabled(Defect::ProcessesNotListed)
        };
        let state = self.state();
        let shown = state.accounts.iter().filter(|(_, it)| !hidden(it));
        Ok(shown.map(line).chain(self.beside_accounts()).collect())
    }

    fn replace_password(&self, name: &str, password: &str, own: bool) -> Result<(), Refusal> {
        self.check_password(password)
            .inspect_err(|_| self.remember_simple(name, password))?;
        let (now, policy) = (self.clock.now().as_millisecond(), self.policy());
        let account = self.state().accounts.get(name).cloned();
        let account = account.ok_or(Refusal::BadValue)?;
        if own && account.is_fresh(now, &policy) && !self.flaws.enabled(Defect::NoMinimumAge) {
            return Err(Refusal::TooSoon);
        }
        let forgets = self.flaws.enabled(Defect::PasswordReuse);
        let knows_one = self.flaws.enabled(Defect::HistoryOfOne) && !account.hash.matches(password);
        if !forgets && !knows_one && account.had(password, &policy) {
            return Err(Refusal::Reused);
        }
        let hash = Hash::of(password)?;
        self.change(|state| {
            let account = state.accounts.get_mut(name).ok_or(Refusal::BadValue)?;
            let old = std::mem::replace(&mut account.hash, hash);
            account.changed = now;
            account.history.insert(0, old.clone());
            account.history.truncate(MOST_PASSWORDS);
            account.previous = self.flaws.enabled(Defect::OldPasswordWorks).then_some(old);
            Ok(())
        })?;
        self.password_changed(name, password);
        self.remember_changed(name, password);
        Ok(())
    }

    fn check_password(&self, password: &str) -> Result<(), Refusal> {
        if !self.flaws.enabled(Defect::WeakPasswords) {
            self.state().policy.check(password)?;
        }
        Ok(())
    }

    /// Two flaws give a new password away; a sound device forgets it here.
    fn password_changed(&self, name: &str, password: &str) {
        let keeps = [Defect::PasswordInBackup, Defect::SecretInNotice];
        if keeps.into_iter().any(|defect| self.flaws.enabled(defect)) {
            *self
                .changed_password
                .lock()
                .unwrap_or_else(PoisonError::into_inner) =
                Some((name.to_owned(), password.to_owned()));
        }
    }
}

/// Whether a text can be the name of an account.
fn is_name(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=32).contains(&name.len())
        && name.as_bytes()[0].is_ascii_lowercase()
        && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["vera", "gw-control", "a", "u_2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "2a", "Vera", "a b", "../x", "ä", &"a".repeat(33)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
