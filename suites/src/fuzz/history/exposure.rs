//! What is listened for behind each step of a history: whether a secret of it stands in what the device sends.

use std::collections::BTreeMap;

use slcert_rigs::Secret;
use slcert_rigs::line::{Direction, Event, NotKept, Recorder, Tap, find};
use slcert_rigs::rig::Rig;

use crate::dc::cr_4_1::shows;
use crate::fuzz::finding::{Finding, Oracle};

/// The shortest secret that stands nowhere by chance, if it has small and capital letters and digits.
const LEAST: usize = 12;
/// Behind the name of a line: what is under its TLS.
const WIRE: &str = ".wire";
/// The first four bits of an MQTT CONNECT.
const CONNECT: u8 = 0x10;

/// What a secret of a history is. All are of that history alone: what else a device may tell has no beginning in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was set, or should have been.
    New,
    /// It was asked for in a way that the device has to refuse.
    Refused,
    /// Nobody has it.
    Wrong,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::New => "a new password",
            Self::Refused => "a password of a refused change",
            Self::Wrong => "a wrong password",
        }
    }
}

/// Listens to all lines.
pub struct Listener {
    tap: Tap,
    planted: Vec<(Secret, Kind)>,
    /// What went over the lines during the step before: an answer may come in two parts.
    before: Vec<Event>,
    steps: usize,
}

impl Listener {
    /// A history begins.
    pub fn new(recorder: &Recorder) -> Self {
        Self {
            tap: recorder.tap(),
            planted: Vec::new(),
            before: Vec::new(),
            steps: 0,
        }
    }

    /// A secret that is listened for from now on. One that might stand somewhere by chance is not.
    pub fn plant(&mut self, secret: &Secret, kind: Kind) {
        if is_unmistakable(secret.reveal()) && !self.planted.iter().any(|(it, _)| it == secret) {
            self.planted.push((secret.clone(), kind));
        }
    }

    /// What of it stands in what the device has sent up to the end of a step.
    ///
    /// # Errors
    /// Not all of that was kept.
    pub fn hear(&mut self, rig: &Rig, step: &str) -> Result<Option<Finding>, NotKept> {
        self.steps += 1;
        let heard = self.tap.take()?;
        let both: Vec<&Event> = self.before.iter().chain(&heard).collect();
        let mut connections: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
        for event in both {
            let all = connections.entry(event.channel.number).or_default();
            all.push(event);
        }
        let mut found = None;
        for events in connections.values() {
            let line = events[0].line();
            let types = rig.interface(line).is_some_and(|it| it.kind.is_serial());
            let told = stands(events, types, &self.planted);
            found = found.or(told.map(|(kind, how)| {
                let place = match line.strip_suffix(WIRE) {
                    Some(line) => format!("in clear on the network of `{line}`"),
                    None => format!("in what comes over `{line}`"),
                };
                // Which password it is may be one or another for the same fault.
                let what = format!("a password stands {place}, {how}");
                let seen = format!("{}, behind step {}: {step}", kind.word(), self.steps);
                Finding::new(Oracle::Exposure, what, seen)
            }));
        }
        self.before = heard;
        Ok(found)
    }
}

/// Whether a secret has so many characters of so many kinds that it stands nowhere by chance.
fn is_unmistakable(secret: &str) -> bool {
    let kinds: [fn(&char) -> bool; 3] = [
        char::is_ascii_lowercase,
        char::is_ascii_uppercase,
        char::is_ascii_digit,
    ];
    let has = kinds.iter().filter(|is| secret.chars().any(|it| is(&it)));
    let many = has.count();
    secret.len() >= LEAST && many == 3 || secret.len() >= 2 * LEAST && many == 2
}

/// The first secret that stands in what the device sent over one connection, and how.
fn stands(
    events: &[&Event],
    types: bool,
    planted: &[(Secret, Kind)],
) -> Option<(Kind, &'static str)> {
    let wire = events[0].line().ends_with(WIRE);
    let received = match wire {
        true => [Direction::Sent, Direction::Received]
            .map(|way| bytes(events, way))
            .concat(),
        false if types => answered(events),
        false => bytes(events, Direction::Received),
    };
    let planted = planted.iter();
    let mut found = planted.filter_map(|(secret, kind)| {
        let how = shows(&received, secret.reveal())?;
        (wire || !is_in_command(events, secret)).then_some((*kind, how))
    });
    found.next()
}

