//! The relay itself: a port of the device in one network for each rule, and what comes to it sent on to the other.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{DELIVERED, Leak, Networks, Protocol, Rule, Side, rule};
use crate::controller::{Controller, StartError};
use crate::flaw::{Defect, FlawSet};

/// Connections at a time on one port.
const CONNECTIONS: usize = 16;
const CONNECT: Duration = Duration::from_secs(2);
/// How often an open connection is looked at: the rules may have changed.
const LOOK: Duration = Duration::from_millis(50);
/// How long a connection may say nothing.
const SILENT: Duration = Duration::from_secs(60);
/// What a message of one person to another begins with, whatever port it comes to: SMTP, IMAP, POP3, IRC, XMPP, SIP.
const PERSON_TO_PERSON: [&str; 8] = [
    "EHLO ",
    "HELO ",
    "MAIL FROM",
    "USER ",
    "NICK ",
    "<stream:",
    "<?xml",
    "INVITE sip:",
];

/// One port that is relayed.
#[derive(Clone, Copy)]
struct Port {
    rule: Rule,
    leak: Option<Leak>,
}

/// The ports of the delivered rules, and those that flaws open besides.
fn ports(flaws: &FlawSet) -> Vec<Port> {
    use Protocol::{Tcp, Udp};
    use Side::{Inside, Outside};
    let mut ports: Vec<Port> = DELIVERED.map(|rule| Port { rule, leak: None }).into();
    let mut open = |defect, leak, rules: &[Rule]| {
        if flaws.enabled(defect) {
            let leak = Some(leak);
            ports.extend(rules.iter().map(|rule| Port { rule: *rule, leak }));
        }
    };
    let both = |port: u16| {
        [
            rule(Outside, Tcp, port),
            rule(Inside, Tcp, port),
            rule(Outside, Udp, port),
            rule(Inside, Udp, port),
        ]
    };
    open(
        Defect::UdpBridgedOut,
        Leak::Always,
        &[2222, 34964, 47808].map(|port| rule(Inside, Udp, port)),
    );
    open(
        Defect::RuleBothWays,
        Leak::Always,
        &[rule(Inside, Tcp, 4840)],
    );
    open(
        Defect::RuleOffByOne,
        Leak::Always,
        &[rule(Outside, Tcp, 4841)],
    );
    open(
        Defect::RuleForAnyProtocol,
        Leak::Always,
        &[rule(Outside, Udp, 4840)],
    );
    let anything = [2404, 20000, 44818].map(both).concat();
    open(
        Defect::DefaultAllowAfterRestart,
        Leak::AfterRestart,
        &anything,
    );
    open(Defect::FilterFailsOpen, Leak::WhileFailed, &anything);
    open(
        Defect::ChatCrosses,
        Leak::Always,
        &[rule(Outside, Tcp, 5222)],
    );
    open(
        Defect::CallCrosses,
        Leak::Always,
        &[rule(Outside, Udp, 5060)],
    );
    ports
}

/// Opens the ports, and relays what comes to them.
pub(crate) async fn start(
    tasks: &mut JoinSet<()>,
    controller: &Arc<Controller>,
    networks: Networks,
) -> Result<(), StartError> {
    for port in ports(&controller.flaws) {
        let way = Way::new(port, networks);
        let controller = Arc::clone(controller);
        match port.rule.protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(way.here)
                    .await
                    .map_err(|cause| way.failed(cause))?;
                tasks.spawn(relay_tcp(listener, way, controller));
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(way.here)
                    .await
                    .map_err(|cause| way.failed(cause))?;
                tasks.spawn(relay_udp(socket, way, controller));
            }
        }
    }
    // From all, or from a group, outside to the same inside.
    let leaks = [
        (
            Defect::BroadcastCrosses,
            47808,
            networks.outside_all,
            networks.inside_all,
        ),
        (
            Defect::MulticastCrosses,
            2222,
            networks.outside_group,
            networks.inside_group,
        ),
    ];
    for (defect, port, here, there) in leaks {
        if !controller.flaws.enabled(defect) {
            continue;
        }
        let port = Port {
            rule: rule(Side::Outside, Protocol::Udp, port),
            leak: Some(Leak::Always),
        };
        let mut way = Way::new(port, networks);
        way.here.set_ip(here.into());
        way.there.set_ip(there.into());
        let socket = UdpSocket::bind(way.here)
            .await
            .map_err(|cause| way.failed(cause))?;
        tasks.spawn(relay_udp(socket, way, Arc::clone(controller)));
    }
    Ok(())
}

