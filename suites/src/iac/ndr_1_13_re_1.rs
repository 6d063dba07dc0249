//! NDR 1.13 RE(1): explicit access request approval.

use std::time::Duration;

use slcert_rigs::bench::Who;

use super::ndr_1_13::{enters, served};
use crate::boundary::untrusted;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::{Desk, hand, outsiders, value};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "access-approval",
    title: "access from an untrusted network needs an approval, which ends",
    requirements: &["NDR 1.13 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Come from each untrusted network without an approval, after who may not has approved, with an approval, and after it has ended.",
    criterion: "The account gets in while somebody who may has approved, and at no other time.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(access_approval(p)) },
}];

/// How long the approval lasts that is waited for, in seconds.
const SHORT: u64 = 2;
/// How long after its end nobody may get in any more.
const AFTER: Duration = Duration::from_millis(500);

/// Approves access for so many seconds, where the rig file binds that.
///
/// # Errors
/// The device does not do it.
pub async fn approved(p: &Procedure<'_>, seconds: u64) -> Result<(), Stop> {
    if !p.rig().operations.contains_key("approve_access") {
        return Ok(());
    }
    // A session of its own each time: it must not lock meanwhile.
    let hand = hand(p, "approve_access")?;
    let mut desk = Desk::default();
    let values = value(seconds.to_string());
    let done = desk.must(p, hand, "approve_access", &values).await;
    desk.close().await;
    done.map(|_| ())
}

async fn access_approval(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    hand(p, "approve_access")?;
    for network in untrusted(rig)? {
        for (interface, account) in served(rig, network)? {
            approved(p, 0).await?;
            is_kept_out(p, network, interface, account, "without an approval").await?;
            for outsider in outsiders(p, "approve_access") {
                let values = value(OUTSIDERS.to_string());
                let mut own = Desk::default();
                let said = own.perform(p, outsider, "approve_access", &values).await;
                own.close().await;
                said?;
                let when = format!("after {outsider}, who may not, has approved");
                is_kept_out(p, network, interface, account, &when).await?;
            }
            approved(p, SHORT).await?;
            match enters(p, network, interface, &Who::Account(account)).await? {
                Ok(()) => p.check(
                    format!("`{account}` at `{interface}` from {network}, with an approval"),
                    "let in",
                    "let in",
                    true,
                ),
                Err(why) => {
                    return Err(Stop::inconclusive(format!(
                        "with an approval, `{account}` was not let in at `{interface}` from {network}: {}",
                        slcert_reports::excerpt(&why, 200)
                    )));
                }
            }
            p.wait(Duration::from_secs(SHORT) + AFTER).await;
            is_kept_out(
                p,
                network,
                interface,
                account,
                "after the approval has ended",
            )
            .await?;
        }
    }
    Ok(())
}

/// For how many seconds who may not approves.
const OUTSIDERS: u64 = 5;

async fn is_kept_out(
    p: &mut Procedure<'_>,
    network: &str,
    interface: &str,
    account: &str,
    when: &str,
) -> Result<(), Stop> {
    let entered = enters(p, network, interface, &Who::Account(account)).await?;
    let observed = match &entered {
        Ok(()) => "let in".to_owned(),
        Err(why) => why.clone(),
    };
    p.check(
        format!("`{account}` at `{interface}` from {network}, {when}"),
        "not let in",
        observed,
        entered.is_err(),
    );
    Ok(())
}
