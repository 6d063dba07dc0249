//! The MBAP header in front of a PDU on TCP and TLS (TCP §3.1.3).

use thiserror::Error;

/// Where each field stands in the frame.
pub mod field {
    use std::ops::{Range, RangeFrom};

    /// Chosen by the client, echoed by the server.
    pub const TRANSACTION: Range<usize> = 0..2;
    /// 0 for Modbus.
    pub const PROTOCOL: Range<usize> = 2..4;
    /// Number of bytes that follow: the unit identifier and the PDU.
    pub const LENGTH: Range<usize> = 4..6;
    /// The device behind a gateway; 0xFF or 0 for the server itself.
    pub const UNIT: usize = 6;
    /// Function code and data.
    pub const PDU: RangeFrom<usize> = 7..;
}

/// Bytes of the header, unit identifier included.
pub const HEADER_LEN: usize = field::PDU.start;
/// The longest frame: the header and a PDU of 253 bytes (AP §4.1).
pub const MAX_FRAME: usize = HEADER_LEN + super::pdu::MAX_PDU;
/// The protocol identifier of Modbus.
pub const PROTOCOL_MODBUS: u16 = 0;

/// Why bytes are not a legal MBAP frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MbapError {
    /// Fewer bytes than a header and a function code.
    #[error("{got} bytes are fewer than an MBAP header and a function code")]
    Truncated {
        /// How many bytes there are.
        got: usize,
    },
    /// The protocol identifier is not 0.
    #[error("protocol identifier {0:#06x} is not 0 (TCP §3.1.3)")]
    Protocol(u16),
    /// The length field is outside 2..=254.
    #[error("length field {0} is outside 2..=254 (TCP §3.1.3)")]
    Length(u16),
    /// The length field does not count the bytes that are there.
    #[error("length field says {said}, {got} bytes follow it")]
    Mismatch {
        /// The length field.
        said: u16,
        /// The bytes behind it.
        got: usize,
    },
}

/// A view of bytes as an MBAP frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mbap<T> {
    bytes: T,
}

impl<T: AsRef<[u8]>> Mbap<T> {
    /// Looks at bytes that may be anything; an accessor of a field that is cut off reads zeros.
    pub fn new_unchecked(bytes: T) -> Self {
        Self { bytes }
    }

    /// Looks at bytes that are exactly one legal frame.
    ///
    /// # Errors
    /// [`MbapError`] names the first field that is wrong.
    pub fn new_checked(bytes: T) -> Result<Self, MbapError> {
        let frame = Self::new_unchecked(bytes);
        frame.check()?;
        Ok(frame)
    }

    fn check(&self) -> Result<(), MbapError> {
        let got = self.bytes.as_ref().len();
        if got <= HEADER_LEN {
            return Err(MbapError::Truncated { got });
        }
        if self.protocol() != PROTOCOL_MODBUS {
            return Err(MbapError::Protocol(self.protocol()));
        }
        let said = self.length();
        if !(2..=254).contains(&said) {
            return Err(MbapError::Length(said));
        }
        let got = got - field::UNIT;
        if usize::from(said) != got {
            return Err(MbapError::Mismatch { said, got });
        }
        Ok(())
    }

    fn word(&self, at: std::ops::Range<usize>) -> u16 {
        match self.bytes.as_ref().get(at) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => 0,
        }
    }

    /// The transaction identifier.
    pub fn transaction(&self) -> u16 {
        self.word(field::TRANSACTION)
    }

    /// The protocol identifier.
    pub fn protocol(&self) -> u16 {
        self.word(field::PROTOCOL)
    }

    /// The length field as it stands, true or not.
    pub fn length(&self) -> u16 {
        self.word(field::LENGTH)
    }

    /// The unit identifier.
    pub fn unit(&self) -> u8 {
        self.bytes.as_ref().get(field::UNIT).copied().unwrap_or(0)
    }

    /// The PDU: whatever follows the header.
    pub fn pdu(&self) -> &[u8] {
        self.bytes.as_ref().get(field::PDU).unwrap_or(&[])
    }
}

