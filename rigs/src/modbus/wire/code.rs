//! Function codes (AP §5.1) and exception codes (AP §7).

use std::fmt;

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal => $title:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A code without a name here.
            Other(u8),
        }

        impl From<u8> for $name {
            fn from(value: u8) -> Self {
                match value {
                    $($value => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<$name> for u8 {
            fn from(code: $name) -> u8 {
                match code {
                    $($name::$variant => $value,)*
                    $name::Other(other) => other,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str(concat!($value, " (", $title, ")")),)*
                    Self::Other(other) => write!(f, "{other}"),
                }
            }
        }
    };
}

codes! {
    /// The first byte of a PDU.
    FunctionCode {
        /// Read coils, AP §6.1.
        ReadCoils = 1 => "read coils",
        /// Read discrete inputs, AP §6.2.
        ReadDiscreteInputs = 2 => "read discrete inputs",
        /// Read holding registers, AP §6.3.
        ReadHoldingRegisters = 3 => "read holding registers",
        /// Read input registers, AP §6.4.
        ReadInputRegisters = 4 => "read input registers",
        /// Write single coil, AP §6.5.
        WriteSingleCoil = 5 => "write single coil",
        /// Write single register, AP §6.6.
        WriteSingleRegister = 6 => "write single register",
        /// Read exception status, AP §6.7; serial line only.
        ReadExceptionStatus = 7 => "read exception status",
        /// Diagnostics, AP §6.8; serial line only.
        Diagnostics = 8 => "diagnostics",
        /// Get comm event counter, AP §6.9; serial line only.
        GetCommEventCounter = 11 => "get comm event counter",
        /// Get comm event log, AP §6.10; serial line only.
        GetCommEventLog = 12 => "get comm event log",
        /// Write multiple coils, AP §6.11.
        WriteMultipleCoils = 15 => "write multiple coils",
        /// Write multiple registers, AP §6.12.
        WriteMultipleRegisters = 16 => "write multiple registers",
        /// Report server id, AP §6.13; serial line only.
        ReportServerId = 17 => "report server id",
        /// Read file record, AP §6.14.
        ReadFileRecord = 20 => "read file record",
        /// Write file record, AP §6.15.
        WriteFileRecord = 21 => "write file record",
        /// Mask write register, AP §6.16.
        MaskWriteRegister = 22 => "mask write register",
        /// Read/write multiple registers, AP §6.17.
        ReadWriteMultipleRegisters = 23 => "read/write multiple registers",
        /// Read FIFO queue, AP §6.18.
        ReadFifoQueue = 24 => "read FIFO queue",
        /// Encapsulated interface transport, AP §6.19; device identification is its MEI type 14.
        EncapsulatedInterface = 43 => "encapsulated interface transport",
    }
}

codes! {
    /// The second byte of an exception response.
    ExceptionCode {
        /// The function code is not allowed; on Modbus/TCP Security also the refusal of a role.
        IllegalFunction = 1 => "illegal function",
        /// The address, or address and quantity together, is not allowed.
        IllegalDataAddress = 2 => "illegal data address",
        /// A value or the structure of the request is not allowed.
        IllegalDataValue = 3 => "illegal data value",
        /// The server could not do what was asked.
        ServerDeviceFailure = 4 => "server device failure",
        /// The request was taken and will take long.
        Acknowledge = 5 => "acknowledge",
        /// The server is busy with a long command.
        ServerDeviceBusy = 6 => "server device busy",
        /// Of earlier editions.
        NegativeAcknowledge = 7 => "negative acknowledge",
        /// A consistency check of memory failed.
        MemoryParityError = 8 => "memory parity error",
        /// The gateway could not reach the path.
        GatewayPathUnavailable = 10 => "gateway path unavailable",
        /// No answer from the device behind the gateway.
        GatewayTargetFailed = 11 => "gateway target device failed to respond",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_round_trip() {
        for value in 0..=u8::MAX {
            assert_eq!(u8::from(FunctionCode::from(value)), value);
            assert_eq!(u8::from(ExceptionCode::from(value)), value);
        }
        assert_eq!(
            ExceptionCode::from(2).to_string(),
            "2 (illegal data address)"
        );
        assert_eq!(FunctionCode::from(0x64).to_string(), "100");
    }
}
