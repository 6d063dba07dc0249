//! The device's own certificate: asked for, installed, shown on every port with TLS, and forgotten again.
//!
//! The certificate that the device came with stays in its store, and is shown while no other one is installed.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal, StartError};
use crate::flaw::{Defect, FlawSet};
use crate::pki;
use crate::role::Permission;
use crate::store::{Durability, Store};

/// The key of the request that waits for its certificate.
const REQUESTED: &str = "pki/requested.key";
const INSTALLED_CHAIN: &str = "pki/installed.pem";
const INSTALLED_KEY: &str = "pki/installed.key";
/// The authorities whose certificates the device takes, by their names; its own is always one.
const AUTHORITIES: &str = "pki/authorities.json";
/// The most of them, and the most characters of a name.
const MOST: usize = 8;
const LONGEST_NAME: usize = 32;

type Authorities = BTreeMap<String, Vec<u8>>;

/// What is shown in handshakes.
#[derive(Debug)]
pub(crate) struct Shown {
    delivered: Arc<CertifiedKey>,
    installed: RwLock<Option<Arc<CertifiedKey>>>,
}

impl Shown {
    pub(crate) fn open(store: &Store) -> Result<Self, StartError> {
        let installed = if store.path(INSTALLED_CHAIN).exists() {
            Some(read(store, INSTALLED_CHAIN, INSTALLED_KEY)?)
        } else {
            None
        };
        Ok(Self {
            delivered: read(store, pki::SERVER_CHAIN, pki::SERVER_KEY)?,
            installed: RwLock::new(installed),
        })
    }

    /// What MQTT shows: the same as every other port, but for two flaws.
    pub(crate) fn by_mqtt(
        self: &Arc<Self>,
        store: &Store,
        serial: &str,
        flaws: &FlawSet,
    ) -> Result<Arc<dyn ResolvesServerCert>, StartError> {
        let fixed = |key| Arc::new(rustls::sign::SingleCertAndKey::from(key));
        if flaws.enabled(Defect::OneKeyByMqtt) {
            let (certificate, key) = pki::certify_built_in(store, serial)?;
            let chain = [certificate]
                .into_iter()
                .chain(self.delivered.cert.iter().skip(1).cloned());
            return Ok(fixed(certified(chain.collect(), &key)?));
        }
        if flaws.enabled(Defect::MqttKeepsCertificate) {
            return Ok(fixed(Arc::clone(&self.delivered)));
        }
        Ok(Arc::clone(self) as Arc<dyn ResolvesServerCert>)
    }

    fn now(&self) -> Arc<CertifiedKey> {
        let installed = self
            .installed
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(installed.as_ref().unwrap_or(&self.delivered))
    }

    fn set(&self, to: Option<Arc<CertifiedKey>>) {
        *self
            .installed
            .write()
            .unwrap_or_else(PoisonError::into_inner) = to;
    }

