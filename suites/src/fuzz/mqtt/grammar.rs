//! MQTT packets: near-valid ones of every type, in both directions and both versions, and what no packet is.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use slcert_rigs::mqtt::wire::Version;
use slcert_rigs::mqtt::wire::frame::{self, Length, MAX_REMAINING, variable};

use crate::fuzz::alter::{altered, in_pieces};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};

/// Where the suite publishes and subscribes: nothing of the device's own.
const OWN: &str = "slcert/fuzz";

/// MQTT inputs for one interface.
#[derive(Clone, Copy, Debug)]
pub struct MqttGrammar {
    /// The version of the sessions.
    pub version: Version,
}

/// A packet, and what it is.
pub(super) type Packet = (String, Vec<u8>);

impl Grammar for MqttGrammar {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let joined = vec(packet(self.version), 2..=4).prop_map(|packets| {
            let bytes = packets.into_iter().flat_map(|(_, bytes)| bytes);
            ("packets in one segment".to_owned(), whole(bytes.collect()))
        });
        let cuts = vec((any::<Index>(), Just(1)), 1..=3);
        let cut = (packet(self.version), cuts).prop_map(|((label, bytes), cuts)| {
            (format!("{label}, in pieces"), in_pieces(&bytes, &cuts))
        });
        let noise = vec(any::<u8>(), 1..=64).prop_map(|bytes| ("noise".to_owned(), whole(bytes)));
        let in_session = prop_oneof![
            12 => packet(self.version).prop_map(|(label, bytes)| (label, whole(bytes))),
            3 => joined,
            2 => cut,
            1 => five_bytes(packet(self.version)).prop_map(|(label, bytes)| (label, whole(bytes))),
            2 => cut_off(packet(self.version)).prop_map(|(label, bytes)| (label, whole(bytes))),
            1 => noise,
        ];
        let anew = prop_oneof![7 => Just(false), 1 => Just(true)];
        let in_session = (in_session, anew, shut())
            .prop_map(|((label, sent), anew, shut)| input(label, true, anew, sent, shut));
        let before = prop_oneof![
            4 => connect(self.version),
            2 => packet(self.version).prop_map(|(label, bytes)| (format!("{label} before CONNECT"), bytes)),
            1 => vec(any::<u8>(), 1..=64).prop_map(|bytes| ("noise before CONNECT".to_owned(), bytes)),
        ];
        let before = (before, shut())
            .prop_map(|((label, bytes), shut)| input(label, false, true, whole(bytes), shut));
        prop_oneof![4 => in_session, 1 => before].boxed()
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let login = base.acts.contains(&Act::Login);
        let label = base.varied_label();
        altered(base.bytes())
            .prop_map(move |bytes| input(label.clone(), login, true, whole(bytes), false))
            .boxed()
    }
}

/// Bytes in one segment.
pub(super) fn whole(bytes: Vec<u8>) -> Vec<Act> {
    vec![Act::Send(bytes)]
}

pub(super) fn shut() -> BoxedStrategy<bool> {
    prop_oneof![15 => Just(false), 1 => Just(true)].boxed()
}

fn input(label: String, login: bool, anew: bool, sent: Vec<Act>, shut: bool) -> Input {
    let mut acts = Vec::new();
    if login {
        acts.push(Act::Login);
    }
    acts.extend(sent);
    if shut {
        acts.push(Act::Shut);
    }
    Input { label, anew, acts }
}

/// A field with its length in front, as far as a length can say it.
pub(super) fn sized(bytes: &[u8]) -> Vec<u8> {
    frame::sized(&bytes[..bytes.len().min(usize::from(u16::MAX))]).unwrap_or_default()
}

/// A packet whose remaining length is right.
pub(super) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    frame::packet(first, body).unwrap_or_default()
}

/// Text fields: right ones, and ones that no text is; with a length that is right or not.
pub(super) fn text() -> BoxedStrategy<Vec<u8>> {
    let bytes = prop_oneof![
        8 => "[a-z]{1,6}(/[a-z]{0,4}){0,3}".prop_map(|rest| format!("{OWN}/{rest}").into_bytes()),
        1 => Just(Vec::new()),
        2 => select(vec![
            &b"a/#/b"[..], b"#", b"+/+", b"a+", b"$share/g/slcert/fuzz/x", b"$share//x", b"$SYS/#", b"a\0b", b"\xED\xA0\x80", b"\xC3\x28", b"\xEF\xBB\xBFa", b"/", b"//",
        ]).prop_map(<[u8]>::to_vec),
        1 => (1..=400usize).prop_map(|levels| "a/".repeat(levels).into_bytes()),
        1 => vec(any::<u8>(), 0..=40),
    ];
    let length = prop_oneof![12 => Just(None), 1 => any::<u16>().prop_map(Some), 1 => (0..=4u16).prop_map(Some)];
    (bytes, length)
        .prop_map(|(bytes, length)| match length {
            None => sized(&bytes),
            Some(length) => [&length.to_be_bytes()[..], &bytes].concat(),
        })
        .boxed()
}

