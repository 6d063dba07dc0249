//! What a client asks: the meaning of a request PDU, always within the limits of AP §6.

use thiserror::Error;

use super::code::FunctionCode;
use super::identification::AccessCode;
use super::pdu::{
    MAX_READ_BITS, MAX_READ_WORDS, MAX_READ_WRITE_WORDS, MAX_WRITE_BITS, MAX_WRITE_WORDS,
    MEI_IDENTIFICATION, bytes_of_bits, pack_bits, unpack_bits, word, words,
};

const COIL_ON: u16 = 0xFF00;
const COIL_OFF: u16 = 0x0000;

/// A request that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Function 1.
    ReadCoils {
        /// First address.
        address: u16,
        /// How many, 1..=2000.
        quantity: u16,
    },
    /// Function 2.
    ReadDiscreteInputs {
        /// First address.
        address: u16,
        /// How many, 1..=2000.
        quantity: u16,
    },
    /// Function 3.
    ReadHoldingRegisters {
        /// First address.
        address: u16,
        /// How many, 1..=125.
        quantity: u16,
    },
    /// Function 4.
    ReadInputRegisters {
        /// First address.
        address: u16,
        /// How many, 1..=125.
        quantity: u16,
    },
    /// Function 5.
    WriteSingleCoil {
        /// Address.
        address: u16,
        /// Whether it is on.
        on: bool,
    },
    /// Function 6.
    WriteSingleRegister {
        /// Address.
        address: u16,
        /// Value.
        value: u16,
    },
    /// Function 15.
    WriteMultipleCoils {
        /// First address.
        address: u16,
        /// 1..=1968 values.
        values: Vec<bool>,
    },
    /// Function 16.
    WriteMultipleRegisters {
        /// First address.
        address: u16,
        /// 1..=123 values.
        values: Vec<u16>,
    },
    /// Function 22.
    MaskWriteRegister {
        /// Address.
        address: u16,
        /// Bits that stay.
        and: u16,
        /// Bits that are set where `and` clears.
        or: u16,
    },
    /// Function 23; the write is done first.
    ReadWriteMultipleRegisters {
        /// First address to read.
        read_address: u16,
        /// How many to read, 1..=125.
        read_quantity: u16,
        /// First address to write.
        write_address: u16,
        /// 1..=121 values to write.
        values: Vec<u16>,
    },
    /// Function 43, MEI type 14.
    ReadDeviceIdentification {
        /// Which category, or one object.
        access: AccessCode,
        /// The first object, or the one.
        object: u8,
    },
}

/// Why a PDU is not a legal request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// No byte at all.
    #[error("the PDU is empty")]
    Empty,
    /// A function code whose requests are not described here.
    #[error("function {0} is not described here")]
    Function(FunctionCode),
    /// A field is cut off.
    #[error("the request of function {0} is cut off")]
    Truncated(FunctionCode),
    /// Bytes follow the last field.
    #[error("{extra} bytes follow the request of function {function}")]
    Trailing {
        /// The function.
        function: FunctionCode,
        /// How many bytes too many.
        extra: usize,
    },
    /// A quantity is 0 or above its limit.
    #[error("quantity {got} is outside 1..={limit}")]
    Quantity {
        /// The quantity.
        got: u16,
        /// The highest legal one.
        limit: u16,
    },
    /// The last address would be above 65535.
    #[error("{quantity} items from address {address} end above 65535")]
    Range {
        /// First address.
        address: u16,
        /// How many.
        quantity: u16,
    },
    /// The byte count does not fit the quantity.
    #[error("byte count {got}, the quantity needs {want}")]
    ByteCount {
        /// The byte count.
        got: u8,
        /// What the quantity needs.
        want: usize,
    },
    /// A coil's value is neither 0x0000 nor 0xFF00.
    #[error("coil value {0:#06x} is neither 0x0000 nor 0xff00")]
    CoilValue(u16),
    /// The MEI type is not 14.
    #[error("MEI type {0} is not described here")]
    MeiType(u8),
    /// The ReadDevId code is outside 1..=4.
    #[error("ReadDevId code {0} is outside 1..=4")]
    Access(u8),
}

