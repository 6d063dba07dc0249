//! What a server has to make of what it was sent before a handshake is done.

use super::wire::{
    ENCRYPTED_1_2, Fields, P_256_POINT, PLAIN, TLS_1_3, content, extension as ext, group, message,
};

/// What was sent, as RFC 8446 and RFC 5246 have it read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The first message, where it is a ClientHello that can be read.
    pub hello: Option<Hello>,
    /// What in place of it has to end the connection.
    pub breach: Option<&'static str>,
    /// A fatal alert came first.
    pub left: bool,
    /// Something came before that servers may take or refuse.
    pub unclear: bool,
    /// A record came that is longer than TLS 1.3 has them (RFC 8446 section 5.1).
    pub long: bool,
    /// Something follows the ClientHello.
    pub more: bool,
    /// Nothing can be said of the rest: this is no TLS record.
    pub opaque: bool,
}

/// A ClientHello (RFC 8446 section 4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    pub legacy: u16,
    pub session_id: Vec<u8>,
    pub suites: Vec<u16>,
    pub compression: Vec<u8>,
    pub extensions: Vec<(u16, Vec<u8>)>,
}

/// Reads bytes up to the first thing that decides what the server has to do.
pub fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut records = Fields(bytes);
    let mut messages = Vec::new();
    // A ClientHello of SSL 2.0 (RFC 5246 appendix E.2): servers may take it.
    if matches!(bytes, [0x80..=0xFF, _, 1, ..]) {
        reading.opaque = true;
        return reading;
    }
    while let Some((kind, version, body)) = records.record() {
        // RFC 8446 has the version ignored, RFC 5246 has it checked.
        reading.unclear |= version >> 8 != 3;
        match kind {
            // Nothing is in it that could be taken: nobody has to refuse it.
            content::CHANGE_CIPHER_SPEC | content::APPLICATION_DATA if body.is_empty() => {}
            content::HANDSHAKE if body.len() > ENCRYPTED_1_2 => {
                reading.breach = Some("a record of more than 2^14 + 2048 bytes");
            }
            content::HANDSHAKE => {
                // Who speaks TLS 1.2 alone need not look at this length before it decrypts.
                reading.long |= body.len() > PLAIN;
                reading.unclear |= body.is_empty() || reading.long;
                messages.extend_from_slice(body);
                let mut fields = Fields(&messages);
                let Some((kind, body)) = fields.handshake() else {
                    continue;
                };
                match Hello::read(body) {
                    _ if kind != message::CLIENT_HELLO => {
                        reading.breach = Some("a message that is no ClientHello");
                    }
                    Ok(hello) => reading.hello = Some(hello),
                    Err(breach) => reading.breach = Some(breach),
                }
                reading.more = !fields.0.is_empty() || !records.0.is_empty();
            }
            content::ALERT => reading.left = matches!(body, [2, _]),
            content::CHANGE_CIPHER_SPEC if messages.is_empty() => {
                reading.breach = Some("a ChangeCipherSpec before a ClientHello");
            }
            content::APPLICATION_DATA => {
                reading.breach = Some("application data before a handshake");
            }
            content::CHANGE_CIPHER_SPEC | content::HEARTBEAT => {}
            _ => reading.breach = Some("a record of a type that does not exist"),
        }
        if reading.decides() {
            return reading;
        }
        reading.unclear |= kind != content::HANDSHAKE;
    }
    reading
}

impl Reading {
    /// Whether the server can say something by now.
    fn decides(&self) -> bool {
        self.hello.is_some() || self.breach.is_some() || self.left
    }

    /// Whether the server has to answer, or to end the connection.
    pub fn is_owed(&self) -> bool {
        self.breach.is_some() || self.left || self.hello.is_some() && !self.unclear
    }
}

impl Hello {
    /// Reads the body of a message.
    ///
    /// # Errors
    /// What in it has to be refused by any server: a message has to have one of the formats, precisely, and every length has to be
    /// in its range (RFC 5246 sections 7.2.2 and 7.4.1.2, RFC 8446 section 6.2).
    pub fn read(body: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "a ClientHello with a length beyond its end";
        let mut fields = Fields(body);
        let legacy = fields.word().ok_or(SHORT)?;
        fields.take(32).ok_or(SHORT)?;
        let session_id = fields.sized_8().ok_or(SHORT)?;
        if session_id.len() > 32 {
            return Err("a ClientHello with a session id of more than 32 bytes");
        }
        let suites = Fields(fields.sized_16().ok_or(SHORT)?);
        let suites = suites
            .words()
            .ok_or("a ClientHello with half a cipher suite")?;
        if suites.is_empty() {
            return Err("a ClientHello without cipher suites");
        }
        let compression = fields.sized_8().ok_or(SHORT)?;
        if compression.is_empty() {
            return Err("a ClientHello without compression methods");
        }
        let mut extensions = Vec::new();
        if !fields.0.is_empty() {
            let mut block = Fields(fields.sized_16().ok_or(SHORT)?);
            if !fields.0.is_empty() {
                return Err("a ClientHello with bytes behind its extensions");
            }
            while !block.0.is_empty() {
                let kind = block.word();
                let content = block.sized_16();
                let (Some(kind), Some(content)) = (kind, content) else {
                    return Err("a ClientHello with an extension beyond the end of them");
                };
                extensions.push((kind, content.to_vec()));
            }
        }
        Ok(Self {
            legacy,
            session_id: session_id.to_vec(),
            suites,
            compression: compression.to_vec(),
            extensions,
        })
    }

