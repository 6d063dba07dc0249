//! Our MQTT side against a broker that others wrote: mosquitto, with a password file and an access list.
//!
//! Ignored, with the reason, where mosquitto is not installed.

// A panic is how these tests fail.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use slcert_rigs::mqtt::wire::{
    ClientPacket, Connect, Properties, Publish, ServerPacket, Subscription, Version, connect,
    decode, frame,
};
use slcert_rigs::mqtt::{Message, MqttError, MqttSettings, Raw, RawError, Session};
use tempfile::TempDir;
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

fn main() {
    let broker = Broker::start().map(Arc::new);
    let mut trials = Vec::new();
    for version in [Version::V311, Version::V5] {
        let mut add = |what: &str, test: fn(&Broker, Version) -> Tested| {
            let broker = broker.clone();
            let name = unique(what, version);
            trials.push(Trial::ignorable_test(name, move || match &broker {
                Ok(broker) => test(broker, version).map(|()| Completion::Completed),
                Err(why) => common::leave_out(why),
            }));
        };
        add("a_message_comes_back", |broker, version| {
            run(message_comes_back(broker, version))
        });
        add("a_retained_message_is_told", |broker, version| {
            run(retained(broker, version))
        });
        add("a_request_finds_its_answer", |broker, version| {
            run(request(broker, version))
        });
        add("a_wrong_password_is_refused", |broker, version| {
            run(wrong_password(broker, version))
        });
        add("a_forbidden_topic_is_refused", |broker, version| {
            run(forbidden_topic(broker, version))
        });
        add("a_client_taken_over_ends", |broker, version| {
            run(taken_over(broker, version))
        });
        add("packets_of_both_sides_are_legal", |broker, version| {
            run(packets(broker, version))
        });
        add("an_illegal_connect_is_not_accepted", |broker, version| {
            run(illegal_connect(broker, version))
        });
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // `exit` runs no destructors, and the broker must not survive.
    drop(broker);
    conclusion.exit();
}

type Tested = Result<(), Failed>;

struct Broker {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl Broker {
    fn start() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let passwords = Command::new("mosquitto_passwd")
            .args(["-c", "-b", &path("passwords"), "operator", "right"])
            .output();
        if !passwords.is_ok_and(|output| output.status.success()) {
            return Err("mosquitto_passwd is not installed".into());
        }
        let port = free_port();
        let user = if is_root() { "user root\n" } else { "" };
        let (passwords, access) = (path("passwords"), path("access"));
        let config = format!(
            "{user}listener {port} 127.0.0.1\nallow_anonymous false\npersistence false\n\
             password_file {passwords}\nacl_file {access}\n"
        );
        let write =
            |name: &str, text: &str| fs::write(path(name), text).map_err(|error| error.to_string());
        write("access", "user operator\ntopic readwrite plant/#\n")?;
        write("config", &config)?;
        let process = Command::new(mosquitto())
            .args(["-c", &path("config")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|_| "mosquitto is not installed")?;
        let mut broker = Self {
            port,
            process,
            _folder: folder,
        };
        for _ in 0..100 {
            if let Ok(Some(status)) = broker.process.try_wait() {
                return Err(format!("mosquitto ended at once: {status}"));
            }
            if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(broker);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("mosquitto does not listen".into())
    }

    async fn stream(&self) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap()
    }

    async fn open(&self, version: Version, id: &str) -> Result<Session, MqttError> {
        let settings = MqttSettings::new(version, id).with_login("operator", "right");
        Session::open(settings, self.stream().await, LIMIT).await
    }

    /// A raw connection after a legal CONNECT.
    async fn connected(&self, version: Version, id: &str) -> Raw<TcpStream> {
        let mut raw = Raw::new(self.stream().await);
        let connect = Connect {
            user: Some("operator".into()),
            password: Some(b"right".to_vec()),
            ..Connect::new(version, id)
        };
        raw.send(&connect.emit().unwrap()).await.unwrap();
        let answer = raw.receive(LIMIT).await.unwrap().unwrap();
        assert!(
            matches!(
                decode(&answer, version),
                Ok(ServerPacket::ConnAck { code: 0, .. })
            ),
            "{answer:x?}"
        );
        raw
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn mosquitto() -> &'static str {
    let system = "/usr/sbin/mosquitto";
    if Path::new(system).exists() {
        system
    } else {
        "mosquitto"
    }
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn run(test: impl Future<Output = ()>) -> Tested {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), test).await })?;
    Ok(())
}

