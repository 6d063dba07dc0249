//! The oracle: is this answer legal for that request?

use thiserror::Error;

use super::code::FunctionCode;
use super::identification::{AccessCode, IdentificationPage};
use super::pdu::{EXCEPTION, MAX_PDU, bytes_of_bits, word};
use super::request::{Request, RequestError};
use super::response::{Response, ResponseError};

/// Why an answer is not legal for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Illegal {
    /// The answer is not legal for any request.
    #[error(transparent)]
    Malformed(#[from] ResponseError),
    /// The answer is for another function.
    #[error("function {got:#04x} answers a request of function {want:#04x} (AP §4.1)")]
    Function {
        /// The function code of the answer.
        got: u8,
        /// The function code of the request.
        want: u8,
    },
    /// The exception code is none of 1..=11.
    #[error("exception code {0} is outside 1..=11 (AP §7)")]
    ExceptionCode(u8),
    /// A request that must be refused was answered as if it were legal.
    #[error("a request that is not legal was carried out: {0}")]
    Accepted(RequestError),
    /// A function code that no request may have was answered as if it were legal.
    #[error("function code {0} is not allowed in a request (AP §4.1) and was carried out")]
    ReservedFunction(u8),
    /// More or fewer items than were asked for.
    #[error("{got} bytes of data answer a request for {want}")]
    Quantity {
        /// How many bytes of data there are.
        got: usize,
        /// How many were asked for.
        want: usize,
    },
    /// Bits above the last one asked for are not 0.
    #[error("the bits above the last one asked for are not 0 (AP §6.1)")]
    Padding,
    /// A field that must be that of the request is not.
    #[error("{field} is {got:#06x}, the request has {want:#06x}")]
    Echo {
        /// Which field.
        field: &'static str,
        /// What the answer has.
        got: u16,
        /// What the request has.
        want: u16,
    },
    /// A device identification that does not fit its request.
    #[error("device identification: {0} (AP §6.21)")]
    Identification(&'static str),
}

/// Says whether an answer PDU is legal for a request PDU, both without address, MBAP header or CRC.
///
/// The request may be anything. One that breaks a limit of AP §6 may only be refused; one with nothing but bytes too
/// many may be either carried out or refused, because the specification does not say. Answers of function codes that
/// are not described here are taken as long as they echo the code.
///
/// ```
/// use slcert_rigs::modbus::wire::legal_answer;
///
/// let read_two_registers = [3, 0, 0, 0, 2];
/// assert!(legal_answer(&read_two_registers, &[3, 4, 0, 7, 0, 8]).is_ok());
/// assert!(legal_answer(&read_two_registers, &[0x83, 2]).is_ok());
/// assert!(legal_answer(&read_two_registers, &[3, 2, 0, 7]).is_err());
/// ```
///
/// # Errors
/// [`Illegal`] says what the answer breaks.
pub fn legal_answer(request: &[u8], answer: &[u8]) -> Result<(), Illegal> {
    let got = *answer.first().ok_or(ResponseError::Empty)?;
    if answer.len() > MAX_PDU {
        return Err(ResponseError::Oversized(answer.len()).into());
    }
    let Some(&want) = request.first() else {
        // Nothing was asked, so nothing but a refusal makes sense.
        return match got & EXCEPTION {
            0 => Err(Illegal::Accepted(RequestError::Empty)),
            _ => legal_exception(answer),
        };
    };
    if got == want | EXCEPTION {
        return legal_exception(answer);
    }
    if got != want {
        return Err(Illegal::Function { got, want });
    }
    if want == 0 {
        return Err(Illegal::ReservedFunction(want));
    }
    match Request::parse_start(request) {
        Ok((request, _)) => legal_success(&request, &Response::parse(answer)?),
        Err(RequestError::Function(function)) => legal_elsewhere(function, request, answer),
        // Other MEI types have formats of their own.
        Err(RequestError::MeiType(_)) => Ok(()),
        Err(error) => Err(Illegal::Accepted(error)),
    }
}

fn legal_exception(answer: &[u8]) -> Result<(), Illegal> {
    match Response::parse(answer)? {
        Response::Exception { code, .. } => match u8::from(code) {
            1..=11 => Ok(()),
            other => Err(Illegal::ExceptionCode(other)),
        },
        _ => Ok(()),
    }
}

fn legal_success(request: &Request, answer: &Response) -> Result<(), Illegal> {
    match (request, answer) {
        (
            Request::ReadCoils { quantity, .. } | Request::ReadDiscreteInputs { quantity, .. },
            Response::Bits { packed, .. },
        ) => {
            legal_quantity(packed.len(), bytes_of_bits(*quantity))?;
            let used = quantity % 8;
            match packed.last() {
                Some(last) if used != 0 && last >> used != 0 => Err(Illegal::Padding),
                _ => Ok(()),
            }
        }
        (
            Request::ReadHoldingRegisters { quantity, .. }
            | Request::ReadInputRegisters { quantity, .. }
            | Request::ReadWriteMultipleRegisters {
                read_quantity: quantity,
                ..
            },
            Response::Registers { values, .. },
        ) => legal_quantity(values.len() * 2, usize::from(*quantity) * 2),
        (
            Request::WriteSingleCoil { address, on },
            Response::Written {
                address: at, echo, ..
            },
        ) => {
            same("address", *at, *address)?;
            same("value", *echo, if *on { 0xFF00 } else { 0 })
        }
        (
            Request::WriteSingleRegister { address, value },
            Response::Written {
                address: at, echo, ..
            },
        ) => {
            same("address", *at, *address)?;
            same("value", *echo, *value)
        }
        (
            Request::WriteMultipleCoils { address, values },
            Response::Written {
                address: at, echo, ..
            },
        ) => {
            same("address", *at, *address)?;
            same("quantity", *echo, values.len() as u16)
        }
        (
            Request::WriteMultipleRegisters { address, values },
            Response::Written {
                address: at, echo, ..
            },
        ) => {
            same("address", *at, *address)?;
            same("quantity", *echo, values.len() as u16)
        }
        (
            Request::MaskWriteRegister { address, and, or },
            Response::MaskWritten {
                address: at,
                and: got_and,
                or: got_or,
            },
        ) => {
            same("address", *at, *address)?;
            same("AND mask", *got_and, *and)?;
            same("OR mask", *got_or, *or)
        }
        (Request::ReadDeviceIdentification { access, object }, Response::Identification(page)) => {
            legal_identification(*access, *object, page)
        }
        // The function codes are equal, so the kinds are too.
        _ => Ok(()),
    }
}

fn legal_identification(
    access: AccessCode,
    object: u8,
    page: &IdentificationPage,
) -> Result<(), Illegal> {
    let broken = |what| Err(Illegal::Identification(what));
    same(
        "ReadDevId code",
        u8::from(page.access).into(),
        u8::from(access).into(),
    )?;
    let highest = match access {
        AccessCode::Basic => 0x02,
        AccessCode::Regular => 0x7F,
        AccessCode::Extended => 0xFF,
        AccessCode::One => {
            return match page.objects.as_slice() {
                [one] if one.id == object && page.next.is_none() => Ok(()),
                [one] if one.id == object => broken("more-follows is set for a single object"),
                [_] => broken("another object than the one asked for"),
                _ => broken("not exactly the one object asked for"),
            };
        }
    };
    if page.objects.iter().any(|object| object.id > highest) {
        return broken("an object outside the category asked for");
    }
    Ok(())
}

/// The functions that no [`Request`] stands for: what their answers say of their own length (AP §6.7 to §6.13).
fn legal_elsewhere(function: FunctionCode, request: &[u8], answer: &[u8]) -> Result<(), Illegal> {
    if u8::from(function) & EXCEPTION != 0 {
        return Err(Illegal::ReservedFunction(function.into()));
    }
    let length = |want| match answer.len() {
        got if got == want => Ok(()),
        got => Err(ResponseError::Length {
            function,
            got,
            want,
        }
        .into()),
    };
    let counted = || length(2 + usize::from(answer.get(1).copied().unwrap_or(0)));
    match function {
        FunctionCode::ReadExceptionStatus => length(2),
        FunctionCode::GetCommEventCounter => length(5),
        FunctionCode::GetCommEventLog | FunctionCode::ReportServerId => counted(),
        FunctionCode::Diagnostics => match (word(request, 1), word(answer, 1)) {
            (Some(want), Some(got)) => {
                same("sub-function", got, want)?;
                // Sub-function 0 returns the query data (AP §6.8.1).
                if want == 0 && request != answer {
                    return Err(Illegal::Quantity {
                        got: answer.len(),
                        want: request.len(),
                    });
                }
                Ok(())
            }
            (None, _) => Err(Illegal::Accepted(RequestError::Truncated(function))),
            (Some(_), None) => length(5),
        },
        _ => Ok(()),
    }
}

fn legal_quantity(got: usize, want: usize) -> Result<(), Illegal> {
    if got == want {
        Ok(())
    } else {
        Err(Illegal::Quantity { got, want })
    }
}

fn same(field: &'static str, got: u16, want: u16) -> Result<(), Illegal> {
    if got == want {
        Ok(())
    } else {
        Err(Illegal::Echo { field, got, want })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    }

    #[test]
    fn the_examples_of_the_specification_are_legal() {
        for (request, answer) in [
            ("01 00 13 00 13", "01 03 CD 6B 05"),
            ("02 00 C4 00 16", "02 03 AC DB 35"),
            ("03 00 6B 00 03", "03 06 02 2B 00 00 00 64"),
            ("04 00 08 00 01", "04 02 00 0A"),
            ("05 00 AC FF 00", "05 00 AC FF 00"),
            ("06 00 01 00 03", "06 00 01 00 03"),
            ("07", "07 6D"),
            ("08 00 00 A5 37", "08 00 00 A5 37"),
            ("0B", "0B FF FF 01 08"),
            ("0C", "0C 08 00 00 01 08 01 21 20 00"),
            ("0F 00 13 00 0A 02 CD 01", "0F 00 13 00 0A"),
            ("10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02"),
            ("16 00 04 00 F2 00 25", "16 00 04 00 F2 00 25"),
            (
                "17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF",
                "17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF",
            ),
            ("2B 0E 04 02", "2B 0E 04 81 00 00 01 02 02 31 30"),
            ("01 04 A1 00 01", "81 02"),
            ("41 01 02", "41 99"),
            ("41 01 02", "C1 01"),
        ] {
            assert_eq!(
                legal_answer(&hex(request), &hex(answer)),
                Ok(()),
                "{request} -> {answer}"
            );
        }
    }

    #[test]
    fn each_breach_is_named() {
        let cases: &[(&str, &str, Illegal)] = &[
            (
                "03 00 00 00 01",
                "",
                Illegal::Malformed(ResponseError::Empty),
            ),
            (
                "03 00 00 00 01",
                "04 02 00 00",
                Illegal::Function { got: 4, want: 3 },
            ),
            (
                "03 00 00 00 01",
                "84 02",
                Illegal::Function { got: 0x84, want: 3 },
            ),
            ("03 00 00 00 01", "83 00", Illegal::ExceptionCode(0)),
            ("03 00 00 00 01", "83 0C", Illegal::ExceptionCode(12)),
            (
                "03 00 00 00 02",
                "03 02 00 00",
                Illegal::Quantity { got: 2, want: 4 },
            ),
            ("01 00 00 00 03", "01 01 0F", Illegal::Padding),
            (
                "05 00 AC FF 00",
                "05 00 AC 00 00",
                Illegal::Echo {
                    field: "value",
                    got: 0,
                    want: 0xFF00,
                },
            ),
            (
                "06 00 01 00 03",
                "06 00 02 00 03",
                Illegal::Echo {
                    field: "address",
                    got: 2,
                    want: 1,
                },
            ),
            (
                "10 00 01 00 01 02 00 00",
                "10 00 01 00 02",
                Illegal::Echo {
                    field: "quantity",
                    got: 2,
                    want: 1,
                },
            ),
            (
                "16 00 04 00 F2 00 25",
                "16 00 04 00 F2 00 26",
                Illegal::Echo {
                    field: "OR mask",
                    got: 0x26,
                    want: 0x25,
                },
            ),
            (
                "08 00 01 00 00",
                "08 00 00 00 00",
                Illegal::Echo {
                    field: "sub-function",
                    got: 0,
                    want: 1,
                },
            ),
            ("00", "00", Illegal::ReservedFunction(0)),
            ("", "03 02 00 00", Illegal::Accepted(RequestError::Empty)),
            (
                "03 00 00 00 7E",
                "03 02 00 00",
                Illegal::Accepted(RequestError::Quantity {
                    got: 126,
                    limit: 125,
                }),
            ),
            (
                "05 00 00 12 34",
                "05 00 00 12 34",
                Illegal::Accepted(RequestError::CoilValue(0x1234)),
            ),
            (
                "2B 0E 01 00",
                "2B 0E 01 01 00 00 01 80 01 41",
                Illegal::Identification("an object outside the category asked for"),
            ),
            (
                "2B 0E 04 00",
                "2B 0E 04 81 00 00 01 01 01 41",
                Illegal::Identification("another object than the one asked for"),
            ),
        ];
        for (request, answer, breach) in cases {
            assert_eq!(
                legal_answer(&hex(request), &hex(answer)),
                Err(*breach),
                "{request} -> {answer}"
            );
        }
        let long = legal_answer(&[3, 0, 0, 0, 1], &[&[3, 3][..], &[0, 0, 0]].concat());
        assert_eq!(
            long,
            Err(Illegal::Malformed(ResponseError::OddByteCount(3)))
        );
        assert!(
            legal_answer(&[3, 0, 0, 0, 1], &[0x83, 2, 0]).is_err(),
            "an exception of three bytes"
        );
    }

    #[test]
    fn bytes_too_many_may_be_refused_or_overlooked() {
        let request = hex("03 00 00 00 01 FF");
        assert!(legal_answer(&request, &hex("03 02 00 00")).is_ok());
        assert!(legal_answer(&request, &hex("83 03")).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(
            request in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            answer in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        ) {
            let _ = legal_answer(&request, &answer);
        }

        #[test]
        fn an_answer_of_the_same_function_does_not_panic(
            function in 0u8..=255,
            request in proptest::collection::vec(proptest::num::u8::ANY, 0..20),
            answer in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        ) {
            let _ = legal_answer(&[&[function], &request[..]].concat(), &[&[function], &answer[..]].concat());
        }
    }
}
