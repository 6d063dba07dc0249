//! Answers to a request of the device's: near right ones, and what is none.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use slcert_rigs::modbus::serve::Held;
use slcert_rigs::modbus::wire::mbap::{self, PROTOCOL_MODBUS};

use crate::fuzz::modbus::canary::CANARY;

/// An answer, and what it is; its transaction is told from that of the request.
pub type Answer = (String, Vec<u8>);

const EXCEPTION: u8 = 0x80;
/// The most bytes of a PDU (AP §4.1).
const LONGEST: i32 = 253;

/// What is asked, and what may be in the register that the device shows.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The device's request.
    pub request: Vec<u8>,
    /// All that the device asks.
    pub others: Vec<Vec<u8>>,
    /// Where the register stands in the answer, and the numbers that it may have.
    pub shown: Option<(usize, (u16, u16))>,
    /// The unit.
    pub unit: u8,
}

impl Asked {
    fn function(&self) -> u8 {
        self.request.first().copied().unwrap_or_default()
    }

    fn label(&self, what: &str) -> String {
        format!("FC {}, {what}", self.function())
    }

    /// What the right answer would be, with some number in the register that is shown.
    fn right(&self) -> BoxedStrategy<Vec<u8>> {
        let pdu = Held::default().answer(&self.request);
        let Some((place, (from, to))) = self.shown else {
            return Just(pdu).boxed();
        };
        let numbers = from..=to;
        numbers
            .prop_map(move |number| {
                let mut pdu = pdu.clone();
                if let Some([high, low]) = pdu.get_mut(2 + 2 * place..4 + 2 * place) {
                    [*high, *low] = number.to_be_bytes();
                }
                pdu
            })
            .boxed()
    }

    fn framed(&self, pdu: &[u8]) -> Vec<u8> {
        mbap::frame(0, self.unit, pdu)
    }

    /// An answer of any kind.
    pub fn answer(&self) -> BoxedStrategy<Answer> {
        prop_oneof![
            2 => self.as_it_is(),
            6 => self.in_a_wrong_header(),
            5 => self.refused(),
            5 => self.miscounted(),
            3 => self.of_another(),
        ]
        .boxed()
    }

    fn as_it_is(&self) -> BoxedStrategy<Answer> {
        let asked = self.clone();
        let right = self.right();
        right
            .prop_map(move |pdu| (asked.label("answered rightly"), asked.framed(&pdu)))
            .boxed()
    }

    fn in_a_wrong_header(&self) -> BoxedStrategy<Answer> {
        let further = prop_oneof![
            3 => select(vec![1u16, 0xFFFF, 0xFFFE, 0x0100, 0x8000]),
            1 => 1..=u16::MAX,
        ];
        let protocol = prop_oneof![2 => select(vec![1u16, 0x0100, u16::MAX]), 1 => 1..=u16::MAX];
        let length = select(vec![
            0u16,
            1,
            2,
            3,
            253,
            254,
            255,
            256,
            260,
            0x0100,
            0x7FFF,
            u16::MAX,
        ]);
        let asked = self.clone();
        let wrong = prop_oneof![
            4 => further.prop_map(Wrong::Transaction),
            2 => protocol.prop_map(Wrong::Protocol),
            2 => length.prop_map(Wrong::Length),
            1 => (1..=8u16).prop_map(Wrong::Shorter),
            2 => (1..=250u16).prop_map(Wrong::Longer),
            2 => any::<u8>().prop_map(Wrong::Unit),
            1 => (1..=8u8).prop_map(Wrong::Behind),
        ];
        (self.right(), wrong)
            .prop_map(move |(pdu, wrong)| {
                let right = pdu.len() as u16 + 1;
                let (what, bytes) = match wrong {
                    Wrong::Transaction(further) => (
                        "another transaction",
                        mbap::lie(further, PROTOCOL_MODBUS, right, asked.unit, &pdu),
                    ),
                    Wrong::Protocol(protocol) => (
                        "a protocol identifier that is not 0",
                        mbap::lie(0, protocol, right, asked.unit, &pdu),
                    ),
                    Wrong::Length(length) => (
                        "a length that is none",
                        mbap::lie(0, PROTOCOL_MODBUS, length, asked.unit, &pdu),
                    ),
                    Wrong::Shorter(by) => {
                        let length = right.saturating_sub(by);
                        (
                            "a length that is too short",
                            mbap::lie(0, PROTOCOL_MODBUS, length, asked.unit, &pdu),
                        )
                    }
                    Wrong::Longer(by) => (
                        "a length that is too long",
                        mbap::lie(0, PROTOCOL_MODBUS, right + by, asked.unit, &pdu),
                    ),
                    Wrong::Unit(unit) => (
                        "another unit",
                        mbap::lie(0, PROTOCOL_MODBUS, right, unit, &pdu),
                    ),
                    Wrong::Behind(count) => {
                        let before = vec![0x5A; usize::from(count)];
                        (
                            "bytes before the answer",
                            [before, asked.framed(&pdu)].concat(),
                        )
                    }
                };
                (asked.label(what), bytes)
            })
            .boxed()
    }

