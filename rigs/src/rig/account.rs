//! Accounts and roles: who may use the device, and what each may do.

use std::collections::BTreeSet;

use super::template::Template;
use super::{InterfaceName, OperationName, RoleName};
use crate::secret::SecretSource;

/// An account of the device that the bench may use.
#[derive(Clone, Debug)]
pub struct Account {
    /// The identifier that the device knows it by; the account's key in the rig file unless it says otherwise.
    pub user: String,
    /// The account's role.
    pub role: RoleName,
    /// Its password, where it has one.
    pub password: Option<SecretSource>,
    /// Its client certificate and key, where it has them.
    pub certificate: Option<Certificate>,
    /// The interfaces that it can be used on; all that take its kind of authenticator where the rig file is silent.
    pub interfaces: Option<BTreeSet<InterfaceName>>,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The chain, leaf first.
    pub chain: Template,
    /// The private key.
    pub key: Template,
}

/// A role: a set of operations. What is not listed must be refused.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// The operations that the role may perform.
    pub may: BTreeSet<OperationName>,
}

impl Role {
    /// Whether the role may perform `operation`.
    pub fn may(&self, operation: &OperationName) -> bool {
        self.may.contains(operation)
    }
}
