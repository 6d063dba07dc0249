//! The client of what is well-formed: asks, takes only legal answers, names everything else.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_modbus::Response;

use super::codec::translate;
use super::error::{Breach, ModbusError};
use super::raw::Raw;
use super::wire::identification::Object;
use super::wire::pdu::EXCEPTION;
use super::wire::{self, AccessCode, Request};

mod exchange;

/// What a device says of itself (function 43, MEI type 14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    /// 1..=3, with 0x80 added where single objects can be asked for (AP §6.21).
    pub conformity: u8,
    /// The objects, in the order they came.
    pub objects: Vec<Object>,
}

impl Identification {
    /// The text of an object; bytes that are no UTF-8 are replaced.
    pub fn text(&self, id: u8) -> Option<String> {
        let object = self.objects.iter().find(|object| object.id == id)?;
        Some(String::from_utf8_lossy(&object.value).into_owned())
    }
}

/// A client of one Modbus server.
///
/// Every call ends within its limit. A late answer to a call that timed out is never taken for the answer to the next:
/// on TCP its transaction identifier tells; on a serial line, where nothing does, the next call first waits until the
/// line has been silent for a while ([`Client::with_quiet`]).
#[derive(Debug)]
pub struct Client<S> {
    line: Raw<S>,
    framing: Framing,
    unit: u8,
    quiet: Duration,
    next_transaction: u16,
    /// Asked and not answered yet; stays set when a call is given up.
    pending: Option<u16>,
    /// Asked and given up: their answers may still come.
    stale: VecDeque<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Tcp,
    Rtu,
}

