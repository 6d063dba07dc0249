//! Configurations made elsewhere: text with a signature, taken as a whole or not at all.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal, StartError, State, Write};
use crate::firmware::Signer;
use crate::flaw::Defect;
use crate::process::Point;
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

const FIRST_LINE: &str = "TC-100 configuration";
/// The key of the engineering station that the device takes configurations from.
const TRUSTED: &str = "engineering.json";
/// The roots that the device's owner has provisioned, by their names.
const OWNERS: &str = "owners.json";
/// The most roots, and the most characters of a root's name.
const MOST: usize = 8;
const LONGEST_NAME: usize = 32;
/// Bytes of a root: an ed25519 public key.
const ROOT: usize = 32;

type Owners = BTreeMap<String, Vec<u8>>;

/// What a configuration sets.
struct Configuration<'t> {
    limit: Option<u16>,
    policy: Vec<(&'t str, &'t str)>,
    signer: Vec<u8>,
}

/// A configuration, signed.
pub(crate) fn sealed(settings: &str, signer: &Signer) -> String {
    signed(&format!("{FIRST_LINE}\n{settings}"), signer)
}

/// A text with who signed it, and the signature over both.
pub(crate) fn signed(text: &str, signer: &Signer) -> String {
    let key = BASE64.encode(signer.public());
    let signed = format!("{text}\nsigner={key}\n");
    let signature = BASE64.encode(signer.sign(signed.as_bytes()));
    format!("{signed}signature={signature}\n")
}

/// What the flaw `owner-root-forgotten` does at a start.
pub(crate) fn forget_owners(store: &Store) -> Result<(), StoreError> {
    store.write(OWNERS, &Owners::new(), Durability::Synced)
}

/// Writes down whose configurations the device takes.
pub(crate) fn trust(store: &Store, signer: &Signer) -> Result<(), StartError> {
    Ok(store.write(TRUSTED, &signer.public(), Durability::Synced)?)
}

/// Whether a key is the engineering station's.
pub(crate) fn is_trusted(store: &Store, signer: &[u8]) -> bool {
    let trusted: Option<Vec<u8>> = store.read(TRUSTED).ok().flatten();
    trusted.is_some_and(|trusted| trusted == signer)
}

/// Reads the settings; none where the text has another form.
fn parse(signed: &str) -> Option<Configuration<'_>> {
    let mut lines = signed.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let mut configuration = Configuration {
        limit: None,
        policy: Vec::new(),
        signer: Vec::new(),
    };
    for line in lines {
        let (key, value) = line.split_once('=')?;
        match key {
            "limit" => configuration.limit = Some(value.parse().ok()?),
            "signer" => configuration.signer = BASE64.decode(value).ok()?,
            _ => configuration.policy.push((key, value)),
        }
    }
    Some(configuration)
}

impl Controller {
    /// Takes a configuration that the engineering station has signed.
    pub(crate) fn import(&self, actor: &Actor, data: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::WriteConfig)?;
        let bytes = BASE64.decode(data).unwrap_or_default();
        let whole = String::from_utf8(bytes).unwrap_or_default();
        let Some((configuration, genuine)) = self.inspect(&whole) else {
            return self.refuse_import(actor, "form");
        };
        if !genuine {
            if self.flaws.enabled(Defect::ImportRefusedButApplied) {
                self.take(actor, &configuration)?;
            }
            self.stage(configuration.limit)?;
            return self.refuse_import(actor, "signature");
        }
        self.take(actor, &configuration)?;
        self.record(actor, Category::Configuration, "import", true, "");
        Ok(())
    }

    /// What the text sets, and whether its signature is right.
    fn inspect<'t>(&self, whole: &'t str) -> Option<(Configuration<'t>, bool)> {
        let at = whole.rfind("signature=")?;
        let (signed, signature) = whole.split_at(at);
        let configuration = parse(signed)?;
        let owned = self
            .owners()
            .values()
            .any(|root| *root == configuration.signer)
            && !self.flaws.enabled(Defect::OwnerRootIgnored);
        let known = is_trusted(&self.store, &configuration.signer)
            || owned
            || self.flaws.enabled(Defect::ImportAnySigner);
        let signature = signature
            .strip_prefix("signature=")
            .and_then(|text| text.strip_suffix('\n'))
            .and_then(|text| BASE64.decode(text).ok())
            .unwrap_or_default();
        let genuine = UnparsedPublicKey::new(&ED25519, &configuration.signer)
            .verify(signed.as_bytes(), &signature)
            .is_ok();
        Some((configuration, known && genuine))
    }

    /// Takes a root of trust of the owner's, whose configurations are taken from then on.
    pub(crate) fn add_root(&self, actor: &Actor, name: &str, data: &str) -> Result<(), Refusal> {
        if !self.flaws.enabled(Defect::OwnerRootByAnyone) {
            self.require(actor, Permission::ManageTrust)?;
        }
        let root = BASE64.decode(data).map_err(|_| Refusal::BadValue)?;
        let mut owners = self.owners();
        if root.len() != ROOT || name.len() > LONGEST_NAME || owners.len() >= MOST {
            return Err(Refusal::BadValue);
        }
        owners.insert(name.to_owned(), root);
        self.store.write(OWNERS, &owners, Durability::Synced)?;
        self.record(actor, Category::Configuration, "trust_add", true, name);
        Ok(())
    }

    /// Forgets a root of trust of the owner's.
    pub(crate) fn remove_root(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let mut owners = self.owners();
        owners.remove(name).ok_or(Refusal::BadValue)?;
        self.store.write(OWNERS, &owners, Durability::Synced)?;
        self.record(actor, Category::Configuration, "trust_remove", true, name);
        Ok(())
    }

    fn owners(&self) -> Owners {
        self.store.read(OWNERS).ok().flatten().unwrap_or_default()
    }

    fn refuse_import(&self, actor: &Actor, why: &str) -> Result<(), Refusal> {
        if !self.flaws.enabled(Defect::TamperingUnrecorded) {
            let detail = format!("configuration refused, {why}");
            self.record(actor, Category::RequestError, "integrity", false, &detail);
        }
        Err(Refusal::BadValue)
    }

    fn take(&self, actor: &Actor, configuration: &Configuration<'_>) -> Result<(), Refusal> {
        let limit = configuration.limit;
        if limit.is_some_and(|limit| !Point::Limit.accepts(limit)) {
            return Err(Refusal::BadValue);
        }
        self.change(|state: &mut State| {
            for (key, value) in &configuration.policy {
                state.policy.set(key, value)?;
            }
            Ok(())
        })?;
        match limit {
            Some(limit) => self.apply(actor, &[Write::Point(Point::Limit, limit)]),
            None => Ok(()),
        }
    }
}
