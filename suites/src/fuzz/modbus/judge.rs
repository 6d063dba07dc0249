//! Is this answer right for that request? The specification's word on it, and the device's own on its data model.

use slcert_rigs::modbus::wire::{Illegal, Request, legal_answer};
use slcert_rigs::rig::{Area, Span};

use super::canary;
use crate::fuzz::finding::{Finding, Oracle};
use crate::modbus::hex;

/// Exception 2: an address that the device does not have (section 7).
const ILLEGAL_ADDRESS: u8 = 2;

/// Judges answers on one interface.
#[derive(Clone, Debug)]
pub struct Judge {
    /// The data model that the rig file declares; empty where it declares none.
    pub map: Vec<Span>,
}

/// What an answer is, in a few words that are the same for all of its kind.
pub fn kind(request: &[u8], answer: &[u8]) -> String {
    let function = request.first().copied().unwrap_or_default();
    match answer {
        [code, exception, ..] if code & 0x80 != 0 => format!("FC {function} exception {exception}"),
        _ => format!("FC {function} done"),
    }
}

/// Whether the protocol allows a request, so that it has to be answered.
pub fn is_legal(request: &[u8]) -> bool {
    Request::parse_start(request).is_ok_and(|(_, used)| used == request.len())
}

impl Judge {
    /// What is wrong with an answer.
    pub fn judge(&self, request: &[u8], answer: &[u8]) -> Option<Finding> {
        let function = request.first().copied().unwrap_or_default();
        let seen = || format!("{} answers {}", hex(answer), hex(request));
        if let Err(illegal) = legal_answer(request, answer) {
            let oracle = match illegal {
                Illegal::Accepted(_) | Illegal::ReservedFunction(_) => Oracle::Acceptance,
                _ => Oracle::Grammar,
            };
            let words = without_numbers(&illegal.to_string());
            // A server that answers with a wrong code does so for all functions: that is one fault.
            let what = match illegal {
                Illegal::Function { .. } => {
                    "the answer has the code of another function".to_owned()
                }
                _ => format!("FC {function}: {words}"),
            };
            return Some(Finding::new(oracle, what, seen()));
        }
        let refused = answer.first().is_some_and(|code| code & 0x80 != 0);
        if let Some(touched) = self.declared(request) {
            if !refused && touched == Declared::Not {
                let what = format!("FC {function}: items beyond the declared data model are there");
                return Some(Finding::new(Oracle::State, what, seen()));
            }
            let unknown = refused && answer.get(1) == Some(&ILLEGAL_ADDRESS);
            if unknown && touched == Declared::All && is_read(function) {
                let what = format!("FC {function}: items of the declared data model are not there");
                return Some(Finding::new(Oracle::State, what, seen()));
            }
        }
        None
    }

    /// Whether an answer holds what was sent in another request. What reads the data model is left out: it may hold what
    /// somebody wrote rightly, in this campaign or before.
    pub fn exposes(&self, request: &[u8], answer: &[u8]) -> Option<Finding> {
        let function = request.first().copied().unwrap_or_default();
        let stored = matches!(function, 1..=4 | 20 | 23 | 24);
        (!stored && canary::is_in(answer) && !canary::is_in(request)).then(|| {
            Finding::new(
                Oracle::Exposure,
                format!("FC {function}: the answer holds what another request had"),
                format!("{} answers {}", hex(answer), hex(request)),
            )
        })
    }

