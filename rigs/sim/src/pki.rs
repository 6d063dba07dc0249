//! The device's certificate authority, its own certificate, and client certificates: good ones, and one for each way to be bad.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::controller::StartError;
use crate::device::ADDRESS;
use crate::flaw::{Defect, FlawSet};
use crate::store::{Durability, Store};

/// The role extension of Modbus/TCP Security.
pub(crate) const ROLE_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 50316, 802, 1];
/// Its neighbour, which means nothing.
const WRONG_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 50316, 802, 2];

pub(crate) const CA: &str = "pki/ca.pem";
const CA_KEY: &str = "pki/ca.key";
pub(crate) const SERVER_CHAIN: &str = "pki/server.pem";
pub(crate) const SERVER_KEY: &str = "pki/server.key";

const UTF8_STRING: u8 = 0x0c;
const IA5_STRING: u8 = 0x16;

/// Where one identity's certificate chain and private key are.
#[derive(Debug, Serialize)]
pub(crate) struct Identity {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    chain: PathBuf,
    key: PathBuf,
}

/// Where the authorities' files are.
#[derive(Debug, Serialize)]
pub(crate) struct Authorities {
    ca: PathBuf,
    ca_key: PathBuf,
    foreign_ca: PathBuf,
}

/// Everything that was issued at first start.
#[derive(Debug, Serialize)]
pub(crate) struct Issued {
    pub pki: Authorities,
    pub clients: BTreeMap<&'static str, Identity>,
    pub negatives: BTreeMap<&'static str, Identity>,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

/// Makes every key and certificate, and writes them to the store.
pub(crate) fn issue(
    store: &Store,
    serial: &str,
    address: Ipv4Addr,
    flaws: &FlawSet,
) -> Result<Issued, StartError> {
    let ca = authority(&authority_name(serial))?;
    let foreign = authority("Some other CA")?;
    write(store, CA, &ca.certificate.pem())?;
    write(store, CA_KEY, &ca.issuer.key().serialize_pem())?;
    write(store, "pki/foreign-ca.pem", &foreign.certificate.pem())?;

    let key = if flaws.enabled(Defect::OneKeyForType) {
        built_in_key()?
    } else {
        KeyPair::generate().map_err(pki)?
    };
    let certificate = server(serial, address).signed_by(&key, &ca.issuer);
    let chain = certificate.map_err(pki)?.pem() + &ca.certificate.pem();
    keep(store, "server", chain, &key)?;

    let mut clients = BTreeMap::new();
    for (name, role) in [
        ("scada-view", "Viewer"),
        ("scada-oper", "Operator"),
        ("scada-eng", "Engineer"),
    ] {
        let identity = sign(store, name, client(name, &[role_utf8(role)]), &ca)?;
        clients.insert(
            name,
            Identity {
                role: Some(role),
                ..identity
            },
        );
    }

    let engineer = || [role_utf8("Engineer")];
    let mut negatives = BTreeMap::new();
    let mut add = |name: &'static str, params: CertificateParams, by: &Authority| {
        sign(store, name, params, by).map(|identity| negatives.insert(name, identity))
    };
    add("foreign_ca", client("foreign_ca", &engineer()), &foreign)?;
    let mut expired = client("expired", &engineer());
    expired.not_before = OffsetDateTime::now_utc() - Duration::days(2);
    expired.not_after = OffsetDateTime::now_utc() - Duration::days(1);
    add("expired", expired, &ca)?;
    add("no_role", client("no_role", &[]), &ca)?;
    let two = [role_utf8("Viewer"), role_utf8("Engineer")];
    add("two_roles", client("two_roles", &two), &ca)?;
    let ia5 = extension(ROLE_OID, IA5_STRING, "Engineer");
    add("role_ia5", client("role_ia5", &[ia5]), &ca)?;
    let wrong_oid = extension(WRONG_OID, UTF8_STRING, "Engineer");
    add("wrong_oid", client("wrong_oid", &[wrong_oid]), &ca)?;

    let mut server_only = leaf("server_only", ExtendedKeyUsagePurpose::ServerAuth);
    server_only.custom_extensions = engineer().to_vec();
    add("server_only", server_only, &ca)?;
    let issuing = client("issuing", &engineer());
    let key = KeyPair::generate().map_err(pki)?;
    let certificate = issuing.signed_by(&key, &ca.issuer).map_err(pki)?;
    let by_client = Authority {
        issuer: Issuer::new(issuing, key),
        certificate,
    };
    add(
        "client_issued",
        client("client_issued", &engineer()),
        &by_client,
    )?;

