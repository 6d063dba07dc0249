//! Requests and answers of the Modbus application protocol V1.1b3, without the line they come by.

/// Exception codes, section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exception {
    IllegalFunction = 0x01,
    IllegalDataAddress = 0x02,
    IllegalDataValue = 0x03,
    DeviceFailure = 0x04,
    GatewayTargetFailed = 0x0b,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Coils,
    Discrete,
    Holding,
    Input,
}

/// A request that is well formed; whether the addresses exist is not known yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    ReadBits {
        table: Table,
        start: u16,
        count: u16,
    },
    ReadRegisters {
        table: Table,
        start: u16,
        count: u16,
    },
    WriteBits {
        start: u16,
        bits: Vec<bool>,
    },
    WriteRegisters {
        start: u16,
        values: Vec<u16>,
    },
    Identify {
        code: u8,
        object: u8,
    },
}

const MOST_READ_BITS: u16 = 2000;
const MOST_READ_REGISTERS: u16 = 125;
const MOST_WRITTEN_BITS: u16 = 1968;
const MOST_WRITTEN_REGISTERS: u16 = 123;
/// Read Device Identification, the one MEI type the device knows.
const MEI_IDENTIFICATION: u8 = 0x0e;

/// Whether a request has a public function code that writes.
pub(crate) fn is_write(request: &[u8]) -> bool {
    matches!(request.first(), Some(5 | 6 | 15 | 16 | 21 | 22 | 23))
}

/// Whether the device knows a request's function code.
pub(crate) fn is_known(request: &[u8]) -> bool {
    matches!(request.first(), Some(1..=6 | 15 | 16 | 43))
}

/// Reads a request; a quantity or a length that is wrong comes before an address that is.
///
/// `over_limit` lets two more registers through than the specification does (flaw `over-limit-read`).
pub(crate) fn parse(request: &[u8], over_limit: bool) -> Result<Request, Exception> {
    let (function, data) = request.split_first().ok_or(Exception::IllegalFunction)?;
    let registers = if over_limit {
        MOST_READ_REGISTERS + 2
    } else {
        MOST_READ_REGISTERS
    };
    match function {
        1 => {
            let (start, count) = span(data, MOST_READ_BITS)?;
            Ok(Request::ReadBits {
                table: Table::Coils,
                start,
                count,
            })
        }
        2 => {
            let (start, count) = span(data, MOST_READ_BITS)?;
            Ok(Request::ReadBits {
                table: Table::Discrete,
                start,
                count,
            })
        }
        3 => {
            let (start, count) = span(data, registers)?;
            Ok(Request::ReadRegisters {
                table: Table::Holding,
                start,
                count,
            })
        }
        4 => {
            let (start, count) = span(data, MOST_READ_REGISTERS)?;
            Ok(Request::ReadRegisters {
                table: Table::Input,
                start,
                count,
            })
        }
        5 => {
            let (start, value) = two_words(data)?;
            let on = match value {
                0xff00 => true,
                0x0000 => false,
                _ => return Err(Exception::IllegalDataValue),
            };
            Ok(Request::WriteBits {
                start,
                bits: vec![on],
            })
        }
        6 => {
            let (start, value) = two_words(data)?;
            Ok(Request::WriteRegisters {
                start,
                values: vec![value],
            })
        }
        15 => {
            let (start, count, bytes) = block(data, MOST_WRITTEN_BITS, |count| count.div_ceil(8))?;
            let bit = |at: u16| bytes[usize::from(at / 8)] >> (at % 8) & 1 == 1;
            Ok(Request::WriteBits {
                start,
                bits: (0..count).map(bit).collect(),
            })
        }
        16 => {
            let (start, _, bytes) = block(data, MOST_WRITTEN_REGISTERS, |count| 2 * count)?;
            let values = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Ok(Request::WriteRegisters {
                start,
                values: values.collect(),
            })
        }
        43 => match data {
            [MEI_IDENTIFICATION, code, object] => Ok(Request::Identify {
                code: *code,
                object: *object,
            }),
            [MEI_IDENTIFICATION, ..] | [] => Err(Exception::IllegalDataValue),
            _ => Err(Exception::IllegalFunction),
        },
        _ => Err(Exception::IllegalFunction),
    }
}

