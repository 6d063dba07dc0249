//! The device as a client of the Modbus server upstream: it reads the inflow there, and tells its level.

mod deep;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::controller::Controller;
use deep::Deep;

/// How often it polls.
const PERIOD: Duration = Duration::from_millis(20);
/// How long it waits before it comes again.
const WAIT: Duration = Duration::from_millis(40);
const CONNECT: Duration = Duration::from_secs(2);
/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_millis(100);
/// The scratch register that holds the inflow: holding register 14.
const REGISTER: usize = 11;
/// The greatest inflow.
const MOST_INFLOW: u16 = 1000;

const UNIT: u8 = 1;
const READ_DISCRETE: u8 = 2;
const READ_INPUT: u8 = 4;
const WRITE_REGISTERS: u8 = 16;
const EXCEPTION: u8 = 0x80;
/// Inflow and its trend, the pump's states, and where the level goes.
const READ_INFLOW: [u8; 5] = [READ_INPUT, 0, 0, 0, 2];
const READ_STATES: [u8; 5] = [READ_DISCRETE, 0, 0, 0, 8];
const TELL_LEVEL: [u8; 6] = [WRITE_REGISTERS, 0, 10, 0, 1, 2];

/// What comes next when a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Again,
    /// Flaws: at once, and never.
    AtOnce,
    Never,
}

/// What came of a question.
enum Came<'a> {
    /// The data of an answer.
    Data(&'a [u8]),
    /// An exception.
    Refused(u8),
}

/// Comes to a server again and again.
pub(crate) async fn run(controller: Arc<Controller>, address: String) {
    let mut deep = Deep::default();
    let mut transaction = 0;
    loop {
        let connected = timeout(CONNECT, TcpStream::connect(&address)).await;
        let next = match connected {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                let mut session = Session {
                    controller: &controller,
                    stream,
                    bytes: Vec::new(),
                    transaction,
                    answered: false,
                    deep: &mut deep,
                };
                // An error is the connection's end.
                let next = session.stay().await.unwrap_or(Next::Again);
                transaction = session.transaction;
                match session.answered {
                    true => next,
                    false => deep::unanswered(&controller),
                }
            }
            _ => Next::Again,
        };
        match next {
            Next::Again => sleep(WAIT).await,
            Next::AtOnce => {}
            Next::Never => return,
        }
    }
}

struct Session<'s> {
    controller: &'s Controller,
    stream: TcpStream,
    /// What came and is not read yet.
    bytes: Vec<u8>,
    transaction: u16,
    /// Whether anything was answered on the connection.
    answered: bool,
    deep: &'s mut Deep,
}

