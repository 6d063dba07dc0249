//! What a client may take of what it was answered: the specification's word on it (TCP §4.4.1, AP §6).

use std::collections::BTreeSet;

use slcert_rigs::modbus::wire::mbap::{HEADER_LEN, Mbap, PROTOCOL_MODBUS, field};
use slcert_rigs::modbus::wire::pdu::bytes_of_bits;
use slcert_rigs::modbus::wire::{Request, RequestError};

use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::modbus::canary;
use crate::fuzz::modbus::judge::without_numbers;
use crate::modbus::hex;

/// Where frames begin, as one who follows their lengths finds them.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + field::TRANSACTION.end <= bytes.len() {
        starts.push(at);
        let length = match bytes.get(at..) {
            Some(rest) if rest.len() >= field::LENGTH.end => {
                usize::from(Mbap::new_unchecked(rest).length())
            }
            _ => break,
        };
        at += field::LENGTH.end + length;
    }
    starts
}

/// What was made for transaction 0 as an answer to another one: each frame's transaction is so much further.
pub fn addressed(bytes: &mut [u8], transaction: u16) {
    for at in frames(bytes) {
        if let Some([high, low]) = bytes.get_mut(at..at + 2) {
            let own = u16::from_be_bytes([*high, *low]).wrapping_add(transaction);
            [*high, *low] = own.to_be_bytes();
        }
    }
}

/// The part of a request by which it is known again: without what it writes, and how much that is.
pub fn known_by(request: &[u8]) -> &[u8] {
    let length = match request.first() {
        Some(1..=4 | 23) => 5,
        Some(5 | 6 | 15 | 16 | 22) => 3,
        _ => 1,
    };
    request.get(..length).unwrap_or(request)
}

/// How many bytes of data the answer to a read has.
fn wanted(asked: &[u8]) -> Option<usize> {
    let quantity = u16::from_be_bytes([*asked.get(3)?, *asked.get(4)?]);
    match asked.first()? {
        1 | 2 => Some(bytes_of_bits(quantity)),
        3 | 4 | 23 => Some(usize::from(quantity) * 2),
        _ => None,
    }
}

/// The data of each answer to a read that a client might take: it may find one anywhere, need not look at the unit (TCP §4.4.1),
/// and its length is not said to be verified against its byte count.
pub fn takable<'a>(bytes: &'a [u8], asked: &[u8], pending: &BTreeSet<u16>) -> Vec<&'a [u8]> {
    let Some(count) = wanted(asked) else {
        return Vec::new();
    };
    let begins = |at: &usize| {
        let frame = Mbap::new_unchecked(&bytes[*at..]);
        frame.protocol() == PROTOCOL_MODBUS
            && pending.contains(&frame.transaction())
            && frame.pdu().first() == asked.first()
            && frame.pdu().get(1) == Some(&(count as u8))
    };
    let data = |at: usize| bytes.get(at + HEADER_LEN + 2..at + HEADER_LEN + 2 + count);
    (0..bytes.len()).filter(begins).filter_map(data).collect()
}

/// What stands at the place of a register in each frame, right or wrong; `place` is its place behind the first one asked for.
pub fn offered(bytes: &[u8], place: usize) -> BTreeSet<u16> {
    let at = |start: usize| start + HEADER_LEN + 2 + 2 * place;
    let values = frames(bytes).into_iter().filter_map(|start| {
        let value = bytes.get(at(start)..)?.first_chunk()?;
        Some(u16::from_be_bytes(*value))
    });
    values.collect()
}

/// What is wrong with a frame of the device's that has come whole. `unit` is what the rig file states.
pub fn breach(frame: &[u8], unit: Option<u8>) -> Option<Finding> {
    let wrong = |what: String| Some(Finding::new(Oracle::Grammar, what, hex(frame)));
    let asked = match Mbap::new_checked(frame) {
        Ok(asked) => asked,
        Err(error) => {
            let why = without_numbers(&error.to_string());
            return wrong(format!("the device sends a frame that is none: {why}"));
        }
    };
    let function = asked.pdu().first().copied().unwrap_or_default();
    let why = match Request::parse(asked.pdu()) {
        // Codes of its own are the device's affair; these are nobody's (AP §4.1).
        Err(RequestError::Function(_)) if function == 0 || function >= 0x80 => {
            "no request has this function".to_owned()
        }
        Err(error @ (RequestError::Quantity { .. } | RequestError::Trailing { .. })) => {
            without_numbers(&error.to_string())
        }
        Ok(_) | Err(RequestError::Function(_) | RequestError::MeiType(_)) => {
            return match unit {
                Some(unit) if asked.unit() != unit => {
                    wrong("the device asks another unit than the rig file states".to_owned())
                }
                _ => None,
            };
        }
        Err(error) => without_numbers(&error.to_string()),
    };
    wrong(format!("the device sends FC {function}: {why}"))
}

