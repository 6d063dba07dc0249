//! Addresses and serial numbers in text, where nobody has listed them.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The shortest text that is taken for a serial number, or cut at all: a shorter one stands everywhere.
pub(super) const SHORTEST: usize = 4;
/// How long a MAC address is, and what one with a word before it is at the most.
const MAC: usize = 17;
const LONGEST_MAC: usize = 26;

/// Network addresses: IPv4, IPv6 and MAC.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.' || c == '-';
    let tokens = text.split(move |c| !part(c));
    tokens.flat_map(|token| {
        let token = token.trim_matches(['.', ':', '-']);
        if is_address(token) {
            return vec![token];
        }
        // Letters before it, a port behind it, and the other end of a range may be hexadecimal too.
        let hosts = token
            .split([':', '-'])
            .map(|one| one.trim_matches('.'))
            .filter(|one| one.parse::<Ipv4Addr>().is_ok());
        // A longer run of pairs is a fingerprint or a dump, and no address.
        let short = Some(token).filter(|token| token.len() <= LONGEST_MAC);
        let mut macs = short.into_iter().flat_map(|token| {
            let begins = token.match_indices([':', '-']).map(|(at, _)| at + 1);
            begins.filter_map(|at| token.get(at..at + MAC))
        });
        // The letters before it look like a pair of it, too.
        let mac = macs.rfind(|one| is_mac(one));
        hosts.chain(mac).collect()
    })
}

fn is_address(token: &str) -> bool {
    let is_v6 = token.matches(':').count() >= 2 && token.len() > 3;
    is_mac(token)
        || token.parse::<Ipv4Addr>().is_ok()
        || (is_v6 && token.parse::<Ipv6Addr>().is_ok())
}

fn is_mac(token: &str) -> bool {
    let groups = |by: char| token.split(by).filter(|group| group.len() == 2).count();
    token.len() == MAC && (groups(':') == 6 || groups('-') == 6)
}

/// What stands behind the word `serial` and an equals sign or a colon, and has a digit: `null` and `unknown` are none.
pub(super) fn serials(text: &str) -> impl Iterator<Item = &str> {
    let lower = text.to_ascii_lowercase();
    let places: Vec<usize> = lower.match_indices("serial").map(|(at, _)| at).collect();
    places.into_iter().filter_map(move |at| {
        let rest = text.get(at + "serial".len()..)?;
        let word = rest
            .trim_start_matches(|c: char| c.is_ascii_alphabetic() || matches!(c, ' ' | '_' | '-'));
        let value = word.trim_start_matches(['=', ':', ' ', '"', '\'', '\\']);
        let named =
            word.starts_with(['=', ':', '"', '\\']) && rest.len() - word.len() <= " number".len();
        let end =
            value.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
        let value = value[..end.unwrap_or(value.len())].trim_end_matches(['.', '-']);
        let numbered = value.contains(|c: char| c.is_ascii_digit());
        (named && numbered && value.len() >= SHORTEST).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_where_they_end() {
        let text = "at 192.168.1.7:502, [fe80::1:2]:80 and 00:1b:44:11:3a:b7. Not 1.4.2, 14:53:41, 300.1.1.1 or ::";
        let found: Vec<_> = addresses(text).collect();
        assert_eq!(found, ["192.168.1.7", "fe80::1:2", "00:1b:44:11:3a:b7"]);
    }

    #[test]
    fn addresses_are_found_behind_letters_and_in_ranges() {
        for (text, addresses_in) in [
            ("MAC:00:1b:44:11:3a:b7", &["00:1b:44:11:3a:b7"][..]),
            ("source:10.0.0.1", &["10.0.0.1"]),
            ("10.0.0.1-10.0.0.9", &["10.0.0.1", "10.0.0.9"]),
            ("10.0.0.1:502-10.0.0.9:503", &["10.0.0.1", "10.0.0.9"]),
            ("ab:cd:ef:00:11:22:33:44:55:66:77:88:99", &[]),
        ] {
            let found: Vec<_> = addresses(text).collect();
            assert_eq!(found, addresses_in, "{text}");
        }
    }

    #[test]
    fn serial_numbers_are_found_behind_their_name() {
        let text = "serial=TC-0042 Serial number: \"AB123\", serial line, {\"serial\": \"X99-1\"} serial=1, {\"serial\":null}";
        let found: Vec<_> = serials(text).collect();
        assert_eq!(found, ["TC-0042", "AB123", "X99-1"]);
    }
}
