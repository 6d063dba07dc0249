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
    let mut desk = Desk::default();
    let erased = erase(p, &mut desk, Storage::Sound).await?;
    desk.close().await;
    let added = &erased.added;
    // Last, since a login that fails leaves the name behind.
    let let_in = lets_in(p, added.interface, &added.name, &added.password).await?;

    erased.judge(p);
    let words = if let_in { "let in" } else { "refused" };
    p.check("the added account, after it", "refused", words, !let_in);
    if erased.before.stored == Seen::Unread {
        return Err(Stop::not_evaluated(
            "the bench cannot read what the device has stored (`read_storage`): only what its interfaces show was looked at",
        ));
    }
    Ok(())
}

/// What the device stores its data in while it is taken out of service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// As it is.
    Sound,
    /// In a part of it nothing can be erased.
    Worn,
}

/// A device that was taken out of service, and is in service again.
pub struct Erased<'r> {
    /// The account that was added before.
    pub added: Added<'r>,
    /// What was found of it before.
    pub before: Traces,
    /// What was found of it afterwards.
    pub after: Traces,
}

/// Adds an account, takes the device out of service, and brings it back.
///
/// # Errors
/// NOT EVALUATED where the rig cannot; INCONCLUSIVE where the device did not do what it was asked.
pub async fn erase<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    storage: Storage,
) -> Result<Erased<'r>, Stop> {
    let eraser = hand(p, "decommission")?;
    // Without a way back, the device would be lost to the trials that follow.
    let reviver = hand(p, "recommission")?;
    let wear = match storage {
        Storage::Sound => None,
        Storage::Worn => Some((hand(p, "break_erasure")?, hand(p, "mend_erasure")?)),
    };
    if !p.bench().can_power_cycle() {
        restart(p, desk).await?;
    }
    let added = Added::make(p, desk).await?;
    desk.close().await;
    let before = match Traces::look(p, desk, &added, true).await {
        Ok(before) => before,
        Err(stop) => {
            added.remove(p, desk).await?;
            desk.close().await;
            return Err(stop);
        }
    };

    let _excused = p.bench().excuse();
    let mut ordered = Ok(String::new());
    if let Some((breaker, _)) = wear {
        ordered = desk.must(p, breaker, "break_erasure", &Values::new()).await;
    }
    if ordered.is_ok() {
        ordered = desk.must(p, eraser, "decommission", &Values::new()).await;
    }
    if let Err(stop) = ordered {
        if let Some((_, mender)) = wear {
            desk.must(p, mender, "mend_erasure", &Values::new()).await?;
        }
        added.remove(p, desk).await?;
        desk.close().await;
        return Err(stop);
    }
    desk.forget();
    p.bench().power_cycle().await?;
    let stored = Traces::look(p, desk, &added, false).await;
    if let Some((_, mender)) = wear {
        desk.must(p, mender, "mend_erasure", &Values::new()).await?;
    }
    let revived = desk.must(p, reviver, "recommission", &Values::new()).await;
    let stored = stored?.stored;
    revived?;
    p.bench().answers().await?;
    let log = Traces::look(p, desk, &added, true).await?.log;
    Ok(Erased {
        added,
        before,
        after: Traces { log, stored },
    })
}

impl Erased<'_> {
    /// Whether something of the added account was found afterwards.
    pub fn left(&self) -> bool {
        [&self.after.log, &self.after.stored]
            .into_iter()
            .any(|seen| matches!(seen, Seen::There(_)))
    }

    /// Writes down what was found.
    pub fn judge(&self, p: &mut Procedure<'_>) {
        judge(p, "the audit log", &self.before.log, &self.after.log);
        judge(p, "what is stored", &self.before.stored, &self.after.stored);
    }
}

/// What was found of the added account in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The place cannot be read.
    Unread,
    /// Nothing.
    Nothing,
    /// Its name or its password.
    There(&'static str),
}

/// Where something of the added account stands.
pub struct Traces {
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
