//! What comes of an input, as far as it can be compared with what comes of it elsewhere.

use std::time::Duration;

use slcert_rigs::modbus::wire::Mbap;

use super::framing::frame;
use super::judge::kind;
use super::tcp::{LONG, Link, SHORT, Tcp};
use crate::fuzz::differences::{Answer, Class, Comes, PATIENT};
use crate::fuzz::input::Input;
use crate::fuzz::target::Target as _;

/// The most frames that are taken.
const MOST: usize = 64;

impl Tcp<'_> {
    /// A right request tells whether more is to come behind whole frames; behind others, silence has to.
    pub(super) async fn compared(&self, input: &Input, patient: bool) -> Option<Comes> {
        let mut link = self.open().await.ok()?;
        let (shut, all) = self.send(&mut link, input).await;
        let least = if patient { PATIENT } else { Duration::ZERO };
        let (short, long) = (self.limit(SHORT), self.limit(LONG).max(least));
        if !link.sent.is_clean() || shut || !all {
            return Some(Comes::Later(Box::pin(silence(link, short.max(least)))));
        }
        let mut answer = Answer::default();
        // The right request, once it is sent, and what was owed then.
        let mut own: Option<(u16, usize)> = None;
        for _ in 0..MOST {
            if own.is_none() && link.sent.owed.is_empty() {
                break;
            }
            let limit = if own.is_some() { long } else { short };
            match link.raw.receive_tcp(limit).await {
                Ok(Some(bytes)) => {
                    let transaction = Mbap::new_unchecked(&bytes).transaction();
                    if own.is_some_and(|(own, _)| own == transaction) {
                        break;
                    }
                    take(&mut answer, &mut link, &bytes);
                }
                Ok(None) => {
                    // A server that takes its time over a refusal may have heard nothing meanwhile: it is asked once more.
                    let owed = link.sent.owed.len();
                    if own.is_some_and(|(_, before)| owed == before) {
                        break;
                    }
                    let transaction = link.sent.unused();
                    let asked = frame(transaction, self.unit, &self.right);
                    // Where the server has ended the connection, what came before that is still there.
                    let _ = link.raw.send(&asked).await;
                    own = Some((transaction, owed));
                }
                Err(_) => {
                    answer.ended();
                    return Some(Comes::Now(answer));
                }
            }
        }
        if answer.is_empty() || !link.sent.owed.is_empty() {
            answer.silent();
        }
        Some(Comes::Now(answer))
    }
}

async fn silence(mut link: Link, limit: Duration) -> Answer {
    let mut answer = Answer::default();
    for _ in 0..MOST {
        match link.raw.receive_tcp(limit).await {
            Ok(Some(bytes)) => take(&mut answer, &mut link, &bytes),
            Ok(None) => break,
            Err(_) => {
                answer.ended();
                return answer;
            }
        }
    }
    if answer.is_empty() || !link.sent.owed.is_empty() {
        answer.silent();
    }
    answer
}

fn take(answer: &mut Answer, link: &mut Link, bytes: &[u8]) {
    let Ok(whole) = Mbap::new_checked(bytes) else {
        answer.add(Class::Done, "what is no frame");
        return;
    };
    let owed = link.sent.settle(whole.transaction());
    let class = match whole.pdu().first() {
        Some(code) if code & 0x80 != 0 => Class::Refused,
        _ => Class::Done,
    };
    let words = match owed {
        Some(owed) => kind(&owed.pdu, whole.pdu()),
        None => {
            let function = whole.pdu().first().copied().unwrap_or_default() & 0x7F;
            kind(&[function], whole.pdu())
        }
    };
    answer.add(class, words);
}