    let key = KeyPair::generate().map_err(pki)?;
    let own = client("self_signed", &engineer())
        .self_signed(&key)
        .map_err(pki)?;
    negatives.insert("self_signed", keep(store, "self_signed", own.pem(), &key)?);

    let pki = Authorities {
        ca: store.path(CA),
        ca_key: store.path(CA_KEY),
        foreign_ca: store.path("pki/foreign-ca.pem"),
    };
    Ok(Issued {
        pki,
        clients,
        negatives,
    })
}

/// What the flaw `one-key-by-mqtt` shows: a certificate of the device's own CA for the key that every device has.
pub(crate) fn certify_built_in(
    store: &Store,
    serial: &str,
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), StartError> {
    let address = address_of(store);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(&authority_name(serial));
    let pem = store.read_bytes(CA_KEY)?.unwrap_or_default();
    let issuer = KeyPair::from_pem(&String::from_utf8_lossy(&pem)).map_err(pki)?;
    let key = built_in_key()?;
    let certificate = server(serial, address).signed_by(&key, &Issuer::new(params, issuer));
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.map_err(pki)?.der().clone(), key.into()))
}

/// The address that the device has for as long as its store is there.
pub(crate) fn address_of(store: &Store) -> Ipv4Addr {
    let stored = store.read(ADDRESS);
    stored.ok().flatten().unwrap_or(Ipv4Addr::LOCALHOST)
}

/// The key of two flaws, which is in every device of the type.
fn built_in_key() -> Result<KeyPair, StartError> {
    KeyPair::from_pem(include_str!("built_in.key")).map_err(pki)
}

fn authority_name(serial: &str) -> String {
    format!("TC-100 {serial} device CA")
}

/// What a certificate of the device's own says.
pub(crate) fn server(serial: &str, address: Ipv4Addr) -> CertificateParams {
    let mut server = leaf(
        &format!("tc-100-{serial}"),
        ExtendedKeyUsagePurpose::ServerAuth,
    );
    server.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(address))];
    server
}

fn authority(name: &str) -> Result<Authority, StartError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lifetime(&mut params);
    let key = KeyPair::generate().map_err(pki)?;
    let certificate = params.self_signed(&key).map_err(pki)?;
    Ok(Authority {
        issuer: Issuer::new(params, key),
        certificate,
    })
}

fn client(name: &str, roles: &[CustomExtension]) -> CertificateParams {
    let mut params = leaf(name, ExtendedKeyUsagePurpose::ClientAuth);
    params.custom_extensions = roles.to_vec();
    params
}

fn leaf(name: &str, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    lifetime(&mut params);
    params
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// From a month ago, so that a client whose certificate ran out yesterday still had a valid issuer.
fn lifetime(params: &mut CertificateParams) {
    params.not_before = OffsetDateTime::now_utc() - Duration::days(30);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(3650);
}

fn role_utf8(role: &str) -> CustomExtension {
    extension(ROLE_OID, UTF8_STRING, role)
}

fn extension(oid: &[u64], tag: u8, value: &str) -> CustomExtension {
    // One length byte: the roles are short.
    let mut der = vec![tag, value.len() as u8];
    der.extend_from_slice(value.as_bytes());
    CustomExtension::from_oid_content(oid, der)
}

fn sign(
    store: &Store,
    name: &str,
    params: CertificateParams,
    by: &Authority,
) -> Result<Identity, StartError> {
    let key = KeyPair::generate().map_err(pki)?;
    let certificate = params.signed_by(&key, &by.issuer).map_err(pki)?;
    keep(store, name, certificate.pem() + &by.certificate.pem(), &key)
}

fn keep(store: &Store, name: &str, chain: String, key: &KeyPair) -> Result<Identity, StartError> {
    let (chain_file, key_file) = (format!("pki/{name}.pem"), format!("pki/{name}.key"));
    write(store, &chain_file, &chain)?;
    write(store, &key_file, &key.serialize_pem())?;
    Ok(Identity {
        role: None,
        chain: store.path(&chain_file),
        key: store.path(&key_file),
    })
}

fn write(store: &Store, name: &str, text: &str) -> Result<(), StartError> {
    Ok(store.write_bytes(name, text.as_bytes(), Durability::Written)?)
}

fn pki(error: rcgen::Error) -> StartError {
    StartError::Pki(error.to_string())
}
