//! CR 3.7: error handling.

use std::time::Duration;

use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::line::Direction;
use slcert_rigs::rig::{InterfaceKind, Values};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::dc::cr_4_1::bytes_of;
use crate::fresh;
use crate::leak;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "telling-errors",
    title: "errors do not tell what an attacker can use",
    requirements: &["CR 3.7"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::ALL),
    needs: &[],
    objective: "Provoke errors of every kind that the interface has, and read what they tell.",
    criterion: "No error shows a path, a place in source code, a stack trace, an address in memory or a database's words, and the device \
                reports that there was an error.",
    svv: Svv::Vulnerability,
    body: |p| -> Run<'_> { Box::pin(telling_errors(p)) },
}];

async fn telling_errors(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mark = p.bench().recorder().mark();
    let mut provoked = match p.interface()?.kind {
        InterfaceKind::Console => console(p).await?,
        InterfaceKind::Mqtt => mqtt(p).await?,
        _ => modbus(p).await?,
    };
    // All that came over the line meanwhile counts as well: a device may tell on its own.
    let events = p.bench().recorder().since(mark)?;
    let bytes = bytes_of(&events, p.name(), Direction::Received);
    provoked.push((
        "all that came over the line".to_owned(),
        String::from_utf8_lossy(&bytes).into_owned(),
    ));
    for (what, said) in provoked {
        let found = leak::find(&said);
        let observed = match &found {
            Some((what, words)) => format!("{what}: {words}"),
            None => format!("nothing of the kind in {} characters", said.chars().count()),
        };
        p.check(
            what,
            "tells nothing of the device's inside",
            observed,
            found.is_none(),
        );
    }
    Ok(())
}

async fn wrong_login(p: &Procedure<'_>) -> Result<String, Stop> {
    let account = p
        .rig()
        .accounts_on(p.name())
        .find(|(_, account)| account.password.is_some());
    let user = account
        .map_or("nobody", |(name, _)| p.bench().user(name.as_str()))
        .to_owned();
    let wrong = Secret::new(fresh::strong_password());
    match p
        .enter(&Who::Password {
            user: &user,
            password: &wrong,
        })
        .await?
    {
        Entry::In(session) => {
            session.close().await;
            Err(Stop::inconclusive(
                "a wrong password was let in: see CR 1.1",
            ))
        }
        Entry::Refused(answer) => {
            // A success resets what the failure has counted.
            if let Some((name, _)) = account {
                p.login(name.as_str()).await?.close().await;
            }
            Ok(answer.text)
        }
    }
}

async fn console(p: &Procedure<'_>) -> Result<Vec<(String, String)>, Stop> {
    let mut said = vec![("a wrong password".to_owned(), wrong_login(p).await?)];
    let Some((account, _)) = p.rig().accounts_on(p.name()).next() else {
        return Ok(said);
    };
    let mut session = p.login(account.as_str()).await?;
    if let Some(console) = session.console() {
        for line in [
            "nosuchcommand",
            "show",
            "show nosuchthing",
            "set output notanumber",
            "set output 99999999999999999999",
            "'\"`;|&$(x)",
        ] {
            let text = match console.say(line).await {
                Ok(answer) => answer.text,
                Err(error) => error.to_string(),
            };
            // What was sent comes back as echo, and may stand in the answer: it is not the device's own.
            said.push((format!("`{line}`"), text.replace(line, "")));
        }
    }
    session.close().await;
    Ok(said)
}

async fn mqtt(p: &Procedure<'_>) -> Result<Vec<(String, String)>, Stop> {
    let mut said = vec![("a wrong password".to_owned(), wrong_login(p).await?)];
    for (name, operation) in &p.rig().operations {
        let Some(binding) = p.rig().binding(name.as_str(), p.name()) else {
            continue;
        };
        // Only what takes a value, or nothing, can be asked for here.
        let known = |name: &String| ["value", "tag", "user"].contains(&name.as_str());
        if !binding.placeholders().iter().all(known) {
            continue;
        }
        if let Some(account) = p.rig().who_may_not(name.as_str(), p.name()) {
            let mut session = p.login(account.as_str()).await?;
            let value = operation.values.map_or(0, |range| range.from).to_string();
            let attempt = session
                .perform(name.as_str(), &Values::from([("value".to_owned(), value)]))
                .await;
            session.close().await;
            said.push((
                format!("`{name}` without the right to it"),
                attempt?.answer().text.clone(),
            ));
        }
    }
    Ok(said)
}

async fn modbus(p: &Procedure<'_>) -> Result<Vec<(String, String)>, Stop> {
    let mut said = Vec::new();
    let who = p
        .rig()
        .accounts_on(p.name())
        .next()
        .map_or(Who::Nobody, |(name, _)| Who::Account(name.as_str()));
    let mut client = p.bench().modbus_client(p.name(), &who).await?;
    for (what, pdu) in [
        ("an unknown function", &[99_u8][..]),
        ("an address beyond the last", &[3, 0xFF, 0xFF, 0, 1]),
        ("too many registers", &[3, 0, 0, 0, 126]),
        (
            "an identification object that does not exist",
            &[0x2B, 0x0E, 0x04, 0xFE],
        ),
    ] {
        let text = match client.exchange(pdu, Duration::from_secs(1)).await {
            Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
            Err(error) => error.to_string(),
        };
        said.push((what.to_owned(), text));
        if client
            .exchange(&[0x2B, 0x0E, 1, 0], Duration::from_secs(1))
            .await
            .is_err()
        {
            // A serial port has one holder: the old session goes before the new one comes.
            drop(client);
            client = p.bench().modbus_client(p.name(), &who).await?;
        }
    }
    Ok(said)
}
