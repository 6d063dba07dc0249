//! The fixed header (§2.1): packet type, flags and the remaining length.

use super::EmitError;

/// Where each field of the fixed header stands.
pub mod field {
    /// Packet type in the high nibble, flags in the low one.
    pub const FIRST: usize = 0;
    /// The remaining length starts here and takes one to four bytes.
    pub const REMAINING: usize = 1;
}

/// The greatest remaining length.
pub const MAX_REMAINING: usize = 268_435_455;

/// The type of a packet, the high nibble of its first byte (§2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum PacketType {
    Reserved = 0,
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    /// Reserved in 3.1.1.
    Auth = 15,
}

impl PacketType {
    /// The type that a first byte says.
    pub fn of(first: u8) -> Self {
        match first >> 4 {
            0 => Self::Reserved,
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            _ => Self::Auth,
        }
    }

    /// The first byte with the flags that the standard sets (§2.1.3); those of PUBLISH are its own.
    pub fn first_byte(self) -> u8 {
        let flags = match self {
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            _ => 0,
        };
        (self as u8) << 4 | flags
    }
}

/// What the start of a packet tells of its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// More bytes are needed.
    Unknown,
    /// The whole packet, fixed header included.
    Bytes {
        /// How many bytes the fixed header takes.
        header: usize,
        /// How many bytes the packet takes in all.
        total: usize,
    },
    /// The fourth byte of the remaining length says that a fifth follows (§1.5.5).
    Malformed,
}

/// Reads the length of the packet that starts with these bytes.
pub fn length(start: &[u8]) -> Length {
    match read_variable(start.get(field::REMAINING..).unwrap_or(&[])) {
        Variable::Short => Length::Unknown,
        Variable::Malformed => Length::Malformed,
        Variable::Value { value, size } => {
            let header = field::REMAINING + size;
            Length::Bytes {
                header,
                total: header + value as usize,
            }
        }
    }
}

/// What a variable byte integer says (§1.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// More bytes are needed.
    Short,
    /// A fifth byte would follow.
    Malformed,
    /// A value and how many bytes it took, which need not be the fewest.
    Value {
        /// The value.
        value: u32,
        /// 1..=4.
        size: usize,
    },
}

/// Reads a variable byte integer.
pub fn read_variable(bytes: &[u8]) -> Variable {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Variable::Value {
                value,
                size: at + 1,
            };
        }
    }
    if bytes.len() < 4 {
        Variable::Short
    } else {
        Variable::Malformed
    }
}

/// Writes a variable byte integer in the fewest bytes; above 268 435 455 the high bits are lost.
pub fn variable(value: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4);
    let mut rest = value;
    for _ in 0..4 {
        let more = rest >> 7 != 0 && bytes.len() < 3;
        bytes.push((rest & 0x7F) as u8 | if more { 0x80 } else { 0 });
        rest >>= 7;
        if !more {
            break;
        }
    }
    bytes
}

/// A packet with its right remaining length; first byte and body may be anything.
///
/// # Errors
/// [`EmitError::Packet`] if the body is longer than a remaining length can say.
pub fn packet(first: u8, body: &[u8]) -> Result<Vec<u8>, EmitError> {
    if body.len() > MAX_REMAINING {
        return Err(EmitError::Packet(body.len()));
    }
    Ok(lie(first, &variable(body.len() as u32), body))
}

/// A packet whose remaining length is these bytes, true or not.
///
/// ```
/// use slcert_rigs::mqtt::wire::frame::lie;
///
/// // A CONNECT that claims 256 MiB.
/// assert_eq!(lie(0x10, &[0xFF, 0xFF, 0xFF, 0x7F], &[]), [0x10, 0xFF, 0xFF, 0xFF, 0x7F]);
/// ```
pub fn lie(first: u8, remaining: &[u8], body: &[u8]) -> Vec<u8> {
    [&[first], remaining, body].concat()
}

/// A string or binary field: two bytes of length and the bytes.
///
/// # Errors
/// [`EmitError::Field`] if there are more than 65535.
pub fn sized(bytes: &[u8]) -> Result<Vec<u8>, EmitError> {
    let size = u16::try_from(bytes.len()).map_err(|_| EmitError::Field(bytes.len()))?;
    Ok([&size.to_be_bytes(), bytes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_byte_integers_of_the_standard() {
        // Table 1-1 of MQTT 5.0.
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            assert_eq!(variable(value), bytes);
            assert_eq!(
                read_variable(bytes),
                Variable::Value {
                    value,
                    size: bytes.len()
                }
            );
        }
        assert_eq!(read_variable(&[0x80, 0x80]), Variable::Short);
        assert_eq!(
            read_variable(&[0xFF, 0xFF, 0xFF, 0xFF]),
            Variable::Malformed
        );
        assert_eq!(
            read_variable(&[0x80, 0x00]),
            Variable::Value { value: 0, size: 2 }
        );
    }

    #[test]
    fn a_packet_tells_its_length() {
        assert_eq!(length(&[]), Length::Unknown);
        assert_eq!(length(&[0xD0]), Length::Unknown);
        assert_eq!(
            length(&[0xD0, 0]),
            Length::Bytes {
                header: 2,
                total: 2
            }
        );
        assert_eq!(
            length(&[0x30, 0x80, 0x01]),
            Length::Bytes {
                header: 3,
                total: 131
            }
        );
        assert_eq!(length(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]), Length::Malformed);
    }

    #[test]
    fn fields_have_a_greatest_size() {
        assert_eq!(sized(b"ab").unwrap(), [0, 2, b'a', b'b']);
        assert_eq!(sized(&[0; 65_536]), Err(EmitError::Field(65_536)));
    }
}
