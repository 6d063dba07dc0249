//! The rig file: the whole of what slcert knows of a device.

mod account;
mod boundary;
mod check;
mod dut;
mod files;
mod interface;
mod key;
mod load;
mod name;
mod operation;
mod policy;
mod reference;
mod server;
mod span;
mod specimen;
mod template;

use std::collections::BTreeMap;

use slcert_profiles::RequirementId;
use slcert_profiles::file::{Diagnostics, Fields, Schema, Source, Table, read, schema_of};

pub use account::{Account, Certificate, Role};
pub use boundary::{Flow, Network, Transport};
pub use dut::{Dut, Essential, Expectation, Function, Hazard, Items, Power, Start, Typed};
pub use files::{FileFault, Recommended, VendorFile};
pub use interface::{
    ConsoleManner, Interface, InterfaceKind, MqttVersion, Offers, Parity, SerialPort, Step, Tls,
    User,
};
pub use key::{Form, Mac, Seal, SharedKey};
pub use load::Load;
pub use name::Name;
pub use operation::{
    AnswerPattern, Area, BenchCommand, Binding, ConsoleBinding, KNOWN, Meaning, ModbusBinding,
    MqttBinding, Operation, Range,
};
pub use policy::{
    AUDIT_GROUPS, Alert, Audit, AuditFull, Category, Excess, OutputOnLoss, OutputState,
    PasswordLife, PasswordRules, Policy, SessionLimit, TimeServer, TlsVersion,
};
pub use reference::Reference;
pub use server::{Order, Server, ServerKind, Shown};
pub use span::Span;
pub use specimen::Specimen;
pub use template::{NoValue, Template, Values};

/// The rig file of the simulated device, which is built in.
pub const SIMULATED: &str = include_str!("../../simulated.toml");

/// A rig: the bench around one device, and the device's own statement.
#[derive(Clone, Debug)]
pub struct Rig {
    /// The device.
    pub dut: Dut,
    /// How the device is started, where it is a process of this machine.
    pub start: Option<Start>,
    /// A second device of the same type, to compare with.
    pub specimen: Option<Specimen>,
    /// Other implementations of the interfaces' protocols, to compare answers with.
    pub references: BTreeMap<Name, Reference>,
    /// How the device is switched off and on.
    pub power: Option<Power>,
    /// The ways into the device.
    pub interfaces: BTreeMap<Name, Interface>,
    /// The bench's own servers, to which the device comes as their client.
    pub servers: BTreeMap<Name, Server>,
    /// The accounts that the bench may use.
    pub accounts: BTreeMap<Name, Account>,
    /// The keys that the device shares with its peers.
    pub keys: BTreeMap<Name, SharedKey>,
    /// The roles.
    pub roles: BTreeMap<Name, Role>,
    /// What the device can be asked to do.
    pub operations: BTreeMap<Name, Operation>,
    /// What the device is set to.
    pub policy: Policy,
    /// How the audit log reads.
    pub audit: Option<Audit>,
    /// How the alerts read that the device sends by itself.
    pub alert: Alert,
    /// Where the bench's time server is for the device.
    pub time_server: TimeServer,
    /// Firmware images that the vendor hands out.
    pub images: BTreeMap<Name, VendorFile>,
    /// Mobile code for the device: programs, scripts, logic.
    pub code: BTreeMap<Name, VendorFile>,
    /// Configurations that the vendor hands out.
    pub configurations: BTreeMap<Name, VendorFile>,
    /// Backups of other devices.
    pub backups: BTreeMap<Name, VendorFile>,
    /// Roots of trust of an owner.
    pub trusts: BTreeMap<Name, VendorFile>,
    /// The settings that the vendor recommends, by the device's own names.
    pub baseline: BTreeMap<String, Recommended>,
    /// What must go on whatever happens.
    pub essential: BTreeMap<Name, Essential>,
    /// The load that the device is declared to bear.
    pub load: Load,
    /// What no test may touch.
    pub hazard: Hazard,
    /// The networks that the device stands between.
    pub networks: BTreeMap<Name, Network>,
    /// What the device lets pass between them; nothing else may.
    pub flows: BTreeMap<Name, Flow>,
    /// What the device's host has open.
    pub surface: Option<Surface>,
    /// Requirements whose capability the device does not have, and why that is right.
    pub absent: BTreeMap<RequirementId, String>,
    /// Requirements that the device does not meet by itself, and the countermeasure around it (CCSC 2).
    pub compensated: BTreeMap<RequirementId, String>,
}

