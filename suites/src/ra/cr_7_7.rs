//! CR 7.7: least functionality.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use slcert_rigs::bench::Who;
use slcert_rigs::ports;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::modbus::{Peer, Said, Served, words};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "tcp-ports",
        title: "only declared TCP ports answer",
        requirements: &["CR 7.7"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out which TCP ports of the device answer.",
        criterion: "Every port from 1 to 65535 that answers is declared in the rig file, and every declared one answers.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(tcp_ports(p)) },
    },
    Case {
        id: "modbus-functions",
        title: "only declared Modbus functions are served",
        requirements: &["CR 7.7"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::MODBUS),
        needs: &[],
        objective: "Find out which function codes from 1 to 127 the device serves.",
        criterion: "Every function that is carried out, or refused with another exception than 1, is declared in the rig file; silence \
                    counts only where a right request is answered after it.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(modbus_functions(p)) },
    },
    Case {
        id: "console-commands",
        title: "only declared commands are offered",
        requirements: &["CR 7.7"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::CONSOLE),
        needs: &[],
        objective: "Find out which commands the console's own help lists.",
        criterion: "Every command that the help lists is declared in the rig file.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(console_commands(p)) },
    },
    Case {
        id: "mqtt-topics",
        title: "only declared topics carry messages",
        requirements: &["CR 7.7"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::MQTT),
        needs: &[],
        objective: "Find out on which topics messages arrive when everything is subscribed to.",
        criterion: "Every topic that a message arrives on is declared in the rig file.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(mqtt_topics(p)) },
    },
];

async fn tcp_ports(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let surface = p.rig().surface.as_ref().ok_or_else(|| {
        Stop::not_evaluated("the rig file does not say which address has which ports (`surface`)")
    })?;
    let name = p.bench().fill(&surface.address)?;
    let address = address(&name).await?;
    let open = scan(address, (1..=u16::MAX).collect()).await?;
    let declared: BTreeSet<u16> = surface.tcp.iter().copied().collect();
    // Servers of this machine that listen on all its addresses are not the device's: they answer on another one, too.
    let others = IpAddr::from([127, 255, 255, 253]);
    let elsewhere = if address.is_loopback() && address != IpAddr::from([127, 0, 0, 1]) {
        scan(others, open.difference(&declared).copied().collect()).await?
    } else {
        BTreeSet::new()
    };
    for port in &declared {
        let answers = open.contains(port);
        p.check(
            format!("declared port {port}"),
            "answers",
            if answers {
                "answers"
            } else {
                "does not answer"
            },
            answers,
        );
    }
    for port in open.difference(&declared) {
        if !elsewhere.contains(port) {
            p.check(
                format!("port {port}"),
                "does not answer: it is not declared",
                "answers",
                false,
            );
        }
    }
    let others: Vec<_> = elsewhere.iter().map(u16::to_string).collect();
    p.check(
        "ports 1 to 65535",
        "scanned",
        format!(
            "{} answer{}",
            open.len() - elsewhere.len(),
            if others.is_empty() {
                String::new()
            } else {
                format!(
                    "; left out, as they are of the bench's own machine: {}",
                    others.join(", ")
                )
            }
        ),
        true,
    );
    Ok(())
}

async fn scan(address: IpAddr, ports: Vec<u16>) -> Result<BTreeSet<u16>, Stop> {
    let found = ports::answering(address, ports).await;
    found.map_err(|error| Stop::inconclusive(format!("the ports cannot be tried: {error}")))
}

/// The address behind a name. One that cannot be found out has no port that answers, and would pass.
async fn address(name: &str) -> Result<IpAddr, Stop> {
    let unknown = |why: String| Stop::inconclusive(format!("`{name}` is no address: {why}"));
    let found = tokio::net::lookup_host((name, 0)).await;
    let mut found = found.map_err(|error| unknown(error.to_string()))?;
    let first = found
        .next()
        .ok_or_else(|| unknown("it has none".to_owned()))?;
    Ok(first.ip())
}

