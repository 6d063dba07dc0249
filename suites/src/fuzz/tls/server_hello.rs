//! The ServerHello, by the ClientHello that it answers.

use super::reading::{Hello, is_no_share};
use super::wire::{Fields, TLS_1_3, extension as ext};

/// The random number of a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];
/// A suite that stands for the extension `renegotiation_info` (RFC 5746 section 3.3).
const RENEGOTIATION_SUITE: u16 = 0x00FF;
/// A ServerHello (RFC 8446 section 4.1.3).
#[derive(Debug)]
pub struct ServerHello<'a> {
    pub version: u16,
    random: &'a [u8],
    session_id: &'a [u8],
    suite: u16,
    compression: u8,
    extensions: Vec<(u16, &'a [u8])>,
}

impl<'a> ServerHello<'a> {
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let mut hello = Self {
            version: fields.word()?,
            random: fields.take(32)?,
            session_id: fields.sized_8()?,
            suite: fields.word()?,
            compression: fields.byte()?,
            extensions: Vec::new(),
        };
        if !fields.0.is_empty() {
            let mut block = Fields(fields.sized_16()?);
            while !block.0.is_empty() {
                hello.extensions.push((block.word()?, block.sized_16()?));
            }
        }
        if let Some(chosen) = hello.extension(ext::SUPPORTED_VERSIONS) {
            hello.version = Fields(chosen).word()?;
        }
        (fields.0.is_empty() && hello.session_id.len() <= 32).then_some(hello)
    }

    pub fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        let mut all = self.extensions.iter();
        all.find(|(of, _)| *of == kind).map(|(_, content)| *content)
    }

    pub fn is_retry(&self) -> bool {
        self.random == RETRY
    }

    pub fn kind(&self) -> String {
        let name = if self.is_retry() {
            "HelloRetryRequest"
        } else {
            "ServerHello"
        };
        format!("{name} {:#06x} suite {:#06x}", self.version, self.suite)
    }

    /// Whether it chooses what was offered, and nothing else.
    pub fn judge(&self, offer: &Hello) -> Result<(), &'static str> {
        let asked = |kind: u16| match kind {
            ext::RENEGOTIATION => {
                offer.extension(kind).is_some() || offer.suites.contains(&RENEGOTIATION_SUITE)
            }
            ext::COOKIE => self.is_retry(),
            _ => offer.extension(kind).is_some(),
        };
        let in_1_3 = self.version == TLS_1_3;
        if !offer.offers(self.version) {
            Err("a ServerHello with a version that was not offered")
        } else if !offer.suites.contains(&self.suite) {
            Err("a ServerHello with a suite that was not offered")
        } else if !offer.compression.contains(&self.compression) {
            Err("a ServerHello with a compression that was not offered")
        } else if in_1_3 && self.session_id != offer.session_id {
            Err("a ServerHello of TLS 1.3 with another session id than it was sent")
        } else if !self.extensions.iter().all(|(kind, _)| asked(*kind)) {
            Err("a ServerHello with an extension that was not asked for")
        } else if let Some(group) = self.group()
            && in_1_3
            && !if self.is_retry() {
                offer.groups().contains(&group)
            } else {
                !offer.shares_of(group).is_empty()
            }
        {
            Err("a ServerHello with a group that was not offered")
        } else {
            Ok(())
        }
    }

    pub fn group(&self) -> Option<u16> {
        Fields(self.extension(ext::KEY_SHARE)?).word()
    }

    /// What it takes that has to be refused.
    pub fn takes(&self, offer: &Hello) -> Option<&'static str> {
        if self.version != TLS_1_3 {
            return None;
        }
        let share = self.group().filter(|_| !self.is_retry());
        let no_share = share.is_some_and(|group| {
            let shares = offer.shares_of(group);
            !shares.is_empty() && shares.iter().all(|share| is_no_share(group, share))
        });
        match offer.forbidden_in_1_3() {
            None if no_share => Some("a key share that is none"),
            breach => breach,
        }
    }
}
