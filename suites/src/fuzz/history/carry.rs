//! Histories of files: an image, a configuration or a backup is handed over, and what came of it is read.

use std::collections::BTreeMap;
use std::time::Duration;

use slcert_rigs::rig::{FileFault, Name, Rig, VendorFile};
use tokio::time::sleep;

use super::alteration::{Alteration, Altered, altered};
use super::stage::{Event, Stage};
use super::step::{Carried, Matter};
use crate::backup;
use crate::baseline;
use crate::configured::{Settings, vendors, wanted};
use crate::hands::{Desk, Hand, hand, hands};
use crate::held::Held;
use crate::offer::{self, Said, sound};
use crate::procedure::{Procedure, Stop};
use crate::update::Update;

/// What reads the version that runs.
pub const VERSION: &str = "read_version";
/// How often what a device says to have done is looked for, and the time between two looks.
const LOOKS: u32 = 6;
const BETWEEN: Duration = Duration::from_millis(80);

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// What had become of the file before; really altered as well where the device has to refuse it as it is.
    pub altered: Altered,
    /// The file, in words.
    pub name: String,
    /// What the device read before.
    pub before: Settings,
    /// And after.
    pub after: Settings,
    /// What it has to read once the file as it was made is taken.
    pub must: Settings,
    /// What it may read then.
    pub may: Settings,
    /// Whether the device said that it took it.
    pub done: bool,
    /// Whether the power was cut under it.
    pub cut: bool,
    /// What the device said.
    pub said: String,
}

/// A file as it was made.
struct Original {
    name: String,
    bytes: Vec<u8>,
    fault: Option<FileFault>,
    must: Settings,
    may: Settings,
}

impl Stage<'_, '_> {
    /// Reads what files of a kind change.
    ///
    /// # Errors
    /// The device does not tell.
    pub(super) async fn state(&mut self, matter: Matter) -> Result<Settings, Stop> {
        let mut state = Settings::new();
        for name in watched(self.p, matter)? {
            let value = setting(self.p, &mut self.desk, &name).await?;
            state.insert(name, value);
        }
        self.owed.state(matter, &state);
        Ok(state)
    }

    pub(super) async fn offer(
        &mut self,
        file: &Carried,
        by: Option<&str>,
        cut_ms: Option<u64>,
        alterations: &[Alteration],
    ) -> Result<Event, Stop> {
        let p = self.p;
        let matter = file.matter();
        let operation = matter.operation();
        let mut all = hands(p, operation)?.into_iter();
        let (Some(original), Some(hand)) = (
            self.original(file)?,
            all.find(|hand| hand.interface() == by),
        ) else {
            return Ok(Event::Nothing);
        };
        let before = self.state(matter).await?;
        let others = files(p.rig(), matter);
        let other = |name: &str| p.bench().file(&others.get(name)?.file).ok();
        let (bytes, mut became) = altered(&original.bytes, alterations, other);
        if original.fault.is_some() {
            became = Altered::Really;
        } else if became == Altered::Really && is_sound(p, matter, &bytes) {
            became = Altered::Slightly;
        }
        let excused = p.rig().policy.update_outage.map(|_| p.bench().excuse());
        let offering = offer::offer(p, &mut self.desk, hand, operation, &bytes);
        let said = match cut_ms {
            None => offering.await?,
            // Whatever it would say after the cut, nobody hears.
            Some(after) => tokio::select! {
                said = offering => said?,
                () = sleep(Duration::from_millis(after)) => Said::Else("nothing yet".to_owned()),
            },
        };
        if cut_ms.is_some() {
            self.power_cycle().await?;
        }
        let mut after = self.state(matter).await?;
        if became == Altered::Not && cut_ms.is_none() && said.is_done() {
            after = self.comes_about(matter, &original.must, after).await?;
        }
        drop(excused);
        if let (Matter::Backups, Altered::Really, Some((_, tainted))) =
            (matter, became, &mut self.sound)
        {
            *tainted |= said.is_done() || before != after;
        }
        Ok(Event::Offered(Box::new(Offered {
            altered: became,
            name: original.name,
            before,
            after,
            must: original.must,
            may: original.may,
            done: said.is_done(),
            cut: cut_ms.is_some(),
            said: said.words().trim().to_owned(),
        })))
    }

