//! Modbus frames: bytes that may be anything, and the meaning that is always legal.

pub mod answer;
pub mod code;
pub mod identification;
pub mod mbap;
pub mod pdu;
pub mod request;
pub mod response;
pub mod rtu;

pub use answer::{Illegal, legal_answer};
pub use code::{ExceptionCode, FunctionCode};
pub use identification::{AccessCode, IdentificationPage, Object};
pub use mbap::Mbap;
pub use request::{Request, RequestError};
pub use response::{Response, ResponseError};
pub use rtu::Rtu;
