//! The flaws of what the device makes of certificates: its clients' and its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, Issuer,
    KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::common::Bench;

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
        bench.key_at(modbus).await == sister.key_at(modbus).await,
        bench.key_at(mqtt).await == sister.key_at(mqtt).await,
    )
}

pub async fn one_key_for_all(bench: &Bench) -> bool {
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
