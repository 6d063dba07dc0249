//! What the cases of the restricted data flow share: which ways across the device there are, and what came of trying them.

use std::collections::BTreeSet;

use slcert_rigs::bench::{Crossing, Way};
use slcert_rigs::rig::{Rig, Transport};

use crate::fresh;
use crate::procedure::{Procedure, Stop};

/// Operations that change what may pass: nobody who may does them by the way.
pub const OPERATIONS: [&str; 7] = [
    "island_on",
    "island_off",
    "clear_rules",
    "restore_rules",
    "break_filter",
    "mend_filter",
    "approve_access",
];

/// TCP ports that services of plants and offices have, of all that a device may let pass by mistake.
const TCP: [u16; 14] = [
    22, 23, 80, 102, 443, 445, 502, 2404, 3389, 4840, 5450, 8080, 20000, 44818,
];
/// The same for UDP.
const UDP: [u16; 9] = [53, 69, 123, 161, 514, 2222, 5353, 34964, 47808];
/// UDP ports that are found by broadcasts: EtherNet/IP, PROFINET, BACnet.
const BROADCAST: [u16; 3] = [2222, 34964, 47808];
/// UDP ports whose services speak to groups: events of substations by IP, SSDP, values of EtherNet/IP.
const MULTICAST: [u16; 3] = [102, 1900, 2222];

/// The ordered pairs of networks.
///
/// # Errors
/// NOT EVALUATED where the rig file has fewer than two.
pub fn pairs<'r>(rig: &'r Rig) -> Result<Vec<(&'r str, &'r str)>, Stop> {
    let names: Vec<&str> = rig.networks.keys().map(|name| name.as_str()).collect();
    if names.len() < 2 {
        return Err(Stop::not_evaluated(
            "the rig file describes fewer than two networks that the device stands between (`network`)",
        ));
    }
    let with = |from: &'r str| {
        let others = names.clone().into_iter().filter(move |to| *to != from);
        others.map(move |to| (from, to))
    };
    Ok(names.iter().flat_map(|from| with(from)).collect())
}

/// The untrusted networks.
///
/// # Errors
/// NOT EVALUATED where the rig file has none.
pub fn untrusted(rig: &Rig) -> Result<Vec<&str>, Stop> {
    let networks = rig.networks.iter().filter(|(_, network)| network.untrusted);
    let names: Vec<_> = networks.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return Err(Stop::not_evaluated(
            "the rig file says of no network that it is untrusted (`network.NAME.untrusted`)",
        ));
    }
    Ok(names)
}

/// The names of the declared flows from one network to another.
pub fn flows<'r>(rig: &'r Rig, from: &str, to: &str) -> Vec<&'r str> {
    let of = rig.flows.iter();
    let of = of.filter(|(_, flow)| flow.from.as_str() == from && flow.to.as_str() == to);
    of.map(|(name, _)| name.as_str()).collect()
}

/// Whether the rig file declares that this passes.
pub fn declared(rig: &Rig, from: &str, to: &str, protocol: Transport, port: u16) -> bool {
    rig.flows.values().any(|flow| {
        flow.from.as_str() == from
            && flow.to.as_str() == to
            && flow.protocol == protocol
            && flow.port == port
    })
}

/// A sample of ways that no flow declares: known ports, and one of each protocol that nobody can have reckoned with.
///
/// # Errors
/// The rig file's addresses are none.
pub fn undeclared(p: &Procedure<'_>, from: &str, to: &str) -> Result<Vec<Way>, Stop> {
    let any = || 49_152 + fresh::below(16_000) as u16;
    let tcp = TCP.into_iter().chain([any()]);
    let udp = UDP.into_iter().chain([any()]);
    let ports = tcp.map(|port| (Transport::Tcp, port));
    let ports = ports.chain(udp.map(|port| (Transport::Udp, port)));
    let mut ways = Vec::new();
    for (protocol, port) in ports {
        if !declared(p.rig(), from, to, protocol, port) {
            ways.push(p.bench().way(from, to, protocol, port)?);
        }
    }
    Ok(ways)
}

/// What is sent to everybody; nothing where the rig file does not say what means everybody.
///
/// # Errors
/// The rig file's addresses are none.
pub fn broadcasts(p: &Procedure<'_>, from: &str, to: &str) -> Result<Vec<Way>, Stop> {
    let mut ways = Vec::new();
    for port in BROADCAST {
        ways.extend(p.bench().to_all(from, to, port)?);
    }
    Ok(ways)
}

/// What is sent to a group, on ports that no flow declares; nothing where there are no groups.
///
/// # Errors
/// The rig file's addresses are none.
pub fn multicasts(p: &Procedure<'_>, from: &str, to: &str) -> Result<Vec<Way>, Stop> {
    let mut ways = Vec::new();
    for port in MULTICAST {
        if !declared(p.rig(), from, to, Transport::Udp, port) {
            ways.extend(p.bench().to_group(from, to, port)?);
        }
    }
    Ok(ways)
}

