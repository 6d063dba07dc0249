//! Taking the device out of service: everything that it has stored is erased at the next start, and it is as delivered.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::device::ADDRESS;
use crate::flaw::{Defect, FlawSet};
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

const ORDER: &str = "purge.json";
const REPORT: &str = "erasure.json";
/// Names the file that the flash cannot erase any more, where a bench has made it so.
const WORN: &str = "worn";
/// Where the flaw `purge-leaves-traces` puts what it does not erase.
const TRASH: &str = "trash";

impl Controller {
    /// Orders that everything be erased at the next start; whoever orders it gives his name once more.
    pub(crate) fn purge(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::Purge)?;
        if name != actor.name {
            return Err(Refusal::BadValue);
        }
        self.store.write(ORDER, &true, Durability::Synced)?;
        self.record(actor, Category::Configuration, "purge", true, "");
        Ok(())
    }
}

/// What is told of the last erasure.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Report {
    verified: bool,
    at: jiff::Timestamp,
}

impl Controller {
    /// What came of the last erasure.
    pub(crate) fn erasure(&self, actor: &Actor) -> Result<String, Refusal> {
        self.require(actor, Permission::Purge)?;
        if self.flaws.enabled(Defect::ErasureAlwaysVerified) {
            return Ok("erasure=verified".into());
        }
        let report: Option<Report> = self.store.read(REPORT)?;
        Ok(match report {
            Some(Report { verified, at }) if !self.flaws.enabled(Defect::ErasureUnreported) => {
                let word = if verified { "verified" } else { "failed" };
                format!("erasure={word} at={at}")
            }
            _ => "erasure=none".into(),
        })
    }
}

/// Erases everything but the device's address, where that was ordered, and looks whether it is gone.
pub(crate) fn carry_out(store: &Store, flaws: &FlawSet) -> Result<(), StoreError> {
    if !store.path(ORDER).exists() {
        return Ok(());
    }
    let root = store.path("");
    let at = |cause: io::Error| StoreError::new("erase", root.clone(), cause);
    let worn = fs::read_to_string(store.path(WORN)).unwrap_or_default();
    for name in to_erase(store, flaws).map_err(at)? {
        if name != worn.trim() {
            erase(store, flaws, &name).map_err(at)?;
        }
    }
    let left = to_erase(store, flaws).map_err(at)?;
    let verified = left.is_empty() || flaws.enabled(Defect::ErasureFailureHidden);
    let report = Report {
        verified,
        at: jiff::Timestamp::now(),
    };
    store.write(REPORT, &report, Durability::Synced)?;
    // The order goes last: a power cut in between must not end it.
    fs::remove_file(store.path(ORDER)).map_err(at)
}

/// The names of what the store has, and should not keep.
fn to_erase(store: &Store, flaws: &FlawSet) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(store.path(""))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let kept = [ADDRESS, ORDER, WORN, TRASH].contains(&&*name)
            || name == "audit.log" && flaws.enabled(Defect::PurgeKeepsLog)
            || !["process.json", "audit.log"].contains(&&*name)
                && flaws.enabled(Defect::PurgeKeepsAccounts);
        if !kept {
            names.push(name);
        }
    }
    Ok(names)
}

fn erase(store: &Store, flaws: &FlawSet, name: &str) -> io::Result<()> {
    let path = store.path(name);
    let kind = fs::symlink_metadata(&path)?.file_type();
    if flaws.enabled(Defect::PurgeLeavesTraces) && kind.is_file() {
        fs::create_dir_all(store.path(TRASH))?;
        fs::rename(&path, store.path(TRASH).join(name))
    } else if kind.is_dir() {
        fs::remove_dir_all(&path)
    } else {
        fs::remove_file(&path)
    }
}