pub(super) fn identifier() -> BoxedStrategy<Vec<u8>> {
    let id = prop_oneof![1 => Just(0u16), 8 => 1..=20u16, 1 => any::<u16>()];
    id.prop_map(|id| id.to_be_bytes().to_vec()).boxed()
}

/// Properties of MQTT 5.0 with their length (section 2.2.2); nothing in 3.1.1.
pub(super) fn properties(version: Version) -> BoxedStrategy<Vec<u8>> {
    if version == Version::V311 {
        return Just(Vec::new()).boxed();
    }
    let identifiers: Vec<u8> = vec![
        0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x11, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A,
        0x1C, 0x1F, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x00, 0x2B, 0x7F,
    ];
    let one = (select(identifiers), any::<u32>(), "[a-z]{0,5}").prop_map(|(id, number, text)| {
        let mut bytes = vec![id];
        match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2A => bytes.push((number & 3) as u8),
            0x13 | 0x21..=0x23 => bytes.extend(((number & 0xFFFF) as u16).to_be_bytes()),
            0x02 | 0x11 | 0x18 | 0x27 => bytes.extend(number.to_be_bytes()),
            0x0B => bytes.extend(variable(number & 0x0FFF_FFFF)),
            0x26 => bytes.extend([sized(text.as_bytes()), sized(b"v")].concat()),
            _ => bytes.extend(sized(text.as_bytes())),
        }
        bytes
    });
    let many = (1..=600usize).prop_map(|count| {
        [&[0x26u8][..], &sized(b"k"), &sized(b"v")]
            .concat()
            .repeat(count)
    });
    let list = prop_oneof![
        8 => Just(Vec::new()),
        4 => vec(one, 1..=4).prop_map(|list| list.concat()),
        1 => many,
    ];
    let length = prop_oneof![12 => Just(None), 1 => (0..=200u32).prop_map(Some)];
    (list, length)
        .prop_map(|(list, length)| {
            let length = length.unwrap_or(list.len() as u32);
            [variable(length), list].concat()
        })
        .boxed()
}

/// A packet around a body: a first byte that is right or not.
pub(super) fn headed(
    label: &'static str,
    first: u8,
    body: BoxedStrategy<Vec<u8>>,
) -> BoxedStrategy<Packet> {
    let flags = prop_oneof![10 => Just(0u8), 1 => 1..=15u8];
    (body, flags)
        .prop_map(move |(body, flags)| {
            let label = if flags == 0 {
                label.to_owned()
            } else {
                format!("{label} with other flags")
            };
            (label, framed(first ^ flags, &body))
        })
        .boxed()
}

pub(super) fn joined(parts: Vec<BoxedStrategy<Vec<u8>>>) -> BoxedStrategy<Vec<u8>> {
    parts.prop_map(|parts| parts.concat()).boxed()
}

pub(super) fn publish(version: Version) -> BoxedStrategy<Packet> {
    let qos = prop_oneof![4 => Just(0u8), 4 => Just(1), 3 => Just(2), 1 => Just(3)];
    let payload = prop_oneof![4 => vec(any::<u8>(), 0..=16), 1 => (0..=3000usize).prop_map(|size| vec![b'x'; size])];
    (
        qos,
        any::<bool>(),
        text(),
        identifier(),
        properties(version),
        payload,
    )
        .prop_map(|(qos, dup, topic, id, properties, payload)| {
            let id = if qos == 0 { Vec::new() } else { id };
            let body = [topic, id, properties, payload].concat();
            // Nothing is retained: the device is left as it was found.
            let first = 0x30 | u8::from(dup && qos > 0) << 3 | qos << 1;
            ("PUBLISH".to_owned(), framed(first, &body))
        })
        .boxed()
}

