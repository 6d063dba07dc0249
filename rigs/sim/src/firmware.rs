//! Firmware: signed images in two slots, what starts the device, and how an update gets in.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::audit::{Audit, Category, Event, Source};
use crate::controller::{Actor, Controller, PRODUCT, Refusal, StartError};
use crate::flaw::{Defect, FlawSet};
use crate::password::{self, NoRandom};
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

/// The version that the device is delivered with, and the one before it.
pub(crate) const DELIVERED: Version = Version([1, 4, 2]);
const BEFORE: Version = Version([1, 4, 1]);
/// What a device tells that the flaw `update-marker-first` has left without firmware.
const RESCUE: Version = Version([0, 0, 0]);

const BOOT: &str = "firmware/boot.json";
const VENDOR_KEY: &str = "firmware/vendor.json";

/// Where the fields of an image are, before the payload and the signature over all that stands before it.
mod field {
    use std::ops::Range;

    pub(super) const MAGIC: Range<usize> = 0..4;
    /// Bytes of the payload, big-endian.
    pub(super) const LENGTH: Range<usize> = 4..8;
    pub(super) const VERSION: Range<usize> = 8..16;
    pub(super) const PRODUCT: Range<usize> = 16..32;
    /// The public key that signed it.
    pub(super) const SIGNER: Range<usize> = 32..64;
    pub(super) const HEADER: usize = 64;
}

const MAGIC: &[u8] = b"TC1F";
const PAYLOAD: usize = 1024;
pub(crate) const SIGNATURE: usize = 64;
/// The flash takes an image in so many pieces, each in this time.
const PIECES: usize = 15;
const PIECE_TIME: Duration = Duration::from_millis(20);
/// How long the flaw `update-acknowledged-early` puts off what it has said to be done.
const PUT_OFF: Duration = Duration::from_millis(500);
/// For how long the rescue of the flaw `update-marker-first` does not control anything.
const NO_CONTROL: Duration = Duration::from_secs(3600);
/// What of an image the flaw `update-head-only` looks at.
const HEAD: usize = field::HEADER + PAYLOAD / 4;

/// A version of the firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub [u16; 3]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Option<Vec<u16>> = text.split('.').map(|part| part.parse().ok()).collect();
        parts
            .and_then(|parts| parts.try_into().ok())
            .map(Self)
            .ok_or(())
    }
}

/// Why an image was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadImage {
    #[error("not an image")]
    Form,
    #[error("signature")]
    Signature,
    #[error("signer")]
    Signer,
    #[error("product")]
    Product,
    #[error("version")]
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Slot {
    A,
    B,
}

impl Slot {
    fn file(self) -> &'static str {
        match self {
            Self::A => "firmware/a.img",
            Self::B => "firmware/b.img",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Boot {
    active: Slot,
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Firmware {
    vendor: Vec<u8>,
    slot: Slot,
    version: Version,
    /// While an update is written, no other one begins.
    updating: bool,
}

/// What a check of an image goes by; the flaws leave parts of it out.
#[derive(Debug, Clone, Copy)]
struct Scrutiny {
    signature: bool,
    signer: bool,
    head_only: bool,
}

/// Checks an image, and tells its version.
fn inspect(image: &[u8], vendor: &[u8], scrutiny: Scrutiny) -> Result<Version, BadImage> {
    let header = image.get(..field::HEADER).ok_or(BadImage::Form)?;
    if &header[field::MAGIC] != MAGIC {
        return Err(BadImage::Form);
    }
    let length = header[field::LENGTH]
        .iter()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if image.len() != field::HEADER + length.min(1 << 24) + SIGNATURE {
        return Err(BadImage::Form);
    }
    let signer = &header[field::SIGNER];
    if scrutiny.signer && signer != vendor {
        return Err(BadImage::Signer);
    }
    let (body, signature) = image.split_at(image.len() - SIGNATURE);
    let key = UnparsedPublicKey::new(&ED25519, signer);
    let genuine = if scrutiny.head_only {
        let (head, of_head) = (
            &body[..HEAD.min(body.len())],
            &body[body.len() - SIGNATURE..],
        );
        key.verify(head, of_head).is_ok() || key.verify(body, signature).is_ok()
    } else {
        key.verify(body, signature).is_ok()
    };
    if scrutiny.signature && !genuine {
        return Err(BadImage::Signature);
    }
    if text(&header[field::PRODUCT]) != Some(PRODUCT) {
        return Err(BadImage::Product);
    }
    text(&header[field::VERSION])
        .and_then(|version| version.parse().ok())
        .ok_or(BadImage::Version)
}

fn text(field: &[u8]) -> Option<&str> {
    let end = field.iter().position(|byte| *byte == 0);
    str::from_utf8(&field[..end.unwrap_or(field.len())]).ok()
}

/// Somebody who signs images: the vendor, or somebody else.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(crate) fn make() -> Result<Self, NoRandom> {
        let mut seed = [0; 32];
        password::random(&mut seed)?;
        Ed25519KeyPair::from_seed_unchecked(&seed)
            .map(Self)
            .map_err(|_| NoRandom)
    }

    pub(crate) fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }

