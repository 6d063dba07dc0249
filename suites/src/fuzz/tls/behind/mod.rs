//! A TLS server under records that are sealed with a session's own keys: what comes behind a handshake, and is no data.

mod demand;
mod grammar;
mod part;

use std::sync::Arc;
use std::time::Duration;

use slcert_rigs::bench::{Bench, Who};
use slcert_rigs::line::Line;
use slcert_rigs::tls::{Received, Sealed};
use tokio::time::Instant;

use super::wire::content;
use crate::fuzz::coverage::Seen;
use crate::fuzz::finding::{Finding, Oracle};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::Input;
use crate::fuzz::pace::Pace;
use crate::fuzz::target::{Delivered, Target};
use crate::modbus::hex;
use demand::{Demand, demand};
use grammar::{BehindGrammar, read};
use part::{How, Part};

/// How long an answer, or the connection's end, may take: the device's usual time so many times, and more.
const LONG: (u32, Duration) = (20, Duration::from_millis(1500));
/// How long what nobody owes is waited for.
const SHORT: (u32, Duration) = (2, Duration::from_millis(20));
/// The most records that are taken of one connection.
const MOST: usize = 200;

/// What is served under TLS.
pub trait Served: Target {
    /// A right request.
    fn asks(&self) -> Option<Vec<u8>>;

    /// Whether what came begins with its answer.
    fn is_answer(&self, came: &[u8]) -> bool;
}

/// A server, and what it serves under TLS.
pub struct Behind<'b, S> {
    pub(super) bench: &'b Bench,
    pub(super) interface: &'b str,
    pub(super) who: Who<'b>,
    pub(super) serves: S,
    pub(super) pace: Pace,
}

/// How listening ended.
enum Heard {
    Answered,
    Ended,
    Silence,
    Wrong(Finding),
}

impl<S: Served> Behind<'_, S> {
    fn limit(&self, (times, more): (u32, Duration)) -> Duration {
        self.pace.limit(times, more).unwrap_or(more)
    }

    /// Sends the records, and a right request behind them; whether all went out.
    async fn send(&self, session: &mut Sealed, parts: &[Part]) -> bool {
        for part in parts {
            let mut record = session.seal(part.kind, &part.content, usize::from(part.padding));
            if part.how == How::Spoiled
                && let Some(last) = record.last_mut()
            {
                *last ^= 1;
            }
            if session.send(&record).await.is_err() {
                return false;
            }
            if part.how == How::LastOfItsKeys {
                // There are none in TLS 1.2: nothing changes.
                let _ = session.next_keys();
            }
        }
        let Some(right) = self.serves.asks() else {
            return false;
        };
        let record = session.seal(content::APPLICATION_DATA, &right, 0);
        session.send(&record).await.is_ok()
    }

    async fn hear(&self, session: &mut Sealed, limit: Duration, seen: &mut Seen) -> Heard {
        let until = Instant::now() + limit;
        let mut came = Vec::new();
        for _ in 0..MOST {
            match session.receive(until).await {
                Received::Record(content::APPLICATION_DATA, bytes) => {
                    came.extend(bytes);
                    seen.parsed = true;
                    if self.serves.is_answer(&came) {
                        return Heard::Answered;
                    }
                }
                Received::Record(content::ALERT, bytes) => {
                    seen.parsed = true;
                    let description = bytes.get(1).copied().unwrap_or_default();
                    seen.kinds.push(format!("alert {description}"));
                }
                Received::Record(kind, bytes) => {
                    let first = bytes.first().copied().unwrap_or_default();
                    seen.kinds.push(format!("a record of type {kind}, {first}"));
                }
                // An alert may come in clear from who has lost its keys.
                Received::Unreadable(record) if record.first() != Some(&content::ALERT) => {
                    let shown = hex(&record[..record.len().min(96)]);
                    let what = "a record that the session's keys do not open";
                    return Heard::Wrong(Finding::new(Oracle::Grammar, what, shown));
                }
                Received::Unreadable(_) => seen.kinds.push("an alert in clear".to_owned()),
                Received::Ended => return Heard::Ended,
                Received::Silence => return Heard::Silence,
            }
        }
        Heard::Silence
    }
}