    fn is_delivered(&self) -> bool {
        Arc::ptr_eq(&self.now(), &self.delivered)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

fn read(store: &Store, chain: &str, key: &str) -> Result<Arc<CertifiedKey>, StartError> {
    let chain = CertificateDer::pem_file_iter(store.path(chain)).and_then(Iterator::collect);
    let key = PrivateKeyDer::from_pem_file(store.path(key)).map_err(unusable)?;
    certified(chain.map_err(unusable)?, &key)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'_>,
) -> Result<Arc<CertifiedKey>, StartError> {
    let key = any_supported_type(key).map_err(unusable)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

fn unusable(error: impl std::fmt::Display) -> StartError {
    StartError::Pki(error.to_string())
}

impl Controller {
    /// Makes a key, and a request for a certificate for it.
    pub(crate) fn request_certificate(&self, actor: &Actor) -> Result<String, Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let key = KeyPair::generate().map_err(|_| Refusal::BadValue)?;
        let mut params = pki::server(&self.plate.serial, pki::address_of(&self.store));
        // Who issues it knows best.
        params.use_authority_key_identifier_extension = false;
        let request = if self.flaws.enabled(Defect::RequestUnproven) {
            let signer = KeyPair::generate().map_err(|_| Refusal::BadValue)?;
            params.serialize_request(&Unproven {
                shown: &key,
                signer,
            })
        } else {
            params.serialize_request(&key)
        };
        let request = request.and_then(|request| request.pem());
        let request = request.map_err(|_| Refusal::BadValue)?;
        let pem = key.serialize_pem();
        self.store
            .write_bytes(REQUESTED, pem.as_bytes(), Durability::Synced)?;
        let kind = "certificate_request";
        self.record(actor, Category::Configuration, kind, true, "");
        Ok(request)
    }

    /// Takes a certificate for the key of the last request, and shows it from then on.
    pub(crate) fn install_certificate(&self, actor: &Actor, data: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let chain = BASE64.decode(data).map_err(|_| Refusal::BadValue)?;
        let Some((certified, key)) = self.fitting(&chain) else {
            let detail = "certificate refused";
            self.record(actor, Category::RequestError, "integrity", false, detail);
            return Err(Refusal::BadValue);
        };
        let renewed = !self.certificate.is_delivered();
        if !(renewed && self.flaws.enabled(Defect::RenewalIgnored)) {
            // The key first: a chain without its key would keep the device from starting.
            self.store
                .write_bytes(INSTALLED_KEY, key.as_bytes(), Durability::Synced)?;
            self.store
                .write_bytes(INSTALLED_CHAIN, &chain, Durability::Synced)?;
            self.certificate.set(Some(certified));
        }
        let kind = "certificate_install";
        self.record(actor, Category::Configuration, kind, true, "");
        Ok(())
    }

    /// Forgets the certificate that was installed: the one that the device came with is shown again.
    pub(crate) fn remove_certificate(&self, actor: &Actor) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        if self.certificate.is_delivered() {
            return Err(Refusal::BadValue);
        }
        self.store.remove(INSTALLED_CHAIN)?;
        self.store.remove(INSTALLED_KEY)?;
        self.certificate.set(None);
        let kind = "certificate_remove";
        self.record(actor, Category::Configuration, kind, true, "");
        Ok(())
    }

    /// A chain in PEM with the key of the last request, where they belong together and an authority that is trusted has
    /// issued the certificate.
    fn fitting(&self, chain: &[u8]) -> Option<(Arc<CertifiedKey>, String)> {
        let pem = self.store.read_bytes(REQUESTED).ok()??;
        let pem = String::from_utf8(pem).ok()?;
        let key = KeyPair::from_pem(&pem).ok()?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .ok()?;
        let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
        let own = leaf.public_key().raw == key.subject_public_key_info();
        let trusted = self.authorities().values().any(|authority| {
            X509Certificate::from_der(authority).is_ok_and(|(_, authority)| {
                leaf.issuer() == authority.subject()
                    && leaf.verify_signature(Some(authority.public_key())).is_ok()
            })
        });
        let fits = (own || self.flaws.enabled(Defect::CertificateForAnyKey))
            && (trusted || self.flaws.enabled(Defect::CertificateOfAnyAuthority));
        if !fits || leaf.is_ca() || !leaf.validity().is_valid() {
            return None;
        }
        let der = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
        Some((certified(chain.clone(), &der).ok()?, pem))
    }

    /// Trusts an authority for certificates of the device's own.
    pub(crate) fn trust_authority(
        &self,
        actor: &Actor,
        name: &str,
        data: &str,
    ) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let pem = BASE64.decode(data).map_err(|_| Refusal::BadValue)?;
        let der = CertificateDer::from_pem_slice(&pem).map_err(|_| Refusal::BadValue)?;
        let is_authority =
            X509Certificate::from_der(&der).is_ok_and(|(_, certificate)| certificate.is_ca());
        let mut authorities = self.added_authorities();
        if !is_authority || name.len() > LONGEST_NAME || authorities.len() >= MOST {
            return Err(Refusal::BadValue);
        }
        authorities.insert(name.to_owned(), der.to_vec());
        self.store
            .write(AUTHORITIES, &authorities, Durability::Synced)?;
        let kind = "authority_add";
        self.record(actor, Category::Configuration, kind, true, name);
        Ok(())
    }

    /// Trusts an authority no more.
    pub(crate) fn distrust_authority(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let mut authorities = self.added_authorities();
        authorities.remove(name).ok_or(Refusal::BadValue)?;
        if !self.flaws.enabled(Defect::DistrustIgnored) {
            self.store
                .write(AUTHORITIES, &authorities, Durability::Synced)?;
        }
        let kind = "authority_remove";
        self.record(actor, Category::Configuration, kind, true, name);
        Ok(())
    }

    fn added_authorities(&self) -> Authorities {
        let stored = self.store.read(AUTHORITIES);
        stored.ok().flatten().unwrap_or_default()
    }

    fn authorities(&self) -> Authorities {
        let mut all = self.added_authorities();
        if let Ok(own) = CertificateDer::from_pem_file(self.store.path(pki::CA)) {
            all.insert(String::new(), own.to_vec());
        }
        all
    }
}

/// The flaw `request-unproven`: a request for one key, signed with another.
struct Unproven<'k> {
    shown: &'k KeyPair,
    signer: KeyPair,
}

impl PublicKeyData for Unproven<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.shown.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        PublicKeyData::algorithm(self.shown)
    }
}

impl SigningKey for Unproven<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        SigningKey::sign(&self.signer, message)
    }
}
