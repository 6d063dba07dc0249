//! NDR 5.2 RE(2): island mode.

use slcert_rigs::rig::{Transport, Values};

use crate::boundary::{all_pass, are_closed, are_open, pairs};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::{Desk, hand};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "island-mode",
    title: "island mode lets nothing pass, and can be ended",
    requirements: &["NDR 5.2 RE(2)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Put the device into island mode with connections open across it, try everything that is declared, and end island mode.",
    criterion: "In island mode no declared flow arrives, and nothing more on an open connection; afterwards every one arrives as before. The \
                essential functions hold throughout.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(island_mode(p)) },
}];

async fn island_mode(p: &mut Procedure<'_>) -> Result<(), Stop> {
    pairs(p.rig())?;
    let (on, off) = (hand(p, "island_on")?, hand(p, "island_off")?);
    let mut desk = Desk::default();
    let all = all_pass(p).await?;
    let mut held = Vec::new();
    for way in all.iter().filter(|way| way.protocol == Transport::Tcp) {
        match p.bench().hold(way).await? {
            Some(connection) => held.push((way.words().to_owned(), connection)),
            None => {
                return Err(Stop::inconclusive(format!(
                    "no connection could be kept open: {}",
                    way.words()
                )));
            }
        }
    }
    let none = Values::new();
    desk.must(p, on, "island_on", &none).await?;
    for (words, connection) in &mut held {
        let passes = connection.passes().await;
        p.check(
            format!("in island mode, on an open connection: {words}"),
            "does not pass",
            if passes { "arrived" } else { "nothing came" },
            !passes,
        );
    }
    drop(held);
    let closed = are_closed(p, all.clone(), "in island mode").await;
    let ended = desk.must(p, off, "island_off", &none).await;
    desk.close().await;
    closed?;
    ended?;
    are_open(p, all, "after island mode").await
}
