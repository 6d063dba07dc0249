//! A server that answers as the specification asks: what a device finds that comes to the bench.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::raw::Raw;
use super::wire::mbap::{self, Mbap};
use super::wire::pdu::{EXCEPTION, bytes_of_bits};
use super::wire::{Request, RequestError};
use crate::rig::{Area, Shown};

/// A client that asks nothing for so long is gone.
const IDLE: Duration = Duration::from_secs(1200);
/// Exceptions (AP §7).
const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_VALUE: u8 = 3;

/// What the bench's server holds: one register of a value of its own, and 0 in all else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held(Option<(Area, u16, u16)>);

impl Held {
    /// A value in the register that the device shows.
    pub fn of(shown: &Shown, value: u16) -> Self {
        Self(Some((shown.area, shown.at, value)))
    }

    fn register(self, area: Area, address: u16) -> u16 {
        match self.0 {
            Some((of, at, value)) if (of, at) == (area, address) => value,
            _ => 0,
        }
    }

    fn registers(self, function: u8, area: Area, address: u16, quantity: u16) -> Vec<u8> {
        let values = (0..quantity).map(|at| self.register(area, address.wrapping_add(at)));
        let mut pdu = vec![function, quantity as u8 * 2];
        pdu.extend(values.flat_map(u16::to_be_bytes));
        pdu
    }

    /// The right answer to a request, both as PDUs.
    pub fn answer(self, request: &[u8]) -> Vec<u8> {
        let function = request.first().copied().unwrap_or_default();
        let refused = |code| vec![function | EXCEPTION, code];
        let bits = |quantity| {
            let count = bytes_of_bits(quantity);
            [vec![function, count as u8], vec![0; count]].concat()
        };
        match Request::parse(request) {
            Ok(
                Request::ReadCoils { quantity, .. } | Request::ReadDiscreteInputs { quantity, .. },
            ) => bits(quantity),
            Ok(Request::ReadHoldingRegisters { address, quantity }) => {
                self.registers(function, Area::Holding, address, quantity)
            }
            Ok(Request::ReadInputRegisters { address, quantity }) => {
                self.registers(function, Area::Input, address, quantity)
            }
            Ok(Request::ReadWriteMultipleRegisters {
                read_address,
                read_quantity,
                ..
            }) => self.registers(function, Area::Holding, read_address, read_quantity),
            Ok(
                Request::WriteSingleCoil { .. }
                | Request::WriteSingleRegister { .. }
                | Request::MaskWriteRegister { .. },
            ) => request.to_vec(),
            Ok(Request::WriteMultipleCoils { .. } | Request::WriteMultipleRegisters { .. }) => {
                request.iter().take(5).copied().collect()
            }
            Ok(Request::ReadDeviceIdentification { .. })
            | Err(RequestError::Function(_) | RequestError::MeiType(_)) => {
                refused(ILLEGAL_FUNCTION)
            }
            Err(_) => refused(ILLEGAL_VALUE),
        }
    }

    /// The right answer to a frame; none where it is no request in a right header.
    pub fn reply(self, frame: &[u8]) -> Option<Vec<u8>> {
        let asked = Mbap::new_checked(frame).ok()?;
        let answer = self.answer(asked.pdu());
        Some(mbap::frame(asked.transaction(), asked.unit(), &answer))
    }
}

/// Serves one client until it leaves, or sends what is no frame.
pub(crate) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, held: Held) {
    let mut raw = Raw::new(stream);
    while let Ok(Some(came)) = raw.receive_tcp(IDLE).await {
        let Some(reply) = held.reply(&came) else {
            return;
        };
        if raw.send(&reply).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::wire::legal_answer;

    #[test]
    fn what_is_legal_is_answered_so() {
        let held = Held(Some((Area::Input, 4, 0x0102)));
        let requests: [&[u8]; 11] = [
            &[1, 0, 0, 0, 9],
            &[2, 0, 0, 7, 0xD0],
            &[3, 0, 4, 0, 125],
            &[4, 0, 3, 0, 2],
            &[5, 0, 1, 0xFF, 0],
            &[6, 0, 1, 0, 9],
            &[15, 0, 0, 0, 3, 1, 5],
            &[16, 0, 0, 0, 1, 2, 0, 9],
            &[22, 0, 4, 0, 0xF2, 0, 0x25],
            &[23, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0, 255],
            &[43, 14, 1, 0],
        ];
        for request in requests {
            let answer = held.answer(request);
            assert_eq!(legal_answer(request, &answer), Ok(()), "{request:?}");
        }
        assert_eq!(held.answer(&[4, 0, 3, 0, 2]), [4, 4, 0, 0, 1, 2]);
        assert_eq!(held.answer(&[3, 0, 0, 0, 126]), [0x83, 3]);
        assert_eq!(held.answer(&[0x41]), [0xC1, 1]);
    }

    #[test]
    fn a_frame_is_answered_with_its_own_transaction_and_unit() {
        let frame = [0x15, 1, 0, 0, 0, 6, 7, 6, 0, 1, 0, 9];
        assert_eq!(Held::default().reply(&frame).unwrap(), frame);
        assert_eq!(Held::default().reply(&[0, 1, 0, 1, 0, 2, 1, 6]), None);
    }
}
