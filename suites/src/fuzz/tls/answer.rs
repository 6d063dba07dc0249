//! What a server sends before a handshake is done: records of TLS, and nothing else.

use memchr::memmem;

use super::reading::Reading;
use super::server_hello::ServerHello;
use super::wire::{ENCRYPTED, Fields, PLAIN, TLS_1_3, content, message};
use crate::fuzz::finding::{Finding, Oracle};
use crate::modbus::hex;

/// What is shown of an answer.
const SHOWN: usize = 96;

/// What came, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it is, for coverage.
    pub kinds: Vec<String>,
    /// The version of a ServerHello.
    pub version: Option<u16>,
    /// A HelloRetryRequest came: what follows answers another ClientHello than the first.
    retried: bool,
    /// A fatal alert came: nothing may follow.
    pub fatal: bool,
    /// All came that comes before the client speaks again.
    pub settled: bool,
}

/// Reads an answer from its beginning.
///
/// # Errors
/// What is wrong with it, by what it answers.
pub fn judge(bytes: &[u8], sent: &Reading) -> Result<Answer, Finding> {
    let shown = || hex(&bytes[..bytes.len().min(SHOWN)]);
    let finding = |oracle, what: &str| Finding::new(oracle, what, shown());
    let wrong = |oracle, what: &str| Err(finding(oracle, what));
    let mut answer = Answer::default();
    let mut messages = Vec::new();
    let mut records = Fields(bytes);
    while !records.0.is_empty() {
        let head = records.0;
        // The version says nothing (RFC 8446 section 5.1): some servers show the client's own again.
        if !(content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(&head[0]) {
            return wrong(
                Oracle::Acceptance,
                "an answer in clear that is no TLS record",
            );
        }
        let in_clear = head[0] != content::APPLICATION_DATA;
        let most = if in_clear { PLAIN } else { ENCRYPTED };
        let length = head.get(3..5).map(|of| u16::from_be_bytes([of[0], of[1]]));
        if length.is_some_and(|length| usize::from(length) > most) {
            return wrong(
                Oracle::Grammar,
                "a record that is longer than the protocol allows",
            );
        }
        let Some((kind, _, body)) = records.record() else {
            break;
        };
        if answer.fatal {
            return wrong(Oracle::Grammar, "something behind a fatal alert");
        }
        match kind {
            content::ALERT => answer
                .alert(body)
                .map_err(|what| finding(Oracle::Grammar, what))?,
            content::HANDSHAKE if body.is_empty() => {
                return wrong(Oracle::Grammar, "an empty record of the handshake");
            }
            content::HANDSHAKE if answer.version == Some(TLS_1_3) => {
                return wrong(
                    Oracle::Grammar,
                    "a handshake message in clear behind the ServerHello of TLS 1.3",
                );
            }
            content::HANDSHAKE => messages.extend_from_slice(body),
            content::CHANGE_CIPHER_SPEC if body == [1] && answer.has_said_hello() => {}
            content::CHANGE_CIPHER_SPEC => {
                return wrong(Oracle::Grammar, "a ChangeCipherSpec out of its place");
            }
            content::APPLICATION_DATA if answer.version == Some(TLS_1_3) => answer.settled = true,
            content::APPLICATION_DATA => {
                return wrong(
                    Oracle::Acceptance,
                    "application data before a handshake is done",
                );
            }
            _ => return wrong(Oracle::Grammar, "a heartbeat before a handshake is done"),
        }
        let mut fields = Fields(&messages);
        while let Some((kind, body)) = fields.handshake() {
            if let Err((oracle, what)) = answer.message(kind, body, sent) {
                return Err(Finding::new(oracle, what, shown()));
            }
        }
        messages = fields.0.to_vec();
    }
    Ok(answer)
}

/// The first of what other connections sent that stands in an answer.
pub fn exposes(bytes: &[u8], others: &[[u8; 16]]) -> Option<Finding> {
    let found = others
        .iter()
        .any(|other| memmem::find(bytes, other).is_some());
    found.then(|| {
        let what = "an answer with what another connection sent";
        Finding::new(
            Oracle::Exposure,
            what,
            hex(&bytes[..bytes.len().min(SHOWN)]),
        )
    })
}

impl Answer {
    fn has_said_hello(&self) -> bool {
        self.version.is_some() || self.settled
    }

    fn alert(&mut self, body: &[u8]) -> Result<(), &'static str> {
        // TLS 1.2 allows several in a record.
        let (alerts, rest) = body.as_chunks::<2>();
        if alerts.is_empty() || !rest.is_empty() {
            return Err("an alert that is not two bytes");
        }
        for [level, description] in alerts {
            if !(1..=2).contains(level) || !is_alert(*description) {
                return Err("an alert that does not exist");
            }
            self.kinds.push(format!("alert {description}"));
            self.fatal |= *level == 2;
        }
        Ok(())
    }

    fn message(&mut self, kind: u8, body: &[u8], sent: &Reading) -> Result<(), (Oracle, String)> {
        match kind {
            message::SERVER_HELLO => {
                let grammar = |what: &str| (Oracle::Grammar, what.to_owned());
                let hello = ServerHello::read(body).ok_or_else(|| {
                    grammar("a ServerHello whose lengths are not those of its parts")
                })?;
                self.kinds.push(hello.kind());
                if self.version.is_some() {
                    return Err(grammar("a second ServerHello"));
                }
                let taken = match (&sent.hello, sent.breach) {
                    _ if sent.opaque || self.retried => None,
                    (Some(offer), _) if offer.is_ambiguous() => None,
                    (Some(offer), _) => {
                        hello.judge(offer).map_err(grammar)?;
                        let long = sent.long && hello.version == TLS_1_3;
                        match hello.takes(offer) {
                            None if long => Some("a record of more than 2^14 bytes"),
                            taken => taken,
                        }
                    }
                    (None, Some(breach)) => Some(breach),
                    (None, None) if sent.left => Some("a fatal alert"),
                    (None, None) => Some("what is no whole ClientHello"),
                };
                if let Some(breach) = taken {
                    return Err((
                        Oracle::Acceptance,
                        format!("{breach} is answered with a ServerHello"),
                    ));
                }
                if hello.is_retry() {
                    self.retried = true;
                    self.settled = true;
                } else {
                    self.version = Some(hello.version);
                }
                Ok(())
            }
            message::HELLO_REQUEST
            | message::CERTIFICATE
            | message::SERVER_KEY_EXCHANGE
            | message::CERTIFICATE_REQUEST
            | message::CERTIFICATE_STATUS => Ok(()),
            message::SERVER_HELLO_DONE => {
                self.settled = true;
                Ok(())
            }
            _ => Err((
                Oracle::Grammar,
                "a message in clear that no server sends".to_owned(),
            )),
        }
    }
}

