//! CR 3.8: session integrity.

use std::collections::BTreeSet;
use std::time::Duration;

use slcert_rigs::bench::Who;
use slcert_rigs::rig::{Binding, MqttBinding, Values};
use slcert_rigs::tls::probe::{Offer, Version, probe};
use slcert_rigs::tls::suites;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::fuzz::history::{self, Property};
use crate::lingering::question;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "after-logout",
        title: "an ended session does not work again",
        requirements: &["CR 3.8"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            users: &[slcert_rigs::rig::User::Human],
            ..Fits::CONSOLE
        }),
        needs: &[],
        objective: "Find out whether anything of a session is left after logout.",
        criterion: "After logout, neither an empty line nor a command at the login works as the former user.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(after_logout(p)) },
    },
    Case {
        id: "foreign-client-id",
        title: "nobody inherits another one's MQTT session",
        requirements: &["CR 3.8"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::MQTT),
        needs: &[],
        objective: "Find out whether an account that connects with another account's client identifier gets that one's session.",
        criterion: "The broker refuses the connection, or begins a session with nothing of the other's: no session is present, and no \
                    message of the other's subscriptions arrives.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(foreign_client_id(p)) },
    },
    Case {
        id: "session-randomness",
        title: "TLS sessions do not repeat",
        requirements: &["CR 3.8"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::TLS),
        needs: &[],
        objective: "Find out whether the random numbers and identifiers of the device's TLS sessions repeat.",
        criterion: "In 200 handshakes no server random and no session identifier that the server chose stands twice.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(session_randomness(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "no order of events brings an ended session back, or ends another user's",
        requirements: &["CR 3.8", "CR 2.6"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &[],
        objective: "Open generated sessions on all interfaces together, lock and leave them, drop their lines, let an administrator end them and restart the device; then try \
                    what is left of them, with others who come and go in between.",
        criterion: "A session that was ended does nothing more within the stated time, whoever comes after it; what a session was known by opens none without a login; \
                    a session goes on when another user's was ended.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::sessions(p)?;
    history::hold(p, property).await
}

async fn after_logout(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let question = question(p, p.name())?;
    let (operation, account) = (question.operation, question.account);
    let mut session = p.login(account).await?;
    let works = session.perform(operation, &Values::new()).await?;
    if !works.is_done() {
        return Err(Stop::inconclusive(format!(
            "`{operation}` does not work for `{account}` before logout"
        )));
    }
    let Some(console) = session.console() else {
        return Err(Stop::inconclusive("this is no console"));
    };
    console.log_out().await;
    for heard in question.ask_outside(console).await {
        let expected = "does not open the old session";
        p.check(heard.what, expected, &heard.said, !heard.works);
    }
    drop(session);
    // The console is brought back to its login by whoever comes next.
    p.bench().console(p.name()).await?;
    Ok(())
}

async fn foreign_client_id(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let accounts: Vec<&str> = rig
        .accounts_on(p.name())
        .map(|(name, _)| name.as_str())
        .collect();
    // What both may subscribe to comes first: there is nothing to be seen of a session whose messages the other may not have.
    let found = rig.operations.keys().filter_map(|name| {
        let Some(Binding::Mqtt(MqttBinding::Subscribe { topic, .. })) =
            rig.binding(name.as_str(), p.name())
        else {
            return None;
        };
        let owner = rig.who_may_str(name.as_str(), p.name())?;
        let others = || accounts.iter().filter(|account| **account != owner);
        let both = others().find(|account| rig.may(account, name.as_str()));
        let other = both.or_else(|| others().next())?;
        Some((both.is_none(), (topic, owner, *other)))
    });
    let topic = found.min_by_key(|(alone, _)| *alone).map(|(_, it)| it);
    let Some((topic, owner, other)) = topic else {
        return Err(Stop::not_evaluated(format!(
            "two accounts and a topic that one of them may subscribe to are needed on `{}`",
            p.name()
        )));
    };
    let topic = p.bench().fill(topic)?;
    let client_id = format!("slcert-{}", fresh::tag());
    let limit = Duration::from_secs(2);
    let bench = p.bench();
    let opened = bench
        .mqtt_client(p.name(), &Who::Account(owner), &client_id, false)
        .await?;
    let mut owned = opened
        .map_err(|answer| Stop::inconclusive(format!("`{owner}` is refused: {}", answer.text)))?;
    owned.subscribe(&topic, limit).await.map_err(|error| {
        Stop::inconclusive(format!("`{owner}` may not subscribe to `{topic}`: {error}"))
    })?;
    drop(owned);
    tokio::time::sleep(Duration::from_millis(200)).await;

    // The control: the owner's own session is kept, else there is nothing to inherit.
    let again = bench
        .mqtt_client(p.name(), &Who::Account(owner), &client_id, false)
        .await?;
    let again = again
        .map_err(|answer| Stop::inconclusive(format!("`{owner}` is refused: {}", answer.text)))?;
    let kept = again.session_present();
    drop(again);
    tokio::time::sleep(Duration::from_millis(200)).await;

    match bench
        .mqtt_client(p.name(), &Who::Account(other), &client_id, false)
        .await?
    {
        Err(answer) => p.check(
            format!("`{other}` with the client identifier of `{owner}`"),
            "no session of the other's",
            answer.text,
            true,
        ),
        Ok(mut client) => {
            let present = client.session_present();
            let message = client.next_message(Duration::from_millis(1500)).await;
            let observed = match (&message, present) {
                (Some(message), _) => format!(
                    "a message on `{}` arrived without a subscription",
                    message.topic
                ),
                (None, true) => "the broker says that a session is present".to_owned(),
                (None, false) => "let in, with a session of its own".to_owned(),
            };
            let inherited = present || message.is_some();
            client.disconnect().await;
            p.check(
                format!("`{other}` with the client identifier of `{owner}`"),
                "no session of the other's",
                observed,
                !inherited,
            );
        }
    }
    let observed = if kept {
        "kept"
    } else {
        "not kept: there was nothing to inherit"
    };
    p.check(
        "the owner's own session (for information)",
        "recorded",
        observed,
        true,
    );
    // What the test left in the broker is removed: a clean session ends the old one.
    if let Ok(client) = bench
        .mqtt_client(p.name(), &Who::Account(owner), &client_id, true)
        .await?
    {
        client.disconnect().await;
    }
    Ok(())
}

/// How many handshakes are begun.
const HANDSHAKES: usize = 200;

async fn session_randomness(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let address = p.bench().address(p.name())?;
    let mut randoms = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let (mut hellos, mut chosen) = (0, 0);
    for at in 0..HANDSHAKES {
        let mut line = p
            .bench()
            .open_line(p.name(), &format!("{}.probe", p.name()))
            .await?;
        let offer = Offer {
            version: Version::TLS_1_2,
            suites: suites::of(suites::Strength::Good),
            compression: false,
        };
        let mut random = [0x5C; 32];
        random[..8].copy_from_slice(&(at as u64).to_be_bytes());
        let answer = probe(&mut line, &address, &offer, random, Duration::from_secs(3))
            .await
            .map_err(|error| Stop::inconclusive(error.to_string()))?;
        let Some(hello) = answer.hello() else {
            if at == 0 {
                return Err(Stop::not_evaluated(format!(
                    "the device takes no TLS 1.2 with the suites of the probe: {answer}"
                )));
            }
            return Err(Stop::inconclusive(format!(
                "handshake {at} of {HANDSHAKES}: {answer}"
            )));
        };
        hellos += 1;
        randoms.insert(hello.random);
        if !hello.session_id.is_empty() {
            chosen += 1;
            ids.insert(hello.session_id.clone());
        }
    }
    p.check(
        "server randoms",
        format!("{hellos} different ones"),
        format!("{} different ones", randoms.len()),
        randoms.len() == hellos,
    );
    p.check(
        "session identifiers",
        format!("{chosen} different ones"),
        format!("{} different ones", ids.len()),
        ids.len() == chosen,
    );
    Ok(())
}
