//! The device as a client of the Modbus server upstream, seen by a server that is written out byte by byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::time::Duration;

use slcert_sim::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use common::Bench;

const SOON: Duration = Duration::from_secs(3);

async fn comes(listener: &TcpListener) -> TcpStream {
    let came = timeout(SOON, listener.accept());
    came.await.expect("the device does not come").unwrap().0
}

/// The device's next request: its transaction, and the rest from the unit on.
async fn asks(stream: &mut TcpStream) -> ([u8; 2], Vec<u8>) {
    let mut head = [0; 6];
    let read = timeout(SOON, stream.read_exact(&mut head));
    read.await.expect("the device asks nothing").unwrap();
    assert_eq!(head[2..5], [0, 0, 0]);
    let mut rest = vec![0; usize::from(head[5])];
    stream.read_exact(&mut rest).await.unwrap();
    ([head[0], head[1]], rest)
}

async fn answers(stream: &mut TcpStream, transaction: [u8; 2], pdu: &[u8]) {
    let head = [&transaction[..], &[0, 0, 0, pdu.len() as u8 + 1, 1], pdu];
    stream.write_all(&head.concat()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_the_inflow_tells_its_level_and_takes_no_answer_to_something_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _bench = Bench::start(Config {
        upstream: Some(address),
        ..Config::default()
    })
    .await;
    let mut stream = comes(&listener).await;
    let (transaction, inflow) = asks(&mut stream).await;
    assert_eq!(inflow, [1, 4, 0, 0, 0, 2]);
    // One of another transaction is not looked at, and the right one behind it is.
    answers(&mut stream, [9, 9], &[4, 4, 0, 5, 0, 0]).await;
    answers(&mut stream, transaction, &[4, 4, 0, 7, 0, 0]).await;
    let (transaction, states) = asks(&mut stream).await;
    assert_eq!(states, [1, 2, 0, 0, 0, 8]);
    // An exception is an answer.
    answers(&mut stream, transaction, &[0x82, 6]).await;
    let (transaction, tells) = asks(&mut stream).await;
    assert_eq!(tells[..7], [1, 16, 0, 10, 0, 1, 2]);
    answers(&mut stream, transaction, &[16, 0, 10, 0, 1]).await;
    // What does not fit ends the connection.
    let (transaction, again) = asks(&mut stream).await;
    assert_eq!(again, inflow);
    answers(&mut stream, transaction, &[4, 2, 0, 7]).await;
    let mut last = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut last)).await.unwrap();
    assert_eq!(last, [0u8; 0]);
    comes(&listener).await;
}
