//! Records and handshake messages of TLS 1.2 and 1.3 as bytes: RFC 8446 sections 4 and 5, RFC 5246 sections 6 and 7.

/// The most bytes of a record that is not encrypted (RFC 8446 section 5.1).
pub const PLAIN: usize = 1 << 14;
/// The most of one that is, in TLS 1.3 (section 5.2).
pub const ENCRYPTED: usize = PLAIN + 256;
/// The most of one that is, in TLS 1.2 (RFC 5246 section 6.2.3).
pub const ENCRYPTED_1_2: usize = PLAIN + 2048;
/// The versions on the wire.
pub const TLS_1_2: u16 = 0x0303;
pub const TLS_1_3: u16 = 0x0304;

/// Types of records (RFC 8446 section 5.1, RFC 6520).
pub mod content {
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    pub const ALERT: u8 = 21;
    pub const HANDSHAKE: u8 = 22;
    pub const APPLICATION_DATA: u8 = 23;
    pub const HEARTBEAT: u8 = 24;
}

/// Types of handshake messages (RFC 8446 section 4, RFC 5246 section 7.4, RFC 6066).
pub mod message {
    pub const HELLO_REQUEST: u8 = 0;
    pub const CLIENT_HELLO: u8 = 1;
    pub const SERVER_HELLO: u8 = 2;
    pub const CERTIFICATE: u8 = 11;
    pub const SERVER_KEY_EXCHANGE: u8 = 12;
    pub const CERTIFICATE_REQUEST: u8 = 13;
    pub const SERVER_HELLO_DONE: u8 = 14;
    pub const CERTIFICATE_STATUS: u8 = 22;
}

/// Extensions (IANA's registry).
pub mod extension {
    pub const SERVER_NAME: u16 = 0;
    pub const SUPPORTED_GROUPS: u16 = 10;
    pub const POINT_FORMATS: u16 = 11;
    pub const SIGNATURES: u16 = 13;
    pub const ALPN: u16 = 16;
    pub const PADDING: u16 = 21;
    pub const MASTER_SECRET: u16 = 23;
    pub const PRE_SHARED_KEY: u16 = 41;
    pub const EARLY_DATA: u16 = 42;
    pub const SUPPORTED_VERSIONS: u16 = 43;
    pub const COOKIE: u16 = 44;
    pub const KEY_MODES: u16 = 45;
    pub const KEY_SHARE: u16 = 51;
    pub const RENEGOTIATION: u16 = 0xFF01;
}

/// Key exchange groups.
pub mod group {
    pub const P_256: u16 = 0x0017;
    pub const X25519: u16 = 0x001D;
}

/// The base point of P-256, uncompressed: a share whose key is 1.
pub const P_256_POINT: [u8; 65] = [
    0x04, 0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40,
    0xF2, 0x77, 0x03, 0x7D, 0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2,
    0x96, 0x4F, 0xE3, 0x42, 0xE2, 0xFE, 0x1A, 0x7F, 0x9B, 0x8E, 0xE7, 0xEB, 0x4A, 0x7C, 0x0F, 0x9E,
    0x16, 0x2B, 0xCE, 0x33, 0x57, 0x6B, 0x31, 0x5E, 0xCE, 0xCB, 0xB6, 0x40, 0x68, 0x37, 0xBF, 0x51,
    0xF5,
];

/// A record whose length is what follows, as far as a length can say it.
pub fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    lying_record(kind, version, body.len().min(0xFFFF) as u16, body)
}

/// A record of any length.
pub fn lying_record(kind: u8, version: u16, length: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(version.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// A handshake message.
pub fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(&(body.len() as u32).to_be_bytes()[1..]);
    bytes.extend(body);
    bytes
}

/// Bytes with their length in front, in one byte or two, as far as it can say it.
pub fn sized_8(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[..bytes.len().min(0xFF)];
    [&[bytes.len() as u8], bytes].concat()
}

/// The same with two bytes.
pub fn sized_16(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[..bytes.len().min(0xFFFF)];
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// Numbers, each in two bytes.
pub fn words(numbers: &[u16]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// Takes fields off the front of bytes; none where there are too few.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn word(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A field with its length in one byte.
    pub fn sized_8(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.take(length.into())
    }

    /// A field with its length in two bytes.
    pub fn sized_16(&mut self) -> Option<&'a [u8]> {
        let length = self.word()?;
        self.take(length.into())
    }

    /// A record: its type, its version and its body.
    pub fn record(&mut self) -> Option<(u8, u16, &'a [u8])> {
        let before = *self;
        let whole = (|| Some((self.byte()?, self.word()?, self.sized_16()?)))();
        if whole.is_none() {
            *self = before;
        }
        whole
    }

    /// A handshake message: its type and its body.
    pub fn handshake(&mut self) -> Option<(u8, &'a [u8])> {
        let before = *self;
        let whole = (|| {
            let kind = self.byte()?;
            let length = self.take(3)?;
            let length = u32::from_be_bytes([0, length[0], length[1], length[2]]);
            Some((kind, self.take(length as usize)?))
        })();
        if whole.is_none() {
            *self = before;
        }
        whole
    }

    /// Numbers of two bytes; none where a byte is left over.
    pub fn words(self) -> Option<Vec<u16>> {
        let (pairs, rest) = self.0.as_chunks::<2>();
        rest.is_empty()
            .then(|| pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
    }
}
