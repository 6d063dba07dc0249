//! Client certificates that are wrong in one thing, and right ones beside them.

use std::path::Path;

use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::session::Identity;
use crate::line::LineError;

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the control.
    None,
    /// It is signed by its own key.
    SelfSigned,
    /// It is signed by an authority that the device does not know.
    ForeignAuthority,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Its signature is altered; all else is intact.
    BadSignature,
    /// It may be used by servers only.
    ServerOnly,
    /// It was issued by a client's certificate, which is no authority's.
    IssuedByClient,
    /// It has no role.
    NoRole,
    /// It has the role extension twice.
    TwoRoles,
    /// Its role is an IA5String, where a UTF8String is asked for.
    RoleAsIa5String,
    /// Its role stands under a neighbouring object identifier.
    RoleElsewhere,
}

impl Fault {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "a certificate of the right authority",
            Self::SelfSigned => "a self-signed certificate",
            Self::ForeignAuthority => "a certificate of a foreign authority",
            Self::Expired => "an expired certificate",
            Self::NotYetValid => "a certificate that is not valid yet",
            Self::BadSignature => "a certificate with an altered signature",
            Self::ServerOnly => "a certificate that is for servers only",
            Self::IssuedByClient => "a certificate issued by a client's certificate",
            Self::NoRole => "a certificate without a role",
            Self::TwoRoles => "a certificate with two roles",
            Self::RoleAsIa5String => "a certificate whose role is an IA5String",
            Self::RoleElsewhere => {
                "a certificate whose role stands under another object identifier"
            }
        }
    }

    /// Whether an authority is needed to make it that the device trusts.
    pub fn needs_issuer(self) -> bool {
        !matches!(self, Self::SelfSigned | Self::ForeignAuthority)
    }
}

/// The extension that holds a Modbus client's role: Modbus/TCP Security, section "role-based client authorization".
const ROLE: [u64; 9] = [1, 3, 6, 1, 4, 1, 50316, 802, 1];
/// Its neighbour, which means nothing.
const BESIDE_ROLE: [u64; 9] = [1, 3, 6, 1, 4, 1, 50316, 802, 2];
/// ASN.1 tags.
const UTF8_STRING: u8 = 0x0C;
const IA5_STRING: u8 = 0x16;

/// An authority that issues client certificates.
pub struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
}

