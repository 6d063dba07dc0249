//! Modbus TCP: the MBAP header (Messaging on TCP/IP Implementation Guide V1.0b, section 3.1), and the connections that speak it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::pdu::Exception;
use super::{Access, Client, UNIT, answer, deep};
use crate::audit::Source;
use crate::controller::Controller;
use crate::flaw::Defect;

/// Connections a port serves at a time.
pub(super) const CONNECTIONS: usize = 32;
/// How long a client may take to take an answer.
const WRITE_TIME: Duration = Duration::from_secs(5);

/// Where the fields of the header are, big-endian.
mod field {
    use std::ops::Range;

    pub(super) const TRANSACTION: Range<usize> = 0..2;
    pub(super) const PROTOCOL: Range<usize> = 2..4;
    pub(super) const LENGTH: Range<usize> = 4..6;
    pub(super) const UNIT: usize = 6;
    /// What the length does not count.
    pub(super) const UNCOUNTED: usize = 6;
}

/// The unit id, and a request of 1 to 253 bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=254;

/// Connections within a second after which the flaw `flood-shuts-port` takes no more.
const SHUTS: usize = 40;

/// How much came within the last second: two flaws go by it.
#[derive(Default)]
pub(super) struct Rate(VecDeque<Instant>);

impl Rate {
    /// Counts one more; whether more than `limit` came within the last second.
    pub(super) fn is_over(&mut self, limit: usize) -> bool {
        let now = Instant::now();
        self.0.push_back(now);
        self.0
            .retain(|at| now.duration_since(*at) < Duration::from_secs(1));
        self.0.len() >= limit
    }
}