/// Where a port is, and where what comes to it goes.
#[derive(Clone, Copy)]
struct Way {
    port: Port,
    here: SocketAddr,
    /// The device's address in the other network.
    leaves: IpAddr,
    there: SocketAddr,
}

impl Way {
    fn new(port: Port, networks: Networks) -> Self {
        let at = |address: Ipv4Addr| SocketAddr::from((address, port.rule.port));
        let (here, leaves, there) = match port.rule.from {
            Side::Outside => (networks.outside, networks.inside, networks.inside_station),
            Side::Inside => (networks.inside, networks.outside, networks.outside_station),
        };
        Self {
            port,
            here: at(here),
            leaves: leaves.into(),
            there: at(there),
        }
    }

    fn passes(&self, controller: &Controller) -> bool {
        controller.boundary.passes(self.port.rule, self.port.leak)
    }

    fn failed(&self, cause: io::Error) -> StartError {
        StartError::Port {
            what: format!("relayed port {}", self.here),
            cause,
        }
    }
}

async fn relay_tcp(listener: TcpListener, way: Way, controller: Arc<Controller>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((near, _)) = listener.accept().await else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let controller = Arc::clone(&controller);
        connections.spawn(async move {
            let _ = relay_connection(near, way, &controller).await;
            drop(place);
        });
    }
}

/// What comes first is looked at before anything is sent on.
async fn relay_connection(
    mut near: TcpStream,
    way: Way,
    controller: &Controller,
) -> io::Result<()> {
    if !way.passes(controller) {
        return Ok(());
    }
    let mut first = vec![0; 4096];
    let count = timeout(SILENT, near.read(&mut first)).await??;
    first.truncate(count);
    let inspected = way.port.leak.is_none() && !controller.flaws.enabled(Defect::MailOnAnyPort);
    if count == 0 || inspected && is_person_to_person(&first) || !way.passes(controller) {
        return Ok(());
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(way.leaves, 0))?;
    let mut far = timeout(CONNECT, socket.connect(way.there)).await??;
    far.write_all(&first).await?;
    let keeps = controller.flaws.enabled(Defect::IslandKeepsConnections);
    let (mut out, mut back) = ([0; 4096], [0; 4096]);
    let mut silent = Duration::ZERO;
    while silent < SILENT {
        tokio::select! {
            read = near.read(&mut out) => match read? {
                0 => return Ok(()),
                _ if !keeps && !way.passes(controller) => return Ok(()),
                count => { far.write_all(&out[..count]).await?; silent = Duration::ZERO; }
            },
            read = far.read(&mut back) => match read? {
                0 => return Ok(()),
                _ if !keeps && !way.passes(controller) => return Ok(()),
                count => { near.write_all(&back[..count]).await?; silent = Duration::ZERO; }
            },
            () = tokio::time::sleep(LOOK) => {
                silent += LOOK;
                if !keeps && !way.passes(controller) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

async fn relay_udp(socket: UdpSocket, way: Way, controller: Arc<Controller>) {
    let Ok(out) = UdpSocket::bind((way.leaves, 0)).await else {
        return;
    };
    let mut packet = [0; 2048];
    loop {
        let Ok((count, _)) = socket.recv_from(&mut packet).await else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let inspected = way.port.leak.is_none() && !controller.flaws.enabled(Defect::MailOnAnyPort);
        let kept_back = inspected && is_person_to_person(&packet[..count]);
        if !kept_back && way.passes(&controller) {
            let _ = out.send_to(&packet[..count], way.there).await;
        }
    }
}

fn is_person_to_person(bytes: &[u8]) -> bool {
    PERSON_TO_PERSON
        .iter()
        .any(|begin| bytes.starts_with(begin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_between_people_are_known_by_their_beginning() {
        assert!(is_person_to_person(b"EHLO bench\r\n"));
        assert!(is_person_to_person(b"INVITE sip:b@example.com SIP/2.0\r\n"));
        assert!(!is_person_to_person(b"HELF") && !is_person_to_person(b""));
    }

    #[test]
    fn a_sound_device_opens_the_delivered_ports_alone() {
        assert_eq!(ports(&FlawSet::none()).len(), DELIVERED.len());
    }
}