async fn modbus_functions(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let declared = p.interface()?.offers.functions.clone().ok_or_else(|| {
        Stop::not_evaluated(format!(
            "the rig file does not say which functions `{}` offers (`offers.functions`)",
            p.name()
        ))
    })?;
    // Nobody who may do much is needed: a function that is refused by right is still served.
    let mut peer = Peer::open(p).await?;
    // The unit alone in RTU, the whole MBAP header in TCP.
    let header = if p.interface()?.kind.is_serial() {
        1
    } else {
        7
    };
    let mut silent = Vec::new();
    for function in 1..=127_u8 {
        if declared.contains(&function) {
            continue;
        }
        let (said, served) = peer.ask_and_serve(&harmless(function)).await?;
        match shows(function, &said, header) {
            Shown::Nothing => {}
            Shown::Service => p.check(
                format!("function {function}"),
                "exception 1: it is not declared",
                words(&said),
                false,
            ),
            Shown::Silence => {
                silent.push(function);
                // A server that does not answer at all would pass as one without functions.
                if let Served::Never(why) = served {
                    return Err(Stop::inconclusive(format!(
                        "after function {function} the device answers no right request either: {why}"
                    )));
                }
            }
        }
    }
    let without = if silent.is_empty() {
        String::new()
    } else {
        format!("; without an answer that names them: {silent:?}")
    };
    p.check(
        "functions 1 to 127",
        "asked",
        format!("declared: {declared:?}{without}"),
        true,
    );
    Ok(())
}

/// What an answer shows of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// It is not served.
    Nothing,
    /// It is served: carried out, or refused for another reason than that it does not exist.
    Service,
    /// Nothing that names it.
    Silence,
}

/// An answer that breaks the protocol is CR 3.5's finding; here it counts for what it names. In its frame, the function
/// stands after a header of so many bytes.
fn shows(function: u8, said: &Said, header: usize) -> Shown {
    let pdu = match said {
        Said::Legal(pdu) => &pdu[..],
        Said::Illegal(frame, _) => frame.get(header..).unwrap_or_default(),
        Said::Nothing | Said::Ended => &[],
    };
    match pdu {
        [first, 1, ..] if *first == function | 0x80 => Shown::Nothing,
        [first, ..] if first & 0x7F == function => Shown::Service,
        _ => Shown::Silence,
    }
}

/// A whole request of a function that does no harm: where the function writes, it does so beyond the last address.
///
/// Bodies by the Modbus application protocol V1.1b3 section 6; a function that it does not know stands alone.
fn harmless(function: u8) -> Vec<u8> {
    let body: &[u8] = match function {
        1..=4 => &[0, 0, 0, 1],
        5 | 6 => &[0xFF, 0xFF, 0, 0],
        8 => &[0, 0, 0xA5, 0x37],
        15 => &[0xFF, 0xFF, 0, 1, 1, 0],
        16 => &[0xFF, 0xFF, 0, 1, 2, 0, 0],
        20 => &[7, 6, 0, 1, 0, 0, 0, 1],
        21 => &[0],
        22 => &[0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        23 => &[0, 0, 0, 1, 0xFF, 0xFF, 0, 1, 2, 0, 0],
        24 => &[0, 0],
        43 => &[0x0E, 0x01, 0x00],
        _ => &[],
    };
    let mut pdu = vec![function];
    pdu.extend_from_slice(body);
    pdu
}

async fn console_commands(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let offers = &p.interface()?.offers;
    let (Some(help), Some(declared)) = (offers.help.clone(), offers.commands.clone()) else {
        return Err(Stop::not_evaluated(format!(
            "the rig file does not say which commands `{}` offers, and how it lists them (`offers.commands`, `offers.help`)",
            p.name()
        )));
    };
    let listed = listed(p, p.name(), &help).await?;
    if listed.is_empty() {
        return Err(Stop::inconclusive(format!(
            "`{help}` lists nothing that reads like commands"
        )));
    }
    for command in &listed {
        let known = declared.contains(command);
        if !known {
            p.check(
                format!("command `{command}`"),
                "not listed: it is not declared",
                "listed by the help",
                false,
            );
        }
    }
    p.check(
        "the help",
        "read",
        format!("{} commands are listed", listed.len()),
        true,
    );
    Ok(())
}

/// The commands that a console lists in its help, for all accounts.
///
/// # Errors
/// The bench could not ask.
pub async fn listed(
    p: &Procedure<'_>,
    interface: &str,
    help: &str,
) -> Result<BTreeSet<String>, Stop> {
    let mut listed = BTreeSet::new();
    for (account, _) in p.rig().accounts_on(interface) {
        let mut session = p.bench().login(interface, account.as_str()).await?;
        if let Some(console) = session.console() {
            let said = console.say(help).await?;
            listed.extend(commands(&said.text));
        }
        session.close().await;
    }
    Ok(listed)
}

/// The first word of each line of a help that begins like a command.
fn commands(help: &str) -> impl Iterator<Item = String> + '_ {
    help.lines().filter_map(|line| {
        let word = line.split_whitespace().next()?;
        let like = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && word.len() <= 32;
        // A headline ends in a colon, a remark begins in a capital letter.
        (like && word.starts_with(|c: char| c.is_ascii_lowercase())).then(|| word.to_owned())
    })
}