    /// Exceptions that there are, that there are not, and that are no exceptions.
    fn refused(&self) -> BoxedStrategy<Answer> {
        let asked = self.clone();
        let code =
            prop_oneof![4 => 1..=11u8, 1 => select(vec![0u8, 12, 0x80, 255]), 1 => any::<u8>()];
        let size = prop_oneof![6 => Just(1usize), 1 => Just(0), 1 => 2..=250usize];
        (code, size)
            .prop_map(move |(code, size)| {
                let mut pdu = vec![asked.function() | EXCEPTION];
                // What stands behind the code is known again.
                let behind = CANARY.iter().copied().cycle();
                pdu.extend([code].into_iter().chain(behind).take(size));
                let what = match (size, code) {
                    (0, _) => "an exception without a code".to_owned(),
                    (1, 1..=11) => format!("exception {code}"),
                    (1, _) => "an exception that there is not".to_owned(),
                    _ => "an exception that is too long".to_owned(),
                };
                (asked.label(&what), asked.framed(&pdu))
            })
            .boxed()
    }

    /// Byte counts that do not match, and data that was not asked for or is not there.
    fn miscounted(&self) -> BoxedStrategy<Answer> {
        let asked = self.clone();
        let count = prop_oneof![
            3 => (-4..=4i32).prop_map(Some),
            2 => select(vec![-255, 255, 249, 250, 251, 128]).prop_map(Some),
            3 => Just(None),
        ];
        let size = prop_oneof![
            3 => Just(0i32),
            3 => -6..=6i32,
            2 => select(vec![-255, 8, 24, 120, 240, 250]),
        ];
        let marked = prop::bool::weighted(0.75);
        (self.right(), count, size, marked)
            .prop_map(move |(mut pdu, count, size, marked)| {
                let data = pdu.len() as i32 - 2 + size;
                let byte = if marked { None } else { Some(0) };
                let filler = CANARY.iter().copied().cycle();
                let wanted = (2 + data).clamp(1, LONGEST) as usize;
                let had = pdu.len();
                pdu.truncate(wanted);
                let more = filler.take(wanted.saturating_sub(had));
                pdu.extend(more.map(|one| byte.unwrap_or(one)));
                let data = pdu.len() as i32 - 2;
                if let Some(said) = pdu.get_mut(1) {
                    // Of a write's answer that is part of an address.
                    *said = data.saturating_add(count.unwrap_or(0)).clamp(0, 255) as u8;
                }
                let what = match count {
                    None | Some(0) => "data of another size",
                    Some(_) => "a byte count that lies",
                };
                (asked.label(what), asked.framed(&pdu))
            })
            .boxed()
    }

    /// What answers something else: another function, another request of the device's, the request itself.
    fn of_another(&self) -> BoxedStrategy<Answer> {
        let asked = self.clone();
        let function = prop_oneof![2 => 1..=24u8, 2 => any::<u8>()];
        let other = select(self.others.clone());
        let own = self.function();
        prop_oneof![
            3 => (self.right(), function).prop_map(move |(mut pdu, function)| {
                pdu[0] = if function == own { function ^ 1 } else { function };
                ("another function", pdu)
            }),
            2 => other.prop_map(|other| ("the answer to another request", Held::default().answer(&other))),
            2 => Just(("its own request", self.request.clone())),
        ]
        .prop_map(move |(what, pdu)| (asked.label(what), asked.framed(&pdu)))
        .boxed()
    }

    /// Bytes that are no answer at all.
    pub fn noise(&self) -> BoxedStrategy<Answer> {
        vec(any::<u8>(), 1..=300)
            .prop_map(|bytes| ("noise".to_owned(), bytes))
            .boxed()
    }
}

#[derive(Clone, Copy, Debug)]
enum Wrong {
    Transaction(u16),
    Protocol(u16),
    Length(u16),
    Shorter(u16),
    Longer(u16),
    Unit(u8),
    Behind(u8),
}
