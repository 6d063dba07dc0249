//! The model of CR 2.8: which entries the audit log has to have since it was read last, and how many it may have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regex::Regex;
use tokio::time::Instant;

use super::model::Model;
use super::stage::Event;
use super::step::Step;
use crate::audit::{self, AuditEntry, new_entries};
use crate::fuzz::finding::{Finding, Oracle};

/// What is wrong.
const MISSING: &str = "an accepted change is not in the audit log under the name of who made it";
const DOUBLED: &str = "a change is in the audit log more often than by itself";
/// An operation on an interface.
pub type Place = (String, String);
/// Who asked for it.
type Asked = (String, Place);
/// How many entries of which types each leaves under the name of who made it, where nothing else comes.
pub type Usual = BTreeMap<Place, BTreeMap<String, usize>>;

/// What has to be in the log since it was read first.
pub struct Entries {
    names: BTreeMap<String, String>,
    access: Regex,
    before: Option<Vec<AuditEntry>>,
    /// How many changes each account has made.
    changes: BTreeMap<String, usize>,
    /// What one change leaves in the log, where that can be counted.
    usual: Option<Arc<Mutex<Usual>>>,
    /// Whose entries are not counted: they read back for the bench.
    witnesses: BTreeSet<String>,
    /// What was asked for since the log was read, be it done or not.
    asked: Vec<Asked>,
    /// Whether nothing else came between.
    alone: bool,
    /// Whether the power was cut.
    cut: bool,
    judged: bool,
}

impl Model for Entries {
    fn saw(&mut self, step: &Step, _began: Instant, event: &Event) -> Option<Finding> {
        match (step, event) {
            (
                Step::Perform {
                    account,
                    interface,
                    operation,
                    ..
                },
                _,
            ) => {
                if matches!(event, Event::Asked { changed: true, .. }) {
                    *self.changes.entry(account.clone()).or_default() += 1;
                }
                let place = (operation.clone(), interface.clone());
                self.asked.push((account.clone(), place));
                None
            }
            // What was not on the disk yet may be gone.
            (Step::PowerCycle, _) => {
                self.changes.clear();
                (self.alone, self.cut) = (false, true);
                None
            }
            (Step::ReadAudit, Event::Log(entries)) => self.read(entries),
            _ => {
                self.alone = false;
                None
            }
        }
    }

    /// A device may take a moment to write.
    fn patience(&self, _finding: &Finding) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn judged(&self) -> bool {
        self.judged
    }
}

impl Entries {
    /// The log was not read yet.
    pub fn new(
        names: BTreeMap<String, String>,
        access: Regex,
        usual: Option<Arc<Mutex<Usual>>>,
        witnesses: BTreeSet<String>,
    ) -> Self {
        Self {
            names,
            access,
            before: None,
            changes: BTreeMap::new(),
            usual,
            witnesses,
            asked: Vec::new(),
            alone: true,
            cut: false,
            judged: false,
        }
    }

    fn read(&mut self, entries: &[AuditEntry]) -> Option<Finding> {
        let found = self.judge(entries);
        // Asked for again, the log is held against the same one.
        if found.is_none() {
            self.before = Some(entries.to_vec());
            self.changes.clear();
            self.asked.clear();
            (self.alone, self.cut) = (true, false);
        }
        found
    }

    fn judge(&mut self, entries: &[AuditEntry]) -> Option<Finding> {
        // Of a log that was read in part, nothing is known of what lies between.
        let before = self.before.as_ref()?;
        let last = before.last()?;
        if !entries.iter().any(|entry| entry.text == last.text) {
            return None;
        }
        let new = new_entries(before, entries.to_vec());
        self.judged |= !self.changes.is_empty();
        let of = |user: &String| -> Vec<&AuditEntry> {
            let own = new.iter().filter(|entry| entry.field("user") == Some(user));
            own.filter(|entry| !self.is_access(entry)).collect()
        };
        for (user, account) in &self.names {
            let deeds = of(user);
            let made = self.changes.get(account).copied().unwrap_or_default();
            if deeds.len() < made {
                let deeds: Vec<AuditEntry> = deeds.into_iter().cloned().collect();
                let told = audit::words(&deeds);
                let seen = format!("`{account}` made {made} changes, and of them tell: {told}");
                return Some(Finding::new(Oracle::Model, MISSING, seen));
            }
        }
        // What is under a wrong name is missing under the right one: that was looked for first.
        let mut names = self.names.iter();
        let seen = names.find_map(|(user, account)| self.more_than_usual(account, &of(user)))?;
        // An entry of what came before may come late.
        Some(Finding::by_silence(Oracle::Model, DOUBLED, seen))
    }

