//! What a server answers: the meaning of an answer PDU taken by itself (AP §6, §7).
//!
//! Whether it fits its request is the question of [`legal_answer`](super::legal_answer).

use thiserror::Error;

use super::code::{ExceptionCode, FunctionCode};
use super::identification::IdentificationPage;
use super::pdu::{EXCEPTION, MAX_PDU, word, words};

/// An answer that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Functions 1 and 2: the bits as they stand on the line.
    Bits {
        /// 1 or 2.
        function: FunctionCode,
        /// Eight bits a byte.
        packed: Vec<u8>,
    },
    /// Functions 3, 4 and 23.
    Registers {
        /// 3, 4 or 23.
        function: FunctionCode,
        /// The values read.
        values: Vec<u16>,
    },
    /// Functions 5, 6, 15 and 16: two words that echo the request.
    Written {
        /// 5, 6, 15 or 16.
        function: FunctionCode,
        /// Address written.
        address: u16,
        /// Value (5, 6) or quantity (15, 16).
        echo: u16,
    },
    /// Function 22.
    MaskWritten {
        /// Address written.
        address: u16,
        /// The AND mask.
        and: u16,
        /// The OR mask.
        or: u16,
    },
    /// Function 43, MEI type 14.
    Identification(IdentificationPage),
    /// A refusal.
    Exception {
        /// The function that was asked.
        function: FunctionCode,
        /// Why it was refused.
        code: ExceptionCode,
    },
}

/// Why a PDU is not a legal answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// No byte at all.
    #[error("the PDU is empty")]
    Empty,
    /// More than 253 bytes.
    #[error("{0} bytes are more than the 253 of a PDU (AP §4.1)")]
    Oversized(usize),
    /// A function code whose answers are not described here.
    #[error("function {0} is not described here")]
    Function(FunctionCode),
    /// The length does not fit the function or the byte count.
    #[error("an answer of function {function} has {got} bytes, not {want}")]
    Length {
        /// The function.
        function: FunctionCode,
        /// How many bytes there are.
        got: usize,
        /// How many there should be.
        want: usize,
    },
    /// Registers with an odd byte count.
    #[error("byte count {0} is no whole number of registers")]
    OddByteCount(u8),
    /// A device identification that is not legal.
    #[error("device identification: {0} (AP §6.21)")]
    Identification(&'static str),
}

impl Response {
    /// Reads a whole answer PDU.
    ///
    /// # Errors
    /// [`ResponseError`] names what is not legal.
    pub fn parse(pdu: &[u8]) -> Result<Self, ResponseError> {
        let (&first, data) = pdu.split_first().ok_or(ResponseError::Empty)?;
        if pdu.len() > MAX_PDU {
            return Err(ResponseError::Oversized(pdu.len()));
        }
        let function = FunctionCode::from(first & !EXCEPTION);
        let expect = |want: usize| match pdu.len() {
            got if got == want => Ok(()),
            got => Err(ResponseError::Length {
                function,
                got,
                want,
            }),
        };
        let at = |offset| word(pdu, offset).unwrap_or(0);
        if first & EXCEPTION != 0 {
            expect(2)?;
            return Ok(Self::Exception {
                function,
                code: pdu[1].into(),
            });
        }
        let count = data.first().copied().unwrap_or(0);
        Ok(match function {
            FunctionCode::ReadCoils | FunctionCode::ReadDiscreteInputs => {
                expect(2 + usize::from(count))?;
                Self::Bits {
                    function,
                    packed: pdu[2..].to_vec(),
                }
            }
            FunctionCode::ReadHoldingRegisters
            | FunctionCode::ReadInputRegisters
            | FunctionCode::ReadWriteMultipleRegisters => {
                expect(2 + usize::from(count))?;
                if count % 2 != 0 {
                    return Err(ResponseError::OddByteCount(count));
                }
                Self::Registers {
                    function,
                    values: words(&pdu[2..]),
                }
            }
            FunctionCode::WriteSingleCoil
            | FunctionCode::WriteSingleRegister
            | FunctionCode::WriteMultipleCoils
            | FunctionCode::WriteMultipleRegisters => {
                expect(5)?;
                Self::Written {
                    function,
                    address: at(1),
                    echo: at(3),
                }
            }
            FunctionCode::MaskWriteRegister => {
                expect(7)?;
                Self::MaskWritten {
                    address: at(1),
                    and: at(3),
                    or: at(5),
                }
            }
            FunctionCode::EncapsulatedInterface => Self::Identification(
                IdentificationPage::parse(pdu).map_err(ResponseError::Identification)?,
            ),
            other => return Err(ResponseError::Function(other)),
        })
    }

