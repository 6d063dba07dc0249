//! CR 2.8 over histories: every accepted change is in the audit log under the name of who made it. What else names
//! them is the device's affair: it may tell later that a session ran out, or that a master is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use regex::Regex;
use slcert_rigs::rig::Category;
use tokio::time::Instant;

use super::model::{Cast, Model};
use super::rights::{Asks, asks};
use super::stage::Event;
use super::step::Step;
use crate::audit::{self, AuditEntry, new_entries};
use crate::fuzz::finding::{Finding, Oracle};
use crate::procedure::{Procedure, Stop};
use crate::session::watches;

/// What is wrong.
const MISSING: &str = "an accepted change is not in the audit log under the name of who made it";

/// Who makes changes, and how the log reads.
#[derive(Clone)]
pub struct Trail {
    /// Who may make which change.
    doers: Vec<Asks>,
    /// The names that the device has for the accounts of the rig which the bench itself does not use here.
    names: BTreeMap<String, String>,
    /// What the log calls logins and the like.
    access: Regex,
    cycles: bool,
}

impl Trail {
    /// The accounts of a rig that may make a change which can be read back.
    ///
    /// # Errors
    /// NOT EVALUATED where the log cannot be read, tells no user or no category, or nobody may change anything.
    pub fn of(p: &Procedure<'_>) -> Result<Self, Stop> {
        let format = audit::format(p)?;
        let named = |group: &str| {
            let mut groups = format.entry.capture_names().flatten();
            groups.any(|name| name == group)
        };
        if !named("user") {
            return Err(Stop::not_evaluated(
                "the rig file's pattern of an audit entry has no group `user`",
            ));
        }
        let access = format
            .categories
            .get(&Category::AccessControl)
            .filter(|_| named("category"))
            .ok_or_else(|| {
                Stop::not_evaluated(
                    "the rig file does not say which entries of the audit log are logins (group `category`, `audit.categories`)",
                )
            })?;
        let (_, reader) = p.anywhere("read_audit")?;
        let rig = p.rig();
        let spared = |account: &str| account == reader || watches(rig, account);
        let mut doers = asks(p);
        doers.retain(|it| rig.may(&it.account, &it.operation) && !spared(&it.account));
        if doers.is_empty() {
            return Err(Stop::not_evaluated(
                "no account may make a change that can be read back",
            ));
        }
        let others = rig.accounts.keys().map(|name| name.as_str());
        let names = others.filter(|name| !spared(name));
        Ok(Self {
            doers,
            names: names
                .map(|name| (p.bench().user(name).to_owned(), name.to_owned()))
                .collect(),
            access: (**access).clone(),
            cycles: p.bench().can_power_cycle(),
        })
    }

    fn done(&self) -> BoxedStrategy<Step> {
        let done = (1..=2u8, prop::sample::select(self.doers.clone()));
        done.prop_map(|(session, asks)| asks.performs(session))
            .boxed()
    }
}

impl Cast for Trail {
    fn label(&self) -> &'static str {
        "a history of changes"
    }

    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let steps = prop::collection::vec(self.any_step(), 2..=6);
        let histories = steps.prop_map(|steps| {
            let read = || std::iter::once(Step::ReadAudit);
            read().chain(steps).chain(read()).collect()
        });
        histories.boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        let session = || 1..=2u8;
        let mut steps = vec![
            (8, self.done()),
            (
                1,
                session()
                    .prop_map(|session| Step::Logout { session })
                    .boxed(),
            ),
            (
                1,
                session()
                    .prop_map(|session| Step::Vanish { session })
                    .boxed(),
            ),
        ];
        if self.cycles {
            steps.push((1, Just(Step::PowerCycle).boxed()));
        }
        proptest::strategy::Union::new_weighted(steps).boxed()
    }

    fn control(&self) -> Vec<Step> {
        let done = self.doers.first().map(|it| it.performs(1));
        let read = || std::iter::once(Step::ReadAudit);
        read().chain(done).chain(read()).collect()
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Entries {
            names: self.names.clone(),
            access: self.access.clone(),
            before: None,
            changes: BTreeMap::new(),
            judged: false,
        })
    }
}

/// What has to be in the log since it was read first.
struct Entries {
    names: BTreeMap<String, String>,
    access: Regex,
    before: Option<Vec<AuditEntry>>,
    /// How many changes each account has made.
    changes: BTreeMap<String, usize>,
    judged: bool,
}

impl Model for Entries {
    fn saw(&mut self, step: &Step, _began: Instant, event: &Event) -> Option<Finding> {
        match (step, event) {
            (Step::Perform { account, .. }, Event::Asked { changed: true, .. }) => {
                *self.changes.entry(account.clone()).or_default() += 1;
                None
            }
            // What was not on the disk yet may be gone.
            (Step::PowerCycle, _) => {
                self.changes.clear();
                None
            }
            (Step::ReadAudit, Event::Log(entries)) => self.read(entries),
            _ => None,
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
    fn read(&mut self, entries: &[AuditEntry]) -> Option<Finding> {
        let Some(before) = &self.before else {
            self.before = Some(entries.to_vec());
            self.changes.clear();
            return None;
        };
        // Of a log that was read in part, nothing is known of what lies between.
        let last = before.last()?;
        if !entries.iter().any(|entry| entry.text == last.text) {
            return None;
        }
        let new = new_entries(before, entries.to_vec());
        self.judged |= !self.changes.is_empty();
        for (user, account) in &self.names {
            let own = new.iter().filter(|entry| entry.field("user") == Some(user));
            let deeds: Vec<&AuditEntry> = own.filter(|entry| !self.is_access(entry)).collect();
            let made = self.changes.get(account).copied().unwrap_or_default();
            if deeds.len() < made {
                let deeds: Vec<AuditEntry> = deeds.into_iter().cloned().collect();
                let told = audit::words(&deeds);
                let seen = format!("`{account}` made {made} changes, and of them tell: {told}");
                return Some(Finding::new(Oracle::Model, MISSING, seen));
            }
        }
        None
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
        let fields = [("user", user), ("category", category)];
        AuditEntry {
            text: format!("{id} {category} {user}"),
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    fn found(entries: &[AuditEntry]) -> Option<String> {
        let mut model = Entries {
            names: ["olga", "otto"]
                .map(|it| (it.to_owned(), it.to_owned()))
                .into(),
            access: Regex::new("^access$").unwrap(),
            before: None,
            changes: BTreeMap::new(),
            judged: false,
        };
        let first = [entry(1, "ada", "access")];
        let mut all = first.to_vec();
        all.extend_from_slice(entries);
        let now = Instant::now();
        assert!(
            model
                .saw(&Step::ReadAudit, now, &Event::Log(first.to_vec()))
                .is_none()
        );
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
    fn a_change_of_another_user_is_none_of_ones_own() {
        let otto = [entry(2, "otto", "system")];
        assert_eq!(found(&otto).as_deref(), Some(MISSING));
        let later = [entry(2, "olga", "system"), entry(3, "otto", "system")];
        assert_eq!(found(&later), None);
    }
}