/// The meaning of a frame: what is left of it once the protocol identifier and the length are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repr<'a> {
    /// The transaction identifier.
    pub transaction: u16,
    /// The unit identifier.
    pub unit: u8,
    /// Function code and data, 1..=253 bytes.
    pub pdu: &'a [u8],
}

impl<'a> Repr<'a> {
    /// Reads exactly one legal frame.
    ///
    /// # Errors
    /// [`MbapError`] names the first field that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MbapError> {
        let frame = Mbap::new_checked(bytes)?;
        Ok(Self {
            transaction: frame.transaction(),
            unit: frame.unit(),
            pdu: bytes.get(field::PDU).unwrap_or(&[]),
        })
    }

    /// Writes the frame.
    ///
    /// # Errors
    /// [`MbapError::Length`] if the PDU is empty or longer than 253 bytes; frames like that are built with [`lie`].
    pub fn emit(&self) -> Result<Vec<u8>, MbapError> {
        let length = u16::try_from(self.pdu.len() + 1).unwrap_or(u16::MAX);
        if !(2..=254).contains(&length) {
            return Err(MbapError::Length(length));
        }
        Ok(lie(
            self.transaction,
            PROTOCOL_MODBUS,
            length,
            self.unit,
            self.pdu,
        ))
    }
}

/// A right frame around a PDU, as long as one fits; its length is what it is.
pub fn frame(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    lie(
        transaction,
        PROTOCOL_MODBUS,
        pdu.len() as u16 + 1,
        unit,
        pdu,
    )
}

/// Writes a frame whose fields are what one says, true or not.
pub fn lie(transaction: u16, protocol: u16, length: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + pdu.len());
    bytes.extend_from_slice(&transaction.to_be_bytes());
    bytes.extend_from_slice(&protocol.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.push(unit);
    bytes.extend_from_slice(pdu);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TCP §3.1.3 around AP §6.4: read input register 9 of unit 0xFF in transaction 0x1501.
    const FRAME: [u8; 12] = [
        0x15, 0x01, 0x00, 0x00, 0x00, 0x06, 0xFF, 0x04, 0x00, 0x08, 0x00, 0x01,
    ];

    #[test]
    fn parses_and_emits_a_frame() {
        let repr = Repr::parse(&FRAME).unwrap();
        assert_eq!(repr.transaction, 0x1501);
        assert_eq!(repr.unit, 0xFF);
        assert_eq!(repr.pdu, [0x04, 0x00, 0x08, 0x00, 0x01]);
        assert_eq!(repr.emit().unwrap(), FRAME);
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        let change = |at: usize, to: u8| {
            let mut frame = FRAME;
            frame[at] = to;
            Mbap::new_checked(frame).unwrap_err()
        };
        assert_eq!(change(3, 1), MbapError::Protocol(1));
        assert_eq!(change(5, 1), MbapError::Length(1));
        assert_eq!(change(5, 255), MbapError::Length(255));
        assert_eq!(change(5, 7), MbapError::Mismatch { said: 7, got: 6 });
        assert_eq!(
            Mbap::new_checked(&FRAME[..7]).unwrap_err(),
            MbapError::Truncated { got: 7 }
        );
    }

    #[test]
    fn any_bytes_can_be_looked_at() {
        for len in 0..FRAME.len() {
            let frame = Mbap::new_unchecked(&FRAME[..len]);
            let _ = (
                frame.transaction(),
                frame.protocol(),
                frame.length(),
                frame.unit(),
            );
            assert!(frame.pdu().len() <= len);
        }
    }

    #[test]
    fn limits_of_the_pdu() {
        let longest = [3u8; 253];
        let repr = Repr {
            transaction: 0,
            unit: 1,
            pdu: &longest,
        };
        assert_eq!(repr.emit().unwrap().len(), MAX_FRAME);
        assert!(
            Repr {
                pdu: &[3u8; 254],
                ..repr.clone()
            }
            .emit()
            .is_err()
        );
        assert!(Repr { pdu: &[], ..repr }.emit().is_err());
    }
}
