//! What can go wrong between a client and a server, the server's fault told from the line's.

use std::io;

use thiserror::Error;

use super::raw::{End, RawError};
use super::wire::mbap::MbapError;
use super::wire::rtu::RtuError;
use super::wire::{ExceptionCode, Illegal, RequestError};

/// Why a request got no answer that can be used.
#[derive(Debug, Error)]
pub enum ModbusError {
    /// The server refused, legally.
    #[error("exception {0}")]
    Exception(ExceptionCode),
    /// No answer came in time, or the server did not take the request.
    #[error("no answer in time")]
    TimedOut,
    /// The server ended the connection.
    #[error("the server ended the connection ({0:?})")]
    Closed(End),
    /// The server broke the protocol.
    #[error("the server broke the protocol: {breach}")]
    Illegal {
        /// How.
        #[source]
        breach: Breach,
        /// The bytes that came, as evidence.
        frame: Vec<u8>,
    },
    /// What was asked is outside the limits of the protocol; nothing was sent.
    #[error("the request is not legal, nothing was sent")]
    Request(#[from] RequestError),
    /// Anything else that the line says.
    #[error("the line failed")]
    Io(#[source] io::Error),
}

/// How a server broke the protocol.
#[derive(Debug, Error)]
pub enum Breach {
    /// The MBAP header is not legal.
    #[error(transparent)]
    Mbap(#[from] MbapError),
    /// The RTU frame is not legal.
    #[error(transparent)]
    Rtu(#[from] RtuError),
    /// The transaction identifier is of no request.
    #[error("transaction {got} answers transaction {want} (TCP §3.1.3)")]
    Transaction {
        /// That of the answer.
        got: u16,
        /// That of the request.
        want: u16,
    },
    /// Another unit answers.
    #[error("unit {got} answers a request to unit {want}")]
    Unit {
        /// That of the answer.
        got: u8,
        /// That of the request.
        want: u8,
    },
    /// The answer does not fit the request.
    #[error(transparent)]
    Answer(#[from] Illegal),
    /// The second codec does not take what the oracle let pass.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl ModbusError {
    pub(super) fn illegal(breach: impl Into<Breach>, frame: &[u8]) -> Self {
        Self::Illegal {
            breach: breach.into(),
            frame: frame.to_vec(),
        }
    }
}

impl From<RawError> for ModbusError {
    fn from(error: RawError) -> Self {
        match error {
            RawError::Closed(end) => Self::Closed(end),
            RawError::Stalled => Self::TimedOut,
            RawError::Io(error) => Self::Io(error),
        }
    }
}
