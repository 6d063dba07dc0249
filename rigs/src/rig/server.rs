//! Servers of the bench's own, to which the device comes as their client.

use std::time::Duration;

use slcert_profiles::file::{Fields, Located, Period, Table, Word};

use super::interface::MqttVersion;
use super::name::Name;
use super::operation::Area;
use super::span::Span;
use super::template::Template;
use crate::secret::SecretSource;

/// What a server of the bench's speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerKind {
    /// An MQTT broker.
    Mqtt,
    /// Modbus TCP.
    ModbusTcp,
}

impl ServerKind {
    /// The word that rig files use.
    pub fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, one)| *one == self)
            .map_or("", |(word, _)| word)
    }
}

impl Word for ServerKind {
    const WHAT: &'static str = "kind of server";
    const WORDS: &'static [(&'static str, Self)] =
        &[("mqtt", Self::Mqtt), ("modbus-tcp", Self::ModbusTcp)];
}

/// A server of the bench's, to which the device comes by itself.
#[derive(Clone, Debug)]
pub struct Server {
    /// What it speaks.
    pub kind: Located<ServerKind>,
    /// The address of the bench's computer that the device reaches, and a port; port 0 is any that is free.
    pub listen: String,
    /// The version of MQTT that the device speaks.
    pub version: MqttVersion,
    /// The user name that the device shows, where it shows one.
    pub user: Option<String>,
    /// The password that it shows.
    pub password: Option<SecretSource>,
    /// How long the device may take until it comes again.
    pub returns: Duration,
    /// How long it waits at least before it comes again, where its documents say so.
    pub waits: Option<Duration>,
    /// An order that the device takes from the server, where there is one.
    pub order: Option<Order>,
    /// The unit that the device's requests are for, where they are for one alone.
    pub unit: Option<u8>,
    /// A register that the device reads from the server and shows elsewhere, where there is one.
    pub shown: Option<Shown>,
}

/// A register that a device reads as a client, and shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The table.
    pub area: Area,
    /// The address.
    pub at: u16,
    /// The operation that reads what the device shows of it.
    pub by: Located<Name>,
    /// The least number that the bench may answer with, and the greatest.
    pub values: (u16, u16),
}

/// An order that a device takes as a client.
#[derive(Clone, Debug)]
pub struct Order {
    /// The topic.
    pub topic: Template,
    /// The payload; `{value}` is a number.
    pub payload: Template,
    /// The operation that reads what the order changes.
    pub changes: Located<Name>,
    /// The least number that the suite may order, and the greatest.
    pub values: (u32, u32),
}

impl Server {
    /// A field that only an MQTT broker has.
    pub(super) fn of_mqtt(&self) -> Option<&'static str> {
        let given = [
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("order", self.order.is_some()),
        ];
        given
            .into_iter()
            .find_map(|(field, given)| given.then_some(field))
    }

    /// A field that only a Modbus server has.
    pub(super) fn of_modbus(&self) -> Option<&'static str> {
        let given = [
            ("unit", self.unit.is_some()),
            ("shown", self.shown.is_some()),
        ];
        given
            .into_iter()
            .find_map(|(field, given)| given.then_some(field))
    }
}

impl Table for Server {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let kind = f.required("kind", "What the server speaks: `mqtt`, `modbus-tcp`.");
        let listen = f.or(
            "listen",
            "The address of the bench's computer that the device reaches, and a port; port 0 is any that is free. `{listen.NAME}` is where it listens.",
            "127.0.0.1:0".to_owned(),
        );
        let version = f.or(
            "version",
            "The version of MQTT that the device speaks.",
            MqttVersion::V5,
        );
        let user = f.optional(
            "user",
            "The user name that the device shows; leave it out where it shows none.",
        );
        let password = f.optional("password", "The password that the device shows.");
        let returns = f.or(
            "returns",
            "How long the device may take until it comes again.",
            Period(Duration::from_secs(5)),
        );
        let waits = f.optional(
            "waits",
            "How long the device waits at least before it comes again, where its documents say so.",
        );
        let order = f.optional(
            "order",
            "An order that the device takes from the server: what is malformed must not be taken for one.",
        );
        let unit = f.optional(
            "unit",
            "The unit that the device's Modbus requests are for, where they are for one alone.",
        );
        let shown = f.optional(
            "shown",
            "A register that the device reads from the server and shows on an interface of its own: what is no answer must not be taken for one.",
        );
        let waits: Option<Period> = waits?;
        Some(Self {
            kind: kind?,
            listen: listen?,
            version: version?,
            user: user?,
            password: password?,
            returns: returns?.0,
            waits: waits.map(|it| it.0),
            order: order?,
            unit: unit?,
            shown: shown?,
        })
    }
}

impl Table for Shown {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let item = f.required("item", "The register: `input[4]`, `holding[10]`.");
        let by = f.required(
            "by",
            "The operation that reads what the device shows of it, as the number that was answered.",
        );
        let from = f.required("from", "The least number that the bench may answer with.");
        let to = f.required("to", "The greatest number.");
        let item: String = item?;
        let (from, to): (u16, u16) = (from?, to?);
        let Some(span) = Span::parse(&item).filter(|it| it.from == it.to && it.area.has_words())
        else {
            f.refuse(
                "item",
                format!("`{item}` is not one register"),
                "write a table and an address, such as `input[4]` or `holding[10]`",
            );
            return None;
        };
        if to.saturating_sub(from) < 2 {
            f.refuse(
                "to",
                "there are no three numbers to answer with".into(),
                "write a `to` well above `from`",
            );
            return None;
        }
        Some(Self {
            area: span.area,
            at: span.from,
            by: by?,
            values: (from, to),
        })
    }
}

impl Table for Order {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let topic = f.required("topic", "The topic on which the device takes it.");
        let payload = f.or(
            "payload",
            "The payload; `{value}` is a number.",
            Template::new("{value}"),
        );
        let changes = f.required(
            "changes",
            "The operation that reads what the order changes.",
        );
        let from = f.required("from", "The least number that the suite may order.");
        let to = f.required("to", "The greatest number.");
        let (from, to): (u32, u32) = (from?, to?);
        if from >= to {
            f.refuse(
                "to",
                "there are no two numbers to order".into(),
                "write a `to` above `from`",
            );
            return None;
        }
        Some(Self {
            topic: topic?,
            payload: payload?,
            changes: changes?,
            values: (from, to),
        })
    }
}

slcert_profiles::settings_word!(ServerKind);
slcert_profiles::settings_table!(Server, Order, Shown);
