//! Configurations that come from elsewhere: what they set, and how that is put back.

use std::collections::BTreeMap;

use slcert_rigs::rig::VendorFile;

use crate::hands::{Desk, hands};
use crate::held::Held;
use crate::offer::{offer, sound};
use crate::procedure::{Procedure, Stop};

/// What the settings read, by the operations that read them.
pub type Settings = BTreeMap<String, String>;

/// The vendor's configuration, and what its file holds.
///
/// # Errors
/// NOT EVALUATED where the rig file names none.
pub fn vendors<'r>(p: &Procedure<'r>) -> Result<(&'r VendorFile, Vec<u8>), Stop> {
    let file = sound(p.rig().configurations.values()).find(|file| !file.sets.is_empty());
    let file = file.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file names no configuration of the vendor, or not what it sets (`configuration.NAME.sets`)",
        )
    })?;
    Ok((file, p.bench().file(&file.file)?))
}

/// What a configuration sets.
pub fn wanted(file: &VendorFile) -> Settings {
    file.sets
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.value.clone()))
        .collect()
}

/// Sees to it that a configuration would change something.
///
/// # Errors
/// INCONCLUSIVE where it would not, whatever the bench does.
pub async fn move_away<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    wanted: &Settings,
) -> Result<(), Stop> {
    for (name, value) in wanted {
        if desk.read(p, name).await? != *value {
            return Ok(());
        }
    }
    for (name, value) in wanted {
        if let Some(held) = Held::read_by(p, name) {
            held.change(p, desk, value).await?;
            return Ok(());
        }
    }
    Err(Stop::inconclusive(
        "the device is set as the vendor's configuration sets it: nothing would show whether it is taken",
    ))
}

/// Sees whether the settings could be put back.
///
/// # Errors
/// NOT EVALUATED where they could not.
pub fn can_be_put_back(p: &Procedure<'_>, before: &Settings) -> Result<(), Stop> {
    let stuck = before.iter().find(|(name, value)| {
        Held::read_by(p, name).is_none() && undoing(p, name, value).is_none()
    });
    match stuck {
        None => Ok(()),
        Some((name, _)) => Err(Stop::not_evaluated(format!(
            "what `{name}` reads could not be put back: the rig file names no operation that writes it, and no configuration that sets it so"
        ))),
    }
}

/// A sound configuration that sets this.
fn undoing<'r>(p: &Procedure<'r>, read: &str, value: &str) -> Option<&'r VendorFile> {
    sound(p.rig().configurations.values())
        .find(|file| file.sets.get(read).is_some_and(|sets| sets.value == value))
}

/// Puts back what is not as it was.
///
/// # Errors
/// The settings cannot be read, or the device did not set one back.
pub async fn put_back<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    vendors: &VendorFile,
    before: &Settings,
) -> Result<(), Stop> {
    let now = read(p, desk, vendors).await?;
    for (name, value) in before {
        if now.get(name) == Some(value) {
            continue;
        }
        if let Some(held) = Held::read_by(p, name) {
            held.set(p, desk, value).await?;
        } else if let Some(file) = undoing(p, name, value) {
            let bytes = p.bench().file(&file.file)?;
            for importer in hands(p, "import_configuration")?.into_iter().take(1) {
                offer(p, desk, importer, "import_configuration", &bytes).await?;
            }
        }
    }
    Ok(())
}

/// Reads what a configuration sets.
///
/// # Errors
/// Nobody may, or the device did not tell.
pub async fn read<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    vendors: &VendorFile,
) -> Result<Settings, Stop> {
    let mut settings = Settings::new();
    for name in vendors.sets.keys() {
        let value = desk.read_after_restart(p, name.as_str()).await?;
        settings.insert(name.as_str().to_owned(), value);
    }
    Ok(settings)
}

/// The settings for a report.
pub fn words(settings: &Settings) -> String {
    let all: Vec<_> = settings
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    all.join(", ")
}
