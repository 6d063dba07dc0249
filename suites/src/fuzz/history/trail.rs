//! CR 2.8 over histories: every accepted change is in the audit log under the name of who made it, and as often as by
//! itself. What else names them is the device's affair: it may tell later that a session ran out, or that a master is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use regex::Regex;
use slcert_rigs::rig::Category;

use super::entries::{Entries, Usual};
use super::model::{Cast, Model};
use super::rights::{Asks, asks};
use super::step::Step;
use crate::audit;
use crate::hands::{Hand, reader};
use crate::procedure::{Procedure, Stop};
use crate::session::watches;

/// The most kinds of changes that are made by themselves first.
const ALONE: usize = 8;

/// Who makes changes, and how the log reads.
#[derive(Clone)]
pub struct Trail {
    /// Who may make which change.
    doers: Vec<Asks>,
    /// The names that the device has for the accounts of the rig which the bench itself does not use here.
    names: BTreeMap<String, String>,
    /// What the log calls logins and the like.
    access: Regex,
    /// Whether each entry tells its kind, and is told apart from all others.
    counts: bool,
    /// What one change leaves in the log.
    usual: Arc<Mutex<Usual>>,
    /// The accounts with which the bench reads back what was changed.
    witnesses: BTreeSet<String>,
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
        let witnesses = doers.iter().filter_map(|it| witness(p, it)).collect();
        let others = rig.accounts.keys().map(|name| name.as_str());
        let names = others.filter(|name| !spared(name));
        Ok(Self {
            doers,
            names: names
                .map(|name| (p.bench().user(name).to_owned(), name.to_owned()))
                .collect(),
            access: (**access).clone(),
            counts: ["type", "id"].iter().all(|it| named(it)),
            usual: Arc::default(),
            witnesses,
            cycles: p.bench().can_power_cycle(),
        })
    }

    fn done(&self) -> BoxedStrategy<Step> {
        let done = (1..=2u8, prop::sample::select(self.doers.clone()));
        done.prop_map(|(session, asks)| asks.performs(session))
            .boxed()
    }
}

/// The account with which the bench reads back what was changed.
fn witness(p: &Procedure<'_>, asks: &Asks) -> Option<String> {
    let described = p.rig().operations.get(asks.operation.as_str())?;
    match reader(p, described.read_back.as_ref()?.value.as_str()).ok()? {
        Hand::Account { account, .. } => Some(account.to_owned()),
        _ => None,
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

    fn learns(&self) -> bool {
        true
    }

    /// One change of each kind by itself.
    fn control(&self) -> Vec<Step> {
        let mut kinds = BTreeSet::new();
        let each = self.doers.iter();
        let each = each.filter(|it| kinds.insert((&it.operation, &it.interface)));
        let most = if self.counts { ALONE } else { 1 };
        let alone = each
            .take(most)
            .flat_map(|it| [it.performs(1), Step::ReadAudit]);
        std::iter::once(Step::ReadAudit).chain(alone).collect()
    }

    fn model(&self) -> Box<dyn Model> {
        let usual = self.counts.then(|| Arc::clone(&self.usual));
        let (names, access) = (self.names.clone(), self.access.clone());
        Box::new(Entries::new(names, access, usual, self.witnesses.clone()))
    }
}
