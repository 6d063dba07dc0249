//! Defects of the console that only generated inputs find. Each is switched here, at the moment that it needs.

use std::time::Duration;

use super::line::LineEditor;
use crate::controller::{Actor, Controller};
use crate::flaw::Defect;
use crate::process::Point;

/// How long the flaw `tab-stalls-control` stalls, and from how long a line on.
const STALL: Duration = Duration::from_secs(3);
const COMPLETED: usize = 8;
/// How much later a form feed makes what follows (flaw `form-feed-slows`).
const LATER: Duration = Duration::from_millis(300);
/// How many logins in a row are given up before the flaw `crash-after-given-up-logins` shows.
const GIVEN_UP: u32 = 2;
/// How many bytes an escape sequence leaves behind (flaw `escapes-leak`).
const LEFT_BEHIND: usize = 256 << 10;
/// The parameters of an escape sequence, in bytes, that the flaw `parameters-flood` does not bear.
const PARAMETERS: usize = 16;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// What the defects remember.
#[derive(Debug, Default)]
pub(super) struct Deep {
    /// The escape sequence that goes on, behind its first byte.
    sequence: Option<Vec<u8>>,
    /// Who was logged in last.
    last: Option<Actor>,
    /// What was typed last as a password that was refused.
    refused: String,
    given_up: u32,
    spoilt: bool,
    slow: bool,
    left_behind: Vec<Vec<u8>>,
}

/// What becomes of a key.
pub(super) enum Key {
    /// It goes to the line editor.
    Usual,
    /// Nothing comes of it.
    Lost,
    /// It shows a text.
    Shows(String),
    /// The console says nothing any more.
    Deafens,
    /// The console prints for ever.
    Floods,
}

/// Looks at a key before the line editor does.
pub(super) fn key(controller: &Controller, deep: &mut Deep, editor: &LineEditor, byte: u8) -> Key {
    let has = |defect| controller.flaws.enabled(defect);
    if let Some(fate) = deep.follow(byte, &has) {
        return fate;
    }
    match byte {
        0x08 | 0x7f if editor.length() > editor.typed().len() && has(Defect::CrashOnErase) => {
            controller.crash.notify_one();
        }
        b'\t' if editor.length() > COMPLETED && has(Defect::TabStallsControl) => {
            controller.process.stall(STALL);
        }
        ESCAPE if has(Defect::EscapesLeak) => deep.left_behind.push(vec![1; LEFT_BEHIND]),
        0x0c if has(Defect::FormFeedSlows) => deep.slow = true,
        0x14 if has(Defect::ControlKeyClearsLimit) => controller.process.set(Point::Limit, 0),
        0x13 if has(Defect::XoffDeafens) => return Key::Deafens,
        0 if has(Defect::NulSpoilsSession) => deep.spoilt = true,
        _ => {}
    }
    Key::Usual
}

impl Deep {
    /// Follows escape sequences; what becomes of a key that is part of one, where a defect says so.
    fn follow(&mut self, byte: u8, has: &impl Fn(Defect) -> bool) -> Option<Key> {
        let Some(sequence) = &mut self.sequence else {
            self.sequence = (byte == ESCAPE).then(Vec::new);
            return None;
        };
        sequence.push(byte);
        let ended = match sequence[0] {
            b']' => byte == BELL || sequence.ends_with(&[ESCAPE, b'\\']),
            b'[' => sequence.len() > 1 && !(b' '..=b'?').contains(&byte),
            b'O' => sequence.len() > 1,
            _ => true,
        };
        let swallowed = sequence[0] == b']' && has(Defect::UnendedSequenceDeafens);
        let flooded =
            sequence[0] == b'[' && sequence.len() > PARAMETERS && has(Defect::ParametersFlood);
        let up = matches!(sequence.as_slice(), [b'[' | b'O', b'A']);
        if ended || sequence[0] == b']' && byte == b'\r' && !swallowed {
            self.sequence = None;
        }
        if flooded {
            return Some(Key::Floods);
        }
        if up && has(Defect::PasswordInHistory) {
            return Some(Key::Shows(self.refused.clone()));
        }
        swallowed.then_some(Key::Lost)
    }

    /// Whether an escape sequence swallows what is typed.
    pub(super) fn swallows(&self, controller: &Controller) -> bool {
        let string = self
            .sequence
            .as_ref()
            .is_some_and(|it| it.starts_with(b"]"));
        string && controller.flaws.enabled(Defect::UnendedSequenceDeafens)
    }
}

/// How late a line is taken.
pub(super) fn delay(deep: &Deep) -> Option<Duration> {
    deep.slow.then_some(LATER)
}

/// Looks at a command; whether it is still understood.
pub(super) fn command(controller: &Controller, deep: &Deep, line: &str) -> bool {
    let known = super::command::is_known(line);
    if known && line.contains("%n") && controller.flaws.enabled(Defect::CrashOnFormatArgument) {
        controller.crash.notify_one();
    }
    !deep.spoilt
}

/// A login was given up where its password was asked for.
pub(super) fn given_up(deep: &mut Deep) {
    deep.given_up += 1;
}

/// Somebody has logged in.
pub(super) fn logged_in(controller: &Controller, deep: &mut Deep) {
    deep.spoilt = false;
    let given_up = std::mem::take(&mut deep.given_up);
    if given_up >= GIVEN_UP && controller.flaws.enabled(Defect::CrashAfterGivenUpLogins) {
        controller.crash.notify_one();
    }
}

/// A login was refused.
pub(super) fn refused(deep: &mut Deep, password: &str) {
    password.clone_into(&mut deep.refused);
}

/// Somebody has left.
pub(super) fn left(deep: &mut Deep, actor: &Actor) {
    deep.last = Some(actor.clone());
    deep.refused.clear();
}

/// Whose session a name that is too long opens.
pub(super) fn opened_by_long_name(controller: &Controller, deep: &Deep) -> Option<Actor> {
    let has = controller.flaws.enabled(Defect::LongNameOpensSession);
    deep.last.clone().filter(|_| has)
}

/// Whether what is typed as a password is carried out.
pub(super) fn obeys(controller: &Controller, password: &str) -> bool {
    password.starts_with("set ") && controller.flaws.enabled(Defect::CommandAsPassword)
}

/// An entry of the audit log as it is shown.
pub(super) fn shown(controller: &Controller, entry: &str) -> String {
    match controller.flaws.enabled(Defect::ForgedLogLine) {
        true => entry.replace("\\u{2028}", "\r\n"),
        false => entry.to_owned(),
    }
}