pub(super) fn filters(options: bool) -> BoxedStrategy<Vec<u8>> {
    let option = prop_oneof![6 => 0..=2u8, 1 => any::<u8>()];
    let one = (text(), option).prop_map(move |(mut filter, option)| {
        if options {
            filter.push(option);
        }
        filter
    });
    prop_oneof![8 => vec(one.clone(), 0..=3), 1 => vec(one, 4..=120)]
        .prop_map(|filters| filters.concat())
        .boxed()
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
pub(super) fn acknowledgement(version: Version) -> BoxedStrategy<Packet> {
    let kind = select(vec![
        ("PUBACK", 0x40u8),
        ("PUBREC", 0x50),
        ("PUBREL", 0x62),
        ("PUBCOMP", 0x70),
    ]);
    kind.prop_flat_map(move |(label, first)| {
        let rest = prop_oneof![
            4 => Just(Vec::new()),
            1 => vec(any::<u8>(), 1..=3),
            1 => (any::<u8>(), properties(version)).prop_map(|(reason, properties)| [vec![reason], properties].concat()),
        ];
        headed(label, first, joined(vec![identifier(), rest.boxed()]))
    })
    .boxed()
}

/// Packets that only a server sends, or nobody.
fn of_servers(version: Version) -> BoxedStrategy<Packet> {
    let kind = select(vec![
        ("CONNACK", 0x20u8),
        ("SUBACK", 0x90),
        ("UNSUBACK", 0xB0),
        ("PINGRESP", 0xD0),
        ("packet type 0", 0x00),
        ("packet type 15", 0xF0),
    ]);
    (kind, vec(any::<u8>(), 0..=4), properties(version))
        .prop_map(|((label, first), body, properties)| {
            let body = [body, properties].concat();
            (label.to_owned(), framed(first, &body))
        })
        .boxed()
}

fn packet(version: Version) -> BoxedStrategy<Packet> {
    let nothing = || prop_oneof![6 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..=4)].boxed();
    let ending = match version {
        Version::V311 => nothing(),
        Version::V5 => prop_oneof![
            2 => Just(Vec::new()),
            2 => (any::<u8>(), properties(version)).prop_map(|(reason, properties)| [vec![reason], properties].concat()),
        ]
        .boxed(),
    };
    prop_oneof![
        8 => publish(version),
        6 => headed("SUBSCRIBE", 0x82, joined(vec![identifier(), properties(version), filters(true)])),
        3 => headed("UNSUBSCRIBE", 0xA2, joined(vec![identifier(), properties(version), filters(false)])),
        5 => acknowledgement(version),
        2 => headed("PINGREQ", 0xC0, nothing()),
        1 => headed("DISCONNECT", 0xE0, ending),
        2 => of_servers(version),
        1 => connect(version),
    ]
    .boxed()
}

/// CONNECT in right and in wrong forms. It never has the name of an account: nobody is locked out.
pub(super) fn connect(version: Version) -> BoxedStrategy<Packet> {
    let name = prop_oneof![
        8 => Just(&b"MQTT"[..]),
        1 => select(vec![&b"MQIsdp"[..], b"mqtt", b"", b"MQTTMQTTMQTT"]),
    ];
    let right = version.level();
    let level = prop_oneof![8 => Just(right), 1 => select(vec![0u8, 3, 4, 5, 6, 0x83, 0x84, 255])];
    let flags = prop_oneof![4 => select(vec![0x00u8, 0x02, 0x06, 0x0E, 0x26, 0x82, 0xC2, 0xC6]), 2 => any::<u8>()];
    let fields = vec(text(), 0..=5);
    (
        name,
        level,
        flags,
        any::<u16>(),
        properties(version),
        fields,
        properties(version),
    )
        .prop_map(
            move |(name, level, flags, alive, properties, mut fields, will)| {
                if flags & 0x04 != 0 && fields.len() > 1 {
                    fields.insert(1, will);
                }
                let body = [
                    sized(name),
                    vec![level, flags],
                    alive.to_be_bytes().to_vec(),
                    properties,
                    fields.concat(),
                ]
                .concat();
                let bytes = framed(0x10, &body);
                ("CONNECT".to_owned(), bytes)
            },
        )
        .boxed()
}

/// Inputs in a session that leave a broker waiting for the rest of a packet.
pub fn unfinished(version: Version) -> BoxedStrategy<Input> {
    cut_off(packet(version))
        .prop_map(|(label, bytes)| input(label, true, true, whole(bytes), false))
        .boxed()
}

/// Packets that do not end: more is declared than is sent, or what is sent stops short, maybe inside its header.
pub(super) fn cut_off(packet: BoxedStrategy<Packet>) -> BoxedStrategy<Packet> {
    let more = prop_oneof![
        3 => 1..=8usize,
        1 => select(vec![300usize, 70_000, 5_000_000, 268_435_000]),
    ];
    let declared = (packet.clone(), more).prop_map(|((label, bytes), more)| {
        let body = body(&bytes);
        let length = variable((body.len() + more).min(MAX_REMAINING) as u32);
        (
            format!("{label}, declared, and not sent"),
            frame::lie(bytes[0], &length, body),
        )
    });
    let stopped = (packet, any::<Index>()).prop_map(|((label, mut bytes), at)| {
        bytes.truncate(1 + at.index(bytes.len() - 1));
        (format!("{label}, cut off"), bytes)
    });
    let header = (any::<u8>(), vec(0x80..=0xFFu8, 0..=3)).prop_map(|(first, length)| {
        let bytes = [vec![first], length].concat();
        ("a part of a header".to_owned(), bytes)
    });
    prop_oneof![4 => declared, 2 => stopped, 1 => header].boxed()
}

/// Packets whose remaining length has five bytes.
pub(super) fn five_bytes(packet: BoxedStrategy<Packet>) -> BoxedStrategy<Packet> {
    packet
        .prop_map(|(label, bytes)| {
            let length = [0xFF, 0xFF, 0xFF, 0xFF, 0x01];
            let label = format!("{label}, a length of five bytes");
            (label, frame::lie(bytes[0], &length, body(&bytes)))
        })
        .boxed()
}

/// What follows a packet's header.
fn body(bytes: &[u8]) -> &[u8] {
    match frame::length(bytes) {
        Length::Bytes { header, .. } => &bytes[header..],
        Length::Unknown | Length::Malformed => &[],
    }
}
