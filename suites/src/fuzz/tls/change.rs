//! What is changed in a ClientHello.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::hello::{Message, Parts, number};
use super::wire::{
    P_256_POINT, TLS_1_2, TLS_1_3, extension as ext, group, sized_8, sized_16, words,
};

/// What no server knows, and has to ignore (RFC 8701).
const GREASE: u16 = 0x5A5A;

/// A ClientHello with one or two things changed.
pub fn changed() -> BoxedStrategy<Message> {
    let newest = prop_oneof![2 => Just(true), 1 => Just(false)];
    let changes = prop_oneof![
        6 => vec(change(), 1),
        1 => vec(change(), 2),
    ];
    (number(), newest, changes)
        .prop_map(|(number, newest, changes)| {
            let mut parts = Parts::right(number, newest);
            let mut names = Vec::new();
            for change in &changes {
                names.push(change.apply(&mut parts));
            }
            (format!("ClientHello, {}", names.join(", ")), parts.emit())
        })
        .boxed()
}

/// Something that is changed.
#[derive(Clone, Debug)]
enum Change {
    Version(u16),
    SessionId(usize),
    Suites(&'static str, Vec<u8>),
    Compression(Vec<u8>),
    Without(u16),
    Twice(usize),
    Extension(&'static str, u16, Vec<u8>),
    Last(&'static str, u16, Vec<u8>),
    Lie(usize, u16),
    Block(u16),
    NoExtensions,
    NoBlock,
    Many(usize),
    Trailing(Vec<u8>),
    Cut(usize),
}

impl Change {
    /// Makes it, and says what it is.
    fn apply(&self, parts: &mut Parts) -> &'static str {
        match self {
            Self::Version(version) => {
                parts.legacy = *version;
                "another version"
            }
            Self::SessionId(length) => {
                parts.session_id = parts.random.repeat(8)[..*length].to_vec();
                "another session id"
            }
            Self::Suites(what, suites) => {
                parts.suites.clone_from(suites);
                what
            }
            Self::Compression(methods) => {
                parts.compression.clone_from(methods);
                "other compression methods"
            }
            Self::Without(kind) => {
                parts.without(*kind);
                "an extension is missing"
            }
            Self::Twice(at) => {
                if let Some(again) = parts.extensions.get(at % parts.extensions.len().max(1)) {
                    parts.extensions.push(again.clone());
                }
                "an extension twice"
            }
            Self::Extension(what, kind, content) => {
                parts.set(*kind, content.clone());
                what
            }
            Self::Last(what, kind, content) => {
                parts.extensions.push((*kind, content.clone()));
                what
            }
            Self::Lie(at, length) => {
                parts.lie = Some((*at, *length));
                "an extension whose length lies"
            }
            Self::Block(length) => {
                parts.block = Some(*length);
                "a length of the extensions that lies"
            }
            Self::NoExtensions => {
                parts.extensions.clear();
                "no extensions"
            }
            Self::NoBlock => {
                parts.has_block = false;
                "no place for extensions"
            }
            Self::Many(count) => {
                let many = (0..*count).map(|at| (0x6000 + at as u16, vec![0; at % 3]));
                parts.extensions.extend(many);
                "many extensions"
            }
            Self::Trailing(bytes) => {
                parts.trailing.clone_from(bytes);
                "bytes behind its end"
            }
            Self::Cut(bytes) => {
                parts.cut = *bytes;
                "cut off"
            }
        }
    }
}

fn change() -> BoxedStrategy<Change> {
    let version = select(vec![
        0u16, 0x0002, 0x0200, 0x0300, 0x0301, 0x0302, 0x0304, 0x0305, 0x0399, 0x0400, 0xFEFD,
        0xFFFF,
    ]);
    let session_id = prop_oneof![
        2 => select(vec![0usize, 1, 31, 32, 33, 64, 128, 255]),
        1 => 0..=255usize,
    ];
    let compression = prop_oneof![
        1 => Just(Vec::new()),
        2 => select(vec![vec![1u8], vec![1, 0], vec![0, 1], vec![0, 0], vec![0xFF]]),
        1 => vec(any::<u8>(), 0..=255),
    ];
    let missing = select(vec![
        ext::SUPPORTED_GROUPS,
        ext::POINT_FORMATS,
        ext::SIGNATURES,
        ext::MASTER_SECRET,
        ext::RENEGOTIATION,
        ext::SUPPORTED_VERSIONS,
        ext::KEY_SHARE,
    ]);
    let bytes = || vec(any::<u8>(), 1..=8);
    prop_oneof![
        2 => version.prop_map(Change::Version),
        3 => session_id.prop_map(Change::SessionId),
        4 => suites(),
        2 => compression.prop_map(Change::Compression),
        3 => missing.prop_map(Change::Without),
        2 => (0..8usize).prop_map(Change::Twice),
        8 => extension(),
        5 => key_share(),
        3 => keys_shared_before(),
        4 => (0..8usize, prop_oneof![0..=9u16, any::<u16>()]).prop_map(|(at, length)| Change::Lie(at, length)),
        2 => prop_oneof![0..=9u16, any::<u16>()].prop_map(Change::Block),
        1 => Just(Change::NoExtensions),
        1 => Just(Change::NoBlock),
        1 => (1..=4000usize).prop_map(Change::Many),
        1 => bytes().prop_map(Change::Trailing),
        2 => (1..=200usize).prop_map(Change::Cut),
    ]
    .boxed()
}

fn suites() -> BoxedStrategy<Change> {
    let odd = vec(any::<u8>(), 0..=10).prop_map(|mut bytes| {
        bytes.push(0x13);
        if bytes.len().is_multiple_of(2) {
            bytes.pop();
        }
        bytes
    });
    let unknown = vec(
        select(vec![
            0x0000u16, 0x00FF, 0x5600, GREASE, 0x0A0A, 0xFFFF, 0x0005, 0x002F,
        ]),
        1..=4,
    );
    prop_oneof![
        1 => Just(Change::Suites("no suites", Vec::new())),
        2 => odd.prop_map(|bytes| Change::Suites("half a suite", bytes)),
        2 => unknown.prop_map(|numbers| Change::Suites("suites that no server has", words(&numbers))),
        1 => (1..=32_767u16).prop_map(|count| {
            let all: Vec<u16> = (0..count).map(|at| at.wrapping_add(0x1301)).collect();
            Change::Suites("many suites", words(&all))
        }),
    ]
    .boxed()
}

/// Extensions with a content that is right, odd or wrong.
fn extension() -> BoxedStrategy<Change> {
    let name = prop_oneof![
        "[a-z]{1,8}".prop_map(String::into_bytes),
        select(vec![
            &b"127.0.0.1"[..],
            b"",
            b".",
            b"a..b",
            b"a\0b",
            b"%n%n%s",
            b"xn--\xFF",
            b"../../etc/passwd",
            b"[::1]",
            b"a\r\nb: c",
        ])
        .prop_map(<[u8]>::to_vec),
        (1..=3000usize).prop_map(|length| vec![b'a'; length]),
    ];
    let names = vec(
        (prop_oneof![4 => Just(0u8), 1 => any::<u8>()], name.clone()),
        0..=3,
    );
    let server_name = names.prop_map(|names| {
        let list = names
            .into_iter()
            .flat_map(|(kind, name)| [vec![kind], sized_16(&name)].concat());
        sized_16(&list.collect::<Vec<u8>>())
    });
    let protocols = vec(name, 0..=4).prop_map(|names| {
        let list = names.iter().flat_map(|name| sized_8(name));
        sized_16(&list.collect::<Vec<u8>>())
    });
    let versions = vec(
        select(vec![
            0x0300u16, 0x0301, 0x0302, TLS_1_2, TLS_1_3, 0x0305, GREASE, 0x7F1C,
        ]),
        0..=6,
    )
    .prop_map(|list| sized_8(&words(&list)));
    let numbers = |some: Vec<u16>| {
        prop_oneof![
            3 => vec(select(some), 0..=6),
            1 => vec(any::<u16>(), 0..=600),
        ]
        .prop_map(|list| sized_16(&words(&list)))
    };
    let groups = numbers(vec![
        group::P_256,
        group::X25519,
        0x0018,
        0x001E,
        0x0100,
        GREASE,
    ]);
    let signatures = numbers(vec![0x0403, 0x0804, 0x0401, 0x0807, 0x0201, 0x0101, GREASE]);
    let junk = || vec(any::<u8>(), 0..=40);
    let others = select(vec![
        1u16, 5, 15, 18, 24, 28, 34, 35, 42, 44, 45, 47, 49, 50, 57, 13172, GREASE, 0xFE0D,
    ]);
    let set = |what, kind| move |content| Change::Extension(what, kind, content);
    prop_oneof![
        2 => server_name.prop_map(set("odd server names", ext::SERVER_NAME)),
        2 => protocols.prop_map(set("odd protocol names", ext::ALPN)),
        3 => versions.prop_map(set("other versions listed", ext::SUPPORTED_VERSIONS)),
        2 => groups.prop_map(set("other groups", ext::SUPPORTED_GROUPS)),
        2 => signatures.prop_map(set("other signature algorithms", ext::SIGNATURES)),
        2 => (select(vec![ext::SUPPORTED_GROUPS, ext::POINT_FORMATS, ext::SIGNATURES, ext::MASTER_SECRET, ext::RENEGOTIATION, ext::SUPPORTED_VERSIONS, ext::KEY_SHARE]), junk())
            .prop_map(|(kind, content)| Change::Extension("an extension with noise in it", kind, content)),
        3 => (others, junk()).prop_map(|(kind, content)| Change::Last("another extension", kind, content)),
        1 => (1..=40_000usize).prop_map(|length| Change::Last("padding", ext::PADDING, vec![0; length])),
    ]
    .boxed()
}

fn key_share() -> BoxedStrategy<Change> {
    let mut bent = P_256_POINT;
    bent[64] ^= 1;
    let compressed = [&[3], &P_256_POINT[1..33]].concat();
    let wrong: Vec<(u16, Vec<u8>)> = vec![
        (group::X25519, vec![0; 32]),
        (group::X25519, vec![7; 31]),
        (group::X25519, vec![7; 33]),
        (group::X25519, Vec::new()),
        (group::X25519, [&[1][..], &[0; 31]].concat()),
        (group::P_256, bent.to_vec()),
        (group::P_256, [&[4][..], &[0; 64]].concat()),
        (group::P_256, vec![0xFF; 65]),
        (group::P_256, compressed),
        (group::P_256, P_256_POINT[..64].to_vec()),
        (group::P_256, vec![0]),
        (0x0018, vec![4; 97]),
        (0x0100, vec![9; 256]),
        (GREASE, vec![0]),
    ];
    let share = |(of, share): (u16, Vec<u8>)| [words(&[of]), sized_16(&share)].concat();
    let right = vec![
        (group::X25519, vec![9; 32]),
        (group::P_256, P_256_POINT.to_vec()),
    ];
    let one = prop_oneof![4 => select(wrong), 1 => select(right)];
    let list = prop_oneof![
        6 => vec(one.clone().prop_map(share), 1),
        3 => vec(one.clone().prop_map(share), 0..=4),
        1 => vec(one.prop_map(share), 5..=200),
    ];
    let lie = prop_oneof![8 => Just(None), 1 => any::<u16>().prop_map(Some)];
    (list, lie)
        .prop_map(|(list, lie)| {
            let list = list.concat();
            let content = match lie {
                Some(length) => [words(&[length]), list].concat(),
                None => sized_16(&list),
            };
            Change::Extension("other key shares", ext::KEY_SHARE, content)
        })
        .boxed()
}

/// Pre-shared keys, early data, cookies: what refers to a connection that never was.
fn keys_shared_before() -> BoxedStrategy<Change> {
    let identity = (0..=300usize, any::<u32>()).prop_map(|(length, age)| {
        [sized_16(&vec![b'k'; length]), age.to_be_bytes().to_vec()].concat()
    });
    let binder = (0..=64usize).prop_map(|length| sized_8(&vec![b'b'; length]));
    let keys = (vec(identity, 0..=3), vec(binder, 0..=3)).prop_map(|(identities, binders)| {
        [sized_16(&identities.concat()), sized_16(&binders.concat())].concat()
    });
    let modes = vec(0..=3u8, 0..=4).prop_map(|modes| sized_8(&modes));
    let cookie = (0..=600usize).prop_map(|length| sized_16(&vec![b'c'; length]));
    prop_oneof![
        2 => keys.prop_map(|keys| Change::Last("a key that was never shared", ext::PRE_SHARED_KEY, keys)),
        1 => modes.prop_map(|modes| Change::Last("modes of shared keys", ext::KEY_MODES, modes)),
        1 => cookie.prop_map(|cookie| Change::Last("a cookie that was never given", ext::COOKIE, cookie)),
        1 => Just(Change::Last("early data", ext::EARLY_DATA, Vec::new())),
    ]
    .boxed()
}
