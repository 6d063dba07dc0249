//! What files may change, as a model: what has to be refused changes nothing, what is right brings what it holds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::alteration::Altered;
use super::carry::{Offered, holds};
use super::model::Model;
use super::stage::Event;
use super::step::{Matter, Step};
use crate::configured::{Settings, words};
use crate::fuzz::finding::{Finding, Oracle};

/// For how long a file is offered again that a device has taken before: it may be busy, or slow after refusals.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was seen of the device that its own statement leaves open.
#[derive(Debug, Default)]
pub struct Known {
    /// The files that it has taken as they were made, on the device as it is put back to.
    taken: BTreeSet<String>,
    /// What it forgets in a power cycle.
    volatile: BTreeSet<String>,
    /// Whether a file that is not as it was made was offered: from then on, what changes in a power cycle may be its doing.
    offered: bool,
}

/// What the device reads, as files have changed it.
pub struct Taken {
    matter: Matter,
    known: Arc<Mutex<Known>>,
    /// What it read first.
    first: Option<Settings>,
    /// What it read last.
    now: Option<Settings>,
    /// Whether the power was cut since.
    restarted: bool,
    judged: bool,
}

impl Model for Taken {
    fn saw(&mut self, step: &Step, _began: Instant, event: &Event) -> Option<Finding> {
        match (step, event) {
            (Step::PowerCycle, _) => {
                self.restarted = true;
                None
            }
            (Step::Set { setting, value }, Event::Done) => {
                if let Some(now) = &mut self.now {
                    now.insert(setting.clone(), value.clone());
                }
                None
            }
            (Step::Look { .. } | Step::BackUp { .. }, Event::Read(state)) => self.read(state),
            (Step::GoBack, Event::Read(state)) => {
                self.now = Some(state.clone());
                self.restarted = false;
                None
            }
            (Step::Offer { .. }, Event::Offered(offered)) => {
                let found = self.read(&offered.before);
                self.known().offered |= offered.altered != Altered::Not;
                self.now = Some(offered.after.clone());
                found.or_else(|| self.judge(offered))
            }
            _ => None,
        }
    }

    fn judged(&self) -> bool {
        self.judged
    }

    /// A device that has refused may do so for a moment. What was taken was.
    fn patience(&self, finding: &Finding) -> Option<Duration> {
        (finding.what == self.refused_words()).then_some(PATIENCE)
    }
}

