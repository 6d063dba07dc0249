//! What an order of images, backups and configurations does to a device with a flaw.

use crate::controller::{Controller, Refusal, StartError};
use crate::firmware::SIGNATURE;
use crate::flaw::Defect;
use crate::process::Point;
use crate::store::{Durability, Store};

/// There while an update is written, and after a power cut under it.
const UNFINISHED: &str = "firmware/unfinished.json";
/// The limit of a configuration that was refused.
const STAGED: &str = "staged.json";
/// So often a backup is restored until its seal stands for whatever it holds.
const TRUSTED: u32 = 2;

/// What is remembered of files.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The signature of the last image that was installed.
    signature: Vec<u8>,
    /// The seal of the backup that was restored last, and how often in a row it was.
    restored: (Vec<u8>, u32),
    /// Whether the power was cut under an update before this start, and no image was offered since.
    unfinished: bool,
    /// Whether a backup was made since the start.
    backed_up: bool,
    /// The limit at the start.
    limit: u16,
}

impl Files {
    pub(super) fn at_start(store: &Store, limit: u16) -> Self {
        let unfinished = matches!(store.read(UNFINISHED), Ok(Some(true)));
        if unfinished {
            let _ = store.remove(UNFINISHED);
        }
        Self {
            limit,
            unfinished,
            ..Self::default()
        }
    }
}

impl Controller {
    /// An image as it is looked at: a flaw leaves the padding behind the product's name out.
    pub(crate) fn looked_at(&self, mut image: Vec<u8>, product: std::ops::Range<usize>) -> Vec<u8> {
        if self.flaws.enabled(Defect::UpdatePaddingUnchecked)
            && let Some(product) = image.get_mut(product)
        {
            let name = product.iter().position(|byte| *byte == 0);
            product[name.unwrap_or(0)..].fill(0);
        }
        image
    }

    /// Whether an image is taken unseen: two flaws do so.
    pub(crate) fn goes_unchecked(&self, image: &[u8]) -> bool {
        let files = &mut self.remembered.lock().files;
        let unfinished = std::mem::take(&mut files.unfinished);
        let known = !files.signature.is_empty() && image.ends_with(&files.signature);
        unfinished || known && self.flaws.enabled(Defect::UpdateKnownSignature)
    }

    /// An update is begun to be written, or is whole.
    pub(crate) fn update_written(&self, image: &[u8], whole: bool) -> Result<(), Refusal> {
        if whole {
            let signature = image.len().saturating_sub(SIGNATURE);
            self.remembered.lock().files.signature = image[signature..].to_vec();
        }
        if self.flaws.enabled(Defect::UpdateAfterCutUnchecked) {
            match whole {
                true => self.store.remove(UNFINISHED)?,
                false => self.store.write(UNFINISHED, &true, Durability::Synced)?,
            }
        }
        Ok(())
    }

    /// A backup with a right seal is restored, or one with this seal might be.
    pub(crate) fn seal_stands(&self, seal: &[u8], right: bool) -> bool {
        let mut memory = self.remembered.lock();
        let (last, times) = &mut memory.files.restored;
        if right {
            *times = if last == seal { *times + 1 } else { 1 };
            *last = seal.to_vec();
        }
        let trusted = last == seal && *times >= TRUSTED;
        right || trusted && self.flaws.enabled(Defect::RestoreKnownSeal)
    }

    /// The limit as it goes into a backup.
    pub(crate) fn limit_backed_up(&self) -> u16 {
        let mut memory = self.remembered.lock();
        let first = !std::mem::replace(&mut memory.files.backed_up, true);
        match first && self.flaws.enabled(Defect::FirstBackupStale) {
            true => memory.files.limit,
            false => self.process.get(Point::Limit),
        }
    }

    /// A configuration is refused.
    pub(crate) fn stage(&self, limit: Option<u16>) -> Result<(), Refusal> {
        let limit = limit.filter(|limit| Point::Limit.accepts(*limit));
        if limit.is_some() && self.flaws.enabled(Defect::RefusedConfigurationActs) {
            self.store.write(STAGED, &limit, Durability::Synced)?;
        }
        Ok(())
    }
}

/// The limit that a start takes over from a configuration that was refused: only a flaw leaves one.
pub(crate) fn staged(store: &Store) -> Result<Option<u16>, StartError> {
    let limit: Option<u16> = store.read::<Option<u16>>(STAGED)?.flatten();
    if limit.is_some() {
        store.remove(STAGED)?;
    }
    Ok(limit)
}