impl Request {
    /// The function code.
    pub fn function(&self) -> FunctionCode {
        match self {
            Self::ReadCoils { .. } => FunctionCode::ReadCoils,
            Self::ReadDiscreteInputs { .. } => FunctionCode::ReadDiscreteInputs,
            Self::ReadHoldingRegisters { .. } => FunctionCode::ReadHoldingRegisters,
            Self::ReadInputRegisters { .. } => FunctionCode::ReadInputRegisters,
            Self::WriteSingleCoil { .. } => FunctionCode::WriteSingleCoil,
            Self::WriteSingleRegister { .. } => FunctionCode::WriteSingleRegister,
            Self::WriteMultipleCoils { .. } => FunctionCode::WriteMultipleCoils,
            Self::WriteMultipleRegisters { .. } => FunctionCode::WriteMultipleRegisters,
            Self::MaskWriteRegister { .. } => FunctionCode::MaskWriteRegister,
            Self::ReadWriteMultipleRegisters { .. } => FunctionCode::ReadWriteMultipleRegisters,
            Self::ReadDeviceIdentification { .. } => FunctionCode::EncapsulatedInterface,
        }
    }

    /// Reads a whole request PDU.
    ///
    /// # Errors
    /// [`RequestError`] names what is not legal; [`RequestError::Trailing`] comes last, so that a request which only
    /// has bytes too many is told from one that is wrong in itself.
    pub fn parse(pdu: &[u8]) -> Result<Self, RequestError> {
        let (request, used) = Self::parse_start(pdu)?;
        match pdu.len() - used {
            0 => Ok(request),
            extra => Err(RequestError::Trailing {
                function: request.function(),
                extra,
            }),
        }
    }

    /// Reads the request at the start of a PDU; the second value is how many bytes it takes.
    ///
    /// # Errors
    /// As [`Request::parse`], but never [`RequestError::Trailing`].
    pub fn parse_start(pdu: &[u8]) -> Result<(Self, usize), RequestError> {
        let function = FunctionCode::from(*pdu.first().ok_or(RequestError::Empty)?);
        let field = |at| word(pdu, at).ok_or(RequestError::Truncated(function));
        let byte = |at: usize| {
            pdu.get(at)
                .copied()
                .ok_or(RequestError::Truncated(function))
        };
        // The data behind a byte count at `at`, which must be what the quantity needs.
        let data = |at: usize, want: usize| {
            let got = byte(at)?;
            if usize::from(got) != want {
                return Err(RequestError::ByteCount { got, want });
            }
            pdu.get(at + 1..at + 1 + want)
                .ok_or(RequestError::Truncated(function))
        };
        Ok(match function {
            FunctionCode::ReadCoils => {
                let (address, quantity) = range(field(1)?, field(3)?, MAX_READ_BITS)?;
                (Self::ReadCoils { address, quantity }, 5)
            }
            FunctionCode::ReadDiscreteInputs => {
                let (address, quantity) = range(field(1)?, field(3)?, MAX_READ_BITS)?;
                (Self::ReadDiscreteInputs { address, quantity }, 5)
            }
            FunctionCode::ReadHoldingRegisters => {
                let (address, quantity) = range(field(1)?, field(3)?, MAX_READ_WORDS)?;
                (Self::ReadHoldingRegisters { address, quantity }, 5)
            }
            FunctionCode::ReadInputRegisters => {
                let (address, quantity) = range(field(1)?, field(3)?, MAX_READ_WORDS)?;
                (Self::ReadInputRegisters { address, quantity }, 5)
            }
            FunctionCode::WriteSingleCoil => {
                let address = field(1)?;
                let on = match field(3)? {
                    COIL_ON => true,
                    COIL_OFF => false,
                    other => return Err(RequestError::CoilValue(other)),
                };
                (Self::WriteSingleCoil { address, on }, 5)
            }
            FunctionCode::WriteSingleRegister => (
                Self::WriteSingleRegister {
                    address: field(1)?,
                    value: field(3)?,
                },
                5,
            ),
            FunctionCode::WriteMultipleCoils => {
                let (address, quantity) = range(field(1)?, field(3)?, MAX_WRITE_BITS)?;
                let data = data(5, bytes_of_bits(quantity))?;
                let values = unpack_bits(data, quantity);
                (Self::WriteMultipleCoils { address, values }, 6 + data.len())
            }
            FunctionCode::WriteMultipleRegisters => {
                let (address, quantity) = range(field(1)?, field(3)?, MAX_WRITE_WORDS)?;
                let data = data(5, usize::from(quantity) * 2)?;
                (
                    Self::WriteMultipleRegisters {
                        address,
                        values: words(data),
                    },
                    6 + data.len(),
                )
            }
            FunctionCode::MaskWriteRegister => (
                Self::MaskWriteRegister {
                    address: field(1)?,
                    and: field(3)?,
                    or: field(5)?,
                },
                7,
            ),
            FunctionCode::ReadWriteMultipleRegisters => {
                let (read_address, read_quantity) = range(field(1)?, field(3)?, MAX_READ_WORDS)?;
                let (write_address, quantity) = range(field(5)?, field(7)?, MAX_READ_WRITE_WORDS)?;
                let data = data(9, usize::from(quantity) * 2)?;
                let values = words(data);
                (
                    Self::ReadWriteMultipleRegisters {
                        read_address,
                        read_quantity,
                        write_address,
                        values,
                    },
                    10 + data.len(),
                )
            }
            FunctionCode::EncapsulatedInterface => {
                let mei = byte(1)?;
                if mei != MEI_IDENTIFICATION {
                    return Err(RequestError::MeiType(mei));
                }
                let access = byte(2)?;
                let access =
                    AccessCode::try_from(access).map_err(|_| RequestError::Access(access))?;
                (
                    Self::ReadDeviceIdentification {
                        access,
                        object: byte(3)?,
                    },
                    4,
                )
            }
            other => return Err(RequestError::Function(other)),
        })
    }

