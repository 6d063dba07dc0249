//! Modbus requests: near-valid ones over the whole application protocol (V1.1b3), and what no request is.

use proptest::collection::vec;
use proptest::prelude::*;
use slcert_rigs::rig::{Area, Range, Span};

use super::canary::CANARY;
use crate::fuzz::alter::altered;

/// A request PDU, and what it is.
pub type Pdu = (String, Vec<u8>);

/// The most bytes of a PDU (section 4.1).
const LONGEST: usize = 253;

/// What a device says of its own data model: where the edges are, and which values items have.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// The items.
    pub spans: Vec<Span>,
    /// Items that are written with some values only.
    pub bounded: Vec<(Area, u16, Range)>,
}

impl Map {
    /// Addresses in and around a table: its edges, one beyond them, and anywhere.
    fn address(&self, area: Area) -> BoxedStrategy<u16> {
        let spans = self.spans.iter().filter(|span| span.area == area);
        let edges: Vec<u16> = spans
            .clone()
            .flat_map(|span| {
                [
                    span.from.saturating_sub(1),
                    span.from,
                    span.to,
                    span.to.saturating_add(1),
                ]
            })
            .chain([0, 1, u16::MAX])
            .collect();
        let inside: Vec<_> = spans.map(|span| span.from..=span.to).collect();
        let edge = proptest::sample::select(edges);
        if inside.is_empty() {
            return prop_oneof![3 => edge, 1 => any::<u16>()].boxed();
        }
        let inside = proptest::sample::select(inside).prop_flat_map(|range| range);
        prop_oneof![4 => inside, 3 => edge, 1 => any::<u16>()].boxed()
    }

    /// The words that are written from an address on, each brought within its item's bounds.
    fn fitting(&self, address: u16, data: &mut [u8]) {
        for (at, word) in (address..=u16::MAX).zip(data.as_chunks_mut::<2>().0) {
            let mut bounds = self.bounded.iter();
            if let Some((_, _, range)) =
                bounds.find(|(area, of, _)| *area == Area::Holding && *of == at)
            {
                let size = u32::from(range.to - range.from) + 1;
                let offset = u32::from(u16::from_be_bytes(*word)) % size;
                *word = (range.from + offset as u16).to_be_bytes();
            }
        }
    }

    /// Quantities in and around what the specification allows and what the table has.
    fn quantity(&self, area: Area, most: u16) -> BoxedStrategy<u16> {
        let spans = self.spans.iter().filter(|span| span.area == area);
        let sizes = spans.flat_map(|span| {
            let size = (span.to - span.from).saturating_add(1);
            [size, size.saturating_add(1)]
        });
        let edges: Vec<u16> = sizes
            .chain([0, 1, most - 1, most, most + 1, most + 2, 255, 256, u16::MAX])
            .collect();
        prop_oneof![
            4 => 1..=8u16,
            4 => proptest::sample::select(edges),
            1 => any::<u16>(),
        ]
        .boxed()
    }
}

/// Data bytes: zeros, a pattern that is known again wherever it turns up, or anything.
fn data(length: usize) -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        1 => Just(vec![0; length]),
        2 => Just(CANARY.iter().copied().cycle().take(length).collect::<Vec<u8>>()),
        2 => vec(any::<u8>(), length),
    ]
    .boxed()
}

/// What is done to the end of a request that is otherwise right.
#[derive(Clone, Copy, Debug)]
enum End {
    AsIs,
    Cut(usize),
    More(usize),
}

fn end() -> BoxedStrategy<End> {
    prop_oneof![
        8 => Just(End::AsIs),
        1 => (1..=6usize).prop_map(End::Cut),
        1 => prop_oneof![4 => 1..=4usize, 1 => 1..=240usize].prop_map(End::More),
    ]
    .boxed()
}

fn finished(function: u8, mut bytes: Vec<u8>, end: End) -> Pdu {
    match end {
        End::AsIs => (format!("FC {function}"), bytes),
        End::Cut(count) => {
            bytes.truncate(bytes.len().saturating_sub(count).max(1));
            (format!("FC {function}, cut off"), bytes)
        }
        End::More(count) => {
            bytes.resize(bytes.len() + count, 0x5A);
            (format!("FC {function}, bytes too many"), bytes)
        }
    }
}

fn with_words(function: u8, words: &[u16]) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_be_bytes());
    std::iter::once(function).chain(words).collect()
}

fn read(map: &Map, function: u8, area: Area, most: u16) -> BoxedStrategy<Pdu> {
    (map.address(area), map.quantity(area, most), end())
        .prop_map(move |(address, quantity, end)| {
            finished(function, with_words(function, &[address, quantity]), end)
        })
        .boxed()
}

