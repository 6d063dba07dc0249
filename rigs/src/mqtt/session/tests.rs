//! Sessions with a server on a script, which does what no real one would.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::mqtt::wire::Version;
use crate::mqtt::{End, MqttError, MqttSettings, Published, Session};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(5);
const ACCEPTED: &[u8] = &[0x20, 2, 0, 0];

struct Server(DuplexStream);

impl Server {
    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next packet of the client, with a remaining length below 128.
    async fn hear(&mut self) -> Vec<u8> {
        let mut header = [0; 2];
        self.0.read_exact(&mut header).await.unwrap();
        let mut packet = header.to_vec();
        packet.resize(2 + usize::from(header[1]), 0);
        self.0.read_exact(&mut packet[2..]).await.unwrap();
        packet
    }
}

/// Opens a session with a server that answers CONNECT with these bytes.
async fn open(version: Version, answer: &[u8]) -> Result<(Session, Server), MqttError> {
    let (ours, theirs) = duplex(4096);
    let mut server = Server(theirs);
    let settings = MqttSettings::new(version, "slcert").with_login("u", "secret");
    let opening = Session::open(settings, ours, LONG);
    let serving = async {
        let connect = server.hear().await;
        server.say(answer).await;
        connect
    };
    let (session, connect) = tokio::join!(opening, serving);
    assert_eq!(connect[8], version.level());
    session.map(|session| (session, server))
}

