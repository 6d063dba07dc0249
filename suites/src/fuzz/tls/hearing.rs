//! Listening to a TLS server: until its answer is whole, it ends the connection, or says nothing for too long.

use std::time::Duration;

use slcert_rigs::line::Line;
use slcert_rigs::tls::TlsLine;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Answer};
use super::reading::Reading;
use super::wire::{ENCRYPTED_1_2, Fields, content};
use crate::fuzz::finding::{Finding, Oracle};
use crate::modbus::hex;

/// The most bytes of an answer that are taken.
const MOST: usize = 256 << 10;

/// A connection.
pub enum Link {
    /// Before a handshake of the bench's.
    Bare(Line),
    /// After one: inputs go out below it.
    Secured(Box<TlsLine>),
}

impl Link {
    pub(super) fn wire(&mut self) -> &mut Line {
        match self {
            Self::Bare(line) => line,
            Self::Secured(session) => session.get_mut().0,
        }
    }
}

/// A connection that is listened to.
pub(super) struct Hearing {
    link: Link,
    sent: Reading,
    others: Vec<[u8; 16]>,
    came: Vec<u8>,
    /// What came so far.
    pub(super) answer: Answer,
}

/// How it ended.
pub(super) enum Heard {
    /// The answer is wrong.
    Wrong(Finding),
    /// All came that comes before the client speaks again.
    Settled,
    /// The server ended the connection.
    Ended,
    /// Nothing more came.
    Silence,
}

impl Hearing {
    /// Of what was sent on the connection, and what other connections sent.
    pub(super) fn new(link: Link, sent: Reading, others: Vec<[u8; 16]>) -> Self {
        Self {
            link,
            sent,
            others,
            came: Vec::new(),
            answer: Answer::default(),
        }
    }

    /// Takes what comes, for so long at most.
    pub(super) async fn listen(&mut self, limit: Duration) -> Heard {
        let deadline = Instant::now() + limit;
        while self.came.len() < MOST {
            let mut part = [0; 4096];
            let read = timeout_at(deadline, self.link.wire().read(&mut part)).await;
            match read {
                Err(_) => return Heard::Silence,
                Ok(Ok(0) | Err(_)) => return Heard::Ended,
                Ok(Ok(length)) => self.came.extend_from_slice(&part[..length]),
            }
            match self.judge() {
                Err(found) => return Heard::Wrong(found),
                Ok(answer) => self.answer = answer,
            }
            if self.answer.settled && !self.is_owed() {
                return Heard::Settled;
            }
        }
        Heard::Settled
    }

    fn judge(&self) -> Result<Answer, Finding> {
        if let Some(found) = answer::exposes(&self.came, &self.others) {
            return Err(found);
        }
        match self.link {
            Link::Bare(_) => answer::judge(&self.came, &self.sent),
            Link::Secured(_) => encrypted(&self.came),
        }
    }

    /// Whether the server owes something still: an answer, or the connection's end.
    pub(super) fn is_owed(&self) -> bool {
        self.answer.fatal
            || self.sent.breach.is_some()
            || self.sent.left
            || self.sent.is_owed() && !self.answer.settled
    }

    /// What is wrong with a silence that has lasted.
    pub(super) fn unended(&self) -> Option<Finding> {
        let (oracle, what) = if self.answer.fatal {
            let what = "the connection goes on after the server's fatal alert";
            (Oracle::Acceptance, what.to_owned())
        } else if let Some(breach) = self.sent.breach {
            let what = format!("{breach} does not end the connection");
            (Oracle::Acceptance, what)
        } else if self.sent.left {
            let what = "a fatal alert does not end the connection";
            (Oracle::Acceptance, what.to_owned())
        } else if self.is_owed() {
            let what = "a ClientHello is neither answered nor refused";
            (Oracle::Grammar, what.to_owned())
        } else {
            return None;
        };
        let came = &self.came[..self.came.len().min(96)];
        Some(Finding::by_silence(
            oracle,
            what,
            format!("{} came", hex(came)),
        ))
    }

    /// Goes on listening beside the inputs that follow: `idle` where the server owes nothing, `owing` where it does. One that refuses
    /// late has its time from then on to end the connection.
    pub(super) async fn later(mut self, idle: Duration, owing: Duration) -> Option<Finding> {
        let refused = self.answer.fatal;
        let limit = if self.is_owed() { owing } else { idle };
        let mut heard = self.listen(limit).await;
        if matches!(heard, Heard::Silence) && self.answer.fatal && !refused {
            heard = self.listen(owing).await;
        }
        match heard {
            Heard::Wrong(found) => Some(found),
            Heard::Silence => self.unended(),
            Heard::Settled | Heard::Ended => None,
        }
    }
}

/// What comes behind a handshake is encrypted: its records are what can be judged.
fn encrypted(bytes: &[u8]) -> Result<Answer, Finding> {
    let mut records = Fields(bytes);
    while !records.0.is_empty() {
        let head = records.0;
        let length = head.get(3..5).map(|of| u16::from_be_bytes([of[0], of[1]]));
        if !(content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(&head[0])
            || length.is_some_and(|length| usize::from(length) > ENCRYPTED_1_2)
        {
            let shown = hex(&head[..head.len().min(96)]);
            let what = "an answer in clear that is no TLS record";
            return Err(Finding::new(Oracle::Acceptance, what, shown));
        }
        if records.record().is_none() {
            break;
        }
    }
    Ok(Answer::default())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::time::sleep;

    use super::*;

    const ALERT: [u8; 7] = [content::ALERT, 3, 3, 0, 2, 2, 50];

    /// What is found where a fatal alert comes and, where there is one, the end after it.
    async fn found(sent: Reading, alert: u64, end: Option<u64>) -> Option<String> {
        let (ours, mut peer) = duplex(64);
        let refuses = async move {
            sleep(Duration::from_millis(alert)).await;
            peer.write_all(&ALERT).await.unwrap();
            sleep(Duration::from_millis(end.unwrap_or(60_000))).await;
        };
        let hearing = Hearing::new(Link::Bare(Box::new(ours)), sent, Vec::new());
        let [idle, owing] = [70, 1500].map(Duration::from_millis);
        let peer = tokio::spawn(refuses);
        let found = hearing.later(idle, owing).await;
        peer.abort();
        found.map(|found| found.what)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_has_its_time_to_end_the_connection_from_its_alert_on() {
        let nothing_owed = || Reading {
            unclear: true,
            ..Reading::default()
        };
        let breach = || Reading {
            breach: Some("this"),
            ..Reading::default()
        };
        // An alert that nobody waited for, when listening was about to end.
        assert_eq!(found(nothing_owed(), 69, Some(5)).await, None);
        // One that took nearly all the time that it had.
        assert_eq!(found(breach(), 1499, Some(1400)).await, None);
        let goes_on = Some("the connection goes on after the server's fatal alert".to_owned());
        assert_eq!(found(nothing_owed(), 69, None).await, goes_on);
        assert_eq!(found(breach(), 3, None).await, goes_on);
    }
}
