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
mod tests;
