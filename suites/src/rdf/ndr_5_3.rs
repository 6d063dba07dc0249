//! NDR 5.3: general-purpose person-to-person communication restrictions.

use slcert_rigs::rig::Transport::{self, Tcp, Udp};

use crate::boundary::{are_closed, declared, flows, is_connected, pairs, untrusted};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "person-to-person",
    title: "messages between people do not come in from an untrusted network",
    requirements: &["NDR 5.3"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Send the first words of mail, chat and calls from each untrusted network to the ports that they have, and, where the device looks into \
                a declared flow, on its port.",
    criterion: "None of it arrives in another network; what is declared arrives beside it.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(person_to_person(p)) },
}];

const SMTP: &str = "EHLO {mark}\r\n";
const IMAP: &str = "a1 LOGIN {mark} x\r\n";
const POP3: &str = "USER {mark}\r\n";
const XMPP: &str = "<stream:stream to='{mark}' xmlns='jabber:client' version='1.0'>";
const IRC: &str = "NICK {mark}\r\n";
const NNTP: &str = "GROUP {mark}\r\n";
const SIP: &str = "INVITE sip:{mark}@example.com SIP/2.0\r\n";

/// The ports of mail, news, chat and calls, with what is said there first.
const PORTS: [(Transport, u16, &str); 18] = [
    (Tcp, 25, SMTP),
    (Tcp, 465, SMTP),
    (Tcp, 587, SMTP),
    (Tcp, 110, POP3),
    (Tcp, 995, POP3),
    (Tcp, 143, IMAP),
    (Tcp, 993, IMAP),
    (Tcp, 119, NNTP),
    (Tcp, 194, IRC),
    (Tcp, 6667, IRC),
    (Tcp, 6697, IRC),
    (Tcp, 5222, XMPP),
    (Tcp, 5269, XMPP),
    (Tcp, 1720, "{mark}"),
    (Tcp, 5060, SIP),
    (Udp, 5060, SIP),
    (Tcp, 5061, SIP),
    (Udp, 5004, "{mark}"),
];

async fn person_to_person(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let untrusted = untrusted(rig)?;
    let pairs: Vec<_> = pairs(rig)?
        .into_iter()
        .filter(|(from, to)| untrusted.contains(from) && !untrusted.contains(to))
        .collect();
    if pairs.is_empty() {
        return Err(Stop::not_evaluated(
            "the rig file says of every network that it is untrusted (`network.NAME.untrusted`)",
        ));
    }
    let mut left_out = Vec::new();
    for (from, to) in pairs {
        is_connected(p, from).await?;
        let mut ways = Vec::new();
        for (protocol, port, says) in PORTS {
            // One that is declared is a person's to judge: it may be wanted.
            if !declared(rig, from, to, protocol, port) {
                ways.push(p.bench().way(from, to, protocol, port)?.saying(says));
            }
        }
        left_out
            .extend(are_closed(p, ways, &format!("mail, chat and calls, {from} to {to}")).await?);
        for name in flows(rig, from, to) {
            let flow = &rig.flows[name];
            if flow.inspected && flow.protocol == Tcp {
                for says in [SMTP, POP3, XMPP, IRC, SIP] {
                    let way = p.bench().flow(name)?.saying(says);
                    let first = says.split(' ').next().unwrap_or_default();
                    are_closed(p, vec![way], &format!("`{first}` on the port of `{name}`")).await?;
                }
            }
        }
    }
    if left_out.is_empty() {
        return Ok(());
    }
    Err(Stop::not_evaluated(format!(
        "not all could be tried: {}; run slcert with the right to use low ports",
        left_out.join(", ")
    )))
}
