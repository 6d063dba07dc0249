use super::*;
use Version::{V5, V311};

#[test]
fn legal_packets() {
    let legal: &[(Version, &[u8])] = &[
        (V311, &[0x20, 2, 0, 0]),
        (V311, &[0x20, 2, 1, 0]),
        (V5, &[0x20, 3, 0, 0x87, 0]),
        (V5, &[0x20, 9, 0, 0, 6, 0x22, 0, 10, 0x21, 0, 20]),
        (V311, &[0x30, 4, 0, 1, b'a', b'!']),
        (V311, &[0x3B, 5, 0, 1, b'a', 0, 1]),
        (V5, &[0x30, 7, 0, 0, 3, 0x23, 0, 1, b'!']),
        (V311, &[0x40, 2, 0, 1]),
        (V5, &[0x40, 2, 0, 1]),
        (V5, &[0x40, 3, 0, 1, 0x10]),
        (V5, &[0x40, 9, 0, 1, 0x87, 5, 0x1F, 0, 2, b'n', b'o']),
        (V5, &[0x62, 4, 0, 1, 0x92, 0]),
        (V311, &[0x90, 4, 0, 1, 0, 0x80]),
        (V5, &[0x90, 4, 0, 1, 0, 0x87]),
        (V311, &[0xB0, 2, 0, 1]),
        (V5, &[0xB0, 4, 0, 1, 0, 0x11]),
        (V311, &[0xD0, 0]),
        (V5, &[0xE0, 0]),
        (V5, &[0xE0, 2, 0x8E, 0]),
        (V5, &[0xF0, 6, 0x18, 4, 0x15, 0, 1, b'm']),
    ];
    for (version, bytes) in legal {
        let packet = decode(bytes, *version);
        assert!(packet.is_ok(), "{bytes:x?}: {packet:?}");
    }
    match decode(legal[10].1, V5).unwrap() {
        ServerPacket::Ack {
            packet_id: 1,
            reason: 0x87,
            properties,
            ..
        } => {
            assert_eq!(properties.reason_string(), Some("no"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn illegal_packets_name_their_statement() {
    let illegal: &[(Version, &[u8], &str)] = &[
        (V311, &[0x20, 2, 2, 0], "§3.2.2.1"),
        (V5, &[0x20, 3, 2, 0, 0], "MQTT-3.2.2-1"),
        (V311, &[0x20, 2, 1, 5], "MQTT-3.2.2-4"),
        (V5, &[0x20, 3, 1, 0x87, 0], "MQTT-3.2.2-6"),
        (V311, &[0x20, 2, 0, 6], "MQTT-3.2.2-6"),
        (V5, &[0x20, 3, 0, 5, 0], "MQTT-3.2.2-8"),
        (V5, &[0x20, 2, 0, 0], "MQTT-2.2.2-1"),
        (V311, &[0x21, 2, 0, 0], "MQTT-2.2.2-1"),
        (V5, &[0x60, 2, 0, 1], "MQTT-2.1.3-1"),
        (V311, &[0x36, 5, 0, 1, b'a', 0, 1], "MQTT-3.3.1-4"),
        (V311, &[0x38, 3, 0, 1, b'a'], "MQTT-3.3.1-2"),
        (V311, &[0x30, 3, 0, 1, b'#'], "MQTT-3.3.2-2"),
        (V311, &[0x30, 2, 0, 0], "MQTT-4.7.3-1"),
        (V311, &[0x30, 3, 0, 1, 0xFF], "MQTT-1.5.3-1"),
        (V5, &[0x30, 4, 0, 1, 0xFF, 0], "MQTT-1.5.4-1"),
        (V5, &[0x30, 4, 0, 1, 0x00, 0], "MQTT-1.5.4-2"),
        (V5, &[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0], "MQTT-3.3.2-8"),
        (V311, &[0x32, 5, 0, 1, b'a', 0, 0], "MQTT-2.3.1-1"),
        (V5, &[0x32, 6, 0, 1, b'a', 0, 0, 0], "MQTT-2.2.1-4"),
        (V311, &[0x40, 2, 0, 0], "MQTT-2.2.1-5"),
        (V311, &[0x40, 3, 0, 1, 0], "§2.1.4"),
        (V5, &[0x40, 4, 0, 1, 0x01, 0], "MQTT-3.4.2-1"),
        (V311, &[0x90, 3, 0, 1, 3], "MQTT-3.9.3-2"),
        (V5, &[0x90, 3, 0, 1, 0], "MQTT-3.8.4-6"),
        (V311, &[0xC0, 0], "§2.1.2"),
        (V311, &[0xE0, 0], "§2.1.2"),
        (V5, &[0xE0, 1, 0x04], "MQTT-3.14.2-1"),
        (V311, &[0xD0, 1, 0], "§2.1.4"),
        (V5, &[0xD0, 0x80, 0x00], "MQTT-1.5.5-1"),
        (V5, &[0x20, 5, 0, 0, 2, 0x7E, 0], "§2.2.2.2"),
        (V5, &[0x20, 6, 0, 0, 3, 0x23, 0, 1], "§2.2.2.2"),
        (V5, &[0x20, 9, 0, 0, 6, 0x21, 0, 1, 0x21, 0, 1], "§2.2.2.2"),
        (V5, &[0x20, 6, 0, 0, 3, 0x21, 0, 0], "§2.2.2.2"),
        (V5, &[0x20, 5, 0, 0, 2, 0x25, 2], "§2.2.2.2"),
        (V5, &[0x20, 4, 0, 0, 5, 0x25], "§4.8"),
    ];
    for (version, bytes, statement) in illegal {
        match decode(bytes, *version) {
            Err(illegal) => assert_eq!(illegal.statement, *statement, "{bytes:x?}: {illegal}"),
            Ok(packet) => panic!("{bytes:x?} taken for {packet:?}"),
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(
        first in 0u8..=255,
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..120),
    ) {
        for version in [V311, V5] {
            let _ = decode(&body, version);
            let _ = decode(&crate::mqtt::wire::frame::packet(first, &body).unwrap(), version);
        }
    }
}