fn bytes(events: &[&Event], way: Direction) -> Vec<u8> {
    let own = events.iter().filter(|event| event.direction == way);
    own.flat_map(|event| event.bytes.iter().copied()).collect()
}

/// What came over a serial line, without what a terminal echoes at once of what was typed: that is for CR 1.10 to judge.
fn answered(events: &[&Event]) -> Vec<u8> {
    let (mut answered, mut typed) = (Vec::new(), &[][..]);
    for event in events {
        match event.direction {
            Direction::Sent => typed = &event.bytes,
            Direction::Received => {
                let same = typed.iter().zip(&event.bytes);
                let echo = same.take_while(|(typed, came)| typed == came).count();
                typed = match echo == event.bytes.len() {
                    true => &typed[echo..],
                    false => &[],
                };
                answered.extend_from_slice(&event.bytes[echo..]);
            }
            Direction::Note => {}
        }
    }
    answered
}

/// Whether the bench itself sent a secret in the middle of a command: a terminal shows what is typed, and a broker what is
/// published.
fn is_in_command(events: &[&Event], secret: &Secret) -> bool {
    let secret = secret.reveal().as_bytes();
    events.iter().any(|event| {
        let sent = event.bytes.trim_ascii();
        event.direction == Direction::Sent
            && sent != secret
            && sent.first().is_some_and(|it| it & 0xF0 != CONNECT)
            && find(sent, secret).is_some()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use slcert_rigs::line::Keep;

    use super::*;

    const SECRET: &str = "Qz7abcdefghijkmXk4W9";

    /// What is found of one connection: `>` before what is sent.
    fn found(line: &str, types: bool, said: &[&str]) -> Option<&'static str> {
        let recorder = Recorder::new();
        let tap = recorder.tap();
        let channel = recorder.open(line, None, Keep::All);
        for one in said {
            let (way, text) = match one.strip_prefix('>') {
                Some(text) => (Direction::Sent, text),
                None => (Direction::Received, *one),
            };
            recorder.keep(&Arc::clone(&channel), way, text.as_bytes(), Keep::All);
        }
        let events = tap.take().unwrap();
        let events: Vec<&Event> = events.iter().collect();
        let planted = [(Secret::new(SECRET), Kind::New)];
        stands(&events, types, &planted).map(|(_, how)| how)
    }

    #[test]
    fn what_the_device_says_is_told_from_what_a_terminal_echoes() {
        let typed = &format!(">{SECRET}\r");
        let echo = [typed, &SECRET[..3], &SECRET[3..], "\r\nOK"];
        assert_eq!(found("console", true, &echo), None);
        assert_eq!(found("console", false, &echo), Some("as text"));
        let told = [typed, "\r\nLogin incorrect: ", SECRET];
        assert_eq!(found("console", true, &told), Some("as text"));
        let twice = [typed, SECRET, "\r\n", SECRET];
        assert_eq!(found("console", true, &twice), Some("as text"));
        let later = [typed, "\r\nOK", ">show audit\r", SECRET];
        assert_eq!(found("console", true, &later), Some("as text"));
    }

    #[test]
    fn what_the_bench_sends_in_a_command_may_come_back_on_that_connection() {
        let typed = &format!(">passwd vera {SECRET}\r");
        let redrawn = [typed, "\x1b[Kpasswd vera ", SECRET];
        assert_eq!(found("console", true, &redrawn), None);
        let published = &format!(">\x30topic{SECRET}");
        assert_eq!(found("gateway", false, &[published, SECRET]), None);
        let connect = &format!(">\x10user{SECRET}");
        assert_eq!(found("gateway", false, &[connect, SECRET]), Some("as text"));
    }

    #[test]
    fn under_tls_no_way_shows_a_secret() {
        let sent = &format!(">\x30topic{SECRET}");
        assert_eq!(found("gateway.wire", false, &[sent]), Some("as text"));
        assert_eq!(found("gateway", false, &[sent]), None);
    }

    #[test]
    fn a_secret_that_stands_somewhere_by_chance_is_none() {
        for no in ["", "operator", "Control1", "gw-telemetry-site-1"] {
            assert!(!is_unmistakable(no), "{no}");
        }
        assert!(is_unmistakable(SECRET));
        assert!(is_unmistakable("abcdefghijkmnp23456789qr"));
    }
}
