//! CR 5.1: network segmentation.

use crate::boundary::{are_closed, broadcasts, is_connected, multicasts, pairs, undeclared};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "networks-apart",
    title: "what is not declared does not pass from one network to another",
    requirements: &["CR 5.1"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Send to well-known and other ports, to everybody, and to a group, from each network that the device is connected to, and listen in each other one.",
    criterion: "Nothing that the rig file does not declare comes to another network, broadcasts and multicasts among it; each network is seen to be connected, and \
                each listener to hear its own side.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(networks_apart(p)) },
}];

async fn networks_apart(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut without = Vec::new();
    for (from, to) in pairs(p.rig())? {
        is_connected(p, from).await?;
        let sample = undeclared(p, from, to)?;
        are_closed(p, sample, &format!("undeclared, {from} to {to}")).await?;
        let all = broadcasts(p, from, to)?;
        if all.is_empty() {
            without.push(format!("broadcasts from {from} to {to}"));
        } else {
            are_closed(p, all, &format!("broadcasts, {from} to {to}")).await?;
        }
        let group = multicasts(p, from, to)?;
        if group.is_empty() {
            without.push(format!("multicasts from {from} to {to}"));
        } else {
            are_closed(p, group, &format!("multicasts, {from} to {to}")).await?;
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    Err(Stop::not_evaluated(format!(
        "not tried: {}; add `broadcast` and `multicast` to the networks of the rig file",
        without.join(", ")
    )))
}