/// What the device's host has open. Whatever else answers is undeclared.
#[derive(Clone, Debug)]
pub struct Surface {
    /// The address that is scanned.
    pub address: Template,
    /// The TCP ports that are declared.
    pub tcp: Vec<u16>,
}

impl Rig {
    /// Reads a rig file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(source: &Source) -> Result<Self, Diagnostics> {
        let rig: Self = read(source)?;
        let faults = check::check(&rig);
        if faults.is_empty() {
            Ok(rig)
        } else {
            Err(Diagnostics::new(source.clone(), faults))
        }
    }

    /// The JSON Schema of rig files.
    pub fn schema() -> Schema {
        schema_of::<Self>("slcert rig file")
    }

    /// How the devices are started that are processes of this machine: the device, and the specimen.
    pub fn starts(&mut self) -> impl Iterator<Item = &mut Start> {
        let specimen = self.specimen.as_mut();
        let specimen = specimen.and_then(|specimen| specimen.start.as_mut());
        self.start.as_mut().into_iter().chain(specimen)
    }

    /// The interface of this name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.get(name)
    }

    /// The server of the bench's of this name.
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.get(name)
    }

    /// The operation of this name, where `interface` binds it and no hazard forbids it.
    pub fn binding(&self, operation: &str, interface: &str) -> Option<&Binding> {
        let forbidden = self
            .hazard
            .never_perform
            .iter()
            .any(|name| name.as_str() == operation);
        let binding = self.operations.get(operation)?.on(interface)?;
        let written = matches!(
            binding,
            Binding::Modbus(ModbusBinding::Write(area, address)) if self.is_hazard(interface, *area, *address)
        );
        (!forbidden && !written).then_some(binding)
    }

    /// How the bench does an operation by itself, where no hazard forbids it.
    pub fn bench_command(&self, operation: &str) -> Option<&BenchCommand> {
        let forbidden = self
            .hazard
            .never_perform
            .iter()
            .any(|name| name.as_str() == operation);
        let command = self.operations.get(operation)?.bench.as_ref()?;
        (!forbidden).then_some(&command.value)
    }

    /// Whether an operation reads something on `interface`, at once and without a value: it can be performed at any time, and
    /// changes nothing.
    pub fn only_reads(&self, operation: &str, interface: &str) -> bool {
        let plain = self
            .binding(operation, interface)
            .is_some_and(|binding| binding.placeholders().is_empty());
        let state = self
            .operations
            .get(operation)
            .is_some_and(Operation::changes_state);
        plain && !state && !operation::acts_or_waits(operation)
    }

    /// As [`Rig::only_reads`], and certain of it: an operation that the suites know by its name, or one that reads back what
    /// another changes. What a rig calls an operation of its own says nothing of what it does.
    pub fn surely_reads(&self, operation: &str, interface: &str) -> bool {
        let known = operation::reads(operation);
        let reads_back = self.operations.values().any(|other| {
            let target = other.read_back.as_ref();
            target.is_some_and(|target| target.value.as_str() == operation)
        });
        (known || reads_back) && self.only_reads(operation, interface)
    }

    /// Whether writing this Modbus item is forbidden.
    pub fn is_hazard(&self, interface: &str, area: Area, address: u16) -> bool {
        self.hazard.never_write.iter().any(|items| {
            items.interface.as_str() == interface && items.value.span.contains(area, address)
        })
    }

    /// Whether an account may perform an operation.
    pub fn may(&self, account: &str, operation: &str) -> bool {
        self.accounts
            .get(account)
            .and_then(|account| self.roles.get(&account.role.value))
            .is_some_and(|role| role.may(operation))
    }

    /// The accounts that can be used on an interface, in the order of their names.
    pub fn accounts_on<'r>(
        &'r self,
        interface: &'r str,
    ) -> impl Iterator<Item = (&'r Name, &'r Account)> {
        self.accounts.iter().filter(move |(_, account)| {
            account
                .interfaces
                .iter()
                .any(|name| name.as_str() == interface)
        })
    }

    /// An account on `interface` that may perform `operation`.
    pub fn who_may(&self, operation: &str, interface: &str) -> Option<&Name> {
        self.first_on(interface, |name| self.may(name, operation))
    }

    /// An account on `interface` that may not perform `operation`.
    pub fn who_may_not(&self, operation: &str, interface: &str) -> Option<&Name> {
        self.first_on(interface, |name| !self.may(name, operation))
    }

    fn first_on(&self, interface: &str, fits: impl Fn(&str) -> bool) -> Option<&Name> {
        self.accounts
            .iter()
            .filter(|(_, account)| {
                account
                    .interfaces
                    .iter()
                    .any(|name| name.as_str() == interface)
            })
            .map(|(name, _)| name)
            .find(|name| fits(name.as_str()))
    }
}

