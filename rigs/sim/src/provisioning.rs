//! First start: accounts with random passwords, certificates, and the sheet that tells them to the owner.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::account::Account;
use crate::controller::{StartError, State};
use crate::password::{self, Hash};
use crate::pki::{self, Issued};
use crate::store::{Durability, Store};

/// The sheet's file; the device writes it once and never reads it.
pub(crate) const SHEET: &str = "provisioning.json";

const ACCOUNTS: &[(&str, &str)] = &[
    ("vera", "viewer"),
    ("otto", "operator"),
    ("olga", "operator"),
    ("erik", "engineer"),
    ("ada", "administrator"),
    ("gw-telemetry", "telemetry"),
    ("gw-control", "controller"),
];

#[derive(Serialize)]
struct Sheet<'a> {
    accounts: BTreeMap<&'a str, Credential<'a>>,
    #[serde(flatten)]
    issued: Issued,
}

#[derive(Serialize)]
struct Credential<'a> {
    role: &'a str,
    password: String,
}

/// Makes the delivered state.
pub(crate) fn provision(
    store: &Store,
    serial: &str,
    address: Ipv4Addr,
) -> Result<State, StartError> {
    let now = jiff::Timestamp::now().as_millisecond();
    let mut state = State::default();
    let mut accounts = BTreeMap::new();
    for (name, role) in ACCOUNTS {
        let password = password::generate()?;
        let account = Account::new(role, Hash::of(&password)?, now);
        state.accounts.insert((*name).to_owned(), account);
        accounts.insert(*name, Credential { role, password });
    }
    let issued = pki::issue(store, serial, address)?;
    store.write(SHEET, &Sheet { accounts, issued }, Durability::Synced)?;
    Ok(state)
}
