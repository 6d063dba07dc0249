//! The device behind its interfaces: state, rights, and what each operation does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::hmac;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

use crate::account::Account;
use crate::alert::Alerts;
use crate::approval::Interlock;
use crate::audit::{Audit, Category, Event, Source};
use crate::boundary::Boundary;
use crate::certificate::Shown;
use crate::clock::Clock;
use crate::code::{BadProgram, Loaded};
use crate::firmware::{BadImage, Firmware};
use crate::flaw::{Defect, FlawSet};
use crate::loss::Master;
use crate::password::{self, Hash, NoRandom};
use crate::peer::Peer;
use crate::policy::{BadSetting, Policy, Weak};
use crate::process::{Point, Process, Settings};
use crate::revocation::Revocations;
use crate::role::{Permission, Roles};
use crate::session::Sessions;
use crate::store::{Durability, Store, StoreError};
use crate::supervisor::Override;

pub(crate) const VENDOR: &str = "Example Controls";
pub(crate) const PRODUCT: &str = "TC-100";

const STATE: &str = "state.json";
const PROCESS: &str = "process.json";
const DEVICE: &str = "device.json";

/// Why an operation was not done; the text is what a user reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not permitted")]
    NotPermitted,
    #[error("bad value")]
    BadValue,
    #[error("bad value ({0})")]
    Setting(#[from] BadSetting),
    #[error("bad image ({0})")]
    Image(#[from] BadImage),
    #[error("bad program ({0})")]
    Program(#[from] BadProgram),
    #[error("password too weak ({0})")]
    Weak(#[from] Weak),
    #[error("password was used before")]
    Reused,
    #[error("password was changed too recently")]
    TooSoon,
    #[error("storage failed")]
    Storage(#[from] StoreError),
    #[error("internal")]
    Random(#[from] NoRandom),
}

/// Somebody who asks for an operation, and by which interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    pub source: Source,
    pub name: String,
    pub role: String,
}

/// What outlives a restart, besides the values of the process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub accounts: BTreeMap<String, Account>,
    pub roles: Roles,
    pub policy: Policy,
    #[serde(default)]
    pub peers: BTreeMap<String, Peer>,
    /// Accounts that the flaw `removed-account-returns` brings back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<String, Account>,
}

/// What is burnt in once, at first start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plate {
    pub serial: String,
    backup_key: [u8; 32],
}

/// A change of one value of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Point(Point, u16),
    Scratch(usize, u16),
    Coil(u16, bool),
}

impl Write {
    fn permission(self) -> Permission {
        match self {
            Self::Point(Point::Setpoint, _) => Permission::WriteSetpoint,
            Self::Point(Point::Output, _) | Self::Coil(0, _) => Permission::WriteOutput,
            Self::Point(Point::Limit, _) | Self::Scratch(..) | Self::Coil(..) => {
                Permission::WriteLimit
            }
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Point(Point::Setpoint, _) => "write_setpoint",
            Self::Point(Point::Output, _) => "write_output",
            Self::Point(Point::Limit, _) => "write_limit",
            Self::Scratch(..) => "write_scratch",
            Self::Coil(..) => "write_coil",
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Point(point, value) => format!("{}={value}", point.name()),
            Self::Scratch(index, value) => format!("register={} value={value}", index + 3),
            Self::Coil(index, on) => format!("coil={index} value={}", u8::from(on)),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Controller {
    pub flaws: FlawSet,
    pub clock: Arc<Clock>,
    pub audit: Audit,
    pub alerts: Arc<Alerts>,
    pub process: Arc<Process>,
    pub sessions: Sessions,
    pub plate: Plate,
    /// Signalled when a value of the process was changed.
    pub changed: Notify,
    /// Signalled when a flaw ends the process.
    pub crash: Notify,
    /// What the defects of the Modbus server remember.
    pub(crate) deep: crate::modbus::Deep,
    /// What those that an order of events shows remember.
    pub(crate) remembered: crate::history::Remembered,
    /// What those of the broker remember.
    pub(crate) mqtt_deep: crate::mqtt::Deep,
    /// What those before a TLS handshake remember.
    pub(crate) tls_deep: crate::handshake::Deep,
    pub(crate) hashing: Semaphore,
    pub(crate) state: Mutex<State>,
    pub(crate) overrides: Mutex<Vec<Override>>,
    pub(crate) interlock: Mutex<Interlock>,
    /// The password changed last: kept by two flaws only.
    pub(crate) changed_password: Mutex<Option<(String, String)>>,
    /// What an earlier Modbus request left in memory: kept by a flaw only.
    pub(crate) left_over: Mutex<Vec<u8>>,
    pub(crate) firmware: Mutex<Firmware>,
    pub(crate) code: Mutex<Loaded>,
    pub(crate) boundary: Boundary,
    pub(crate) certificate: Arc<Shown>,
    pub(crate) revocations: Arc<Revocations>,
    /// Who wrote the output last, where that is somebody whose loss can be told.
    pub(crate) master: Mutex<Option<Master>>,
    pub(crate) store: Store,
    saving: Mutex<()>,
}

impl Controller {
    /// Brings the device up from its store; an empty store gets the delivered state, made for the device's serial number.
    pub(crate) fn open(
        store: Store,
        flaws: FlawSet,
        delivered: impl FnOnce(&str) -> Result<State, StartError>,
    ) -> Result<Self, StartError> {
        let plate: Plate = match store.read(DEVICE)? {
            Some(plate) => plate,
            None => {
                let plate = Plate::make()?;
                store.write(DEVICE, &plate, Durability::Synced)?;
                plate
            }
        };
        let state = match store.read(STATE)? {
            Some(state) => state,
            None => {
                let state = delivered(&plate.serial)?;
                store.write(STATE, &state, Durability::Synced)?;
                state
            }
        };
        let mut state = started(state, &flaws);
        forget(&mut state, &flaws);
        crate::history::restarted(&mut state, &flaws);
        if flaws.enabled(Defect::OwnerRootForgotten) {
            crate::import::forget_owners(&store)?;
        }
        if flaws.enabled(Defect::PasswordsReset) {
            crate::provisioning::reset_passwords(&store, &mut state);
        }
        let mut settings: Settings = store.read(PROCESS)?.unwrap_or_default();
        if flaws.enabled(Defect::OutputFullAfterRestart) && store.path(PROCESS).exists() {
            settings.output = 1000;
        }
        settings.limit = crate::history::staged(&store)?.unwrap_or(settings.limit);
        let clock = Arc::new(Clock::open(store.clone(), &flaws)?);
        let alerts = Arc::new(Alerts::default());
        let audit = Audit::open(
            store.clone(),
            flaws.clone(),
            Arc::clone(&clock),
            Arc::clone(&alerts),
            &state.policy,
        )?;
        Ok(Self {
            boundary: Boundary::open(store.clone(), flaws.clone())?,
            certificate: Arc::new(Shown::open(&store)?),
            revocations: Arc::new(Revocations::open(&store, &flaws)?),
            firmware: Mutex::new(Firmware::boot(&store, &flaws, &audit)?),
            code: Mutex::new(Loaded::open(&store, &flaws)?),
            master: Mutex::new(None),
            audit,
            alerts,
            process: Arc::new(Process::new(&settings)),
            sessions: Sessions::new(Arc::clone(&clock), &flaws),
            clock,
            plate,
            changed: Notify::new(),
            crash: Notify::new(),
            deep: crate::modbus::Deep::default(),
            mqtt_deep: crate::mqtt::Deep::default(),
            tls_deep: crate::handshake::Deep::default(),
            remembered: crate::history::Remembered::restored(&store, &flaws, settings.limit),
            hashing: Semaphore::new(2),
            state: Mutex::new(state),
            overrides: Mutex::default(),
            interlock: Mutex::default(),
            changed_password: Mutex::new(None),
            left_over: Mutex::default(),
            flaws,
            store,
            saving: Mutex::new(()),
        })
    }

    pub(crate) fn policy(&self) -> Policy {
        self.state().policy.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, on disk before in memory; nothing changes when either fails.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut state = self.state();
        let mut fresh = state.clone();
        let value = change(&mut fresh)?;
        self.store.write(STATE, &fresh, Durability::Synced)?;
        if fresh.policy != state.policy {
            self.audit.configure(&fresh.policy);
        }
        *state = fresh;
        Ok(value)
    }

    /// Whether a role permits an operation now.
    pub(crate) fn permits(&self, actor: &Actor, permission: Permission) -> bool {
        if permission == Permission::WriteOutput
            && actor.source == Source::Console
            && actor.role == "viewer"
            && self.flaws.enabled(Defect::ViewerWrites)
        {
            return true;
        }
        if let Some(permits) = self.remembered_right(actor, permission) {
            return permits;
        }
        let anyway = match (permission, actor.role.as_str()) {
            (Permission::SetTime, _) => Some(Defect::TimeSetByAnyone),
            (Permission::ClearAudit, "engineer") => Some(Defect::AuditClearByEngineer),
            (Permission::ReadAudit, "operator") => Some(Defect::AuditReadByOperator),
            _ => None,
        };
        if anyway.is_some_and(|defect| self.flaws.enabled(defect))
            || self.is_overridden(actor, permission)
        {
            return true;
        }
        if self.flaws.enabled(Defect::RoleChangeIgnored) {
            return Roles::default().permits(&actor.role, permission);
        }
        self.state().roles.permits(&actor.role, permission)
    }

    /// Refuses, and writes down, what the actor's role does not permit.
    pub(crate) fn require(&self, actor: &Actor, permission: Permission) -> Result<(), Refusal> {
        if self.permits(actor, permission) {
            return Ok(());
        }
        if permission == Permission::SetTime && self.flaws.enabled(Defect::TimeRefusalUnlogged) {
            return Err(Refusal::NotPermitted);
        }
        self.record(
            actor,
            Category::RequestError,
            "refused",
            false,
            &permission.to_string(),
        );
        Err(Refusal::NotPermitted)
    }

    /// Writes down what an actor did.
    pub(crate) fn record(
        &self,
        actor: &Actor,
        category: Category,
        kind: &str,
        success: bool,
        detail: &str,
    ) {
        let named_by_role = !actor.role.is_empty() && self.flaws.enabled(Defect::AuditNamesTheRole);
        let nameless = actor.source == Source::ModbusTls
            && category == Category::System
            && self.flaws.enabled(Defect::AuditWithoutSubject);
        let Some(name) = self.recorded_name(actor, category) else {
            return;
        };
        let user = if named_by_role {
            &actor.role
        } else if nameless {
            ""
        } else {
            &name
        };
        let event = || Event {
            source: actor.source,
            category,
            kind,
            user,
            success,
            detail,
        };
        self.audit.record(event());
        if self.recorded_twice(actor, category) {
            self.audit.record(event());
        }
    }

    /// Changes values of the process: all of them, or none when one is not permitted or out of range.
    pub(crate) fn write(&self, actor: &Actor, writes: &[Write]) -> Result<(), Refusal> {
        for write in writes {
            self.require(actor, write.permission())?;
        }
        for write in writes {
            if let Write::Point(point, value) = write
                && !point.accepts(*value)
            {
                return Err(Refusal::BadValue);
            }
        }
        self.apply(actor, writes)
    }

    /// Changes values that were found permitted and in range.
    pub(crate) fn apply(&self, actor: &Actor, writes: &[Write]) -> Result<(), Refusal> {
        if self.flaws.enabled(Defect::AuditFailureStopsControl) && self.audit.is_failing() {
            return Err(Refusal::BadValue);
        }
        let saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        for write in writes {
            match *write {
                Write::Point(point, value) => self.process.set(point, value),
                Write::Scratch(index, value) => self.process.set_scratch(index, value),
                Write::Coil(index, on) => self.process.set_coil(index, on),
            }
        }
        // Process values may come fast; the kernel brings them to the disk in its own time.
        self.store
            .write(PROCESS, &self.process.settings(), Durability::Written)?;
        drop(saving);
        self.note_master(actor, writes);
        self.remember_write(actor);
        self.changed.notify_one();
        for write in writes {
            self.record(actor, Category::System, write.kind(), true, &write.detail());
        }
        Ok(())
    }

    /// Sets the clock.
    pub(crate) fn set_time(&self, actor: &Actor, time: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::SetTime)?;
        let time: jiff::Timestamp = time.parse().map_err(|_| Refusal::BadValue)?;
        let before = self.clock.now();
        self.clock.set(time)?;
        let detail = format!("was {before}");
        self.record(actor, Category::Configuration, "time_set", true, &detail);
        Ok(())
    }

    /// Names the time server that the clock follows.
    pub(crate) fn set_time_source(&self, actor: &Actor, source: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::SetTime)?;
        self.change(|state| Ok(state.policy.set("time_source", source)?))?;
        self.clock.new_server();
        let detail = format!("time_source={source}");
        self.record(actor, Category::Configuration, "config", true, &detail);
        Ok(())
    }

    pub(crate) fn setting(&self, actor: &Actor, key: &str) -> Result<String, Refusal> {
        self.require(actor, Permission::ReadConfig)?;
        let policy = if self.flaws.enabled(Defect::SettingsReadDefaults) {
            Policy::default()
        } else {
            self.policy()
        };
        policy.get(key).ok_or(Refusal::Setting(BadSetting::Unknown))
    }

    /// All settings, as one line of JSON.
    pub(crate) fn report(&self, actor: &Actor) -> Result<String, Refusal> {
        self.require(actor, Permission::ReadConfig)?;
        let policy = if self.flaws.enabled(Defect::ReportStale) {
            Policy::default()
        } else {
            self.policy()
        };
        let settings: BTreeMap<_, _> = Policy::KEYS
            .iter()
            .filter_map(|key| Some((*key, policy.get(key)?)))
            .collect();
        serde_json::to_string(&settings).map_err(|_| Refusal::BadValue)
    }

    pub(crate) fn set_setting(&self, actor: &Actor, key: &str, value: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::WriteConfig)?;
        if key == "time_source" {
            return self.set_time_source(actor, value);
        }
        let fixed = key == "banner" && self.flaws.enabled(Defect::BannerFixed);
        if !fixed {
            self.change(|state| Ok(state.policy.set(key, value)?))?;
        }
        self.record(
            actor,
            Category::Configuration,
            "config",
            true,
            &format!("{key}={value}"),
        );
        Ok(())
    }

    pub(crate) fn change_role(
        &self,
        actor: &Actor,
        role: &str,
        permission: &str,
        granted: bool,
    ) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageRoles)?;
        let named = permission.parse().map_err(|()| Refusal::BadValue)?;
        self.change(|state| {
            state
                .roles
                .change(role, named, granted)
                .then_some(())
                .ok_or(Refusal::BadValue)
        })?;
        let kind = if granted { "role_grant" } else { "role_revoke" };
        let detail = format!("{role} {permission}");
        self.record(actor, Category::Configuration, kind, true, &detail);
        Ok(())
    }

    pub(crate) fn clear_audit(&self, actor: &Actor) -> Result<(), Refusal> {
        let permitted = self.require(actor, Permission::ClearAudit);
        if permitted.is_err() && self.flaws.enabled(Defect::AuditClearedAnyway) {
            self.audit.clear()?;
        }
        permitted?;
        self.audit.clear()?;
        if !self.flaws.enabled(Defect::AuditClearUnlogged) {
            self.record(actor, Category::Audit, "clear", true, "");
        }
        Ok(())
    }

    /// The serial number that the device tells.
    pub(crate) fn serial(&self) -> &str {
        if self.flaws.enabled(Defect::OneSerialForAll) {
            return "00000000";
        }
        &self.plate.serial
    }

    /// The key that marks this device's backups.
    pub(crate) fn backup_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.plate.backup_key)
    }
}

