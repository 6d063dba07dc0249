//! Histories: sequences of logins, deeds, role changes, restarts and the like over all interfaces together, each held
//! against a small model of what the rig file states.
//!
//! A history is one input of the fuzz engine, and each begins on a device that is as the rig file says.

mod alive;
pub mod alteration;
mod alterations;
mod carry;
pub mod change;
mod crowd;
mod ended;
mod entries;
mod exposure;
mod files;
mod kind;
mod lockout;
mod locks;
mod model;
mod owed;
mod passwords;
mod readers;
mod replies;
mod rights;
mod room;
mod secrets;
mod sessions;
mod silence;
mod stage;
pub mod step;
mod taken;
mod trail;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use slcert_reports::escape;
use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::{User, Values};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::coverage::Seen;
use super::finding::Finding;
use super::generate::Grammar;
use super::input::Input;
use super::target::{Delivered, Target};
use crate::procedure::{Procedure, Stop};
use kind::kind;
use model::{Cast, Model};
use owed::Owed;
use replies::Replies;
use stage::Stage;
use step::{Matter, Step};

/// How often a plain history has to go wrong: it is played on a device that nothing was done to.
const TWICE: usize = 2;

/// The time between two looks at what a device may need time for.
const BETWEEN: Duration = Duration::from_millis(80);
/// The most of that time while a finding is made smaller: what is left is confirmed with all of it.
const HASTE: Duration = Duration::from_secs(1);

/// How long the device is left alone after a history that could not be played.
const DOUBT: Duration = Duration::from_millis(200);

/// What is held.
#[derive(Clone)]
pub struct Property(Arc<dyn Cast>);

impl Property {
    /// CR 1.11: failed logins lock an account, and no other.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn lockout(p: &Procedure<'_>) -> Result<Self, Stop> {
        Ok(Self(Arc::new(lockout::Attempts::of(p)?)))
    }

    /// CR 2.1, and its RE(1) for processes: who has no right to a change does not bring it about.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn rights(p: &Procedure<'_>, users: User) -> Result<Self, Stop> {
        Ok(Self(Arc::new(rights::Changes::of(p, users)?)))
    }

    /// CR 2.8 and CR 2.12: what was changed is in the audit log, under the right name.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn trail(p: &Procedure<'_>) -> Result<Self, Stop> {
        Ok(Self(Arc::new(trail::Trail::of(p)?)))
    }

    /// CR 3.8 and CR 2.6: a session that is over is over.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn sessions(p: &Procedure<'_>) -> Result<Self, Stop> {
        Ok(Self(Arc::new(sessions::Visits::of(p)?)))
    }

    /// CR 2.6: a session that is silent is ended, whatever others do.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn silence(p: &Procedure<'_>) -> Result<Self, Stop> {
        Ok(Self(Arc::new(silence::Silences::of(p)?)))
    }

    /// CR 2.7: a user has no more sessions than stated, and not fewer.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn crowd(p: &Procedure<'_>) -> Result<Self, Stop> {
        Ok(Self(Arc::new(crowd::Crowds::of(p)?)))
    }

    /// EDR 3.10 RE(1), CR 3.4 and CR 7.3 RE(1): no altered file is taken, and the one as it was made is.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn files(p: &Procedure<'_>, matter: Matter) -> Result<Self, Stop> {
        Ok(Self(Arc::new(files::Files::of(p, matter)?)))
    }

    /// CR 4.1: no secret stands in what the device sends.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn secrets(p: &Procedure<'_>) -> Result<Self, Stop> {
        Ok(Self(Arc::new(secrets::Secrets::of(p)?)))
    }

    /// The property that a trial holds; none for one that plays no histories.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file says too little.
    pub fn of_trial(p: &Procedure<'_>) -> Result<Option<Self>, Stop> {
        Ok(Some(match p.trial() {
            "CR-1.11/fuzz-histories" => Self::lockout(p)?,
            "CR-2.1/fuzz-histories" => Self::rights(p, User::Human)?,
            "CR-2.1-RE-1/fuzz-histories" => Self::rights(p, User::Process)?,
            "CR-2.6/fuzz-histories" => Self::silence(p)?,
            "CR-2.7/fuzz-histories" => Self::crowd(p)?,
            "CR-2.8/fuzz-histories" => Self::trail(p)?,
            "CR-3.8/fuzz-histories" => Self::sessions(p)?,
            "CR-4.1/fuzz-histories" => Self::secrets(p)?,
            "CR-3.4/fuzz-configurations" => Self::files(p, Matter::Configurations)?,
            "CR-7.3-RE-1/fuzz-backups" => Self::files(p, Matter::Backups)?,
            trial if trial.ends_with("/fuzz-images") => Self::files(p, Matter::Firmware)?,
            _ => return Ok(None),
        }))
    }
}

