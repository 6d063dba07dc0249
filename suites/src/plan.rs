//! The plan: which cases run on which interfaces of a rig.

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
    /// The interface; none for a case on the whole device.
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
    /// Its name: `CR-1.11/lockout@console`.
    pub fn id(&self) -> String {
        let requirement = slug(self.requirement);
        let case = self.case.id;
        match &self.interface {
            Some(interface) => format!("{requirement}/{case}@{interface}"),
            None => format!("{requirement}/{case}"),
        }
    }
}

/// A requirement's id without spaces and brackets, as people type it: `CR-1.1-RE-1`.
pub fn slug(id: RequirementId) -> String {
    id.to_string()
        .replace(" RE(", "-RE-")
        .replace(')', "")
        .replace(' ', "-")
}

/// The trials of `cases` on a rig, in the order of the cases.
pub fn plan(cases: &[&'static Case], rig: &Rig) -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases {
        let requirements: Vec<RequirementId> = case
            .requirements
            .iter()
            .filter_map(|id| id.parse().ok())
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
            Scope::Device => trials.push(trial(None, None)),
            Scope::Each(fits) => {
                let mut any = false;
                for (name, _) in rig
                    .interfaces
                    .iter()
                    .filter(|(_, interface)| fits.fits(interface))
                {
                    any = true;
                    let missing = case
                        .needs
                        .iter()
                        .find(|need| rig.binding(need, name.as_str()).is_none());
                    let blocked =
                        missing.map(|need| Blocked::NotBound(not_bound(rig, need, name.as_str())));
                    trials.push(trial(Some(name.as_str().to_owned()), blocked));
                }
                if !any {
                    let why = format!("this rig has no interface {}", fits.describe());
                    trials.push(trial(None, Some(Blocked::NoInterface(why))));
                }
            }
        }
    }
    trials
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
