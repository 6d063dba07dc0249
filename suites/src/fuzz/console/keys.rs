//! Keys and text: what lines are made of.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Gives up a line, or a login.
pub const INTERRUPT: u8 = 0x03;
/// Ends the input.
pub const END: u8 = 0x04;
/// Lets a console that was stopped go on.
pub const XON: u8 = 0x11;
/// Stops a console.
pub const XOFF: u8 = 0x13;

/// The longest line.
const LONGEST: usize = 16 * 1024;

/// Text that means nothing.
pub fn noise() -> BoxedStrategy<Vec<u8>> {
    "[Zzq]{4,12}".prop_map(String::into_bytes).boxed()
}

/// A line around a power of two, with some of it erased at the end.
pub fn long() -> BoxedStrategy<Vec<u8>> {
    let length = (prop_oneof![9 => 3..=10u32, 1 => 11..=14u32], 0..=4usize)
        .prop_map(|(power, off)| ((1usize << power) + off).saturating_sub(2).min(LONGEST));
    let erased = prop_oneof![
        2 => Just((0x7Fu8, 0usize)),
        1 => (select(vec![0x08u8, 0x7F]), 1..=4usize),
        1 => (select(vec![0x08u8, 0x7F]), 5..=1100usize),
    ];
    (length, erased)
        .prop_map(|(length, (key, count))| [vec![b'z'; length], vec![key; count]].concat())
        .boxed()
}

/// A key, or text between keys.
pub fn edit() -> BoxedStrategy<Vec<u8>> {
    let keys: Vec<&'static [u8]> = vec![
        b"\x08", b"\x7f", b"\x15", b"\x17", b"\x01", b"\x05", b"\x0b", b"\x0c", b"\x14", b"\x02",
        b"\x06", b"\t", b"\t\t", b"\t\t\t", b"\x10", b"\x0e", b"\x12", b"\x19", b"\x16", b"\x1b[A",
        b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1bOA", b"\x1bOC", b"\x1b[H", b"\x1b[F", b"\x1b[3~",
        b"\x1b[5~", b"\x1a", b"\x1c", b"\x07", b"\0",
    ];
    prop_oneof![2 => noise(), 4 => select(keys).prop_map(<[u8]>::to_vec), 1 => (1..=100usize).prop_map(|count| vec![b'z'; count])].boxed()
}

/// An escape sequence: right, long, or without an end.
pub fn sequence() -> BoxedStrategy<Vec<u8>> {
    let parameter = prop_oneof![3 => 0..=99u32, 1 => select(vec![0u32, 255, 256, 32_768, 65_535, 65_536, u32::MAX])];
    let parameters = prop_oneof![4 => vec(parameter.clone(), 0..=3), 2 => vec(parameter, 4..=40)];
    let last = prop_oneof![6 => select(b"CDHFJKmnchl".to_vec()).prop_map(|last| vec![last]), 1 => Just(b"~".to_vec()), 1 => Just(b"A".to_vec()), 1 => Just(Vec::new())];
    let control =
        (select(vec!["", "?", "=", ">"]), parameters, last).prop_map(|(mark, parameters, last)| {
            let parameters: Vec<_> = parameters.iter().map(u32::to_string).collect();
            [
                format!("\x1b[{mark}{}", parameters.join(";")).into_bytes(),
                last,
            ]
            .concat()
        });
    let text = prop_oneof![3 => noise(), 1 => (1..=600usize).prop_map(|count| vec![b'z'; count])];
    let end = prop_oneof![2 => Just(&b"\x07"[..]), 1 => Just(&b"\x1b\\"[..]), 2 => Just(&b""[..])];
    let string = (
        select(vec![
            "\x1b]0;", "\x1b]52;", "\x1b]8;;", "\x1bP", "\x1b_", "\x1b^", "\x1bX",
        ]),
        text,
        end,
    )
        .prop_map(|(kind, text, end)| [kind.as_bytes(), &text, end].concat());
    prop_oneof![4 => control, 4 => string, 1 => Just(b"\x1b".to_vec()), 1 => Just(b"\x1bO".to_vec())].boxed()
}

/// Characters beyond ASCII, and what only looks like them.
pub fn encoded() -> BoxedStrategy<Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"\xC3\xA4",
        b"\xE2\x82\xAC",
        b"\xF0\x9F\x98\x80",
        b"z\xCC\x81",
        b"\xC0\x80",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xC3",
        b"\xE2\x82",
        b"\x80",
        b"\xBF\xBF",
        b"\xFF\xFE",
        b"\xFF\xFF",
        b"\xEF\xBB\xBF",
        b"\xE4\xF6\xFC",
        b"\0",
        b"\0\0\0\0",
        b"\xE2\x80\xAE",
        b"\x85",
        b"\x9B",
        b"\xFF\xFD\x01",
    ];
    let one = select(pieces).prop_map(<[u8]>::to_vec);
    prop_oneof![3 => one.clone(), 1 => (one, 1..=300usize).prop_map(|(piece, count)| piece.repeat(count))].boxed()
}