impl Grammar for Property {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let label = self.0.label();
        let histories = self.0.histories();
        histories
            .prop_map(move |steps| Input::history(label, steps))
            .boxed()
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let label = self.0.label();
        let steps: Vec<Step> = base.steps().cloned().collect();
        let varied = (0..=steps.len(), self.0.any_step());
        varied
            .prop_map(move |(at, step)| {
                let mut steps = steps.clone();
                steps.insert(at.min(steps.len()), step);
                Input::history(label, steps)
            })
            .boxed()
    }
}

/// Holds a property over histories, and leaves the device as it was.
///
/// # Errors
/// As [`hold`](super::hold); INCONCLUSIVE where the device could not be left as it was.
pub async fn hold(p: &mut Procedure<'_>, property: Property) -> Result<(), Stop> {
    let histories = Histories::new(p, property);
    if let Some(found) = histories.control().await? {
        p.check(
            format!("a plain history: {}", found.what),
            found.oracle.criterion(),
            format!("{}; twice", found.seen),
            false,
        );
        p.keep_now(None);
    }
    // What the plain history has left in the device is in no history that could be played again.
    if p.bench().can_power_cycle() {
        p.bench().power_cycle().await?;
    }
    let held = super::hold_in_part(p, &histories).await;
    let back = histories.put_back().await;
    held.and(back)?;
    histories.played.lock().await.sum()
}

/// The device that histories are played on.
pub struct Histories<'b> {
    p: Procedure<'b>,
    property: Property,
    owed: Mutex<Owed>,
    replies: Replies,
    played: Mutex<Played>,
    hurries: AtomicBool,
}

/// How many histories came to their end.
#[derive(Debug, Default)]
struct Played {
    whole: u64,
    in_doubt: u64,
    /// Why one did not.
    why: String,
}

impl Played {
    fn sum(&self) -> Result<(), Stop> {
        if self.in_doubt <= self.whole {
            return Ok(());
        }
        let all = self.whole + self.in_doubt;
        Err(Stop::inconclusive(format!(
            "{} of {all} histories could not be played to their end: {}",
            self.in_doubt, self.why
        )))
    }
}

impl<'b> Histories<'b> {
    /// Nothing is played yet.
    pub fn new(p: &Procedure<'b>, property: Property) -> Self {
        Self {
            p: Procedure::new(p.bench(), None, p.requirement()),
            property,
            owed: Mutex::new(Owed::default()),
            replies: Replies::default(),
            played: Mutex::default(),
            hurries: AtomicBool::new(false),
        }
    }

    /// Plays a plain history, which shows that the device does what the others rest on; what is wrong with it twice.
    async fn control(&self) -> Result<Option<Finding>, Stop> {
        let mut owed = self.owed.lock().await;
        let mut stage = Stage::new(&self.p, &mut owed, &self.replies);
        let plain = Input::history(self.property.0.label(), self.property.0.control());
        let mut seen = Seen::default();
        let mut last = None;
        for _ in 0..TWICE {
            let mut model = self.property.0.model();
            let played = self.play(&mut stage, &plain, &mut *model, &mut seen).await;
            let back = stage.put_back().await;
            let found = played?;
            back?;
            if found.is_none() && !model.judged() {
                return Err(Stop::inconclusive(
                    "on this device a plain history shows nothing either: no silence counts",
                ));
            }
            if found.is_none() {
                return Ok(None);
            }
            last = found;
        }
        Ok(last)
    }

    /// Learns of the device what it does not state, where the property rests on that.
    ///
    /// # Errors
    /// The plain history could not be played.
    pub async fn learn(&self) -> Result<(), Stop> {
        match self.property.0.learns() {
            true => self.control().await.map(|_| ()),
            false => Ok(()),
        }
    }

    async fn put_back(&self) -> Result<(), Stop> {
        let mut owed = self.owed.lock().await;
        Stage::new(&self.p, &mut owed, &self.replies)
            .put_back()
            .await
    }

    fn granted(&self, patience: Duration) -> Duration {
        match self.hurries.load(Ordering::Relaxed) {
            true => patience.min(HASTE),
            false => patience,
        }
    }

