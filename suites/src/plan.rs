//! The plan: which cases run on which interfaces of a rig.

use std::collections::BTreeSet;
use std::time::Duration;

use slcert_profiles::RequirementId;
use slcert_rigs::rig::Rig;

use crate::case::{Case, Scope};

/// A case on one interface of one rig: what is scheduled, run, recorded, and named in JUnit.
#[derive(Clone)]
pub struct Trial {
    /// The case.
    pub case: &'static Case,
    /// The requirement that owns it.
    pub requirement: RequirementId,
    /// All requirements that it gives evidence for.
    pub requirements: Vec<RequirementId>,
    /// The interface, or the server that the device comes to; none for a case on the whole device.
    pub interface: Option<String>,
    /// Why it cannot run on this rig.
    pub blocked: Option<Blocked>,
}

/// Why a trial cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// No interface of the rig fits the case.
    NoInterface(String),
    /// The interface does not bind what the case needs.
    NotBound(String),
}

impl Trial {
    fn fits_nowhere(&self) -> bool {
        matches!(self.blocked, Some(Blocked::NoInterface(_)))
    }

    /// How long it waits for timers of the device's own, by the policy that the rig states.
    pub fn waits(&self, rig: &Rig) -> Duration {
        if self.blocked.is_some() {
            return Duration::ZERO;
        }
        let mut waits = crate::waits();
        let own = waits.find(|wait| {
            wait.case == self.case.id && wait.requirement.parse() == Ok(self.requirement)
        });
        own.map_or(Duration::ZERO, |wait| (wait.time)(rig))
    }

    /// Its name: `CR-1.11/lockout@console`.
    pub fn id(&self) -> String {
        let requirement = self.requirement.slug();
        let case = self.case.id;
        match &self.interface {
            Some(interface) => format!("{requirement}/{case}@{interface}"),
            None => format!("{requirement}/{case}"),
        }
    }
}