    /// The content of an extension.
    pub fn extension(&self, kind: u16) -> Option<&[u8]> {
        let mut all = self.extensions.iter();
        all.find(|(of, _)| *of == kind)
            .map(|(_, content)| content.as_slice())
    }

    /// A list of numbers with its length in front that fills an extension.
    fn list(&self, kind: u16) -> Option<Vec<u16>> {
        let mut fields = Fields(self.extension(kind)?);
        let list = Fields(fields.sized_16()?).words()?;
        (fields.0.is_empty() && !list.is_empty()).then_some(list)
    }

    /// Whether a version is offered. A server that does not know `supported_versions` goes by the legacy one.
    pub fn offers(&self, version: u16) -> bool {
        let listed = self
            .extension(ext::SUPPORTED_VERSIONS)
            .and_then(|content| Fields(content).sized_8());
        let listed = listed.is_some_and(|list| {
            let (pairs, _) = list.as_chunks::<2>();
            pairs.contains(&version.to_be_bytes())
        });
        listed || version < TLS_1_3 && version <= self.legacy
    }

    /// The groups that are offered.
    pub fn groups(&self) -> Vec<u16> {
        self.list(ext::SUPPORTED_GROUPS).unwrap_or_default()
    }

    /// The shares for a group: a client must send one at most (RFC 8446 section 4.2.8).
    pub fn shares_of(&self, group: u16) -> Vec<&[u8]> {
        let all = self.shares().unwrap_or_default().into_iter();
        all.filter(|(of, _)| *of == group)
            .map(|(_, share)| share)
            .collect()
    }

    /// Whether an extension comes twice: which of the two a server goes by cannot be told.
    pub fn is_ambiguous(&self) -> bool {
        let mut kinds: Vec<u16> = self.extensions.iter().map(|(kind, _)| *kind).collect();
        kinds.sort_unstable();
        kinds.windows(2).any(|pair| pair[0] == pair[1])
    }

    fn shares(&self) -> Option<Vec<(u16, &[u8])>> {
        let mut fields = Fields(self.extension(ext::KEY_SHARE)?);
        let mut list = Fields(fields.sized_16()?);
        let mut shares = Vec::new();
        while !list.0.is_empty() {
            shares.push((list.word()?, list.sized_16()?));
        }
        fields.0.is_empty().then_some(shares)
    }

    /// Why no server may take it in TLS 1.3, though it can be read.
    pub fn forbidden_in_1_3(&self) -> Option<&'static str> {
        let has = |kind| self.extension(kind).is_some();
        let last = self.extensions.last().map(|(kind, _)| *kind);
        if self.compression != [0] {
            // Section 4.1.2.
            Some("a ClientHello of TLS 1.3 with compression")
        } else if has(ext::PRE_SHARED_KEY) && last != Some(ext::PRE_SHARED_KEY) {
            // Section 4.2.11.
            Some("a ClientHello of TLS 1.3 with something behind its pre-shared keys")
        } else if !has(ext::PRE_SHARED_KEY)
            && (!has(ext::SIGNATURES) || !has(ext::SUPPORTED_GROUPS))
            || has(ext::SUPPORTED_GROUPS) != has(ext::KEY_SHARE)
        {
            // Section 9.2.
            Some("a ClientHello of TLS 1.3 that lacks an extension")
        } else if has(ext::SUPPORTED_GROUPS) && self.list(ext::SUPPORTED_GROUPS).is_none()
            || has(ext::KEY_SHARE) && self.shares().is_none()
        {
            // Section 6.2: what cannot be parsed.
            Some("a ClientHello of TLS 1.3 with a list that has no end in its extension")
        } else {
            None
        }
    }
}

