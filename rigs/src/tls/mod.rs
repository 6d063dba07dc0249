//! TLS: sessions as a client, probes with old versions and weak suites, certificates that are wrong in one thing, and lists of
//! revoked ones.

pub mod pki;
pub mod probe;
pub mod revocation;
mod session;
pub mod suites;

pub(crate) use session::alert;
pub use session::{Identity, ShownKey, TlsFacts, TlsLine, TlsSettings, open_tls, shown_key};
