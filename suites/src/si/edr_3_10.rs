//! EDR, HDR and NDR 3.10: support for updates, and RE(1), update authenticity and integrity.

mod power_cut;

use slcert_rigs::rig::FileFault;

use crate::alter::{alterations, lengthened};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::fuzz::history::step::Matter;
use crate::fuzz::history::{self, Property};
use crate::hands::{Desk, restart};
use crate::offer::has_to_be_refused;
use crate::procedure::{Procedure, Stop};
use crate::update::Update;

/// The cases of these requirements.
pub const CASES: &[Case] = &[
    Case {
        id: "update",
        title: "an update is installed, and stays",
        requirements: &["EDR 3.10", "HDR 3.10", "NDR 3.10"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["install_update", "read_version"],
        objective: "Install the vendor's next image by every way that the device has, and go back to the image that ran before.",
        criterion: "The device tells the new version, also after a restart, and the essential functions go on, but for the pause that the \
                    rig file states.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(update(p)) },
    },
    Case {
        id: "power-cut",
        title: "an update that the power is cut under leaves a device that starts",
        requirements: &["EDR 3.10", "HDR 3.10", "NDR 3.10"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["install_update", "read_version"],
        objective: "Cut the power at random moments while the vendor's next image is installed, and right after the device has said that it is.",
        criterion: "The device starts each time and tells the version before or the new one, the new one where it had said so, and the essential \
                    functions go on.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(power_cut::power_cut(p)) },
    },
    Case {
        id: "altered-updates",
        title: "an update that was altered, is older or comes from elsewhere is refused",
        requirements: &["EDR 3.10 RE(1)", "HDR 3.10 RE(1)", "NDR 3.10 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["install_update", "read_version"],
        objective: "Offer the device the vendor's next image with a bit flipped at several places and with parts missing, and the images that \
                    the rig file says it has to refuse.",
        criterion: "Each is refused, and the device tells the version that it told before, also after a restart; the image as the vendor made \
                    it is installed.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(altered_updates(p)) },
    },
    Case {
        id: "fuzz-images",
        title: "no altered image is installed, whatever was offered, installed or cut short before",
        requirements: &["EDR 3.10 RE(1)", "HDR 3.10 RE(1)", "NDR 3.10 RE(1)"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &["install_update", "read_version"],
        objective: "Offer the vendor's images with generated alterations of any byte, length and part, and those that the rig file says have to be refused, with \
                    right ones, ways back, power cuts under an update and power cycles in between, and read the version after each.",
        criterion: "No image that is altered or has to be refused changes the version, at once or after a restart; bytes behind its end alone are not judged. The \
                    image as the vendor made it is installed after them.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(images(p)) },
    },
];

async fn update(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    let update = Update::prepare(p, &mut desk).await?;
    let tried = install_everywhere(p, &mut desk, &update).await;
    let back = update.put_back(p, &mut desk).await;
    desk.close().await;
    tried.and(back)
}

async fn install_everywhere<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    update: &Update<'r>,
) -> Result<(), Stop> {
    for (at, &installer) in update.installers.iter().enumerate() {
        let (said, version) = update.install(p, desk, installer).await?;
        let name = format!("the vendor's image, installed by {installer}");
        let expected = format!("version {}", update.version);
        let observed = format!("version {version}; the device said: {}", said.words());
        let installed = version == update.version;
        if !installed && !said.is_done() {
            p.cannot_tell(name, expected, observed);
            continue;
        }
        p.check(name, &expected, observed, installed);
        if installed && at == 0 && p.bench().can_power_cycle() {
            restart(p, desk).await?;
            let version = desk.read_after_restart(p, "read_version").await?;
            let stays = version == update.version;
            p.check("the version after a restart", expected, version, stays);
        }
        update.put_back(p, desk).await?;
    }
    Ok(())
}

async fn images(p: &mut Procedure<'_>) -> Result<(), Stop> {
    // A device that could not be put back is offered nothing.
    let mut desk = Desk::default();
    let update = Update::prepare(p, &mut desk).await;
    desk.close().await;
    update?;
    let property = Property::files(p, Matter::Firmware)?;
    history::hold(p, property).await
}

async fn altered_updates(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    let update = Update::prepare(p, &mut desk).await?;
    let tried = offer_altered(p, &mut desk, &update).await;
    let back = update.put_back(p, &mut desk).await;
    desk.close().await;
    tried.and(back)
}

/// Sees whether what was refused comes up at a restart, where the rig can make one.
async fn does_not_come_up<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    update: &Update<'r>,
    what: &str,
) -> Result<(), Stop> {
    if !p.bench().can_power_cycle() {
        return Ok(());
    }
    restart(p, desk).await?;
    let version = desk.read_after_restart(p, "read_version").await?;
    let same = version == update.before;
    let name = format!("the version after a restart, after {what}");
    p.check(name, format!("version {}", update.before), version, same);
    update.put_back(p, desk).await
}

async fn offer_altered<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    update: &Update<'r>,
) -> Result<(), Stop> {
    let files: Vec<_> = alterations(&update.image)
        .into_iter()
        .map(|one| (format!("the next image with {}", one.how), one.bytes))
        .collect();
    // Well formed as they are, these would run if a restart brought them up.
    let mut refusable = Vec::new();
    let mut foreign = false;
    for (name, file) in &p.rig().images {
        if let Some(fault) = file.fault {
            foreign |= matches!(fault, FileFault::ForeignSignature | FileFault::Unsigned);
            let bytes = p.bench().file(&file.file)?;
            refusable.push((format!("the image `{name}`, {}", fault.words()), bytes));
        }
    }
    let mut longer_is_taken = false;
    for &installer in &update.installers {
        for (name, bytes) in &files {
            let (said, version) = update.offer(p, desk, installer, bytes).await?;
            let name = format!("{name}, by {installer}");
            if has_to_be_refused(p, &name, &said, &update.before, &version) {
                update.put_back(p, desk).await?;
            }
        }
        let (_, version) = update
            .offer(p, desk, installer, &lengthened(&update.image).bytes)
            .await?;
        longer_is_taken |= version != update.before;
        update.put_back(p, desk).await?;
        does_not_come_up(p, desk, update, "all of these").await?;
        for (name, bytes) in &refusable {
            let (said, version) = update.offer(p, desk, installer, bytes).await?;
            let name = format!("{name}, by {installer}");
            if has_to_be_refused(p, &name, &said, &update.before, &version) {
                update.put_back(p, desk).await?;
            } else {
                does_not_come_up(p, desk, update, &name).await?;
            }
        }
    }
    // The refusals count where the same way takes the vendor's own.
    for &installer in &update.installers {
        let (said, version) = update.install(p, desk, installer).await?;
        if version != update.version {
            return Err(Stop::inconclusive(format!(
                "{installer} cannot install the vendor's image either: {}",
                slcert_reports::excerpt(said.words(), 200)
            )));
        }
        p.check(
            format!("the vendor's image, by {installer}"),
            format!("version {}", update.version),
            format!("version {version}; the device said: {}", said.words()),
            true,
        );
        update.put_back(p, desk).await?;
    }
    if !foreign {
        return Err(Stop::not_evaluated(
            "the rig file names no image that is unsigned or signed by somebody else (`image.NAME.fault`)",
        ));
    }
    if longer_is_taken {
        return Err(Stop::review(
            "an image with bytes behind its end is installed: a person has to say whether the device uses them",
        ));
    }
    Ok(())
}