    /// An image of this version.
    pub(crate) fn image(&self, product: &str, version: Version) -> Result<Vec<u8>, NoRandom> {
        let mut image = vec![0; field::HEADER + PAYLOAD];
        image[field::MAGIC].copy_from_slice(MAGIC);
        image[field::LENGTH].copy_from_slice(&(PAYLOAD as u32).to_be_bytes());
        let mut put = |field: std::ops::Range<usize>, text: &str| {
            image[field.start..field.start + text.len()].copy_from_slice(text.as_bytes());
        };
        put(field::VERSION, &version.to_string());
        put(field::PRODUCT, product);
        image[field::SIGNER].copy_from_slice(self.public());
        password::random(&mut image[field::HEADER..])?;
        // A signature over the head alone, at the end of the payload: the one that the flaw `update-head-only` looks at.
        let of_head = self.sign(&image[..HEAD]);
        let end = image.len();
        image[end - SIGNATURE..].copy_from_slice(&of_head);
        let signature = self.sign(&image);
        image.extend(signature);
        Ok(image)
    }
}

/// Writes the delivered firmware, and the key that its updates are signed with.
pub(crate) fn deliver(store: &Store, vendor: &Signer) -> Result<(), StartError> {
    store.write(VENDOR_KEY, &vendor.public(), Durability::Synced)?;
    for (slot, version) in [(Slot::B, BEFORE), (Slot::A, DELIVERED)] {
        let image = vendor.image(PRODUCT, version)?;
        store.write_bytes(slot.file(), &image, Durability::Synced)?;
    }
    store.write(BOOT, &Boot { active: Slot::A }, Durability::Synced)?;
    Ok(())
}

impl Firmware {
    /// Starts the active slot's image, or the other one where that is not sound.
    pub(crate) fn boot(store: &Store, flaws: &FlawSet, audit: &Audit) -> Result<Self, StartError> {
        let vendor: Vec<u8> = store.read(VENDOR_KEY)?.unwrap_or_default();
        let active = store
            .read::<Boot>(BOOT)?
            .map_or(Slot::A, |boot| boot.active);
        let scrutiny = Scrutiny {
            signature: !flaws.enabled(Defect::BootsAltered),
            signer: !flaws.enabled(Defect::BootsForeign),
            head_only: false,
        };
        if flaws.enabled(Defect::UpdateMarkerFirst) {
            let image = std::fs::read(store.path(active.file())).unwrap_or_default();
            if inspect(&image, &vendor, scrutiny).is_err() {
                return Ok(Self {
                    vendor,
                    slot: active,
                    version: RESCUE,
                    updating: false,
                });
            }
        }
        for slot in [active, active.other()] {
            let image = std::fs::read(store.path(slot.file())).unwrap_or_default();
            match inspect(&image, &vendor, scrutiny) {
                Ok(version) => {
                    return Ok(Self {
                        vendor,
                        slot,
                        version,
                        updating: false,
                    });
                }
                Err(bad) => audit.record(Event {
                    source: Source::Device,
                    category: Category::System,
                    kind: "integrity",
                    user: "",
                    success: false,
                    detail: &format!("boot: slot {slot:?} refused, {bad}"),
                }),
            }
        }
        Err(StartError::Firmware)
    }
}

impl Controller {
    /// The version that runs.
    pub(crate) fn firmware_version(&self) -> Version {
        self.running().version
    }

