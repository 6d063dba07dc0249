//! A ClientHello of our own, and what a server says to it: no TLS library offers what a server must refuse.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::suites;
use crate::line::{LineError, Stream};

/// A version of the protocol, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16);

impl Version {
    /// SSL 3.0, RFC 6101.
    pub const SSL_3_0: Self = Self(0x0300);
    /// TLS 1.0, RFC 2246.
    pub const TLS_1_0: Self = Self(0x0301);
    /// TLS 1.1, RFC 4346.
    pub const TLS_1_1: Self = Self(0x0302);
    /// TLS 1.2, RFC 5246.
    pub const TLS_1_2: Self = Self(0x0303);
    /// TLS 1.3, RFC 8446.
    pub const TLS_1_3: Self = Self(0x0304);
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::SSL_3_0 => f.write_str("SSL 3.0"),
            Self::TLS_1_0 => f.write_str("TLS 1.0"),
            Self::TLS_1_1 => f.write_str("TLS 1.1"),
            Self::TLS_1_2 => f.write_str("TLS 1.2"),
            Self::TLS_1_3 => f.write_str("TLS 1.3"),
            Self(other) => write!(f, "version 0x{other:04X}"),
        }
    }
}

/// What a probe offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The highest version.
    pub version: Version,
    /// The cipher suites.
    pub suites: Vec<u16>,
    /// Whether compression is offered (RFC 3749), which no server may take (CRIME).
    pub compression: bool,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It takes the offer.
    Hello(ServerHello),
    /// It refuses.
    Alert {
        /// 1 is a warning, 2 is fatal.
        level: u8,
        /// The number in IANA's registry of alerts.
        description: u8,
    },
    /// It closes the connection.
    Closed,
    /// It says nothing in time.
    Silent,
    /// It says something that is no TLS record.
    NotTls,
}

/// The parts of a ServerHello that tests judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version that the server chose.
    pub version: Version,
    /// The suite that it chose.
    pub suite: u16,
    /// Its random number.
    pub random: [u8; 32],
    /// The session's id.
    pub session_id: Vec<u8>,
    /// The compression that it chose; 0 is none.
    pub compression: u8,
}

impl Answer {
    /// Whether the server takes the offer.
    pub fn hello(&self) -> Option<&ServerHello> {
        match self {
            Self::Hello(hello) => Some(hello),
            _ => None,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hello(hello) => {
                write!(f, "taken: {}, {}", hello.version, suites::name(hello.suite))
            }
            Self::Alert { description, .. } => write!(f, "refused with alert {description}"),
            Self::Closed => f.write_str("the connection was closed"),
            Self::Silent => f.write_str("no answer"),
            Self::NotTls => f.write_str("an answer that is not TLS"),
        }
    }
}

/// Record types of RFC 8446 section 5.1.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Handshake types of RFC 8446 section 4.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Extensions of IANA's registry.
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SUPPORTED_VERSIONS: u16 = 43;

/// The groups x25519, P-256, P-384; the signatures ECDSA and RSA, PKCS#1 and PSS, with SHA-256, SHA-384 and SHA-1.
const GROUPS: [u16; 3] = [0x001D, 0x0017, 0x0018];
const SIGNATURES: [u16; 8] = [
    0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501, 0x0201, 0x0203,
];

/// Sends a ClientHello over an open connection, and reads what the server says.
///
/// # Errors
/// The hello could not be sent: the server's words are no error.
pub async fn probe(
    stream: &mut (impl Stream + ?Sized),
    address: &str,
    offer: &Offer,
    random: [u8; 32],
    limit: Duration,
) -> Result<Answer, LineError> {
    let hello = client_hello(offer, random);
    if let Err(error) = stream.write_all(&hello).await {
        return if crate::line::is_link_down(&error) {
            Ok(Answer::Closed)
        } else {
            Err(LineError::io(address, error))
        };
    }
    let mut seen = Vec::new();
    let read = timeout(limit, async {
        loop {
            if let Some(answer) = parse(&seen) {
                return answer;
            }
            let mut chunk = [0; 2048];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return Answer::Closed,
                Ok(length) => seen.extend_from_slice(&chunk[..length]),
            }
            // A ServerHello is far shorter.
            if seen.len() > 1 << 15 {
                return Answer::NotTls;
            }
        }
    });
    Ok(read.await.unwrap_or(Answer::Silent))
}

/// The bytes of a ClientHello in one record.
fn client_hello(offer: &Offer, random: [u8; 32]) -> Vec<u8> {
    let legacy = offer.version.min(Version::TLS_1_2).0;
    let mut body = Vec::new();
    body.extend(legacy.to_be_bytes());
    body.extend(random);
    body.push(0);
    body.extend(((offer.suites.len() * 2) as u16).to_be_bytes());
    for suite in &offer.suites {
        body.extend(suite.to_be_bytes());
    }
    body.extend(if offer.compression {
        &[2, 1, 0][..]
    } else {
        &[1, 0][..]
    });
    // SSL 3.0 has no extensions.
    if offer.version > Version::SSL_3_0 {
        let mut extensions = Vec::new();
        put_extension(&mut extensions, SUPPORTED_GROUPS, &listed(&GROUPS));
        put_extension(&mut extensions, EC_POINT_FORMATS, &[1, 0]);
        if offer.version >= Version::TLS_1_2 {
            put_extension(&mut extensions, SIGNATURE_ALGORITHMS, &listed(&SIGNATURES));
        }
        if offer.version >= Version::TLS_1_3 {
            put_extension(&mut extensions, SUPPORTED_VERSIONS, &[2, 3, 4]);
        }
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
    }
    let mut record = vec![HANDSHAKE];
    record.extend(offer.version.min(Version::TLS_1_0).0.to_be_bytes());
    record.extend(((body.len() + 4) as u16).to_be_bytes());
    record.push(CLIENT_HELLO);
    record.extend(&(body.len() as u32).to_be_bytes()[1..]);
    record.extend(body);
    record
}

