//! CR 2.12 RE(1): non-repudiation for all users.

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::uc::cr_2_12::who_did_it;

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "who-did-it",
    title: "the audit log names the process or device that did it",
    requirements: &["CR 2.12 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        identity: true,
        ..Fits::PROCESS
    }),
    needs: &[],
    objective: "Find out whether what a process or a device did is in the audit log under the identity that it showed: the account, or the \
                subject of its certificate.",
    criterion: "After an operation that changes something, a new entry of the log names the identity that did it, and not a name that \
                the client may choose, such as an MQTT client identifier.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(who_did_it(p)) },
}];
