//! The role of a Modbus/TLS client: one UTF8String in one extension (Modbus/TCP Security, section on roles).

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pki::ROLE_OID;

const UTF8_STRING: u8 = 0x0c;

/// The device's role for a certificate; `None` unless exactly one role is given in the right way and is known.
pub(super) fn role(certificate: &[u8]) -> Option<&'static str> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut roles = certificate.extensions().iter().filter(|extension| {
        extension
            .oid
            .iter()
            .is_some_and(|oid| oid.eq(ROLE_OID.iter().copied()))
    });
    let role = roles.next()?;
    if roles.next().is_some() {
        return None;
    }
    match utf8_string(role.value)? {
        "Viewer" => Some("viewer"),
        "Operator" => Some("operator"),
        "Engineer" => Some("engineer"),
        _ => None,
    }
}

/// The common name of a certificate's subject; empty when there is none.
pub(super) fn subject(certificate: &[u8]) -> String {
    X509Certificate::from_der(certificate)
        .ok()
        .and_then(|(_, certificate)| {
            let name = certificate.subject().iter_common_name().next()?;
            Some(name.as_str().ok()?.to_owned())
        })
        .unwrap_or_default()
}

/// The text of a DER UTF8String with a length of one byte, and nothing after it.
fn utf8_string(der: &[u8]) -> Option<&str> {
    match der {
        [UTF8_STRING, length @ 0..=0x7f, text @ ..] if text.len() == usize::from(*length) => {
            std::str::from_utf8(text).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_utf8_string_is_a_role_and_nothing_else_is() {
        assert_eq!(utf8_string(b"\x0c\x06Viewer"), Some("Viewer"));
        for der in [
            &b"\x16\x06Viewer"[..],
            b"\x0c\x05Viewer",
            b"\x0c\x06Viewer\x0c\x00",
            b"\x0c\x01\xff",
            b"",
        ] {
            assert_eq!(utf8_string(der), None, "{der:02x?}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_role() {
        assert_eq!((role(b"\x30\x03"), subject(b"").as_str()), (None, ""));
    }
}