    /// Waits for what the device says to have done. One that needs a restart for an image gets it.
    async fn comes_about(
        &mut self,
        matter: Matter,
        must: &Settings,
        mut now: Settings,
    ) -> Result<Settings, Stop> {
        for _ in 0..LOOKS {
            if holds(&now, must) {
                return Ok(now);
            }
            sleep(BETWEEN).await;
            now = self.state(matter).await?;
        }
        if matter == Matter::Firmware && self.p.bench().can_power_cycle() {
            self.power_cycle().await?;
            now = self.state(matter).await?;
        }
        Ok(now)
    }

    pub(super) async fn back_up(&mut self, number: u8) -> Result<Event, Stop> {
        let state = self.state(Matter::Backups).await?;
        let maker = match at_once(self.p, "backup", Matter::Backups) {
            Some(hand) => hand,
            None => hand(self.p, "backup")?,
        };
        let made = backup::make(self.p, &mut self.desk, maker).await?;
        self.sound.get_or_insert_with(|| (made.clone(), false));
        self.backups.insert(number, (made, state.clone()));
        Ok(Event::Read(state))
    }

    /// Restores the first backup where the device may have taken another one that is not as it was made. Whatever comes of that:
    /// what is read is put back after it.
    pub(super) async fn restore_sound(&mut self) {
        let Some((made, true)) = self.sound.take() else {
            return;
        };
        if let Ok(hand) = hand(self.p, Matter::Backups.operation()) {
            let _ = offer::offer(
                self.p,
                &mut self.desk,
                hand,
                Matter::Backups.operation(),
                &made,
            )
            .await;
        }
    }

    pub(super) async fn set(&mut self, name: &str, value: &str) -> Result<Event, Stop> {
        let now = setting(self.p, &mut self.desk, name).await?;
        let read = Settings::from([(name.to_owned(), now)]);
        self.owed.state(Matter::Backups, &read);
        set(self.p, &mut self.desk, name, value).await?;
        Ok(Event::Done)
    }

    pub(super) async fn go_back(&mut self) -> Result<Event, Stop> {
        let Some(before) = self.owed.version().cloned() else {
            return Ok(Event::Nothing);
        };
        let update = Update::from_version(self.p, before)?;
        update.put_back(self.p, &mut self.desk).await?;
        self.state(Matter::Firmware).await.map(Event::Read)
    }

    /// A file as it was made; none where this history has none such.
    fn original(&self, file: &Carried) -> Result<Option<Original>, Stop> {
        let p = self.p;
        if let Carried::Backup(number) = file {
            let (stated, _) = in_backup(p)?;
            return Ok(self.backups.get(number).map(|(bytes, state)| {
                let held = state.get(stated);
                let must = held.map(|value| (stated.to_owned(), value.clone()));
                Original {
                    name: format!("the backup {number}"),
                    bytes: bytes.clone(),
                    fault: None,
                    must: must.into_iter().collect(),
                    may: state.clone(),
                }
            }));
        }
        let named = named(p.rig(), file);
        let Some((name, found)) = named else {
            return Ok(None);
        };
        let must = match &found.version {
            Some(version) => Settings::from([(VERSION.to_owned(), version.clone())]),
            None => wanted(found),
        };
        Ok(Some(Original {
            name: format!("the {} `{name}`", file.matter().word()),
            bytes: p.bench().file(&found.file)?,
            fault: found.fault,
            may: must.clone(),
            must,
        }))
    }
}

