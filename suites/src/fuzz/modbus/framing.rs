//! Requests in frames, rightly and wrongly: MBAP on TCP and TLS, RTU on a serial line.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
pub use slcert_rigs::modbus::wire::mbap::frame;
use slcert_rigs::modbus::wire::mbap::{self, PROTOCOL_MODBUS};
use slcert_rigs::modbus::wire::rtu;

use super::grammar::{Map, request, variation};
use crate::fuzz::alter::in_pieces;
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};

/// How requests are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// With an MBAP header.
    Mbap,
    /// With an address and a CRC, and silence between frames.
    Rtu,
}

/// Modbus inputs for one interface.
#[derive(Clone, Debug)]
pub struct ModbusGrammar {
    /// How requests are framed.
    pub framing: Framing,
    /// The device's unit.
    pub unit: u8,
    /// Its data model.
    pub map: Map,
}

impl Grammar for ModbusGrammar {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let pdu = request(&self.map);
        match self.framing {
            Framing::Mbap => self.in_mbap(pdu),
            Framing::Rtu => self.in_rtu(pdu),
        }
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let unit = self.unit;
        match self.framing {
            Framing::Mbap => {
                let bytes = base.bytes();
                let pdu = bytes.get(mbap::HEADER_LEN..).unwrap_or_default().to_vec();
                let label = base.varied_label();
                (variation(pdu), any::<u16>(), any::<bool>())
                    .prop_map(move |(pdu, transaction, anew)| {
                        let mut input = Input::of(label.clone(), frame(transaction, unit, &pdu));
                        input.anew = anew;
                        input
                    })
                    .boxed()
            }
            Framing::Rtu => {
                let bytes = base.bytes();
                let end = bytes.len().saturating_sub(2).max(1);
                let pdu = bytes.get(1..end).unwrap_or_default().to_vec();
                let label = base.varied_label();
                variation(pdu)
                    .prop_map(move |pdu| Input::of(label.clone(), sealed(unit, &pdu)))
                    .boxed()
            }
        }
    }
}

impl ModbusGrammar {
    fn in_mbap(&self, pdu: BoxedStrategy<(String, Vec<u8>)>) -> BoxedStrategy<Input> {
        let unit = self.unit;
        let plain = (pdu.clone(), any::<u16>()).prop_map(move |((label, pdu), transaction)| {
            Input::of(label, frame(transaction, unit, &pdu))
        });
        let joined = (vec(pdu.clone(), 2..=5), any::<u16>()).prop_map(move |(pdus, first)| {
            let frames = pdus
                .iter()
                .zip(0..)
                .flat_map(|((_, pdu), at)| frame(first.wrapping_add(at), unit, pdu));
            Input::of("requests in one segment", frames.collect())
        });
        let pieces = (
            pdu.clone(),
            any::<u16>(),
            vec((any::<Index>(), 0..=2u64), 1..=4),
        )
            .prop_map(move |((label, pdu), transaction, cuts)| {
                cut(
                    format!("{label}, in pieces"),
                    &frame(transaction, unit, &pdu),
                    &cuts,
                )
            });
        let wrong = (pdu.clone(), any::<u16>(), header())
            .prop_map(move |((_, pdu), transaction, wrong)| wrong.applied(transaction, unit, &pdu));
        let unfinished = (pdu, any::<u16>(), any::<Index>(), any::<bool>()).prop_map(
            move |((_, pdu), transaction, at, shut)| {
                let mut bytes = frame(transaction, unit, &pdu);
                bytes.truncate(at.index(bytes.len()).max(1));
                let mut input = Input::of("a request that does not end", bytes);
                if shut {
                    input.acts.push(Act::Shut);
                }
                input
            },
        );
        let noise = vec(any::<u8>(), 1..=300).prop_map(|bytes| Input::of("noise", bytes));
        let anew = prop_oneof![7 => Just(false), 1 => Just(true)];
        (
            prop_oneof![
                16 => plain,
                2 => joined,
                2 => pieces,
                3 => wrong,
                1 => unfinished,
                1 => noise,
            ],
            anew,
        )
            .prop_map(|(mut input, anew)| {
                input.anew = anew;
                input
            })
            .boxed()
    }

