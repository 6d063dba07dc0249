//! A second device of the same type, to compare with.

use std::collections::BTreeMap;

use slcert_profiles::file::{Fields, Located, Table};

use super::dut::Start;
use super::name::Name;
use super::template::Template;

/// A second device of the same type. What this file says of the first one holds for it too.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// How it is started, where it is a process of this machine.
    pub start: Option<Start>,
    /// Where its interfaces are, where it is not; one that is not named here is not connected.
    pub interfaces: BTreeMap<Name, Located<Template>>,
}

impl Table for Specimen {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let start = f.optional(
            "start",
            "How it is started, where it is a process of this machine. `{work}` is a folder of its own.",
        );
        let interfaces = f.or(
            "interfaces",
            "Where its interfaces are, by the names of this file: plc = \"192.168.1.31:802\".",
            BTreeMap::new(),
        );
        let specimen = Self {
            start: start?,
            interfaces: interfaces?,
        };
        if specimen.start.is_some() != specimen.interfaces.is_empty() {
            f.refuse(
                "start",
                "a specimen is started here, or it has interfaces somewhere else".into(),
                "write one of `start` and `interfaces`",
            );
            return None;
        }
        Some(specimen)
    }
}

slcert_profiles::settings_table!(Specimen);