/// How many requests that were given up a TCP client remembers.
const MAX_STALE: usize = 256;
/// How long a serial line must be silent after a request that was given up.
const QUIET: Duration = Duration::from_millis(100);
/// How long a silence ends an RTU answer that does not tell its own length.
const GAP: Duration = Duration::from_millis(50);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Speaks Modbus/TCP over a connected stream; TLS is a matter of the stream.
    pub fn tcp(stream: S, unit: u8) -> Self {
        Self::over(stream, unit, Framing::Tcp)
    }

    /// Speaks Modbus RTU over a serial line, or over anything that carries its bytes.
    ///
    /// A unit of 1..=247 answers; 0 is broadcast, which nobody answers, so that each call would time out: use
    /// [`Raw`] for it.
    pub fn rtu(stream: S, unit: u8) -> Self {
        Self::over(stream, unit, Framing::Rtu)
    }

    fn over(stream: S, unit: u8, framing: Framing) -> Self {
        Self {
            line: Raw::new(stream),
            framing,
            unit,
            quiet: QUIET,
            next_transaction: 1,
            pending: None,
            stale: VecDeque::new(),
        }
    }

    /// Sets how long a serial line must be silent after a request that timed out, 100 ms if not set. It has to be longer
    /// than the device is ever late.
    #[must_use]
    pub fn with_quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// Waits for the server to end the connection and says how; `None` if it did not within `limit`.
    ///
    /// # Errors
    /// [`ModbusError::Io`] if the line fails in a way that is no end.
    pub async fn ended(&mut self, limit: Duration) -> Result<Option<super::End>, ModbusError> {
        Ok(self.line.closed(limit).await?)
    }

    /// Reads 1..=2000 coils (function 1).
    ///
    /// # Errors
    /// See [`ModbusError`], as for every call below.
    pub async fn read_coils(
        &mut self,
        address: u16,
        quantity: u16,
        limit: Duration,
    ) -> Result<Vec<bool>, ModbusError> {
        match self
            .ask(&Request::ReadCoils { address, quantity }, limit)
            .await?
        {
            Response::ReadCoils(bits) => Ok(first(bits, quantity)),
            other => Err(unexpected(&other)),
        }
    }

    /// Reads 1..=2000 discrete inputs (function 2).
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn read_discrete_inputs(
        &mut self,
        address: u16,
        quantity: u16,
        limit: Duration,
    ) -> Result<Vec<bool>, ModbusError> {
        match self
            .ask(&Request::ReadDiscreteInputs { address, quantity }, limit)
            .await?
        {
            Response::ReadDiscreteInputs(bits) => Ok(first(bits, quantity)),
            other => Err(unexpected(&other)),
        }
    }

    /// Reads 1..=125 holding registers (function 3).
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn read_holding_registers(
        &mut self,
        address: u16,
        quantity: u16,
        limit: Duration,
    ) -> Result<Vec<u16>, ModbusError> {
        match self
            .ask(&Request::ReadHoldingRegisters { address, quantity }, limit)
            .await?
        {
            Response::ReadHoldingRegisters(values) => Ok(values),
            other => Err(unexpected(&other)),
        }
    }

    /// Reads 1..=125 input registers (function 4).
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn read_input_registers(
        &mut self,
        address: u16,
        quantity: u16,
        limit: Duration,
    ) -> Result<Vec<u16>, ModbusError> {
        match self
            .ask(&Request::ReadInputRegisters { address, quantity }, limit)
            .await?
        {
            Response::ReadInputRegisters(values) => Ok(values),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes one coil (function 5).
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn write_single_coil(
        &mut self,
        address: u16,
        on: bool,
        limit: Duration,
    ) -> Result<(), ModbusError> {
        self.ask(&Request::WriteSingleCoil { address, on }, limit)
            .await
            .map(drop)
    }

    /// Writes one holding register (function 6).
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn write_single_register(
        &mut self,
        address: u16,
        value: u16,
        limit: Duration,
    ) -> Result<(), ModbusError> {
        self.ask(&Request::WriteSingleRegister { address, value }, limit)
            .await
            .map(drop)
    }

    /// Writes 1..=1968 coils (function 15).
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn write_multiple_coils(
        &mut self,
        address: u16,
        values: &[bool],
        limit: Duration,
    ) -> Result<(), ModbusError> {
        let values = values.to_vec();
        self.ask(&Request::WriteMultipleCoils { address, values }, limit)
            .await
            .map(drop)
    }

    /// Writes 1..=123 holding registers (function 16).
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn write_multiple_registers(
        &mut self,
        address: u16,
        values: &[u16],
        limit: Duration,
    ) -> Result<(), ModbusError> {
        let values = values.to_vec();
        self.ask(&Request::WriteMultipleRegisters { address, values }, limit)
            .await
            .map(drop)
    }

    /// Reads the identification, with as many requests as the device needs; `limit` holds for all of them together.
    ///
    /// # Errors
    /// See [`ModbusError`]; a device without it refuses with exception 1. A device that sends the reader backwards is
    /// illegal.
    pub async fn read_device_identification(
        &mut self,
        access: AccessCode,
        limit: Duration,
    ) -> Result<Identification, ModbusError> {
        let deadline = Instant::now() + limit;
        let mut identification = Identification {
            conformity: 0,
            objects: Vec::new(),
        };
        let mut object = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let request = Request::ReadDeviceIdentification { access, object };
            let answer = self.exchange(&request.emit()?, left).await?;
            let illegal = |what| {
                let breach = wire::Illegal::Identification(what);
                ModbusError::illegal(Breach::Answer(breach), &answer)
            };
            let page = match wire::Response::parse(&answer) {
                Ok(wire::Response::Identification(page)) => page,
                Ok(wire::Response::Exception { code, .. }) => {
                    return Err(ModbusError::Exception(code));
                }
                _ => return Err(illegal("not an identification")),
            };
            identification.conformity = page.conformity;
            identification.objects.extend(page.objects);
            match page.next {
                None => return Ok(identification),
                Some(next) if next > object => object = next,
                Some(_) => return Err(illegal("the next object does not advance")),
            }
        }
    }

    /// Asks one well-formed request.
    async fn ask(&mut self, request: &Request, limit: Duration) -> Result<Response, ModbusError> {
        request.emit()?;
        translate(request, async |pdu| {
            match self.exchange(pdu, limit).await? {
                refusal if refusal[0] & EXCEPTION != 0 => {
                    Err(ModbusError::Exception(refusal[1].into()))
                }
                answer => Ok(answer),
            }
        })
        .await
    }
}

fn first(mut bits: Vec<bool>, quantity: u16) -> Vec<bool> {
    bits.truncate(usize::from(quantity));
    bits
}

fn unexpected(what: &dyn std::fmt::Debug) -> ModbusError {
    ModbusError::illegal(Breach::Unreadable(format!("{what:?}")), &[])
}

#[cfg(test)]
mod tests;