/// The answer to a read of bits: the first in the lowest bit of the first byte.
pub(crate) fn bits_answer(request: &[u8], bits: &[bool]) -> Vec<u8> {
    let packed = bits.chunks(8).map(|byte| {
        byte.iter()
            .enumerate()
            .fold(0u8, |byte, (at, on)| byte | u8::from(*on) << at)
    });
    let mut answer = vec![request[0], bits.len().div_ceil(8) as u8];
    answer.extend(packed);
    answer
}

pub(crate) fn registers_answer(request: &[u8], values: &[u16]) -> Vec<u8> {
    let mut answer = vec![request[0], (2 * values.len()) as u8];
    answer.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    answer
}

/// The answer to a write: the request's first five bytes.
pub(crate) fn write_answer(request: &[u8]) -> Vec<u8> {
    request[..5].to_vec()
}

fn two_words(data: &[u8]) -> Result<(u16, u16), Exception> {
    match *data {
        [a, b, c, d] => Ok((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))),
        _ => Err(Exception::IllegalDataValue),
    }
}

fn span(data: &[u8], most: u16) -> Result<(u16, u16), Exception> {
    let (start, count) = two_words(data)?;
    if (1..=most).contains(&count) {
        Ok((start, count))
    } else {
        Err(Exception::IllegalDataValue)
    }
}

fn block(
    data: &[u8],
    most: u16,
    bytes_for: impl FnOnce(u16) -> u16,
) -> Result<(u16, u16, &[u8]), Exception> {
    let (head, rest) = data
        .split_at_checked(4)
        .ok_or(Exception::IllegalDataValue)?;
    let (start, count) = span(head, most)?;
    match rest {
        [length, bytes @ ..]
            if u16::from(*length) == bytes_for(count) && bytes.len() == usize::from(*length) =>
        {
            Ok((start, count, bytes))
        }
        _ => Err(Exception::IllegalDataValue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_specification() {
        let ok = |request: &[u8]| parse(request, false).is_ok();
        assert!(ok(&[1, 0, 0, 0x07, 0xd0]) && !ok(&[1, 0, 0, 0x07, 0xd1]));
        assert!(ok(&[3, 0, 0, 0, 125]) && !ok(&[3, 0, 0, 0, 126]) && !ok(&[3, 0, 0, 0, 0]));
        let coils = |count: u16| {
            let bytes = count.div_ceil(8) as u8;
            let mut request = vec![15, 0, 0, (count >> 8) as u8, count as u8, bytes];
            request.resize(6 + usize::from(bytes), 0);
            request
        };
        assert!(ok(&coils(1968)) && !ok(&coils(1969)));
        let registers = |count: u8| {
            let mut request = vec![16, 0, 0, 0, count, 2 * count];
            request.resize(6 + 2 * usize::from(count), 0);
            request
        };
        assert!(ok(&registers(123)) && !ok(&registers(124)));
    }

    #[test]
    fn malformed_requests_get_the_exception_of_the_specification() {
        for (request, exception) in [
            (&[0x63][..], Exception::IllegalFunction),
            (&[], Exception::IllegalFunction),
            (&[3], Exception::IllegalDataValue),
            (&[3, 0, 0, 0, 1, 0], Exception::IllegalDataValue),
            (&[5, 0, 0, 0x12, 0x34], Exception::IllegalDataValue),
            (&[16, 0, 0, 0, 2, 2, 0, 0], Exception::IllegalDataValue),
            (&[15, 0, 0, 0, 9, 1, 0], Exception::IllegalDataValue),
            (&[43, 13, 0, 0], Exception::IllegalFunction),
            (&[43, 14], Exception::IllegalDataValue),
        ] {
            assert_eq!(parse(request, false), Err(exception), "{request:02x?}");
        }
    }

    #[test]
    fn bits_are_packed_from_the_lowest() {
        let bits = [true, false, true, false, false, false, false, false, true];
        assert_eq!(bits_answer(&[1], &bits), [1, 2, 0b101, 1]);
        let request = parse(&[15, 0, 0, 0, 9, 2, 0b101, 1], false).unwrap();
        assert_eq!(
            request,
            Request::WriteBits {
                start: 0,
                bits: bits.to_vec()
            }
        );
    }
}
