//! Backups: settings without secrets, marked so that an altered one is refused.

use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::audit::Category;
use crate::controller::{Actor, Controller, PRODUCT, Refusal, Write};
use crate::device::STALL;
use crate::flaw::Defect;
use crate::password::{self, NoRandom};
use crate::policy::Policy;
use crate::process::Point;
use crate::role::{Permission, Roles};

/// Base64 characters that a restore takes.
pub(crate) const LONGEST: usize = 8192;

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    product: String,
    setpoint: u16,
    limit: u16,
    policy: Policy,
    roles: Roles,
    accounts: Vec<Listed>,
    /// When it was made: no two are alike.
    made: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// An account as a backup names it: never with its password or hash.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    name: String,
    role: String,
    enabled: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    content: String,
    mac: String,
}

impl Controller {
    /// The device's settings as one line of base64.
    pub(crate) fn backup(&self, actor: &Actor) -> Result<String, Refusal> {
        self.require(actor, Permission::Backup)?;
        if self.flaws.enabled(Defect::BackupStallsControl) {
            self.process.stall(STALL);
        }
        let note = self
            .flaws
            .enabled(Defect::PasswordInBackup)
            .then(|| {
                self.changed_password
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone()
            })
            .flatten()
            .map(|(name, password)| format!("{name}:{password}"));
        let state = self.state().clone();
        let listed = |(name, account): (String, crate::account::Account)| Listed {
            name,
            role: account.role,
            enabled: account.enabled,
        };
        let content = Content {
            product: PRODUCT.into(),
            setpoint: self.process.get(Point::Setpoint),
            limit: self.limit_backed_up(),
            policy: state.policy,
            roles: state.roles,
            accounts: state.accounts.into_iter().map(listed).collect(),
            made: self.clock.now().to_string(),
            note,
        };
        let line = seal(&content, &self.backup_key()).map_err(|_| Refusal::BadValue)?;
        self.record(actor, Category::Backup, "backup", true, "");
        Ok(line)
    }

    /// Takes the policy, the roles, the setpoint and the limit of a backup of this device; accounts stay as they are.
    pub(crate) fn restore(&self, actor: &Actor, line: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::Restore)?;
        let Some(content) = self.open_backup(line) else {
            if self.flaws.enabled(Defect::RestoreRefusedButApplied)
                && let Some(content) = content_of(line)
            {
                self.apply(actor, &[Write::Point(Point::Limit, content.limit)])?;
            }
            self.record(
                actor,
                Category::Backup,
                "restore",
                false,
                "not a backup of this device",
            );
            return Err(Refusal::BadValue);
        };
        self.change(|state| {
            state.policy = content.policy;
            state.roles = content.roles;
            Ok(())
        })?;
        let mut points = vec![Write::Point(Point::Setpoint, content.setpoint)];
        if !self.flaws.enabled(Defect::RestoreIncomplete) {
            points.push(Write::Point(Point::Limit, content.limit));
        }
        self.apply(actor, &points)?;
        self.record(actor, Category::Backup, "restore", true, "");
        Ok(())
    }

    fn open_backup(&self, line: &str) -> Option<Content> {
        let sealed: Sealed = serde_json::from_slice(&BASE64.decode(line).ok()?).ok()?;
        let mac = BASE64.decode(&sealed.mac).ok()?;
        let whole = hmac::verify(&self.backup_key(), sealed.content.as_bytes(), &mac).is_ok();
        if !self.seal_stands(&mac, whole) && !self.flaws.enabled(Defect::RestoreUnchecked) {
            return None;
        }
        content_of(line)
    }
}

/// What a backup holds, whoever sealed it.
fn content_of(line: &str) -> Option<Content> {
    let sealed: Sealed = serde_json::from_slice(&BASE64.decode(line).ok()?).ok()?;
    let content: Content = serde_json::from_str(&sealed.content).ok()?;
    let sane = content.policy.is_sane()
        && content.roles.is_sane()
        && Point::Setpoint.accepts(content.setpoint)
        && Point::Limit.accepts(content.limit);
    sane.then_some(content)
}

/// A backup as another device of this type makes it, with another limit.
pub(crate) fn of_another_device() -> Result<String, NoRandom> {
    let content = Content {
        product: PRODUCT.into(),
        setpoint: 500,
        limit: 777,
        policy: Policy::default(),
        roles: Roles::default(),
        accounts: Vec::new(),
        made: String::new(),
        note: None,
    };
    let mut key = [0; 32];
    password::random(&mut key)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    seal(&content, &key).map_err(|_| NoRandom)
}

/// The content and its seal as one line of base64.
fn seal(content: &Content, key: &hmac::Key) -> serde_json::Result<String> {
    let content = serde_json::to_string(content)?;
    let mac = BASE64.encode(hmac::sign(key, content.as_bytes()));
    let line = serde_json::to_vec(&Sealed { content, mac })?;
    Ok(BASE64.encode(line))
}
