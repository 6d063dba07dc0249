//! NDR 5.2 RE(3): fail close.

use slcert_rigs::rig::Values;

use crate::boundary::{all_pass, are_closed, are_open, pairs, undeclared};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::{Desk, hand};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "fail-close",
    title: "nothing passes while the protection does not work",
    requirements: &["NDR 5.2 RE(3)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Make the protection fail, and switch the device off, and try what is declared and what is not.",
    criterion: "Nothing passes while the protection has failed, and nothing while the device is off; afterwards all that is declared arrives again.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(fail_close(p)) },
}];

async fn fail_close(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let pairs = pairs(p.rig())?;
    let (breaks, mends) = (hand(p, "break_filter")?, hand(p, "mend_filter")?);
    let mut desk = Desk::default();
    let all = all_pass(p).await?;
    let mut anything = all.clone();
    for (from, to) in pairs {
        anything.extend(undeclared(p, from, to)?);
    }
    let none = Values::new();
    desk.must(p, breaks, "break_filter", &none).await?;
    let closed = are_closed(p, anything.clone(), "with the protection broken").await;
    let mended = desk.must(p, mends, "mend_filter", &none).await;
    desk.close().await;
    closed?;
    mended?;
    are_open(p, all.clone(), "with the protection mended").await?;
    if p.bench().can_switch_off() {
        p.bench().switch_off().await?;
        let closed = are_closed(p, anything, "with the device switched off").await;
        p.bench().switch_on().await?;
        closed?;
        are_open(p, all, "with the device switched on again").await?;
    }
    Ok(())
}