/// Names that no other test uses, although all share one broker.
fn unique(what: &str, version: Version) -> String {
    match version {
        Version::V311 => format!("{what}_v311"),
        Version::V5 => format!("{what}_v5"),
    }
}

async fn message_comes_back(broker: &Broker, version: Version) {
    let topic = unique("plant/echo", version);
    let mut session = broker
        .open(version, &unique("echo", version))
        .await
        .unwrap();
    assert!(!session.session_present());
    assert_eq!(session.subscribe(&topic, LIMIT).await.unwrap().0, 1);
    for payload in [&b"one"[..], b"", &[0xFF; 10_000]] {
        assert_eq!(
            session
                .publish(&topic, payload, false, LIMIT)
                .await
                .unwrap()
                .reason,
            0
        );
        let message = session.next_message(LIMIT).await.unwrap();
        assert_eq!(
            message,
            Message {
                topic: topic.clone(),
                payload: payload.to_vec(),
                retain: false
            }
        );
    }
    assert_eq!(session.next_message(SHORT).await, None);
    session.disconnect().await;
}

async fn retained(broker: &Broker, version: Version) {
    let topic = unique("plant/kept", version);
    let mut writer = broker
        .open(version, &unique("kept-w", version))
        .await
        .unwrap();
    writer.publish(&topic, b"old", true, LIMIT).await.unwrap();
    let mut reader = broker
        .open(version, &unique("kept-r", version))
        .await
        .unwrap();
    reader.subscribe(&topic, LIMIT).await.unwrap();
    assert!(reader.next_message(LIMIT).await.unwrap().retain);
    writer.publish(&topic, b"", true, LIMIT).await.unwrap();
    assert!(!reader.next_message(LIMIT).await.unwrap().retain);
}

async fn request(broker: &Broker, version: Version) {
    let (asks, answers) = (
        unique("plant/ask", version),
        unique("plant/answer", version),
    );
    let mut device = broker
        .open(version, &unique("device", version))
        .await
        .unwrap();
    device.subscribe(&asks, LIMIT).await.unwrap();
    let mut client = broker
        .open(version, &unique("asker", version))
        .await
        .unwrap();
    let serve = async {
        device.next_message(LIMIT).await.unwrap();
        device
            .publish(&answers, b"not this", false, LIMIT)
            .await
            .unwrap();
        device
            .publish(&answers, b"this", false, LIMIT)
            .await
            .unwrap();
    };
    let is_answer = |message: &Message| message.payload == b"this";
    let (answer, ()) = tokio::join!(
        client.request(&asks, b"?", &answers, is_answer, LIMIT),
        serve
    );
    assert_eq!(answer.unwrap().payload, b"this");
}

async fn wrong_password(broker: &Broker, version: Version) {
    let settings = MqttSettings::new(version, "intruder").with_login("operator", "wrong");
    let opened = Session::open(settings, broker.stream().await, LIMIT).await;
    let want = match version {
        Version::V311 => 5,
        Version::V5 => 0x87,
    };
    assert!(
        matches!(opened, Err(MqttError::Refused { code, .. }) if code == want),
        "{opened:?}"
    );
}

async fn forbidden_topic(broker: &Broker, version: Version) {
    let mut session = broker
        .open(version, &unique("forbidden", version))
        .await
        .unwrap();
    let published = session.publish("elsewhere", b"x", false, LIMIT).await;
    match version {
        // 3.1.1 has no way to say so.
        Version::V311 => assert_eq!(published.unwrap().reason, 0),
        Version::V5 => assert!(
            matches!(published, Err(MqttError::Refused { code: 0x87, .. })),
            "{published:?}"
        ),
    }
    assert!(
        session
            .publish("plant/ok", b"x", false, LIMIT)
            .await
            .is_ok(),
        "the session goes on"
    );
}