/// Whether a client might take what is known again wherever it turns up: together, what was said wrongly may be an answer.
pub fn tells(bytes: &[u8], asked: &[u8], pending: &BTreeSet<u16>) -> bool {
    let mut answers = takable(bytes, asked, pending).into_iter();
    answers.any(canary::is_in)
}

/// What is wrong with a frame that has bytes in it that only wrong answers had, where no right one could be made of them.
pub fn exposed(frame: &[u8]) -> Option<Finding> {
    let pdu = frame.get(HEADER_LEN..)?;
    canary::is_in(pdu).then(|| {
        let function = pdu.first().copied().unwrap_or_default();
        let what = format!("the device sends FC {function} with bytes of an answer that was none");
        Finding::new(Oracle::Exposure, what, hex(frame))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: [u8; 5] = [4, 0, 0, 0, 2];
    const RIGHT: [u8; 13] = [0, 0, 0, 0, 0, 7, 1, 4, 4, 0, 7, 0, 9];

    fn takable_of(bytes: &[u8]) -> usize {
        takable(bytes, &READ, &BTreeSet::from([0])).len()
    }

    #[test]
    fn each_frame_is_addressed() {
        let mut two = [&RIGHT[..], &RIGHT].concat();
        two[1] = 0xFF;
        addressed(&mut two, 0x0102);
        assert_eq!(
            (two[..2].to_vec(), two[13..15].to_vec()),
            (vec![2, 1], vec![1, 2])
        );
        let mut cut = [0];
        addressed(&mut cut, 9);
        assert_eq!(cut, [0]);
    }

    #[test]
    fn what_a_client_might_take_is_told_from_what_none_may() {
        assert_eq!(takable_of(&RIGHT), 1);
        let changed = |at: usize, to: u8| {
            let mut bytes = RIGHT;
            bytes[at] = to;
            takable_of(&bytes)
        };
        // The unit and the length are not certain to be looked at.
        assert_eq!([changed(6, 9), changed(5, 99)], [1, 1]);
        for (at, to) in [(1, 1), (3, 1), (7, 3), (8, 2), (8, 6), (7, 0x84)] {
            assert_eq!(changed(at, to), 0, "{at}");
        }
        assert_eq!(takable_of(&RIGHT[..12]), 0);
        assert_eq!(takable_of(&[&[9; 3], &RIGHT[..]].concat()), 1);
        assert_eq!(offered(&RIGHT, 0), BTreeSet::from([7]));
        assert_eq!(
            offered(&[&RIGHT[..], &RIGHT].concat(), 1),
            BTreeSet::from([9])
        );
    }

    #[test]
    fn requests_of_the_device_are_held_against_the_specification() {
        let frame = |pdu: &[u8]| [&[0, 1, 0, 0, 0, pdu.len() as u8 + 1, 1][..], pdu].concat();
        let what = |pdu: &[u8]| breach(&frame(pdu), Some(1)).map(|found| found.what);
        for fine in [
            &READ[..],
            &[0x41, 9],
            &[43, 13, 1],
            &[16, 0, 0, 0, 1, 2, 0, 9],
        ] {
            assert_eq!(what(fine), None, "{fine:?}");
        }
        for wrong in [
            &[4, 0, 0, 0, 126][..],
            &[4, 0, 0, 0, 2, 9],
            &[16, 0, 0, 0, 1, 2, 0, 9, 9],
            &[16, 0, 0, 0, 1, 4, 0, 9],
            &[0x84, 2],
            &[0],
        ] {
            assert!(what(wrong).is_some(), "{wrong:?}");
        }
        assert!(breach(&frame(&READ), Some(2)).is_some());
        assert!(breach(&frame(&READ), None).is_none());
    }

    #[test]
    fn bytes_of_what_was_no_answer_are_known_again_in_a_request() {
        let write = [&[16, 0, 10, 0, 3, 6, 1, 244][..], &canary::CANARY[..4]].concat();
        let frame = [&[0, 1, 0, 0, 0, 13, 1][..], &write].concat();
        assert!(breach(&frame, Some(1)).is_none(), "it is a request");
        let found = exposed(&frame).unwrap();
        assert_eq!(found.oracle, Oracle::Exposure);
        assert!(exposed(&frame[..frame.len() - 1]).is_none());
        assert!(exposed(&[]).is_none());
    }

    #[test]
    fn what_together_is_an_answer_a_client_may_hold() {
        let pending = BTreeSet::from([0]);
        let behind = [&RIGHT[..], &canary::CANARY].concat();
        assert!(!tells(&behind, &READ, &pending));
        // Its data come with what is said next.
        let later = [&RIGHT[..9], &canary::CANARY].concat();
        assert!(tells(&later, &READ, &pending));
    }
}
