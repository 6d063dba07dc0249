//! CR 7.3: control system backup, and RE(1), backup integrity verification.

use slcert_rigs::Secret;

use crate::alter::{alterations, decoded};
use crate::backup::make;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::dc::cr_4_1::shows;
use crate::fresh;
use crate::fuzz::history::step::Matter;
use crate::fuzz::history::{self, Property};
use crate::hands::{Desk, Hand, hand, hands};
use crate::held::Held;
use crate::offer::{has_to_be_refused, offer};
use crate::own;
use crate::procedure::{Procedure, Stop};

/// The cases of these requirements.
pub const CASES: &[Case] = &[
    Case {
        id: "backup",
        title: "a backup is made in operation, holds no secret in clear, and can be restored",
        requirements: &["CR 7.3"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["backup"],
        objective: "Set a password that no device has seen before, make a backup, look for the password in it, change a setting, and restore.",
        criterion: "The essential functions go on while the backup is made; the planted password does not stand in it, as text, in base64 or \
                    in hexadecimal; after the restore the setting reads as it did when the backup was made.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(backup(p)) },
    },
    Case {
        id: "altered-backups",
        title: "an altered backup is refused before it is restored",
        requirements: &["CR 7.3 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["backup", "restore"],
        objective: "Offer the device its own backup with a bit flipped, a number changed and parts missing, and another device's backup.",
        criterion: "Each is refused, and a setting that the backup holds does not change; the backup as it was made is restored.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(altered_backups(p)) },
    },
    Case {
        id: "fuzz-backups",
        title: "no altered backup is restored, and a right one brings back what it was taken from, in any order",
        requirements: &["CR 7.3 RE(1)"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &["backup", "restore"],
        objective: "Restore the device's own backups with and without generated alterations, and those that the rig file says have to be refused, with settings \
                    changed, power cuts and power cycles in between, and read what they hold after each.",
        criterion: "No backup that is altered or has to be refused changes a setting, at once or after a restart; white space, capitals and what stands behind its \
                    end are not judged. A right one brings back what the device read when it was made, and nothing else, after any of these.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(backups(p)) },
    },
];

async fn backup(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    let maker = hand(p, "backup")?;
    let secrets = holds_no_secret(p, &mut desk, maker).await;
    let restored = match secrets.as_ref().err() {
        Some(stop) if stop.verdict != slcert_reports::Verdict::NotEvaluated => Ok(()),
        _ => can_be_restored(p, &mut desk, maker).await,
    };
    desk.close().await;
    restored.and(secrets)
}

async fn holds_no_secret<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    maker: Hand<'r>,
) -> Result<(), Stop> {
    let (interface, account) = own::bearer(p, maker)?;
    let original = p.bench().password(account)?;
    let planted = Secret::new(fresh::strong_password());
    own::set_password(p, interface, account, &original, &planted).await?;
    let made = make(p, desk, maker).await;
    desk.leave(interface).await;
    own::set_password(p, interface, account, &planted, &original).await?;
    let made = made?;
    let inner = decoded(&made).unwrap_or_default();
    let found = shows(&made, planted.reveal()).or_else(|| shows(&inner, planted.reveal()));
    p.check(
        "the planted password in the backup",
        "not there",
        match found {
            Some(how) => format!("it stands there, {how}"),
            None => format!("not in {} bytes", made.len()),
        },
        found.is_none(),
    );
    Ok(())
}

async fn can_be_restored<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    maker: Hand<'r>,
) -> Result<(), Stop> {
    let held = Held::in_backup(p)?;
    let before = held.now(p, desk).await?;
    for restorer in hands(p, "restore")? {
        let made = make(p, desk, maker).await?;
        let changed = held.change(p, desk, &before).await?;
        let said = offer(p, desk, restorer, "restore", &made).await?;
        let after = desk.read_after_restart(p, held.read).await?;
        if after != before {
            held.set(p, desk, &before).await?;
        }
        let name = format!("a restore by {restorer}");
        let expected = format!("`{}` goes from {changed} back to {before}", held.read);
        let observed = format!("it is {after}; the device said: {}", said.words());
        if after == before || said.is_done() {
            p.check(name, expected, observed, after == before);
        } else {
            // It may be the bench that spoils it on the way.
            p.cannot_tell(name, expected, observed);
        }
    }
    Ok(())
}

async fn backups(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::files(p, Matter::Backups)?;
    history::hold(p, property).await
}

async fn altered_backups(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    let (maker, restorers) = (hand(p, "backup")?, hands(p, "restore")?);
    let held = Held::in_backup(p)?;
    let before = held.now(p, &mut desk).await?;
    let tried = offer_all(p, &mut desk, held, &before, maker, &restorers).await;
    let back = match held.now(p, &mut desk).await {
        Ok(now) if now == before => Ok(()),
        Ok(_) => held.set(p, &mut desk, &before).await,
        Err(stop) => Err(stop),
    };
    desk.close().await;
    tried.and(back)
}

async fn offer_all<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    held: Held<'r>,
    before: &str,
    maker: Hand<'r>,
    restorers: &[Hand<'r>],
) -> Result<(), Stop> {
    let made = make(p, desk, maker).await?;
    let mut files: Vec<_> = alterations(&made)
        .into_iter()
        .map(|one| (format!("the backup with {}", one.how), one.bytes))
        .collect();
    for (name, file) in &p.rig().backups {
        if let Some(fault) = file.fault {
            let bytes = p.bench().file(&file.file)?;
            files.push((format!("the backup `{name}`, {}", fault.words()), bytes));
        }
    }
    for &restorer in restorers {
        let changed = held.change(p, desk, before).await?;
        for (name, bytes) in &files {
            let said = offer(p, desk, restorer, "restore", bytes).await?;
            let after = desk.read_after_restart(p, held.read).await?;
            let name = format!("{name}, restored by {restorer}");
            let [was, is] = [&changed, &after].map(|value| format!("{} {value}", held.read));
            if has_to_be_refused(p, &name, &said, &was, &is) {
                held.set(p, desk, &changed).await?;
            }
        }
        // The refusals count where the same way takes a sound backup.
        let said = offer(p, desk, restorer, "restore", &made).await?;
        let after = desk.read_after_restart(p, held.read).await?;
        if after != before {
            return Err(Stop::inconclusive(format!(
                "{restorer} cannot restore the backup as it was made either: {}",
                slcert_reports::excerpt(said.words(), 200)
            )));
        }
        p.check(
            format!("the backup as it was made, restored by {restorer}"),
            format!("{} {before}", held.read),
            format!("{} {after}; the device said: {}", held.read, said.words()),
            true,
        );
    }
    Ok(())
}