impl Session<'_> {
    /// Polls until the connection is to end.
    async fn stay(&mut self) -> io::Result<Next> {
        loop {
            let level = self.controller.process.level().to_be_bytes();
            let mut tell = [&TELL_LEVEL[..], &level].concat();
            self.deep.tells(self.controller, &mut tell);
            for request in [&READ_INFLOW[..], &READ_STATES, &tell] {
                if let Some(next) = self.ask(request).await? {
                    return Ok(next);
                }
            }
            sleep(PERIOD).await;
        }
    }

    /// Asks, and takes the answer; what comes next, where that ends the connection.
    async fn ask(&mut self, request: &[u8]) -> io::Result<Option<Next>> {
        self.transaction = self.transaction.wrapping_add(1);
        let length = request.len() as u16 + 1;
        let mut frame = self.transaction.to_be_bytes().to_vec();
        frame.extend([0, 0]);
        frame.extend(length.to_be_bytes());
        frame.push(UNIT);
        frame.extend(request);
        let sent = timeout(ANSWER, self.stream.write_all(&frame)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        let deadline = Instant::now() + ANSWER;
        loop {
            while let Some(frame) = self.frame()? {
                self.answered = true;
                self.deep.came(self.controller, request, &frame);
                let foreign = frame[..2] != self.transaction.to_be_bytes() || frame[6] != UNIT;
                // What answers nothing that was asked is not looked at.
                if foreign && !self.deep.takes_foreign(self.controller, &frame) {
                    self.deep.discarded(self.controller);
                    continue;
                }
                let lenient = self.deep.takes_any_count(self.controller);
                return match read(request, &frame[7..], lenient) {
                    Some(Came::Data(data)) => {
                        self.take(request, data);
                        Ok(None)
                    }
                    Some(Came::Refused(code)) => Ok(self.deep.refused(self.controller, code)),
                    None => Ok(Some(Next::Again)),
                };
            }
            let mut part = [0; 1024];
            match timeout_at(deadline, self.stream.read(&mut part)).await {
                Err(_) => return Ok(Some(Next::Again)),
                Ok(Ok(0) | Err(_)) => {
                    return Ok(self.deep.ended(self.controller).await);
                }
                Ok(Ok(length)) => self.bytes.extend_from_slice(&part[..length]),
            }
        }
    }

    /// The next frame that is whole. One that none has ends the connection.
    fn frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(&[_, _, high, low, long, short]) = self.bytes.first_chunk() else {
            return Ok(None);
        };
        if (high, low) != (0, 0) {
            self.deep.protocol(self.controller);
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = usize::from(u16::from_be_bytes([long, short]));
        if !(3..=254).contains(&length) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if self.bytes.len() < 6 + length {
            return Ok(None);
        }
        let rest = self.bytes.split_off(6 + length);
        Ok(Some(std::mem::replace(&mut self.bytes, rest)))
    }

    fn take(&self, request: &[u8], data: &[u8]) {
        if let (true, Some(&[high, low])) = (request == READ_INFLOW, data.first_chunk()) {
            let inflow = u16::from_be_bytes([high, low]);
            if inflow <= MOST_INFLOW {
                self.controller.process.set_scratch(REGISTER, inflow);
            }
        }
    }
}

/// An answer that fits its request.
fn read<'a>(request: &[u8], answer: &'a [u8], any_count: bool) -> Option<Came<'a>> {
    let function = request[0];
    match answer {
        [code, exception] if *code == function | EXCEPTION => Some(Came::Refused(*exception)),
        [code, echo @ ..] if *code == function && function == WRITE_REGISTERS => {
            (echo == &request[1..5]).then_some(Came::Data(&[]))
        }
        [code, count, data @ ..] if *code == function => {
            let asked = usize::from(u16::from_be_bytes([request[3], request[4]]));
            let bytes = match function {
                READ_INPUT => asked * 2,
                _ => asked.div_ceil(8),
            };
            let fits = usize::from(*count) == bytes && data.len() == bytes;
            (fits || any_count && data.len() >= 2).then_some(Came::Data(data))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data<'a>(request: &[u8], answer: &'a [u8]) -> Option<&'a [u8]> {
        match read(request, answer, false)? {
            Came::Data(data) => Some(data),
            Came::Refused(_) => None,
        }
    }

    #[test]
    fn an_answer_fits_its_request() {
        assert_eq!(
            data(&READ_INFLOW, &[4, 4, 0, 7, 0, 1]),
            Some(&[0, 7, 0, 1][..])
        );
        for wrong in [
            &[4, 4, 0, 7, 0][..],
            &[4, 2, 0, 7],
            &[4, 2, 0, 7, 0, 1],
            &[3, 4, 0, 7, 0, 1],
            &[4],
            &[],
        ] {
            assert_eq!(data(&READ_INFLOW, wrong), None, "{wrong:?}");
        }
        assert_eq!(data(&READ_STATES, &[2, 1, 9]), Some(&[9][..]));
        let tell = [16, 0, 10, 0, 1, 2, 1, 244];
        assert_eq!(data(&tell, &[16, 0, 10, 0, 1]), Some(&[][..]));
        assert_eq!(data(&tell, &[16, 0, 10, 0, 2]), None);
        let refused = read(&tell, &[0x90, 6], false);
        assert!(matches!(refused, Some(Came::Refused(6))));
    }
}
