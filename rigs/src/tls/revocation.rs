//! Lists of revoked certificates (RFC 5280 section 5): sound ones, and such as no device may believe.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevocationReason,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pki::{Authority, pem_of, unusable};
use super::session::Identity;
use crate::line::LineError;

/// What is wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFault {
    /// Nothing.
    None,
    /// Its signature is altered; all else is intact.
    BadSignature,
    /// It is in the authority's name, and signed by somebody else's key.
    ForeignKey,
}

impl ListFault {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "a list of the right authority",
            Self::BadSignature => "a list with an altered signature",
            Self::ForeignKey => "a list in the authority's name that somebody else has signed",
        }
    }
}

/// The bench's clock and the device's may differ a little: a list is dated back by this much, in seconds.
const AGE: u64 = 60;
/// When the last list was dated, in seconds since 1970.
static LAST: AtomicU64 = AtomicU64::new(0);

/// The date of a new list. No two are alike: a device may go by the list of the latest date, and dates have whole seconds.
fn next_date() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    growing(&LAST, now.as_secs().saturating_sub(AGE))
}

/// This number, or the next one after the last that was given out.
pub(super) fn growing(last: &AtomicU64, wanted: u64) -> u64 {
    let next = |last: u64| wanted.max(last.saturating_add(1));
    let before = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        Some(next(last))
    });
    next(before.unwrap_or_else(|last| last))
}

impl Authority {
    /// A list, in PEM, of these certificates of the authority and of no others.
    ///
    /// # Errors
    /// The authority may sign no lists, or the system has no random numbers.
    pub fn revoke(&self, revoked: &[&Identity], fault: ListFault) -> Result<String, LineError> {
        let refused = |error: rcgen::Error| unusable("a list of revoked certificates", &error);
        let date = next_date();
        let issued = date_time_ymd(1970, 1, 1) + Duration::from_secs(date);
        let mut certificates = Vec::new();
        for identity in revoked {
            certificates.push(RevokedCertParams {
                serial_number: serial(&identity.chain[0])?,
                revocation_time: issued,
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            });
        }
        let params = CertificateRevocationListParams {
            this_update: issued,
            // It stays on the device, which may take nobody by a list that is out of date.
            next_update: date_time_ymd(2099, 1, 1),
            // It has to grow from list to list (section 5.2.3).
            crl_number: SerialNumber::from(date),
            issuing_distribution_point: None,
            revoked_certs: certificates,
            key_identifier_method: key_identifier(&self.certificate)?,
        };
        let list = if fault == ListFault::ForeignKey {
            let key = KeyPair::generate().map_err(refused)?;
            let forger = Issuer::from_ca_cert_der(&self.certificate, key).map_err(refused)?;
            params.signed_by(&forger)
        } else {
            params.signed_by(&self.issuer)
        };
        let mut der = list.map_err(refused)?.der().to_vec();
        if fault == ListFault::BadSignature
            && let Some(last) = der.last_mut()
        {
            // The signature is the last member of the list.
            *last ^= 0x01;
        }
        Ok(pem_of("X509 CRL", &der))
    }
}

fn serial(certificate: &CertificateDer<'_>) -> Result<SerialNumber, LineError> {
    let read = parse(certificate)?;
    Ok(SerialNumber::from_slice(read.raw_serial()))
}

/// The key identifier that an authority's certificate states: whoever looks for its list may compare it.
fn key_identifier(certificate: &CertificateDer<'_>) -> Result<KeyIdMethod, LineError> {
    let read = parse(certificate)?;
    let stated = read
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
    Ok(stated.map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified))
}

fn parse<'c>(certificate: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, LineError> {
    X509Certificate::from_der(certificate)
        .map(|(_, read)| read)
        .map_err(|error| unusable("a certificate", &error))
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::CertificateRevocationList;

    use super::*;
    use crate::tls::pki::Fault;

    #[test]
    fn a_list_names_what_is_revoked_and_verifies_unless_it_is_forged() {
        let authority = Authority::foreign().unwrap();
        let [revoked, sister] = [(); 2].map(|()| authority.issue("Operator", Fault::None).unwrap());
        for fault in [
            ListFault::None,
            ListFault::BadSignature,
            ListFault::ForeignKey,
        ] {
            let text = authority.revoke(&[&revoked], fault).unwrap();
            let der = pem::parse(&text).unwrap();
            let (_, list) = CertificateRevocationList::from_der(der.contents()).unwrap();
            let issuer = parse(&authority.certificate).unwrap();
            assert_eq!(list.issuer(), issuer.subject());
            let listed: Vec<_> = list
                .iter_revoked_certificates()
                .map(|one| one.raw_serial().to_vec())
                .collect();
            assert_eq!(listed, [serial(&revoked.chain[0]).unwrap().to_bytes()]);
            assert_ne!(listed, [serial(&sister.chain[0]).unwrap().to_bytes()]);
            let verified = list.verify_signature(issuer.public_key()).is_ok();
            assert_eq!(verified, fault == ListFault::None, "{fault:?}");
        }
    }
}
