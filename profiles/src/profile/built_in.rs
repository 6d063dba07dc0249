//! The profiles that are built in: one for each component type and level.

use std::sync::LazyLock;

use super::Profile;
use crate::file::Source;

/// The files, by name.
const FILES: [(&str, &str); 16] = [
    (
        "embedded-device-sl1",
        include_str!("../../embedded-device-sl1.toml"),
    ),
    (
        "embedded-device-sl2",
        include_str!("../../embedded-device-sl2.toml"),
    ),
    (
        "embedded-device-sl3",
        include_str!("../../embedded-device-sl3.toml"),
    ),
    (
        "embedded-device-sl4",
        include_str!("../../embedded-device-sl4.toml"),
    ),
    (
        "host-device-sl1",
        include_str!("../../host-device-sl1.toml"),
    ),
    (
        "host-device-sl2",
        include_str!("../../host-device-sl2.toml"),
    ),
    (
        "host-device-sl3",
        include_str!("../../host-device-sl3.toml"),
    ),
    (
        "host-device-sl4",
        include_str!("../../host-device-sl4.toml"),
    ),
    (
        "network-device-sl1",
        include_str!("../../network-device-sl1.toml"),
    ),
    (
        "network-device-sl2",
        include_str!("../../network-device-sl2.toml"),
    ),
    (
        "network-device-sl3",
        include_str!("../../network-device-sl3.toml"),
    ),
    (
        "network-device-sl4",
        include_str!("../../network-device-sl4.toml"),
    ),
    (
        "software-application-sl1",
        include_str!("../../software-application-sl1.toml"),
    ),
    (
        "software-application-sl2",
        include_str!("../../software-application-sl2.toml"),
    ),
    (
        "software-application-sl3",
        include_str!("../../software-application-sl3.toml"),
    ),
    (
        "software-application-sl4",
        include_str!("../../software-application-sl4.toml"),
    ),
];

static BUILT_IN: LazyLock<Vec<(&str, Profile)>> = LazyLock::new(|| {
    // A profile that cannot be read would be seen by the tests.
    FILES
        .iter()
        .filter_map(|(name, _)| {
            let source = Profile::built_in_source(name)?;
            Some((*name, Profile::load(&source).ok()?))
        })
        .collect()
});

impl Profile {
    /// The names of the profiles that are built in: `embedded-device-sl2`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// A profile that is built in.
    pub fn built_in(name: &str) -> Option<&'static Self> {
        BUILT_IN
            .iter()
            .find_map(|(known, profile)| (*known == name).then_some(profile))
    }

    /// The file of a profile that is built in, to start one's own from.
    pub fn built_in_source(name: &str) -> Option<Source> {
        FILES.iter().find_map(|(known, text)| {
            (*known == name).then(|| Source::new(format!("{name}.toml"), text))
        })
    }
}
