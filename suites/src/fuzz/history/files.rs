//! EDR 3.10, CR 3.4 and CR 7.3 over histories: no altered image, configuration or backup is taken, in no order of files, power
//! cycles and settings changed between; the one as it was made is, and brings what it holds.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use super::alterations::alterations;
use super::carry::{VERSION, files, in_backup};
use super::model::{Cast, Model};
use super::step::{Carried, Matter, Step};
use super::taken::{Known, Taken};
use crate::configured::{can_be_put_back, vendors, wanted};
use crate::hands::{hand, hands};
use crate::held::Held;
use crate::offer::sound;
use crate::procedure::{Procedure, Stop};

/// When the power is cut, in milliseconds after a file is begun to be handed over.
const CUTS: [u64; 8] = [5, 30, 60, 100, 160, 220, 300, 2000];
/// About how many bytes a backup has: places in a shorter one go round.
const BACKUP: usize = 4096;

/// Who is given which files.
pub struct Files {
    matter: Matter,
    /// The interfaces on which files are handed over; none stands for the bench's own command.
    ways: Vec<Option<String>>,
    /// Those that the device takes, with their sizes, and all that the rig file names.
    sound: Vec<(Carried, usize)>,
    faulty: Vec<Carried>,
    names: Vec<String>,
    /// What can be set between, each with its values.
    sets: Vec<(String, Vec<String>)>,
    text: bool,
    cycles: bool,
    known: Arc<Mutex<Known>>,
}

impl Files {
    /// The files of a kind.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn of(p: &Procedure<'_>, matter: Matter) -> Result<Self, Stop> {
        let rig = p.rig();
        let ways = hands(p, matter.operation())?;
        let all = files(rig, matter);
        let carried = |name: &str| match matter {
            Matter::Firmware => Carried::Image(name.to_owned()),
            Matter::Configurations => Carried::Configuration(name.to_owned()),
            Matter::Backups => Carried::ForeignBackup(name.to_owned()),
        };
        let mut cast = Self {
            matter,
            ways: ways
                .iter()
                .map(|it| it.interface().map(str::to_owned))
                .collect(),
            sound: Vec::new(),
            faulty: Vec::new(),
            names: all.keys().map(|name| name.as_str().to_owned()).collect(),
            sets: Vec::new(),
            text: matter != Matter::Firmware,
            cycles: p.bench().can_power_cycle(),
            known: Arc::default(),
        };
        for (name, file) in all {
            if file.fault.is_some() {
                cast.faulty.push(carried(name.as_str()));
            }
        }
        match matter {
            Matter::Firmware => {
                hand(p, VERSION)?;
                for (name, file) in all {
                    if sound([file])
                        .next()
                        .is_some_and(|file| file.version.is_some())
                    {
                        let size = p.bench().file(&file.file)?.len();
                        cast.sound.push((carried(name.as_str()), size));
                    }
                }
            }
            Matter::Configurations => {
                let (vendors, bytes) = vendors(p)?;
                let own = all.iter().find(|(_, file)| std::ptr::eq(*file, vendors));
                let own = own.map(|(name, _)| (carried(name.as_str()), bytes.len()));
                cast.sound.extend(own);
                can_be_put_back(p, &wanted(vendors))?;
                for read in wanted(vendors).into_keys() {
                    cast.sets.extend(values(p, &read));
                }
            }
            Matter::Backups => {
                hand(p, "backup")?;
                let (stated, beside) = in_backup(p)?;
                cast.sound = [1, 1, 1, 1, 1, 2]
                    .map(|it| (Carried::Backup(it), BACKUP))
                    .to_vec();
                cast.sets.extend(values(p, stated));
                if let Some((name, other)) = beside {
                    let own = rig.baseline.get(name).map(|it| it.value.clone());
                    let both = own.into_iter().chain([other.to_owned()]).collect();
                    cast.sets.push((name.to_owned(), both));
                }
            }
        }
        if cast.sound.is_empty() {
            return Err(Stop::not_evaluated(format!(
                "the rig file names no sound {} (`{}.NAME`)",
                matter.word(),
                matter.word()
            )));
        }
        Ok(cast)
    }

    fn offers(&self) -> BoxedStrategy<Step> {
        let own: Vec<_> = self
            .sound
            .iter()
            .map(|(file, size)| self.offer(file, Some(*size)))
            .collect();
        Union::new(own).boxed()
    }

    fn right(&self) -> BoxedStrategy<Step> {
        let own: Vec<_> = self
            .sound
            .iter()
            .map(|(file, _)| self.offer(file, None))
            .collect();
        Union::new(own).boxed()
    }

    /// A file as it is, or altered where its size is told.
    fn offer(&self, file: &Carried, size: Option<usize>) -> BoxedStrategy<Step> {
        let file = file.clone();
        let (altered, often) = match size {
            Some(size) => (alterations(size, &self.names, self.text), 0.05),
            None => (Just(Vec::new()).boxed(), 0.3),
        };
        let cut = match self.cycles {
            true => prop::option::weighted(often, select(&CUTS[..])).boxed(),
            false => Just(None).boxed(),
        };
        (select(self.ways.clone()), cut, altered)
            .prop_map(move |(by, cut_ms, altered)| Step::Offer {
                file: file.clone(),
                by,
                cut_ms,
                altered,
            })
            .boxed()
    }

    fn setting(&self) -> Option<BoxedStrategy<Step>> {
        let one = |(setting, values): &(String, Vec<String>)| {
            let setting = setting.clone();
            let to = move |value| Step::Set {
                setting: setting.clone(),
                value,
            };
            select(values.clone()).prop_map(to).boxed()
        };
        // The one that the rig file states is the one that decides.
        let all = self.sets.iter().enumerate();
        let all: Vec<_> = all
            .map(|(at, set)| (if at == 0 { 3 } else { 1 }, one(set)))
            .collect();
        (!all.is_empty()).then(|| Union::new_weighted(all).boxed())
    }

    /// What makes a right file's work undone.
    fn between(&self) -> BoxedStrategy<Option<Step>> {
        match (self.matter, self.setting()) {
            (Matter::Firmware, _) => Just(Some(Step::GoBack)).boxed(),
            (_, Some(set)) => prop::option::weighted(0.8, set).boxed(),
            (_, None) => Just(None).boxed(),
        }
    }

    /// What comes first: there is a backup, and the device is set otherwise.
    fn beginning(&self) -> BoxedStrategy<Vec<Step>> {
        match (self.matter, self.setting()) {
            (Matter::Backups, Some(set)) => {
                let restarts = (any::<[bool; 2]>(), Just(self.cycles));
                (set.clone(), set, restarts)
                    .prop_map(|(first, set, ([one, other], cycles))| {
                        let begun = (one && other && cycles).then_some([Step::PowerCycle, first]);
                        let made = [Step::BackUp { backup: 1 }, set];
                        begun.into_iter().flatten().chain(made).collect()
                    })
                    .boxed()
            }
            (Matter::Configurations, Some(set)) => set.prop_map(|set| vec![set]).boxed(),
            _ => Just(Vec::new()).boxed(),
        }
    }
}