/// Serves plain Modbus TCP.
pub(crate) async fn serve_plain(listener: TcpListener, controller: Arc<Controller>) {
    let access = if controller.flaws.enabled(Defect::PlainWrite) {
        Access::ByRole
    } else {
        Access::ReadOnly
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut rate = Rate::default();
    let mut shut = false;
    loop {
        let Some((stream, place)) = accept(&listener, &places, &mut connections).await else {
            continue;
        };
        shut |= rate.is_over(SHUTS) && controller.flaws.enabled(Defect::FloodShutsPort);
        if shut {
            continue;
        }
        let controller = Arc::clone(&controller);
        connections.spawn(async move {
            let client = Client::unknown(Source::ModbusTcp, access);
            converse(stream, &controller, &client).await;
            drop(place);
        });
    }
}

/// The next connection, with its place among all; `None` when the system had none to give, after a pause, and for one too
/// many, which is closed at once.
pub(super) async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    connections: &mut JoinSet<()>,
) -> Option<(tokio::net::TcpStream, OwnedSemaphorePermit)> {
    while connections.try_join_next().is_some() {}
    match listener.accept().await {
        Ok((stream, _)) => {
            // An answer is one small segment: waiting to fill it would cost 40 ms.
            let _ = stream.set_nodelay(true);
            let place = Arc::clone(places).try_acquire_owned().ok()?;
            Some((stream, place))
        }
        Err(_) => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Answers requests until the client leaves, is silent for too long, or breaks the framing; whether anything came.
pub(super) async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    controller: &Controller,
    client: &Client,
) -> bool {
    let mut came = false;
    let mut received = Vec::with_capacity(1024);
    let mut answers = Vec::new();
    let mut connection = deep::Connection::default();
    deep::connected(controller);
    if deep::is_deaf(controller) {
        std::future::pending::<()>().await;
    }
    loop {
        let limit = controller.policy().remote_idle();
        let read = stream.read_buf(&mut received);
        match controller.before_silence(limit, read).await {
            Ok(Ok(1..)) => came = true,
            _ => {
                if !received.is_empty() {
                    deep::unfinished(controller);
                }
                return came;
            }
        }
        let mut used = 0;
        let mut broken = false;
        if let Some(length) = early_end(&received, controller) {
            emit(
                &mut answers,
                &received[..length],
                controller,
                client,
                &mut connection,
            );
            used = length;
        }
        loop {
            match frame(&received[used..]) {
                Frame::Partial => {
                    if controller.flaws.enabled(Defect::PiecesLost) && received.len() < field::UNIT
                    {
                        used = received.len();
                    }
                    break;
                }
                Frame::Whole(_) if used > 0 && controller.flaws.enabled(Defect::JoinedLost) => {
                    used = received.len();
                    break;
                }
                Frame::Broken => {
                    if received[used..].get(field::LENGTH) == Some(&[0, 255])
                        && controller.flaws.enabled(Defect::CrashAtLength255)
                    {
                        controller.crash.notify_one();
                    }
                    controller
                        .audit
                        .record_malformed(client.actor.source, "modbus framing");
                    broken = true;
                    break;
                }
                Frame::Whole(frame) => {
                    used += frame.len();
                    emit(&mut answers, frame, controller, client, &mut connection);
                }
            }
        }
        received.drain(..used);
        if let Some(late) = deep::delay(controller) {
            tokio::time::sleep(late).await;
        }
        if !answers.is_empty() {
            let sent = timeout(WRITE_TIME, async {
                stream.write_all(&answers).await?;
                stream.flush().await
            });
            if !matches!(sent.await, Ok(Ok(()))) {
                return came;
            }
            answers.clear();
        }
        if broken {
            return came;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Frame<'a> {
    Partial,
    Broken,
    Whole(&'a [u8]),
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    let Some(head) = bytes.get(..field::UNCOUNTED) else {
        return Frame::Partial;
    };
    let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
    if head[field::PROTOCOL] != [0, 0] || !LENGTHS.contains(&length) {
        return Frame::Broken;
    }
    bytes
        .get(..field::UNCOUNTED + length)
        .map_or(Frame::Partial, Frame::Whole)
}

/// Where a read ends that the flaw `answers-too-early` takes for whole, though its length says otherwise.
fn early_end(bytes: &[u8], controller: &Controller) -> Option<usize> {
    let read = matches!(bytes, [_, _, 0, 0, 0, 7..=254, _, 3 | 4, _, _, _, _]);
    (read && controller.flaws.enabled(Defect::AnswersTooEarly)).then_some(bytes.len())
}

fn emit(
    answers: &mut Vec<u8>,
    frame: &[u8],
    controller: &Controller,
    client: &Client,
    connection: &mut deep::Connection,
) {
    let (unit, request) = (frame[field::UNIT], &frame[field::UNIT + 1..]);
    deep::request(controller, connection, request);
    if connection.deaf {
        return;
    }
    let answer = if unit == UNIT {
        answer(controller, client, request)
    } else {
        vec![request[0] | 0x80, Exception::GatewayTargetFailed as u8]
    };
    let start = answers.len();
    let drifts = answer.get(1) == Some(&3) && answer[0] & 0x80 != 0;
    if drifts && controller.flaws.enabled(Defect::TransactionDrifts) {
        let next = u16::from_be_bytes([frame[0], frame[1]]).wrapping_add(1);
        answers.extend(next.to_be_bytes());
    } else {
        answers.extend(&frame[field::TRANSACTION]);
    }
    answers.extend([0, 0, 0, 0, unit]);
    let length = (answer.len() + 1) as u16;
    answers[start..][field::LENGTH].copy_from_slice(&length.to_be_bytes());
    answers.extend(answer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_at_the_length_and_nowhere_else() {
        let request = [0x12, 0x34, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
        assert_eq!(frame(&request), Frame::Whole(&request));
        assert_eq!(frame(&request[..11]), Frame::Partial);
        assert_eq!(
            frame(&[&request[..], &[9]].concat()),
            Frame::Whole(&request)
        );
    }

    #[test]
    fn headers_that_lie_break_the_connection() {
        assert_eq!(frame(&[0, 1, 0, 1, 0, 6]), Frame::Broken);
        for length in [0, 1, 255, 0xffff_u16] {
            let [high, low] = length.to_be_bytes();
            assert_eq!(frame(&[0, 1, 0, 0, high, low]), Frame::Broken, "{length}");
        }
    }
}
