//! An update: the vendor's next image, who installs it, and the way back from it.

use slcert_rigs::rig::{Values, VendorFile};
use tokio::time::Instant;

use crate::hands::{Desk, Hand, hand, hands, restart};
use crate::offer::{Said, offer, sound};
use crate::procedure::{Procedure, Stop};

/// The update under test, and the way back from it.
pub struct Update<'r> {
    /// The version before.
    pub before: String,
    /// The vendor's next image.
    pub image: Vec<u8>,
    /// The version that it has.
    pub version: &'r str,
    /// Who installs, and where.
    pub installers: Vec<Hand<'r>>,
    back: Back<'r>,
}

/// How the device gets back to the version before.
enum Back<'r> {
    /// By its own means.
    Roll(Hand<'r>),
    /// By installing the image of that version.
    Image(Vec<u8>),
}

impl<'r> Update<'r> {
    /// Finds what an update of the device as it runs now needs.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little, or the device could not be put back.
    pub async fn prepare(p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<Self, Stop> {
        hands(p, "install_update")?;
        let before = desk.read(p, "read_version").await?;
        Self::from_version(p, before)
    }

    /// The same for a device that ran this version before anything was done to it.
    ///
    /// # Errors
    /// As [`Update::prepare`].
    pub fn from_version(p: &Procedure<'r>, before: String) -> Result<Self, Stop> {
        let installers = hands(p, "install_update")?;
        let images = || sound(p.rig().images.values()).filter_map(with_version);
        let (file, version) = images()
            .find(|(_, version)| *version != before)
            .ok_or_else(|| {
                Stop::not_evaluated(
                    "the rig file names no sound image of another version than the one that runs (`image.NAME`)",
                )
            })?;
        let back = match hand(p, "roll_back_update") {
            Ok(hand) => Back::Roll(hand),
            Err(_) => match images().find(|(_, version)| *version == before) {
                Some((file, _)) => Back::Image(p.bench().file(&file.file)?),
                None => {
                    return Err(Stop::not_evaluated(format!(
                        "the device could not be put back: bind `roll_back_update`, or name an image of version {}",
                        slcert_reports::excerpt(&before, 40)
                    )));
                }
            },
        };
        Ok(Self {
            before,
            image: p.bench().file(&file.file)?,
            version,
            installers,
            back,
        })
    }

    /// Offers an image; what the device said, and the version that it tells then.
    ///
    /// # Errors
    /// The bench could not, or the device tells no version any more.
    pub async fn offer(
        &self,
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
        installer: Hand<'r>,
        image: &[u8],
    ) -> Result<(Said, String), Stop> {
        let said = offer(p, desk, installer, "install_update", image).await?;
        let version = desk.read_after_restart(p, "read_version").await?;
        Ok((said, version))
    }

    /// Installs the vendor's image. A device that needs a restart for it gets one.
    ///
    /// # Errors
    /// As [`Update::offer`].
    pub async fn install(
        &self,
        p: &mut Procedure<'r>,
        desk: &mut Desk<'r>,
        installer: Hand<'r>,
    ) -> Result<(Said, String), Stop> {
        let outage = p.rig().policy.update_outage;
        let excused = outage.map(|_| p.bench().excuse());
        let began = Instant::now();
        let (said, version) = self.offer(p, desk, installer, &self.image).await?;
        drop(excused);
        if let Some(outage) = outage
            && began.elapsed() > outage.0
        {
            let words = format!(
                "the device answered again after {} s",
                began.elapsed().as_secs()
            );
            p.check(
                "the pause for the update",
                format!("at most {outage}"),
                words,
                false,
            );
        }
        if version != self.before || !said.is_done() || !p.bench().can_power_cycle() {
            return Ok((said, version));
        }
        restart(p, desk).await?;
        let version = desk.read_after_restart(p, "read_version").await?;
        Ok((said, version))
    }

    /// Sees to it that the device runs the version before.
    ///
    /// # Errors
    /// INCONCLUSIVE where it does not.
    pub async fn put_back(&self, p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<(), Stop> {
        if desk.read_after_restart(p, "read_version").await? == self.before {
            return Ok(());
        }
        match &self.back {
            Back::Roll(hand) => {
                let values = Values::from([("version".to_owned(), self.before.clone())]);
                let _ = desk.perform(p, *hand, "roll_back_update", &values).await;
            }
            Back::Image(image) => {
                for &installer in self.installers.iter().take(1) {
                    offer(p, desk, installer, "install_update", image).await?;
                }
            }
        }
        let mut now = desk.read_after_restart(p, "read_version").await?;
        if now != self.before && p.bench().can_power_cycle() {
            restart(p, desk).await?;
            now = desk.read_after_restart(p, "read_version").await?;
        }
        if now == self.before {
            return Ok(());
        }
        Err(Stop::inconclusive(format!(
            "the device could not be put back: it runs {}, where it ran {}",
            slcert_reports::excerpt(&now, 40),
            slcert_reports::excerpt(&self.before, 40)
        )))
    }
}

fn with_version(file: &VendorFile) -> Option<(&VendorFile, &str)> {
    Some((file, file.version.as_deref()?))
}
