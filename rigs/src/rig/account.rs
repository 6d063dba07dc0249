//! Accounts and roles: who may use the device, and what each may do.

use std::collections::BTreeSet;

use slcert_profiles::file::{Fields, Located, Table};

use super::name::Name;
use super::template::Template;
use crate::otp::Otp;
use crate::secret::SecretSource;

/// An account of the device that the bench may use.
#[derive(Clone, Debug)]
pub struct Account {
    /// The identifier that the device knows it by, where it differs from the account's name in the rig file.
    pub user: Option<String>,
    /// The account's role.
    pub role: Located<Name>,
    /// Its password, where it has one.
    pub password: Option<SecretSource>,
    /// How the codes of its second factor are made, where it has one: the account is a person's.
    pub otp: Option<Otp>,
    /// Its client certificate and key, where it has them.
    pub certificate: Option<Certificate>,
    /// The interfaces that it can be used on.
    pub interfaces: Vec<Located<Name>>,
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
    /// What the device calls it, where that differs from the role's name in the rig file.
    pub called: Option<String>,
    /// The operations that the role may perform.
    pub may: BTreeSet<Name>,
    /// The same, with where they stand.
    pub(super) listed: Vec<Located<Name>>,
}

impl Role {
    /// Whether the role may perform `operation`.
    pub fn may(&self, operation: &str) -> bool {
        self.may.contains(operation)
    }
}

impl Table for Account {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let user = f.optional(
            "user",
            "The identifier that the device knows it by; the account's name where left out.",
        );
        let role = f.required("role", "The role that the account has.");
        let password = f.optional(
            "password",
            "Where its password is: { env = \"NAME\" } or { file = \"path\" }.",
        );
        let otp = f.optional(
            "otp",
            "The second factor of a person's account, a one-time code by time (RFC 6238): { env = \"NAME\" } or { file = \"path\" }, the secret in base32.",
        );
        let certificate = f.optional(
            "certificate",
            "Its client certificate: { chain = \"path\", key = \"path\" }.",
        );
        let interfaces = f.required("interfaces", "The interfaces that it can be used on.");
        let account = Self {
            user: user?,
            role: role?,
            password: password?,
            otp: otp?,
            certificate: certificate?,
            interfaces: interfaces?,
        };
        if account.password.is_none() && account.certificate.is_none() {
            let help = "give it a `password` or a `certificate`";
            f.refuse(
                "role",
                "the account has nothing to authenticate with".into(),
                help,
            );
            return None;
        }
        if account.otp.is_some() && account.password.is_none() {
            let help = "add the first one: `password`";
            f.refuse("otp", "a second factor stands beside a first".into(), help);
            return None;
        }
        Some(account)
    }
}

impl Table for Certificate {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let chain = f.required(
            "chain",
            "The PEM file of the certificate chain, leaf first.",
        );
        let key = f.required("key", "The PEM file of the private key.");
        Some(Self {
            chain: chain?,
            key: key?,
        })
    }
}

impl Table for Role {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let called = f.optional(
            "called",
            "What the device calls the role; the role's name where left out.",
        );
        let may = f.required::<Vec<Located<Name>>>(
            "may",
            "The operations that the role may perform. All others must be refused.",
        );
        let (called, listed) = (called?, may?);
        Some(Self {
            called,
            may: listed.iter().map(|one| one.value.clone()).collect(),
            listed,
        })
    }
}

slcert_profiles::settings_table!(Account, Certificate, Role);
