//! A TLS server under what comes before a handshake, and below one that is done.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use slcert_rigs::bench::{Bench, Who};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use super::grammar::TlsGrammar;
use super::hearing::{Heard, Hearing, Link};
use super::reading::{Reading, read};
use super::wire::{Fields, content};
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::pace::Pace;
use crate::fuzz::target::{Delivered, Target};

/// The time that an answer is waited for before the next input: the device's usual time so many times, and more.
const SHORT: (u32, Duration) = (2, Duration::from_millis(10));
/// The time that it is waited for beside the inputs that follow: a connection may take its time to end.
const LONG: (u32, Duration) = (20, Duration::from_millis(1500));
/// How long a connection on which nothing is owed is listened to: what is served under TLS would have answered by then.
const LISTEN: (u32, Duration) = (1, Duration::from_millis(20));
/// The connections before this one whose bytes are looked for in its answer.
const OTHERS: usize = 16;
/// Where a ClientHello in one record has its random number.
const RANDOM: std::ops::Range<usize> = 11..27;
/// Bytes with fewer different ones may stand anywhere by chance.
const DIFFERENT: usize = 10;

/// A server, and what it serves under TLS.
pub struct Server<'b, S> {
    pub(super) bench: &'b Bench,
    pub(super) interface: &'b str,
    pub(super) who: Who<'b>,
    pub(super) serves: S,
    /// What earlier connections sent.
    pub(super) sent: Mutex<VecDeque<[u8; 16]>>,
    pub(super) pace: Pace,
}

/// What no server can decrypt: whole records behind a handshake, of types that are encrypted then.
fn below(bytes: &[u8]) -> Reading {
    let first = Fields(bytes).record();
    let breach = match first {
        // One alone may be there for the sake of middleboxes; an alert in clear may be read as one.
        Some((content::CHANGE_CIPHER_SPEC | content::ALERT, ..)) => None,
        Some((_, _, [])) | None => None,
        Some(_) => Some("a record that does not decrypt"),
    };
    Reading {
        breach,
        ..Reading::default()
    }
}

impl<S: Target> Server<'_, S> {
    fn limit(&self, (times, more): (u32, Duration)) -> Duration {
        self.pace.limit(times, more).unwrap_or(more)
    }

    /// What the connections before sent that this one does not; this one's joins them.
    fn others(&self, bytes: &[u8]) -> Vec<[u8; 16]> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |other: &[u8; 16]| memchr::memmem::find(bytes, other).is_some();
        let others = sent.iter().filter(|other| !own(other)).copied().collect();
        if let Some(random) = bytes.get(RANDOM)
            && let Ok(random) = <[u8; 16]>::try_from(random)
            && !sent.contains(&random)
            && different(&random) >= DIFFERENT
        {
            sent.push_back(random);
            if sent.len() > OTHERS {
                sent.pop_front();
            }
        }
        others
    }

    async fn send(&self, mut link: Link, input: &Input) -> Result<Link, String> {
        for act in &input.acts {
            match act {
                Act::Step(_) | Act::Asked(_) | Act::Tear => {}
                Act::Login => {
                    link = match link {
                        Link::Bare(line) => {
                            let session = self
                                .bench
                                .secure_fuzzed(self.interface, &self.who, line)
                                .await
                                .map_err(|error| error.to_string())?;
                            Link::Secured(Box::new(session))
                        }
                        secured => secured,
                    }
                }
                // A server that has ended the connection by now has said all that it says.
                Act::Send(bytes) => {
                    let wire = link.wire();
                    if wire.write_all(bytes).await.is_err() || wire.flush().await.is_err() {
                        return Ok(link);
                    }
                }
                Act::Pause(time) => sleep(*time).await,
                Act::Shut => {
                    let _ = link.wire().shutdown().await;
                }
            }
        }
        Ok(link)
    }
}

fn different(bytes: &[u8]) -> usize {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

impl<S: Target> Target for Server<'_, S> {
    type Link = Link;

    /// A device may have few places for clients that say no more.
    fn waiting(&self) -> usize {
        3
    }

    fn gives_no_orders(&self) -> Option<&str> {
        Some(self.interface)
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::new(TlsGrammar)
    }

    /// A device that takes in clear what it must not is a device all the same.
    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        self.serves.forbidden(input)
    }

    async fn open(&self) -> Result<Link, String> {
        let line = self.bench.open_fuzzed_wire(self.interface).await;
        line.map(Link::Bare).map_err(|error| error.to_string())
    }

    async fn deliver(&self, link: Link, input: &Input) -> Delivered<Link> {
        let mut seen = Seen::default();
        let bytes = input.bytes();
        let others = self.others(&bytes);
        let link = match self.send(link, input).await {
            Ok(link) => link,
            Err(why) => {
                let what = "a right handshake is not taken";
                return Delivered {
                    finding: Some(Finding::by_silence(Oracle::Liveness, what, why)),
                    ..Delivered::fine(None, seen)
                };
            }
        };
        let secured = matches!(link, Link::Secured(_));
        let sent = if secured { below(&bytes) } else { read(&bytes) };
        let mut hearing = Hearing::new(link, sent, others);
        // A session that is open is one of those that the device counts: it is not left beside the inputs that follow.
        let limit = match (secured, hearing.is_owed()) {
            (true, true) => self.limit(LONG),
            (_, owed) if owed => self.limit(SHORT),
            _ => Duration::ZERO,
        };
        let heard = hearing.listen(limit).await;
        seen.parsed = hearing.answer.version.is_some() || hearing.answer.settled;
        seen.kinds.append(&mut hearing.answer.kinds);
        let word = match heard {
            Heard::Settled | Heard::Wrong(_) => None,
            Heard::Ended => Some("the connection was ended"),
            Heard::Silence => Some("silence"),
        };
        seen.kinds.extend(word.map(str::to_owned));
        let mut delivered = Delivered::fine(None, seen);
        match heard {
            Heard::Wrong(found) => delivered.finding = Some(found),
            Heard::Silence if secured => delivered.finding = hearing.unended(),
            Heard::Silence => {
                let later = hearing.later(self.limit(LISTEN), self.limit(LONG));
                delivered.later = Some(Box::pin(later));
            }
            Heard::Settled | Heard::Ended => {}
        }
        delivered
    }

    fn hurry(&self, on: bool) {
        self.serves.hurry(on);
    }

    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let took = self.serves.serves(patience).await?;
        self.pace.took(took);
        Ok(took)
    }
}
