//! What all protocol data units share: limits (AP §4.1, §6) and how an answer tells its length.

/// The longest PDU: 256 bytes of serial frame less address and CRC (AP §4.1).
pub const MAX_PDU: usize = 253;
/// The bit that turns a function code into that of its exception response.
pub const EXCEPTION: u8 = 0x80;
/// The MEI type of device identification under function code 43 (AP §6.21).
pub const MEI_IDENTIFICATION: u8 = 14;

/// Most coils or discrete inputs in one read (AP §6.1, §6.2).
pub const MAX_READ_BITS: u16 = 2000;
/// Most coils in one write (AP §6.11).
pub const MAX_WRITE_BITS: u16 = 1968;
/// Most registers in one read (AP §6.3, §6.4), also of function 23.
pub const MAX_READ_WORDS: u16 = 125;
/// Most registers in one write (AP §6.12).
pub const MAX_WRITE_WORDS: u16 = 123;
/// Most registers written by function 23 (AP §6.17).
pub const MAX_READ_WRITE_WORDS: u16 = 121;

/// How long the answer PDU that starts with these bytes will be, as far as its own fields tell.
///
/// `None` while the fields that tell are not there yet, and for function codes whose answers do not tell.
pub fn answer_length(start: &[u8]) -> Option<usize> {
    let (&function, data) = start.split_first()?;
    match function {
        code if code & EXCEPTION != 0 => Some(2),
        1..=4 | 12 | 17 | 20 | 21 | 23 => Some(2 + usize::from(*data.first()?)),
        5 | 6 | 11 | 15 | 16 => Some(5),
        7 => Some(2),
        22 => Some(7),
        24 => Some(3 + usize::from(word(data, 0)?)),
        43 if *data.first()? == MEI_IDENTIFICATION => super::identification::answer_length(start),
        _ => None,
    }
}

/// The big-endian word at an offset.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    match bytes.get(at..at.checked_add(2)?) {
        Some(&[high, low]) => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}

/// Big-endian words; an odd byte at the end is left out.
pub(super) fn words(bytes: &[u8]) -> Vec<u16> {
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_be_bytes(*pair))
        .collect()
}

/// How many bytes so many bits take.
pub fn bytes_of_bits(bits: u16) -> usize {
    usize::from(bits).div_ceil(8)
}

/// Bits as they stand on the line: the first bit is the lowest of the first byte, the rest of the last byte is 0.
pub fn pack_bits(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|chunk| {
            chunk
                .iter()
                .enumerate()
                .fold(0, |byte, (at, &bit)| byte | (u8::from(bit) << at))
        })
        .collect()
}

/// The first `count` bits of packed bytes, fewer if there are not so many.
pub fn unpack_bits(bytes: &[u8], count: u16) -> Vec<bool> {
    bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |at| byte >> at & 1 == 1))
        .take(usize::from(count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_pack_as_in_the_specification() {
        // AP §6.1: outputs 27..20 are CD, 35..28 are 6B, 38..36 are 05.
        let bits = unpack_bits(&[0xCD, 0x6B, 0x05], 19);
        assert_eq!(
            &bits[..8],
            [true, false, true, true, false, false, true, true]
        );
        assert_eq!(pack_bits(&bits), [0xCD, 0x6B, 0x05]);
        assert_eq!(bytes_of_bits(19), 3);
        assert_eq!(bytes_of_bits(16), 2);
    }

    #[test]
    fn answers_tell_their_length() {
        assert_eq!(answer_length(&[]), None);
        assert_eq!(answer_length(&[1, 3, 0, 0, 0]), Some(5));
        assert_eq!(answer_length(&[0x90, 2]), Some(2));
        assert_eq!(answer_length(&[24, 0]), None);
        assert_eq!(answer_length(&[24, 0, 6]), Some(9));
        assert_eq!(answer_length(&[8, 0, 0]), None);
    }
}