    /// Writes the PDU.
    ///
    /// # Errors
    /// [`RequestError::Quantity`] or [`RequestError::Range`] if the request is outside the limits of AP §6; a
    /// request like that is built by hand and sent by [`Raw`](crate::modbus::Raw).
    pub fn emit(&self) -> Result<Vec<u8>, RequestError> {
        let mut pdu = vec![u8::from(self.function())];
        let put = |pdu: &mut Vec<u8>, fields: &[u16]| {
            fields
                .iter()
                .for_each(|field| pdu.extend_from_slice(&field.to_be_bytes()));
        };
        match self {
            Self::ReadCoils { address, quantity }
            | Self::ReadDiscreteInputs { address, quantity } => {
                range(*address, *quantity, MAX_READ_BITS)?;
                put(&mut pdu, &[*address, *quantity]);
            }
            Self::ReadHoldingRegisters { address, quantity }
            | Self::ReadInputRegisters { address, quantity } => {
                range(*address, *quantity, MAX_READ_WORDS)?;
                put(&mut pdu, &[*address, *quantity]);
            }
            Self::WriteSingleCoil { address, on } => {
                put(&mut pdu, &[*address, if *on { COIL_ON } else { COIL_OFF }]);
            }
            Self::WriteSingleRegister { address, value } => put(&mut pdu, &[*address, *value]),
            Self::WriteMultipleCoils { address, values } => {
                let (address, quantity) = range(*address, count(values), MAX_WRITE_BITS)?;
                put(&mut pdu, &[address, quantity]);
                pdu.push(bytes_of_bits(quantity) as u8);
                pdu.extend(pack_bits(values));
            }
            Self::WriteMultipleRegisters { address, values } => {
                let (address, quantity) = range(*address, count(values), MAX_WRITE_WORDS)?;
                put(&mut pdu, &[address, quantity]);
                pdu.push(quantity as u8 * 2);
                put(&mut pdu, values);
            }
            Self::MaskWriteRegister { address, and, or } => put(&mut pdu, &[*address, *and, *or]),
            Self::ReadWriteMultipleRegisters {
                read_address,
                read_quantity,
                write_address,
                values,
            } => {
                let (read_address, read_quantity) =
                    range(*read_address, *read_quantity, MAX_READ_WORDS)?;
                let (write_address, quantity) =
                    range(*write_address, count(values), MAX_READ_WRITE_WORDS)?;
                put(
                    &mut pdu,
                    &[read_address, read_quantity, write_address, quantity],
                );
                pdu.push(quantity as u8 * 2);
                put(&mut pdu, values);
            }
            Self::ReadDeviceIdentification { access, object } => {
                pdu.extend([MEI_IDENTIFICATION, u8::from(*access), *object]);
            }
        }
        Ok(pdu)
    }
}

fn count<T>(values: &[T]) -> u16 {
    u16::try_from(values.len()).unwrap_or(u16::MAX)
}