fn write_one(map: &Map, function: u8, area: Area) -> BoxedStrategy<Pdu> {
    let value = prop_oneof![
        2 => proptest::sample::select(vec![0xFF00, 0, 1, 0xFFFF, 0x00FF]),
        1 => any::<u16>(),
    ];
    let map = map.clone();
    (map.address(area), value, end(), any::<bool>())
        .prop_map(move |(address, value, end, fits)| {
            let mut bytes = with_words(function, &[address, value]);
            if fits && area == Area::Holding {
                map.fitting(address, &mut bytes[3..]);
            }
            finished(function, bytes, end)
        })
        .boxed()
}

/// Functions 15 and 16: a quantity, a byte count and data that need not agree.
fn write_many(map: &Map, function: u8, area: Area, most: u16) -> BoxedStrategy<Pdu> {
    let bytes_of = move |quantity: u16| match area {
        Area::Coil => usize::from(quantity).div_ceil(8),
        _ => 2 * usize::from(quantity),
    };
    let fitting = map.clone();
    let head = (
        map.address(area),
        map.quantity(area, most),
        end(),
        any::<bool>(),
    );
    let consistent = head.prop_flat_map(move |(address, quantity, end, fits)| {
        let length = bytes_of(quantity).min(LONGEST - 6);
        let map = fitting.clone();
        data(length).prop_map(move |mut data| {
            if fits && area == Area::Holding {
                map.fitting(address, &mut data);
            }
            let mut bytes = with_words(function, &[address, quantity]);
            bytes.push(bytes_of(quantity) as u8);
            bytes.extend(data);
            finished(function, bytes, end)
        })
    });
    let lying = (
        map.address(area),
        map.quantity(area, most),
        prop_oneof![0..=8u8, Just(255), any::<u8>()],
        prop_oneof![0..=16usize, 0..=247usize].prop_flat_map(data),
    )
        .prop_map(move |(address, quantity, count, data)| {
            let mut bytes = with_words(function, &[address, quantity]);
            bytes.push(count);
            bytes.extend(data);
            (format!("FC {function}, a byte count that lies"), bytes)
        });
    prop_oneof![3 => consistent, 2 => lying].boxed()
}

fn mask_write(map: &Map) -> BoxedStrategy<Pdu> {
    let mask = || prop_oneof![1 => Just(0u16), 1 => Just(u16::MAX), 2 => any::<u16>()];
    (map.address(Area::Holding), mask(), mask(), end())
        .prop_map(|(address, and, or, end)| finished(22, with_words(22, &[address, and, or]), end))
        .boxed()
}

fn read_write(map: &Map) -> BoxedStrategy<Pdu> {
    let holding = Area::Holding;
    (
        map.address(holding),
        map.quantity(holding, 125),
        map.address(holding),
        map.quantity(holding, 121),
        prop_oneof![3 => Just(None), 1 => any::<u8>().prop_map(Some)],
        end(),
    )
        .prop_flat_map(|(from, count, to, quantity, lie, end)| {
            let length = (2 * usize::from(quantity)).min(LONGEST - 10);
            data(length).prop_map(move |data| {
                let mut bytes = with_words(23, &[from, count, to, quantity]);
                bytes.push(lie.unwrap_or((2 * quantity.min(127)) as u8));
                bytes.extend(data);
                match lie {
                    Some(_) => ("FC 23, a byte count that lies".to_owned(), bytes),
                    None => finished(23, bytes, end),
                }
            })
        })
        .boxed()
}

/// Functions 20 and 21: lists of sub-requests whose sums and products pass limits that each one keeps.
fn file_records(function: u8) -> BoxedStrategy<Pdu> {
    let kind = prop_oneof![6 => Just(6u8), 1 => any::<u8>()];
    let file = prop_oneof![Just(0u16), 1..=10u16, Just(u16::MAX), any::<u16>()];
    let record = prop_oneof![0..=16u16, Just(9_999u16), Just(10_000u16), any::<u16>()];
    let length = prop_oneof![4 => 0..=4u16, 1 => 100..=130u16, 1 => any::<u16>()];
    let one = (kind, file, record, length).prop_map(move |(kind, file, record, length)| {
        let mut bytes = vec![kind];
        for word in [file, record, length] {
            bytes.extend(word.to_be_bytes());
        }
        if function == 21 {
            let data = 2 * usize::from(length.min(110));
            bytes.extend(CANARY.iter().cycle().take(data));
        }
        bytes
    });
    (
        prop_oneof![4 => vec(one.clone(), 0..=4), 1 => vec(one, 5..=35)],
        prop_oneof![4 => Just(None), 1 => any::<u8>().prop_map(Some)],
        end(),
    )
        .prop_map(move |(parts, lie, end)| {
            let list: Vec<u8> = parts.concat().into_iter().take(LONGEST - 2).collect();
            let mut bytes = vec![function, lie.unwrap_or(list.len() as u8)];
            bytes.extend(list);
            match lie {
                Some(_) => (format!("FC {function}, a byte count that lies"), bytes),
                None => finished(function, bytes, end),
            }
        })
        .boxed()
}

