//! Which client certificates are taken: those of the device's CA, within their time and not revoked. Four flaws take more.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::unreadable;
use crate::controller::{Controller, StartError};
use crate::flaw::Defect;
use crate::revocation::Revocations;

#[derive(Debug)]
pub(super) struct Verifier {
    sound: Arc<dyn ClientCertVerifier>,
    revocations: Arc<Revocations>,
    takes_any: bool,
    takes_expired: bool,
    takes_any_usage: bool,
    takes_any_issuer: bool,
}

impl Verifier {
    pub(super) fn new(
        authorities: Vec<CertificateDer<'static>>,
        controller: &Controller,
    ) -> Result<Self, StartError> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(unreadable)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let sound = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(unreadable)?;
        let flaws = &controller.flaws;
        Ok(Self {
            sound,
            revocations: Arc::clone(&controller.revocations),
            takes_any: flaws.enabled(Defect::AnyClientCertificate),
            takes_expired: flaws.enabled(Defect::ExpiredClientCertificate),
            takes_any_usage: flaws.enabled(Defect::ServerCertificateAsClient),
            takes_any_issuer: flaws.enabled(Defect::ClientAsAuthority),
        })
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        if self.takes_any {
            &[]
        } else {
            self.sound.root_hint_subjects()
        }
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.takes_any {
            return Ok(ClientCertVerified::assertion());
        }
        let verified = match self
            .sound
            .verify_client_cert(certificate, intermediates, now)
        {
            Err(Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) if self.takes_expired => {
                let then = last_valid(certificate).unwrap_or(now);
                self.sound
                    .verify_client_cert(certificate, intermediates, then)
            }
            Err(Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
            )) if self.takes_any_usage => Ok(ClientCertVerified::assertion()),
            // The chain is longer than its authority allows, and each signature in it is right.
            Err(_) if self.takes_any_issuer && !intermediates.is_empty() => {
                self.sound.verify_client_cert(&intermediates[0], &[], now)
            }
            result => result,
        };
        match verified {
            Ok(_) if self.revocations.revoke(certificate) => {
                Err(Error::InvalidCertificate(CertificateError::Revoked))
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.sound
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.sound
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.sound.supported_verify_schemes()
    }
}

/// A moment at which a certificate was still valid.
fn last_valid(certificate: &[u8]) -> Option<UnixTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let end = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(
        end.saturating_sub(1),
    )))
}
