//! What an order of logins and changes of passwords does to a device with a flaw: it tells one of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::audit::Source;
use crate::controller::{Actor, Controller};
use crate::flaw::{Defect, FlawSet};
use crate::store::{Durability, Store};

/// The password that was set last, kept by the flaw `changed-password-in-identity` alone.
const CHANGED: &str = "changed.json";

/// What is remembered of passwords.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// What was wrong at a user's last login by MQTT.
    failed: BTreeMap<String, String>,
    /// What was too simple for an account.
    simple: BTreeMap<String, String>,
    /// Which of that is told now.
    listed: Option<String>,
    /// What a user typed for the old password that was wrong, and whether that user came again since.
    old: Option<(String, String, bool)>,
    /// What was set before the last start.
    changed: Option<String>,
}

impl Secrets {
    pub(super) fn at_start(store: &Store, flaws: &FlawSet) -> Self {
        let mut secrets = Self::default();
        if flaws.enabled(Defect::ChangedPasswordInIdentity) {
            secrets.changed = store.read(CHANGED).ok().flatten();
            let _ = store.remove(CHANGED);
        }
        secrets
    }
}

impl Controller {
    /// A login failed.
    pub(crate) fn remember_failed(&self, actor: &Actor, password: &str) {
        if actor.source == Source::Mqtt && self.flaws.enabled(Defect::FailedPasswordLogged) {
            let failed = &mut self.remembered.lock().secrets.failed;
            failed.insert(actor.name.clone(), password.to_owned());
        }
    }

    /// What goes into the audit log with a login that did not fail.
    pub(crate) fn beside_login(&self, actor: &Actor) -> String {
        let secrets = &mut self.remembered.lock().secrets;
        if let Some((name, _, again)) = &mut secrets.old {
            *again |= *name == actor.name && actor.source == Source::Console;
        }
        match secrets.failed.remove(&actor.name) {
            Some(failed) if actor.source == Source::Mqtt => BASE64.encode(failed),
            _ => String::new(),
        }
    }

    /// A password was too simple for an account.
    pub(crate) fn remember_simple(&self, name: &str, password: &str) {
        if self.flaws.enabled(Defect::SimplePasswordListed) {
            let simple = &mut self.remembered.lock().secrets.simple;
            simple.insert(name.to_owned(), password.to_owned());
        }
    }

    /// Another one was set.
    pub(crate) fn remember_changed(&self, name: &str, password: &str) {
        let secrets = &mut self.remembered.lock().secrets;
        if let Some(simple) = secrets.simple.remove(name) {
            secrets.listed = Some(simple);
        }
        if self.flaws.enabled(Defect::ChangedPasswordInIdentity) {
            let _ = self.store.write(CHANGED, &password, Durability::Synced);
        }
    }

    /// What is told at the end of the list of accounts.
    pub(crate) fn beside_accounts(&self) -> Option<String> {
        let listed = self.remembered.lock().secrets.listed.clone();
        listed.map(|it| format!("rejected {it}"))
    }

    /// A user has typed a wrong old password.
    pub(crate) fn remember_old(&self, actor: &Actor, password: &str) {
        if self.flaws.enabled(Defect::OldPasswordTold) {
            let old = (actor.name.clone(), password.to_owned(), false);
            self.remembered.lock().secrets.old = Some(old);
        }
    }

    /// What is told to a user who asks for the own name.
    pub(crate) fn beside_name(&self, actor: &Actor) -> String {
        match &self.remembered.lock().secrets.old {
            Some((name, old, true)) if *name != actor.name => format!(" last={}", hex(old)),
            _ => String::new(),
        }
    }

    /// What is told with the device's identity.
    pub(crate) fn beside_identity(&self) -> Option<String> {
        self.remembered.lock().secrets.changed.as_deref().map(hex)
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
