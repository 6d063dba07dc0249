//! CR 7.4: control system recovery and reconstitution.

use slcert_rigs::Secret;

use crate::added::Added;
use crate::baseline::{change, changeable, read};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::hands::{Desk, hand, restart};
use crate::held::Held;
use crate::own::{bearer, lets_in, set_password};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "settings-after-power-cut",
        title: "settings are what they were after a power cut",
        requirements: &["CR 7.4"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Change settings, cut the power, give it back, and compare.",
        criterion: "After the power cut each setting reads as it was set.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(settings(p)) },
    },
    Case {
        id: "accounts-after-power-cut",
        title: "accounts are what they were after a power cut",
        requirements: &["CR 7.4"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Add an account and change the password of another, cut the power, give it back, and log in.",
        criterion: "After the power cut the added account logs in; the other one logs in with its new password, and not with the one before.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(accounts(p)) },
    },
];

/// The most settings that are changed.
const SETTINGS: usize = 3;

async fn settings(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    if !p.bench().can_power_cycle() {
        return restart(p, &mut desk).await;
    }
    let mut changed = Changed::default();
    let tried = match changed.make(p, &mut desk).await {
        Ok(()) => changed.compare_after_power_cut(p, &mut desk).await,
        Err(stop) => Err(stop),
    };
    let back = changed.put_back(p, &mut desk).await;
    desk.close().await;
    tried.and(back)
}

/// Settings that were changed: what each was, and what it is set to.
#[derive(Default)]
struct Changed<'r> {
    settings: Vec<(&'r str, String, &'r str)>,
    held: Option<(Held<'r>, String, String)>,
}

impl<'r> Changed<'r> {
    /// Changes what the rig file lets be changed.
    async fn make(&mut self, p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<(), Stop> {
        if hand(p, "read_setting").is_ok() && hand(p, "change_setting").is_ok() {
            for (name, other) in changeable(&p.rig().baseline).take(SETTINGS) {
                let before = read(p, desk, name).await?;
                self.settings.push((name, before, other));
                change(p, desk, name, other).await?;
            }
        }
        if let Ok(held) = Held::in_backup(p) {
            let before = held.now(p, desk).await?;
            let other = held.change(p, desk, &before).await?;
            self.held = Some((held, before, other));
        }
        if self.settings.is_empty() && self.held.is_none() {
            return Err(Stop::not_evaluated(
                "the rig file names no setting that could be changed (`baseline.NAME.other`, `policy.backup_holds`)",
            ));
        }
        Ok(())
    }

    async fn compare_after_power_cut(
        &self,
        p: &mut Procedure<'r>,
        desk: &mut Desk<'r>,
    ) -> Result<(), Stop> {
        for (name, _, other) in &self.settings {
            let now = read(p, desk, name).await?;
            if now != *other {
                return Err(Stop::inconclusive(format!(
                    "`{name}` was set to {other}, and reads {} before the power cut: see CR 7.6",
                    slcert_reports::excerpt(&now, 100)
                )));
            }
        }
        restart(p, desk).await?;
        if let Some((held, _, other)) = &self.held {
            let now = desk.read_after_restart(p, held.read).await?;
            let met = now == *other;
            p.check(
                format!("`{}` after the power cut", held.read),
                other,
                now,
                met,
            );
        }
        for (name, _, other) in &self.settings {
            let now = read(p, desk, name).await?;
            let met = now == *other;
            p.check(format!("`{name}` after the power cut"), *other, now, met);
        }
        Ok(())
    }

    async fn put_back(&self, p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<(), Stop> {
        let mut all = Ok(());
        for (name, before, _) in &self.settings {
            all = all.and(change(p, desk, name, before).await);
        }
        if let Some((held, before, _)) = &self.held {
            all = all.and(held.set(p, desk, before).await);
        }
        all
    }
}

async fn accounts(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    if !p.bench().can_power_cycle() {
        return restart(p, &mut desk).await;
    }
    let added = Added::make(p, &mut desk).await?;
    let tried = match bearer(p, added.maker) {
        Ok(bearer) => with_changed_password(p, &mut desk, &added, bearer).await,
        Err(stop) => Err(stop),
    };
    let removed = added.remove(p, &mut desk).await;
    desk.close().await;
    tried.and(removed)
}

/// Changes the password of an account, cuts the power, and compares.
async fn with_changed_password<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    added: &Added<'r>,
    (interface, account): (&str, &str),
) -> Result<(), Stop> {
    let user = p.bench().user(account).to_owned();
    let original = p.bench().password(account)?;
    let changed = Secret::new(fresh::strong_password());
    desk.close().await;
    set_password(p, interface, account, &original, &changed).await?;
    let tried = async {
        restart(p, desk).await?;
        let new = lets_in(p, interface, &user, &changed).await?;
        let old = lets_in(p, interface, &user, &original).await?;
        let of_added = lets_in(p, added.interface, &added.name, &added.password).await?;
        Ok::<_, Stop>((new, old, of_added))
    }
    .await;
    let back = match &tried {
        // The device has gone back to it by itself.
        Ok((false, true, _)) => Ok(()),
        _ => set_password(p, interface, account, &changed, &original).await,
    };
    let (new, old, of_added) = tried?;
    for (name, let_in, wanted) in [
        ("the added account", of_added, true),
        ("an account with its new password", new, true),
        ("the same account with its password before", old, false),
    ] {
        let words = |let_in| if let_in { "let in" } else { "refused" };
        let name = format!("{name}, after the power cut");
        p.check(name, words(wanted), words(let_in), let_in == wanted);
    }
    back
}
