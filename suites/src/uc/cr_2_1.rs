//! CR 2.1: authorization enforcement.

use slcert_rigs::rig::User;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fuzz::history::{self, Property};
use crate::procedure::{Procedure, Stop};
use crate::rights;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "rights-matrix",
        title: "every role does what it may, and nothing else",
        requirements: &["CR 2.1"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::HUMAN),
        needs: &[],
        objective: "Find out, for every account and every operation of the interface, whether it is allowed as the rig file lists it.",
        criterion: "What the account's role may not do is refused by the device and, where it can be read back, has not happened; what it may do works.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(rights::matrix(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "no order of logins, role changes and restarts gives a person a right",
        requirements: &["CR 2.1"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &[],
        objective: "Open generated sessions on all interfaces together, ask for changes in them, and change roles, log out, connect again and restart the device in \
                    between; read back as somebody else what each has changed.",
        criterion: "What an account's role may not do at the time has not happened, whatever came before.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::rights(p, User::Human)?;
    history::hold(p, property).await
}
