//! Who the bench is by certificate, and who the device is.

use std::path::{Path, PathBuf};

use super::{Bench, BenchError, CONNECT, on};
use crate::line::LineError;
use crate::tls::pki::{Authority, Fault};
use crate::tls::{Identity, ShownKey, shown_key};

impl Bench {
    /// An account's certificate.
    ///
    /// # Errors
    /// It has none, or it cannot be read.
    pub fn identity(&self, interface: &str, account: &str) -> Result<Identity, BenchError> {
        let certificate = self
            .rig
            .accounts
            .get(account)
            .and_then(|it| it.certificate.as_ref());
        let certificate = certificate.ok_or_else(|| {
            BenchError::Rig(format!(
                "the account `{account}` has no certificate in the rig file"
            ))
        })?;
        let (chain, key) = (self.fill(&certificate.chain)?, self.fill(&certificate.key)?);
        Identity::read(Path::new(&chain), Path::new(&key)).map_err(|source| on(interface, source))
    }

    /// A certificate for an interface that is wrong in one thing. Its role is one that may do the most there.
    ///
    /// # Errors
    /// The rig file names no authority (`tls.issuer`) that the fault needs, or its files cannot be read.
    pub fn faulty_identity(&self, interface: &str, fault: Fault) -> Result<Identity, BenchError> {
        let authority = if fault.needs_issuer() {
            self.authority(interface)?
        } else {
            Authority::foreign().map_err(|source| on(interface, source))?
        };
        authority
            .issue(self.strongest_role(interface), fault)
            .map_err(|source| on(interface, source))
    }

    /// The authority that the device trusts for its clients on an interface.
    ///
    /// # Errors
    /// The rig file names none (`tls.issuer`), or its files cannot be read.
    pub fn authority(&self, interface: &str) -> Result<Authority, BenchError> {
        let issuer = self
            .interface(interface)?
            .tls
            .as_ref()
            .and_then(|tls| tls.issuer.as_ref());
        let issuer = issuer.ok_or_else(|| {
            BenchError::Rig(format!(
                "the bench cannot issue certificates that the device would trust: add `tls.issuer` to `{interface}` in the rig file"
            ))
        })?;
        let (chain, key) = (self.fill(&issuer.chain)?, self.fill(&issuer.key)?);
        Authority::read(Path::new(&chain), Path::new(&key)).map_err(|source| on(interface, source))
    }

    /// The role that may do the most on an interface, as the device calls it.
    fn strongest_role<'b>(&'b self, interface: &'b str) -> &'b str {
        self.rig
            .accounts_on(interface)
            .filter_map(|(_, account)| {
                let role = self.rig.roles.get(&account.role.value)?;
                let called = role.called.as_deref();
                let name = called.unwrap_or(account.role.value.as_str());
                Some((role.may.len(), name))
            })
            .max()
            .map_or("Operator", |(_, name)| name)
    }

    /// Whether certificates that the device would trust can be made for an interface.
    pub fn has_issuer(&self, interface: &str) -> bool {
        self.rig
            .interface(interface)
            .and_then(|it| it.tls.as_ref())
            .is_some_and(|tls| tls.issuer.is_some())
    }

    /// The key that the device proves to hold on an interface with TLS. It does not matter whether it lets the bench in.
    ///
    /// # Errors
    /// There is no handshake.
    pub async fn shown_key(&self, interface: &str) -> Result<ShownKey, BenchError> {
        let settings = self.tls_settings(interface, self.any_identity(interface)?)?;
        let wire = self
            .open_line(interface, &format!("{interface}.wire"))
            .await?;
        shown_key(wire, &self.address(interface)?, &settings, CONNECT)
            .await
            .map_err(|source| on(interface, source))
    }

    /// The names by which the device is known on its interfaces with TLS, each once.
    ///
    /// # Errors
    /// A placeholder has no value.
    pub fn server_names(&self) -> Result<Vec<String>, BenchError> {
        let mut names = Vec::new();
        for (name, interface) in &self.rig.interfaces {
            if interface.tls.is_some() {
                names.push(self.tls_settings(name.as_str(), None)?.server_name);
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// An account's own certificate, so that a handshake does not fail for want of one.
    fn any_identity(&self, interface: &str) -> Result<Option<Identity>, BenchError> {
        self.rig
            .accounts_on(interface)
            .find(|(_, account)| account.certificate.is_some())
            .map(|(name, _)| self.identity(interface, name.as_str()))
            .transpose()
    }

    /// Verifies the device's own certificate; both sides are words for a report.
    ///
    /// # Errors
    /// The handshake failed for another reason.
    pub async fn verify_server(
        &self,
        interface: &str,
    ) -> Result<Result<String, String>, BenchError> {
        let ca = self
            .interface(interface)?
            .tls
            .as_ref()
            .and_then(|tls| tls.ca.as_ref());
        let ca = ca.ok_or_else(|| {
            BenchError::Rig(format!("the rig file names no `tls.ca` for `{interface}`"))
        })?;
        let mut settings = self.tls_settings(interface, self.any_identity(interface)?)?;
        settings.roots = Some(PathBuf::from(self.fill(ca)?));
        let wire = self
            .open_line(interface, &format!("{interface}.wire"))
            .await?;
        match self.open_tls_over(interface, wire, &settings).await {
            Ok((_, facts)) => Ok(Ok(format!(
                "verified for `{}`, {}",
                settings.server_name, facts.version
            ))),
            Err(BenchError::Line {
                source: LineError::PeerTls { why, .. },
                ..
            }) => Ok(Err(why)),
            Err(other) => Err(other),
        }
    }
}
