//! Dual approval: the interlock of the tank is set by two people, one who asks for it and another who approves.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::flaw::Defect;
use crate::role::Permission;

/// How long a request waits for its approval.
const WAITS: Duration = Duration::from_secs(60);

/// The interlock, and who has asked for what.
#[derive(Debug, Default)]
pub(crate) struct Interlock {
    on: bool,
    last: u64,
    asked: Option<Request>,
    /// What was approved last: kept by one flaw only.
    approved: Vec<Request>,
}

#[derive(Debug, Clone)]
struct Request {
    id: u64,
    by: String,
    on: bool,
    until: Instant,
}

impl Controller {
    pub(crate) fn interlock(&self, actor: &Actor) -> Result<bool, Refusal> {
        self.require(actor, Permission::ReadOutput)?;
        Ok(self.interlock_state().on)
    }

    /// Asks for the interlock to be set, in place of what was asked for before; the request's number.
    pub(crate) fn request_interlock(&self, actor: &Actor, value: &str) -> Result<u64, Refusal> {
        self.require(actor, Permission::Interlock)?;
        let on = match value {
            "0" => false,
            "1" => true,
            _ => return Err(Refusal::BadValue),
        };
        let mut state = self.interlock_state();
        state.last += 1;
        let id = state.last;
        state.asked = Some(Request {
            id,
            by: actor.name.clone(),
            on,
            until: Instant::now() + WAITS,
        });
        if self.flaws.enabled(Defect::RequestActs) {
            state.on = on;
        }
        drop(state);
        let detail = format!("request={id} value={value}");
        self.record(actor, Category::System, "interlock_request", true, &detail);
        Ok(id)
    }

    /// Approves what somebody else has asked for, and does it.
    pub(crate) fn approve_interlock(&self, actor: &Actor, id: &str) -> Result<(), Refusal> {
        if !self.flaws.enabled(Defect::ApprovedByAnyone) {
            self.require(actor, Permission::Interlock)?;
        }
        let id: u64 = id.parse().map_err(|_| Refusal::BadValue)?;
        let mut state = self.interlock_state();
        let known = state.asked.iter().chain(&state.approved);
        let mut open = known.filter(|it| it.id == id && it.until > Instant::now());
        let asked = open.next().cloned().ok_or(Refusal::BadValue)?;
        if asked.by == actor.name && !self.flaws.enabled(Defect::ApprovesOwnRequest) {
            drop(state);
            let detail = format!("request={id} is the own one");
            let kind = "interlock_approve";
            self.record(actor, Category::RequestError, kind, false, &detail);
            return Err(Refusal::NotPermitted);
        }
        state.on = asked.on;
        state.asked = None;
        if self.flaws.enabled(Defect::ApprovalUsedAgain) {
            state.approved.push(asked.clone());
        }
        drop(state);
        let detail = format!("request={id} by={} value={}", asked.by, u8::from(asked.on));
        self.record(actor, Category::System, "interlock_approve", true, &detail);
        Ok(())
    }

    fn interlock_state(&self) -> MutexGuard<'_, Interlock> {
        self.interlock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
