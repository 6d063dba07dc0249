//! What is sent to a TLS server: records around handshake messages, in right and in wrong order, and what is no TLS.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::change::changed;
use super::hello::{number, padded, random, right};
use super::out_of_place::out_of_place;
use super::wire::{TLS_1_2, content, lying_record, record, sized_8, sized_16};
use crate::fuzz::alter::{altered, in_pieces};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};

/// The version of the first record (RFC 8446 section 5.1).
const FIRST: u16 = 0x0301;

/// TLS inputs.
#[derive(Clone, Copy, Debug)]
pub struct TlsGrammar;

/// What is sent, and what it is.
type Sent = (String, Vec<u8>);

impl Grammar for TlsGrammar {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let whole = prop_oneof![
            10 => changed().prop_map(in_one),
            4 => right().prop_map(in_one),
            5 => fragments(),
            5 => lengths(),
            4 => first(),
            5 => behind(),
            2 => heads(),
            2 => instead(),
            1 => vec(any::<u8>(), 1..=64).prop_map(|bytes| ("noise".to_owned(), bytes)),
        ];
        let cuts = vec((any::<Index>(), 1..=4u64), 1..=3);
        let drips = (prop_oneof![right(), changed()], cuts).prop_map(|(hello, cuts)| {
            let (label, bytes) = in_one(hello);
            input(
                format!("{label}, in pieces"),
                in_pieces(&bytes, &cuts),
                false,
            )
        });
        let halves = (prop_oneof![right(), changed()], any::<Index>()).prop_map(|(hello, at)| {
            let (_, mut bytes) = in_one(hello);
            bytes.truncate(at.index(bytes.len().max(1)));
            ("a part of a ClientHello".to_owned(), bytes)
        });
        let shut = prop_oneof![9 => Just(false), 1 => Just(true)];
        prop_oneof![
            24 => (whole, shut.clone()).prop_map(|((label, bytes), shut)| input(label, vec![Act::Send(bytes)], shut)),
            2 => drips,
            2 => (halves, shut.clone()).prop_map(|((label, bytes), shut)| input(label, vec![Act::Send(bytes)], shut)),
            1 => Just(input("a connection, and nothing".to_owned(), Vec::new(), true)),
            1 => (secured(), shut).prop_map(|((label, bytes), shut)| {
                input(label, vec![Act::Login, Act::Send(bytes)], shut)
            }),
        ]
        .boxed()
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let label = base.varied_label();
        let login = base.acts.contains(&Act::Login);
        altered(base.bytes())
            .prop_map(move |bytes| {
                let mut acts = vec![Act::Send(bytes)];
                if login {
                    acts.insert(0, Act::Login);
                }
                input(label.clone(), acts, false)
            })
            .boxed()
    }
}

/// Each input has a connection of its own: what comes before a handshake comes once.
fn input(label: String, mut acts: Vec<Act>, shut: bool) -> Input {
    if shut {
        acts.push(Act::Shut);
    }
    Input {
        label,
        anew: true,
        acts,
    }
}

/// A message in records as large as they may be.
fn in_records(bytes: &[u8]) -> Vec<u8> {
    let records = bytes.chunks(1 << 14);
    records
        .flat_map(|part| record(content::HANDSHAKE, FIRST, part))
        .collect()
}

fn in_one((label, bytes): Sent) -> Sent {
    (label, in_records(&bytes))
}

/// A ClientHello over many records.
fn fragments() -> BoxedStrategy<Sent> {
    let size = prop_oneof![3 => 1..=16usize, 1 => 17..=200usize];
    let empty = prop_oneof![6 => Just(0usize), 1 => 1..=40usize];
    (prop_oneof![2 => right(), 1 => changed()], size, empty)
        .prop_map(|((label, bytes), size, empty)| {
            let mut sent = record(content::HANDSHAKE, FIRST, &[]).repeat(empty);
            for part in bytes.chunks(size) {
                sent.extend(record(content::HANDSHAKE, FIRST, part));
            }
            let what = if empty > 0 {
                "with empty records first, "
            } else {
                ""
            };
            (format!("{label}, {what}over many records"), sent)
        })
        .boxed()
}

/// Records whose length is not what follows, or is one that no record has.
fn lengths() -> BoxedStrategy<Sent> {
    const EDGES: [u16; 12] = [
        0, 1, 3, 4, 16_383, 16_384, 16_385, 16_640, 16_641, 18_432, 18_433, 65_535,
    ];
    let length =
        prop_oneof![4 => select(EDGES.to_vec()), 1 => 16_385..=18_500u16, 1 => any::<u16>()];
    let lie = (right(), length.clone(), select(vec![FIRST, TLS_1_2])).prop_map(
        |((label, bytes), length, version)| {
            let sent = lying_record(content::HANDSHAKE, version, length, &bytes);
            (format!("{label} in a record whose length lies"), sent)
        },
    );
    let large = (number(), length).prop_map(|(number, length)| {
        let bytes = padded(number, length.into());
        let sent = record(content::HANDSHAKE, FIRST, &bytes);
        ("ClientHello in a large record".to_owned(), sent)
    });
    prop_oneof![3 => lie, 2 => large].boxed()
}

/// Records with another head.
fn heads() -> BoxedStrategy<Sent> {
    let kind = prop_oneof![
        2 => Just(content::HANDSHAKE),
        1 => select(vec![0u8, 19, 25, 26, 63, 64, 127, 128, 255]),
    ];
    let version = prop_oneof![
        2 => Just(FIRST),
        2 => select(vec![0u16, 0x0200, 0x0300, 0x0302, 0x0304, 0x03FF, 0x0401, 0xFEFF, 0xFFFF]),
    ];
    (right(), kind, version)
        .prop_map(|((label, bytes), kind, version)| {
            (
                format!("{label} in a record with another head"),
                record(kind, version, &bytes),
            )
        })
        .boxed()
}

