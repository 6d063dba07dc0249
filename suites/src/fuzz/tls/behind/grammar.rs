//! What is sent behind a handshake: records of every type, right and wrong, each sealed with the session's own keys.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::part::{How, Part};
use crate::fuzz::alter::altered;
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::tls::hello::right;
use crate::fuzz::tls::wire::{PLAIN, content, handshake};

const KEY_UPDATE: u8 = 24;

/// Inputs behind a handshake.
#[derive(Clone, Copy, Debug)]
pub struct BehindGrammar;

/// A record, and what it is.
type Said = (&'static str, Part);

impl Grammar for BehindGrammar {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let many = (key_update(), 2..=40usize)
            .prop_map(|((_, part), count)| vec![("many KeyUpdates", part); count]);
        let empty = (2..=12usize).prop_map(|count| {
            let part = Part::of(content::APPLICATION_DATA, Vec::new());
            vec![("many records without content", part); count]
        });
        let parts = prop_oneof![
            8 => vec(record(), 1),
            4 => vec(record(), 2..=4),
            1 => many,
            1 => empty,
        ];
        let old = prop_oneof![2 => Just(false), 1 => Just(true)];
        (parts, old)
            .prop_map(|(parts, old)| {
                let mut labels: Vec<&str> = parts.iter().map(|(label, _)| *label).collect();
                labels.dedup();
                let version = if old { "TLS 1.2" } else { "TLS 1.3" };
                let label = format!("{version}, {}", labels.join(", "));
                let parts = parts.into_iter().map(|(_, part)| part);
                input(label, old, parts.collect())
            })
            .boxed()
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let label = base.varied_label();
        let (old, parts) = read(base);
        let Some((last, before)) = parts.split_last() else {
            return self.inputs();
        };
        let before = before.to_vec();
        altered(last.emit())
            .prop_map(move |bytes| {
                let parts = [&before[..], &[Part::parse(&bytes)]].concat();
                input(label.clone(), old, parts)
            })
            .boxed()
    }
}

/// What comes before the login is the version, what comes behind it are records.
fn input(label: String, old: bool, parts: Vec<Part>) -> Input {
    let mut acts = Vec::new();
    if old {
        acts.push(Act::Send(b"TLS 1.2".to_vec()));
    }
    acts.push(Act::Login);
    acts.extend(parts.iter().map(|part| Act::Send(part.emit())));
    Input {
        label,
        anew: true,
        acts,
    }
}

/// Whether TLS 1.2 alone is offered, and the records behind the handshake.
pub fn read(input: &Input) -> (bool, Vec<Part>) {
    let mut acts = input.acts.split(|act| *act == Act::Login);
    let old = acts.next().is_some_and(|before| !before.is_empty());
    let parts = acts.flatten().filter_map(|act| match act {
        Act::Send(bytes) => Some(Part::parse(bytes)),
        _ => None,
    });
    (old, parts.collect())
}

fn record() -> BoxedStrategy<Said> {
    let padding = prop_oneof![
        8 => Just(0u16),
        2 => 1..=300u16,
        1 => 1..=16_000u16,
    ];
    let right = prop_oneof![
        6 => key_update(),
        4 => wrong_update(),
        4 => message(),
        1 => right().prop_map(|(_, bytes)| ("a ClientHello", Part::of(content::HANDSHAKE, bytes))),
        4 => alert(),
        3 => nothing(),
        4 => long(),
        2 => other(),
    ];
    let padded = (right, padding).prop_map(|((label, mut part), padding)| {
        part.padding = part.padding.max(padding);
        (label, part)
    });
    let spoiled = padded.clone().prop_map(|(_, mut part)| {
        part.how = How::Spoiled;
        ("a record that is damaged", part)
    });
    let early = padded.clone().prop_map(|(_, mut part)| {
        part.how = How::LastOfItsKeys;
        ("keys that change behind a record", part)
    });
    prop_oneof![20 => padded, 2 => spoiled, 1 => early].boxed()
}

