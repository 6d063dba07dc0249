//! Keys that the device shares with its peers, and what of a message they seal.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use slcert_profiles::file::{Fields, Located, Table, Word};

use super::name::Name;
use super::template::Template;
use crate::secret::{Secret, SecretSource};

/// A symmetric key that the device shares with one peer.
#[derive(Clone, Debug)]
pub struct SharedKey {
    /// Where it is found.
    pub secret: SecretSource,
    /// How its text stands for its bytes.
    pub form: Form,
    /// What makes a seal with it.
    pub algorithm: Mac,
    /// What the device calls the peer, where that differs from the key's name in the rig file.
    pub peer: Option<String>,
}

/// What of a message is sealed: the code that shows its sender and that it is unaltered.
#[derive(Clone, Debug)]
pub struct Seal {
    /// The key.
    pub key: Located<Name>,
    /// What the seal is made over.
    pub over: Template,
    /// How it is written.
    pub form: Form,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The text's own bytes.
    Text,
    /// Hexadecimal.
    Hex,
    /// Base64 of RFC 4648 section 4.
    Base64,
}

/// The functions that make seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mac {
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
}

impl SharedKey {
    /// The bytes of a key's text; none where it is not of the key's form.
    pub fn bytes(&self, key: &Secret) -> Option<Vec<u8>> {
        self.form.read(key.reveal())
    }

    /// Another key's bytes in the form of this one; none where they are not of it.
    pub fn bytes_as(&self, other: &Self, key: &Secret) -> Option<Secret> {
        let bytes = other.bytes(key)?;
        let text = self.form.write(&bytes);
        let key = Secret::new(text);
        (self.bytes(&key).as_ref() == Some(&bytes)).then_some(key)
    }

    /// The seal over a text; none where the key is not of its form.
    pub fn seal(&self, key: &Secret, over: &str) -> Option<Vec<u8>> {
        let algorithm = match self.algorithm {
            Mac::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Mac::HmacSha256 => hmac::HMAC_SHA256,
            Mac::HmacSha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, &self.bytes(key)?);
        Some(hmac::sign(&key, over.as_bytes()).as_ref().to_vec())
    }
}

impl Form {
    /// Bytes as text.
    pub fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::Text => String::from_utf8_lossy(bytes).into_owned(),
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Base64 => BASE64.encode(bytes),
        }
    }

    /// The bytes that a text stands for.
    fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Text => Some(text.as_bytes().to_vec()),
            Self::Hex => {
                let pairs = text.as_bytes().chunks(2);
                let byte = |pair: &[u8]| {
                    let [high, low] = pair else { return None };
                    let digit = |of: u8| char::from(of).to_digit(16);
                    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
                };
                pairs.map(byte).collect()
            }
            Self::Base64 => BASE64.decode(text).ok(),
        }
    }
}

impl Word for Form {
    const WHAT: &'static str = "form of bytes";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("text", Self::Text),
        ("hex", Self::Hex),
        ("base64", Self::Base64),
    ];
}

impl Word for Mac {
    const WHAT: &'static str = "function that seals";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("hmac-sha1", Self::HmacSha1),
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha512", Self::HmacSha512),
    ];
}

impl Table for SharedKey {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let secret = SecretSource::fields(f);
        let form = f.or(
            "form",
            "How the key's text stands for its bytes: `text`, `hex` or `base64`.",
            Form::Hex,
        );
        let algorithm = f.or(
            "algorithm",
            "The function that makes a seal with it.",
            Mac::HmacSha256,
        );
        let peer = f.optional(
            "peer",
            "What the device calls the peer; the key's name where left out.",
        );
        Some(Self {
            secret: secret?,
            form: form?,
            algorithm: algorithm?,
            peer: peer?,
        })
    }
}

impl Table for Seal {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let key = f.required("key", "The key that seals, one of `key.NAME`.");
        let over = f.required(
            "over",
            "What the seal is made over, with placeholders as in the payload.",
        );
        let form = f.or(
            "form",
            "How the seal is written: `hex` or `base64`.",
            Form::Hex,
        );
        Some(Self {
            key: key?,
            over: over?,
            form: form?,
        })
    }
}

slcert_profiles::settings_word!(Form, Mac);
slcert_profiles::settings_table!(SharedKey, Seal);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(form: Form, algorithm: Mac) -> SharedKey {
        SharedKey {
            secret: SecretSource::Env(String::new()),
            form,
            algorithm,
            peer: None,
        }
    }

    /// RFC 2202 section 3 and RFC 4231 section 4.3, test case 2 of each.
    #[test]
    fn seals_are_those_of_the_rfcs() {
        const OVER: &str = "what do ya want for nothing?";
        for (algorithm, expected) in [
            (Mac::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                Mac::HmacSha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            for (form, text) in [
                (Form::Text, "Jefe"),
                (Form::Hex, "4a656665"),
                (Form::Base64, "SmVmZQ=="),
            ] {
                let seal = key(form, algorithm).seal(&Secret::new(text), OVER);
                assert_eq!(Form::Hex.write(&seal.unwrap()), expected);
            }
        }
    }

    #[test]
    fn a_key_that_is_not_of_its_form_makes_no_seal() {
        let hex = key(Form::Hex, Mac::HmacSha256);
        for text in ["4a6", "4g", "4a 65"] {
            assert!(hex.seal(&Secret::new(text), "x").is_none(), "{text}");
        }
    }
}