fn statement<T: std::fmt::Debug>(result: Result<T, MqttError>) -> &'static str {
    match result {
        Err(MqttError::Illegal { illegal, .. }) => illegal.statement,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_reason() {
    let refused = open(Version::V311, &[0x20, 2, 0, 5]).await.map(drop);
    assert!(
        matches!(
            refused,
            Err(MqttError::Refused {
                code: 5,
                reason: None
            })
        ),
        "{refused:?}"
    );
    let answer = [&[0x20, 14, 0, 0x87, 11, 0x1F, 0, 8][..], b"no entry"].concat();
    match open(Version::V5, &answer).await.map(drop) {
        Err(MqttError::Refused { code: 0x87, reason }) => {
            assert_eq!(reason.as_deref(), Some("no entry"))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_illegal_server_is_named() {
    assert_eq!(
        statement(open(Version::V311, &[0xD0, 0]).await.map(drop)),
        "MQTT-3.2.0-1"
    );
    assert_eq!(
        statement(open(Version::V311, &[0x20, 2, 1, 0]).await.map(drop)),
        "MQTT-3.2.2-1"
    );
    assert_eq!(
        statement(open(Version::V5, &[0x20, 3, 1, 0, 0]).await.map(drop)),
        "MQTT-3.2.2-2"
    );
    assert_eq!(
        statement(open(Version::V311, &[0x20, 2, 0, 9]).await.map(drop)),
        "MQTT-3.2.2-6"
    );
    let (mut session, mut server) = open(Version::V311, ACCEPTED).await.unwrap();
    server.say(ACCEPTED).await;
    assert_eq!(
        statement(session.ended(LONG).await.map_or(Ok(()), Err)),
        "MQTT-3.2.0-2"
    );
}

#[tokio::test]
async fn silence_and_the_end_are_told_apart() {
    assert!(matches!(
        open(Version::V5, &[]).await.map(drop),
        Err(MqttError::TimedOut)
    ));
    let (mut session, server) = open(Version::V311, ACCEPTED).await.unwrap();
    assert!(session.ended(SHORT).await.is_none());
    drop(server);
    assert!(matches!(
        session.ended(LONG).await,
        Some(MqttError::Closed(End::Orderly))
    ));
    assert!(matches!(
        session.publish("a", b"", false, LONG).await,
        Err(MqttError::Closed(_))
    ));
    assert_eq!(session.next_message(SHORT).await, None);
}

#[tokio::test]
async fn a_publish_has_the_reason_of_its_own_acknowledgement() {
    let (mut session, mut server) = open(Version::V5, &[0x20, 3, 0, 0, 0]).await.unwrap();
    let serving = async {
        let publish = server.hear().await;
        assert_eq!(publish, [0x32, 9, 0, 1, b't', 0, 1, 0, b'h', b'e', b'y']);
        server
            .say(&[0x40, 9, 0, 1, 0x87, 5, 0x1F, 0, 2, b'n', b'o'])
            .await;
        let next = server.hear().await;
        assert_eq!(next[6], 2, "another packet identifier");
        server.say(&[0x40, 3, 0, 2, 0x10]).await;
    };
    let publishing = async {
        let refused = session.publish("t", b"hey", false, LONG).await;
        (refused, session.publish("t", b"you", false, LONG).await)
    };
    let ((refused, taken), ()) = tokio::join!(publishing, serving);
    assert!(
        matches!(refused, Err(MqttError::Refused { code: 0x87, reason: Some(text) }) if text == "no")
    );
    assert_eq!(taken.unwrap(), Published { reason: 0x10 });
}

#[tokio::test]
async fn a_late_acknowledgement_is_not_taken_for_the_next() {
    let (mut session, mut server) = open(Version::V5, &[0x20, 3, 0, 0, 0]).await.unwrap();
    let late = session.publish("t", b"1", false, SHORT).await;
    assert!(matches!(late, Err(MqttError::TimedOut)));
    server.hear().await;
    let serving = async {
        server.hear().await;
        server
            .say(&[0x40, 3, 0, 1, 0x87, 0x40, 3, 0, 2, 0x00])
            .await;
    };
    let (taken, ()) = tokio::join!(session.publish("t", b"2", false, LONG), serving);
    assert_eq!(taken.unwrap(), Published { reason: 0 });
}

#[tokio::test]
async fn a_reason_to_disconnect_is_kept() {
    let (mut session, mut server) = open(Version::V5, &[0x20, 3, 0, 0, 0]).await.unwrap();
    server.say(&[0xE0, 2, 0x8E, 0]).await;
    let ended = session.ended(LONG).await;
    assert!(
        matches!(ended, Some(MqttError::Refused { code: 0x8E, .. })),
        "{ended:?}"
    );
}

#[tokio::test]
async fn disconnect_is_said_and_a_drop_is_not() {
    let (session, mut server) = open(Version::V311, ACCEPTED).await.unwrap();
    let (said, ()) = tokio::join!(server.hear(), session.disconnect());
    assert_eq!(said, [0xE0, 0]);
    let (session, mut server) = open(Version::V311, ACCEPTED).await.unwrap();
    drop(session);
    let mut said = Vec::new();
    server.0.read_to_end(&mut said).await.unwrap();
    assert!(said.is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_an_error_and_no_panic() {
    let (ours, _theirs) = duplex(64);
    for seconds in [1, 70_000] {
        let mut settings = MqttSettings::new(Version::V311, "slcert");
        settings.keep_alive = Duration::from_secs(seconds);
        let opened = Session::open(settings, tokio::io::empty(), SHORT).await;
        assert!(matches!(opened, Err(MqttError::Settings(_))));
    }
    let mut settings = MqttSettings::new(Version::V5, "slcert");
    settings.keep_alive = Duration::ZERO;
    assert!(matches!(
        Session::open(settings, ours, SHORT).await,
        Err(MqttError::Settings(_))
    ));
    let (mut session, _server) = open(Version::V311, ACCEPTED).await.unwrap();
    for topic in ["", "a/#", "+", "\0"] {
        let published = session.publish(topic, b"", false, SHORT).await;
        assert!(matches!(published, Err(MqttError::Settings(_))), "{topic}");
    }
    for filter in ["", "a#", "#/a", "a+/b"] {
        let subscribed = session.subscribe(filter, SHORT).await;
        assert!(
            matches!(subscribed, Err(MqttError::Settings(_))),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn a_password_is_not_shown() {
    let settings = MqttSettings::new(Version::V5, "slcert").with_login("u", "secret");
    assert!(!format!("{settings:?}").contains("secret"));
}

#[tokio::test]
async fn a_refused_subscription_has_its_code_and_messages_meanwhile_are_kept() {
    let (mut session, mut server) = open(Version::V311, ACCEPTED).await.unwrap();
    let serving = async {
        let subscribe = server.hear().await;
        assert_eq!(subscribe, [0x82, 6, 0, 1, 0, 1, b'#', 1]);
        server.say(&[0x30, 4, 0, 1, b't', b'!']).await;
        server.say(&[0x90, 3, 0, 1, 0x80]).await;
        server.hear().await;
        server.say(&[0x90, 3, 0, 2, 0x00]).await;
    };
    let subscribing = async {
        let refused = session.subscribe("#", LONG).await;
        (refused, session.subscribe("t", LONG).await)
    };
    let ((refused, granted), ()) = tokio::join!(subscribing, serving);
    assert!(matches!(
        refused,
        Err(MqttError::Refused {
            code: 0x80,
            reason: None
        })
    ));
    assert_eq!(granted.unwrap().0, 0);
    assert_eq!(session.next_message(LONG).await.unwrap().payload, b"!");
}