async fn taken_over(broker: &Broker, version: Version) {
    let id = unique("twin", version);
    let mut first = broker.open(version, &id).await.unwrap();
    let _second = broker.open(version, &id).await.unwrap();
    let ended = first.ended(LIMIT).await.unwrap();
    // [MQTT-3.1.4-3] wants a DISCONNECT with 0x8E in 5.0; some releases of mosquitto just close.
    let told = matches!(ended, MqttError::Refused { code: 0x8E, .. }) && version == Version::V5;
    assert!(told || matches!(ended, MqttError::Closed(_)), "{ended:?}");
}

async fn packets(broker: &Broker, version: Version) {
    let mut raw = broker.connected(version, &unique("packets", version)).await;
    let topic = unique("plant/packets", version);
    let publish = |qos| {
        ClientPacket::Publish(Publish {
            topic: topic.clone(),
            payload: b"!".to_vec(),
            qos,
            retain: false,
            dup: false,
            packet_id: 5,
            properties: Properties::default(),
        })
    };
    let subscribe = ClientPacket::Subscribe {
        packet_id: 3,
        filters: vec![Subscription {
            filter: topic.clone(),
            options: 0,
        }],
        properties: Properties::default(),
    };
    let unsubscribe = ClientPacket::Unsubscribe {
        packet_id: 4,
        filters: vec![topic.clone()],
        properties: Properties::default(),
    };
    let mut said = Vec::new();
    for packet in [
        subscribe,
        publish(1),
        publish(2),
        ClientPacket::PingReq,
        unsubscribe,
    ] {
        raw.send(&packet.emit(version).unwrap()).await.unwrap();
        while let Some(answer) = raw.receive(SHORT).await.unwrap() {
            said.push(decode(&answer, version).unwrap());
        }
    }
    let count = |is: fn(&ServerPacket) -> bool| said.iter().filter(|packet| is(packet)).count();
    assert_eq!(
        count(|packet| matches!(packet, ServerPacket::SubAck { .. })),
        2,
        "{said:?}"
    );
    assert_eq!(
        count(|packet| matches!(packet, ServerPacket::Ack { .. })),
        2,
        "{said:?}"
    );
    assert_eq!(
        count(|packet| matches!(packet, ServerPacket::PingResp)),
        1,
        "{said:?}"
    );
    let disconnect = ClientPacket::Disconnect {
        reason: 0,
        properties: Properties::default(),
    };
    raw.send(&disconnect.emit(version).unwrap()).await.unwrap();
    assert!(raw.closed(LIMIT).await.unwrap().is_some());
}

async fn illegal_connect(broker: &Broker, version: Version) {
    let good = Connect::new(version, "illegal").parts().unwrap();
    let reserved_flag = connect::ConnectParts {
        flags: good.flags | connect::flag::RESERVED,
        ..good.clone()
    };
    let other_protocol = connect::ConnectParts {
        name: frame::sized(b"MQXX").unwrap(),
        ..good.clone()
    };
    let cut = frame::packet(good.first, &good.body()[..9]).unwrap();
    let garbage = frame::lie(0x10, &[0xFF, 0xFF, 0xFF, 0xFF], &[0; 16]);
    for bytes in [
        reserved_flag.emit().unwrap(),
        other_protocol.emit().unwrap(),
        cut,
        garbage,
    ] {
        let mut raw = Raw::new(broker.stream().await);
        raw.send(&bytes).await.unwrap();
        assert!(
            raw.closed(LIMIT).await.unwrap().is_some(),
            "not closed after {bytes:x?}"
        );
        // The broker may say why first (5.0, §4.13), but it does not accept.
        match raw.receive(SHORT).await {
            Err(RawError::Closed(_)) => {}
            Ok(Some(answer)) => {
                let packet = decode(&answer, version);
                assert!(
                    !matches!(packet, Ok(ServerPacket::ConnAck { code: 0, .. })),
                    "{bytes:x?}: {packet:?}"
                );
            }
            other => panic!("{bytes:x?}: {other:?}"),
        }
    }
}
