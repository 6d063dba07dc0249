//! Modbus on all three lines: with a client that others wrote, and with raw frames.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::time::Duration;

use common::{Bench, Raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_modbus::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn plain_tcp_reads_and_never_writes() {
    let bench = Bench::sound().await;
    let ready = bench.device.ready();
    let address = (ready.address, ready.modbus_tcp).into();
    let mut client = tcp::connect_slave(address, Slave(1)).await.unwrap();
    assert_eq!(
        client.read_holding_registers(0, 3).await.unwrap().unwrap(),
        [500, 400, 900]
    );
    let level = client.read_input_registers(0, 8).await.unwrap().unwrap()[0];
    assert!((490..=510).contains(&level), "{level}");
    assert_eq!(client.read_coils(0, 8).await.unwrap().unwrap(), [false; 8]);
    assert_eq!(
        client.read_discrete_inputs(0, 8).await.unwrap().unwrap(),
        [false; 8]
    );
    let illegal = ExceptionCode::IllegalFunction;
    assert_eq!(
        client
            .write_single_register(1, 1)
            .await
            .unwrap()
            .unwrap_err(),
        illegal
    );
    assert_eq!(
        client
            .write_multiple_registers(1, &[1])
            .await
            .unwrap()
            .unwrap_err(),
        illegal
    );
    assert_eq!(
        client
            .write_single_coil(0, true)
            .await
            .unwrap()
            .unwrap_err(),
        illegal
    );
    assert_eq!(
        client
            .write_multiple_coils(0, &[true])
            .await
            .unwrap()
            .unwrap_err(),
        illegal
    );
    assert_eq!(
        client.read_holding_registers(1, 1).await.unwrap().unwrap(),
        [400]
    );
    let identity = client
        .read_device_identification(ReadCode::Basic, 0)
        .await
        .unwrap()
        .unwrap();
    let objects: Vec<_> = identity
        .device_id_objects
        .iter()
        .filter_map(|object| object.value_as_str())
        .collect();
    assert_eq!(objects, ["Example Controls", "TC-100", "1.4.2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_follow_the_specification() {
    let bench = Bench::sound().await;
    let mut client = bench.tcp().await;
    for (request, exception) in [
        (&[3, 0, 0, 0, 126][..], 3),
        (&[3, 0, 0, 0, 17], 2),
        (&[3, 0xff, 0xff, 0, 2], 2),
        (&[4, 0, 8, 0, 1], 2),
        (&[1, 0, 0, 0, 9], 2),
        (&[1, 0, 0, 0x07, 0xd1], 3),
        (&[3, 0, 0], 3),
        (&[99], 1),
        (&[8, 0, 0, 0xa5, 0x37], 1),
        (&[43, 14, 9, 0], 3),
    ] {
        let answer = client.ask(request).await.unwrap();
        assert_eq!(answer, [request[0] | 0x80, exception], "{request:02x?}");
    }
    assert_eq!(
        client.ask_unit(7, &[3, 0, 0, 0, 1]).await.unwrap(),
        [0x83, 0x0b]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_framing_closes_and_pipelining_works() {
    let bench = Bench::sound().await;
    let mut client = bench.tcp().await;
    client
        .0
        .write_all(&[0, 1, 0, 9, 0, 6, 1, 3, 0, 0, 0, 1])
        .await
        .unwrap();
    assert_eq!(
        client.0.read(&mut [0; 16]).await.unwrap_or(0),
        0,
        "protocol id 9"
    );
    let mut client = bench.tcp().await;
    let request = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
    client.0.write_all(&request.repeat(50)).await.unwrap();
    let mut answers = vec![0; 50 * 11];
    client.0.read_exact(&mut answers).await.unwrap();
    assert!(
        answers
            .chunks(11)
            .all(|answer| answer[7..] == [3, 2, 1, 244])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_serves_32_connections() {
    let bench = Bench::sound().await;
    let mut clients = Vec::new();
    for _ in 0..32 {
        let mut client = bench.tcp().await;
        client.ask(&[3, 0, 0, 0, 1]).await.unwrap();
        clients.push(client);
    }
    assert!(
        bench.tcp().await.ask(&[3, 0, 0, 0, 1]).await.is_err(),
        "one too many"
    );
    clients.pop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        bench.tcp().await.ask(&[3, 0, 0, 0, 1]).await.is_ok(),
        "a place is free again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificates_role_says_what_may_be_written() {
    let bench = Bench::sound().await;
    let setpoint = [6, 0, 0, 0x01, 0x90];
    let output = [6, 0, 1, 0, 9];
    let limit = [6, 0, 2, 0x02, 0xbc];
    let scratch = [16, 0, 14, 0, 2, 4, 0, 1, 0, 2];
    let manual = [5, 0, 0, 0xff, 0];
    let coil = [5, 0, 1, 0xff, 0];
    for (name, allowed) in [
        ("scada-view", [false, false, false, false, false, false]),
        ("scada-oper", [true, true, false, false, true, false]),
        ("scada-eng", [true, true, true, true, true, true]),
    ] {
        let mut client = bench.tls("clients", name).await.unwrap();
        let requests: [&[u8]; 6] = [&setpoint, &output, &limit, &scratch, &manual, &coil];
        for (request, allowed) in requests.into_iter().zip(allowed) {
            let answer = client.ask(request).await.unwrap();
            if allowed {
                assert_eq!(answer, request[..5], "{name} {request:02x?}");
            } else {
                assert_eq!(answer, [request[0] | 0x80, 1], "{name} {request:02x?}");
            }
        }
    }
    let mut client = bench.tls("clients", "scada-oper").await.unwrap();
    let both = [16, 0, 1, 0, 2, 4, 0, 77, 0, 78];
    assert_eq!(
        client.ask(&both).await.unwrap(),
        [0x90, 1],
        "the limit is not the operator's"
    );
    assert_eq!(
        client.ask(&[3, 0, 1, 0, 1]).await.unwrap(),
        [3, 2, 0, 9],
        "nothing was written"
    );
    assert_eq!(
        client.ask(&[6, 0, 0, 0, 1]).await.unwrap(),
        [0x86, 3],
        "out of range"
    );
    assert_eq!(client.ask(&[6, 0, 16, 0, 1]).await.unwrap(), [0x86, 2]);
    let mut console = bench.logged_in("erik").await;
    assert_eq!(console.answer("show setpoint").await, "OK 400");
    let log = console.ask("show audit 100").await.join("\n");
    assert!(
        log.contains("source=modbus-tls category=system type=write_output user=scada-oper"),
        "{log}"
    );
    assert!(log.contains("type=refused user=scada-view result=failure detail=\"write_setpoint\""));
    assert!(log.contains("category=access type=connect user=scada-eng"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_so_many_sessions_and_a_silent_one_is_ended() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(console.answer("config set sessions 1").await, "OK");
    assert_eq!(console.answer("config set remote_idle 1").await, "OK");
    let mut client = bench.tls("clients", "scada-view").await.unwrap();
    assert!(bench.tls("clients", "scada-view").await.is_err());
    assert!(bench.tls("clients", "scada-oper").await.is_ok());
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(client.ask(&[3, 0, 0, 0, 1]).await.is_ok(), "used in time");
    tokio::time::sleep(Duration::from_millis(1300)).await;
    assert!(client.ask(&[3, 0, 0, 0, 1]).await.is_err(), "silent");
    assert!(bench.tls("clients", "scada-view").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_one_proper_role_may_nothing() {
    let bench = Bench::sound().await;
    for name in ["no_role", "two_roles", "role_ia5", "wrong_oid"] {
        let mut client = bench.tls("negatives", name).await.unwrap();
        for request in [
            &[3, 0, 0, 0, 1][..],
            &[6, 0, 1, 0, 1],
            &[43, 14, 1, 0],
            &[99],
        ] {
            assert_eq!(
                client.ask(request).await.unwrap(),
                [request[0] | 0x80, 1],
                "{name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_the_cas_or_not_in_time_are_refused() {
    let bench = Bench::sound().await;
    for name in ["self_signed", "foreign_ca", "expired"] {
        assert!(bench.tls("negatives", name).await.is_err(), "{name}");
    }
    assert!(bench.tls("clients", "scada-view").await.is_ok());
    let mut console = bench.logged_in("erik").await;
    let log = console.ask("show audit 100").await.join("\n");
    assert_eq!(
        log.matches("source=modbus-tls category=access type=connect user=- result=failure")
            .count(),
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rtu_reads_and_never_writes() {
    let bench = Bench::sound().await;
    let mut client = rtu::attach_slave(line(&bench), Slave(1));
    assert_eq!(
        client.read_holding_registers(0, 3).await.unwrap().unwrap(),
        [500, 400, 900]
    );
    let refused = client.write_single_register(1, 1).await.unwrap();
    assert_eq!(refused.unwrap_err(), ExceptionCode::IllegalFunction);
    let refused = client.write_multiple_registers(1, &[1, 2]).await.unwrap();
    assert_eq!(refused.unwrap_err(), ExceptionCode::IllegalFunction);
    assert_eq!(
        client.read_input_registers(2, 1).await.unwrap().unwrap(),
        [400]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rtu_is_silent_to_what_is_not_meant_for_it_or_broken() {
    let bench = Bench::sound().await;
    let mut line = line(&bench);
    let good = [1, 3, 0, 0, 0, 1, 0x84, 0x0a];
    let other_unit = [2, 3, 0, 0, 0, 1, 0x84, 0x39];
    let broadcast = [0, 3, 0, 0, 0, 1, 0x85, 0xdb];
    let bad_check = [1, 3, 0, 0, 0, 1, 0x84, 0x0b];
    let one_byte_more = [good.as_slice(), &[0x55]].concat();
    for frame in [
        &other_unit[..],
        &broadcast,
        &bad_check,
        &good[..7],
        &one_byte_more,
        &[1, 99, 0, 0],
        &[0xff; 300],
    ] {
        line.write_all(frame).await.unwrap();
        let silence =
            tokio::time::timeout(Duration::from_millis(80), line.read(&mut [0; 64])).await;
        assert!(silence.is_err(), "{frame:02x?}");
    }
    // In two parts, with less than the silence between them.
    let mut answer = [0; 7];
    let mut answered = false;
    // On a busy machine the silence may be longer than it was meant to be.
    for _ in 0..5 {
        line.write_all(&good[..3]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        line.write_all(&good[3..]).await.unwrap();
        let read = tokio::time::timeout(Duration::from_millis(500), line.read_exact(&mut answer));
        answered = read.await.is_ok();
        if answered {
            break;
        }
    }
    assert!(answered);
    assert_eq!(answer[..5], [1, 3, 2, 1, 244]);
    // Function 99 with a right check has no known length: the pause ends it.
    line.write_all(&[1, 99, 0x40, 0x09]).await.unwrap();
    let mut answer = [0; 5];
    let read = tokio::time::timeout(Duration::from_millis(200), line.read_exact(&mut answer)).await;
    assert_eq!(
        read.map(|_| answer[..3].to_vec()).ok(),
        Some(vec![1, 0xe3, 1])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_loop_goes_on_through_a_storm() {
    let bench = Bench::sound().await;
    let mut client: Raw<_> = bench.tcp().await;
    let before = client.ask(&[4, 0, 1, 0, 1]).await.unwrap();
    let start = std::time::Instant::now();
    let mut noise = 1u32;
    while start.elapsed() < Duration::from_secs(1) {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        client
            .ask(&noise.to_be_bytes()[..1 + noise as usize % 3])
            .await
            .unwrap();
    }
    let after = client.ask(&[4, 0, 1, 0, 1]).await.unwrap();
    let beats =
        u16::from_be_bytes([after[2], after[3]]) - u16::from_be_bytes([before[2], before[3]]);
    assert!((40..=55).contains(&beats), "{beats} beats in a second");
}

fn line(bench: &Bench) -> tokio_serial::SerialStream {
    use tokio_serial::SerialPortBuilderExt;
    let path = bench.device.ready().rtu.to_str().unwrap().to_owned();
    tokio_serial::new(path, 19_200).open_native_async().unwrap()
}
