//! Two networks, and what may pass from one to the other: a relay for TCP and UDP with a table of rules. What no rule permits
//! does not pass, nothing passes in island mode, and nothing passes while the table cannot be read.
//!
//! The networks are loopback addresses beside the device's own: in each of them one of the device, one of the station on the
//! other end of the cable, and one for what is meant for all.

mod relay;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::flaw::{Defect, FlawSet};
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

pub(crate) use relay::start;

const RULES: &str = "boundary.json";
const ISLAND: &str = "island.json";
/// The longest approval of access from outside, in seconds.
const LONGEST: u64 = 3600;

/// The addresses of the two networks.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Networks {
    /// The device, on the side of the plant.
    pub inside: Ipv4Addr,
    /// The station on the side of the plant.
    pub inside_station: Ipv4Addr,
    /// All on the side of the plant.
    pub inside_all: Ipv4Addr,
    /// Who is of a group on the side of the plant.
    pub inside_group: Ipv4Addr,
    /// The device, on the other side.
    pub outside: Ipv4Addr,
    /// The station on the other side.
    pub outside_station: Ipv4Addr,
    /// All on the other side.
    pub outside_all: Ipv4Addr,
    /// Who is of a group on the other side.
    pub outside_group: Ipv4Addr,
}

impl Networks {
    /// The networks of the device at an address: no two devices share one by chance.
    pub(crate) fn of(device: Ipv4Addr) -> Self {
        let [a, b, c, d] = device.octets();
        let beside = |bit: u8| Ipv4Addr::new(a, b, c ^ bit, d);
        Self {
            inside: beside(1),
            inside_station: beside(2),
            inside_all: beside(4),
            inside_group: beside(64),
            outside: beside(8),
            outside_station: beside(16),
            outside_all: beside(32),
            outside_group: beside(128),
        }
    }
}

/// One of the two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    Inside,
    Outside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// What may pass: from one side, to the same port of the other side's station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub from: Side,
    pub protocol: Protocol,
    pub port: u16,
}

const fn rule(from: Side, protocol: Protocol, port: u16) -> Rule {
    Rule {
        from,
        protocol,
        port,
    }
}

/// The rules that the device is delivered with: OPC UA inwards; a historian and syslog outwards; discrete values inwards.
pub(crate) const DELIVERED: [Rule; 4] = [
    rule(Side::Outside, Protocol::Tcp, 4840),
    rule(Side::Outside, Protocol::Udp, 4000),
    rule(Side::Inside, Protocol::Tcp, 5450),
    rule(Side::Inside, Protocol::Udp, 5140),
];

/// What a port does that only some flaws open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leak {
    /// It passes everything at all times.
    Always,
    /// It passes after a restart.
    AfterRestart,
    /// It passes while the table cannot be read.
    WhileFailed,
}

/// The state of the boundary.
#[derive(Debug)]
pub(crate) struct Boundary {
    store: Store,
    flaws: FlawSet,
    restarted: bool,
    island: AtomicBool,
    /// Until when access from outside is approved.
    approved: Mutex<Option<Instant>>,
}

impl Boundary {
    pub(crate) fn open(store: Store, flaws: FlawSet) -> Result<Self, StoreError> {
        let restarted = store.path(RULES).exists();
        if !restarted {
            store.write(RULES, &DELIVERED, Durability::Synced)?;
        }
        let island = store.read(ISLAND)?.unwrap_or(false);
        Ok(Self {
            store,
            flaws,
            restarted,
            island: AtomicBool::new(island),
            approved: Mutex::new(None),
        })
    }

    /// Whether something may pass now. `leak` is why a port is open that the delivered rules do not know.
    pub(crate) fn passes(&self, asked: Rule, leak: Option<Leak>) -> bool {
        if self.island.load(Ordering::SeqCst) {
            let leaks = asked.from == Side::Inside && self.flaws.enabled(Defect::IslandLeaksOut);
            if !leaks {
                return false;
            }
        }
        let Ok(Some(rules)) = self.store.read::<Vec<Rule>>(RULES) else {
            let outwards = asked.from == Side::Inside;
            return self.flaws.enabled(Defect::FilterFailsOpen)
                || outwards && self.flaws.enabled(Defect::FilterFailsOpenOut);
        };
        match leak {
            Some(Leak::Always) => true,
            Some(Leak::AfterRestart) => self.restarted,
            Some(Leak::WhileFailed) => false,
            None => {
                let kept = self.flaws.enabled(Defect::ClearedRulesGoOn);
                let empty = rules.is_empty() && self.flaws.enabled(Defect::EmptyTableAllowsAll);
                rules.contains(&asked) || kept || empty
            }
        }
    }

    /// Until when somebody may come from outside; none where nobody may.
    pub(crate) fn access_until(&self) -> Option<Instant> {
        let far = Instant::now() + Duration::from_secs(LONGEST);
        if self.flaws.enabled(Defect::OutsideUnapproved) {
            return Some(far);
        }
        let until = *self.approved();
        if until.is_some() && self.flaws.enabled(Defect::ApprovalForEver) {
            return Some(far);
        }
        until.filter(|until| *until > Instant::now())
    }

    fn approved(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.approved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Controller {
    /// Cuts the networks apart, or joins them again by their rules.
    pub(crate) fn set_island(&self, actor: &Actor, on: bool) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageBoundary)?;
        if on || !self.flaws.enabled(Defect::IslandForEver) {
            self.store.write(ISLAND, &on, Durability::Synced)?;
            self.boundary.island.store(on, Ordering::SeqCst);
        }
        let kind = if on { "island_on" } else { "island_off" };
        self.record(actor, Category::Configuration, kind, true, "");
        Ok(())
    }

    /// Takes all rules away, or puts the delivered ones back.
    pub(crate) fn set_rules(&self, actor: &Actor, rules: &[Rule]) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageBoundary)?;
        self.store.write(RULES, &rules, Durability::Synced)?;
        let detail = format!("{} rules", rules.len());
        self.record(actor, Category::Configuration, "boundary", true, &detail);
        Ok(())
    }

    /// Lets people and processes come from outside for so many seconds; none for 0.
    pub(crate) fn approve_access(&self, actor: &Actor, seconds: &str) -> Result<(), Refusal> {
        if !self.flaws.enabled(Defect::AccessApprovedByAnyone) {
            self.require(actor, Permission::ApproveAccess)?;
        }
        let seconds: u64 = seconds.parse().map_err(|_| Refusal::BadValue)?;
        if seconds > LONGEST {
            return Err(Refusal::BadValue);
        }
        *self.boundary.approved() = Some(Instant::now() + Duration::from_secs(seconds));
        let detail = format!("{seconds}s");
        self.record(actor, Category::Access, "access_approved", true, &detail);
        Ok(())
    }
}
