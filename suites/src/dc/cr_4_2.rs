//! CR 4.2: information persistence.

use slcert_rigs::rig::{Template, Values};

use crate::added::Added;
use crate::audit;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::dc::cr_4_1::shows;
use crate::hands::{Desk, hand, restart};
use crate::own::lets_in;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "decommission",
    title: "nothing of the owner is left after the device was taken out of service",
    requirements: &["CR 4.2"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &["decommission", "recommission"],
    objective: "Add an account that no device has seen before, take the device out of service, and look for the account: at the login, in the \
                audit log, and in what is stored.",
    criterion: "After it the account does not log in, and its name and its password stand neither in the audit log nor in what is stored, \
                where they stood before.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(decommission(p)) },
}];

async fn decommission(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let eraser = hand(p, "decommission")?;
    // Without a way back, the device would be lost to the trials that follow.
    let reviver = hand(p, "recommission")?;
    if !p.bench().can_power_cycle() {
        return restart(p, &mut Desk::default()).await;
    }
    let mut desk = Desk::default();
    let added = Added::make(p, &mut desk).await?;
    desk.close().await;
    let before = match Traces::look(p, &mut desk, &added, true).await {
        Ok(before) => before,
        Err(stop) => {
            added.remove(p, &mut desk).await?;
            desk.close().await;
            return Err(stop);
        }
    };

    let _excused = p.bench().excuse();
    let erased = desk.must(p, eraser, "decommission", &Values::new()).await;
    if let Err(stop) = erased {
        added.remove(p, &mut desk).await?;
        desk.close().await;
        return Err(stop);
    }
    desk.forget();
    p.bench().power_cycle().await?;
    let stored = Traces::look(p, &mut desk, &added, false).await;
    let revived = desk.must(p, reviver, "recommission", &Values::new()).await;
    let stored = stored?.stored;
    revived?;
    p.bench().answers().await?;
    let log = Traces::look(p, &mut desk, &added, true).await?.log;
    desk.close().await;
    // Last, since a login that fails leaves the name behind.
    let let_in = lets_in(p, added.interface, &added.name, &added.password).await?;

    judge(p, "the audit log", &before.log, &log);
    judge(p, "what is stored", &before.stored, &stored);
    let words = if let_in { "let in" } else { "refused" };
    p.check("the added account, after it", "refused", words, !let_in);
    if before.stored == Seen::Unread {
        return Err(Stop::not_evaluated(
            "the bench cannot read what the device has stored (`read_storage`): only what its interfaces show was looked at",
        ));
    }
    Ok(())
}

/// What was found of the added account in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// The place cannot be read.
    Unread,
    /// Nothing.
    Nothing,
    /// Its name or its password.
    There(&'static str),
}

/// Where something of the added account stands.
struct Traces {
    log: Seen,
    stored: Seen,
}

impl Traces {
    async fn look<'r>(
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
        added: &Added<'r>,
        in_service: bool,
    ) -> Result<Self, Stop> {
        let log = if in_service && p.rig().audit.is_some() && hand(p, "read_audit").is_ok() {
            let entries = audit::read(p).await?;
            let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
            seen(texts.join("\n").as_bytes(), added)
        } else {
            Seen::Unread
        };
        let stored = match hand(p, "read_storage") {
            Ok(reader) => {
                let file = p.bench().empty_file()?.display().to_string();
                let values = Values::from([("file".to_owned(), file.clone())]);
                desk.must(p, reader, "read_storage", &values).await?;
                let found = p.bench().file(&Template::new(&file));
                let _ = std::fs::remove_file(&file);
                seen(&found?, added)
            }
            Err(_) => Seen::Unread,
        };
        Ok(Self { log, stored })
    }
}

fn seen(bytes: &[u8], added: &Added<'_>) -> Seen {
    if shows(bytes, added.password.reveal()).is_some() {
        Seen::There("its password stands there")
    } else if shows(bytes, &added.name).is_some() {
        Seen::There("its name stands there")
    } else {
        Seen::Nothing
    }
}

fn judge(p: &mut Procedure<'_>, place: &str, before: &Seen, after: &Seen) {
    let name = format!("the added account in {place}, after it");
    match (before, after) {
        (_, Seen::There(words)) => p.check(name, "nothing of it", words, false),
        (Seen::There(_), Seen::Nothing) => p.check(name, "nothing of it", "nothing of it", true),
        // What was not there before says nothing.
        _ => {}
    }
}
