//! What a case is: one test, written once, for every interface that fits.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use slcert_rigs::rig::{Interface, InterfaceKind, Rig, ServerKind, User};

use crate::procedure::{Procedure, Stop};

/// One test. It is scheduled once for each interface that fits it; each of those is a trial.
pub struct Case {
    /// Stable for ever, and unique among the cases of the requirement that owns it: `lockout`.
    pub id: &'static str,
    /// What it shows, in a few words: the name that people see.
    pub title: &'static str,
    /// The requirements that it gives evidence for. The first one owns it.
    pub requirements: &'static [&'static str],
    /// How it works.
    pub kind: Kind,
    /// What it is scheduled on.
    pub scope: Scope,
    /// The operations that the interface has to bind.
    pub needs: &'static [&'static str],
    /// What the case finds out.
    pub objective: &'static str,
    /// What decides its verdict, fixed before the run.
    pub criterion: &'static str,
    /// The practice of IEC 62443-4-1 that it gives evidence for.
    pub svv: Svv,
    /// The procedure.
    pub body: Body,
}

/// How long a case waits for timers of the device's own, by the policy that a rig states.
pub struct Wait {
    /// The case.
    pub case: &'static str,
    /// The requirement that owns it.
    pub requirement: &'static str,
    /// How long, on one interface.
    pub time: fn(&Rig) -> Duration,
}

/// The procedure of a case.
pub type Body = for<'p> fn(&'p mut Procedure<'_>) -> Run<'p>;

/// A procedure on its way.
pub type Run<'p> = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'p>>;

/// How a case works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A fixed procedure with a fixed expectation.
    Conformance,
    /// A property held over generated inputs.
    Fuzz,
    /// A person looks, or reads.
    Inspection,
}

impl Kind {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Conformance => "conformance",
            Self::Fuzz => "fuzz",
            Self::Inspection => "inspection",
        }
    }
}

/// The practices of IEC 62443-4-1 that verify and validate security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Svv {
    /// SVV-1: security requirements testing.
    Requirements,
    /// SVV-2: threat mitigation testing.
    ThreatMitigation,
    /// SVV-3: vulnerability testing.
    Vulnerability,
}

impl Svv {
    /// The practice's id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Requirements => "SVV-1",
            Self::ThreatMitigation => "SVV-2",
            Self::Vulnerability => "SVV-3",
        }
    }
}

/// What a case is scheduled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each interface that fits, on its own.
    Each(Fits),
    /// Each server of the bench's that speaks this, on its own: the device comes to it as a client.
    Servers(ServerKind),
    /// The whole device, once.
    Device,
}

/// Which interfaces a case fits. An empty list lets all through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fits {
    /// What the interface speaks.
    pub kinds: &'static [InterfaceKind],
    /// Who uses it.
    pub users: &'static [User],
    /// Whether it has to have a way to say who one is.
    pub identity: bool,
    /// Whether it has to have TLS.
    pub tls: bool,
    /// Whether its clients have to show a certificate.
    pub client_certificate: bool,
}

impl Fits {
    /// Every interface.
    pub const ALL: Self = Self {
        kinds: &[],
        users: &[],
        identity: false,
        tls: false,
        client_certificate: false,
    };
    /// Interfaces that people use.
    pub const HUMAN: Self = Self {
        users: &[User::Human],
        ..Self::ALL
    };
    /// Interfaces that software and other devices use.
    pub const PROCESS: Self = Self {
        users: &[User::Process],
        ..Self::ALL
    };
    /// Interfaces on which an account logs in with a password.
    pub const PASSWORD: Self = Self {
        kinds: &[InterfaceKind::Console, InterfaceKind::Mqtt],
        ..Self::ALL
    };
    /// Consoles.
    pub const CONSOLE: Self = Self {
        kinds: &[InterfaceKind::Console],
        ..Self::ALL
    };
    /// Modbus in all its forms.
    pub const MODBUS: Self = Self {
        kinds: &[
            InterfaceKind::ModbusRtu,
            InterfaceKind::ModbusTcp,
            InterfaceKind::ModbusTls,
        ],
        ..Self::ALL
    };
    /// MQTT.
    pub const MQTT: Self = Self {
        kinds: &[InterfaceKind::Mqtt],
        ..Self::ALL
    };
    /// Interfaces with TLS.
    pub const TLS: Self = Self {
        tls: true,
        ..Self::ALL
    };

    /// Whether this interface is one of them.
    pub fn fits(&self, interface: &Interface) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&interface.kind))
            && (self.users.is_empty() || self.users.iter().any(|user| interface.used_by(*user)))
            && (!self.identity || interface.has_identity())
            && (!self.tls || interface.tls.is_some())
            && (!self.client_certificate
                || interface
                    .tls
                    .as_ref()
                    .is_some_and(|tls| tls.client_certificate))
    }

    /// What the interfaces are, for a message that there is none.
    pub fn describe(&self) -> String {
        let mut words = Vec::new();
        if !self.users.is_empty() {
            let users: Vec<_> = self
                .users
                .iter()
                .map(|user| format!("{user:?}").to_lowercase())
                .collect();
            words.push(format!("with {} users", users.join(" or ")));
        }
        if !self.kinds.is_empty() {
            let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.word()).collect();
            words.push(format!("of kind {}", kinds.join(", ")));
        }
        if self.tls {
            words.push("with TLS".to_owned());
        }
        if self.client_certificate {
            words.push("whose clients show a certificate".to_owned());
        }
        if self.identity {
            words.push("that knows who its users are".to_owned());
        }
        words.join(" ")
    }
}
