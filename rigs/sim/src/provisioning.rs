//! First start: accounts with random passwords, certificates, and the sheet that tells them to the owner.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::account::Account;
use crate::backup;
use crate::code;
use crate::controller::{PRODUCT, StartError, State};
use crate::factor::Factor;
use crate::firmware::{self, Signer, Version};
use crate::flaw::{Defect, FlawSet};
use crate::import;
use crate::password::{self, Hash};
use crate::peer::{PEERS, Peer};
use crate::pki::{self, Issued};
use crate::role::{self, Users};
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
    /// What the peers share with the device.
    keys: BTreeMap<&'a str, String>,
    #[serde(flatten)]
    issued: Issued,
}

#[derive(Serialize)]
struct Credential<'a> {
    role: &'a str,
    password: String,
    /// What a person's token is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    otp: Option<String>,
}

/// Whether an account is one of those that the device is delivered with.
pub(crate) fn is_delivered(name: &str) -> bool {
    ACCOUNTS.iter().any(|(known, _)| *known == name)
}

/// What the flaw `passwords-reset` does at a start: the accounts get the passwords of the sheet.
pub(crate) fn reset_passwords(store: &Store, state: &mut State) {
    let sheet: Option<serde_json::Value> = store.read(SHEET).ok().flatten();
    for (name, account) in &mut state.accounts {
        let password = sheet
            .as_ref()
            .and_then(|sheet| sheet["accounts"][name]["password"].as_str());
        if let Some(Ok(hash)) = password.map(Hash::of) {
            account.hash = hash;
        }
    }
}

/// What the vendor hands to a lab beside the device: firmware images, configurations, and a backup of another device.
fn vendor_files(store: &Store) -> Result<(), StartError> {
    let (vendor, station) = (Signer::make()?, Signer::make()?);
    let (owner, foreign) = (Signer::make()?, Signer::make()?);
    firmware::deliver(store, &vendor)?;
    import::trust(store, &station)?;
    let images = [
        ("next", vendor.image(PRODUCT, Version([1, 5, 0]))?),
        ("old", vendor.image(PRODUCT, Version([1, 3, 0]))?),
        ("foreign", foreign.image(PRODUCT, Version([1, 6, 0]))?),
        ("other-product", vendor.image("TC-200", Version([1, 7, 0]))?),
    ];
    let write = |name: &str, bytes: &[u8]| {
        store.write_bytes(&format!("vendor/{name}"), bytes, Durability::Written)
    };
    for (name, image) in &images {
        write(&format!("{name}.img"), image)?;
    }
    for (name, limit, signer) in [
        ("site", 850, &station),
        ("owner", 860, &owner),
        ("foreign", 870, &foreign),
    ] {
        let text = import::sealed(&format!("limit={limit}\nlockout=2s"), signer);
        write(&format!("{name}.cfg"), text.as_bytes())?;
    }
    let rules = "above 850 coil 7\nabove 900 coil 6";
    for (name, program) in [
        ("guard-1", code::sealed("1.0", rules, &station)),
        ("guard-2", code::sealed("1.1", rules, &station)),
        ("guard-foreign", code::sealed("1.2", rules, &foreign)),
        ("guard-unsigned", code::unsigned("1.3", rules)),
    ] {
        write(&format!("{name}.prg"), program.as_bytes())?;
    }
    write("owner.key", owner.public())?;
    write(
        "other-device.backup",
        backup::of_another_device()?.as_bytes(),
    )?;
    Ok(())
}

/// Makes the delivered state.
pub(crate) fn provision(
    store: &Store,
    flaws: &FlawSet,
    serial: &str,
    address: Ipv4Addr,
) -> Result<State, StartError> {
    let now = jiff::Timestamp::now().as_millisecond();
    let mut state = State::default();
    let mut accounts = BTreeMap::new();
    for (name, role) in ACCOUNTS {
        let password = password::generate()?;
        let mut account = Account::new(role, Hash::of(&password)?, now);
        if role::users(role) == Users::Human {
            account.factor = Some(Factor::make()?);
        }
        let otp = account.factor.as_ref().map(Factor::base32);
        state.accounts.insert((*name).to_owned(), account);
        let credential = Credential {
            role,
            password,
            otp,
        };
        accounts.insert(*name, credential);
    }
    let one = Peer::make()?;
    for name in PEERS {
        let peer = if flaws.enabled(Defect::OneKeyForAll) {
            one.clone()
        } else {
            Peer::make()?
        };
        state.peers.insert(name.to_owned(), peer);
    }
    let keys = state.peers.iter().map(|(name, peer)| (&**name, peer.hex()));
    let keys = keys.collect();
    let issued = pki::issue(store, serial, address, flaws)?;
    vendor_files(store)?;
    let sheet = Sheet {
        accounts,
        keys,
        issued,
    };
    store.write(SHEET, &sheet, Durability::Synced)?;
    Ok(state)
}
