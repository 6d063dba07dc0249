//! TLS: sessions as a client, probes with old versions and weak suites, and certificates that are wrong in one thing.

pub mod pki;
pub mod probe;
mod session;
pub mod suites;

pub(crate) use session::alert;
pub use session::{Identity, TlsFacts, TlsLine, TlsSettings, open_tls};
