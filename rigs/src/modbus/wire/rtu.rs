//! The RTU frame on a serial line: address, PDU, CRC (SL §2.5.1).

use thiserror::Error;

use super::pdu::{self, MAX_PDU};

/// Where each field stands in the frame.
pub mod field {
    /// The address of the device; 0 is broadcast.
    pub const ADDRESS: usize = 0;
    /// Where function code and data start.
    pub const PDU: usize = 1;
    /// How many bytes the CRC takes at the end, low byte first.
    pub const CRC_LEN: usize = 2;
}

/// The longest frame (SL §2.5.1): address, 253 bytes of PDU, CRC.
pub const MAX_FRAME: usize = field::PDU + MAX_PDU + field::CRC_LEN;
/// The shortest frame: address, function code, CRC.
pub const MIN_FRAME: usize = field::PDU + 1 + field::CRC_LEN;

/// Why bytes are not a legal RTU frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtuError {
    /// Fewer than four bytes.
    #[error("{got} bytes are fewer than address, function code and CRC")]
    Truncated {
        /// How many bytes there are.
        got: usize,
    },
    /// More than 256 bytes.
    #[error("{got} bytes are more than the 256 of a frame (SL §2.5.1)")]
    Oversized {
        /// How many bytes there are.
        got: usize,
    },
    /// The CRC is not that of the bytes before it.
    #[error("CRC is {got:#06x}, the bytes before it give {want:#06x}")]
    Crc {
        /// The CRC in the frame.
        got: u16,
        /// The CRC of the bytes before it.
        want: u16,
    },
}

/// A view of bytes as an RTU frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtu<T> {
    bytes: T,
}

impl<T: AsRef<[u8]>> Rtu<T> {
    /// Looks at bytes that may be anything; an accessor of a field that is cut off reads zeros.
    pub fn new_unchecked(bytes: T) -> Self {
        Self { bytes }
    }

    /// Looks at bytes that are exactly one legal frame.
    ///
    /// # Errors
    /// [`RtuError`] says whether the size or the CRC is wrong.
    pub fn new_checked(bytes: T) -> Result<Self, RtuError> {
        let frame = Self::new_unchecked(bytes);
        let got = frame.bytes.as_ref().len();
        if got < MIN_FRAME {
            return Err(RtuError::Truncated { got });
        }
        if got > MAX_FRAME {
            return Err(RtuError::Oversized { got });
        }
        let (got, want) = (frame.crc(), crc16(frame.before_crc()));
        if got != want {
            return Err(RtuError::Crc { got, want });
        }
        Ok(frame)
    }

    fn before_crc(&self) -> &[u8] {
        let bytes = self.bytes.as_ref();
        &bytes[..bytes.len().saturating_sub(field::CRC_LEN)]
    }

    /// The address of the device.
    pub fn address(&self) -> u8 {
        self.bytes
            .as_ref()
            .get(field::ADDRESS)
            .copied()
            .unwrap_or(0)
    }

    /// The PDU: what stands between address and CRC.
    pub fn pdu(&self) -> &[u8] {
        self.before_crc().get(field::PDU..).unwrap_or(&[])
    }

    /// The CRC as it stands, right or not.
    pub fn crc(&self) -> u16 {
        match self.bytes.as_ref() {
            [.., low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        }
    }
}

/// The meaning of a frame: what is left of it once the CRC is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repr<'a> {
    /// The address of the device; 0 is broadcast.
    pub address: u8,
    /// Function code and data, 1..=253 bytes.
    pub pdu: &'a [u8],
}

impl<'a> Repr<'a> {
    /// Reads exactly one legal frame.
    ///
    /// # Errors
    /// [`RtuError`] says whether the size or the CRC is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtuError> {
        let frame = Rtu::new_checked(bytes)?;
        Ok(Self {
            address: frame.address(),
            pdu: &bytes[field::PDU..bytes.len() - field::CRC_LEN],
        })
    }

    /// Writes the frame.
    ///
    /// # Errors
    /// [`RtuError::Truncated`] or [`RtuError::Oversized`] if the PDU is empty or longer than 253 bytes.
    pub fn emit(&self) -> Result<Vec<u8>, RtuError> {
        let got = field::PDU + self.pdu.len() + field::CRC_LEN;
        if got < MIN_FRAME {
            return Err(RtuError::Truncated { got });
        }
        if got > MAX_FRAME {
            return Err(RtuError::Oversized { got });
        }
        let mut bytes = Vec::with_capacity(got);
        bytes.push(self.address);
        bytes.extend_from_slice(self.pdu);
        Ok(seal(bytes))
    }
}

/// Appends the right CRC to bytes of any size.
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc16(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// How long the answer that starts with these bytes will be, CRC included, as far as its own fields tell.
///
/// `None` while the fields that tell are not there yet, and for function codes whose answers do not tell: such an
/// answer ends with silence.
pub fn answer_length(start: &[u8]) -> Option<usize> {
    let pdu = pdu::answer_length(start.get(field::PDU..)?)?;
    Some(field::PDU + pdu + field::CRC_LEN)
}

/// CRC-16 with polynomial 0xA001 and start value 0xFFFF (SL §6.2.2).
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (crc >> 8) ^ TABLE[usize::from((crc as u8) ^ byte)]
    })
}

const POLYNOMIAL: u16 = 0xA001;
const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_specification_and_of_the_catalogue() {
        // SL §6.2.2 gives 0x1241 for the bytes 02 07, sent as 41 12.
        assert_eq!(crc16(&[0x02, 0x07]), 0x1241);
        // The check value of CRC-16/MODBUS.
        assert_eq!(crc16(b"123456789"), 0x4B37);
        assert_eq!(crc16(&[]), 0xFFFF);
    }

    #[test]
    fn parses_and_emits_a_frame() {
        let frame = [0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87];
        let repr = Repr::parse(&frame).unwrap();
        assert_eq!(repr.address, 0x11);
        assert_eq!(repr.pdu, [0x03, 0x00, 0x6B, 0x00, 0x03]);
        assert_eq!(repr.emit().unwrap(), frame);
    }

    #[test]
    fn a_flipped_bit_is_seen_wherever_it_is() {
        let frame = [0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87];
        for bit in 0..frame.len() * 8 {
            let mut bad = frame;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(Repr::parse(&bad), Err(RtuError::Crc { .. })),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(
            Repr::parse(&[1, 2, 3]).unwrap_err(),
            RtuError::Truncated { got: 3 }
        );
        let long = seal(vec![1; 255]);
        assert_eq!(
            Repr::parse(&long).unwrap_err(),
            RtuError::Oversized { got: 257 }
        );
        assert!(
            Repr {
                address: 1,
                pdu: &[]
            }
            .emit()
            .is_err()
        );
        assert!(
            Repr {
                address: 1,
                pdu: &[0; 254]
            }
            .emit()
            .is_err()
        );
        assert_eq!(
            Repr {
                address: 1,
                pdu: &[0; 253]
            }
            .emit()
            .unwrap()
            .len(),
            MAX_FRAME
        );
    }

    #[test]
    fn an_answer_tells_its_length() {
        assert_eq!(answer_length(&[0x11]), None);
        assert_eq!(answer_length(&[0x11, 0x03]), None);
        assert_eq!(answer_length(&[0x11, 0x03, 0x06]), Some(11));
        assert_eq!(answer_length(&[0x11, 0x83]), Some(5));
        assert_eq!(answer_length(&[0x11, 0x06]), Some(8));
        assert_eq!(answer_length(&[0x11, 0x41]), None);
    }
}