    /// Installs an image in the slot that does not run, and goes over to it. The loop runs on.
    pub(crate) fn install_update(
        self: &Arc<Self>,
        actor: &Actor,
        data: &str,
    ) -> Result<(), Refusal> {
        self.require(actor, Permission::InstallUpdate)?;
        let image = BASE64.decode(data).map_err(|_| Refusal::BadValue)?;
        let image = self.looked_at(image, field::PRODUCT);
        let (free, version) = match self.begin_update(&image)? {
            Ok(begun) => begun,
            Err(bad) => {
                let detail = format!("update refused, {bad}");
                self.record(actor, Category::RequestError, "integrity", false, &detail);
                return Err(bad.into());
            }
        };
        if self.flaws.enabled(Defect::UpdateAcknowledgedEarly) {
            let controller = Arc::clone(self);
            std::thread::spawn(move || {
                std::thread::sleep(PUT_OFF);
                controller.write_update(free, &image)
            });
        } else if !self.flaws.enabled(Defect::UpdateForgotten) {
            let written = self.write_update(free, &image);
            self.running().updating = false;
            written?;
        }
        {
            let mut firmware = self.running();
            (firmware.slot, firmware.version) = (free, version);
            firmware.updating = false;
        }
        self.changed.notify_one();
        let detail = version.to_string();
        self.record(actor, Category::Configuration, "update", true, &detail);
        Ok(())
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Firmware> {
        self.firmware.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks an image, and keeps other updates out: the slot for it, and its version. Nobody waits for a lock while it is
    /// written.
    fn begin_update(&self, image: &[u8]) -> Result<Result<(Slot, Version), BadImage>, Refusal> {
        let mut firmware = self.running();
        if firmware.updating {
            return Err(Refusal::BadValue);
        }
        let free = firmware.slot.other();
        if self.flaws.enabled(Defect::UpdateRefusedButStored) {
            self.store
                .write_bytes(free.file(), image, Durability::Synced)?;
            self.activate(free)?;
        }
        let scrutiny = Scrutiny {
            signature: !self.flaws.enabled(Defect::UpdateUnchecked) && !self.goes_unchecked(image),
            signer: !self.flaws.enabled(Defect::UpdateAnySigner),
            head_only: self.flaws.enabled(Defect::UpdateHeadOnly),
        };
        Ok(
            inspect(image, &firmware.vendor, scrutiny).and_then(|version| {
                if version <= firmware.version && !self.flaws.enabled(Defect::UpdateDowngrade) {
                    return Err(BadImage::Version);
                }
                firmware.updating = true;
                Ok((free, version))
            }),
        )
    }

    /// Writes an image piece by piece, as a flash does, and makes it the one that is started once it is whole.
    fn write_update(&self, slot: Slot, image: &[u8]) -> Result<(), Refusal> {
        if self.flaws.enabled(Defect::UpdateMarkerFirst) {
            self.activate(slot)?;
        }
        self.update_written(image, false)?;
        let path = self.store.path(slot.file());
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            for piece in image.chunks(image.len().div_ceil(PIECES).max(1)) {
                file.write_all(piece)?;
                std::thread::sleep(PIECE_TIME);
            }
            file.sync_all()
        };
        write().map_err(|cause| StoreError::new("write", path.clone(), cause))?;
        self.update_written(image, true)?;
        // Where the update was acknowledged before, somebody may have gone back meanwhile.
        let gone_back =
            self.flaws.enabled(Defect::UpdateAcknowledgedEarly) && self.running().slot != slot;
        if gone_back {
            return Ok(());
        }
        self.activate(slot)
    }

    /// What the flaw `update-marker-first` leaves running where no image was whole at the start: nothing is controlled.
    pub(crate) fn rescue(&self) {
        if self.firmware_version() == RESCUE {
            self.process.stall(NO_CONTROL);
        }
    }

    /// Goes back to the image in the other slot, if it is the version that is named.
    pub(crate) fn roll_back(&self, actor: &Actor, version: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::InstallUpdate)?;
        let mut firmware = self.running();
        let slot = firmware.slot.other();
        let image = std::fs::read(self.store.path(slot.file())).unwrap_or_default();
        let scrutiny = Scrutiny {
            signature: true,
            signer: true,
            head_only: false,
        };
        let there = inspect(&image, &firmware.vendor, scrutiny)?;
        if version.parse() != Ok(there) {
            return Err(BadImage::Version.into());
        }
        self.activate(slot)?;
        self.process.stall(Duration::ZERO);
        (firmware.slot, firmware.version) = (slot, there);
        drop(firmware);
        self.changed.notify_one();
        self.record(actor, Category::Configuration, "rollback", true, version);
        Ok(())
    }

    /// Makes a slot the one that is started.
    fn activate(&self, slot: Slot) -> Result<(), Refusal> {
        self.store
            .write(BOOT, &Boot { active: slot }, Durability::Synced)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Scrutiny = Scrutiny {
        signature: true,
        signer: true,
        head_only: false,
    };

    #[test]
    fn an_image_that_differs_in_one_bit_is_refused() {
        let vendor = Signer::make().unwrap();
        let image = vendor.image(PRODUCT, DELIVERED).unwrap();
        assert_eq!(inspect(&image, vendor.public(), STRICT), Ok(DELIVERED));
        for at in (0..image.len()).step_by(37).chain([image.len() - 1]) {
            let mut altered = image.clone();
            altered[at] ^= 1;
            assert!(inspect(&altered, vendor.public(), STRICT).is_err(), "{at}");
        }
        for length in [0, 63, 64, 600, image.len() - 1] {
            assert!(inspect(&image[..length], vendor.public(), STRICT).is_err());
        }
    }

    #[test]
    fn an_image_of_another_signer_or_for_another_product_is_refused() {
        let (vendor, other) = (Signer::make().unwrap(), Signer::make().unwrap());
        let foreign = other.image(PRODUCT, DELIVERED).unwrap();
        let strange = vendor.image("TC-200", DELIVERED).unwrap();
        let inspect = |image: &[u8]| inspect(image, vendor.public(), STRICT);
        assert_eq!(inspect(&foreign), Err(BadImage::Signer));
        assert_eq!(inspect(&strange), Err(BadImage::Product));
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("1.10.0") > version("1.9.9"));
        assert_eq!("1.4".parse::<Version>(), Err(()));
    }
}
