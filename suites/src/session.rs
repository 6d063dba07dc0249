//! What a session can do, and what is left of one that should be over.

use std::time::Duration;

use slcert_rigs::Attempt;
use slcert_rigs::bench::{BenchError, Session};
use slcert_rigs::rig::{Rig, Values};
use tokio::time::{Instant, sleep};

use crate::effect::{other_value, state};
use crate::procedure::{Procedure, Stop};

/// How long what was revoked may go on, where the rig file does not say.
const REVOCATION: Duration = Duration::from_secs(30);
/// How often a change that was not refused is looked for before it counts as not made.
const LOOKS: u32 = 4;
/// The time between two looks, and between two attempts in a session that should be over.
const BETWEEN: Duration = Duration::from_millis(80);

/// An operation by which an account shows on an interface that its session is alive: one that changes what a witness on
/// another interface reads where there is one, one that reads otherwise.
pub fn deed<'r>(p: &Procedure<'r>, interface: &str, account: &str) -> Option<&'r str> {
    let rig = p.rig();
    let rank = |name: &str| {
        rig.binding(name, interface)?;
        if witnessed(rig, name, interface) {
            return Some(0);
        }
        reads(rig, name, interface)
    };
    let may = rig.operations.keys().map(|name| name.as_str());
    may.filter(|name| rig.may(account, name))
        .filter_map(|name| Some((rank(name)?, name)))
        .min()
        .map(|(_, name)| name)
}

/// Whether an operation only reads and tells that it did: 1 for a value that can be set and so is there at any time, 2 for
/// others.
pub fn reads(rig: &Rig, operation: &str, interface: &str) -> Option<u8> {
    let binding = rig.binding(operation, interface)?;
    // Without a pattern for the answer, any words would count as one.
    let told = binding.meaning().is_none_or(|it| it.answer.is_some());
    if !told || !rig.only_reads(operation, interface) {
        return None;
    }
    let mut backs = rig
        .operations
        .values()
        .filter_map(|it| it.read_back.as_ref());
    Some(if backs.any(|name| name.as_str() == operation) {
        1
    } else {
        2
    })
}

/// An operation that an account may perform on an interface and that only reads, with its rank by [`reads`].
pub fn reading<'r>(rig: &'r Rig, interface: &str, account: &str) -> Option<(u8, &'r str)> {
    let operations = rig.operations.keys().map(|name| name.as_str());
    let may = operations.filter(|name| rig.may(account, name));
    may.filter_map(|name| Some((reads(rig, name, interface)?, name)))
        .min()
}

/// Whether an account watches an essential function: its sessions are not the test's to end or to count.
pub fn watches(rig: &Rig, account: &str) -> bool {
    let mut accounts = rig.essential.values().filter_map(|it| it.account.as_ref());
    accounts.any(|name| name.as_str() == account)
}

/// Whether what an operation changes can be read back on another interface, so that a session here need not end for it.
pub fn witnessed(rig: &Rig, operation: &str, interface: &str) -> bool {
    let Some(read_back) = rig
        .operations
        .get(operation)
        .and_then(|it| it.read_back.as_ref())
    else {
        return false;
    };
    let read_back = read_back.as_str();
    rig.interfaces.iter().any(|(other, described)| {
        other.as_str() != interface
            && rig.binding(read_back, other.as_str()).is_some()
            && (described.is_open(read_back) || rig.who_may(read_back, other.as_str()).is_some())
    })
}

/// Whether a session still does something, in words: an answer that is no refusal, or a change that a witness reads.
///
/// # Errors
/// The witness could not read.
pub async fn acts(
    p: &Procedure<'_>,
    session: &mut Session,
    operation: &str,
) -> Result<(bool, String), Stop> {
    let described = p.rig().operations.get(operation);
    let Some((described, read_back)) = described.and_then(|it| Some((it, it.read_back.as_ref()?)))
    else {
        return Ok(match say(session, operation, &Values::new()).await? {
            Ok(Attempt::Done(answer)) => (true, format!("`{operation}`: {}", answer.text)),
            Ok(other) => (false, format!("`{operation}`: {}", other.answer().text)),
            Err(over) => (false, over),
        });
    };
    let before = state(p, read_back.as_str()).await?;
    let value = other_value(described, &before);
    let values = Values::from([("value".to_owned(), value.clone())]);
    let (refused, said) = match say(session, operation, &values).await? {
        Ok(attempt) => (attempt.is_refused(), attempt.answer().text.clone()),
        Err(over) => (true, over),
    };
    let looks = if refused || session.is_over() {
        1
    } else {
        LOOKS
    };
    for look in 0..looks {
        if look > 0 {
            sleep(BETWEEN).await;
        }
        if state(p, read_back.as_str()).await? == value {
            let words = format!("`{operation}` set {value}; the device said: {said}");
            return Ok((true, words));
        }
    }
    let words = format!("`{operation}` changed nothing; the device said: {said}");
    Ok((false, words))
}

/// Performs in a session that may be over. A line that is gone is how a session is over: that it is not the bench's own
/// fault, a login after it has to show.
async fn say(
    session: &mut Session,
    operation: &str,
    values: &Values,
) -> Result<Result<Attempt, String>, Stop> {
    match session.perform(operation, values).await {
        Ok(attempt) => Ok(Ok(attempt)),
        Err(error) if is_of_the_line(&error) => Ok(Err(format!("the session is over: {error}"))),
        Err(other) => Err(other.into()),
    }
}

/// Whether a line is gone, or nothing came on it: that is how a session is over.
pub fn is_of_the_line(error: &BenchError) -> bool {
    matches!(
        error,
        BenchError::Line { .. }
            | BenchError::Mqtt { .. }
            | BenchError::Modbus { .. }
            | BenchError::Console { .. }
    )
}

/// How long what was revoked may go on.
pub fn revoked_within(p: &Procedure<'_>) -> Duration {
    p.rig().policy.revocation.map_or(REVOCATION, |it| it.0)
}

/// Checks that a session that was ended from elsewhere does nothing more, at the latest after the time that the device
/// states.
///
/// # Errors
/// The witness could not read.
pub async fn dies(
    p: &mut Procedure<'_>,
    mut session: Session,
    operation: &str,
    what: &str,
) -> Result<(), Stop> {
    let limit = revoked_within(p);
    let began = Instant::now();
    // A silence may be by chance; two are not.
    let mut silent = 0;
    let (dead, words) = loop {
        let (acted, words) = acts(p, &mut session, operation).await?;
        silent = if acted { 0 } else { silent + 1 };
        if session.is_over() || silent == 2 {
            break (!acted, words);
        }
        if acted && began.elapsed() > limit {
            break (false, words);
        }
        sleep(BETWEEN).await;
    };
    session.abandon().await;
    p.check(
        what,
        format!(
            "does nothing more, {} s after at the latest",
            limit.as_secs_f32()
        ),
        words,
        dead,
    );
    Ok(())
}

/// Whether a session can be kept open on an interface while an administrator works.
pub fn stays_open(p: &Procedure<'_>, interface: &str, operation: &str) -> bool {
    let serial = p
        .rig()
        .interface(interface)
        .is_some_and(|it| it.kind.is_serial());
    !serial || p.anywhere(operation).is_ok_and(|(at, _)| at != interface)
}
