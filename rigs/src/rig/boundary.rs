//! The networks that the device stands between, the bench's port in each, and what the device's documents let pass.

use std::collections::BTreeMap;

use slcert_profiles::file::{Fields, Located, Table, Word};

use super::name::Name;
use super::template::Template;

/// A network at one of the device's ports, with the bench in it.
#[derive(Clone, Debug)]
pub struct Network {
    /// The bench's own address in it, without a port.
    pub address: Template,
    /// The device's address in it, without a port.
    pub device: Option<Template>,
    /// Whether what is to cross from here is sent to the device's address: it relays. Otherwise it is sent to the far side
    /// itself: the device routes.
    pub relays: bool,
    /// The address that means everybody in it.
    pub broadcast: Option<Template>,
    /// The address of a group in it. A group of its own is used where this is left out, but on this machine's own addresses.
    pub multicast: Option<Template>,
    /// An address and a TCP port that answer in it, which shows that the bench's port is connected.
    pub answers: Option<Template>,
    /// The namespace of this machine in which the bench has its port to it; the bench's own where left out.
    pub namespace: Option<Template>,
    /// Whether the control system does not trust it.
    pub untrusted: bool,
    /// The TCP ports of the device that answer in it.
    pub serves: Vec<u16>,
    /// Interfaces of this file that the device serves in it as well, and where.
    pub interfaces: BTreeMap<Name, Located<Template>>,
}

/// What the device lets pass from one network to another.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The network that it begins in.
    pub from: Located<Name>,
    /// The network that it goes to.
    pub to: Located<Name>,
    /// What carries it.
    pub protocol: Transport,
    /// The port on the far side.
    pub port: u16,
    /// The address and port that it is sent to, where that is neither the far side nor the same port of the device.
    pub via: Option<Template>,
    /// Whether the device looks into it, and lets only what belongs there pass.
    pub inspected: bool,
}

/// What carries a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl Word for Transport {
    const WHAT: &'static str = "protocol of a flow";
    const WORDS: &'static [(&'static str, Self)] = &[("tcp", Self::Tcp), ("udp", Self::Udp)];
}

slcert_profiles::settings_word!(Transport);

impl Table for Network {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let address = f.required("address", "The bench's own address in it, without a port.");
        let device = f.optional("device", "The device's address in it, without a port.");
        let relays = f.or(
            "relays",
            "Whether what is to cross from here is sent to the device's address in it, and not to the far side itself.",
            false,
        );
        let broadcast = f.optional("broadcast", "The address that means everybody in it.");
        let multicast = f.optional(
            "multicast",
            "The address of a multicast group in it, where it is not to be any.",
        );
        let answers = f.optional(
            "answers",
            "An address and a TCP port that answer in it, which shows that the bench's port is connected.",
        );
        let namespace = f.optional(
            "namespace",
            "The network namespace of this machine (`ip netns`) in which the bench has its port to it.",
        );
        let untrusted = f.or(
            "untrusted",
            "Whether the control system does not trust it.",
            false,
        );
        let serves = f.or(
            "serves",
            "The TCP ports of the device that answer in it.",
            Vec::new(),
        );
        let interfaces = f.or(
            "interfaces",
            "Interfaces of this file that the device serves in it as well, and where: { plc = \"192.0.2.1:802\" }.",
            BTreeMap::new(),
        );
        let (relays, device) = (relays?, device?);
        if relays && device.is_none() {
            f.refuse(
                "relays",
                "a device that relays needs its address (`device`)".into(),
                "say at which address of this network the device takes what it relays",
            );
            return None;
        }
        Some(Self {
            address: address?,
            device,
            relays,
            broadcast: broadcast?,
            multicast: multicast?,
            answers: answers?,
            namespace: namespace?,
            untrusted: untrusted?,
            serves: serves?,
            interfaces: interfaces?,
        })
    }
}

impl Table for Flow {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let from = f.required("from", "The network that it begins in.");
        let to = f.required("to", "The network that it goes to.");
        let protocol = f.required("protocol", "What carries it: \"tcp\" or \"udp\".");
        let port = f.required("port", "The port on the far side.");
        let via = f.optional(
            "via",
            "The address and port that it is sent to, where that is neither the far side nor the same port of the device.",
        );
        let inspected = f.or(
            "inspected",
            "Whether the device looks into it, and lets only what belongs there pass.",
            false,
        );
        Some(Self {
            from: from?,
            to: to?,
            protocol: protocol?,
            port: port?,
            via: via?,
            inspected: inspected?,
        })
    }
}

slcert_profiles::settings_table!(Network, Flow);
