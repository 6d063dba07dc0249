//! One request out, one answer in: framing, late answers, and the judgement.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::{Client, Framing, GAP, MAX_STALE};
use crate::inbox::Filled;
use crate::modbus::error::{Breach, ModbusError};
use crate::modbus::raw::{failed, mbap_length};
use crate::modbus::wire::{legal_answer, mbap, rtu};

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Sends a PDU of 1..=253 bytes, legal or not, in a right frame and hands back the PDU of the answer, which is
    /// legal for that request. An exception is an answer.
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