/// Descriptions of alerts (IANA's registry).
fn is_alert(description: u8) -> bool {
    matches!(
        description,
        0 | 10 | 20..=22 | 30 | 40..=52 | 60 | 70 | 71 | 80 | 86 | 90 | 100 | 109..=117 | 120 | 121
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::tls::hello;
    use crate::fuzz::tls::reading::read;
    use crate::fuzz::tls::wire::{TLS_1_2, handshake, record};

    /// The ServerHello of RFC 8448 section 3, with the session id of the offer in place of its empty one.
    fn server_hello(session_id: &[u8], suite: u16) -> Vec<u8> {
        let random = [0xA6; 32];
        let share = [
            &[0x00, 0x33, 0x00, 0x24, 0x00, 0x1D, 0x00, 0x20][..],
            &[0xC9; 32],
        ]
        .concat();
        let body = [
            &[3, 3][..],
            &random,
            &[session_id.len() as u8],
            session_id,
            &suite.to_be_bytes(),
            &[0, 0, 46],
            &share,
            &[0, 43, 0, 2, 3, 4],
        ]
        .concat();
        record(
            content::HANDSHAKE,
            TLS_1_2,
            &handshake(message::SERVER_HELLO, &body),
        )
    }

    fn offer() -> Reading {
        read(&record(content::HANDSHAKE, 0x0301, &hello::padded(7, 300)))
    }

    fn what(bytes: &[u8], sent: &Reading) -> (Oracle, String) {
        let found = judge(bytes, sent).unwrap_err();
        (found.oracle, found.what)
    }

    #[test]
    fn a_right_answer_is_taken_in_any_pieces() {
        let sent = offer();
        let id = sent.hello.as_ref().unwrap().session_id.clone();
        let flight = [
            server_hello(&id, 0x1301),
            record(content::CHANGE_CIPHER_SPEC, TLS_1_2, &[1]),
            record(content::APPLICATION_DATA, TLS_1_2, &[7; 60]),
        ]
        .concat();
        for end in 0..flight.len() {
            assert!(!judge(&flight[..end], &sent).unwrap().settled, "{end}");
        }
        assert!(judge(&flight, &sent).unwrap().settled);
        let refusal = judge(&[21, 3, 1, 0, 2, 2, 40], &sent).unwrap();
        assert!(refusal.fatal && refusal.kinds == ["alert 40"]);
    }

    #[test]
    fn what_was_not_offered_is_wrong() {
        let sent = offer();
        let id = sent.hello.as_ref().unwrap().session_id.clone();
        let (oracle, words) = what(&server_hello(&id, 0x1305), &sent);
        assert!(
            oracle == Oracle::Grammar && words.contains("suite"),
            "{words}"
        );
        let (_, words) = what(&server_hello(b"another", 0x1301), &sent);
        assert!(words.contains("session id"), "{words}");
    }

    #[test]
    fn a_server_hello_that_nobody_may_have_asked_for_is_an_acceptance() {
        for sent in [
            Reading {
                breach: Some("that"),
                ..Reading::default()
            },
            Reading {
                left: true,
                ..Reading::default()
            },
            Reading::default(),
        ] {
            assert_eq!(
                what(&server_hello(b"", 0x1301), &sent).0,
                Oracle::Acceptance
            );
        }
        let data = record(content::APPLICATION_DATA, TLS_1_2, b"x");
        assert_eq!(what(&data, &offer()).0, Oracle::Acceptance);
        let modbus = [0, 7, 0, 0, 0, 5, 1, 3, 2, 0, 1];
        assert_eq!(what(&modbus, &Reading::default()).0, Oracle::Acceptance);
        assert_eq!(
            what(&[0x20, 2, 0, 0], &Reading::default()).0,
            Oracle::Acceptance
        );
    }

    #[test]
    fn a_server_says_hello_once() {
        let sent = offer();
        let random = [0xA6; 32];
        let body = [&[3, 3][..], &random, &[0, 0xC0, 0x2B, 0]].concat();
        let hello = handshake(message::SERVER_HELLO, &body);
        let twice = record(content::HANDSHAKE, TLS_1_2, &[&hello[..], &hello].concat());
        assert_eq!(what(&twice, &sent).1, "a second ServerHello");
        let one = record(content::HANDSHAKE, TLS_1_2, &hello);
        assert_eq!(judge(&one, &sent).unwrap().version, Some(TLS_1_2));
    }

    #[test]
    fn alerts_are_two_bytes_of_the_registry() {
        let sent = Reading::default();
        for body in [&[2][..], &[2, 40, 0], &[3, 40], &[2, 199], &[]] {
            let answer = record(content::ALERT, TLS_1_2, body);
            assert_eq!(what(&answer, &sent).0, Oracle::Grammar, "{body:?}");
        }
        let twice = record(content::ALERT, TLS_1_2, &[2, 40]).repeat(2);
        assert!(what(&twice, &sent).1.contains("behind a fatal alert"));
    }

    #[test]
    fn what_another_connection_sent_is_found_anywhere_in_an_answer() {
        let other = *b"sixteen bytes ok";
        let answer = [&[21, 3, 3, 0, 18, 2, 40][..], &other].concat();
        assert_eq!(exposes(&answer, &[other]).unwrap().oracle, Oracle::Exposure);
        assert!(exposes(&answer, &[[7; 16]]).is_none());
    }
}
