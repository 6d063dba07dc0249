//! tokio-modbus as the second opinion on every PDU.
//!
//! Its client is run over a pipe in memory and never sees the line: a client of a hostile device has to skip late
//! answers, keep the bytes of an illegal one and not resynchronise over a bad CRC, and it does none of these.

use std::borrow::Cow;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_modbus::client::{Client as _, tcp};
use tokio_modbus::{Request as Asked, Response, Slave};

use super::error::{Breach, ModbusError};
use super::wire::pdu::MEI_IDENTIFICATION;
use super::wire::{Request, mbap};

/// Encodes a request, has it exchanged for the PDU of an answer, and decodes that.
///
/// The exchange must hand back legal answers only, and no exceptions.
pub(super) async fn translate<F>(request: &Request, exchange: F) -> Result<Response, ModbusError>
where
    F: AsyncFnOnce(&[u8]) -> Result<Vec<u8>, ModbusError>,
{
    let (theirs, mut ours) = duplex(2 * mbap::MAX_FRAME);
    let mut client = tcp::attach_slave(theirs, Slave(0));
    let mut answer = Vec::new();
    let carry = async {
        let mut header = [0; mbap::HEADER_LEN];
        ours.read_exact(&mut header)
            .await
            .map_err(ModbusError::Io)?;
        let header = mbap::Mbap::new_unchecked(header);
        let mut pdu = vec![0; usize::from(header.length().saturating_sub(1))];
        ours.read_exact(&mut pdu).await.map_err(ModbusError::Io)?;
        answer = exchange(&pdu).await?;
        let (transaction, unit) = (header.transaction(), header.unit());
        let frame = mbap::Repr {
            transaction,
            unit,
            pdu: &answer,
        }
        .emit()
        .map_err(|error| ModbusError::illegal(error, &answer))?;
        ours.write_all(&frame).await.map_err(ModbusError::Io)
    };
    let unreadable = |why: String| ModbusError::illegal(Breach::Unreadable(why), &[]);
    let call = async {
        let result = client
            .call(asked(request))
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        result.map_err(|exception| ModbusError::Exception(u8::from(exception).into()))
    };
    match tokio::try_join!(carry, call) {
        Ok(((), response)) => Ok(response),
        Err(ModbusError::Illegal { breach, frame }) if frame.is_empty() => {
            Err(ModbusError::Illegal {
                breach,
                frame: answer,
            })
        }
        Err(error) => Err(error),
    }
}

fn asked(request: &Request) -> Asked<'_> {
    match request {
        &Request::ReadCoils { address, quantity } => Asked::ReadCoils(address, quantity),
        &Request::ReadDiscreteInputs { address, quantity } => {
            Asked::ReadDiscreteInputs(address, quantity)
        }
        &Request::ReadHoldingRegisters { address, quantity } => {
            Asked::ReadHoldingRegisters(address, quantity)
        }
        &Request::ReadInputRegisters { address, quantity } => {
            Asked::ReadInputRegisters(address, quantity)
        }
        &Request::WriteSingleCoil { address, on } => Asked::WriteSingleCoil(address, on),
        &Request::WriteSingleRegister { address, value } => {
            Asked::WriteSingleRegister(address, value)
        }
        Request::WriteMultipleCoils { address, values } => {
            Asked::WriteMultipleCoils(*address, Cow::Borrowed(values))
        }
        Request::WriteMultipleRegisters { address, values } => {
            Asked::WriteMultipleRegisters(*address, Cow::Borrowed(values))
        }
        &Request::MaskWriteRegister { address, and, or } => {
            Asked::MaskWriteRegister(address, and, or)
        }
        Request::ReadWriteMultipleRegisters {
            read_address,
            read_quantity,
            write_address,
            values,
        } => Asked::ReadWriteMultipleRegisters(
            *read_address,
            *read_quantity,
            *write_address,
            Cow::Borrowed(values),
        ),
        // tokio-modbus does not export the type of its own request for this one.
        Request::ReadDeviceIdentification { access, object } => Asked::Custom(
            request.function().into(),
            vec![MEI_IDENTIFICATION, u8::from(*access), *object].into(),
        ),
    }
}