impl Table for Rig {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let dut = f.required("dut", "The device under test, as its label has it.");
        let start = f.optional(
            "start",
            "How the device is started, where it is a process of this machine.",
        );
        let specimen = f.optional(
            "specimen",
            "A second device of the same type, to compare with.",
        );
        let references = f.or(
            "reference",
            "Other implementations of the protocols of interfaces, by the interfaces' names: fuzz suites compare what comes of the same bytes.",
            BTreeMap::new(),
        );
        let power = f.optional(
            "power",
            "How the device is switched off and on; a device that is started here needs none.",
        );
        let interfaces = f.required("interface", "The ways into the device.");
        let servers = f.or(
            "server",
            "Servers of the bench's, to which the device comes as their client.",
            BTreeMap::new(),
        );
        let accounts = f.or(
            "account",
            "The accounts that the bench may use.",
            BTreeMap::new(),
        );
        let keys = f.or(
            "key",
            "The symmetric keys that the device shares with its peers.",
            BTreeMap::new(),
        );
        let roles = f.or("role", "The roles, and what each may do.", BTreeMap::new());
        let operations = f.or(
            "operation",
            "What the device can be asked to do, and how.",
            BTreeMap::new(),
        );
        let policy = f.or("policy", "What the device is set to.", Policy::default());
        let audit = f.optional("audit", "How the audit log reads.");
        let alert = f.or(
            "alert",
            "How the alerts read that the device sends by itself.",
            Alert::default(),
        );
        let time_server = f.or(
            "time_server",
            "Where the bench's time server is for the device.",
            TimeServer::default(),
        );
        let images = f.or(
            "image",
            "Firmware images that the vendor hands out, sound ones and such as the device has to refuse.",
            BTreeMap::new(),
        );
        let code = f.or(
            "code",
            "Mobile code for the device (programs, scripts, logic), sound and such as the device has to refuse.",
            BTreeMap::new(),
        );
        let configurations = f.or(
            "configuration",
            "Configurations that the vendor hands out.",
            BTreeMap::new(),
        );
        let backups = f.or("backup", "Backups of other devices.", BTreeMap::new());
        let trusts = f.or(
            "trust",
            "Roots of trust of an owner, that the device can be given.",
            BTreeMap::new(),
        );
        let baseline = f.or(
            "baseline",
            "The settings that the vendor recommends, by the device's own names.",
            BTreeMap::new(),
        );
        let essential = f.or(
            "essential",
            "What the device must keep doing while it is attacked.",
            BTreeMap::new(),
        );
        let load = f.or(
            "load",
            "How much may come to each interface in a second while the essential functions hold.",
            Load::default(),
        );
        let hazard = f.or("hazard", "What no test may touch.", Hazard::default());
        let networks = f.or(
            "network",
            "The networks that the device stands between, each with a port of the bench in it.",
            BTreeMap::new(),
        );
        let flows = f.or(
            "flow",
            "What the device lets pass from one network to another, as its documents say; nothing else may.",
            BTreeMap::new(),
        );
        let surface = f.optional("surface", "What the device's host has open.");
        let absent = f.or(
            "absent",
            "Requirements whose capability the device does not have, and why that is right.",
            BTreeMap::new(),
        );
        let compensated = f.or(
            "compensated",
            "Requirements that the device does not meet by itself, and the countermeasure around it.",
            BTreeMap::new(),
        );
        Some(Self {
            dut: dut?,
            start: start?,
            specimen: specimen?,
            references: references?,
            power: power?,
            interfaces: interfaces?,
            servers: servers?,
            accounts: accounts?,
            keys: keys?,
            roles: roles?,
            operations: operations?,
            policy: policy?,
            audit: audit?,
            alert: alert?,
            time_server: time_server?,
            images: images?,
            code: code?,
            configurations: configurations?,
            backups: backups?,
            trusts: trusts?,
            baseline: baseline?,
            essential: essential?,
            load: load?,
            hazard: hazard?,
            networks: networks?,
            flows: flows?,
            surface: surface?,
            absent: absent?,
            compensated: compensated?,
        })
    }
}

impl Table for Surface {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let address = f.required("address", "The address that is scanned.");
        let tcp = f.required("tcp", "The TCP ports that are declared.");
        Some(Self {
            address: address?,
            tcp: tcp?,
        })
    }
}

slcert_profiles::settings_table!(Rig, Surface);
