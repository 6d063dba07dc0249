//! Commands that a process sends to `plant/cmd`, and the acknowledgements on `plant/ack`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::controller::{Actor, Controller, Write};
use crate::peer::Sealed;
use crate::process::Point;

/// Bytes of the longest command.
const LONGEST: usize = 1024;
/// Characters of the longest id that is sent back.
const LONGEST_ID: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    id: String,
    set_output: Value,
}

/// What is told about one command.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reply {
    id: Option<String>,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

impl Reply {
    fn refused(id: Option<String>, error: &'static str) -> Self {
        Self {
            id,
            ok: false,
            error: Some(error),
        }
    }
}

/// Does what a command asks for, on behalf of somebody who may publish commands.
pub(super) fn run(controller: &Controller, actor: &Actor, payload: &[u8]) -> Reply {
    let (id, value) = match parse(payload) {
        Ok(command) => command,
        Err(reply) => {
            controller.audit.record_malformed(actor.source, "command");
            return reply;
        }
    };
    apply(controller, actor, id, value)
}

/// The same, where a peer has sealed it.
pub(super) fn run_sealed(controller: &Controller, actor: &Actor, payload: &[u8]) -> Reply {
    let parsed = serde_json::from_slice::<Sealed>(payload);
    let Some(message) = parsed
        .ok()
        .filter(|it| payload.len() <= LONGEST && it.id.chars().count() <= LONGEST_ID)
    else {
        controller.audit.record_malformed(actor.source, "command");
        return Reply::refused(None, "bad request");
    };
    match controller.unseal(actor, &message) {
        Ok(()) => apply(controller, actor, message.id, message.set_output),
        Err(_) => Reply::refused(Some(message.id), "not sealed"),
    }
}

fn apply(controller: &Controller, actor: &Actor, id: String, value: u16) -> Reply {
    if !Point::Output.accepts(value) {
        return Reply::refused(Some(id), "bad value");
    }
    // Whether the actor may was decided when it published to the topic.
    match controller.apply(actor, &[Write::Point(Point::Output, value)]) {
        Ok(()) => Reply {
            id: Some(id),
            ok: true,
            error: None,
        },
        Err(_) => Reply::refused(Some(id), "storage failed"),
    }
}

fn parse(payload: &[u8]) -> Result<(String, u16), Reply> {
    let bad = |id| Reply::refused(id, "bad request");
    if payload.len() > LONGEST {
        return Err(bad(None));
    }
    let command: Command = serde_json::from_slice(payload).map_err(|_| bad(None))?;
    if command.id.chars().count() > LONGEST_ID {
        return Err(bad(None));
    }
    let value = command
        .set_output
        .as_u64()
        .and_then(|value| u16::try_from(value).ok());
    match value {
        Some(value) => Ok((command.id, value)),
        None => Err(Reply::refused(Some(command.id), "bad value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_an_id_and_a_number() {
        assert_eq!(
            parse(br#"{"id":"x","set_output":500}"#),
            Ok(("x".into(), 500))
        );
    }

    #[test]
    fn anything_else_is_refused_with_its_id_if_there_is_one() {
        for (payload, reply) in [
            (&b"\xff\xfe"[..], Reply::refused(None, "bad request")),
            (b"{}", Reply::refused(None, "bad request")),
            (
                br#"{"id":1,"set_output":1}"#,
                Reply::refused(None, "bad request"),
            ),
            (
                br#"{"id":"x","set_output":1,"root":1}"#,
                Reply::refused(None, "bad request"),
            ),
            (
                br#"{"id":"x","set_output":-1}"#,
                Reply::refused(Some("x".into()), "bad value"),
            ),
            (
                br#"{"id":"x","set_output":"1"}"#,
                Reply::refused(Some("x".into()), "bad value"),
            ),
            (&[b' '; 2000], Reply::refused(None, "bad request")),
        ] {
            assert_eq!(parse(payload), Err(reply));
        }
    }
}
