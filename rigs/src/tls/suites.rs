//! TLS cipher suites that a probe offers, and what is to be thought of each.

/// What is to be thought of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Not to be offered: no encryption, no authentication, or an algorithm that is broken (RFC 9325 section 4.1, RFC 7465,
    /// RFC 8996).
    Broken,
    /// Legal, and without forward secrecy or authenticated encryption (RFC 9325 section 4.1: SHOULD NOT).
    Dated,
    /// Good.
    Good,
}

/// A suite of TLS 1.2 or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The number in IANA's registry.
    pub id: u16,
    /// The name in IANA's registry, without `TLS_`.
    pub name: &'static str,
    /// What is to be thought of it.
    pub strength: Strength,
}

const fn suite(id: u16, name: &'static str, strength: Strength) -> Suite {
    Suite { id, name, strength }
}

use Strength::{Broken, Dated, Good};

/// The suites: those of RFC 2246, 4346, 5246, 4492, 5288, 5289, 7905 that a server may still know.
pub const SUITES: &[Suite] = &[
    suite(0x0001, "RSA_WITH_NULL_MD5", Broken),
    suite(0x0002, "RSA_WITH_NULL_SHA", Broken),
    suite(0x003B, "RSA_WITH_NULL_SHA256", Broken),
    suite(0xC006, "ECDHE_ECDSA_WITH_NULL_SHA", Broken),
    suite(0xC010, "ECDHE_RSA_WITH_NULL_SHA", Broken),
    suite(0x0003, "RSA_EXPORT_WITH_RC4_40_MD5", Broken),
    suite(0x0008, "RSA_EXPORT_WITH_DES40_CBC_SHA", Broken),
    suite(0x0004, "RSA_WITH_RC4_128_MD5", Broken),
    suite(0x0005, "RSA_WITH_RC4_128_SHA", Broken),
    suite(0xC007, "ECDHE_ECDSA_WITH_RC4_128_SHA", Broken),
    suite(0xC011, "ECDHE_RSA_WITH_RC4_128_SHA", Broken),
    suite(0x0009, "RSA_WITH_DES_CBC_SHA", Broken),
    suite(0x000A, "RSA_WITH_3DES_EDE_CBC_SHA", Broken),
    suite(0xC008, "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA", Broken),
    suite(0xC012, "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", Broken),
    suite(0x0018, "DH_anon_WITH_RC4_128_MD5", Broken),
    suite(0x0034, "DH_anon_WITH_AES_128_CBC_SHA", Broken),
    suite(0x006C, "DH_anon_WITH_AES_128_CBC_SHA256", Broken),
    suite(0xC018, "ECDH_anon_WITH_AES_128_CBC_SHA", Broken),
    suite(0x002F, "RSA_WITH_AES_128_CBC_SHA", Dated),
    suite(0x0035, "RSA_WITH_AES_256_CBC_SHA", Dated),
    suite(0x003C, "RSA_WITH_AES_128_CBC_SHA256", Dated),
    suite(0x009C, "RSA_WITH_AES_128_GCM_SHA256", Dated),
    suite(0x009D, "RSA_WITH_AES_256_GCM_SHA384", Dated),
    suite(0xC009, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA", Dated),
    suite(0xC00A, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA", Dated),
    suite(0xC013, "ECDHE_RSA_WITH_AES_128_CBC_SHA", Dated),
    suite(0xC014, "ECDHE_RSA_WITH_AES_256_CBC_SHA", Dated),
    suite(0xC02B, "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Good),
    suite(0xC02C, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Good),
    suite(0xC02F, "ECDHE_RSA_WITH_AES_128_GCM_SHA256", Good),
    suite(0xC030, "ECDHE_RSA_WITH_AES_256_GCM_SHA384", Good),
    suite(0xCCA8, "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Good),
    suite(0xCCA9, "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Good),
];

/// The suites of one strength, as a ClientHello offers them.
pub fn of(strength: Strength) -> Vec<u16> {
    SUITES
        .iter()
        .filter(|suite| suite.strength == strength)
        .map(|suite| suite.id)
        .collect()
}

/// All suites, as a ClientHello offers them.
pub fn all() -> Vec<u16> {
    SUITES.iter().map(|suite| suite.id).collect()
}

/// A suite's name; its number where it is not in the table.
pub fn name(id: u16) -> String {
    match SUITES.iter().find(|suite| suite.id == id) {
        Some(suite) => suite.name.to_owned(),
        None => format!("suite 0x{id:04X}"),
    }
}