    /// Plays a history to its end, or to what is wrong with it.
    async fn play(
        &self,
        stage: &mut Stage<'_, 'b>,
        input: &Input,
        model: &mut dyn Model,
        seen: &mut Seen,
    ) -> Result<Option<Finding>, Stop> {
        stage.put_back().await?;
        if self.property.0.listens() {
            stage.listen();
        }
        for step in input.steps() {
            let began = Instant::now();
            let mut event = stage.take(step).await?;
            let mut found = model.saw(step, began, &event);
            if let Some(patience) = found.as_ref().and_then(|found| model.patience(found)) {
                let until = Instant::now() + self.granted(patience);
                loop {
                    let began = Instant::now();
                    event = stage.take(step).await?;
                    found = model.saw(step, began, &event);
                    if found.is_none() || Instant::now() >= until {
                        break;
                    }
                    sleep(BETWEEN).await;
                }
            }
            let came = kind(step, &event);
            if found.is_none() {
                found = stage.heard(&came)?;
            }
            seen.kinds.push(came);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

impl Target for Histories<'_> {
    type Link = ();

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::new(self.property.clone())
    }

    /// A name that this rig file does not have.
    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        let rig = self.p.rig();
        let listed = |account: &str, interface: &str| {
            let mut accounts = rig.accounts_on(interface);
            accounts.any(|(name, _)| name.as_str() == account)
        };
        let unknown = |step: &Step| match step {
            Step::Try {
                account, interface, ..
            }
            | Step::Abandon { account, interface }
            | Step::Count { account, interface }
            | Step::ReadAll { account, interface }
            | Step::Change {
                account,
                interface: Some(interface),
                ..
            }
            | Step::Login {
                account, interface, ..
            } => !listed(account, interface),
            Step::Neglect {
                beside: Some(visit),
                ..
            } => !listed(&visit.account, &visit.interface),
            Step::Terminate { account }
            | Step::Take { account, .. }
            | Step::Change { account, .. } => !rig.accounts.contains_key(account.as_str()),
            Step::Perform {
                account,
                interface,
                operation,
                ..
            } => {
                let described = rig.operations.get(operation.as_str());
                !listed(account, interface)
                    || described.is_none_or(|it| !it.changes_state())
                    || rig.binding(operation, interface).is_none()
            }
            Step::Offer { file, .. } => {
                !matches!(file, step::Carried::Backup(_)) && carry::named(rig, file).is_none()
            }
            Step::Set { setting, .. } => {
                !rig.operations.contains_key(setting.as_str())
                    && !rig.baseline.contains_key(setting)
            }
            Step::Grant { role, operation } | Step::Revoke { role, operation } => {
                !rig.roles.contains_key(role.as_str())
                    || !rig.operations.contains_key(operation.as_str())
            }
            _ => false,
        };
        let any = input.steps().any(unknown);
        any.then_some("an account, a role, an operation, a setting or a file that this rig file does not have")
    }

    fn hurry(&self, on: bool) {
        self.hurries.store(on, Ordering::Relaxed);
    }

    async fn open(&self) -> Result<(), String> {
        Ok(())
    }

    async fn deliver(&self, (): (), input: &Input) -> Delivered<()> {
        let mut owed = self.owed.lock().await;
        let mut stage = Stage::new(&self.p, &mut owed, &self.replies);
        let mut seen = Seen::default();
        let mut model = self.property.0.model();
        let played = self.play(&mut stage, input, &mut *model, &mut seen).await;
        let back = stage.put_back().await;
        let mut count = self.played.lock().await;
        let finding = match (played, back) {
            (Ok(found), Ok(())) => {
                count.whole += 1;
                seen.parsed = true;
                found
            }
            (Ok(found @ Some(_)), Err(_)) => found,
            (Err(stop), _) | (_, Err(stop)) => {
                count.in_doubt += 1;
                count.why = slcert_reports::excerpt(&self.p.bench().conceal(&stop.reason), 160);
                seen.kinds.push(format!("in doubt: {}", count.why));
                sleep(DOUBT).await;
                None
            }
        };
        Delivered {
            finding,
            ..Delivered::fine(None, seen)
        }
    }

    /// The cheapest thing that shows that the device serves: a reading that anyone may take, or a login.
    async fn serves(&self, patience: Duration) -> Result<Duration, String> {
        let began = Instant::now();
        let served = timeout(patience, self.serve());
        match served.await {
            Ok(Ok(())) => Ok(began.elapsed()),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
        }
    }
}

impl Histories<'_> {
    async fn serve(&self) -> Result<(), String> {
        let (bench, rig) = (self.p.bench(), self.p.rig());
        let open = rig.interfaces.iter().find_map(|(name, interface)| {
            let mut reads = interface.anonymous.iter().map(|it| it.as_str());
            let reads = reads.find(|it| rig.only_reads(it, name.as_str()))?;
            Some((name.as_str(), reads))
        });
        let said = |error: slcert_rigs::bench::BenchError| error.to_string();
        if let Some((interface, operation)) = open {
            let entered = bench.enter(interface, &Who::Nobody).await.map_err(said)?;
            let Entry::In(mut session) = entered else {
                return Err(format!("nobody is let in on `{interface}`"));
            };
            let attempt = session.perform(operation, &Values::new()).await;
            session.close().await;
            let attempt = attempt.map_err(said)?;
            return match attempt.is_done() {
                true => Ok(()),
                false => Err(escape(&attempt.answer().text)),
            };
        }
        bench.answers_within(Duration::ZERO).await.map_err(said)
    }
}
