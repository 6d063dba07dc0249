//! MQTT packets that leave a broker waiting for the rest, to mosquitto: declared and never sent, cut off, partial headers. Each has a
//! session of its own, and is answered by silence; a harness that waits it out sends a dozen a second.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use slcert_profiles::file::Source;
use slcert_rigs::bench::Bench;
use slcert_rigs::mqtt::wire::{Connect, Version};
use slcert_rigs::rig::Rig;
use slcert_suites::Procedure;
use slcert_suites::fuzz::engine::{self, Budget};
use slcert_suites::fuzz::generate::Grammar;
use slcert_suites::fuzz::input::Input;
use slcert_suites::fuzz::mqtt::{broker, unfinished};

use super::narrowed::Narrowed;
use super::{ROUNDS, TIME, no_finding, say};

const USER: &str = "bench";
const PASSWORD: &str = "eight-words-of-no-meaning";
const VERSION: Version = Version::V311;
/// A PUBLISH of ten bytes, of which one is sent.
const PART: [u8; 3] = [0x30, 10, 0];

pub async fn compare() {
    let work = tempfile::tempdir().expect("a temporary folder");
    let address = free();
    let Some(mut server) = mosquitto(work.path(), &address) else {
        println!("MQTT, packets that do not end         left out: mosquitto is not installed");
        return;
    };
    let rig = Rig::load(&Source::new("silent.toml", &rig(&address))).expect("a rig");
    let bench = Bench::start(rig, work.path(), work.path(), Path::new(""))
        .await
        .expect("a bench");
    let requirement = "CR 3.5".parse().expect("an id");
    let procedure = Procedure::new(&bench, Some("broker"), requirement);
    let target = broker(&procedure).expect("a target");
    let (mut bare, mut suite) = (Vec::new(), Vec::new());
    for seed in 0..ROUNDS as u64 {
        bare.push(loop_of_one(&address));
        let silent = Narrowed::new(&target, Arc::new(Unfinished));
        let budget = Budget {
            time: TIME,
            seed,
            ..Budget::default()
        };
        let outcome = engine::run(&bench, &silent, budget)
            .await
            .expect("a broker that serves");
        no_finding(&outcome);
        suite.push(outcome.coverage.inputs() as f64 / outcome.time.as_secs_f64());
    }
    say("MQTT, packets that do not end", bare, suite);
    bench.stop().await;
    server.kill().expect("mosquitto runs");
    server.wait().expect("its end");
}

/// Of the suite's inputs, those alone that leave a broker waiting.
struct Unfinished;

impl Grammar for Unfinished {
    fn inputs(&self) -> BoxedStrategy<Input> {
        unfinished(VERSION)
    }

    fn variations(&self, _: &Input) -> BoxedStrategy<Input> {
        unfinished(VERSION)
    }
}

/// A session with such a packet in it, and its end, so many times a second.
fn loop_of_one(address: &str) -> f64 {
    let mut connect = Connect::new(VERSION, "slcert-bare");
    connect.user = Some(USER.to_owned());
    connect.password = Some(PASSWORD.as_bytes().to_vec());
    let connect = connect.emit().expect("a CONNECT");
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < TIME {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a reset at the end");
        let mut answer = [0; 4];
        stream.write_all(&connect).expect("a CONNECT");
        stream.read_exact(&mut answer).expect("a CONNACK");
        stream.write_all(&PART).expect("a part of a packet");
        stream.shutdown(Shutdown::Write).expect("a half close");
        stream.read_to_end(&mut Vec::new()).expect("its end");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}

/// A broker without TLS that asks for a password, on the other core; none where it is not installed.
fn mosquitto(folder: &Path, address: &str) -> Option<Child> {
    let places = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
    let program = places.into_iter().find(|it| Path::new(it).exists())?;
    let passwords = folder.join("passwords");
    let made = Command::new("mosquitto_passwd")
        .arg("-c")
        .arg("-b")
        .arg(&passwords)
        .args([USER, PASSWORD])
        .stderr(Stdio::null())
        .status();
    made.ok().filter(|status| status.success())?;
    std::fs::write(folder.join("password"), PASSWORD).expect("a file");
    let (host, port) = address.split_once(':').expect("a port");
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let settings = format!(
        "user {user}\nlistener {port} {host}\nallow_anonymous false\npassword_file {}\nlog_type none\n",
        passwords.display()
    );
    let file = folder.join("mosquitto.conf");
    std::fs::write(&file, settings).expect("a file");
    let mut server = Command::new("taskset")
        .args(["-c", "1", program, "-c"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto");
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        let ended = server.try_wait().expect("a process");
        assert!(ended.is_none(), "mosquitto ended: {ended:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "no mosquitto");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}

fn rig(address: &str) -> String {
    format!(
        r#"
[dut]
product = "mosquitto"
vendor = "Eclipse"
firmware = "unknown"
component = "software-application"

[interface.broker]
kind = "mqtt"
version = "3.1.1"
address = "{address}"
users = ["process"]

[role.bench]
may = []

[account.bench]
role = "bench"
user = "{USER}"
password = {{ file = "{{work}}/password" }}
interfaces = ["broker"]
"#
    )
}
