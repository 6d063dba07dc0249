//! The cryptography of the device: ring's, with one thing mended that rustls 0.23 leaves out. In TLS 1.3 a record of a handshake
//! message that is empty has to end the connection (RFC 8446 section 5.4), and rustls takes it.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, InvalidMessage,
    SupportedCipherSuite, Tls13CipherSuite,
};

/// The provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = rustls::crypto::ring::default_provider();
        for suite in &mut provider.cipher_suites {
            if let SupportedCipherSuite::Tls13(usual) = *suite {
                *suite = SupportedCipherSuite::Tls13(mended(usual));
            }
        }
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

/// A cipher suite that opens no empty handshake record. It lives as long as the process, and there are three.
fn mended(usual: &'static Tls13CipherSuite) -> &'static Tls13CipherSuite {
    let common = &usual.common;
    Box::leak(Box::new(Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: common.suite,
            hash_provider: common.hash_provider,
            confidentiality_limit: common.confidentiality_limit,
        },
        hkdf_provider: usual.hkdf_provider,
        aead_alg: Box::leak(Box::new(Mended(usual.aead_alg))),
        quic: None,
    }))
}

struct Mended(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for Mended {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Opener(self.0.decrypter(key, iv)))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

struct Opener(Box<dyn MessageDecrypter>);

impl MessageDecrypter for Opener {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let opened = self.0.decrypt(message, sequence)?;
        if opened.typ == ContentType::Handshake && opened.payload.is_empty() {
            return Err(InvalidMessage::InvalidEmptyPayload.into());
        }
        Ok(opened)
    }
}