    /// The entries of a kind that are more than all that was asked for leaves, each by itself. What one alone leaves is learnt.
    fn more_than_usual(&self, account: &str, deeds: &[&AuditEntry]) -> Option<String> {
        // Who also reads back for the bench, or is one user with another account, may leave more.
        let known = |(who, _): &Asked| self.names.values().any(|it| it == who);
        if self.cut || self.witnesses.contains(account) || !self.asked.iter().all(known) {
            return None;
        }
        let usual = self.usual.as_ref()?;
        let mut usual = usual.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in deeds {
            *seen.entry(entry.field("type")?).or_default() += 1;
        }
        if let [(who, place)] = self.asked.as_slice()
            && self.alone
            && who == account
            && self.changes.get(account) == Some(&1)
            && !usual.contains_key(place)
        {
            let kinds = seen
                .iter()
                .map(|(kind, count)| ((*kind).to_owned(), *count));
            usual.insert(place.clone(), kinds.collect());
            return None;
        }
        let mut most: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, place) in self.asked.iter().filter(|(who, _)| who == account) {
            for (kind, count) in usual.get(place)? {
                *most.entry(kind).or_default() += count;
            }
        }
        let (kind, most) = most
            .into_iter()
            .find(|(kind, most)| seen.get(kind) > Some(most))?;
        let told = seen.get(kind)?;
        Some(format!(
            "what `{account}` asked for leaves {most} entries `{kind}`, each by itself, and there are {told}"
        ))
    }

    fn is_access(&self, entry: &AuditEntry) -> bool {
        let category = entry.field("category").unwrap_or_default();
        self.access.is_match(category)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u32, user: &str, category: &str) -> AuditEntry {
        let fields = [("user", user), ("category", category), ("type", "write")];
        AuditEntry {
            text: format!("{id} {category} {user}"),
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    fn entries(usual: Option<Arc<Mutex<Usual>>>) -> Entries {
        let names = ["olga", "otto"].map(|it| (it.to_owned(), it.to_owned()));
        let access = Regex::new("^access$").unwrap();
        Entries::new(names.into(), access, usual, BTreeSet::new())
    }

    fn change() -> (Step, Event) {
        let step = Step::Perform {
            session: 1,
            account: "olga".to_owned(),
            interface: "console".to_owned(),
            operation: "write_output".to_owned(),
        };
        let event = Event::Asked {
            changed: true,
            seen: String::new(),
        };
        (step, event)
    }

    fn found(new: &[AuditEntry]) -> Option<String> {
        let mut model = entries(None);
        let first = [entry(1, "ada", "access")];
        let mut all = first.to_vec();
        all.extend_from_slice(new);
        let now = Instant::now();
        assert!(
            model
                .saw(&Step::ReadAudit, now, &Event::Log(first.to_vec()))
                .is_none()
        );
        let (step, event) = change();
        assert!(model.saw(&step, now, &event).is_none());
        let found = model.saw(&Step::ReadAudit, now, &Event::Log(all));
        assert!(model.judged());
        found.map(|found| found.what)
    }

    #[test]
    fn a_change_is_in_the_log_under_its_users_name() {
        assert_eq!(found(&[entry(2, "olga", "system")]), None);
        let logins = [entry(2, "olga", "access"), entry(3, "olga", "access")];
        assert_eq!(found(&logins).as_deref(), Some(MISSING));
        assert_eq!(found(&[]).as_deref(), Some(MISSING));
    }

    #[test]
    fn a_change_leaves_no_more_entries_than_by_itself() {
        let mut model = entries(Some(Arc::default()));
        let mut log = vec![entry(1, "ada", "access")];
        let mut read = |changes: usize, left: usize| {
            for _ in 0..changes {
                let (step, event) = change();
                model.saw(&step, Instant::now(), &event);
            }
            for _ in 0..left {
                log.push(entry(log.len() as u32 + 1, "olga", "system"));
            }
            let event = Event::Log(log.clone());
            let found = model.saw(&Step::ReadAudit, Instant::now(), &event);
            found.map(|found| found.what)
        };
        assert_eq!(read(0, 0), None);
        assert_eq!(read(2, 3), None, "nothing is known yet");
        assert_eq!(read(1, 1), None);
        assert_eq!(read(2, 2), None);
        assert_eq!(read(2, 3).as_deref(), Some(DOUBLED));
    }

    #[test]
    fn a_change_of_another_user_is_none_of_ones_own() {
        let otto = [entry(2, "otto", "system")];
        assert_eq!(found(&otto).as_deref(), Some(MISSING));
        let later = [entry(2, "olga", "system"), entry(3, "otto", "system")];
        assert_eq!(found(&later), None);
    }
}
