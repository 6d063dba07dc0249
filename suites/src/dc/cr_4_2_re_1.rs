//! CR 4.2 RE(1): erasure of shared memory.

use std::time::Duration;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::line::{Direction, find};
use slcert_rigs::mqtt::MqttError;
use slcert_rigs::rig::{InterfaceKind, Values};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::dc::cr_4_1::bytes_of;
use crate::fresh;
use crate::modbus::{Peer, Said, Served, reading};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "stale-memory",
    title: "no answer carries what another session has sent",
    requirements: &["CR 4.2 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::ALL),
    needs: &[],
    objective: "Fill the device's memory with a mark in one session, and look for it in what another session gets: to reads of every length, to \
                requests that are short or cut off, and to all that only reads.",
    criterion: "In another session, of another account where there is one, no answer carries eight bytes of the mark, in any order of bytes; the \
                device served before and after. This is negative evidence: what no answer shows may be in memory still.",
    svv: Svv::ThreatMitigation,
    body: |p| -> Run<'_> { Box::pin(stale_memory(p)) },
}];

/// How often a mark is left and looked for: memory is not always used again at once.
const ROUNDS: u32 = 3;
/// How often the mark is repeated in what is sent: 96 bytes, which the buffers of small devices hold.
const TIMES: usize = 8;
/// How many bytes of the mark in a row are no chance.
const WINDOW: usize = 8;
/// How long an acknowledgement may take.
const LIMIT: Duration = Duration::from_secs(2);
/// A function code of Modbus that is assigned to nothing (MB section 5.1).
const UNASSIGNED: u8 = 0x3C;
/// Operations whose answers tell by right what others did.
const TELL_OF_OTHERS: [&str; 4] = ["read_audit", "export_audit", "list_sessions", "alerts"];

async fn stale_memory(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let kind = p.interface()?.kind;
    let accounts: Vec<_> = p.rig().accounts_on(p.name()).collect();
    let who = |at: usize| {
        let account = accounts.get(at).or(accounts.first());
        account.map_or(Who::Nobody, |(name, _)| Who::Account(name.as_str()))
    };
    let (first, other) = (who(0), who(1));
    if accounts.is_empty() && p.interface()?.has_identity() {
        return Err(Stop::not_evaluated(format!(
            "the rig file lists no account on `{}`",
            p.name()
        )));
    }
    for round in 1..=ROUNDS {
        let tag = fresh::tag();
        match kind {
            InterfaceKind::Console => leave_at_console(p, &first, &tag).await?,
            InterfaceKind::Mqtt => leave_by_mqtt(p, &first, &tag).await?,
            _ => leave_by_modbus(p, first, &tag).await?,
        }
        let mark = p.bench().recorder().mark();
        let answers = match kind {
            InterfaceKind::Console => look_at_console(p, &other).await?,
            InterfaceKind::Mqtt => read_all(p, &other).await?,
            _ => look_by_modbus(p, other).await?,
        };
        let events = p.bench().recorder().since(mark)?;
        let received = bytes_of(&events, p.name(), Direction::Received);
        if answers == 0 || received.is_empty() {
            return Err(Stop::inconclusive(
                "the other session got no answer: nothing could carry the mark",
            ));
        }
        let found = left_over(&received, &tag);
        let observed = match &found {
            Some(text) => format!("`{text}` stands there"),
            None => format!("not in {} bytes of {answers} answers", received.len()),
        };
        p.check(
            format!("the mark of another session, {round}. time"),
            "in no answer",
            observed,
            found.is_none(),
        );
    }
    Ok(())
}

/// Leaves the mark as a command that there is not.
async fn leave_at_console(p: &Procedure<'_>, who: &Who<'_>, tag: &str) -> Result<(), Stop> {
    let Entry::In(mut session) = p.enter(who).await? else {
        return Err(not_let_in());
    };
    let said = match session.console() {
        Some(console) => console.say(&filled(tag)).await.map(|_| ()),
        None => Ok(()),
    };
    session.close().await;
    Ok(said?)
}

/// Leaves the mark as a client identifier, a topic and a message.
async fn leave_by_mqtt(p: &Procedure<'_>, who: &Who<'_>, tag: &str) -> Result<(), Stop> {
    let client = p.bench().mqtt_client(p.name(), who, tag, true).await?;
    let Ok(mut client) = client else {
        return Err(not_let_in());
    };
    let text = filled(tag);
    // Refused or not, the device has had it.
    let came = match client.subscribe(&text, LIMIT).await {
        Ok(_) | Err(MqttError::Refused { .. } | MqttError::Closed(_)) => Ok(()),
        Err(error) => Err(Stop::inconclusive(error.to_string())),
    };
    let _ = client.publish(&text, text.as_bytes(), false, LIMIT).await;
    client.disconnect().await;
    came
}

