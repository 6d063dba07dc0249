//! Reads the fields of a packet one after the other, strictly.

use super::frame::{Variable, read_variable};
use super::{Illegal, Version};

pub(super) struct Reader<'a> {
    rest: &'a [u8],
    version: Version,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], version: Version) -> Self {
        Self {
            rest: bytes,
            version,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Illegal> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Illegal::new(
            "§4.8",
            "a field reaches beyond the end of the packet",
        ))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Illegal> {
        Ok(self.bytes(1)?[0])
    }

    pub(super) fn word(&mut self) -> Result<u16, Illegal> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn long(&mut self) -> Result<u32, Illegal> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn variable(&mut self) -> Result<u32, Illegal> {
        match read_variable(self.rest) {
            Variable::Value { value, size } if size > 1 && self.rest[size - 1] == 0 => {
                let _ = value;
                Err(Illegal::new(
                    "MQTT-1.5.5-1",
                    "a variable byte integer takes more bytes than it needs",
                ))
            }
            Variable::Value { value, size } => {
                self.bytes(size)?;
                Ok(value)
            }
            Variable::Short => Err(Illegal::new("§4.8", "a variable byte integer is cut off")),
            Variable::Malformed => Err(Illegal::new(
                "§1.5.5",
                "a variable byte integer has a fifth byte",
            )),
        }
    }

    pub(super) fn binary(&mut self) -> Result<Vec<u8>, Illegal> {
        let size = self.word()?;
        Ok(self.bytes(usize::from(size))?.to_vec())
    }

    pub(super) fn text(&mut self) -> Result<String, Illegal> {
        let (ill_formed, null) = match self.version {
            Version::V311 => ("MQTT-1.5.3-1", "MQTT-1.5.3-2"),
            Version::V5 => ("MQTT-1.5.4-1", "MQTT-1.5.4-2"),
        };
        let text = String::from_utf8(self.binary()?)
            .map_err(|_| Illegal::new(ill_formed, "a string is no UTF-8"))?;
        if text.contains('\0') {
            return Err(Illegal::new(null, "a string holds U+0000"));
        }
        Ok(text)
    }
}