/// Values for what an operation reads, where something writes it.
fn values(p: &Procedure<'_>, read: &str) -> Option<(String, Vec<String>)> {
    let held = Held::read_by(p, read)?;
    let range = p.rig().operations.get(held.write)?.values;
    let (from, to) = range.map_or((0, 1), |range| (range.from, range.to));
    let step = usize::from((to - from) / 16).max(1);
    let values = (from..=to).step_by(step).map(|value| value.to_string());
    Some((read.to_owned(), values.collect()))
}

impl Cast for Files {
    fn label(&self) -> &'static str {
        match self.matter {
            Matter::Firmware => "a history of images",
            Matter::Configurations => "a history of configurations",
            Matter::Backups => "a history of backups",
        }
    }

    /// Files that have to be refused alone, such behind right ones, and anything.
    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let at = self.matter;
        let offers = |most| prop::collection::vec(self.offers(), 1..=most);
        let behind = (self.right(), 1..=2usize, self.between(), offers(3));
        let behind = behind.prop_map(|(right, times, between, offers)| {
            let all = std::iter::repeat_n(right, times).chain(between);
            all.chain(offers).collect()
        });
        // What comes twice in a row is another thing to many a device.
        let some = (self.any_step(), prop::bool::weighted(0.2));
        let anything = prop::collection::vec(some, 2..=7).prop_map(|some| {
            let twice = |(step, twice): (Step, bool)| {
                let again = twice.then(|| step.clone());
                again.into_iter().chain([step])
            };
            some.into_iter().flat_map(twice).collect()
        });
        let rest = prop_oneof![1 => offers(8), 2 => behind, 1 => anything];
        (self.beginning(), rest)
            .prop_map(move |(mut steps, rest): (_, Vec<Step>)| {
                steps.extend(rest);
                steps.push(Step::Look { at });
                steps
            })
            .boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        let mut steps = vec![(8, self.offers()), (5, self.right())];
        if !self.faulty.is_empty() {
            let all: Vec<_> = self
                .faulty
                .iter()
                .map(|file| self.offer(file, None))
                .collect();
            steps.push((1, Union::new(all).boxed()));
        }
        if let Some(set) = self.setting() {
            steps.push((5, set));
        }
        match self.matter {
            Matter::Firmware => steps.push((2, Just(Step::GoBack).boxed())),
            Matter::Backups => {
                let made = select(&[1, 1, 2][..]).prop_map(|backup| Step::BackUp { backup });
                steps.push((2, made.boxed()));
            }
            Matter::Configurations => {}
        }
        if self.cycles {
            steps.push((1, Just(Step::PowerCycle).boxed()));
        }
        Union::new_weighted(steps).boxed()
    }

    fn learns(&self) -> bool {
        true
    }

    /// What the device forgets by itself shows first, then what it takes.
    fn control(&self) -> Vec<Step> {
        let at = self.matter;
        let mut steps = Vec::new();
        let other = |nth: usize| {
            self.sets.iter().filter_map(move |(setting, values)| {
                Some(Step::Set {
                    setting: setting.clone(),
                    value: values.get(nth % values.len().max(1))?.clone(),
                })
            })
        };
        steps.extend(other(1));
        if self.cycles {
            steps.extend([Step::Look { at }, Step::PowerCycle, Step::Look { at }]);
        }
        if at == Matter::Backups {
            steps.push(Step::BackUp { backup: 1 });
            steps.push(Step::BackUp { backup: 2 });
        }
        let mut all: Vec<_> = self.sound.iter().map(|(file, _)| file).collect();
        all.dedup();
        for file in all {
            steps.extend(other(2));
            steps.extend(self.ways.iter().take(1).map(|by| Step::Offer {
                file: file.clone(),
                by: by.clone(),
                cut_ms: None,
                altered: Vec::new(),
            }));
            if at == Matter::Firmware {
                steps.push(Step::GoBack);
            }
        }
        steps
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Taken::new(self.matter, Arc::clone(&self.known)))
    }
}
