//! CR 2.1: authorization enforcement.

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::rights;

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
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
}];
