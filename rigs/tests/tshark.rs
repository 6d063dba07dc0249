//! Stock tshark reads in our recordings what was on the lines. Ignored, with the reason, where tshark is not installed.

// A panic is how these tests fail.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Trial};
use slcert_rigs::Secret;
use slcert_rigs::line::{Carrier, Direction, Keep, Recorded, Recorder};
use slcert_rigs::modbus::wire::mbap;
use slcert_rigs::modbus::wire::rtu::seal;
use slcert_rigs::mqtt::wire::{ClientPacket, Connect, Publish, Version};
use slcert_rigs::tls::{TlsSettings, open_tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use Direction::{Received, Sent};

const ALL: usize = usize::MAX;

fn main() {
    let tests: [(&str, fn()); 9] = [
        ("modbus_rtu_is_read_frame_by_frame", rtu),
        ("modbus_tcp_is_read_session_by_session", modbus_tcp),
        ("mqtt_is_read_with_its_password_filled", mqtt),
        ("a_long_packet_is_put_together_again", long),
        ("a_session_from_before_the_recording_is_read", joined),
        ("remarks_and_what_is_left_out_stand_at_packets", remarks),
        ("times_are_those_of_the_recording", times),
        ("tls_1_2_is_read_with_its_keys_alone", || {
            tls(&rustls::version::TLS12)
        }),
        ("tls_1_3_is_read_with_its_keys_alone", || {
            tls(&rustls::version::TLS13)
        }),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::ignorable_test(name, move || {
            match Command::new("tshark").arg("-v").output() {
                Ok(_) => {
                    test();
                    Ok(Completion::Completed)
                }
                Err(_) => common::leave_out("tshark is not installed"),
            }
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

/// What tshark finds in a file, one line a packet that fits the filter, the fields apart by `|`.
fn read(file: &[u8], filter: &str, fields: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trial.pcapng");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&path).args(["-Y", filter]);
    command.args(["-T", "fields", "-E", "separator=|"]);
    // Nothing that this user has set, and every sum is looked at.
    command.env("WIRESHARK_CONFIG_DIR", folder.path());
    command.args(["-o", "ip.check_checksum:TRUE"]);
    command.args(["-o", "tcp.check_checksum:TRUE"]);
    command.args(["-o", "mbrtu.crc_verification:TRUE"]);
    let output = command
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What an analyser would find odd, whatever the protocol.
const ODD: &str =
    "_ws.malformed or ip.checksum.status == 0 or tcp.checksum.status == 0 or tcp.analysis.flags";

type Said<'s> = [(Direction, &'s [u8])];

fn say(recorder: &Recorder, line: &str, carrier: Carrier, said: &Said<'_>) {
    let channel = recorder.open(line, Some(carrier), Keep::All);
    for (direction, bytes) in said {
        recorder.keep(&channel, *direction, bytes, Keep::All);
    }
}

fn mbap(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let frame = mbap::Repr {
        transaction,
        unit,
        pdu,
    };
    frame.emit().unwrap()
}

fn rtu() {
    let recorder = Recorder::new();
    let sealed = |bytes: &[u8]| seal(bytes.to_vec());
    let answer = sealed(&[1, 3, 4, 0, 7, 0, 8]);
    let mut broken = sealed(&[1, 4, 2, 0, 9]);
    broken[4] ^= 1;
    let said: [(Direction, &[u8]); 9] = [
        (Sent, &sealed(&[1, 3, 0, 0, 0, 2])),
        (Received, &answer[..1]),
        (Received, &answer[1..6]),
        (Received, &answer[6..]),
        (Sent, &sealed(&[1, 6, 0, 1, 0, 5])),
        (Received, &sealed(&[1, 0x86, 2])),
        // Two broadcasts, which nobody answers, are two frames. tshark 4.0 takes no unit 0 for Modbus.
        (Sent, &sealed(&[0, 5, 0, 0, 0xFF, 0])),
        (Sent, &sealed(&[0, 6, 0, 1, 0, 5])),
        (Received, &broken),
    ];
    say(&recorder, "field", Carrier::Rtu, &said);
    let file = recorder.take().pcapng(ALL).unwrap();
    let fields = [
        "frame.packet_flags_direction",
        "modbus.func_code",
        "mbrtu.unit_id",
        "modbus.exception_code",
        "frame.interface_name",
    ];
    assert_eq!(
        read(&file, "frame", &fields),
        [
            "0x00000002|3|1||field",
            "0x00000001|3|1||field",
            "0x00000002|6|1||field",
            "0x00000001|6|1|2|field",
            "0x00000002||||field",
            "0x00000002||||field",
            "0x00000001|4|1||field",
        ]
    );
    let query = read(&file, "modbus", &["_ws.col.Info"]);
    assert!(
        query[0].contains("Query") && query[1].contains("Response"),
        "{query:?}"
    );
    assert_eq!(
        read(&file, "mbrtu.crc16.status == 0", &["frame.number"]),
        ["7"]
    );
    assert_eq!(
        read(&file, "modbus.regval_uint16 == 7", &["frame.number"]),
        ["2"]
    );
}

fn modbus_tcp() {
    let recorder = Recorder::new();
    let [one, two] = [0, 1].map(|_| recorder.open("plc", Some(Carrier::Tcp(502)), Keep::All));
    for transaction in 1..=3 {
        for (channel, function) in [(&one, 3), (&two, 4)] {
            let request = mbap(transaction, 255, &[function, 0, 0, 0, 1]);
            recorder.keep(channel, Sent, &request, Keep::All);
            let answer = mbap(transaction, 255, &[function, 2, 0, 7]);
            // tshark 4.0 does not put an MBAP header together again that comes in two parts.
            let (begin, end) = answer.split_at(9);
            recorder.keep(channel, Received, begin, Keep::All);
            recorder.keep(channel, Received, end, Keep::All);
        }
    }
    let file = recorder.take().pcapng(ALL).unwrap();
    let fields = [
        "tcp.stream",
        "mbtcp.trans_id",
        "modbus.func_code",
        "tcp.dstport",
    ];
    let read = |filter: &str| read(&file, filter, &fields);
    let requests = read("modbus and tcp.dstport == 502");
    let expected = [
        "0|1|3|502",
        "1|1|4|502",
        "0|2|3|502",
        "1|2|4|502",
        "0|3|3|502",
        "1|3|4|502",
    ];
    assert_eq!(requests, expected);
    assert_eq!(read("modbus and tcp.srcport == 502").len(), 6);
    assert_eq!(read("modbus.request_frame").len(), 6);
    assert_eq!(read("tcp.flags.syn == 1").len(), 4);
    assert_eq!(read(ODD), [""; 0]);
}

fn mqtt() {
    for (version, level) in [(Version::V311, "4"), (Version::V5, "5")] {
        let recorder = Recorder::new();
        recorder.conceal(&Secret::new("hunter2"));
        let connect = Connect {
            user: Some("operator".into()),
            password: Some(b"hunter2".to_vec()),
            ..Connect::new(version, "client")
        };
        let publish = Publish {
            topic: "plant/cmd".into(),
            payload: b"{\"password\": \"hunter2\"}".to_vec(),
            qos: 0,
            retain: false,
            dup: false,
            packet_id: 0,
            properties: Default::default(),
        };
        let connected: &[u8] = match version {
            Version::V311 => &[0x20, 2, 0, 0],
            Version::V5 => &[0x20, 3, 0, 0, 0],
        };
        let said: [(Direction, &[u8]); 4] = [
            (Sent, &connect.emit().unwrap()),
            (Received, connected),
            (Sent, &ClientPacket::Publish(publish).emit(version).unwrap()),
            (Sent, &ClientPacket::PingReq.emit(version).unwrap()),
        ];
        say(&recorder, "broker", Carrier::Tcp(1883), &said);
        let file = recorder.take().pcapng(ALL).unwrap();
        assert!(!file.windows(7).any(|part| part == b"hunter2"));
        let fields = [
            "mqtt.msgtype",
            "mqtt.username",
            "mqtt.passwd",
            "mqtt.topic",
            "mqtt.ver",
        ];
        let expected = [
            format!("1|operator|*******||{level}"),
            "2||||".to_owned(),
            "3|||plant/cmd|".to_owned(),
            "12||||".to_owned(),
        ];
        assert_eq!(read(&file, "mqtt", &fields), expected);
        assert_eq!(read(&file, ODD, &["frame.number"]), [""; 0]);
    }
}

fn long() {
    let recorder = Recorder::new();
    let publish = Publish {
        topic: "plant/image".into(),
        payload: vec![7; 100_000],
        qos: 0,
        retain: false,
        dup: false,
        packet_id: 0,
        properties: Default::default(),
    };
    let publish = ClientPacket::Publish(publish).emit(Version::V311).unwrap();
    let connect = Connect::new(Version::V311, "client").emit().unwrap();
    let mut said: Vec<(Direction, &[u8])> = vec![(Sent, &connect), (Received, &[0x20, 2, 0, 0])];
    said.extend(publish.chunks(4096).map(|part| (Sent, part)));
    say(&recorder, "broker", Carrier::Tcp(1883), &said);
    let recording = recorder.take();
    let file = recording.pcapng(ALL).unwrap();
    let seen = read(&file, "mqtt.msgtype == 3", &["mqtt.topic", "mqtt.len"]);
    assert_eq!(seen, [format!("plant/image|{}", publish.len() - 4)]);
    assert_eq!(read(&file, ODD, &["frame.number"]), [""; 0]);
    // Of one that may not be as long, both ends are there.
    let file = recording.pcapng(20_000).unwrap();
    assert!(file.len() < 22_000, "{}", file.len());
    let lost = read(&file, "tcp.analysis.lost_segment", &["frame.comment"]);
    assert_eq!(lost.len(), 1);
    assert!(
        lost[0].contains("events are left out before this one"),
        "{lost:?}"
    );
    assert_eq!(read(&file, "mqtt.msgtype == 1", &["frame.number"]), ["4"]);
}

fn joined() {
    let recorder = Recorder::new();
    let channel = recorder.open("plc", Some(Carrier::Tcp(502)), Keep::All);
    let exchange = |transaction: u16| {
        let request = mbap(transaction, 1, &[3, 0, 0, 0, 1]);
        recorder.keep(&channel, Sent, &request, Keep::All);
        let answer = mbap(transaction, 1, &[3, 2, 0, 7]);
        recorder.keep(&channel, Received, &answer, Keep::All);
    };
    exchange(1);
    recorder.clear();
    exchange(2);
    let file = recorder.take().pcapng(ALL).unwrap();
    let seen = read(
        &file,
        "modbus",
        &["mbtcp.trans_id", "tcp.seq_raw", "tcp.ack_raw"],
    );
    assert_eq!(seen, ["2|13|12", "2|12|25"]);
    assert_eq!(
        read(&file, "tcp.flags.syn == 1", &["frame.number"]),
        [""; 0]
    );
    assert_eq!(read(&file, ODD, &["frame.number"]), [""; 0]);
}

fn remarks() {
    let recorder = Recorder::new();
    recorder.conceal(&Secret::new("hunter2"));
    let channel = recorder.open("plc", Some(Carrier::Tcp(502)), Keep::All);
    recorder.note("power", "off and on");
    recorder.note("bench", "hunter2 \x1b[2J");
    recorder.keep(&channel, Sent, &mbap(1, 1, &[3, 0, 0, 0, 1]), Keep::All);
    let file = recorder.take().pcapng(ALL).unwrap();
    let seen = read(&file, "frame.comment", &["frame.number", "frame.comment"]);
    let expected = [
        "1|connection 1 on plc",
        "4|power: off and on; bench: ******* \\x1b[2J",
    ];
    assert_eq!(seen, expected);
}

fn times() {
    let recorder = Recorder::new();
    let before = now();
    let channel = recorder.open("plc", Some(Carrier::Tcp(502)), Keep::All);
    recorder.keep(&channel, Sent, &mbap(1, 1, &[3, 0, 0, 0, 1]), Keep::All);
    std::thread::sleep(Duration::from_millis(50));
    recorder.keep(&channel, Received, &mbap(1, 1, &[0x83, 2]), Keep::All);
    let after = now();
    let file = recorder.take().pcapng(ALL).unwrap();
    let seen: Vec<f64> = read(&file, "modbus", &["frame.time_epoch"])
        .iter()
        .map(|time| time.parse().unwrap())
        .collect();
    // The clock of the recording and that of the day may be a little apart.
    assert!(
        before - 0.01 <= seen[0] && seen[1] <= after + 0.01,
        "{before} {seen:?} {after}"
    );
    assert!(seen[1] - seen[0] >= 0.049, "{seen:?}");
}

/// Sessions under TLS on either port, recorded as the bench does it.
fn tls(version: &'static rustls::SupportedProtocolVersion) {
    let recorder = Recorder::new();
    recorder.conceal(&Secret::new("hunter2"));
    recorder.keep_keys();
    let connect = Connect {
        user: Some("operator".into()),
        password: Some(b"hunter2".to_vec()),
        ..Connect::new(Version::V5, "client")
    };
    let connect = connect.emit().unwrap();
    let request = mbap(1, 1, &[3, 0, 0, 0, 1]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        exchange(&recorder, 8883, version, &connect, &[0x20, 3, 0, 0, 0]).await;
        exchange(
            &recorder,
            802,
            version,
            &request,
            &mbap(1, 1, &[3, 2, 0, 7]),
        )
        .await;
        exchange(&recorder, 8883, version, &connect, &[0x20, 3, 0, 0x86, 0]).await;
    });
    let recording = recorder.take();
    let fields = [
        "tcp.stream",
        "mqtt.msgtype",
        "mqtt.passwd",
        "modbus.func_code",
    ];
    let opened = recording.pcapng_with_keys(ALL).unwrap();
    let seen = read(&opened, "mqtt or modbus", &fields);
    // Passwords in it can be read: that is why it is no part of a bundle.
    let expected = [
        "0|1|hunter2|",
        "0|2||",
        "1|||3",
        "1|||3",
        "2|1|hunter2|",
        "2|2||",
    ];
    assert_eq!(seen, expected);
    assert_eq!(read(&opened, ODD, &fields), [""; 0]);
    let shared = recording.pcapng(ALL).unwrap();
    assert_eq!(read(&shared, "mqtt or modbus", &fields), [""; 0]);
    assert_eq!(read(&shared, "tls.handshake.type == 1", &fields).len(), 3);
    recorder.clear();
    assert!(recorder.take().pcapng_with_keys(ALL).is_none());
}

/// Asks a server under TLS once.
async fn exchange(
    recorder: &Recorder,
    port: u16,
    version: &'static rustls::SupportedProtocolVersion,
    asked: &[u8],
    answer: &[u8],
) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let wire = Recorded::new(ours, recorder, "wire", Some(Carrier::Tcp(port)), Keep::All);
    let settings = TlsSettings {
        server_name: "device".to_owned(),
        keys: recorder.keys(),
        ..TlsSettings::default()
    };
    let serve = async {
        let mut server = acceptor(version).accept(theirs).await.unwrap();
        let mut request = vec![0; asked.len()];
        server.read_exact(&mut request).await.unwrap();
        server.write_all(answer).await.unwrap();
        server.flush().await.unwrap();
        let _ = server.shutdown().await;
    };
    let ask = async {
        let opened = open_tls(Box::new(wire), "device", &settings, Duration::from_secs(5)).await;
        let (mut client, _) = opened.unwrap();
        client.write_all(asked).await.unwrap();
        let mut got = vec![0; answer.len()];
        client.read_exact(&mut got).await.unwrap();
        assert_eq!(got, answer);
        let _ = client.shutdown().await;
    };
    tokio::join!(serve, ask);
}

fn acceptor(version: &'static rustls::SupportedProtocolVersion) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn now() -> f64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}
