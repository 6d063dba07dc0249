//! The flaws of what the device makes of certificates: its clients' and its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, PublicKeyData, RevokedCertParams, SerialNumber,
    SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::prelude::{FromDer, X509Certificate, X509CertificationRequest};

use super::common::{Bench, Console};

/// The client that is revoked.
const CLIENT: &str = "scada-oper";

/// A list that revokes [`CLIENT`], in base64, signed with a key.
fn list(bench: &Bench, key: KeyPair) -> String {
    let chain = bench.sheet["clients"][CLIENT]["chain"].as_str().unwrap();
    let certificate = CertificateDer::from_pem_file(chain).unwrap();
    let (_, certificate) = X509Certificate::from_der(&certificate).unwrap();
    let issuer = certificate.issuer().iter_common_name().next().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let name = issuer.as_str().unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(2099, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from_slice(certificate.raw_serial()),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::new(params, key)).unwrap();
    BASE64.encode(list.pem().unwrap())
}

/// What the device says to a list that its authority or somebody else has signed.
async fn load(bench: &Bench, own: bool) -> String {
    let key = if own {
        let file = bench.store().join("pki/ca.key");
        KeyPair::from_pem(&std::fs::read_to_string(file).unwrap()).unwrap()
    } else {
        KeyPair::generate().unwrap()
    };
    let mut console = bench.logged_in("ada").await;
    let said = console
        .answer(&format!("trust revoked {}", list(bench, key)))
        .await;
    console.log_out().await;
    said
}

pub async fn revocations_ignored(bench: &Bench) -> bool {
    assert!(bench.tls("clients", CLIENT).await.is_ok());
    assert_eq!(load(bench, true).await, "OK");
    assert!(bench.tls("clients", "scada-eng").await.is_ok());
    bench.tls("clients", CLIENT).await.is_ok()
}

pub async fn revocations_forgotten(bench: &Bench) -> bool {
    assert_eq!(load(bench, true).await, "OK");
    assert!(bench.tls("clients", CLIENT).await.is_err());
    let (again, certified) = (bench.again().await, bench.device.ready().address);
    let other = again.tls_named("clients", "scada-eng", certified).await;
    assert!(other.is_ok());
    again.tls_named("clients", CLIENT, certified).await.is_ok()
}

pub async fn revocations_any_signer(bench: &Bench) -> bool {
    let taken = load(bench, false).await == "OK";
    assert_eq!(taken, bench.tls("clients", CLIENT).await.is_err());
    taken
}

/// Whether another device of the type has the same keys: on Modbus/TLS, and on MQTT.
async fn same_keys(bench: &Bench) -> (bool, bool) {
    let sister = bench.sister().await;
    let ready = bench.device.ready();
    let (modbus, mqtt) = (ready.modbus_tls, ready.mqtt_tls);
    (
        bench.key_shown_at(modbus).await == sister.key_shown_at(modbus).await,
        bench.key_shown_at(mqtt).await == sister.key_shown_at(mqtt).await,
    )
}

pub async fn one_key_for_type(bench: &Bench) -> bool {
    let (modbus, mqtt) = same_keys(bench).await;
    assert_eq!(modbus, mqtt);
    modbus
}

pub async fn one_key_by_mqtt(bench: &Bench) -> bool {
    let (modbus, mqtt) = same_keys(bench).await;
    assert!(!modbus);
    mqtt
}

pub async fn one_serial_for_all(bench: &Bench) -> bool {
    async fn version(bench: &Bench) -> String {
        bench.logged_in("otto").await.answer("show version").await
    }
    version(bench).await == version(&bench.sister().await).await
}

/// An authority that the device may be told to trust.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = named("Plant CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for a key, in base64.
    fn certify(&self, key: &impl PublicKeyData) -> String {
        let made = named("tc-100").signed_by(key, &self.issuer).unwrap();
        BASE64.encode(made.pem())
    }

    async fn be_trusted(&self, console: &mut Console) {
        let trust = format!("trust authority plant {}", BASE64.encode(&self.pem));
        assert_eq!(console.answer(&trust).await, "OK");
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// The public key of a request.
struct Asked(Vec<u8>);

impl PublicKeyData for Asked {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// The device's request: the key that it is for, and whether it is signed with it.
async fn requested(console: &mut Console) -> (Asked, bool) {
    let mut lines = console.ask("certificate request").await;
    assert_eq!(lines.pop().unwrap(), "OK");
    let der = CertificateSigningRequestDer::from_pem_slice(lines.join("\n").as_bytes()).unwrap();
    let (_, request) = X509CertificationRequest::from_der(&der).unwrap();
    let key = &request.certification_request_info.subject_pki;
    let key = Asked(key.subject_public_key.data.to_vec());
    (key, request.verify_signature().is_ok())
}

async fn install(console: &mut Console, certificate: &str) -> bool {
    let said = console
        .answer(&format!("certificate install {certificate}"))
        .await;
    assert!(said == "OK" || said == "error: bad value", "{said}");
    said == "OK"
}

/// Enrols the device with a new authority; the key that is certified.
async fn enrolled(console: &mut Console, authority: &Authority) -> Vec<u8> {
    let (key, proven) = requested(console).await;
    assert!(proven);
    assert!(install(console, &authority.certify(&key)).await);
    key.subject_public_key_info()
}

pub async fn request_unproven(bench: &Bench) -> bool {
    !requested(&mut bench.logged_in("ada").await).await.1
}

pub async fn certificate_for_any_key(bench: &Bench) -> bool {
    let (mut console, authority) = (bench.logged_in("ada").await, Authority::new());
    authority.be_trusted(&mut console).await;
    requested(&mut console).await;
    let other = authority.certify(&KeyPair::generate().unwrap());
    install(&mut console, &other).await
}

pub async fn certificate_of_any_authority(bench: &Bench) -> bool {
    let (mut console, authority) = (bench.logged_in("ada").await, Authority::new());
    let (key, _) = requested(&mut console).await;
    install(&mut console, &authority.certify(&key)).await
}

pub async fn renewal_ignored(bench: &Bench) -> bool {
    let (mut console, authority) = (bench.logged_in("ada").await, Authority::new());
    authority.be_trusted(&mut console).await;
    let port = bench.device.ready().modbus_tls;
    let first = enrolled(&mut console, &authority).await;
    assert_eq!(bench.key_shown_at(port).await, first);
    let second = enrolled(&mut console, &authority).await;
    bench.key_shown_at(port).await != second
}

pub async fn mqtt_keeps_certificate(bench: &Bench) -> bool {
    let (mut console, authority) = (bench.logged_in("ada").await, Authority::new());
    authority.be_trusted(&mut console).await;
    let delivered = bench.key_shown_at(bench.device.ready().mqtt_tls).await;
    let key = enrolled(&mut console, &authority).await;
    assert_eq!(
        bench.key_shown_at(bench.device.ready().modbus_tls).await,
        key
    );
    let kept = bench.key_shown_at(bench.device.ready().mqtt_tls).await != key;
    assert_eq!(console.answer("certificate remove").await, "OK");
    assert_eq!(
        bench.key_shown_at(bench.device.ready().mqtt_tls).await,
        delivered
    );
    kept
}

pub async fn distrust_ignored(bench: &Bench) -> bool {
    let (mut console, authority) = (bench.logged_in("ada").await, Authority::new());
    authority.be_trusted(&mut console).await;
    enrolled(&mut console, &authority).await;
    assert_eq!(console.answer("trust distrust plant").await, "OK");
    let (key, _) = requested(&mut console).await;
    install(&mut console, &authority.certify(&key)).await
}