fn range(address: u16, quantity: u16, limit: u16) -> Result<(u16, u16), RequestError> {
    if !(1..=limit).contains(&quantity) {
        return Err(RequestError::Quantity {
            got: quantity,
            limit,
        });
    }
    if address.checked_add(quantity - 1).is_none() {
        return Err(RequestError::Range { address, quantity });
    }
    Ok((address, quantity))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked examples of AP §6.
    fn examples() -> Vec<(Vec<u8>, Request)> {
        let hex = |text: &str| -> Vec<u8> {
            text.split(' ')
                .map(|byte| u8::from_str_radix(byte, 16).unwrap())
                .collect()
        };
        vec![
            (
                hex("01 00 13 00 13"),
                Request::ReadCoils {
                    address: 0x13,
                    quantity: 19,
                },
            ),
            (
                hex("02 00 C4 00 16"),
                Request::ReadDiscreteInputs {
                    address: 196,
                    quantity: 22,
                },
            ),
            (
                hex("03 00 6B 00 03"),
                Request::ReadHoldingRegisters {
                    address: 107,
                    quantity: 3,
                },
            ),
            (
                hex("04 00 08 00 01"),
                Request::ReadInputRegisters {
                    address: 8,
                    quantity: 1,
                },
            ),
            (
                hex("05 00 AC FF 00"),
                Request::WriteSingleCoil {
                    address: 172,
                    on: true,
                },
            ),
            (
                hex("06 00 01 00 03"),
                Request::WriteSingleRegister {
                    address: 1,
                    value: 3,
                },
            ),
            (
                hex("0F 00 13 00 0A 02 CD 01"),
                Request::WriteMultipleCoils {
                    address: 19,
                    values: unpack_bits(&[0xCD, 1], 10),
                },
            ),
            (
                hex("10 00 01 00 02 04 00 0A 01 02"),
                Request::WriteMultipleRegisters {
                    address: 1,
                    values: vec![10, 0x102],
                },
            ),
            (
                hex("16 00 04 00 F2 00 25"),
                Request::MaskWriteRegister {
                    address: 4,
                    and: 0xF2,
                    or: 0x25,
                },
            ),
            (
                hex("17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF"),
                Request::ReadWriteMultipleRegisters {
                    read_address: 3,
                    read_quantity: 6,
                    write_address: 14,
                    values: vec![0xFF; 3],
                },
            ),
            (
                hex("2B 0E 01 00"),
                Request::ReadDeviceIdentification {
                    access: AccessCode::Basic,
                    object: 0,
                },
            ),
        ]
    }

    #[test]
    fn parses_and_emits_the_examples_of_the_specification() {
        for (bytes, request) in examples() {
            assert_eq!(Request::parse(&bytes).as_ref(), Ok(&request));
            assert_eq!(request.emit().unwrap(), bytes);
        }
    }

    #[test]
    fn a_cut_or_longer_request_is_told() {
        for (bytes, request) in examples() {
            let function = request.function();
            for len in 1..bytes.len() {
                assert_eq!(
                    Request::parse(&bytes[..len]),
                    Err(RequestError::Truncated(function)),
                    "{bytes:x?}"
                );
            }
            let long = [&bytes[..], &[0]].concat();
            assert_eq!(
                Request::parse(&long),
                Err(RequestError::Trailing { function, extra: 1 })
            );
        }
        assert_eq!(Request::parse(&[]), Err(RequestError::Empty));
    }

    #[test]
    fn limits_hold_both_ways() {
        for (function, limit) in [(1u8, 2000u16), (2, 2000), (3, 125), (4, 125)] {
            let pdu = |quantity: u16| [&[function, 0, 0][..], &quantity.to_be_bytes()].concat();
            assert!(Request::parse(&pdu(limit)).is_ok());
            for got in [0, limit + 1, 0xFFFF] {
                assert_eq!(
                    Request::parse(&pdu(got)),
                    Err(RequestError::Quantity { got, limit })
                );
            }
        }
        let write = |len| {
            Request::WriteMultipleRegisters {
                address: 0,
                values: vec![0; len],
            }
            .emit()
        };
        assert_eq!(write(123).unwrap().len(), 252);
        assert!(write(124).is_err() && write(0).is_err() && write(70000).is_err());
        let coils = |len| {
            Request::WriteMultipleCoils {
                address: 0,
                values: vec![true; len],
            }
            .emit()
        };
        assert_eq!(coils(1968).unwrap().len(), 252);
        assert!(coils(1969).is_err() && coils(0).is_err());
    }

    #[test]
    fn values_that_contradict_are_told() {
        assert_eq!(
            Request::parse(&[5, 0, 0, 0, 1]),
            Err(RequestError::CoilValue(1))
        );
        assert_eq!(
            Request::parse(&[16, 0, 1, 0, 2, 3, 0, 0, 0]),
            Err(RequestError::ByteCount { got: 3, want: 4 })
        );
        assert_eq!(
            Request::parse(&[3, 0xFF, 0xFF, 0, 2]),
            Err(RequestError::Range {
                address: 0xFFFF,
                quantity: 2
            })
        );
        assert!(Request::parse(&[3, 0xFF, 0xFF, 0, 1]).is_ok());
        assert_eq!(
            Request::parse(&[43, 13, 0, 0]),
            Err(RequestError::MeiType(13))
        );
        assert_eq!(
            Request::parse(&[43, 14, 5, 0]),
            Err(RequestError::Access(5))
        );
    }
}
