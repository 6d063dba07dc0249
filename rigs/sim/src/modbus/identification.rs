//! Read Device Identification, function 43 with MEI type 14 (Modbus application protocol V1.1b3, section 6.21).

use super::pdu::Exception;
use crate::controller::{PRODUCT, VENDOR};
use crate::flaw::{Defect, FlawSet};

/// Regular identification, by stream and by single objects.
const CONFORMITY: u8 = 0x82;
const FUNCTION: u8 = 43;
const MEI_TYPE: u8 = 14;

/// Read Device ID codes.
const BASIC: u8 = 1;
const EXTENDED: u8 = 3;
const INDIVIDUAL: u8 = 4;

/// The revision of the flaw `wrong-revision`.
const WRONG_REVISION: &str = "1.3.0";

pub(super) fn answer(
    flaws: &FlawSet,
    firmware: &str,
    code: u8,
    object: u8,
) -> Result<Vec<u8>, Exception> {
    let revision = if flaws.enabled(Defect::WrongRevision) {
        WRONG_REVISION
    } else {
        firmware
    };
    let objects: [(u8, &str); 5] = [
        (0, VENDOR),
        (1, PRODUCT),
        (2, revision),
        (4, "Tank level controller"),
        (5, PRODUCT),
    ];
    let chosen: Vec<_> = match code {
        INDIVIDUAL => vec![
            *objects
                .iter()
                .find(|(id, _)| *id == object)
                .ok_or(Exception::IllegalDataAddress)?,
        ],
        BASIC..=EXTENDED => {
            // Above its own conformity level the device answers at that level.
            let last = if code == BASIC { 2 } else { 5 };
            let offered = || objects.into_iter().filter(|(id, _)| *id <= last);
            // An object that is not there restarts the stream at the beginning.
            let from = if offered().any(|(id, _)| id == object) {
                object
            } else {
                0
            };
            offered().filter(|(id, _)| *id >= from).collect()
        }
        _ => return Err(Exception::IllegalDataValue),
    };
    let mut answer = vec![
        FUNCTION,
        MEI_TYPE,
        code,
        CONFORMITY,
        0,
        0,
        chosen.len() as u8,
    ];
    for (id, text) in chosen {
        answer.extend([id, text.len() as u8]);
        answer.extend(text.as_bytes());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(flaws: &FlawSet, code: u8, object: u8) -> Result<Vec<u8>, Exception> {
        super::answer(flaws, "1.4.2", code, object)
    }

    #[test]
    fn the_basic_stream_has_vendor_product_and_revision() {
        let answer = answer(&FlawSet::none(), 1, 0).unwrap();
        let mut expected = vec![43, 14, 1, 0x82, 0, 0, 3, 0, 16];
        expected.extend(b"Example Controls\x01\x06TC-100\x02\x051.4.2");
        assert_eq!(answer, expected);
    }

    #[test]
    fn single_objects_and_bad_codes() {
        let sound = FlawSet::none();
        assert_eq!(&answer(&sound, 4, 2).unwrap()[6..], b"\x01\x02\x051.4.2");
        assert_eq!(answer(&sound, 4, 3), Err(Exception::IllegalDataAddress));
        assert_eq!(answer(&sound, 0, 0), Err(Exception::IllegalDataValue));
        assert_eq!(answer(&sound, 5, 0), Err(Exception::IllegalDataValue));
        assert_eq!(answer(&sound, 2, 0).unwrap()[6], 5);
    }
}