/// Something before a ClientHello, or instead of it.
fn first() -> BoxedStrategy<Sent> {
    let hello = prop_oneof![2 => right().prop_map(Some), 1 => Just(None)];
    (out_of_place(), hello)
        .prop_map(|((label, mut sent), hello)| match hello {
            Some((_, bytes)) => {
                sent.extend(in_records(&bytes));
                (format!("{label} before ClientHello"), sent)
            }
            None => (format!("{label} and no ClientHello"), sent),
        })
        .boxed()
}

/// Something behind a ClientHello, in its record or in one of its own: the client's side of a handshake, in clear.
fn behind() -> BoxedStrategy<Sent> {
    let again =
        right().prop_map(|(_, bytes)| ("a second ClientHello".to_owned(), in_records(&bytes)));
    let joined = (
        right(),
        prop_oneof![
            right().prop_map(|(_, bytes)| bytes),
            vec(any::<u8>(), 1..=9)
        ],
    )
        .prop_map(|((label, mut bytes), more)| {
            bytes.extend(more);
            (
                format!("{label} with more in its record"),
                in_records(&bytes),
            )
        });
    let next = vec(prop_oneof![4 => out_of_place(), 1 => again.boxed()], 1..=3);
    let follows =
        (prop_oneof![4 => right(), 1 => changed()], next).prop_map(|((_, bytes), next)| {
            let mut sent = in_records(&bytes);
            let mut labels = Vec::new();
            for (label, bytes) in next {
                sent.extend(bytes);
                labels.push(label);
            }
            // In the order in which they come, so that what is one kind has one name.
            (format!("ClientHello, then {}", labels.join(", ")), sent)
        });
    prop_oneof![4 => follows, 1 => joined].boxed()
}

/// What is no TLS of today: SSL 2.0, and the protocols that are meant to be under TLS, without it.
fn instead() -> BoxedStrategy<Sent> {
    let old = (
        number(),
        select(vec![0x0002u16, 0x0301, 0x0303]),
        0..=9usize,
    )
        .prop_map(|(number, version, suites)| {
            // RFC 5246 appendix E.2.
            let suites = [0, 0, 0x2F].repeat(suites);
            let challenge = &random(number)[..16];
            let body = [
                &[1][..],
                &version.to_be_bytes(),
                &(suites.len() as u16).to_be_bytes(),
                &[0, 0, 0, 16],
                &suites,
                challenge,
            ]
            .concat();
            let sent = [&[0x80, body.len() as u8], &body[..]].concat();
            ("a ClientHello of SSL 2.0".to_owned(), sent)
        });
    // Nothing here changes anything where it is taken: it reads, or asks to come in with no name.
    let modbus = (any::<u8>(), 1..=4u8, select(vec![0u8, 1, 247, 255])).prop_map(
        |(transaction, function, unit)| {
            let sent = vec![0, transaction, 0, 0, 0, 6, unit, function, 0, 0, 0, 1];
            ("Modbus without TLS".to_owned(), sent)
        },
    );
    let mqtt = select(vec![4u8, 5]).prop_map(|level| {
        let properties: &[u8] = if level == 5 { &[0] } else { &[] };
        let head = [&[0, 4][..], b"MQTT", &[level, 2, 0, 60], properties].concat();
        let body = [head, sized_16(b"slcert-fuzz")].concat();
        let sent = [vec![0x10], sized_8(&body), vec![0xC0, 0]].concat();
        ("MQTT without TLS".to_owned(), sent)
    });
    let texts = select(vec![
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"\r\n",
        b"SSH-2.0-slcert\r\n",
        b"EHLO slcert\r\n",
    ])
    .prop_map(|text| ("text without TLS".to_owned(), text.to_vec()));
    prop_oneof![2 => old, 3 => modbus, 3 => mqtt, 1 => texts].boxed()
}

/// What goes out below a handshake that is done.
fn secured() -> BoxedStrategy<Sent> {
    let noise = (
        vec(any::<u8>(), 0..=200),
        select(vec![content::APPLICATION_DATA, content::HANDSHAKE]),
    )
        .prop_map(|(body, kind)| {
            (
                "a record that does not decrypt".to_owned(),
                record(kind, TLS_1_2, &body),
            )
        });
    let cut = (1..=300u16, 0..=40usize).prop_map(|(length, sent)| {
        let sent = sent.min(length as usize - 1);
        let bytes = lying_record(
            content::APPLICATION_DATA,
            TLS_1_2,
            length,
            &vec![0x55; sent],
        );
        ("a record that is cut off".to_owned(), bytes)
    });
    let large = select(vec![16_640usize, 16_641, 18_432, 18_433, 65_535]).prop_map(|length| {
        let sent = record(content::APPLICATION_DATA, TLS_1_2, &vec![0xAA; length]);
        ("a large record that does not decrypt".to_owned(), sent)
    });
    let again = right().prop_map(|(_, bytes)| ("ClientHello".to_owned(), in_records(&bytes)));
    let in_clear = prop_oneof![4 => noise, 2 => cut, 1 => large, 2 => out_of_place(), 1 => again, 1 => Just((String::from("nothing"), Vec::new()))];
    in_clear
        .prop_map(|(label, sent)| (format!("{label} behind a handshake"), sent))
        .boxed()
}