fn diagnostics() -> BoxedStrategy<Pdu> {
    // What goes out is checked once more below: sub-functions 1 and 4 take a device off the line.
    let sub = prop_oneof![
        3 => Just(0u16),
        3 => proptest::sample::select(vec![2u16, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21]),
        1 => 22..=u16::MAX,
    ];
    let field = prop_oneof![3 => data(2), 1 => (0..=64usize).prop_flat_map(data)];
    (sub, field)
        .prop_map(|(sub, data)| {
            let mut bytes = with_words(8, &[sub]);
            bytes.extend(data);
            ("FC 8".to_owned(), bytes)
        })
        .boxed()
}

fn identification() -> BoxedStrategy<Pdu> {
    let code = prop_oneof![3 => 0..=5u8, 1 => any::<u8>()];
    let object = prop_oneof![3 => 0..=7u8, 1 => Just(0x80u8), 1 => any::<u8>()];
    let fourteen = (code, object, end())
        .prop_map(|(code, object, end)| finished(43, vec![43, 14, code, object], end));
    let others = (any::<u8>(), vec(any::<u8>(), 0..=32)).prop_map(|(kind, rest)| {
        let mut bytes = vec![43, if kind == 14 { 13 } else { kind }];
        bytes.extend(rest);
        ("FC 43, another MEI type".to_owned(), bytes)
    });
    prop_oneof![3 => fourteen, 1 => others].boxed()
}

/// Functions whose requests are their code alone (sections 6.7, 6.9, 6.10, 6.13).
fn bare() -> BoxedStrategy<Pdu> {
    (proptest::sample::select(vec![7u8, 11, 12, 17]), end())
        .prop_map(|(function, end)| finished(function, vec![function], end))
        .boxed()
}

fn queue(map: &Map) -> BoxedStrategy<Pdu> {
    (map.address(Area::Holding), end())
        .prop_map(|(address, end)| finished(24, with_words(24, &[address]), end))
        .boxed()
}

/// Codes that no request has, with anything behind them.
fn undefined() -> BoxedStrategy<Pdu> {
    let known = [
        1u8, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43,
    ];
    let codes: Vec<u8> = (0..=255).filter(|code| !known.contains(code)).collect();
    let body = prop_oneof![3 => vec(any::<u8>(), 0..=8), 1 => vec(any::<u8>(), 0..=252)];
    (proptest::sample::select(codes), body)
        .prop_map(|(code, body)| {
            let label = match code {
                0 => "FC 0",
                1..=127 => "an undefined function",
                _ => "an exception as a request",
            };
            let bytes = std::iter::once(code).chain(body).collect();
            (label.to_owned(), bytes)
        })
        .boxed()
}

/// Requests over the whole protocol.
pub fn request(map: &Map) -> BoxedStrategy<Pdu> {
    prop_oneof![
        3 => read(map, 1, Area::Coil, 2000),
        3 => read(map, 2, Area::Discrete, 2000),
        4 => read(map, 3, Area::Holding, 125),
        4 => read(map, 4, Area::Input, 125),
        3 => write_one(map, 5, Area::Coil),
        3 => write_one(map, 6, Area::Holding),
        4 => write_many(map, 15, Area::Coil, 1968),
        4 => write_many(map, 16, Area::Holding, 123),
        2 => mask_write(map),
        4 => read_write(map),
        2 => file_records(20),
        2 => file_records(21),
        2 => diagnostics(),
        3 => identification(),
        1 => bare(),
        1 => queue(map),
        3 => undefined(),
    ]
    .boxed()
}

/// A request with some bytes altered.
pub fn variation(pdu: Vec<u8>) -> BoxedStrategy<Vec<u8>> {
    altered(pdu)
        .prop_map(|mut pdu| {
            pdu.truncate(LONGEST);
            pdu
        })
        .boxed()
}
