//! The list of revoked client certificates (RFC 5280 section 5): one of the device's own authority, or none.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::flaw::{Defect, FlawSet};
use crate::pki;
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

const LIST: &str = "pki/revoked.crl";

/// What the device goes by.
#[derive(Debug)]
pub(crate) struct Revocations {
    /// Serial numbers.
    listed: RwLock<BTreeSet<Vec<u8>>>,
    ignored: bool,
}

impl Revocations {
    /// Reads the list that was taken last.
    pub(crate) fn open(store: &Store, flaws: &FlawSet) -> Result<Self, StoreError> {
        let mut stored = store.read_bytes(LIST)?;
        if flaws.enabled(Defect::RevocationsForgotten) {
            stored = None;
        }
        let listed = stored.and_then(|list| serials(&list, None));
        Ok(Self {
            listed: RwLock::new(listed.unwrap_or_default()),
            ignored: flaws.enabled(Defect::RevocationsIgnored),
        })
    }

    /// Whether a certificate was revoked.
    pub(crate) fn revoke(&self, certificate: &[u8]) -> bool {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        !self.ignored
            && X509Certificate::from_der(certificate)
                .is_ok_and(|(_, certificate)| listed.contains(certificate.raw_serial()))
    }
}

/// The serial numbers of a list in PEM; none where it has another form, or is not of the authority that it has to be of.
fn serials(list: &[u8], authority: Option<&[u8]>) -> Option<BTreeSet<Vec<u8>>> {
    let list = CertificateRevocationListDer::from_pem_slice(list).ok()?;
    let (_, list) = CertificateRevocationList::from_der(&list).ok()?;
    if let Some(authority) = authority {
        let (_, authority) = X509Certificate::from_der(authority).ok()?;
        list.verify_signature(authority.public_key()).ok()?;
    }
    let listed = list.iter_revoked_certificates();
    Some(listed.map(|one| one.raw_serial().to_vec()).collect())
}

impl Controller {
    /// Takes a list of revoked certificates in place of the one before.
    pub(crate) fn load_revocations(&self, actor: &Actor, data: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let list = BASE64.decode(data).map_err(|_| Refusal::BadValue)?;
        let authority = CertificateDer::from_pem_file(self.store.path(pki::CA));
        let authority = authority.map_err(|_| Refusal::BadValue)?;
        let any = self.flaws.enabled(Defect::RevocationsAnySigner);
        let Some(listed) = serials(&list, (!any).then_some(&authority)) else {
            let detail = "list of revoked certificates refused";
            self.record(actor, Category::RequestError, "integrity", false, detail);
            return Err(Refusal::BadValue);
        };
        self.store.write_bytes(LIST, &list, Durability::Synced)?;
        let count = format!("{} listed", listed.len());
        let before = &self.revocations.listed;
        *before.write().unwrap_or_else(PoisonError::into_inner) = listed;
        self.record(actor, Category::Configuration, "revocations", true, &count);
        Ok(())
    }
}
