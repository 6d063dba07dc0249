//! NDR 5.2: zone boundary protection.

use slcert_rigs::rig::Transport;

use crate::boundary::{all_flows, are_closed, are_open, declared, pairs};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "rules",
    title: "what a rule permits passes, and nothing beside it",
    requirements: &["NDR 5.2"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Try each declared flow, and what is next to it: the other direction, the other protocol, the ports before and after.",
    criterion: "Each declared flow arrives; none of its neighbours does, unless it is declared itself.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(rules(p)) },
}];

async fn rules(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    pairs(rig)?;
    let all = all_flows(p)?;
    are_open(p, all, "declared").await?;
    for (name, flow) in &rig.flows {
        let (from, to, port) = (flow.from.as_str(), flow.to.as_str(), flow.port);
        let other = match flow.protocol {
            Transport::Tcp => Transport::Udp,
            Transport::Udp => Transport::Tcp,
        };
        let neighbours = [
            (to, from, flow.protocol, Some(port)),
            (from, to, other, Some(port)),
            (from, to, flow.protocol, port.checked_sub(1)),
            (from, to, flow.protocol, port.checked_add(1)),
        ];
        let mut ways = Vec::new();
        for (from, to, protocol, port) in neighbours {
            let Some(port) = port.filter(|port| *port > 0) else {
                continue;
            };
            if !declared(rig, from, to, protocol, port) {
                ways.push(p.bench().way(from, to, protocol, port)?);
            }
        }
        if !ways.is_empty() {
            are_closed(p, ways, &format!("beside `{name}`")).await?;
        }
    }
    Ok(())
}