    /// Writes the PDU.
    ///
    /// # Errors
    /// [`ResponseError::Oversized`] if it would be longer than 253 bytes.
    pub fn emit(&self) -> Result<Vec<u8>, ResponseError> {
        let mut pdu = Vec::new();
        match self {
            Self::Bits { function, packed } => {
                pdu.extend([u8::from(*function), packed.len() as u8]);
                pdu.extend_from_slice(packed);
            }
            Self::Registers { function, values } => {
                pdu.extend([u8::from(*function), (values.len() * 2) as u8]);
                values
                    .iter()
                    .for_each(|value| pdu.extend(value.to_be_bytes()));
            }
            Self::Written {
                function,
                address,
                echo,
            } => {
                pdu.push(u8::from(*function));
                [address, echo]
                    .iter()
                    .for_each(|word| pdu.extend(word.to_be_bytes()));
            }
            Self::MaskWritten { address, and, or } => {
                pdu.push(u8::from(FunctionCode::MaskWriteRegister));
                [address, and, or]
                    .iter()
                    .for_each(|word| pdu.extend(word.to_be_bytes()));
            }
            Self::Identification(page) => pdu = page.emit(),
            Self::Exception { function, code } => {
                pdu.extend([u8::from(*function) | EXCEPTION, u8::from(*code)]);
            }
        }
        if pdu.len() > MAX_PDU {
            return Err(ResponseError::Oversized(pdu.len()));
        }
        Ok(pdu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_emits_the_examples_of_the_specification() {
        let examples: [(&[u8], Response); 6] = [
            (
                &[0x01, 0x03, 0xCD, 0x6B, 0x05],
                Response::Bits {
                    function: FunctionCode::ReadCoils,
                    packed: vec![0xCD, 0x6B, 0x05],
                },
            ),
            (
                &[0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64],
                Response::Registers {
                    function: FunctionCode::ReadHoldingRegisters,
                    values: vec![555, 0, 100],
                },
            ),
            (
                &[0x05, 0x00, 0xAC, 0xFF, 0x00],
                Response::Written {
                    function: FunctionCode::WriteSingleCoil,
                    address: 0xAC,
                    echo: 0xFF00,
                },
            ),
            (
                &[0x10, 0x00, 0x01, 0x00, 0x02],
                Response::Written {
                    function: FunctionCode::WriteMultipleRegisters,
                    address: 1,
                    echo: 2,
                },
            ),
            (
                &[0x16, 0x00, 0x04, 0x00, 0xF2, 0x00, 0x25],
                Response::MaskWritten {
                    address: 4,
                    and: 0xF2,
                    or: 0x25,
                },
            ),
            (
                &[0x81, 0x02],
                Response::Exception {
                    function: FunctionCode::ReadCoils,
                    code: ExceptionCode::IllegalDataAddress,
                },
            ),
        ];
        for (bytes, response) in examples {
            assert_eq!(Response::parse(bytes).as_ref(), Ok(&response));
            assert_eq!(response.emit().unwrap(), bytes);
            for len in 0..bytes.len() {
                assert!(
                    Response::parse(&bytes[..len]).is_err(),
                    "{bytes:x?} cut to {len}"
                );
            }
            assert!(Response::parse(&[bytes, &[0]].concat()).is_err());
        }
    }

    #[test]
    fn registers_come_whole() {
        assert_eq!(
            Response::parse(&[3, 3, 0, 0, 0]),
            Err(ResponseError::OddByteCount(3))
        );
        assert_eq!(
            Response::parse(&[3; 254]),
            Err(ResponseError::Oversized(254))
        );
    }
}
