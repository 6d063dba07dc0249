//! What type of component the device is. What it does is the same for all; some ports are a network device's alone.

use serde::Serialize;

/// The four types of components of IEC 62443-4-2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// Software that runs on a machine of others.
    SoftwareApplication,
    /// A special-purpose device with its own software.
    #[default]
    EmbeddedDevice,
    /// A general-purpose machine.
    HostDevice,
    /// A device that passes on or restricts traffic.
    NetworkDevice,
}
