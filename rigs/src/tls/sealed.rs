//! A TLS session in which any record can be sealed with the session's own keys: for tests that break the protocol behind a
//! handshake. rustls does the handshake and the key schedule, ring the sealing (RFC 8446 section 5.2, RFC 5288 section 3, RFC 7905).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, ConnectionTrafficSecrets, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::session::{self, TlsSettings, tls_error};
use crate::line::{Line, LineError};

/// A record's type, version and length.
const HEAD: usize = 5;
const APPLICATION_DATA: u8 = 23;
const HANDSHAKE: u8 = 22;
const KEY_UPDATE: u8 = 24;
const TAG: usize = 16;
/// The most bytes of records that are waited for at once.
const MOST: usize = 64 << 10;

/// A session.
pub struct Sealed {
    line: Line,
    keys: KernelConnection<ClientConnectionData>,
    ours: Key,
    theirs: Key,
    is_1_3: bool,
    /// What does not make a record yet.
    came: Vec<u8>,
    updated: bool,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A record that the session's keys open: its type and its content.
    Record(u8, Vec<u8>),
    /// One that they do not open, as it came.
    Unreadable(Vec<u8>),
    /// The server ended the connection.
    Ended,
    /// Nothing in time.
    Silence,
}

impl Sealed {
    /// Opens a session over a line. `address` is for messages, `limit` bounds the handshake, `old` offers TLS 1.2 alone.
    ///
    /// # Errors
    /// As [`open_tls`](super::open_tls).
    pub async fn open(
        mut line: Line,
        address: &str,
        settings: &TlsSettings,
        old: bool,
        limit: Duration,
    ) -> Result<Self, LineError> {
        let mut config = session::configuration(settings, &session::Proof::default(), old)?;
        config.enable_secret_extraction = true;
        let name = session::server_name(settings)?;
        let shaken = timeout(limit, shake_hands(&mut line, config, name)).await;
        let (connection, came) = match shaken {
            Ok(done) => done.map_err(|error| tls_error(address, error))?,
            Err(_) => {
                return Err(LineError::TimedOut {
                    address: address.to_owned(),
                    limit,
                });
            }
        };
        let handed = connection.dangerous_into_kernel_connection();
        let (secrets, keys) = handed.map_err(|error| session::ours("its keys", &error))?;
        let is_1_3 = keys.protocol_version() == ProtocolVersion::TLSv1_3;
        let key = |from| Key::new(from, is_1_3).map_err(|error| session::ours("a key", &error));
        Ok(Self {
            line,
            ours: key(secrets.tx)?,
            theirs: key(secrets.rx)?,
            keys,
            is_1_3,
            came,
            updated: false,
        })
    }

    /// Whether it is one of TLS 1.3, and not of TLS 1.2.
    pub fn is_1_3(&self) -> bool {
        self.is_1_3
    }

    /// Whether the server has changed its keys.
    pub fn has_updated(&self) -> bool {
        self.updated
    }

    /// Seals a record: its type, its content, and so many bytes of padding, which TLS 1.2 has none of. One that is too long to
    /// be a record stays as long as a record can be.
    pub fn seal(&mut self, kind: u8, content: &[u8], padding: usize) -> Vec<u8> {
        let content = &content[..content.len().min(0xFF00)];
        let mut inner = content.to_vec();
        let outer = if self.is_1_3 {
            inner.push(kind);
            inner.resize((inner.len() + padding).min(0xFF80), 0);
            APPLICATION_DATA
        } else {
            kind
        };
        self.ours.seal(outer, inner)
    }

    /// Seals with the next keys from now on, as is done behind a KeyUpdate.
    ///
    /// # Errors
    /// TLS 1.2 has none.
    pub fn next_keys(&mut self) -> Result<(), rustls::Error> {
        self.ours = Key::new(self.keys.update_tx_secret()?, true)?;
        Ok(())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line.write_all(bytes).await?;
        self.line.flush().await
    }

    /// The next record.
    pub async fn receive(&mut self, until: Instant) -> Received {
        loop {
            let length = self.came.get(3..HEAD);
            let length = length.map(|of| HEAD + usize::from(u16::from_be_bytes([of[0], of[1]])));
            if let Some(length) = length.filter(|length| *length <= self.came.len()) {
                let rest = self.came.split_off(length);
                let record = std::mem::replace(&mut self.came, rest);
                return self.opened(record);
            }
            let mut part = [0; 4096];
            match timeout_at(until, self.line.read(&mut part)).await {
                Err(_) => return Received::Silence,
                Ok(Ok(0) | Err(_)) => return Received::Ended,
                Ok(Ok(_)) if self.came.len() > MOST + HEAD => return Received::Ended,
                Ok(Ok(count)) => self.came.extend_from_slice(&part[..count]),
            }
        }
    }

