//! A TLS session as a client, by RFC 8446 and RFC 5246.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::line::{Keys, Line, LineError};

/// A TLS session.
pub type TlsLine = TlsStream<Line>;

/// A certificate chain and its key, as a client shows it.
#[derive(Debug)]
pub struct Identity {
    /// The chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl Identity {
    /// Reads PEM files.
    ///
    /// # Errors
    /// A file that is missing or holds no certificate or key.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, LineError> {
        Ok(Self {
            chain: read_certificates(chain)?,
            key: PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unusable(key, &error.to_string()))?,
        })
    }
}

/// How a session is opened.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// The name that the device's certificate has to have: a host name or an IP address.
    pub server_name: String,
    /// The authority that the device's certificate is verified against; without one, any certificate is taken.
    pub roots: Option<PathBuf>,
    /// Who the bench is.
    pub identity: Option<Identity>,
    /// Where the session's keys go, if anywhere.
    pub keys: Option<Keys>,
}

/// What a handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version.
    pub version: String,
    /// The cipher suite.
    pub suite: String,
    /// The device's certificate chain, DER, leaf first.
    pub chain: Vec<Vec<u8>>,
}

/// Opens a session over a line. `address` is for messages, `limit` bounds the handshake.
///
/// # Errors
/// [`LineError::PeerAlert`] where the device says no, [`LineError::PeerTls`] where its certificate does not verify or
/// its TLS is none, [`LineError::OurTls`] where the bench's own files are not usable.
pub async fn open_tls(
    line: Line,
    address: &str,
    settings: &TlsSettings,
    limit: Duration,
) -> Result<(TlsLine, TlsFacts), LineError> {
    let config = configuration(settings, &Proof::default(), false)?;
    let stream = handshake(line, address, settings, config, limit).await?;
    let (_, connection) = stream.get_ref();
    let facts = TlsFacts {
        version: connection
            .protocol_version()
            .map(|it| format!("{it:?}"))
            .unwrap_or_default(),
        suite: connection
            .negotiated_cipher_suite()
            .map(|it| format!("{:?}", it.suite()))
            .unwrap_or_default(),
        chain: connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect(),
    };
    Ok((stream, facts))
}

/// The key of a device's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownKey {
    /// SHA-256 of the public key with its algorithm, in hexadecimal digits.
    pub fingerprint: String,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
}

/// The key that a device proves to hold in a handshake (its signature is verified), whether it then lets the client in or
/// not.
///
/// # Errors
/// As [`open_tls`], where it proved none.
pub async fn shown_key(
    line: Line,
    address: &str,
    settings: &TlsSettings,
    limit: Duration,
) -> Result<ShownKey, LineError> {
    let proof = Proof::default();
    let config = configuration(settings, &proof, false)?;
    let ended = handshake(line, address, settings, config, limit).await;
    let Some(certificate) = proof.get() else {
        ended?;
        return Err(LineError::PeerTls {
            address: address.to_owned(),
            why: "it showed no certificate".to_owned(),
        });
    };
    let (_, read) = X509Certificate::from_der(certificate).map_err(|error| LineError::PeerTls {
        address: address.to_owned(),
        why: error.to_string(),
    })?;
    Ok(ShownKey {
        fingerprint: fingerprint(read.public_key().raw),
        certificate: certificate.to_vec(),
    })
}

/// SHA-256 in hexadecimal digits.
pub fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The leaf of a chain in PEM, DER; none where it holds no certificate.
pub fn first_certificate(chain: &str) -> Option<Vec<u8>> {
    let first = CertificateDer::pem_slice_iter(chain.as_bytes()).next()?;
    Some(first.ok()?.to_vec())
}

async fn handshake(
    line: Line,
    address: &str,
    settings: &TlsSettings,
    config: ClientConfig,
    limit: Duration,
) -> Result<TlsLine, LineError> {
    let name = server_name(settings)?;
    let connector = TlsConnector::from(Arc::new(config));
    match timeout(limit, connector.connect(name, line)).await {
        Err(_) => Err(LineError::TimedOut {
            address: address.to_owned(),
            limit,
        }),
        Ok(Err(error)) => Err(tls_error(address, error)),
        Ok(Ok(stream)) => Ok(stream),
    }
}

/// The name that the device's certificate has to have.
pub(super) fn server_name(settings: &TlsSettings) -> Result<ServerName<'static>, LineError> {
    ServerName::try_from(settings.server_name.clone()).map_err(|error| LineError::OurTls {
        what: format!("the server name `{}`", settings.server_name),
        why: error.to_string(),
    })
}

/// Names an error of a TLS session: what the peer did, apart from what is ours.
pub(crate) fn tls_error(address: &str, error: std::io::Error) -> LineError {
    let address = address.to_owned();
    if let Some(alert) = alert(&error) {
        return LineError::PeerAlert { address, alert };
    }
    match cause(&error) {
        Some(other) => LineError::PeerTls {
            address,
            why: other.to_string(),
        },
        None if crate::line::is_link_down(&error) => LineError::PeerAlert {
            address,
            alert: "it closed the connection".to_owned(),
        },
        None => LineError::Io {
            address,
            source: error,
        },
    }
}

/// The alert by which the peer ended a session, if that is what an error says.
pub(crate) fn alert(error: &std::io::Error) -> Option<String> {
    match cause(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(format!("alert {alert:?}")),
        _ => None,
    }
}

fn cause(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// How a session is configured; `old` offers TLS 1.2 alone.
pub(super) fn configuration(
    settings: &TlsSettings,
    proof: &Proof,
    old: bool,
) -> Result<ClientConfig, LineError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = match old {
        true => &[&rustls::version::TLS12],
        false => rustls::DEFAULT_VERSIONS,
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| ours("TLS", &error))?;
    let builder = match &settings.roots {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(path, &error.to_string()))?;
            }
            builder.with_root_certificates(roots)
        }
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(
                provider,
                Arc::clone(proof),
            ))),
    };
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|error| ours("the client certificate", &error))?,
    };
    // Every session of a test stands for itself.
    config.resumption = rustls::client::Resumption::disabled();
    if let Some(keys) = &settings.keys {
        config.key_log = Arc::new(keys.clone());
    }
    Ok(config)
}

pub(super) fn ours(what: &str, error: &rustls::Error) -> LineError {
    LineError::OurTls {
        what: what.to_owned(),
        why: error.to_string(),
    }
}

fn unusable(path: &Path, why: &str) -> LineError {
    LineError::OurTls {
        what: path.display().to_string(),
        why: why.to_owned(),
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LineError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(unusable(path, "it holds no certificate")),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

/// Takes any certificate, so that a device with a bad one can be tested in all else. The signature of the handshake is
/// still verified: the device has the key of what it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>, Proof);

/// The certificate whose key the peer has signed the handshake with.
pub(super) type Proof = Arc<OnceLock<CertificateDer<'static>>>;

impl AnyCertificate {
    fn proven(
        &self,
        certificate: &CertificateDer<'_>,
        verified: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if verified.is_ok() {
            let _ = self.1.set(certificate.clone().into_owned());
        }
        verified
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        let verified = verify_tls12_signature(message, certificate, signature, known);
        self.proven(certificate, verified)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        let verified = verify_tls13_signature(message, certificate, signature, known);
        self.proven(certificate, verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
