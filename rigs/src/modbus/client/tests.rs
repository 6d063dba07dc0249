use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::modbus::wire::mbap::{self, MbapError};
use crate::modbus::wire::rtu::{self, RtuError};
use crate::modbus::wire::{AccessCode, ExceptionCode, Illegal};
use crate::modbus::{Breach, Client, ModbusError};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(5);

/// A server on a script: reads one request, answers with these bytes.
async fn answer(peer: &mut DuplexStream, bytes: &[u8]) -> Vec<u8> {
    let mut request = vec![0; 260];
    let count = peer.read(&mut request).await.unwrap();
    request.truncate(count);
    peer.write_all(bytes).await.unwrap();
    request
}

fn tcp() -> (Client<DuplexStream>, DuplexStream) {
    let (ours, peer) = duplex(4096);
    (Client::tcp(ours, 9), peer)
}

fn rtu() -> (Client<DuplexStream>, DuplexStream) {
    let (ours, peer) = duplex(4096);
    (Client::rtu(ours, 9).with_quiet(SHORT), peer)
}

/// A TCP frame of the unit that is asked in these tests; the first request is transaction 2.
fn tcp_frame(transaction: u16, pdu: &[u8]) -> Vec<u8> {
    mbap::Repr {
        transaction,
        unit: 9,
        pdu,
    }
    .emit()
    .unwrap()
}

fn rtu_frame(pdu: &[u8]) -> Vec<u8> {
    rtu::Repr { address: 9, pdu }.emit().unwrap()
}

/// What the client says to one scripted answer to "read one holding register".
async fn judged(
    (mut client, mut peer): (Client<DuplexStream>, DuplexStream),
    bytes: &[u8],
) -> Result<Vec<u16>, ModbusError> {
    let asking = client.read_holding_registers(0, 1, Duration::from_millis(300));
    let (result, _) = tokio::join!(asking, answer(&mut peer, bytes));
    result
}

#[tokio::test]
async fn what_is_asked_stands_on_the_line_as_the_specification_says() {
    let (mut client, mut peer) = tcp();
    let asking = client.read_holding_registers(0x6B, 3, LONG);
    let script = tcp_frame(2, &[3, 6, 2, 0x2B, 0, 0, 0, 0x64]);
    let (values, request) = tokio::join!(asking, answer(&mut peer, &script));
    assert_eq!(values.unwrap(), [555, 0, 100]);
    assert_eq!(request, [0, 2, 0, 0, 0, 6, 9, 3, 0, 0x6B, 0, 3]);

    let (mut client, mut peer) = rtu();
    let asking = client.write_multiple_coils(0x13, &[true, false, true], LONG);
    let script = rtu_frame(&[15, 0, 0x13, 0, 3]);
    let (written, request) = tokio::join!(asking, answer(&mut peer, &script));
    written.unwrap();
    assert_eq!(request, rtu_frame(&[15, 0, 0x13, 0, 3, 1, 0b101]));
}