    /// Whether the items of a legal request are in the declared data model; none where nothing is declared of it.
    fn declared(&self, request: &[u8]) -> Option<Declared> {
        let (area, from, count) = items(request)?;
        let mut spans = self.map.iter().filter(|span| span.area == area).peekable();
        spans.peek()?;
        let last = from.checked_add(count.checked_sub(1)?);
        let has = |address| self.map.iter().any(|span| span.contains(area, address));
        let all = last.is_some_and(|last| (from..=last).all(has));
        Some(if all { Declared::All } else { Declared::Not })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Declared {
    All,
    Not,
}

fn is_read(function: u8) -> bool {
    matches!(function, 1..=4)
}

/// The items of a request that is legal: their table, the first one, and how many.
fn items(request: &[u8]) -> Option<(Area, u16, u16)> {
    let (parsed, _) = Request::parse_start(request).ok()?;
    Some(match parsed {
        Request::ReadCoils { address, quantity } => (Area::Coil, address, quantity),
        Request::ReadDiscreteInputs { address, quantity } => (Area::Discrete, address, quantity),
        Request::ReadHoldingRegisters { address, quantity } => (Area::Holding, address, quantity),
        Request::ReadInputRegisters { address, quantity } => (Area::Input, address, quantity),
        Request::WriteSingleCoil { address, .. } => (Area::Coil, address, 1),
        Request::WriteSingleRegister { address, .. }
        | Request::MaskWriteRegister { address, .. } => (Area::Holding, address, 1),
        Request::WriteMultipleCoils { address, values } => {
            (Area::Coil, address, values.len() as u16)
        }
        Request::WriteMultipleRegisters { address, values } => {
            (Area::Holding, address, values.len() as u16)
        }
        Request::ReadWriteMultipleRegisters { .. } | Request::ReadDeviceIdentification { .. } => {
            return None;
        }
    })
}

/// A sentence without its numbers and its reference, so that it is the same for every finding of its kind.
pub fn without_numbers(text: &str) -> String {
    let (sentence, _) = text.split_once(" (AP").unwrap_or((text, ""));
    let words = sentence.split(' ').map(|word| {
        let number = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_number = number.starts_with(|c: char| c.is_ascii_digit());
        if is_number { "n" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> Judge {
        let span = Span {
            area: Area::Holding,
            from: 0,
            to: 15,
        };
        Judge { map: vec![span] }
    }

    fn oracle(request: &[u8], answer: &[u8]) -> Option<Oracle> {
        judge().judge(request, answer).map(|found| found.oracle)
    }

    #[test]
    fn answers_within_the_declared_model_are_right() {
        assert_eq!(oracle(&[3, 0, 15, 0, 1], &[3, 2, 0, 7]), None);
        assert_eq!(oracle(&[3, 0, 16, 0, 1], &[0x83, 2]), None);
        assert_eq!(oracle(&[4, 0, 99, 0, 1], &[4, 2, 0, 7]), None);
    }

    #[test]
    fn the_declared_model_is_there_and_no_more() {
        assert_eq!(
            oracle(&[3, 0, 15, 0, 2], &[3, 4, 0, 7, 0, 8]),
            Some(Oracle::State)
        );
        assert_eq!(oracle(&[3, 0, 15, 0, 1], &[0x83, 2]), Some(Oracle::State));
        assert_eq!(
            oracle(&[6, 0, 16, 0, 1], &[6, 0, 16, 0, 1]),
            Some(Oracle::State)
        );
    }

    #[test]
    fn what_the_protocol_forbids_is_a_finding_of_its_own_kind() {
        assert_eq!(
            oracle(&[3, 0, 0, 0, 126], &[3, 0]),
            Some(Oracle::Acceptance)
        );
        assert_eq!(
            oracle(&[3, 0, 0, 0, 2], &[3, 2, 0, 7]),
            Some(Oracle::Grammar)
        );
        let what = |quantity| {
            judge()
                .judge(&[3, 0, 0, 0, quantity], &[3, 2, 0, 7])
                .unwrap()
                .what
        };
        assert_eq!(what(2), what(9));
    }

    #[test]
    fn what_was_sent_elsewhere_is_known_again() {
        let canary = [&[17, 8][..], &canary::CANARY].concat();
        assert!(judge().exposes(&[17], &canary).is_some());
        assert!(judge().exposes(&canary, &canary).is_none());
        assert!(judge().exposes(&[3, 0, 0, 0, 4], &canary).is_none());
    }
}