/// The files of a kind that the rig file names.
pub fn files(rig: &Rig, matter: Matter) -> &BTreeMap<Name, VendorFile> {
    match matter {
        Matter::Firmware => &rig.images,
        Matter::Configurations => &rig.configurations,
        Matter::Backups => &rig.backups,
    }
}

/// A file that the rig file names.
pub fn named<'r, 'f>(rig: &'r Rig, file: &'f Carried) -> Option<(&'f str, &'r VendorFile)> {
    let name = match file {
        Carried::Image(name) | Carried::Configuration(name) | Carried::ForeignBackup(name) => name,
        Carried::Backup(_) => return None,
    };
    let found = files(rig, file.matter()).get(name.as_str())?;
    Some((name, found))
}

/// Whether the device takes these bytes rightly: they are a sound file of the rig's.
fn is_sound(p: &Procedure<'_>, matter: Matter, bytes: &[u8]) -> bool {
    let mut all = sound(files(p.rig(), matter).values());
    all.any(|file| p.bench().file(&file.file).is_ok_and(|own| own == bytes))
}

/// Who does something: whoever hands files over where that can be, since nobody has to make room on a line then.
fn at_once<'r>(p: &Procedure<'r>, operation: &str, matter: Matter) -> Option<Hand<'r>> {
    let rig = p.rig();
    let too = |hand: &Hand<'r>| match hand {
        Hand::Account { interface, account } => {
            rig.binding(operation, interface).is_some() && rig.may(account, operation)
        }
        _ => false,
    };
    hands(p, matter.operation()).ok()?.into_iter().find(too)
}

/// Whether all of these are read.
pub fn holds(state: &Settings, all: &Settings) -> bool {
    all.iter()
        .all(|(name, value)| state.get(name) == Some(value))
}

/// A setting by the device's own name for it, with another value than the recommended one.
type Beside<'r> = (&'r str, &'r str);

/// What a backup is stated to hold, by the operation that reads it, and another setting that it may hold.
///
/// # Errors
/// NOT EVALUATED where the rig file states nothing.
pub fn in_backup<'r>(p: &Procedure<'r>) -> Result<(&'r str, Option<Beside<'r>>), Stop> {
    let stated = Held::in_backup(p)?.read;
    let can = ["read_setting", "change_setting"].map(|it| hand(p, it).is_ok());
    let mut beside = baseline::changeable(&p.rig().baseline);
    Ok((stated, beside.next().filter(|_| can == [true; 2])))
}

/// What is read to see whether a file of a kind was taken.
fn watched(p: &Procedure<'_>, matter: Matter) -> Result<Vec<String>, Stop> {
    Ok(match matter {
        Matter::Firmware => vec![VERSION.to_owned()],
        Matter::Configurations => wanted(vendors(p)?.0).into_keys().collect(),
        Matter::Backups => {
            let (stated, beside) = in_backup(p)?;
            let beside = beside.into_iter().map(|(name, _)| name.to_owned());
            std::iter::once(stated.to_owned()).chain(beside).collect()
        }
    })
}

/// Reads a setting, by the operation that reads it or by the device's own name for it.
///
/// # Errors
/// The device does not tell.
pub async fn setting<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    name: &str,
) -> Result<String, Stop> {
    if !p.rig().operations.contains_key(name) {
        return baseline::read(p, desk, name).await;
    }
    match at_once(p, name, Matter::Firmware).filter(|_| name == VERSION) {
        Some(hand) => desk.must_after_restart(p, hand, name).await,
        None => desk.read_after_restart(p, name).await,
    }
}

/// Sets a setting, by such a name.
///
/// # Errors
/// The device does not do it.
pub async fn set<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    name: &str,
    value: &str,
) -> Result<(), Stop> {
    if !p.rig().operations.contains_key(name) {
        return baseline::change(p, desk, name, value).await;
    }
    match Held::read_by(p, name) {
        Some(held) => held.quickly(p)?.set(p, desk, value).await,
        None => Err(Stop::inconclusive(format!(
            "nothing writes what `{name}` reads"
        ))),
    }
}
