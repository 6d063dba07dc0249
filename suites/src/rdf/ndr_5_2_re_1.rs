//! NDR 5.2 RE(1): deny all, permit by exception.

use slcert_rigs::rig::Values;

use crate::boundary::{all_pass, are_closed, are_open, is_connected, pairs, undeclared};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::{Desk, hand, restart};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "deny-by-default",
    title: "what no rule permits does not pass, with all rules and with none",
    requirements: &["NDR 5.2 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Try a sample of what is not declared in every direction, after a restart too, and everything that is declared while the device has no rules.",
    criterion: "Nothing undeclared passes, after a restart neither; without rules nothing passes at all, and with the rules put back all that is declared \
                arrives again.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(deny_by_default(p)) },
}];

async fn deny_by_default(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let pairs = pairs(p.rig())?;
    let mut desk = Desk::default();
    let mut moments = vec!["as it is"];
    if p.bench().can_power_cycle() {
        moments.push("after a restart");
    }
    for moment in moments {
        if moment != "as it is" {
            restart(p, &mut desk).await?;
        }
        for (from, to) in &pairs {
            is_connected(p, from).await?;
            let sample = undeclared(p, from, to)?;
            let what = format!("{moment}, undeclared, {from} to {to}");
            are_closed(p, sample, &what).await?;
        }
    }
    let bound = |operation: &str| p.rig().operations.contains_key(operation);
    if !bound("clear_rules") || !bound("restore_rules") {
        return Ok(());
    }
    let (clears, restores) = (hand(p, "clear_rules")?, hand(p, "restore_rules")?);
    let all = all_pass(p).await?;
    let none = Values::new();
    desk.must(p, clears, "clear_rules", &none).await?;
    let closed = are_closed(p, all.clone(), "without rules").await;
    let restored = desk.must(p, restores, "restore_rules", &none).await;
    desk.close().await;
    closed?;
    restored?;
    are_open(p, all, "with the rules put back").await
}
