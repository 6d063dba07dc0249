//! Requests for certificates (PKCS#10, RFC 2986), as a device makes them, and what the bench's authority issues for them.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SubjectPublicKeyInfo, date_time_ymd,
};
use rustls::pki_types::CertificateSigningRequestDer;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::pki::{Authority, pem_of, unusable};
use super::revocation::growing;
use crate::line::LineError;

/// What stands at the head of a request in PEM; the second is what Microsoft's tools write.
const HEADS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
/// Signatures with MD5 and SHA-1 (RFC 3279 section 2.2): whoever finds a collision may have signed something else.
const BROKEN_HASHES: [&str; 3] = [
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.2.840.10045.4.1",
];

/// A request for a certificate that is well formed.
#[derive(Clone, Debug)]
pub struct Request {
    der: Vec<u8>,
}

/// Whether a request is signed with the key that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Possession {
    /// It is.
    Proven,
    /// It is not.
    NotProven,
    /// The bench does not know the algorithm.
    Unknown,
}

impl Request {
    /// Reads a request in PEM.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let block = pem::parse(text).map_err(|error| error.to_string())?;
        if !HEADS.contains(&block.tag()) {
            return Err(format!("it says that it is a {}", block.tag()));
        }
        let request = Self {
            der: block.into_contents(),
        };
        let (rest, _) =
            X509CertificationRequest::from_der(&request.der).map_err(|error| error.to_string())?;
        if rest.is_empty() {
            Ok(request)
        } else {
            Err(format!("{} bytes stand behind it", rest.len()))
        }
    }

    fn parsed(&self) -> Option<X509CertificationRequest<'_>> {
        let (_, read) = X509CertificationRequest::from_der(&self.der).ok()?;
        Some(read)
    }

    /// Whom it is for.
    pub fn subject(&self) -> String {
        self.parsed().map_or_else(String::new, |read| {
            read.certification_request_info.subject.to_string()
        })
    }

    /// Whether it is signed with the key that it is for.
    pub fn possession(&self) -> Possession {
        match self.parsed().map(|read| read.verify_signature()) {
            Some(Ok(())) => Possession::Proven,
            Some(Err(X509Error::SignatureUnsupportedAlgorithm)) => Possession::Unknown,
            _ => Possession::NotProven,
        }
    }

    /// The strength of its key and its signature in bits (NIST SP 800-57 part 1, table 2), with the kind of key; none for a
    /// key of a kind that the bench does not know.
    pub fn strength(&self) -> Option<(u32, String)> {
        let read = self.parsed()?;
        let key = &read.certification_request_info.subject_pki;
        let (bits, kind) = match key.parsed().ok()? {
            PublicKey::RSA(rsa) => {
                let bits = match rsa.key_size() {
                    15360.. => 256,
                    7680.. => 192,
                    3072.. => 128,
                    2048.. => 112,
                    1024.. => 80,
                    _ => 0,
                };
                (bits, format!("RSA of {} bits", rsa.key_size()))
            }
            PublicKey::EC(point) => {
                let bits = u32::try_from(point.key_size()).ok()?;
                (bits / 2, format!("elliptic curve of {bits} bits"))
            }
            // RFC 8410 section 3.
            _ => match key.algorithm.algorithm.to_id_string().as_str() {
                "1.3.101.112" => (128, "Ed25519".to_owned()),
                "1.3.101.113" => (224, "Ed448".to_owned()),
                _ => return None,
            },
        };
        let signed = read.signature_algorithm.algorithm.to_id_string();
        Some(if BROKEN_HASHES.contains(&signed.as_str()) {
            (0, format!("{kind}, signed with a broken hash"))
        } else {
            (bits, kind)
        })
    }
}

impl Authority {
    /// The authority's own certificate, in PEM.
    pub fn pem(&self) -> String {
        pem_of("CERTIFICATE", &self.certificate)
    }

    /// A certificate for what a request asks for, leaf first with the authority's own. `names` are the device's, where the
    /// request has none.
    ///
    /// # Errors
    /// The request asks for what the bench cannot write.
    pub fn certify(&self, request: &Request, names: &[String]) -> Result<String, LineError> {
        let read = request.parsed().ok_or_else(unreadable)?;
        let key = SubjectPublicKeyInfo::from_der(read.certification_request_info.subject_pki.raw);
        self.issue_for(request, names, &key.map_err(refused)?)
    }

    /// The same certificate for a key that is not the request's.
    ///
    /// # Errors
    /// As [`Authority::certify`].
    pub fn certify_another_key(
        &self,
        request: &Request,
        names: &[String],
    ) -> Result<String, LineError> {
        self.issue_for(request, names, &KeyPair::generate().map_err(refused)?)
    }

    fn issue_for(
        &self,
        request: &Request,
        names: &[String],
        key: &impl PublicKeyData,
    ) -> Result<String, LineError> {
        let mut params = asked(request)?;
        complete(&mut params, names)?;
        let made = params.signed_by(key, &self.issuer).map_err(refused)?;
        Ok(made.pem() + &self.pem())
    }
}