#[tokio::test]
async fn a_refusal_has_its_code() {
    for (client, frame) in [
        (tcp(), tcp_frame(2, &[0x83, 2])),
        (rtu(), rtu_frame(&[0x83, 2])),
    ] {
        let refused = judged(client, &frame).await;
        assert!(
            matches!(
                refused,
                Err(ModbusError::Exception(ExceptionCode::IllegalDataAddress))
            ),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_short_or_wrong_answer_is_illegal_and_kept() {
    let short = tcp_frame(2, &[3, 0]);
    match judged(tcp(), &short).await {
        Err(ModbusError::Illegal {
            breach: Breach::Answer(Illegal::Quantity { got: 0, want: 2 }),
            frame,
        }) => {
            assert_eq!(frame, short);
        }
        other => panic!("{other:?}"),
    }
    let breach = async |client, bytes: Vec<u8>| match judged(client, &bytes).await {
        Err(ModbusError::Illegal { breach, .. }) => breach,
        other => panic!("{other:?}"),
    };
    let ok = [3, 2, 0, 7];
    assert!(matches!(
        breach(tcp(), tcp_frame(7, &ok)).await,
        Breach::Transaction { got: 7, want: 2 }
    ));
    assert!(matches!(
        breach(tcp(), mbap::lie(2, 1, 5, 9, &ok)).await,
        Breach::Mbap(MbapError::Protocol(1))
    ));
    assert!(matches!(
        breach(tcp(), mbap::lie(2, 0, 5, 8, &ok)).await,
        Breach::Unit { got: 8, want: 9 }
    ));
    assert!(matches!(
        breach(tcp(), mbap::lie(2, 0, 0, 9, &ok)).await,
        Breach::Mbap(MbapError::Length(0))
    ));
    let mut flipped = rtu_frame(&ok);
    flipped[3] ^= 1;
    assert!(matches!(
        breach(rtu(), flipped).await,
        Breach::Rtu(RtuError::Crc { .. })
    ));
    let other_unit = rtu::Repr {
        address: 8,
        pdu: &ok,
    }
    .emit()
    .unwrap();
    assert!(matches!(
        breach(rtu(), other_unit).await,
        Breach::Unit { got: 8, want: 9 }
    ));
}

#[tokio::test]
async fn silence_and_the_end_are_told_apart() {
    assert!(matches!(
        judged(tcp(), &[]).await,
        Err(ModbusError::TimedOut)
    ));
    assert!(matches!(
        judged(rtu(), &[9, 3]).await,
        Err(ModbusError::TimedOut)
    ));
    let (mut client, peer) = tcp();
    drop(peer);
    assert!(matches!(
        client.read_coils(0, 1, LONG).await,
        Err(ModbusError::Closed(_))
    ));
}

#[tokio::test]
async fn nothing_outside_the_limits_is_sent() {
    let (mut client, mut peer) = tcp();
    assert!(matches!(
        client.read_coils(0, 2001, LONG).await,
        Err(ModbusError::Request(_))
    ));
    assert!(matches!(
        client.write_multiple_registers(0, &[0; 70_000], LONG).await,
        Err(ModbusError::Request(_))
    ));
    drop(client);
    let mut sent = Vec::new();
    peer.read_to_end(&mut sent).await.unwrap();
    assert!(sent.is_empty());
}

#[tokio::test]
async fn a_late_answer_on_tcp_is_skipped_even_in_pieces() {
    let (mut client, mut peer) = tcp();
    let late = tcp_frame(2, &[3, 2, 0, 1]);
    let (result, _) = tokio::join!(
        client.read_holding_registers(0, 1, SHORT),
        answer(&mut peer, &late[..5])
    );
    assert!(matches!(result, Err(ModbusError::TimedOut)));
    let both = [&late[5..], &tcp_frame(3, &[3, 2, 0, 2])].concat();
    let (result, _) = tokio::join!(
        client.read_holding_registers(0, 1, LONG),
        answer(&mut peer, &both)
    );
    assert_eq!(result.unwrap(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_on_a_serial_line_is_drained() {
    let (mut client, mut peer) = rtu();
    let (result, _) = tokio::join!(
        client.read_holding_registers(0, 1, SHORT),
        answer(&mut peer, &[])
    );
    assert!(matches!(result, Err(ModbusError::TimedOut)));
    let server = async {
        // Later than the limit of the first call, sooner than the line is taken for quiet.
        tokio::time::sleep(Duration::from_millis(20)).await;
        peer.write_all(&rtu_frame(&[3, 2, 0, 1])).await.unwrap();
        answer(&mut peer, &rtu_frame(&[3, 2, 0, 2])).await
    };
    let (result, _) = tokio::join!(client.read_holding_registers(0, 1, LONG), server);
    assert_eq!(result.unwrap(), [2]);
}

#[tokio::test]
async fn a_line_that_is_never_quiet_does_not_hold_us_up() {
    let (mut client, mut peer) = rtu();
    let _ = tokio::join!(
        client.read_holding_registers(0, 1, SHORT),
        answer(&mut peer, &[])
    );
    let babble = tokio::spawn(async move {
        while peer.write_all(&[0x55]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let result = client
        .read_holding_registers(0, 1, Duration::from_millis(300))
        .await;
    assert!(matches!(result, Err(ModbusError::TimedOut)));
    babble.abort();
}

#[tokio::test]
async fn a_call_given_up_from_outside_leaves_no_trace() {
    let (mut client, mut peer) = tcp();
    let asking = client.read_holding_registers(0, 1, LONG);
    assert!(tokio::time::timeout(SHORT, asking).await.is_err());
    let both = [tcp_frame(2, &[3, 2, 0, 1]), tcp_frame(3, &[3, 2, 0, 2])].concat();
    let (result, _) = tokio::join!(
        client.read_holding_registers(0, 1, LONG),
        answer(&mut peer, &both)
    );
    assert_eq!(result.unwrap(), [2]);
}

#[tokio::test]
async fn the_identification_is_read_page_by_page() {
    let (mut client, mut peer) = tcp();
    let server = async {
        let first = tcp_frame(2, &[43, 14, 1, 1, 0xFF, 2, 2, 0, 1, b'V', 1, 1, b'P']);
        let second = tcp_frame(3, &[43, 14, 1, 1, 0, 0, 1, 2, 3, b'1', b'.', b'0']);
        answer(&mut peer, &first).await;
        answer(&mut peer, &second).await
    };
    let reading = client.read_device_identification(AccessCode::Basic, LONG);
    let (identification, second) = tokio::join!(reading, server);
    let identification = identification.unwrap();
    assert_eq!(second[7..], [43, 14, 1, 2]);
    assert_eq!(identification.conformity, 1);
    assert_eq!(identification.text(2).unwrap(), "1.0");
    assert_eq!(identification.text(3), None);
}

#[tokio::test]
async fn an_identification_without_end_is_illegal() {
    let (mut client, mut peer) = tcp();
    let page = tcp_frame(2, &[43, 14, 1, 1, 0xFF, 0, 1, 0, 1, b'V']);
    let reading = client.read_device_identification(AccessCode::Basic, LONG);
    let (result, _) = tokio::join!(reading, answer(&mut peer, &page));
    assert!(matches!(result, Err(ModbusError::Illegal { .. })));
}
