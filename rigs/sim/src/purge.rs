//! Taking the device out of service: everything that it has stored is erased at the next start, and it is as delivered.

use std::fs;
use std::io;

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::device::ADDRESS;
use crate::flaw::{Defect, FlawSet};
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

const ORDER: &str = "purge.json";
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

/// Erases everything but the device's address, where that was ordered.
pub(crate) fn carry_out(store: &Store, flaws: &FlawSet) -> Result<(), StoreError> {
    if !store.path(ORDER).exists() {
        return Ok(());
    }
    let kept: &[&str] = if flaws.enabled(Defect::PurgeKeepsLog) {
        &["audit.log"]
    } else {
        &[]
    };
    let root = store.path("");
    let at = |cause: io::Error| StoreError::new("erase", root.clone(), cause);
    for entry in fs::read_dir(&root).map_err(at)? {
        let entry = entry.map_err(at)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The order itself goes last: a power cut in between must not end it.
        if [ADDRESS, ORDER, TRASH].contains(&&*name) || kept.contains(&&*name) {
            continue;
        }
        if flaws.enabled(Defect::PurgeKeepsAccounts)
            && name != "process.json"
            && name != "audit.log"
        {
            continue;
        }
        let kind = entry.file_type().map_err(at)?;
        if flaws.enabled(Defect::PurgeLeavesTraces) && kind.is_file() {
            fs::create_dir_all(store.path(TRASH)).map_err(at)?;
            fs::rename(entry.path(), store.path(TRASH).join(&*name)).map_err(at)?;
        } else if kind.is_dir() {
            fs::remove_dir_all(entry.path()).map_err(at)?;
        } else {
            fs::remove_file(entry.path()).map_err(at)?;
        }
    }
    fs::remove_file(store.path(ORDER)).map_err(at)
}
