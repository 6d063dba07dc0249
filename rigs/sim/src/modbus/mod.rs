//! Modbus: what the device answers, whatever the line. The plain lines are read only; Modbus/TLS goes by the role in the certificate.

mod deep;
mod identification;
mod pdu;
pub(crate) mod rtu;
pub(crate) mod tcp;
pub(crate) mod tls;

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit::{Category, Source};
use crate::controller::{Actor, Controller, Refusal, Write};
use crate::flaw::Defect;
use crate::process::{Point, SCRATCH};
pub(crate) use deep::Deep;
use pdu::{Exception, Request, Table};

/// The device's unit id.
pub(crate) const UNIT: u8 = 1;
/// How long the flaw `loop-stalls` stalls.
const STALL: Duration = Duration::from_secs(3);

/// Bytes of a request beside which nothing of an earlier one is left.
const SHORT: usize = 40;
const HOLDING_REGISTERS: u16 = 16;
const OTHERS: u16 = 8;

/// Who is at the other end, and what may be asked for.
#[derive(Debug)]
pub(crate) struct Client {
    pub actor: Actor,
    pub access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: the certificate names no role.
    None,
    ReadOnly,
    ByRole,
    /// As its role may, and answered as if it might nothing: a flaw.
    Ended,
}

impl Client {
    /// Whoever is on a line that knows no identities.
    pub(crate) fn unknown(source: Source, access: Access) -> Self {
        let role = if access == Access::ByRole {
            "engineer"
        } else {
            ""
        };
        Self {
            actor: Actor {
                source,
                name: String::new(),
                role: role.into(),
            },
            access,
        }
    }
}

/// The answer to one request.
pub(crate) fn answer(controller: &Controller, client: &Client, request: &[u8]) -> Vec<u8> {
    let function = request.first().copied().unwrap_or_default();
    if request.len() > SHORT && controller.flaws.enabled(Defect::ModbusStaleRegisters) {
        *left_over(controller) = request.to_vec();
    }
    let mut response = respond(controller, client, request);
    if client.access == Access::Ended {
        response = Err(Exception::IllegalFunction);
    }
    let answer = response.unwrap_or_else(|exception| {
        // The function code 128 and above is the exception's own mark.
        vec![function | 0x80, exception as u8]
    });
    deep::answer(controller, request, answer)
}

fn respond(controller: &Controller, client: &Client, request: &[u8]) -> Result<Vec<u8>, Exception> {
    if client.access == Access::None {
        refuse(controller, client, request);
        return Err(Exception::IllegalFunction);
    }
    if client.access == Access::ReadOnly && pdu::is_write(request) {
        refuse(controller, client, request);
        return Err(Exception::IllegalFunction);
    }
    let over_limit = controller.flaws.enabled(Defect::OverLimitRead);
    let outcome = pdu::parse(request, over_limit).and_then(|parsed| match parsed {
        Request::ReadBits {
            table,
            start,
            count,
        } => {
            let bits: Vec<bool> = range(start, count, OTHERS)?
                .map(|at| bit(controller, table, at))
                .collect();
            Ok(pdu::bits_answer(request, &bits))
        }
        Request::ReadRegisters {
            table,
            start,
            count,
        } => {
            // Only the flaw gets past 125 registers, and past the end of the table with them.
            let size = match table {
                Table::Holding if count > 125 => u16::MAX,
                Table::Holding => HOLDING_REGISTERS,
                _ => OTHERS,
            };
            let values: Vec<u16> = range(start, count, size)?
                .map(|at| register(controller, table, at))
                .collect();
            Ok(pdu::registers_answer(request, &values))
        }
        Request::WriteBits { start, bits } => {
            let range = range(start, bits.len() as u16, OTHERS)?;
            let writes: Vec<_> = range
                .zip(bits)
                .map(|(at, on)| Write::Coil(at, on))
                .collect();
            write(controller, client, &writes)?;
            Ok(pdu::write_answer(request))
        }
        Request::WriteRegisters { start, values } => {
            let range = range(start, values.len() as u16, HOLDING_REGISTERS)?;
            let forgets = values.len() > 1 && controller.flaws.enabled(Defect::WriteForgetsOutput);
            let writes: Vec<_> = range
                .zip(values)
                .map(|(at, value)| holding(at, value))
                .filter(|write| !forgets || !matches!(write, Write::Point(Point::Output, _)))
                .collect();
            write(controller, client, &writes)?;
            Ok(pdu::write_answer(request))
        }
        Request::Identify { code, object } => {
            if controller.flaws.enabled(Defect::NoIdentification) {
                return Err(Exception::IllegalFunction);
            }
            let firmware = controller.firmware_version().to_string();
            identification::answer(&controller.flaws, &firmware, code, object)
        }
    });
    if let Err(exception) = outcome {
        let source = client.actor.source;
        controller
            .audit
            .record_malformed(source, &format!("modbus exception {}", exception as u8));
        if !pdu::is_known(request) && controller.flaws.enabled(Defect::LoopStalls) {
            controller.process.stall(STALL);
        }
    }
    outcome
}

fn refuse(controller: &Controller, client: &Client, request: &[u8]) {
    let detail = format!(
        "modbus function {}",
        request.first().copied().unwrap_or_default()
    );
    controller.record(
        &client.actor,
        Category::RequestError,
        "refused",
        false,
        &detail,
    );
}

/// The addresses of a request, if the table has all of them.
fn range(start: u16, count: u16, size: u16) -> Result<std::ops::Range<u16>, Exception> {
    match start.checked_add(count) {
        Some(end) if end <= size => Ok(start..end),
        _ => Err(Exception::IllegalDataAddress),
    }
}

fn write(controller: &Controller, client: &Client, writes: &[Write]) -> Result<(), Exception> {
    controller
        .write(&client.actor, writes)
        .map_err(|refusal| match refusal {
            Refusal::NotPermitted => Exception::IllegalFunction,
            Refusal::Storage(_) => Exception::DeviceFailure,
            _ => Exception::IllegalDataValue,
        })
}

fn holding(at: u16, value: u16) -> Write {
    match at {
        0 => Write::Point(Point::Setpoint, value),
        1 => Write::Point(Point::Output, value),
        2 => Write::Point(Point::Limit, value),
        _ => Write::Scratch(usize::from(at) - 3, value),
    }
}

fn register(controller: &Controller, table: Table, at: u16) -> u16 {
    let process = &controller.process;
    match (table, at) {
        (Table::Holding, 0) => process.get(Point::Setpoint),
        (Table::Holding, 1) => process.get(Point::Output),
        (Table::Holding, 2) => process.get(Point::Limit),
        (Table::Holding, _) => match usize::from(at) - 3 {
            index @ 0..SCRATCH => process.scratch(index),
            _ => 0,
        },
        (_, 0) => process.level(),
        (_, 1) => process.heartbeat(),
        (_, 2) => process.get(Point::Output),
        (_, 3) => process.uptime(),
        // None is there but with a flaw.
        (_, at) => stale(controller, usize::from(at)),
    }
}

/// What an earlier request has left at the place of a register.
fn stale(controller: &Controller, at: usize) -> u16 {
    match left_over(controller).get(2 * at..2 * at + 2) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

fn left_over(controller: &Controller) -> MutexGuard<'_, Vec<u8>> {
    controller
        .left_over
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn bit(controller: &Controller, table: Table, at: u16) -> bool {
    let process = &controller.process;
    match (table, at) {
        (Table::Coils, _) => process.coil(at),
        (_, 0) => process.high_alarm(),
        (_, 1) => process.coil(0),
        _ => false,
    }
}
