//! What histories have changed about the device, and how that is put back.

use std::collections::BTreeSet;
use std::time::Duration;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::{Rig, Values};
use slcert_rigs::{Attempt, Secret};
use tokio::time::sleep;

use super::carry::{VERSION, set, setting};
use super::passwords::Passwords;
use super::step::Matter;
use crate::administrator::{administer, ask, number, put_back};
use crate::configured::Settings;
use crate::hands::Desk;
use crate::procedure::{Procedure, Stop};
use crate::update::Update;

/// How much longer than stated a lock is waited for.
const GRACE: Duration = Duration::from_millis(300);

/// What histories have changed about the device.
#[derive(Debug, Default)]
pub struct Owed {
    /// Accounts that may be locked.
    locks: BTreeSet<String>,
    /// Passwords that are not the rig's.
    passwords: Passwords,
    /// Rights that roles have or lack against the rig file.
    rights: BTreeSet<(String, String)>,
    /// How many sessions a user may have by the rig file, where that was changed.
    sessions: Option<u32>,
    /// How long a session may be silent by the rig file, where that was changed.
    idle: Option<Duration>,
    /// The version that ran before images were offered.
    version: Option<String>,
    /// What settings read that files may change, before any did.
    settings: Settings,
}

impl Owed {
    /// An account may be locked from now on.
    pub fn lock(&mut self, account: &str) {
        self.locks.insert(account.to_owned());
    }

    /// The passwords that are not the rig's.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// The same, for one that is asked for.
    pub fn passwords_mut(&mut self) -> &mut Passwords {
        &mut self.passwords
    }

    /// A role was given a right, or it was taken away.
    pub fn right(&mut self, rig: &Rig, role: &str, operation: &str, give: bool) {
        let right = (role.to_owned(), operation.to_owned());
        if give == holds(rig, role, operation) {
            self.rights.remove(&right);
        } else {
            self.rights.insert(right);
        }
    }

    /// The limit of a user's sessions was changed; the rig file states this one.
    pub fn sessions(&mut self, stated: u32) {
        self.sessions = Some(stated);
    }

    /// How long a session may be silent was changed; the rig file states this.
    pub fn idle(&mut self, stated: Duration) {
        self.idle = Some(stated);
    }

    /// Files may change what reads so now.
    pub fn state(&mut self, matter: Matter, now: &Settings) {
        if matter == Matter::Firmware {
            self.version = self.version.take().or_else(|| now.get(VERSION).cloned());
            return;
        }
        for (name, value) in now {
            let kept = self.settings.entry(name.clone());
            kept.or_insert_with(|| value.clone());
        }
    }

    /// The version that ran before images were offered.
    pub fn version(&self) -> Option<&String> {
        self.version.as_ref()
    }

    /// Puts everything back. What cannot be is owed still.
    ///
    /// # Errors
    /// The device is not as it was.
    pub async fn put_back(&mut self, p: &Procedure<'_>) -> Result<(), Stop> {
        while let Some((role, operation)) = self.rights.first().cloned() {
            let give = holds(p.rig(), &role, &operation);
            let asked = allot(p, &role, &operation, give).await?;
            if !asked.is_done() {
                let said = slcert_reports::excerpt(&asked.answer().text, 200);
                return Err(Stop::inconclusive(format!(
                    "`{role}` does not have its rights again: {said}"
                )));
            }
            self.rights.pop_first();
        }
        self.passwords.set_back(p, &mut self.locks).await?;
        while let Some(account) = self.locks.first().cloned() {
            let may_be = self.passwords.candidates(&account).to_vec();
            if let Some(now) = unlock(p, &account, &may_be).await? {
                self.passwords.settle(&account, now);
            }
            self.locks.pop_first();
        }
        self.passwords.put_back(p).await?;
        if let Some(stated) = self.sessions {
            put_back(p, &[("set_session_limit", number(stated))]).await?;
            self.sessions = None;
        }
        if let Some(stated) = self.idle {
            put_back(p, &[("set_remote_idle", number(stated.as_secs()))]).await?;
            self.idle = None;
        }
        let mut desk = Desk::default();
        let back = self.state_back(p, &mut desk).await;
        desk.close().await;
        back
    }

    async fn state_back<'r>(&mut self, p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<(), Stop> {
        if let Some(version) = &self.version {
            let update = Update::from_version(p, version.clone())?;
            update.put_back(p, desk).await?;
            self.version = None;
        }
        while let Some((name, value)) = self.settings.first_key_value() {
            if setting(p, desk, name).await? != *value {
                set(p, desk, name, value).await?;
            }
            self.settings.pop_first();
        }
        Ok(())
    }
}

/// What the device calls the right to an operation.
pub fn permission(rig: &Rig, operation: &str) -> String {
    let described = rig.operations.get(operation);
    let named = described.and_then(|it| it.permission.clone());
    named.unwrap_or_else(|| operation.to_owned())
}

/// Whether a role has a right by the rig file.
pub fn holds(rig: &Rig, role: &str, operation: &str) -> bool {
    rig.roles
        .get(role)
        .is_some_and(|described| described.may(operation))
}

/// Gives a role the right to an operation, or takes it away; what the device said.
///
/// # Errors
/// The bench could not ask.
pub async fn allot(
    p: &Procedure<'_>,
    role: &str,
    operation: &str,
    give: bool,
) -> Result<Attempt, Stop> {
    let rig = p.rig();
    let called = rig
        .roles
        .get(role)
        .and_then(|described| described.called.clone());
    let values = Values::from([
        ("role".to_owned(), called.unwrap_or_else(|| role.to_owned())),
        ("permission".to_owned(), permission(rig, operation)),
    ]);
    ask(p, if give { "grant" } else { "revoke" }, &values).await
}

/// Makes an account usable again that may be locked: by an administrator where there is one, by waiting otherwise. Which of
/// the passwords it has that it may have; none where it is the rig's.
async fn unlock<'s>(
    p: &Procedure<'_>,
    account: &str,
    may_be: &'s [Secret],
) -> Result<Option<&'s Secret>, Stop> {
    let bench = p.bench();
    let Some(described) = p.rig().accounts.get(account) else {
        return Ok(None);
    };
    let serial = |name: &&str| {
        p.rig()
            .interface(name)
            .is_some_and(|it| it.kind.is_serial())
    };
    let places = described.interfaces.iter().map(|name| name.as_str());
    let Some(place) = places.min_by_key(serial) else {
        return Ok(None);
    };
    let lockout = p.rig().policy.lockout.map(|period| period.0);
    // The likeliest also once it is unlocked, and at the end.
    let likeliest = || std::iter::once(may_be.first());
    let others = may_be.iter().skip(1).map(Some);
    let all = likeliest()
        .chain(likeliest())
        .chain(others)
        .chain(likeliest());
    for (round, shown) in all.enumerate() {
        let who = match shown {
            Some(password) => Who::Password {
                user: bench.user(account),
                password,
            },
            None => Who::Account(account),
        };
        match bench.enter(place, &who).await? {
            Entry::In(session) => {
                session.close().await;
                return Ok(shown);
            }
            Entry::Refused(_) if round != 1 && p.anywhere("unlock_account").is_ok() => {
                let name = bench.user(account).to_owned();
                let values = Values::from([("name".to_owned(), name)]);
                // Where the administrator cannot, time can.
                let _ = administer(p, &[("unlock_account", values)]).await;
            }
            Entry::Refused(_) => sleep(lockout.unwrap_or_default() + GRACE).await,
        }
    }
    Err(Stop::inconclusive(format!(
        "`{account}` is not let in any more: unlock it by hand"
    )))
}
