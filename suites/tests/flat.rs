//! However long a fuzz suite runs, this program holds no more: what a case leaves behind is bounded.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use slcert_profiles::file::Source;
use slcert_rigs::bench::Bench;
use slcert_rigs::rig::Rig;
use slcert_suites::Procedure;
use slcert_suites::fuzz::engine::{self, Budget};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// After so many requests everything that fills has filled; so many later it must not hold more.
const FULL: u64 = 20_000;
const LATER: u64 = 45_000;
/// What connections and buffers that come and go make of it: about ten bytes a request.
const ROOM: usize = 256 << 10;

#[tokio::test]
async fn what_is_held_does_not_grow_with_the_inputs() {
    let (address, served) = server();
    let rig = Rig::load(&Source::new("flat.toml", &rig(&address))).unwrap();
    let work = Path::new("");
    let bench = Bench::start(rig, work, work, work).await.unwrap();
    let procedure = Procedure::new(&bench, Some("server"), "CR 3.5".parse().unwrap());
    let target = slcert_suites::fuzz::modbus::tcp(&procedure).unwrap();
    let budget = Budget {
        time: Duration::from_secs(600),
        inputs: Some(LATER * 2),
        seed: 1,
        ..Budget::default()
    };
    let over = AtomicBool::new(false);
    let held_after = async |requests: u64| {
        while served.load(Ordering::Relaxed) < requests && !over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        HEAP.current_usage()
    };
    let run = async {
        let outcome = engine::run(&bench, &target, budget).await.unwrap();
        over.store(true, Ordering::Relaxed);
        outcome
    };
    let watched = async { (held_after(FULL).await, held_after(LATER).await) };
    let (full, later) = tokio::select! {
        held = watched => held,
        outcome = run => panic!("the suite ended first: {:?} {:?}", outcome.ended, outcome.reported),
    };
    assert!(
        later < full + ROOM,
        "{full} bytes after {FULL} requests, {later} after {LATER}"
    );
}

fn rig(address: &str) -> String {
    format!(
        r#"
[dut]
product = "a server"
vendor = "the test"
firmware = "1"
component = "embedded-device"

[interface.server]
kind = "modbus-tcp"
address = "{address}"
users = ["process"]
anonymous = ["read"]

[operation.read]
server = {{ read_holding = 0 }}
"#
    )
}

/// A server that reads one register and knows nothing else; it counts what it answers.
fn server() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&served);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || serve(stream, &count));
        }
    });
    (address, served)
}

/// Answers until the client leaves, or sends what begins no frame.
fn serve(mut stream: TcpStream, count: &AtomicU64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    loop {
        let mut head = [0; 7];
        stream.read_exact(&mut head).ok()?;
        let [_, _, 0, 0, 0, length @ 2..=254, _] = head else {
            return None;
        };
        let mut pdu = vec![0; usize::from(length) - 1];
        stream.read_exact(&mut pdu).ok()?;
        let said = match pdu.as_slice() {
            [3, 0, 0, 0, 1] => vec![3, 2, 0, 0],
            [3, _, _, 0, 1..=125] => vec![0x83, 2],
            [3, ..] => vec![0x83, 3],
            [other, ..] => vec![other | 0x80, 1],
            [] => return None,
        };
        head[5] = said.len() as u8 + 1;
        stream.write_all(&[&head[..], &said].concat()).ok()?;
        count.fetch_add(1, Ordering::Relaxed);
    }
}
