//! Records that do not come first, or not in clear: what follows a ClientHello in a handshake, alerts, and what no client sends.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::hello::Message;
use super::wire::{TLS_1_2, content, handshake, message, record, sized_16};

/// A record that does not come first, or not in clear.
pub fn out_of_place() -> BoxedStrategy<Message> {
    let messages = prop_oneof![select(vec![
        ("HelloRequest", message::HELLO_REQUEST),
        ("ServerHello", message::SERVER_HELLO),
        ("NewSessionTicket", 4),
        ("EndOfEarlyData", 5),
        ("EncryptedExtensions", 8),
        ("Certificate", message::CERTIFICATE),
        ("ServerKeyExchange", message::SERVER_KEY_EXCHANGE),
        ("CertificateRequest", message::CERTIFICATE_REQUEST),
        ("ServerHelloDone", message::SERVER_HELLO_DONE),
        ("CertificateVerify", 15),
        ("ClientKeyExchange", 16),
        ("Finished", 20),
        ("CertificateStatus", message::CERTIFICATE_STATUS),
        ("KeyUpdate", 24),
        ("a message that does not exist", 99),
    ]),];
    let body = vec(any::<u8>(), 0..=70);
    let messages = (messages, body).prop_map(|((label, kind), body)| {
        let sent = record(content::HANDSHAKE, TLS_1_2, &handshake(kind, &body));
        (label.to_owned(), sent)
    });
    let certificate = (0..=2000usize).prop_map(|length| {
        let one = [vec![0], sized_16(&vec![0x30; length])].concat();
        let list = [vec![0], sized_16(&one)].concat();
        let sent = record(
            content::HANDSHAKE,
            TLS_1_2,
            &handshake(message::CERTIFICATE, &list),
        );
        ("Certificate".to_owned(), sent)
    });
    let cipher = prop_oneof![3 => Just(vec![1u8]), 1 => vec(any::<u8>(), 0..=4)].prop_map(|body| {
        (
            "ChangeCipherSpec".to_owned(),
            record(content::CHANGE_CIPHER_SPEC, TLS_1_2, &body),
        )
    });
    let data = vec(any::<u8>(), 0..=64).prop_map(|body| {
        (
            "application data".to_owned(),
            record(content::APPLICATION_DATA, TLS_1_2, &body),
        )
    });
    // RFC 6520: a request that says it is longer than it is.
    let heartbeat = any::<u16>().prop_map(|length| {
        let body = [&[1][..], &length.to_be_bytes(), b"slcert"].concat();
        (
            "heartbeat".to_owned(),
            record(content::HEARTBEAT, TLS_1_2, &body),
        )
    });
    prop_oneof![5 => messages, 1 => certificate, 3 => cipher, 3 => data, 1 => heartbeat, 4 => alert()].boxed()
}

fn alert() -> BoxedStrategy<Message> {
    let level = prop_oneof![3 => Just(2u8), 3 => Just(1), 1 => any::<u8>()];
    let description = prop_oneof![
        3 => select(vec![0u8, 10, 20, 40, 42, 46, 50, 70, 80, 90, 100, 110, 116, 120]),
        1 => any::<u8>(),
    ];
    let body = prop_oneof![
        8 => (level, description).prop_map(|(level, description)| vec![level, description]),
        1 => vec(any::<u8>(), 0..=9),
    ];
    let many = prop_oneof![6 => Just(1usize), 1 => 2..=80usize];
    (body, many)
        .prop_map(|(body, many)| {
            let label = match (body.as_slice(), many) {
                ([2, _], 1) => "a fatal alert",
                ([1, _], 1) => "a warning",
                (_, 1) => "an odd alert",
                _ => "many alerts",
            };
            (
                label.to_owned(),
                record(content::ALERT, TLS_1_2, &body).repeat(many),
            )
        })
        .boxed()
}