fn key_update() -> BoxedStrategy<Said> {
    let how = prop_oneof![4 => Just(How::LastOfItsKeys), 1 => Just(How::Sealed)];
    (0..=1u8, how)
        .prop_map(|(request, how)| {
            let content = handshake(KEY_UPDATE, &[request]);
            let part = Part::of(content::HANDSHAKE, content);
            ("KeyUpdate", Part { how, ..part })
        })
        .boxed()
}

fn wrong_update() -> BoxedStrategy<Said> {
    let value = prop_oneof![3 => 2..=255u8, 1 => 0..=1u8];
    let bodies = prop_oneof![
        2 => value.prop_map(|value| handshake(KEY_UPDATE, &[value])),
        1 => vec(0..=1u8, 0..=5).prop_map(|body| handshake(KEY_UPDATE, &body)),
        1 => (1..=3usize).prop_map(|more| handshake(KEY_UPDATE, &[0]).repeat(1 + more)),
        1 => vec(any::<u8>(), 1..=9).prop_map(|rest| [handshake(KEY_UPDATE, &[0]), rest].concat()),
    ];
    bodies
        .prop_map(|content| ("a wrong KeyUpdate", Part::of(content::HANDSHAKE, content)))
        .boxed()
}

fn message() -> BoxedStrategy<Said> {
    let kind = prop_oneof![
        8 => select(vec![0u8, 1, 2, 4, 5, 8, 11, 12, 13, 14, 15, 16, 20, 22]),
        1 => any::<u8>(),
    ];
    let lie = prop_oneof![6 => Just(0usize), 1 => 1..=4usize];
    (kind, vec(any::<u8>(), 0..=70), lie)
        .prop_map(|(kind, body, lie)| {
            let mut content = handshake(kind, &body);
            content.truncate(content.len() - lie.min(content.len()));
            ("a handshake message", Part::of(content::HANDSHAKE, content))
        })
        .boxed()
}

fn alert() -> BoxedStrategy<Said> {
    let level = prop_oneof![3 => 1..=2u8, 1 => any::<u8>()];
    let description = prop_oneof![
        3 => Just(0u8),
        4 => select(vec![10u8, 20, 40, 42, 50, 70, 80, 90, 100, 110, 116]),
        1 => any::<u8>(),
    ];
    let body = prop_oneof![
        8 => (level, description).prop_map(|(level, description)| vec![level, description]),
        1 => vec(any::<u8>(), 1..=9),
    ];
    body.prop_map(|content| {
        let label = match content.as_slice() {
            [_, 0] => "close_notify",
            _ => "an alert",
        };
        (label, Part::of(content::ALERT, content))
    })
    .boxed()
}

fn nothing() -> BoxedStrategy<Said> {
    let kinds = vec![
        content::APPLICATION_DATA,
        content::APPLICATION_DATA,
        content::HANDSHAKE,
        content::ALERT,
        0,
    ];
    select(kinds)
        .prop_map(|kind| ("a record without content", Part::of(kind, Vec::new())))
        .boxed()
}

/// Records about as long as they may be, and longer.
fn long() -> BoxedStrategy<Said> {
    let length = prop_oneof![
        3 => select(vec![PLAIN - 1, PLAIN, PLAIN + 1, PLAIN + 239, PLAIN + 240, PLAIN + 2031, PLAIN + 2032, PLAIN + 2033, 40_000]),
        1 => PLAIN..=PLAIN + 3000,
    ];
    (length, any::<bool>())
        .prop_map(|(length, padded)| {
            let part = match padded {
                true => Part {
                    padding: length as u16,
                    ..Part::of(content::APPLICATION_DATA, Vec::new())
                },
                false => Part::of(content::HANDSHAKE, vec![0; length]),
            };
            ("a long record", part)
        })
        .boxed()
}

fn other() -> BoxedStrategy<Said> {
    let kind = prop_oneof![
        2 => Just(content::CHANGE_CIPHER_SPEC),
        1 => Just(content::HEARTBEAT),
        2 => any::<u8>().prop_filter("no data", |kind| *kind != content::APPLICATION_DATA),
    ];
    (kind, vec(any::<u8>(), 0..=20))
        .prop_map(|(kind, content)| ("a record of another type", Part::of(kind, content)))
        .boxed()
}