/// Whether a share is certainly none (RFC 8446 sections 4.2.8.2 and 7.4.2).
pub fn is_no_share(of: u16, share: &[u8]) -> bool {
    match of {
        group::X25519 => share.len() != 32 || share.iter().all(|byte| *byte == 0),
        group::P_256 => {
            let (base, sign) = P_256_POINT.split_at(64);
            // The base point with one bit of it changed is on the other side of no curve.
            let bent = share.split_at_checked(64) == Some((base, &[sign[0] ^ 1]));
            share.len() != 65 || share[0] != 4 || share[1..].iter().all(|byte| *byte == 0) || bent
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::tls::hello;
    use crate::fuzz::tls::wire::{ENCRYPTED, TLS_1_2, handshake, lying_record, record};

    fn hello(size: usize) -> Vec<u8> {
        hello::padded(7, size)
    }

    fn one(kind: u8, body: &[u8]) -> Reading {
        read(&record(kind, TLS_1_2, body))
    }

    #[test]
    fn a_right_hello_is_owed_an_answer_however_it_is_cut_into_records() {
        let bytes = hello(300);
        let whole = one(content::HANDSHAKE, &bytes);
        assert!(whole.is_owed() && !whole.more && whole.breach.is_none());
        let offer = whole.hello.as_ref().unwrap();
        assert_eq!(offer.forbidden_in_1_3(), None);
        assert!(offer.offers(TLS_1_3) && offer.offers(TLS_1_2) && !offer.offers(0x0305));
        let parts = bytes.chunks(9);
        let cut: Vec<u8> = parts
            .flat_map(|part| record(content::HANDSHAKE, TLS_1_2, part))
            .collect();
        assert_eq!(read(&cut).hello, whole.hello);
        for end in 0..cut.len() {
            assert!(!read(&cut[..end]).is_owed(), "{end} bytes are no hello");
        }
    }

    #[test]
    fn what_no_server_may_take_has_to_end_the_connection() {
        for kind in [0, 2, 11, 20, 24] {
            let body = handshake(kind, b"x");
            assert!(one(content::HANDSHAKE, &body).breach.is_some(), "{kind}");
        }
        for (kind, body) in [
            (content::CHANGE_CIPHER_SPEC, &[1][..]),
            (content::APPLICATION_DATA, b"x"),
            (99, b"x"),
        ] {
            assert!(one(kind, body).breach.is_some(), "{kind}");
            assert_eq!(
                read(&lying_record(kind, TLS_1_2, 9, body)),
                Reading::default()
            );
        }
        assert!(one(content::ALERT, &[2, 40]).left);
        assert!(!one(content::ALERT, &[1, 90]).is_owed());
        assert!(!one(content::CHANGE_CIPHER_SPEC, &[]).is_owed());
        assert!(read(&[0x80, 46, 1, 3, 1]).opaque);
    }

    #[test]
    fn a_length_that_some_versions_may_bear_is_no_breach_of_its_own() {
        let long = one(content::HANDSHAKE, &hello(ENCRYPTED + 1));
        assert!(long.long && !long.is_owed());
        let longer = one(content::HANDSHAKE, &hello(ENCRYPTED_1_2 + 1));
        assert!(longer.breach.is_some());
    }

    #[test]
    fn every_length_of_a_hello_has_to_be_right() {
        let body = hello(300)[4..].to_vec();
        let right = Hello::read(&body).unwrap();
        assert_eq!(right.session_id.len(), 32);
        for end in 0..body.len() {
            // Without its extensions it is one of an older version.
            let old = 2 + 32 + 33 + 2 + 2 * right.suites.len() + 2;
            assert_eq!(Hello::read(&body[..end]).is_ok(), end == old, "{end}");
        }
        assert!(Hello::read(&[&body[..], b"x"].concat()).is_err());
        let mut long = body.clone();
        long[34] = 33;
        assert!(Hello::read(&long).is_err(), "a session id of 33 bytes");
        let mut half = body;
        half[2 + 32 + 33 + 1] -= 1;
        assert!(Hello::read(&half).is_err(), "half a suite");
    }

    #[test]
    fn a_share_is_called_none_only_where_it_certainly_is() {
        let mut bent = P_256_POINT;
        bent[64] ^= 1;
        assert!(is_no_share(group::P_256, &bent) && is_no_share(group::P_256, &[4; 64]));
        assert!(!is_no_share(group::P_256, &P_256_POINT));
        // Whether this is a point of the curve takes arithmetic that is not done here.
        assert!(!is_no_share(group::P_256, &[4; 65]));
        assert!(is_no_share(group::X25519, &[0; 32]) && !is_no_share(group::X25519, &[9; 32]));
        assert!(
            !is_no_share(0x11EC, &[0; 3]),
            "a group that this reader does not know"
        );
    }
}
