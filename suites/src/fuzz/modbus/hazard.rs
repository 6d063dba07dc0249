//! What no input may touch: checked here, below the generators, on the bytes that are about to go out.

use slcert_rigs::modbus::wire::mbap;
use slcert_rigs::rig::{Area, Binding, ModbusBinding, Range, Rig, Span};

use super::framing::Framing;
use crate::fuzz::input::{Act, Input};

/// Diagnostics that take a device off the line: restart communications, and listen only (section 6.8.1).
const OFF_THE_LINE: [u16; 2] = [1, 4];

/// What must not be touched on one interface.
#[derive(Clone, Debug, Default)]
pub struct Hazards {
    framing: Option<Framing>,
    /// Items that are never written.
    items: Vec<Span>,
    /// Items that are written with some values only: those of the operation that writes them.
    bounded: Vec<(Area, u16, Range)>,
    /// Functions that are never called.
    functions: Vec<u8>,
}

/// The items on an interface that the operation which writes them gives some values only.
pub fn bounded(rig: &Rig, interface: &str) -> Vec<(Area, u16, Range)> {
    let operations = rig.operations.values();
    let bounded =
        operations.filter_map(
            |operation| match (operation.on(interface)?, operation.values) {
                (Binding::Modbus(ModbusBinding::Write(area, address)), Some(values)) => {
                    Some((*area, *address, values))
                }
                _ => None,
            },
        );
    bounded.collect()
}

impl Hazards {
    /// Those that a rig file names for an interface.
    pub fn of(rig: &Rig, interface: &str, framing: Framing) -> Self {
        let here = |name: &str| name == interface;
        let items = rig.hazard.never_write.iter();
        let functions = rig.hazard.never_call.iter();
        Self {
            framing: Some(framing),
            items: items
                .filter(|items| here(items.interface.as_str()))
                .map(|items| items.value.span)
                .collect(),
            bounded: bounded(rig, interface),
            functions: functions
                .filter(|function| here(function.interface.as_str()))
                .map(|function| function.code)
                .collect(),
        }
    }

    /// Why an input must not go out. A frame counts wherever a device might take one to begin: at each segment, and behind
    /// each frame by what its length says and by what its request says.
    pub fn forbid(&self, input: &Input) -> Option<&'static str> {
        let all = input.bytes();
        let segments = input.acts.iter().filter_map(|act| match act {
            Act::Send(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        segments
            .chain([all.as_slice()])
            .find_map(|bytes| self.forbid_from(bytes))
    }

    fn forbid_from(&self, bytes: &[u8]) -> Option<&'static str> {
        match self.framing? {
            Framing::Mbap => {
                let mut rest = bytes;
                loop {
                    let pdu = rest.get(mbap::HEADER_LEN..)?;
                    if let Some(why) = self.forbid_pdu(pdu) {
                        return Some(why);
                    }
                    let said = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
                    rest = rest.get(mbap::field::UNIT + said.max(1)..)?;
                }
            }
            // Where a frame begins is a matter of pauses: any byte may be an address.
            Framing::Rtu => (1..bytes.len()).find_map(|at| self.forbid_pdu(&bytes[at..])),
        }
    }

    /// Reads a request as generously as any device might.
    fn forbid_pdu(&self, pdu: &[u8]) -> Option<&'static str> {
        let (&function, data) = pdu.split_first()?;
        if self.functions.contains(&function) {
            return Some("a function that the rig file forbids (`hazard.never_call`)");
        }
        let word = |at: usize| -> Option<u16> {
            Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]))
        };
        match function {
            8 if word(0).is_some_and(|sub| OFF_THE_LINE.contains(&sub)) => {
                Some("a diagnostic that takes the device off the line")
            }
            5 => self.forbid_write(
                Area::Coil,
                word(0)?,
                &[word(2).map_or(0, |value| u16::from(value != 0))],
            ),
            6 => self.forbid_write(Area::Holding, word(0)?, &[word(2).unwrap_or_default()]),
            // What a mask leaves of a value is not known.
            22 => self.forbid_any(Area::Holding, word(0)?, 1),
            15 => {
                let bits = data.get(5..).map_or(0, |data| data.len() * 8);
                let count = usize::from(word(2).unwrap_or_default()).max(bits);
                self.forbid_any(Area::Coil, word(0)?, count)
            }
            16 => self.forbid_words(word(0)?, word(2).unwrap_or_default(), data.get(5..)),
            23 => self.forbid_words(word(4)?, word(6).unwrap_or_default(), data.get(9..)),
            _ => None,
        }
    }

    /// A write of several registers: as many as the count says, or as there are data.
    fn forbid_words(&self, address: u16, count: u16, data: Option<&[u8]>) -> Option<&'static str> {
        let data = data.unwrap_or_default();
        let mut values: Vec<u16> = data
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]))
            .collect();
        // Data that a count promises and nobody sent may be anything to a device.
        if usize::from(count) > values.len()
            && let Some(why) = self.forbid_any(Area::Holding, address, usize::from(count))
        {
            return Some(why);
        }
        values.truncate(usize::from(count).max(values.len()));
        self.forbid_write(Area::Holding, address, &values)
    }

    fn forbid_write(&self, area: Area, address: u16, values: &[u16]) -> Option<&'static str> {
        let addresses = (0..=u16::MAX).map(|at| address.wrapping_add(at));
        for (at, value) in addresses.zip(values) {
            if self.items.iter().any(|span| span.contains(area, at)) {
                return Some("items that are never written (`hazard.never_write`)");
            }
            let bounds = self
                .bounded
                .iter()
                .find(|(on, of, _)| *on == area && *of == at);
            if bounds.is_some_and(|(_, _, range)| !(range.from..=range.to).contains(value)) {
                return Some("a value that its operation does not have (`values`)");
            }
        }
        None
    }

    /// A write of values that are not known.
    fn forbid_any(&self, area: Area, address: u16, count: usize) -> Option<&'static str> {
        let last = usize::from(address) + count.max(1) - 1;
        let touches = |from: u16, to: u16| usize::from(from) <= last && to >= address;
        let named = self
            .items
            .iter()
            .any(|span| span.area == area && touches(span.from, span.to));
        let bounded = self
            .bounded
            .iter()
            .any(|(on, of, _)| *on == area && touches(*of, *of));
        (named || bounded).then_some("items whose values are not free")
    }
}