/// All declared ways.
///
/// # Errors
/// NOT EVALUATED where the rig file declares none.
pub fn all_flows(p: &Procedure<'_>) -> Result<Vec<Way>, Stop> {
    let names = p.rig().flows.keys();
    let ways: Result<Vec<Way>, _> = names.map(|name| p.bench().flow(name.as_str())).collect();
    let ways = ways?;
    if ways.is_empty() {
        return Err(Stop::not_evaluated(
            "the rig file declares nothing that the device lets pass (`flow`)",
        ));
    }
    Ok(ways)
}

/// Sees that a network is connected: something that is declared passes from it, or what has to answer in it does. Without
/// that, what does not pass says nothing.
///
/// # Errors
/// INCONCLUSIVE where nothing does; NOT EVALUATED where the rig file names nothing.
pub async fn is_connected(p: &mut Procedure<'_>, from: &str) -> Result<(), Stop> {
    let rig = p.rig();
    let flows = rig
        .flows
        .iter()
        .filter(|(_, flow)| flow.from.as_str() == from);
    let ways: Result<Vec<Way>, _> = flows
        .map(|(name, _)| p.bench().flow(name.as_str()))
        .collect();
    let crossed = p.bench().cross(ways?).await?;
    if let Some((way, _)) = crossed
        .iter()
        .find(|(_, crossing)| *crossing == Crossing::Arrived)
    {
        p.check(
            format!("control: {}", way.words()),
            "arrives, as it is declared",
            "arrived",
            true,
        );
        return Ok(());
    }
    match p.bench().network_answers(from).await? {
        Some(true) => {
            p.check(
                format!("control: what has to answer in {from}"),
                "answers",
                "answers",
                true,
            );
            Ok(())
        }
        Some(false) => Err(Stop::inconclusive(format!(
            "from `{from}` nothing that is declared passes, and what has to answer in it does not"
        ))),
        None if crossed.is_empty() => Err(Stop::not_evaluated(format!(
            "the rig file declares neither a flow from `{from}` nor what answers in it (`network.{from}.answers`): what does not pass says nothing"
        ))),
        None => Err(Stop::inconclusive(format!(
            "from `{from}` nothing that is declared passes: {}",
            words(&crossed)
        ))),
    }
}

/// Tries ways that have to be closed; what could not be tried.
///
/// # Errors
/// The bench could not try.
pub async fn are_closed(
    p: &mut Procedure<'_>,
    ways: Vec<Way>,
    what: &str,
) -> Result<BTreeSet<String>, Stop> {
    let total = ways.len();
    let crossed = p.bench().cross(ways).await?;
    let mut left_out = BTreeSet::new();
    let mut open = 0;
    for (way, crossing) in &crossed {
        if crossing.crossed() {
            open += 1;
            p.check(
                format!("{what}: {}", way.words()),
                "does not pass",
                crossing.words(),
                false,
            );
        } else if let Crossing::NotTried(why) = crossing {
            left_out.insert(format!("{} ({why})", way.words()));
        }
    }
    let tried = total - left_out.len();
    if tried == 0 {
        return Err(Stop::not_evaluated(format!(
            "{what}: the bench cannot use any of the ports: {}; free them, or run slcert with the right to use low ports",
            left_out.into_iter().collect::<Vec<_>>().join(", ")
        )));
    }
    if open == 0 {
        let mut observed = "none passed".to_owned();
        if !left_out.is_empty() {
            let names: Vec<_> = left_out.iter().map(String::as_str).collect();
            observed = format!("{observed}; not tried: {}", names.join(", "));
        }
        p.check(
            format!("{what}: {tried} ways"),
            "none passes, and the bench's listener hears its own side",
            observed,
            true,
        );
    }
    Ok(left_out)
}

/// Tries ways that have to be open.
///
/// # Errors
/// The bench could not try.
pub async fn are_open(p: &mut Procedure<'_>, ways: Vec<Way>, when: &str) -> Result<(), Stop> {
    for (way, crossing) in p.bench().cross(ways).await? {
        if let Crossing::NotTried(why) = &crossing {
            return Err(Stop::inconclusive(format!("{}: {why}", way.words())));
        }
        let met = crossing == Crossing::Arrived;
        p.check(
            format!("{when}: {}", way.words()),
            "arrives, as it is declared",
            crossing.words(),
            met,
        );
    }
    Ok(())
}

/// Sees that all that is declared passes before anything is done: what does not then is no fault of what is done.
///
/// # Errors
/// INCONCLUSIVE where something does not.
pub async fn all_pass(p: &mut Procedure<'_>) -> Result<Vec<Way>, Stop> {
    let crossed = p.bench().cross(all_flows(p)?).await?;
    if crossed
        .iter()
        .any(|(_, crossing)| *crossing != Crossing::Arrived)
    {
        return Err(Stop::inconclusive(format!(
            "before anything was done, not all that is declared passes: {}",
            words(&crossed)
        )));
    }
    p.check(
        "control: all that is declared",
        "arrives",
        words(&crossed),
        true,
    );
    Ok(crossed.into_iter().map(|(way, _)| way).collect())
}

fn words(crossed: &[(Way, Crossing)]) -> String {
    let told: Vec<_> = crossed
        .iter()
        .map(|(way, crossing)| format!("{}: {}", way.words(), crossing.words()))
        .collect();
    told.join("; ")
}
