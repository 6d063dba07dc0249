//! The device as a client of the site's broker, seen by a broker that is written out byte by byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::time::Duration;

use slcert_sim::{Broker, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use common::Bench;

async fn comes(listener: &TcpListener) -> TcpStream {
    let came = timeout(Duration::from_secs(3), listener.accept());
    came.await.expect("the device does not come").unwrap().0
}

async fn says(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = [0; 256];
    let read = timeout(Duration::from_secs(3), stream.read(&mut bytes));
    let length = read.await.expect("the device says nothing").unwrap();
    bytes[..length].to_vec()
}

async fn device(v5: bool) -> (Bench, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let bench = Bench::start(Config {
        brokers: vec![Broker { address, v5 }],
        ..Config::default()
    });
    (bench.await, listener)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_subscribes_acknowledges_tells_its_level_and_comes_again() {
    for v5 in [false, true] {
        let (_bench, listener) = device(v5).await;
        let mut stream = comes(&listener).await;
        let connect = says(&mut stream).await;
        let level = if v5 { 5 } else { 4 };
        assert_eq!(connect[2..9], [0, 4, b'M', b'Q', b'T', b'T', level]);
        let connack: &[u8] = if v5 {
            &[0x20, 3, 0, 0, 0]
        } else {
            &[0x20, 2, 0, 0]
        };
        stream.write_all(connack).await.unwrap();
        let subscribe = says(&mut stream).await;
        assert_eq!(subscribe[0], 0x82);
        assert!(subscribe.ends_with(b"\0\x0Bsite/demand\x01"));
        let suback: &[u8] = if v5 {
            &[0x90, 4, 0, 1, 0, 1]
        } else {
            &[0x90, 3, 0, 1, 1]
        };
        stream.write_all(suback).await.unwrap();
        stream.write_all(&[0x62, 2, 0, 9]).await.unwrap();
        let pubcomp = says(&mut stream).await;
        assert_eq!(pubcomp[0], 0x70);
        let told = says(&mut stream).await;
        assert!(
            told.windows(10).any(|part| part == b"site/level"),
            "{told:02X?}"
        );
        // QoS 3 ends it.
        stream.write_all(b"\x36\x05\0\x01a\0\x01").await.unwrap();
        let mut last = Vec::new();
        let _ = timeout(Duration::from_secs(3), stream.read_to_end(&mut last))
            .await
            .unwrap();
        assert_eq!(last.ends_with(&[0xE0, 1, 0x81]), v5);
        let again = says(&mut comes(&listener).await).await;
        assert_eq!(again, connect);
    }
}
