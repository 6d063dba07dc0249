//! The packets of a hostile broker: near what a server sends, and what none does.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use slcert_rigs::mqtt::wire::Version;
use slcert_rigs::mqtt::wire::frame::{lie, variable};

use super::grammar::{OrderText, Step};
use crate::fuzz::mqtt::grammar::{
    Packet, acknowledgement, connect, filters, framed, headed, identifier, joined, properties,
    publish, sized,
};

/// A packet, more often one that the client waits for at this step.
pub(super) fn packet(version: Version, step: Step) -> BoxedStrategy<Packet> {
    let weight = |at: Step| if at == step { 12 } else { 1 };
    prop_oneof![
        weight(Step::Connect) => connack(version),
        weight(Step::Subscribe) => suback(version),
        weight(Step::Session) => publish(version),
        5 => acknowledgement(version),
        3 => ending(version),
        1 => headed("PINGRESP", 0xD0, nothing()),
        1 => unsuback(version),
        1 => auth(version),
        2 => of_clients(version),
    ]
    .boxed()
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP, as the standard has it.
pub(super) fn acknowledged() -> BoxedStrategy<Vec<u8>> {
    let kind = select(vec![0x40u8, 0x50, 0x62, 0x70]);
    (kind, 1..=20u16)
        .prop_map(|(first, id)| framed(first, &id.to_be_bytes()))
        .boxed()
}

fn nothing() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![6 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..=4)].boxed()
}

/// Flags, a code and properties, right ones and others.
fn connack(version: Version) -> BoxedStrategy<Packet> {
    let flags = prop_oneof![8 => Just(0u8), 2 => Just(1), 1 => any::<u8>()];
    let code = match version {
        Version::V311 => prop_oneof![3 => Just(0u8), 5 => 1..=5u8, 1 => any::<u8>()].boxed(),
        Version::V5 => prop_oneof![3 => Just(0u8), 5 => reason(), 1 => any::<u8>()].boxed(),
    };
    let head = (flags, code).prop_map(|(flags, code)| vec![flags, code]);
    headed(
        "CONNACK",
        0x20,
        joined(vec![head.boxed(), properties(version), nothing()]),
    )
}

/// Reason codes of MQTT 5.0 with which a server ends a connection (section 3.14.2.1).
fn reason() -> BoxedStrategy<u8> {
    select(vec![
        0x80u8, 0x81, 0x82, 0x84, 0x86, 0x87, 0x88, 0x89, 0x8B, 0x8D, 0x8E, 0x93, 0x94, 0x95, 0x97,
        0x98, 0x9A, 0x9C, 0x9D, 0x9F, 0xA0,
    ])
    .boxed()
}

fn suback(version: Version) -> BoxedStrategy<Packet> {
    let code = prop_oneof![6 => 0..=2u8, 2 => Just(0x80), 1 => any::<u8>()];
    let codes = prop_oneof![6 => vec(code.clone(), 1..=1), 3 => vec(code.clone(), 0..=4), 1 => vec(code, 5..=300)];
    headed(
        "SUBACK",
        0x90,
        joined(vec![asked(), properties(version), codes.boxed()]),
    )
}

fn unsuback(version: Version) -> BoxedStrategy<Packet> {
    headed(
        "UNSUBACK",
        0xB0,
        joined(vec![asked(), properties(version), nothing()]),
    )
}

/// The identifiers with which most clients begin, and others.
fn asked() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![3 => (1..=2u16).prop_map(|id| id.to_be_bytes().to_vec()), 2 => identifier()].boxed()
}

/// A server's DISCONNECT; in 3.1.1 there is none.
fn ending(version: Version) -> BoxedStrategy<Packet> {
    let body = match version {
        Version::V311 => nothing(),
        Version::V5 => {
            let code = prop_oneof![5 => reason(), 1 => any::<u8>()];
            prop_oneof![
                1 => Just(Vec::new()),
                3 => code.clone().prop_map(|code| vec![code]),
                2 => (code, properties(version)).prop_map(|(code, properties)| [vec![code], properties].concat()),
            ]
            .boxed()
        }
    };
    headed("DISCONNECT", 0xE0, body)
}

fn auth(version: Version) -> BoxedStrategy<Packet> {
    let code = prop_oneof![3 => select(vec![0x00u8, 0x18, 0x19]), 1 => any::<u8>()];
    let body = (code, properties(version))
        .prop_map(|(code, properties)| [vec![code], properties].concat());
    headed("AUTH", 0xF0, body.boxed())
}

/// Packets that only a client sends, or nobody.
fn of_clients(version: Version) -> BoxedStrategy<Packet> {
    prop_oneof![
        1 => connect(version),
        1 => headed("SUBSCRIBE", 0x82, joined(vec![identifier(), properties(version), filters(true)])),
        1 => headed("UNSUBSCRIBE", 0xA2, joined(vec![identifier(), properties(version), filters(false)])),
        1 => headed("PINGREQ", 0xC0, nothing()),
        1 => headed("packet type 0", 0x00, nothing()),
    ]
    .boxed()
}

/// Orders in packets that do not read as such.
pub(super) fn orders(version: Version, order: &OrderText) -> BoxedStrategy<Packet> {
    let order = order.clone();
    let (from, to) = order.values;
    let qos = 0..=1u8;
    (from..=to, qos, 0..=4u8, 1..=40usize)
        .prop_map(move |(number, qos, how, more)| {
            let id: &[u8] = if qos == 0 { &[] } else { &[0, 9] };
            let payload = order.payload(number);
            let topic = sized(order.topic.as_bytes());
            let body = |properties: &[u8]| match version {
                Version::V311 => [&topic, id, &payload].concat(),
                Version::V5 => [&topic, id, properties, &payload].concat(),
            };
            let first = 0x30 | qos << 1;
            let (what, bytes) = match (how, version) {
                (0, Version::V5) => {
                    let lie = [0x7F];
                    (
                        "with properties that reach beyond it",
                        framed(first, &body(&lie)),
                    )
                }
                (1, Version::V5) => {
                    let unknown = [2, 0x7E, 0];
                    (
                        "with a property that there is not",
                        framed(first, &body(&unknown)),
                    )
                }
                (2, Version::V5) => {
                    let broken = [7, 0x26, 0, 1, 0xFF, 0, 1, b'v'];
                    (
                        "with a property that is no UTF-8",
                        framed(first, &body(&broken)),
                    )
                }
                (0..=2, _) => {
                    let with_id = [&topic, &[0, 9][..], &payload].concat();
                    ("with QoS 3", framed(0x36, &with_id))
                }
                _ => {
                    let whole = body(&[0]);
                    let length = variable((whole.len() + more) as u32);
                    ("that is cut off", lie(first, &length, &whole))
                }
            };
            (format!("an order {what}"), bytes)
        })
        .boxed()
}