    fn in_rtu(&self, pdu: BoxedStrategy<(String, Vec<u8>)>) -> BoxedStrategy<Input> {
        let unit = self.unit;
        let plain = pdu
            .clone()
            .prop_map(move |(label, pdu)| Input::of(label, sealed(unit, &pdu)));
        let bad_crc = (pdu.clone(), 1..=u16::MAX).prop_map(move |((_, pdu), flip)| {
            let mut bytes = sealed(unit, &pdu);
            let end = bytes.len();
            let [high, low] = flip.to_be_bytes();
            bytes[end - 2] ^= high;
            bytes[end - 1] ^= low;
            Input::of("a wrong CRC", bytes)
        });
        let others = prop_oneof![1 => Just(0u8), 2 => any::<u8>()];
        let others = (
            pdu.clone(),
            others.prop_filter("another unit", move |other| *other != unit),
        )
            .prop_map(|((_, pdu), other)| {
                let label = if other == 0 {
                    "a broadcast"
                } else {
                    "another unit"
                };
                Input::of(label, sealed(other, &pdu))
            });
        let joined = vec(pdu.clone(), 2..=3).prop_map(move |pdus| {
            let frames = pdus.iter().flat_map(|(_, pdu)| sealed(unit, pdu));
            Input::of("frames without a pause", frames.collect())
        });
        let noise = (pdu.clone(), vec(any::<u8>(), 1..=16), any::<bool>()).prop_map(
            move |((_, pdu), noise, before)| {
                let frame = sealed(unit, &pdu);
                let bytes = if before {
                    [noise, frame].concat()
                } else {
                    [frame, noise].concat()
                };
                Input::of("noise beside a frame", bytes)
            },
        );
        let long =
            vec(any::<u8>(), 257..=600).prop_map(|bytes| Input::of("a frame too long", bytes));
        let gap = (pdu, any::<Index>(), 1..=40u64).prop_map(move |((_, pdu), at, pause)| {
            cut(
                "a frame with a pause inside".to_owned(),
                &sealed(unit, &pdu),
                &[(at, pause)],
            )
        });
        prop_oneof![
            16 => plain,
            2 => bad_crc,
            2 => others,
            1 => joined,
            1 => noise,
            1 => long,
            1 => gap,
        ]
        .boxed()
    }
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug)]
enum Header {
    Protocol(u16),
    Length(u16),
    Shorter(u16),
    Longer(u16),
    Unit(u8),
    Before(u8),
}

fn header() -> BoxedStrategy<Header> {
    prop_oneof![
        prop_oneof![Just(1u16), Just(0x0100), Just(u16::MAX), 1..=u16::MAX]
            .prop_map(Header::Protocol),
        proptest::sample::select(vec![0u16, 1, 255, 256, 260, 0x7FFF, u16::MAX])
            .prop_map(Header::Length),
        (1..=8u16).prop_map(Header::Shorter),
        (1..=8u16).prop_map(Header::Longer),
        any::<u8>().prop_map(Header::Unit),
        (1..=6u8).prop_map(Header::Before),
    ]
    .boxed()
}

impl Header {
    fn applied(self, transaction: u16, unit: u8, pdu: &[u8]) -> Input {
        let right = (pdu.len() + 1) as u16;
        let lie = |protocol, length, unit| mbap::lie(transaction, protocol, length, unit, pdu);
        match self {
            Self::Protocol(protocol) => Input::of(
                "a protocol identifier that is not 0",
                lie(protocol, right, unit),
            ),
            Self::Length(length) => Input::of("a length that no frame has", lie(0, length, unit)),
            Self::Shorter(by) => Input::of(
                "a length that is too short",
                lie(0, right.saturating_sub(by), unit),
            ),
            Self::Longer(by) => Input::of("a length that is too long", lie(0, right + by, unit)),
            Self::Unit(other) => Input::of("another unit", lie(PROTOCOL_MODBUS, right, other)),
            Self::Before(count) => {
                let mut bytes = vec![0; usize::from(count)];
                bytes.extend(lie(0, right, unit));
                Input::of("bytes before a request", bytes)
            }
        }
    }
}

/// An RTU frame with a right CRC.
pub fn sealed(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pdu.len() + 3);
    bytes.push(unit);
    bytes.extend_from_slice(pdu);
    rtu::seal(bytes)
}

/// An input whose bytes come in pieces.
fn cut(label: String, bytes: &[u8], cuts: &[(Index, u64)]) -> Input {
    Input {
        label,
        anew: false,
        acts: in_pieces(bytes, cuts),
    }
}