/// What a request asks for; its subject alone, where it has extensions that the bench does not know.
fn asked(request: &Request) -> Result<CertificateParams, LineError> {
    let der = CertificateSigningRequestDer::from(request.der.as_slice());
    if let Ok(whole) = CertificateSigningRequestParams::from_der(&der) {
        return Ok(whole.params);
    }
    let read = request.parsed().ok_or_else(unreadable)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for attribute in read.certification_request_info.subject.iter_attributes() {
        let kind = attribute.attr_type().iter().map(Iterator::collect);
        if let (Some(kind), Ok(value)) = (kind, attribute.as_str()) {
            let kind = DnType::CustomDnType(kind);
            params.distinguished_name.push(kind, value);
        }
    }
    Ok(params)
}

fn unreadable() -> LineError {
    unusable(
        "a certificate for the device's request",
        &"it cannot be read",
    )
}

/// The number of the last certificate.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that no other certificate has, also where they are for the same key.
fn next_number() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    growing(&LAST, u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
}

/// What the certificate of a server needs, where the request leaves it out.
fn complete(params: &mut CertificateParams, names: &[String]) -> Result<(), LineError> {
    params.serial_number = Some(next_number().into());
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    // No request makes an authority of the device.
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    if params.key_usages.is_empty() {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    }
    if params.extended_key_usages.is_empty() {
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
    }
    if params.subject_alt_names.is_empty() {
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(refused)?),
            });
        }
    }
    Ok(())
}

fn refused(error: rcgen::Error) -> LineError {
    unusable("a certificate for the device's request", &error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /O=Plant/CN=tc-100 -addext
    /// subjectKeyIdentifier=hash`
    const EXTENDED: &str = include_str!("request/extended.pem");
    /// `openssl req -new -newkey rsa:1024 -nodes -sha1 -subj /CN=tc-100`
    const WEAK: &str = include_str!("request/weak.pem");

    fn request(key: &KeyPair) -> Request {
        let params = CertificateParams::new(vec!["tc-100".to_owned()]).unwrap();
        let made = params.serialize_request(key).unwrap();
        Request::read(&made.pem().unwrap()).unwrap()
    }

    #[test]
    fn a_request_proves_its_key_unless_it_was_altered() {
        let mut request = request(&KeyPair::generate().unwrap());
        assert_eq!(request.possession(), Possession::Proven);
        assert_eq!(
            request.strength(),
            Some((128, "elliptic curve of 256 bits".to_owned()))
        );
        *request.der.last_mut().unwrap() ^= 1;
        assert_eq!(request.possession(), Possession::NotProven);
    }

    #[test]
    fn a_weak_key_and_a_broken_hash_are_seen() {
        let (bits, kind) = Request::read(WEAK).unwrap().strength().unwrap();
        assert_eq!(
            (bits, kind.as_str()),
            (0, "RSA of 1024 bits, signed with a broken hash")
        );
    }

    #[test]
    fn a_request_with_an_extension_that_is_not_known_is_certified_for_its_subject() {
        use x509_parser::prelude::X509Certificate;
        let request = Request::read(EXTENDED).unwrap();
        assert_eq!(request.possession(), Possession::Proven);
        let authority = Authority::foreign().unwrap();
        let names = ["tc-100.example".to_owned()];
        let text = authority.certify(&request, &names).unwrap();
        let leaf = pem::parse_many(&text).unwrap().remove(0);
        let (_, leaf) = X509Certificate::from_der(leaf.contents()).unwrap();
        assert_eq!(leaf.subject().to_string(), request.subject());
        assert!(leaf.subject_alternative_name().unwrap().is_some());
    }

    #[test]
    fn what_is_no_request_is_refused_with_a_reason() {
        let certificate = Authority::foreign().unwrap().pem();
        for (text, why) in [
            ("", "malformed"),
            (certificate.as_str(), "says that it is a CERTIFICATE"),
            (
                "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
                "",
            ),
        ] {
            let told = Request::read(text).unwrap_err();
            assert!(told.to_lowercase().contains(&why.to_lowercase()), "{told}");
        }
    }

    #[test]
    fn a_certificate_is_for_the_key_that_asked_for_it_or_for_another() {
        use x509_parser::prelude::X509Certificate;
        let (authority, key) = (Authority::foreign().unwrap(), KeyPair::generate().unwrap());
        let (request, names) = (request(&key), ["127.0.0.1".to_owned()]);
        for (text, own) in [
            (authority.certify(&request, &names).unwrap(), true),
            (
                authority.certify_another_key(&request, &names).unwrap(),
                false,
            ),
        ] {
            let blocks = pem::parse_many(&text).unwrap();
            let (_, leaf) = X509Certificate::from_der(blocks[0].contents()).unwrap();
            let (_, issuer) = X509Certificate::from_der(blocks[1].contents()).unwrap();
            assert!(leaf.verify_signature(Some(issuer.public_key())).is_ok());
            let raw = leaf.public_key().subject_public_key.data.to_vec();
            assert_eq!(raw == key.public_key_raw(), own);
        }
    }
}
