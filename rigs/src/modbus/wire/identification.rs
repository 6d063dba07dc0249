//! Device identification: function 43, MEI type 14 (AP §6.21).

use super::pdu::MEI_IDENTIFICATION;

/// Where each field stands in the answer's PDU.
pub mod field {
    /// 43.
    pub const FUNCTION: usize = 0;
    /// 14.
    pub const MEI: usize = 1;
    /// Echo of the request.
    pub const ACCESS: usize = 2;
    /// What the device can tell.
    pub const CONFORMITY: usize = 3;
    /// 0x00 or 0xFF.
    pub const MORE_FOLLOWS: usize = 4;
    /// Where the next request has to start.
    pub const NEXT_OBJECT: usize = 5;
    /// How many objects follow.
    pub const COUNT: usize = 6;
    /// The objects: id, length, value.
    pub const OBJECTS: usize = 7;
}

/// What a request asks for: the ReadDevId code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessCode {
    /// Stream of objects 0..=2: vendor, product code, revision.
    Basic,
    /// Stream of the basic objects and those up to 0x7F.
    Regular,
    /// Stream of all objects.
    Extended,
    /// One object.
    One,
}

impl TryFrom<u8> for AccessCode {
    type Error = u8;

    fn try_from(code: u8) -> Result<Self, u8> {
        Ok(match code {
            1 => Self::Basic,
            2 => Self::Regular,
            3 => Self::Extended,
            4 => Self::One,
            other => return Err(other),
        })
    }
}

impl From<AccessCode> for u8 {
    fn from(code: AccessCode) -> u8 {
        match code {
            AccessCode::Basic => 1,
            AccessCode::Regular => 2,
            AccessCode::Extended => 3,
            AccessCode::One => 4,
        }
    }
}

/// One object of a device's identification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// 0 vendor name, 1 product code, 2 revision, 3 URL, 4 product name, 5 model name, 6 application name.
    pub id: u8,
    /// ASCII as a rule, of any bytes in fact.
    pub value: Vec<u8>,
}

/// One answer: as many objects as fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentificationPage {
    /// Echo of the request.
    pub access: AccessCode,
    /// 1..=3, with 0x80 added where single objects can be asked for.
    pub conformity: u8,
    /// The object the next request starts with, if more follow.
    pub next: Option<u8>,
    /// The objects.
    pub objects: Vec<Object>,
}

impl IdentificationPage {
    /// Reads a whole answer PDU; the error says what is wrong with it.
    pub(super) fn parse(pdu: &[u8]) -> Result<Self, &'static str> {
        let header = pdu
            .get(..field::OBJECTS)
            .ok_or("the identification is cut off")?;
        if header[field::MEI] != MEI_IDENTIFICATION {
            return Err("the MEI type is not 14");
        }
        let access = AccessCode::try_from(header[field::ACCESS])
            .map_err(|_| "the ReadDevId code is outside 1..=4")?;
        let conformity = header[field::CONFORMITY];
        if !matches!(conformity & 0x7F, 1..=3) {
            return Err("the conformity level is none of 01, 02, 03, 81, 82, 83");
        }
        let next = match (header[field::MORE_FOLLOWS], header[field::NEXT_OBJECT]) {
            (0x00, 0) => None,
            (0x00, _) => return Err("the next object is not 0 although none follow"),
            (0xFF, next) => Some(next),
            _ => return Err("more-follows is neither 00 nor FF"),
        };
        let mut rest = &pdu[field::OBJECTS..];
        let mut objects = Vec::new();
        for _ in 0..header[field::COUNT] {
            let (&[id, len], behind) = rest
                .split_first_chunk::<2>()
                .ok_or("an object is cut off")?;
            let (value, behind) = behind
                .split_at_checked(usize::from(len))
                .ok_or("an object is cut off")?;
            objects.push(Object {
                id,
                value: value.to_vec(),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            return Err("bytes follow the last object");
        }
        Ok(Self {
            access,
            conformity,
            next,
            objects,
        })
    }

    /// Writes the PDU; only the first 255 objects, and the first 255 bytes of each, have room.
    pub(super) fn emit(&self) -> Vec<u8> {
        let more = if self.next.is_some() { 0xFF } else { 0x00 };
        let count = u8::try_from(self.objects.len()).unwrap_or(u8::MAX);
        let (access, next) = (self.access.into(), self.next.unwrap_or(0));
        let mut pdu = vec![
            43,
            MEI_IDENTIFICATION,
            access,
            self.conformity,
            more,
            next,
            count,
        ];
        for object in self.objects.iter().take(usize::from(count)) {
            let value = &object.value[..object.value.len().min(255)];
            pdu.extend([object.id, value.len() as u8]);
            pdu.extend_from_slice(value);
        }
        pdu
    }
}

/// How long the answer PDU that starts with these bytes will be, as far as its objects tell.
pub(super) fn answer_length(start: &[u8]) -> Option<usize> {
    let count = *start.get(field::COUNT)?;
    let mut end = field::OBJECTS;
    for _ in 0..count {
        end += 2 + usize::from(*start.get(end + 1)?);
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AP §6.21: all basic objects in one answer.
    fn example() -> Vec<u8> {
        let mut pdu = vec![0x2B, 0x0E, 0x01, 0x01, 0x00, 0x00, 0x03];
        for (id, text) in [
            (0, "Company identification"),
            (1, "Product code XX"),
            (2, "V2.11"),
        ] {
            pdu.extend([id, text.len() as u8]);
            pdu.extend(text.as_bytes());
        }
        pdu
    }

    #[test]
    fn parses_and_emits_the_example() {
        let page = IdentificationPage::parse(&example()).unwrap();
        assert_eq!(page.objects.len(), 3);
        assert_eq!(
            page.objects[2],
            Object {
                id: 2,
                value: b"V2.11".to_vec()
            }
        );
        assert_eq!((page.conformity, page.next), (1, None));
        assert_eq!(page.emit(), example());
    }

    #[test]
    fn the_length_is_known_with_the_last_object() {
        let pdu = example();
        for len in 0..pdu.len() {
            let told = answer_length(&pdu[..len]);
            assert!(told.is_none_or(|told| told == pdu.len()), "{len}: {told:?}");
            assert!(IdentificationPage::parse(&pdu[..len]).is_err());
        }
        assert_eq!(answer_length(&pdu), Some(pdu.len()));
    }

    #[test]
    fn illegal_fields_are_told() {
        let change = |at: usize, to: u8| {
            let mut pdu = example();
            pdu[at] = to;
            IdentificationPage::parse(&pdu).unwrap_err()
        };
        assert!(change(field::MEI, 13).contains("MEI"));
        assert!(change(field::ACCESS, 5).contains("ReadDevId"));
        assert!(change(field::CONFORMITY, 4).contains("conformity"));
        assert!(change(field::MORE_FOLLOWS, 1).contains("more-follows"));
        assert!(change(field::NEXT_OBJECT, 1).contains("next object"));
        assert!(change(field::COUNT, 2).contains("follow"));
        assert!(change(field::COUNT, 4).contains("cut off"));
    }
}