    fn opened(&mut self, record: Vec<u8>) -> Received {
        let Some(mut inner) = self.theirs.open(&record) else {
            return Received::Unreadable(record);
        };
        let mut kind = record[0];
        if self.is_1_3 {
            while inner.pop_if(|byte| *byte == 0).is_some() {}
            kind = inner.pop().unwrap_or_default();
        }
        if self.is_1_3 && kind == HANDSHAKE && inner.first() == Some(&KEY_UPDATE) {
            self.updated = true;
            if let Ok(next) = self.keys.update_rx_secret()
                && let Ok(next) = Key::new(next, true)
            {
                self.theirs = next;
            }
        }
        Received::Record(kind, inner)
    }
}

/// Does a handshake; what came behind it is handed back.
async fn shake_hands(
    line: &mut Line,
    config: ClientConfig,
    name: ServerName<'static>,
) -> io::Result<(UnbufferedClientConnection, Vec<u8>)> {
    /// What a state of the handshake asks for.
    enum Next {
        Again,
        Send,
        Read,
        Done,
    }
    let mut connection =
        UnbufferedClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let (mut came, mut out) = (Vec::new(), Vec::new());
    loop {
        let UnbufferedStatus { discard, state, .. } = connection.process_tls_records(&mut came);
        let next = match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                let mut part = vec![0; MOST];
                let length = data.encode(&mut part).map_err(io::Error::other)?;
                out.extend_from_slice(&part[..length]);
                Next::Again
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Next::Send
            }
            Ok(ConnectionState::BlockedHandshake) => Next::Read,
            Ok(ConnectionState::WriteTraffic(_)) => Next::Done,
            Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => return Err(io::Error::other(error)),
        };
        came.drain(..discard);
        match next {
            Next::Again => {}
            Next::Send => {
                line.write_all(&out).await?;
                line.flush().await?;
                out.clear();
            }
            Next::Read => {
                let mut part = [0; 4096];
                let count = line.read(&mut part).await?;
                if count == 0 || came.len() > MOST {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                came.extend_from_slice(&part[..count]);
            }
            Next::Done => return Ok((connection, came)),
        }
    }
}

/// What seals one way of a session.
struct Key {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    /// TLS 1.2 with AES: each record says its nonce.
    explicit: bool,
    is_1_3: bool,
}

impl Key {
    fn new(
        (sequence, secret): (u64, ConnectionTrafficSecrets),
        is_1_3: bool,
    ) -> Result<Self, rustls::Error> {
        let unknown =
            || rustls::Error::General("a cipher that this bench does not know".to_owned());
        let (algorithm, key, iv) = match &secret {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(unknown()),
        };
        let explicit = !is_1_3 && *algorithm != CHACHA20_POLY1305;
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).map_err(|_| unknown())?),
            iv: iv.as_ref().try_into().map_err(|_| unknown())?,
            sequence,
            explicit,
            is_1_3,
        })
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, counted) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= counted;
        }
        nonce
    }

    /// What is sealed beside the content, for a content of so many bytes and a record of so many.
    fn beside(&self, kind: u8, content: usize, record: usize) -> Vec<u8> {
        let (mut beside, length) = match self.is_1_3 {
            true => (Vec::new(), record),
            false => (self.sequence.to_be_bytes().to_vec(), content),
        };
        beside.extend([kind, 3, 3]);
        beside.extend((length as u16).to_be_bytes());
        beside
    }

    fn seal(&mut self, kind: u8, mut content: Vec<u8>) -> Vec<u8> {
        let nonce = self.nonce();
        let explicit: &[u8] = if self.explicit { &nonce[4..] } else { &[] };
        let length = explicit.len() + content.len() + TAG;
        let beside = self.beside(kind, content.len(), length);
        let sealed = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(beside),
            &mut content,
        );
        // ring seals all that fits a record.
        debug_assert!(sealed.is_ok());
        self.sequence += 1;
        let mut record = vec![kind, 3, 3];
        record.extend((length as u16).to_be_bytes());
        record.extend_from_slice(explicit);
        record.extend(content);
        record
    }

    fn open(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        let (head, body) = record.split_at_checked(HEAD)?;
        let mut nonce = self.nonce();
        let mut body = body;
        if self.explicit {
            let explicit;
            (explicit, body) = body.split_at_checked(8)?;
            nonce[4..].copy_from_slice(explicit);
        }
        let content = body.len().checked_sub(TAG)?;
        let beside = self.beside(head[0], content, record.len() - HEAD);
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key
            .open_in_place(nonce, Aad::from(beside), &mut body)
            .ok()?;
        self.sequence += 1;
        body.truncate(content);
        Some(body)
    }
}
