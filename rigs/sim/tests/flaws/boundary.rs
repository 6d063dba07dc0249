//! The flaws of what passes between the two networks, and of who comes from outside.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::common::Bench;

const SOON: Duration = Duration::from_millis(400);

/// From which address to which other one something is sent.
#[derive(Clone, Copy)]
struct Way(Ipv4Addr, Ipv4Addr);

fn inwards(bench: &Bench) -> Way {
    let networks = bench.device.ready().networks;
    Way(networks.outside, networks.inside_station)
}

fn outwards(bench: &Bench) -> Way {
    let networks = bench.device.ready().networks;
    Way(networks.inside, networks.outside_station)
}

async fn open(way: Way, port: u16, says: &str) -> Option<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((way.1, port)).await.unwrap();
    let mut near = TcpStream::connect((way.0, port)).await.ok()?;
    near.write_all(says.as_bytes()).await.ok()?;
    let (mut far, _) = timeout(SOON, listener.accept()).await.ok()?.ok()?;
    reads(&mut far, says).await.then_some((near, far))
}

async fn reads(far: &mut TcpStream, says: &str) -> bool {
    let mut read = vec![0; says.len()];
    let whole = timeout(SOON, far.read_exact(&mut read)).await;
    matches!(whole, Ok(Ok(_))) && read == says.as_bytes()
}

async fn tcp(way: Way, port: u16) -> bool {
    open(way, port, "mark").await.is_some()
}

async fn udp(way: Way, port: u16) -> bool {
    let listener = UdpSocket::bind((way.1, port)).await.unwrap();
    let sender = UdpSocket::bind((way.1, 0)).await.unwrap();
    sender.send_to(b"mark", (way.0, port)).await.unwrap();
    let mut packet = [0; 16];
    let heard = timeout(SOON, listener.recv(&mut packet)).await;
    matches!(heard, Ok(Ok(4)))
}

/// What is delivered passes: otherwise nothing that is kept back counts.
async fn delivered(bench: &Bench) -> bool {
    let (inwards, outwards) = (inwards(bench), outwards(bench));
    tcp(inwards, 4840).await
        && udp(inwards, 4000).await
        && tcp(outwards, 5450).await
        && udp(outwards, 5140).await
}

async fn ask(bench: &Bench, user: &str, command: &str) -> String {
    let mut console = bench.logged_in(user).await;
    let answer = console.answer(command).await;
    console.log_out().await;
    answer
}

pub async fn broadcast_crosses(bench: &Bench) -> bool {
    let networks = bench.device.ready().networks;
    udp(Way(networks.outside_all, networks.inside_all), 47808).await
}

pub async fn multicast_crosses(bench: &Bench) -> bool {
    let networks = bench.device.ready().networks;
    udp(Way(networks.outside_group, networks.inside_group), 2222).await
}

pub async fn udp_bridged_out(bench: &Bench) -> bool {
    assert!(delivered(bench).await);
    udp(outwards(bench), 47808).await
}

pub async fn rule_both_ways(bench: &Bench) -> bool {
    tcp(outwards(bench), 4840).await
}

pub async fn rule_off_by_one(bench: &Bench) -> bool {
    tcp(inwards(bench), 4841).await
}

pub async fn rule_for_any_protocol(bench: &Bench) -> bool {
    udp(inwards(bench), 4840).await
}

pub async fn default_allow_after_restart(bench: &Bench) -> bool {
    assert!(!tcp(inwards(bench), 20000).await);
    let again = bench.again().await;
    assert!(delivered(&again).await);
    tcp(inwards(&again), 20000).await
}

pub async fn empty_table_allows_all(bench: &Bench) -> bool {
    assert_eq!(ask(bench, "ada", "boundary clear").await, "OK");
    let passes = tcp(inwards(bench), 4840).await;
    assert_eq!(ask(bench, "ada", "boundary restore").await, "OK");
    assert!(delivered(bench).await);
    passes
}

pub async fn cleared_rules_go_on(bench: &Bench) -> bool {
    empty_table_allows_all(bench).await
}

pub async fn island_leaks_out(bench: &Bench) -> bool {
    assert_eq!(ask(bench, "ada", "boundary island on").await, "OK");
    assert!(!tcp(inwards(bench), 4840).await);
    tcp(outwards(bench), 5450).await
}

pub async fn island_for_ever(bench: &Bench) -> bool {
    ask(bench, "ada", "boundary island on").await;
    assert_eq!(ask(bench, "ada", "boundary island off").await, "OK");
    !tcp(inwards(bench), 4840).await
}

pub async fn island_keeps_connections(bench: &Bench) -> bool {
    let (mut near, mut far) = open(inwards(bench), 4840, "first").await.unwrap();
    ask(bench, "ada", "boundary island on").await;
    assert!(!tcp(outwards(bench), 5450).await);
    near.write_all(b"second").await.is_ok() && reads(&mut far, "second").await
}

/// Something takes the place of the table of rules.
fn break_table(bench: &Bench) {
    let table = bench.store().join("boundary.json");
    std::fs::remove_file(&table).unwrap();
    std::fs::create_dir(&table).unwrap();
}

pub async fn filter_fails_open(bench: &Bench) -> bool {
    assert!(delivered(bench).await);
    break_table(bench);
    tcp(inwards(bench), 4840).await && tcp(inwards(bench), 20000).await
}

pub async fn filter_fails_open_out(bench: &Bench) -> bool {
    break_table(bench);
    assert!(!tcp(inwards(bench), 4840).await);
    tcp(outwards(bench), 5450).await
}

pub async fn chat_crosses(bench: &Bench) -> bool {
    tcp(inwards(bench), 5222).await
}

pub async fn call_crosses(bench: &Bench) -> bool {
    udp(inwards(bench), 5060).await
}

pub async fn mail_on_any_port(bench: &Bench) -> bool {
    assert!(delivered(bench).await);
    open(inwards(bench), 4840, "EHLO bench\r\n").await.is_some()
}

pub async fn management_outside(bench: &Bench) -> bool {
    let outside = bench.device.ready().networks.outside;
    assert!(TcpStream::connect((outside, 1802)).await.is_ok());
    TcpStream::connect((outside, 2323)).await.is_ok()
}

/// Whether the device goes on with who comes from outside: one that keeps him out ends the connection at once.
async fn stays_open(bench: &Bench) -> bool {
    let outside = bench.device.ready().networks.outside;
    let mut stream = TcpStream::connect((outside, 1802)).await.unwrap();
    timeout(SOON, stream.read(&mut [0; 1])).await.is_err()
}

pub async fn outside_unlogged(bench: &Bench) -> bool {
    assert!(!stays_open(bench).await);
    let mut console = bench.logged_in("ada").await;
    let log = console.ask("show audit 20").await.join("\n");
    !log.contains("from outside")
}

pub async fn outside_unapproved(bench: &Bench) -> bool {
    stays_open(bench).await
}

pub async fn approval_for_ever(bench: &Bench) -> bool {
    assert_eq!(ask(bench, "erik", "access approve 1").await, "OK");
    assert!(stays_open(bench).await);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    stays_open(bench).await
}

pub async fn access_approved_by_anyone(bench: &Bench) -> bool {
    assert!(!stays_open(bench).await);
    ask(bench, "vera", "access approve 5").await;
    stays_open(bench).await
}