#[cfg(test)]
mod tests {
    use super::super::framing::{frame, sealed};
    use super::*;

    fn hazards(framing: Framing) -> Hazards {
        Hazards {
            framing: Some(framing),
            items: vec![Span {
                area: Area::Holding,
                from: 100,
                to: 199,
            }],
            bounded: vec![(Area::Holding, 0, Range { from: 495, to: 505 })],
            functions: vec![21],
        }
    }

    fn forbids(pdu: &[u8]) -> bool {
        let tcp = hazards(Framing::Mbap)
            .forbid(&Input::of("it", frame(1, 1, pdu)))
            .is_some();
        let rtu = hazards(Framing::Rtu)
            .forbid(&Input::of("it", sealed(1, pdu)))
            .is_some();
        assert!(rtu || !tcp, "what is forbidden on TCP is on a serial line");
        tcp
    }

    #[test]
    fn what_reads_goes_out_and_what_writes_a_hazard_does_not() {
        assert!(!forbids(&[3, 0, 100, 0, 1]));
        assert!(forbids(&[6, 0, 100, 0, 1]));
        assert!(!forbids(&[6, 0, 99, 0, 1]));
        assert!(forbids(&[16, 0, 99, 0, 2, 4, 0, 1, 0, 1]));
        // The count says one, the data have two.
        assert!(forbids(&[16, 0, 99, 0, 1, 2, 0, 1, 0, 1]));
        // The data have one, the count says two.
        assert!(forbids(&[16, 0, 99, 0, 2, 4, 0, 1]));
        assert!(forbids(&[22, 0, 150, 0, 0, 0, 0]));
        assert!(forbids(&[23, 0, 0, 0, 1, 0, 99, 0, 2, 4, 0, 1, 0, 1]));
    }

    #[test]
    fn bounded_values_go_out_within_their_bounds() {
        assert!(!forbids(&[6, 0, 0, 0x01, 0xF4]));
        assert!(forbids(&[6, 0, 0, 0x00, 0x05]));
        assert!(forbids(&[22, 0, 0, 0xFF, 0xFF, 0, 0]));
    }

    #[test]
    fn diagnostics_that_take_a_device_off_the_line_never_go_out() {
        assert!(forbids(&[8, 0, 1, 0, 0]));
        assert!(forbids(&[8, 0, 4, 0, 0]));
        assert!(!forbids(&[8, 0, 0, 0, 0]));
        assert!(forbids(&[21, 0]));
    }

    #[test]
    fn a_frame_behind_another_is_seen() {
        let first = frame(1, 1, &[3, 0, 0, 0, 1]);
        let second = frame(2, 1, &[6, 0, 100, 0, 1]);
        let both = Input::of("two", [first, second.clone()].concat());
        assert!(hazards(Framing::Mbap).forbid(&both).is_some());
        let half = Input {
            label: "two segments".to_owned(),
            anew: false,
            acts: vec![Act::Send(vec![0, 0]), Act::Send(second)],
        };
        assert!(hazards(Framing::Mbap).forbid(&half).is_some());
    }
}