/// Leaves the mark behind a function code that is assigned to nothing.
async fn leave_by_modbus<'r>(p: &Procedure<'r>, who: Who<'r>, tag: &str) -> Result<(), Stop> {
    let mut peer = Peer::open_as(p, who).await?;
    let pdu = [&[UNASSIGNED], filled(tag).as_bytes()].concat();
    peer.ask(&pdu).await?;
    served(&mut peer).await
}

/// Sends what a device may answer with more than it should, and all that only reads; how many answers came.
async fn look_at_console(p: &Procedure<'_>, who: &Who<'_>) -> Result<usize, Stop> {
    let Entry::In(mut session) = p.enter(who).await? else {
        return Err(not_let_in());
    };
    let mut answers = 0;
    for text in ["", "z", "zz"] {
        if let Some(console) = session.console() {
            console.say(text).await?;
            answers += 1;
        }
    }
    session.close().await;
    Ok(answers + read_all(p, who).await?)
}

/// Reads each table in every length, and sends requests that are cut off; how many answers came.
async fn look_by_modbus<'r>(p: &Procedure<'r>, who: Who<'r>) -> Result<usize, Stop> {
    let mut peer = Peer::open_as(p, who).await?;
    let mut requests: Vec<Vec<u8>> = vec![reading(p)];
    for function in 1..=4 {
        for count in [1, 2, 4, 8, 16, 32, 64, 125] {
            requests.push(vec![function, 0, 0, 0, count]);
        }
    }
    for code in 1..=4 {
        requests.push(vec![0x2B, 0x0E, code, 0]);
    }
    for function in [3, 16, 0x2B, UNASSIGNED] {
        requests.extend([vec![function], vec![function, 0, 0, 0]]);
    }
    // How long an answer takes is known from here on: a silence need not last longer.
    served(&mut peer).await?;
    let mut answers = 0;
    for request in requests {
        let said = peer.ask(&request).await?;
        answers += usize::from(matches!(said, Said::Legal(_) | Said::Illegal(..)));
    }
    served(&mut peer).await?;
    Ok(answers)
}

async fn served(peer: &mut Peer<'_>) -> Result<(), Stop> {
    match peer.serves().await? {
        Served::AtOnce(_) | Served::After(_) => Ok(()),
        Served::Never(last) => Err(Stop::inconclusive(format!(
            "a right request is not answered any more: {last}"
        ))),
    }
}

/// Performs all that only reads and that tells nothing of others; how many answers came.
async fn read_all(p: &Procedure<'_>, who: &Who<'_>) -> Result<usize, Stop> {
    let (rig, here) = (p.rig(), p.name());
    let account = match who {
        Who::Account(account) => Some(*account),
        _ => None,
    };
    let mut answers = 0;
    let Entry::In(mut session) = p.enter(who).await? else {
        return Err(not_let_in());
    };
    for operation in rig.operations.keys().map(|name| name.as_str()) {
        let may = account.is_some_and(|account| rig.may(account, operation));
        if may && rig.only_reads(operation, here) && !TELL_OF_OTHERS.contains(&operation) {
            let attempt = session.perform(operation, &Values::new()).await?;
            answers += usize::from(attempt.is_done());
        }
    }
    session.close().await;
    Ok(answers)
}

fn not_let_in() -> Stop {
    Stop::inconclusive("an account of the rig file was not let in")
}

fn filled(tag: &str) -> String {
    format!("zz{}", tag.repeat(TIMES))
}

/// What stands of a repeated mark in bytes: some of it in a row, or with the bytes of each register swapped.
fn left_over(bytes: &[u8], tag: &str) -> Option<String> {
    let twice = tag.repeat(2);
    let swapped = |from: usize| -> Vec<u8> {
        let pairs = bytes.get(from..).unwrap_or_default().chunks(2);
        pairs.flat_map(|pair| pair.iter().rev().copied()).collect()
    };
    let readings = [bytes.to_vec(), swapped(0), swapped(1)];
    let mut windows = (0..tag.len()).filter_map(|at| twice.get(at..at + WINDOW));
    windows
        .find(|window| {
            readings
                .iter()
                .any(|it| find(it, window.as_bytes()).is_some())
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_mark_is_found_wherever_it_begins() {
        let tag = "abcdefghijkm";
        assert_eq!(left_over(b"..efghijkm..", tag), Some("efghijkm".into()));
        assert_eq!(left_over(b"..jkmabcde..", tag), Some("jkmabcde".into()));
        assert_eq!(left_over(b".badcfehg.", tag), Some("abcdefgh".into()));
        assert_eq!(left_over(b"abcdefg hijkmab", tag), None);
        assert_eq!(left_over(b"", tag), None);
    }
}