impl Taken {
    /// Nothing is read yet.
    pub fn new(matter: Matter, known: Arc<Mutex<Known>>) -> Self {
        Self {
            matter,
            known,
            first: None,
            now: None,
            restarted: false,
            judged: false,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused_words(&self) -> String {
        format!(
            "the {} as it was made is not taken any more",
            self.matter.word()
        )
    }

    /// Nothing changes between two files, nor in a power cycle.
    fn read(&mut self, state: &Settings) -> Option<Finding> {
        let restarted = std::mem::take(&mut self.restarted);
        self.first.get_or_insert_with(|| state.clone());
        let last = self.now.replace(state.clone())?;
        if !restarted {
            return None;
        }
        let mut known = self.known();
        let mut changed = differing(&last, state);
        if !known.offered {
            known.volatile.extend(changed.map(str::to_owned));
            return None;
        }
        if changed.all(|name| known.volatile.contains(name)) {
            return None;
        }
        let what = format!(
            "after a restart, what {}s set is not as it was before",
            self.matter.word()
        );
        let seen = format!("{}, where it was {}", words(state), words(&last));
        Some(Finding::new(Oracle::Model, what, seen))
    }

    fn judge(&mut self, offered: &Offered) -> Option<Finding> {
        let Offered {
            before,
            after,
            must,
            may,
            ..
        } = offered;
        let one = self.matter.one();
        let cut = if offered.cut {
            ", with the power cut under it"
        } else {
            ""
        };
        let seen = format!(
            "{}{cut}: {}, where it was {}; the device said: {}",
            offered.name,
            words(after),
            words(before),
            offered.said
        );
        let found = |what: String| Some(Finding::new(Oracle::Model, what, seen.clone()));
        let other = format!("{one} as it was made brings something else than it holds");
        let volatile = match offered.cut {
            true => self.known().volatile.clone(),
            false => BTreeSet::new(),
        };
        let mut changed = differing(before, after).filter(|name| !volatile.contains(*name));
        match offered.altered {
            Altered::Really if changed.next().is_some() => {
                found(format!("{one} that has to be refused is taken"))
            }
            Altered::Really | Altered::Slightly => None,
            Altered::Not => {
                // Each is what the file brings, or what it was.
                let strange = changed.any(|name| after.get(name) != may.get(name));
                if strange && offered.cut {
                    let cut = "the power cut under";
                    return found(format!(
                        "{cut} {one} leaves what neither it nor the device held"
                    ));
                }
                if strange {
                    return found(other);
                }
                if offered.cut {
                    return None;
                }
                let home = self.first.as_ref() == Some(before) || self.matter != Matter::Firmware;
                if holds(after, must) {
                    self.judged = true;
                    if home && before != after {
                        self.known().taken.insert(offered.name.clone());
                    }
                    return None;
                }
                let takes = home && self.known().taken.contains(&offered.name);
                match offered.done {
                    true if takes || before != after => found(other),
                    false if takes => found(self.refused_words()),
                    _ => None,
                }
            }
        }
    }
}

fn differing<'s>(one: &'s Settings, other: &'s Settings) -> impl Iterator<Item = &'s str> {
    let both = one
        .iter()
        .filter_map(|(name, value)| Some((name, value, other.get(name)?)));
    both.filter(|(_, one, other)| one != other)
        .map(|(name, ..)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::step::Carried;
    use super::*;

    const LOOK: Step = Step::Look {
        at: Matter::Backups,
    };

    fn model() -> Taken {
        Taken::new(Matter::Backups, Arc::default())
    }

    fn state(limit: &str) -> Settings {
        Settings::from([("limit".to_owned(), limit.to_owned())])
    }

    /// The device goes from one limit to another when it is offered a file that holds 900.
    fn offered(altered: Altered, before: &str, after: &str) -> Offered {
        Offered {
            altered,
            name: "the backup 1".to_owned(),
            before: state(before),
            after: state(after),
            must: state("900"),
            may: state("900"),
            done: true,
            cut: false,
            said: "OK".to_owned(),
        }
    }

    fn judge(model: &mut Taken, offered: Offered) -> Option<String> {
        let step = Step::Offer {
            file: Carried::Backup(1),
            by: None,
            cut_ms: None,
            altered: Vec::new(),
        };
        let event = Event::Offered(Box::new(offered));
        let found = model.saw(&step, Instant::now(), &event);
        found.map(|found| found.what)
    }

    #[test]
    fn an_altered_file_changes_nothing_and_a_right_one_brings_what_it_holds() {
        let judge = |altered, before, after| judge(&mut model(), offered(altered, before, after));
        assert_eq!(judge(Altered::Really, "700", "700"), None);
        assert!(judge(Altered::Really, "700", "900").is_some());
        assert_eq!(judge(Altered::Slightly, "700", "900"), None);
        assert_eq!(judge(Altered::Not, "700", "900"), None);
        assert!(judge(Altered::Not, "700", "800").is_some());
    }

    #[test]
    fn only_a_file_that_was_taken_once_has_to_be_taken_again() {
        let mut model = model();
        let refused = || Offered {
            done: false,
            ..offered(Altered::Not, "700", "700")
        };
        assert_eq!(judge(&mut model, refused()), None);
        assert!(!model.judged());
        assert_eq!(judge(&mut model, offered(Altered::Not, "700", "900")), None);
        assert!(model.judged());
        assert!(judge(&mut model, refused()).is_some());
        let cut = Offered {
            cut: true,
            ..refused()
        };
        assert_eq!(judge(&mut model, cut), None);
    }

    #[test]
    fn what_a_device_forgets_by_itself_is_not_the_doing_of_a_file() {
        let restart = |model: &mut Taken, before: &str, after: &str| {
            let mut seen = None;
            let events = [
                (LOOK, Event::Read(state(before))),
                (Step::PowerCycle, Event::Done),
                (LOOK, Event::Read(state(after))),
            ];
            for (step, event) in events {
                seen = model.saw(&step, Instant::now(), &event);
            }
            seen.is_some()
        };
        let mut forgetful = model();
        assert!(!restart(&mut forgetful, "700", "900"));
        let _ = judge(&mut forgetful, offered(Altered::Really, "900", "900"));
        assert!(!restart(&mut forgetful, "700", "900"));
        let mut steady = model();
        assert!(!restart(&mut steady, "700", "700"));
        let _ = judge(&mut steady, offered(Altered::Really, "700", "700"));
        assert!(restart(&mut steady, "700", "900"));
    }
}
