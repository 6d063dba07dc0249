//! The devices of a qualification, each with its profile.

use slcert_profiles::RequirementId;
use slcert_sim::Flaw;

use super::USUAL;

/// A device that is judged.
#[derive(Clone, Copy)]
pub(super) struct Device<'p> {
    /// Its flaw; none for a sound one.
    pub flaw: Option<&'static Flaw>,
    /// The profile that it is tested by.
    pub profile: &'p str,
}

impl Device<'_> {
    /// Whether only generated inputs find its flaw.
    pub fn is_deep(self) -> bool {
        self.flaw.is_some_and(|flaw| flaw.deep.is_some())
    }
}

/// A sound device of each type of component, where the profile asked for is the usual one.
pub(super) fn sound_devices(asked: &str) -> Vec<Device<'_>> {
    const OTHERS: [&str; 3] = [
        "host-device-sl4",
        "network-device-sl4",
        "software-application-sl4",
    ];
    let others = OTHERS.into_iter().filter(|_| asked == USUAL);
    std::iter::once(asked)
        .chain(others)
        .map(|profile| Device {
            flaw: None,
            profile,
        })
        .collect()
}

/// The profile that shows a flaw: one for the type of component whose own requirement it breaks, where the profile asked
/// for is the usual one.
pub(super) fn profile_for<'p>(asked: &'p str, flaw: &Flaw) -> &'p str {
    if asked != USUAL {
        return asked;
    }
    match flaw.requirement.split(' ').next() {
        Some("NDR") => "network-device-sl4",
        Some("HDR") => "host-device-sl4",
        Some("SAR") => "software-application-sl4",
        _ => asked,
    }
}

/// A requirement as trials begin with it.
pub(super) fn slug(requirement: &str) -> String {
    requirement
        .parse::<RequirementId>()
        .map_or_else(|_| requirement.to_owned(), |id| id.slug())
}