/// How long messages are waited for.
const LISTEN: Duration = Duration::from_millis(2500);

async fn mqtt_topics(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let declared = p.interface()?.offers.topics.clone().ok_or_else(|| {
        Stop::not_evaluated(format!(
            "the rig file does not say which topics `{}` offers (`offers.topics`)",
            p.name()
        ))
    })?;
    let mut seen = BTreeSet::new();
    let mut refused = Vec::new();
    for (account, _) in p.rig().accounts_on(p.name()) {
        let who = Who::Account(account.as_str());
        for filter in ["#", "$SYS/#"] {
            let id = format!("slcert-{}", crate::fresh::tag());
            let client = p.bench().mqtt_client(p.name(), &who, &id, true).await?;
            let mut client = client.map_err(|answer| {
                Stop::inconclusive(format!("`{account}` is refused: {}", answer.text))
            })?;
            match client.subscribe(filter, Duration::from_secs(2)).await {
                Err(error) => refused.push(format!("`{filter}` for {account} ({error})")),
                Ok(_) => {
                    let deadline = tokio::time::Instant::now() + LISTEN;
                    while let Some(message) = client
                        .next_message(
                            deadline.saturating_duration_since(tokio::time::Instant::now()),
                        )
                        .await
                    {
                        seen.insert(message.topic);
                        if seen.len() > 1000 {
                            break;
                        }
                    }
                }
            }
            client.disconnect().await;
        }
    }
    for topic in &seen {
        if !declared.iter().any(|filter| matches_filter(filter, topic)) {
            p.check(
                format!("topic `{topic}`"),
                "no message: it is not declared",
                "a message arrived",
                false,
            );
        }
    }
    p.check(
        "subscriptions to everything",
        "tried for every account",
        format!(
            "messages on {} topics; refused: {}",
            seen.len(),
            if refused.is_empty() {
                "none".to_owned()
            } else {
                refused.join("; ")
            }
        ),
        true,
    );
    Ok(())
}

/// Whether a topic matches a filter (MQTT 5.0 section 4.7).
fn matches_filter(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') != filter.starts_with('$') {
        return false;
    }
    let (mut filters, mut topics) = (filter.split('/'), topic.split('/'));
    loop {
        match (filters.next(), topics.next()) {
            (Some("#"), _) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(found)) if level == found => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic, matches) in [
            ("sport/#", "sport", true),
            ("sport/#", "sport/tennis/player1", true),
            ("sport/+", "sport", false),
            ("+/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/broker/uptime", false),
            ("$SYS/#", "$SYS/broker/uptime", true),
            ("a/b", "a/b/c", false),
        ] {
            assert_eq!(matches_filter(filter, topic), matches, "{filter} {topic}");
        }
    }

    #[test]
    fn an_answer_counts_for_the_function_that_it_names() {
        let legal = |pdu: &[u8]| Said::Legal(pdu.to_vec());
        assert_eq!(shows(7, &legal(&[0x87, 1]), 7), Shown::Nothing);
        assert_eq!(shows(22, &legal(&[0x96, 2]), 7), Shown::Service);
        assert_eq!(shows(7, &legal(&[7, 0]), 7), Shown::Service);
        assert_eq!(shows(7, &Said::Nothing, 7), Shown::Silence);
        let broken = |frame: &[u8]| Said::Illegal(frame.to_vec(), String::new());
        assert_eq!(shows(20, &broken(&[1, 0x80, 1, 0, 0]), 1), Shown::Silence);
        assert_eq!(shows(20, &broken(&[1, 20, 1, 0, 0]), 1), Shown::Service);
        let tcp = [0, 9, 0, 0, 0, 4, 1, 20, 0, 0];
        assert_eq!(shows(20, &broken(&tcp), 7), Shown::Service);
    }

    #[test]
    fn commands_are_the_first_words_of_a_help() {
        let help = "Commands:\n  show WHAT   show a value\n  set\n\nlogout  end\n*** level 3\n";
        assert_eq!(
            commands(help).collect::<Vec<_>>(),
            ["show", "set", "logout"]
        );
    }
}