/// The trials of `cases` on a rig, in the order of the cases. `applies` tells which requirements the device is judged by:
/// a case for EDR 3.10 and HDR 3.10 gives evidence for the one that applies.
///
/// A case that fits no interface of the rig has no trial, so that a device without Modbus is not held to what only Modbus
/// can show; unless its requirement would have none at all: then the trial says why.
pub fn plan(
    cases: &[&'static Case],
    rig: &Rig,
    applies: impl Fn(RequirementId) -> bool,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases {
        let requirements: Vec<RequirementId> = case
            .requirements
            .iter()
            .filter_map(|id| id.parse().ok())
            .filter(|id| applies(*id))
            .collect();
        let Some(&requirement) = requirements.first() else {
            continue;
        };
        let trial = |interface: Option<String>, blocked| Trial {
            case,
            requirement,
            requirements: requirements.clone(),
            interface,
            blocked,
        };
        match case.scope {
            Scope::Device => trials.push(trial(None, missing(case, rig))),
            Scope::Servers(kind) => {
                let before = trials.len();
                let servers = rig.servers.iter();
                for (name, _) in servers.filter(|(_, server)| server.kind.value == kind) {
                    trials.push(trial(Some(name.as_str().to_owned()), None));
                }
                if trials.len() == before {
                    let why = format!("this rig has no server of kind {}", kind.word());
                    trials.push(trial(None, Some(Blocked::NoInterface(why))));
                }
            }
            Scope::Each(fits) => {
                let before = trials.len();
                for (name, interface) in &rig.interfaces {
                    if fits.fits(interface) {
                        let name = name.as_str();
                        trials.push(trial(Some(name.to_owned()), missing_on(case, rig, name)));
                    }
                }
                if trials.len() == before {
                    let why = format!("this rig has no interface {}", fits.describe());
                    trials.push(trial(None, Some(Blocked::NoInterface(why))));
                }
            }
        }
    }
    let fitting: BTreeSet<RequirementId> = trials
        .iter()
        .filter(|trial| !trial.fits_nowhere())
        .flat_map(|trial| trial.requirements.iter().copied())
        .collect();
    trials.retain(|trial| !trial.fits_nowhere() || !fitting.contains(&trial.requirement));
    trials
}

/// What a case on the whole device needs, and neither an interface nor the bench binds.
fn missing(case: &Case, rig: &Rig) -> Option<Blocked> {
    let need = case.needs.iter().find(|need| {
        let mut names = rig.interfaces.keys();
        let bound = names.any(|name| rig.binding(need, name.as_str()).is_some());
        !bound && rig.bench_command(need).is_none()
    })?;
    Some(Blocked::NotBound(format!(
        "operation `{need}` is bound on no interface of this rig"
    )))
}

/// What a case needs and the interface does not bind.
fn missing_on(case: &Case, rig: &Rig, interface: &str) -> Option<Blocked> {
    let need = case
        .needs
        .iter()
        .find(|need| rig.binding(need, interface).is_none())?;
    Some(Blocked::NotBound(not_bound(rig, need, interface)))
}

fn not_bound(rig: &Rig, operation: &str, interface: &str) -> String {
    let bound = rig
        .interfaces
        .keys()
        .any(|name| rig.binding(operation, name.as_str()).is_some());
    if bound {
        format!("operation `{operation}` is not bound on `{interface}`")
    } else {
        format!("operation `{operation}` is bound on no interface of this rig")
    }
}

#[cfg(test)]
mod tests {
    use slcert_profiles::file::Source;
    use slcert_rigs::rig::SIMULATED;

    use super::*;

    fn planned(without: &[&str]) -> Vec<String> {
        let mut rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        rig.interfaces
            .retain(|name, _| !without.contains(&name.as_str()));
        let cases = crate::cases();
        let trials = plan(&cases, &rig, |_| true);
        trials.iter().map(Trial::id).collect()
    }

    #[test]
    fn a_device_without_modbus_is_not_held_to_what_only_modbus_shows() {
        let ids = planned(&["field", "rtu", "plc"]);
        assert!(ids.contains(&"CR-7.7/mqtt-topics@gateway".to_owned()));
        assert!(
            !ids.iter()
                .any(|id| id.starts_with("CR-7.7/modbus-functions"))
        );
    }

    #[test]
    fn a_requirement_that_no_interface_fits_keeps_a_trial_that_says_so() {
        let ids = planned(&["console"]);
        assert!(ids.contains(&"CR-2.5/idle".to_owned()), "{ids:?}");
    }

    #[test]
    fn what_the_bench_does_by_itself_is_bound() {
        let mut rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        let cases = crate::cases();
        let blocked = |rig: &Rig| {
            let trials = plan(&cases, rig, |_| true);
            let mut trials = trials.into_iter();
            trials.any(|trial| trial.case.id == "altered-image" && trial.blocked.is_some())
        };
        assert!(!blocked(&rig));
        rig.operations
            .retain(|name, _| name.as_str() != "store_image");
        assert!(blocked(&rig));
    }

    #[test]
    fn every_wait_belongs_to_a_case_and_is_stated_by_the_simulated_rig() {
        let rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        let cases = crate::cases();
        for wait in crate::waits() {
            let own = wait.requirement.parse::<RequirementId>().unwrap();
            let trials = plan(&cases, &rig, |id| id == own);
            let trial = trials.iter().find(|trial| trial.case.id == wait.case);
            assert!(trial.unwrap().waits(&rig) > Duration::ZERO, "{}", wait.case);
        }
    }

    #[test]
    fn a_case_gives_evidence_for_the_requirement_that_applies() {
        let rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        let cases = crate::cases();
        let own: RequirementId = "CR 1.11".parse().unwrap();
        let trials = plan(&cases, &rig, |id| id == own);
        assert!(!trials.is_empty());
        assert!(trials.iter().all(|trial| trial.requirements == [own]));
    }
}
