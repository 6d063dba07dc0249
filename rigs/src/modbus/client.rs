//! The client of what is well-formed: asks, takes only legal answers, names everything else.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_modbus::Response;

use super::codec::translate;
use super::error::{Breach, ModbusError};
use super::raw::{Raw, failed, mbap_length};
use super::wire::identification::Object;
use super::wire::pdu::EXCEPTION;
use super::wire::{self, AccessCode, Request, legal_answer, mbap, rtu};
use crate::inbox::Filled;

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

    /// Sends a PDU of 1..=253 bytes, legal or not, in a right frame and hands back the PDU of the answer, which is
    /// legal for that request and at least two bytes long unless the request's function says nothing more; an
    /// exception is an answer.
    ///
    /// # Errors
    /// See [`ModbusError`].
    pub async fn exchange(&mut self, pdu: &[u8], limit: Duration) -> Result<Vec<u8>, ModbusError> {
        let deadline = Instant::now() + limit;
        let exchanging = async {
            self.make_ready(deadline).await?;
            let frame = self.frame(pdu)?;
            self.pending = Some(self.next_transaction);
            self.line.send(&frame).await?;
            let answer = match self.framing {
                Framing::Tcp => self.answer_tcp(pdu, deadline).await,
                Framing::Rtu => self.answer_rtu(pdu, deadline).await,
            };
            if let Err(ModbusError::Illegal { .. }) = answer {
                // Where the next frame starts is unknown now.
                self.line.inbox().take(usize::MAX);
            }
            let answer = answer?;
            self.pending = None;
            Ok(answer)
        };
        timeout_at(deadline, exchanging)
            .await
            .unwrap_or(Err(ModbusError::TimedOut))
    }

    /// Puts a request behind us that was given up, and what noise there was.
    async fn make_ready(&mut self, deadline: Instant) -> Result<(), ModbusError> {
        let given_up = self.pending.take();
        match self.framing {
            Framing::Tcp => {
                if self.stale.len() == MAX_STALE {
                    self.stale.pop_front();
                }
                self.stale.extend(given_up);
                self.next_transaction = self.next_transaction.wrapping_add(1);
            }
            Framing::Rtu => {
                let quiet = if given_up.is_some() {
                    self.quiet
                } else {
                    Duration::ZERO
                };
                let limit = deadline.saturating_duration_since(Instant::now());
                if !self
                    .line
                    .inbox()
                    .drain(quiet, limit)
                    .await
                    .map_err(failed)?
                {
                    self.pending = given_up;
                    return Err(ModbusError::TimedOut);
                }
            }
        }
        Ok(())
    }

    fn frame(&self, pdu: &[u8]) -> Result<Vec<u8>, ModbusError> {
        let unfit = |_| ModbusError::Io(std::io::Error::other("a PDU has 1..=253 bytes"));
        match self.framing {
            Framing::Tcp => {
                let frame = mbap::Repr {
                    transaction: self.next_transaction,
                    unit: self.unit,
                    pdu,
                };
                frame.emit().map_err(|_| unfit(()))
            }
            Framing::Rtu => rtu::Repr {
                address: self.unit,
                pdu,
            }
            .emit()
            .map_err(|_| unfit(())),
        }
    }

    async fn answer_tcp(
        &mut self,
        request: &[u8],
        deadline: Instant,
    ) -> Result<Vec<u8>, ModbusError> {
        loop {
            let Some(length) = mbap_length(self.line.inbox().waiting()) else {
                self.more(deadline).await?;
                continue;
            };
            let bytes = self.line.inbox().take(length);
            let illegal = |breach: Breach| ModbusError::illegal(breach, &bytes);
            let frame = mbap::Repr::parse(&bytes).map_err(|error| illegal(error.into()))?;
            if let Some(at) = self
                .stale
                .iter()
                .position(|stale| *stale == frame.transaction)
            {
                self.stale.remove(at);
                continue;
            }
            if frame.transaction != self.next_transaction {
                let (got, want) = (frame.transaction, self.next_transaction);
                return Err(illegal(Breach::Transaction { got, want }));
            }
            self.judge(request, frame.unit, frame.pdu)
                .map_err(illegal)?;
            return Ok(frame.pdu.to_vec());
        }
    }

    async fn answer_rtu(
        &mut self,
        request: &[u8],
        deadline: Instant,
    ) -> Result<Vec<u8>, ModbusError> {
        let bytes = loop {
            let waiting = self.line.inbox().waiting();
            let told = rtu::answer_length(waiting).map(|length| length.min(rtu::MAX_FRAME));
            if let Some(length) = told
                && waiting.len() >= length
            {
                break self.line.inbox().take(length);
            }
            if waiting.len() >= rtu::MAX_FRAME {
                break self.line.inbox().take(rtu::MAX_FRAME);
            }
            if waiting.len() < rtu::MIN_FRAME || told.is_some() {
                self.more(deadline).await?;
                continue;
            }
            // An answer that does not tell its length ends with silence.
            let until = deadline.min(Instant::now() + GAP);
            if self.line.inbox().fill(until).await.map_err(failed)? != Filled::More {
                break self.line.inbox().take(rtu::MAX_FRAME);
            }
        };
        let illegal = |breach: Breach| ModbusError::illegal(breach, &bytes);
        let frame = rtu::Repr::parse(&bytes).map_err(|error| illegal(error.into()))?;
        self.judge(request, frame.address, frame.pdu)
            .map_err(illegal)?;
        Ok(frame.pdu.to_vec())
    }

    async fn more(&mut self, deadline: Instant) -> Result<(), ModbusError> {
        match self.line.inbox().fill(deadline).await.map_err(failed)? {
            Filled::More => Ok(()),
            Filled::Quiet => Err(ModbusError::TimedOut),
            Filled::Ended(end) => Err(ModbusError::Closed(end)),
        }
    }

    fn judge(&self, request: &[u8], unit: u8, answer: &[u8]) -> Result<(), Breach> {
        if unit != self.unit {
            return Err(Breach::Unit {
                got: unit,
                want: self.unit,
            });
        }
        Ok(legal_answer(request, answer)?)
    }
}

fn first(mut bits: Vec<bool>, quantity: u16) -> Vec<bool> {
    bits.truncate(usize::from(quantity));
    bits
}

fn unexpected(what: &dyn std::fmt::Debug) -> ModbusError {
    ModbusError::illegal(Breach::Unreadable(format!("{what:?}")), &[])
}