fn listed(numbers: &[u16]) -> Vec<u8> {
    let mut bytes = ((numbers.len() * 2) as u16).to_be_bytes().to_vec();
    for number in numbers {
        bytes.extend(number.to_be_bytes());
    }
    bytes
}

fn put_extension(extensions: &mut Vec<u8>, kind: u16, content: &[u8]) {
    extensions.extend(kind.to_be_bytes());
    extensions.extend((content.len() as u16).to_be_bytes());
    extensions.extend(content);
}

/// The answer, once its first record is whole; a ServerHello may be followed by more, which is not looked at.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let header = bytes.get(..5)?;
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if header[1] != 3 || length > 1 << 14 {
        return Some(Answer::NotTls);
    }
    let record = bytes.get(5..5 + length)?;
    match header[0] {
        ALERT => match record {
            [level, description] => Some(Answer::Alert {
                level: *level,
                description: *description,
            }),
            _ => Some(Answer::NotTls),
        },
        HANDSHAKE => Some(server_hello(record).map_or(Answer::NotTls, Answer::Hello)),
        _ => Some(Answer::NotTls),
    }
}

fn server_hello(record: &[u8]) -> Option<ServerHello> {
    let (&kind, rest) = record.split_first()?;
    if kind != SERVER_HELLO {
        return None;
    }
    let mut body = rest.get(3..)?;
    let mut take = |length: usize| -> Option<&[u8]> {
        let (head, tail) = body.split_at_checked(length)?;
        body = tail;
        Some(head)
    };
    let version = take(2)?;
    let mut version = Version(u16::from_be_bytes([version[0], version[1]]));
    let random = <[u8; 32]>::try_from(take(32)?).ok()?;
    let length = usize::from(take(1)?[0]);
    let session_id = take(length)?.to_vec();
    let suite = take(2)?;
    let suite = u16::from_be_bytes([suite[0], suite[1]]);
    let compression = take(1)?[0];
    if let Some(length) = take(2) {
        let mut left = usize::from(u16::from_be_bytes([length[0], length[1]]));
        while left >= 4 {
            let head = take(4)?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let content = take(length)?;
            if kind == SUPPORTED_VERSIONS && content.len() == 2 {
                version = Version(u16::from_be_bytes([content[0], content[1]]));
            }
            left = left.saturating_sub(4 + length);
        }
    }
    Some(ServerHello {
        version,
        suite,
        random,
        session_id,
        compression,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn the_server_hello_of_rfc_8448_is_read() {
        // RFC 8448 section 3, the ServerHello record.
        let record = hex(
            "16 03 03 00 5a 02 00 00 56 03 03 a6 af 06 a4 12 18 60 dc 5e 6e 60 24 9c d3 4c 95 93 0c 8a c5 cb 14 34 da c1 55
             77 2e d3 e2 69 28 00 13 01 00 00 2e 00 33 00 24 00 1d 00 20 c9 82 88 76 11 20 95 fe 66 76 2b db f7 c6 72 e1 56
             d6 cc 25 3b 83 3d f1 dd 69 b1 b0 4e 75 1f 0f 00 2b 00 02 03 04",
        );
        let Some(Answer::Hello(hello)) = parse(&record) else {
            panic!("no hello");
        };
        assert_eq!(hello.version, Version::TLS_1_3);
        assert_eq!(hello.suite, 0x1301);
        assert_eq!(hello.random[..4], [0xa6, 0xaf, 0x06, 0xa4]);
        assert_eq!(hello.compression, 0);
        for cut in 0..record.len() {
            assert_eq!(parse(&record[..cut]), None, "{cut} bytes are not whole");
        }
    }

    #[test]
    fn an_alert_is_a_refusal() {
        let alert = parse(&[21, 3, 1, 0, 2, 2, 70]);
        assert_eq!(
            alert,
            Some(Answer::Alert {
                level: 2,
                description: 70
            })
        );
        assert_eq!(parse(b"HTTP/1.1 400"), Some(Answer::NotTls));
    }

    #[test]
    fn a_hello_has_the_lengths_that_it_says() {
        for version in [
            Version::SSL_3_0,
            Version::TLS_1_0,
            Version::TLS_1_2,
            Version::TLS_1_3,
        ] {
            let offer = Offer {
                version,
                suites: suites::all(),
                compression: true,
            };
            let hello = client_hello(&offer, [7; 32]);
            assert_eq!(
                usize::from(u16::from_be_bytes([hello[3], hello[4]])),
                hello.len() - 5
            );
            assert_eq!(
                usize::from(u16::from_be_bytes([hello[7], hello[8]])),
                hello.len() - 9
            );
        }
    }
}