/// What a start makes of the stored state; a sound device takes it as it is.
fn started(mut state: State, flaws: &FlawSet) -> State {
    if flaws.enabled(Defect::RemovedAccountReturns) {
        let removed = std::mem::take(&mut state.removed);
        state.accounts.extend(removed);
    }
    if flaws.enabled(Defect::EnabledByRestart) {
        for account in state.accounts.values_mut() {
            account.enabled = true;
        }
    }
    if flaws.enabled(Defect::SealReplayedAfterRestart) {
        state.peers.values_mut().for_each(Peer::forget_numbers);
    }
    if flaws.enabled(Defect::SecondFactorForgotten) {
        let factors = state
            .accounts
            .values_mut()
            .filter_map(|it| it.factor.as_mut());
        factors.for_each(|factor| factor.demanded = false);
    }
    if flaws.enabled(Defect::ServiceAccount) {
        let service = Account::new("engineer", Hash::unmatchable(), 0);
        state.accounts.insert("service".into(), service);
    }
    state
}

/// What the flaws `settings-lost` and `accounts-lost` do at a start.
fn forget(state: &mut State, flaws: &FlawSet) {
    if flaws.enabled(Defect::SettingsLost) {
        state.policy = Policy::default();
    }
    if flaws.enabled(Defect::AccountsLost) {
        state
            .accounts
            .retain(|name, _| crate::provisioning::is_delivered(name));
    }
}

