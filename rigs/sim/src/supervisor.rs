//! The supervisor's override: a user may do for a time what the own role may not. It ends by itself, and with the power.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::flaw::Defect;
use crate::role::Permission;

/// The longest override, in seconds.
const LONGEST: u64 = 3600;

/// One override that has not ended yet.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    /// Who has granted it.
    supervisor: Actor,
    user: String,
    permission: Permission,
    until: Instant,
    /// Whether it was used: one flaw then lets the session go on with it.
    used: bool,
}

impl Controller {
    /// Lets a user do something for some seconds; a supervisor grants no more than the own role permits.
    pub(crate) fn grant_override(
        &self,
        actor: &Actor,
        user: &str,
        permission: &str,
        seconds: &str,
    ) -> Result<(), Refusal> {
        self.require(actor, Permission::Override)?;
        let permission = permission.parse().map_err(|()| Refusal::BadValue)?;
        let seconds = seconds.parse().map_err(|_| Refusal::BadValue)?;
        let known = self.state().accounts.contains_key(user);
        if !known || !(1..=LONGEST).contains(&seconds) {
            return Err(Refusal::BadValue);
        }
        if !self.state().roles.permits(&actor.role, permission) {
            return Err(Refusal::NotPermitted);
        }
        let granted = Override {
            supervisor: actor.clone(),
            user: user.to_owned(),
            permission,
            until: Instant::now() + Duration::from_secs(seconds),
            used: false,
        };
        let mut overrides = self.overrides();
        overrides.retain(|it| it.user != user || it.permission != permission);
        overrides.push(granted);
        drop(overrides);
        let detail = format!("{user} {permission} {seconds}s");
        self.record_override(actor, "override", &detail);
        Ok(())
    }

    /// Whether somebody may do something now by a supervisor's word.
    pub(crate) fn is_overridden(&self, actor: &Actor, permission: Permission) -> bool {
        let for_ever = self.flaws.enabled(Defect::OverrideForEver);
        let now = Instant::now();
        let mut overrides = self.overrides();
        let found = overrides
            .iter_mut()
            .find(|it| it.user == actor.name && it.permission == permission);
        found.is_some_and(|it| {
            let goes_on = it.used && self.flaws.enabled(Defect::OverrideForOpenSession);
            let open = for_ever || goes_on || now < it.until;
            it.used |= open;
            open
        })
    }

    /// Writes down which overrides have ended; `user` is somebody who has just logged in.
    pub(crate) fn end_overrides(&self, user: Option<&str>) {
        if self.flaws.enabled(Defect::OverrideForEver) {
            return;
        }
        let now = Instant::now();
        let goes_on = |it: &Override| {
            let kept = self.flaws.enabled(Defect::OverrideForOpenSession);
            kept && it.used && user != Some(it.user.as_str())
        };
        let mut overrides = self.overrides();
        let (over, open) = overrides
            .drain(..)
            .partition(|it| it.until <= now && !goes_on(it));
        let over: Vec<Override> = over;
        *overrides = open;
        drop(overrides);
        for it in over {
            let detail = format!("{} {}", it.user, it.permission);
            self.record_override(&it.supervisor, "override_end", &detail);
        }
    }

    fn record_override(&self, actor: &Actor, kind: &str, detail: &str) {
        if !self.flaws.enabled(Defect::OverrideUnlogged) {
            self.record(actor, Category::Configuration, kind, true, detail);
        }
    }

    fn overrides(&self) -> std::sync::MutexGuard<'_, Vec<Override>> {
        self.overrides
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