impl Authority {
    /// Reads an authority's certificate and key, both PEM.
    ///
    /// # Errors
    /// A file that is missing, or holds something else.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, LineError> {
        let unreadable =
            |error: &dyn std::fmt::Display| unusable(&certificate.display().to_string(), error);
        let read =
            CertificateDer::from_pem_file(certificate).map_err(|error| unreadable(&error))?;
        let issuer =
            Issuer::from_ca_cert_der(&read, read_key(key)?).map_err(|error| unreadable(&error))?;
        Ok(Self {
            issuer,
            certificate: read,
        })
    }

    /// A new authority that nobody knows.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn foreign() -> Result<Self, LineError> {
        Self::new("Foreign CA")
    }

    /// A new authority of this name.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(name: &str) -> Result<Self, LineError> {
        let key = KeyPair::generate().map_err(|error| unusable("a new key", &error))?;
        let mut params = named(name)?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2099, 1, 1);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params
            .self_signed(&key)
            .map_err(|error| unusable("a new certificate", &error))?;
        Ok(Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Issues a client certificate with a role and a fault.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn issue(&self, role: &str, fault: Fault) -> Result<Identity, LineError> {
        if fault == Fault::IssuedByClient {
            return self.issue_by_client(role);
        }
        let key = KeyPair::generate().map_err(|error| unusable("a new key", &error))?;
        let mut params = named("slcert client")?;
        params.extended_key_usages = vec![match fault {
            Fault::ServerOnly => ExtendedKeyUsagePurpose::ServerAuth,
            _ => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2099, 1, 1);
        match fault {
            Fault::Expired => params.not_after = date_time_ymd(2021, 1, 1),
            Fault::NotYetValid => params.not_before = date_time_ymd(2098, 1, 1),
            _ => {}
        }
        params.custom_extensions = match fault {
            Fault::NoRole => Vec::new(),
            Fault::TwoRoles => vec![
                extension(&ROLE, UTF8_STRING, role),
                extension(&ROLE, UTF8_STRING, "Other"),
            ],
            Fault::RoleAsIa5String => vec![extension(&ROLE, IA5_STRING, role)],
            Fault::RoleElsewhere => vec![extension(&BESIDE_ROLE, UTF8_STRING, role)],
            _ => vec![extension(&ROLE, UTF8_STRING, role)],
        };
        let made = if fault == Fault::SelfSigned {
            params.self_signed(&key)
        } else {
            params.signed_by(&key, &self.issuer)
        };
        let certificate = made.map_err(|error| unusable("a new certificate", &error))?;
        let mut der = certificate.der().to_vec();
        if fault == Fault::BadSignature
            && let Some(last) = der.last_mut()
        {
            // The signature is the last member of the certificate; its last byte is the low end of ECDSA's `s`.
            *last ^= 0x01;
        }
        Ok(Identity {
            chain: vec![CertificateDer::from(der)],
            key: PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

impl Authority {
    /// A certificate whose issuer is a client of this authority: its chain has that client's certificate.
    fn issue_by_client(&self, role: &str) -> Result<Identity, LineError> {
        let client = self.issue(role, Fault::None)?;
        let key = KeyPair::try_from(&client.key).map_err(|error| unusable("a key", &error))?;
        let issuer = Issuer::from_ca_cert_der(&client.chain[0], key)
            .map_err(|error| unusable("a client's certificate", &error))?;
        let client_as_authority = Self {
            issuer,
            certificate: client.chain[0].clone(),
        };
        let mut identity = client_as_authority.issue(role, Fault::None)?;
        identity.chain.extend(client.chain);
        Ok(identity)
    }
}

/// Reads a private key: PKCS#8, or the SEC1 form that `openssl ecparam` writes.
fn read_key(path: &Path) -> Result<KeyPair, LineError> {
    let refused = |error: &dyn std::fmt::Display| unusable(&path.display().to_string(), error);
    let der = PrivateKeyDer::from_pem_file(path).map_err(|error| refused(&error))?;
    let der = match der {
        PrivateKeyDer::Sec1(key) => {
            let wrapped = pkcs8_of_sec1(key.secret_sec1_der());
            let wrapped =
                wrapped.ok_or_else(|| refused(&"its curve is neither P-256 nor P-384"))?;
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(wrapped))
        }
        other => other,
    };
    KeyPair::try_from(&der).map_err(|error| refused(&error))
}

/// An EC key of RFC 5915 as a PKCS#8 key of RFC 5208; none if its curve is not known.
fn pkcs8_of_sec1(sec1: &[u8]) -> Option<Vec<u8>> {
    const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    const CURVES: [&[u8]; 2] = [
        &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
        &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22],
    ];
    let curve = CURVES
        .into_iter()
        .find(|curve| crate::line::find(sec1, curve).is_some())?;
    let mut content = vec![0x02, 0x01, 0x00];
    content.extend(tagged(0x30, &[EC_PUBLIC_KEY, curve].concat()));
    content.extend(tagged(0x04, sec1));
    Some(tagged(0x30, &content))
}

/// DER: a tag, the content's length, and the content, which is shorter than 64 KiB.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match content.len() {
        short @ ..0x80 => der.push(short as u8),
        middle @ 0x80..0x100 => der.extend([0x81, middle as u8]),
        long => {
            der.push(0x82);
            der.extend((long as u16).to_be_bytes());
        }
    }
    der.extend_from_slice(content);
    der
}

fn named(name: &str) -> Result<CertificateParams, LineError> {
    let mut params =
        CertificateParams::new(Vec::new()).map_err(|error| unusable("a certificate", &error))?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn extension(oid: &[u64], tag: u8, role: &str) -> CustomExtension {
    let role = &role.as_bytes()[..role.len().min(100)];
    let mut content = vec![tag, role.len() as u8];
    content.extend_from_slice(role);
    CustomExtension::from_oid_content(oid, content)
}

/// Text in PEM, with plain ends of lines.
pub(super) fn pem_of(tag: &str, der: &[u8]) -> String {
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new(tag, der), lines)
}

pub(super) fn unusable(what: &str, error: &dyn std::fmt::Display) -> LineError {
    LineError::OurTls {
        what: what.to_owned(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::find;

    #[test]
    fn a_role_is_a_utf8_string_under_its_own_identifier() {
        let identity = Authority::foreign()
            .unwrap()
            .issue("Operator", Fault::None)
            .unwrap();
        // 1.3.6.1.4.1.50316.802.1 in DER, then an OCTET STRING with the UTF8String in it.
        let der = b"\x06\x0b\x2b\x06\x01\x04\x01\x83\x89\x0c\x86\x22\x01\x04\x0a\x0c\x08Operator";
        assert!(find(&identity.chain[0], der).is_some());
    }

    #[test]
    fn an_altered_signature_leaves_all_else_intact() {
        let authority = Authority::foreign().unwrap();
        let identity = authority.issue("Operator", Fault::BadSignature).unwrap();
        assert!(find(&identity.chain[0], b"Operator").is_some());
    }
}