impl Plate {
    fn make() -> Result<Self, NoRandom> {
        let mut plate = Self {
            serial: String::new(),
            backup_key: [0; 32],
        };
        password::random(&mut plate.backup_key)?;
        let mut number = [0; 4];
        password::random(&mut number)?;
        plate.serial = format!("{:08}", u32::from_be_bytes(number) % 100_000_000);
        Ok(plate)
    }
}

/// Why the device did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of the store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// A key or certificate could not be made or read.
    #[error("certificates: {0}")]
    Pki(String),
    /// A port, a pseudo-terminal or a thread could not be had.
    #[error("{what}: {cause}")]
    Port {
        /// What the device asked for.
        what: String,
        /// What the system answered.
        cause: std::io::Error,
    },
    /// The embedded MQTT broker did not start.
    #[error("MQTT broker: {0}")]
    Broker(String),
    /// Neither slot has a firmware image that is sound.
    #[error("no sound firmware image in either slot")]
    Firmware,
    /// The address is not one of 127.0.0.0/8.
    #[error("{0} is not a loopback address of 127.0.0.0/8")]
    Address(std::net::Ipv4Addr),
    /// The store belongs to a device with another address, which its certificate names.
    #[error("the store belongs to the device at {kept}, not at {wanted}")]
    Moved {
        /// The address of the store.
        kept: std::net::Ipv4Addr,
        /// The address asked for.
        wanted: std::net::Ipv4Addr,
    },
}