/// What is wrong with how a connection went on, by what was demanded.
fn judged(demanded: Demand, heard: Heard, updates: bool, shown: &str) -> Option<Finding> {
    let wrong = |oracle, what: String| Some(Finding::new(oracle, what, shown));
    let late = |oracle, what: String| Some(Finding::by_silence(oracle, what, shown));
    match (heard, demanded) {
        (Heard::Wrong(found), _) => Some(found),
        (Heard::Answered, Demand::End(breach)) => wrong(
            Oracle::Acceptance,
            format!("{breach} is taken, and the session goes on"),
        ),
        (Heard::Answered, Demand::Ignore(end)) => {
            wrong(Oracle::Acceptance, format!("data behind {end} is answered"))
        }
        (Heard::Answered, Demand::Serve) if !updates => wrong(
            Oracle::Grammar,
            "a KeyUpdate that was asked for does not come before data (RFC 8446 section 4.6.3)"
                .to_owned(),
        ),
        (Heard::Silence, Demand::End(breach)) => late(
            Oracle::Acceptance,
            format!("{breach} does not end the connection"),
        ),
        (Heard::Silence, Demand::Serve) => late(
            Oracle::Grammar,
            "a right request behind right records is not answered".to_owned(),
        ),
        // A server may end a connection whenever it likes.
        (Heard::Answered | Heard::Silence | Heard::Ended, _) => None,
    }
}

impl<S: Served> Target for Behind<'_, S> {
    type Link = Line;

    /// The one request that goes out reads, or asks to be let in.
    fn gives_no_orders(&self) -> Option<&str> {
        Some(self.interface)
    }

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::new(BehindGrammar)
    }

    /// What is under TLS has a suite of its own, which knows what it must not touch: no data goes out from here.
    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        let (_, parts) = read(input);
        let data = |part: &Part| {
            let found = part.found();
            found.is_some_and(|(kind, content)| {
                kind == content::APPLICATION_DATA && !content.is_empty()
            })
        };
        parts
            .iter()
            .any(data)
            .then_some("data for what is under TLS")
    }

    async fn open(&self) -> Result<Line, String> {
        let line = self.bench.open_fuzzed_wire(self.interface).await;
        line.map_err(|error| error.to_string())
    }

    async fn deliver(&self, line: Line, input: &Input) -> Delivered<Line> {
        let mut seen = Seen::default();
        let (old, parts) = read(input);
        let opened = self.bench.seal_fuzzed(self.interface, &self.who, line, old);
        let mut session = match opened.await {
            Ok(session) => session,
            Err(_) if old => {
                seen.kinds.push("TLS 1.2 is refused".to_owned());
                return Delivered::fine(None, seen);
            }
            Err(why) => {
                let what = "a right handshake is not taken";
                let found = Finding::by_silence(Oracle::Liveness, what, why.to_string());
                return Delivered {
                    finding: Some(found),
                    ..Delivered::fine(None, seen)
                };
            }
        };
        let (demanded, asked) = demand(&parts, session.is_1_3());
        let limit = match demanded {
            Demand::End(_) | Demand::Serve => self.limit(LONG),
            Demand::Ignore(_) | Demand::Unclear => self.limit(SHORT),
        };
        self.send(&mut session, &parts).await;
        let heard = self.hear(&mut session, limit, &mut seen).await;
        seen.kinds.push(
            match &heard {
                Heard::Answered => "the session goes on",
                Heard::Ended => "the connection was ended",
                Heard::Silence => "silence",
                Heard::Wrong(_) => "a wrong answer",
            }
            .to_owned(),
        );
        let updates = !asked || session.has_updated();
        let shown = parts
            .first()
            .map(|part| hex(&part.emit()[..part.emit().len().min(64)]));
        let shown = format!("{}: {}", input.label, shown.unwrap_or_default());
        Delivered {
            finding: judged(demanded, heard, updates, &shown),
            ..Delivered::fine(None, seen)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_no_pass_where_something_is_owed_and_an_end_never_fails() {
        let end = Demand::End("it");
        let found = |demanded, heard, updates| judged(demanded, heard, updates, "");
        let oracle = |found: Option<Finding>| found.map(|found| (found.oracle, found.by_silence));
        let over = Demand::Ignore("it");
        for demanded in [end, over, Demand::Serve, Demand::Unclear] {
            assert_eq!(found(demanded, Heard::Ended, true), None);
        }
        for (demanded, answered, silence) in [
            (
                end,
                Some((Oracle::Acceptance, false)),
                Some((Oracle::Acceptance, true)),
            ),
            (over, Some((Oracle::Acceptance, false)), None),
            (Demand::Serve, None, Some((Oracle::Grammar, true))),
            (Demand::Unclear, None, None),
        ] {
            assert_eq!(oracle(found(demanded, Heard::Answered, true)), answered);
            assert_eq!(oracle(found(demanded, Heard::Silence, true)), silence);
        }
        let owed = found(Demand::Serve, Heard::Answered, false);
        assert_eq!(oracle(owed), Some((Oracle::Grammar, false)));
    }
}
