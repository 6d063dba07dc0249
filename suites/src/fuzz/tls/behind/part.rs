//! One record behind a handshake, before it is sealed, and as the bytes that inputs and reproducers have of it.

/// How a record goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Sealed with the session's keys.
    Sealed,
    /// The same, with a bit of it changed.
    Spoiled,
    /// Sealed, and all that follows with the next keys.
    LastOfItsKeys,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub how: How,
    /// Its type.
    pub kind: u8,
    /// How many bytes of padding TLS 1.3 puts behind it.
    pub padding: u16,
    pub content: Vec<u8>,
}

impl Part {
    /// A sealed record without padding.
    pub fn of(kind: u8, content: Vec<u8>) -> Self {
        Self {
            how: How::Sealed,
            kind,
            padding: 0,
            content,
        }
    }

    /// How, type, padding, content.
    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = vec![self.how as u8, self.kind];
        bytes.extend(self.padding.to_be_bytes());
        bytes.extend(&self.content);
        bytes
    }

    /// What is not there is 0.
    pub fn parse(bytes: &[u8]) -> Self {
        let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
        Self {
            how: match at(0) {
                1 => How::Spoiled,
                2 => How::LastOfItsKeys,
                _ => How::Sealed,
            },
            kind: at(1),
            padding: u16::from_be_bytes([at(2), at(3)]),
            content: bytes.get(4..).unwrap_or_default().to_vec(),
        }
    }

    /// Its type and its content as a receiver finds them in TLS 1.3: behind the zeros at the end (RFC 8446 section 5.4).
    pub fn found(&self) -> Option<(u8, &[u8])> {
        if self.kind != 0 {
            return Some((self.kind, &self.content));
        }
        let end = self.content.iter().rposition(|byte| *byte != 0)?;
        Some((self.content[end], &self.content[..end]))
    }
}
