//! What a server has to make of records behind a handshake: only what RFC 8446 and RFC 5246 leave no doubt about.

use super::part::{How, Part};
use crate::fuzz::tls::wire::{ENCRYPTED, ENCRYPTED_1_2, PLAIN, content};

/// What is sealed beside the content: a tag, and in TLS 1.2 a nonce that not every cipher has.
const TAG: usize = 16;
/// So many records without content, and changes of keys, a server has to bear; what it makes of more is its own affair.
const EMPTY: u32 = 4;
const UPDATES: u32 = 4;
const KEY_UPDATE: u8 = 24;
const CLOSE_NOTIFY: u8 = 0;
/// Error alerts (RFC 8446 section 6.2).
const ERRORS: [u8; 14] = [10, 20, 22, 40, 42, 43, 47, 48, 49, 50, 51, 70, 71, 80];
/// Messages that are none of a client's behind a handshake of TLS 1.3 (section 4).
const OUT_OF_PLACE: [u8; 9] = [1, 2, 4, 5, 8, 11, 13, 15, 20];

/// What a server has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// End the connection, because of this.
    End(&'static str),
    /// Take nothing any more: by this, the client has said that it is over. How soon the connection ends is the server's affair.
    Ignore(&'static str),
    /// Go on serving.
    Serve,
    /// The specifications leave room.
    Unclear,
}

/// What the records ask of a server, and whether it has to change its own keys before it says more.
pub fn demand(parts: &[Part], is_1_3: bool) -> (Demand, bool) {
    if is_1_3 {
        in_1_3(parts)
    } else {
        (in_1_2(parts), false)
    }
}

fn in_1_3(parts: &[Part]) -> (Demand, bool) {
    const OTHER_KEYS: Demand = Demand::End("a record under other keys (RFC 8446 section 5.2)");
    let (mut empty, mut updates, mut asked, mut other_keys) = (0, 0, false, false);
    for part in parts {
        if other_keys {
            return (OTHER_KEYS, asked);
        }
        let inner = part.content.len() + 1 + usize::from(part.padding);
        let decided = if inner + TAG > ENCRYPTED {
            Some(Demand::End(
                "a record of more than 2^14 + 256 bytes (RFC 8446 section 5.2)",
            ))
        } else if part.how == How::Spoiled {
            Some(Demand::End(
                "a record that does not decrypt (RFC 8446 section 5.2)",
            ))
        } else if inner > PLAIN + 1 {
            Some(Demand::Unclear)
        } else {
            match part.found() {
                None => Some(Demand::End(
                    "a record without a type (RFC 8446 section 5.4)",
                )),
                Some((content::APPLICATION_DATA, [])) => {
                    empty += 1;
                    (empty > EMPTY).then_some(Demand::Unclear)
                }
                Some((content::HANDSHAKE, [KEY_UPDATE, 0, 0, 1, request @ (0 | 1)])) => {
                    asked |= *request == 1;
                    updates += 1;
                    other_keys = part.how != How::LastOfItsKeys;
                    if updates > UPDATES {
                        return (Demand::Unclear, false);
                    }
                    continue;
                }
                Some((kind, content)) => Some(single(kind, content)),
            }
        };
        if let Some(decided) = decided {
            return (decided, asked);
        }
        other_keys = part.how == How::LastOfItsKeys;
    }
    if other_keys {
        return (OTHER_KEYS, asked);
    }
    (Demand::Serve, asked)
}

/// A record of TLS 1.3 that is neither empty data nor a right KeyUpdate.
fn single(kind: u8, content: &[u8]) -> Demand {
    match (kind, content) {
        (content::CHANGE_CIPHER_SPEC, _) => {
            Demand::End("a protected ChangeCipherSpec (RFC 8446 section 5)")
        }
        (content::ALERT | content::HANDSHAKE, []) => {
            Demand::End("a record of no handshake or alert at all (RFC 8446 section 5.4)")
        }
        (content::ALERT, [_, CLOSE_NOTIFY]) => {
            Demand::Ignore("close_notify (RFC 8446 section 6.1)")
        }
        // The level does not count by section 6.2, and does at times for who takes TLS 1.2 as well.
        (content::ALERT, [2, error]) if ERRORS.contains(error) => {
            Demand::Ignore("a fatal alert (RFC 8446 section 6.2)")
        }
        (content::HANDSHAKE, [kind, high, middle, low, rest @ ..]) => {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            match kind {
                _ if rest.len() < length => Demand::Unclear,
                &KEY_UPDATE if length != 1 => {
                    Demand::End("a KeyUpdate of another length (RFC 8446 section 6.2)")
                }
                &KEY_UPDATE if rest[0] > 1 => Demand::End(
                    "a KeyUpdate that asks for what is not known (RFC 8446 section 4.6.3)",
                ),
                &KEY_UPDATE => Demand::End(
                    "a KeyUpdate with more behind it in its record (RFC 8446 section 5.1)",
                ),
                kind if OUT_OF_PLACE.contains(kind) => {
                    Demand::End("a message of the handshake behind it (RFC 8446 section 4)")
                }
                _ => Demand::Unclear,
            }
        }
        // A heartbeat may be dropped (RFC 6520).
        (
            content::ALERT | content::HANDSHAKE | content::APPLICATION_DATA | content::HEARTBEAT,
            _,
        ) => Demand::Unclear,
        _ => Demand::End("a record of a type that does not exist (RFC 8446 section 5)"),
    }
}

fn in_1_2(parts: &[Part]) -> Demand {
    let mut empty = 0;
    for part in parts {
        let length = part.content.len();
        let decided = match (part.kind, part.content.as_slice()) {
            // Whatever the cipher, a tag is beside it.
            _ if length + TAG > ENCRYPTED_1_2 => {
                Demand::End("a record of more than 2^14 + 2048 bytes (RFC 5246 section 6.2.3)")
            }
            _ if part.how == How::Spoiled => {
                Demand::End("a record that does not decrypt (RFC 5246 section 7.2.2)")
            }
            _ if length > PLAIN => Demand::Unclear,
            (content::APPLICATION_DATA, []) => {
                empty += 1;
                if empty <= EMPTY {
                    continue;
                }
                Demand::Unclear
            }
            (content::ALERT, [1 | 2, CLOSE_NOTIFY]) => {
                Demand::Ignore("close_notify (RFC 5246 section 7.2.1)")
            }
            (content::ALERT, [2, _]) => Demand::Ignore("a fatal alert (RFC 5246 section 7.2.2)"),
            (content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT, _) => Demand::Unclear,
            _ => Demand::End("a record of a type that does not exist (RFC 5246 section 6)"),
        };
        return decided;
    }
    Demand::Serve
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(value: u8, how: How) -> Part {
        Part {
            how,
            ..Part::of(content::HANDSHAKE, vec![KEY_UPDATE, 0, 0, 1, value])
        }
    }

    fn is_end(parts: &[Part], is_1_3: bool) -> bool {
        matches!(demand(parts, is_1_3).0, Demand::End(_))
    }

    #[test]
    fn keys_change_where_a_key_update_says_so_and_nowhere_else() {
        let right = update(1, How::LastOfItsKeys);
        assert_eq!(
            demand(std::slice::from_ref(&right), true),
            (Demand::Serve, true)
        );
        assert_eq!(demand(&vec![right; 9], true), (Demand::Unclear, false));
        assert!(is_end(&[update(0, How::Sealed)], true));
        assert!(is_end(&[update(2, How::LastOfItsKeys)], true));
        let without = Part {
            how: How::LastOfItsKeys,
            ..Part::of(content::APPLICATION_DATA, Vec::new())
        };
        assert!(is_end(std::slice::from_ref(&without), true));
        assert_eq!(demand(&[without], false).0, Demand::Serve);
        let joined = Part::of(content::HANDSHAKE, [24, 0, 0, 1, 0].repeat(2));
        assert!(is_end(&[joined], true));
    }

    #[test]
    fn what_is_behind_the_end_is_ignored_and_what_is_no_record_ends() {
        let over = Part::of(content::ALERT, vec![1, CLOSE_NOTIFY]);
        for is_1_3 in [false, true] {
            let demanded = demand(std::slice::from_ref(&over), is_1_3).0;
            assert!(matches!(demanded, Demand::Ignore(_)), "{demanded:?}");
            assert!(is_end(&[Part::of(99, vec![1])], is_1_3));
            let spoiled = Part {
                how: How::Spoiled,
                ..over.clone()
            };
            assert!(is_end(&[spoiled], is_1_3));
            assert_eq!(demand(&[], is_1_3), (Demand::Serve, false));
        }
        assert!(is_end(&[Part::of(0, vec![0; 9])], true));
        assert!(is_end(&[Part::of(content::HANDSHAKE, Vec::new())], true));
        let hello = Part::of(content::HANDSHAKE, vec![1, 0, 0, 1, 9]);
        assert!(is_end(std::slice::from_ref(&hello), true));
        assert_eq!(demand(&[hello], false).0, Demand::Unclear, "renegotiation");
    }

    #[test]
    fn the_longest_records_are_right_and_longer_ones_are_not() {
        let padded = |padding| Part {
            padding,
            ..Part::of(content::APPLICATION_DATA, Vec::new())
        };
        assert_eq!(demand(&[padded(1 << 14)], true).0, Demand::Serve);
        assert_eq!(demand(&[padded((1 << 14) + 1)], true).0, Demand::Unclear);
        assert!(is_end(&[padded((1 << 14) + 240)], true));
        assert!(is_end(
            &[Part::of(content::HANDSHAKE, vec![0; 18_432])],
            false
        ));
    }
}
