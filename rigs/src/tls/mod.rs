//! TLS: sessions as a client, probes with old versions and weak suites, certificates that are wrong in one thing, lists of
//! revoked ones, and requests for new ones.

pub mod pki;
pub mod probe;
pub mod request;
pub mod revocation;
mod sealed;
mod session;
pub mod suites;

pub use sealed::{Received, Sealed};
pub(crate) use session::alert;
pub use session::{
    Identity, ShownKey, TlsFacts, TlsLine, TlsSettings, fingerprint, first_certificate, open_tls,
    shown_key,
};
