//! CR 1.7 RE(2): password lifetime restrictions for all users.

use slcert_rigs::rig::User;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::iac::cr_1_7_re_1::lifetime;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "lifetime",
    title: "a process's password expires",
    requirements: &["CR 1.7 RE(2)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        users: &[User::Process],
        ..Fits::PASSWORD
    }),
    needs: &[],
    objective: "Find out whether the password of a process or a device that is older than stated still opens a session.",
    criterion: "A password that is one day older than stated opens no session; one that an authorised role sets anew does. Where a process \
                can change its own password, it cannot do so twice at once.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(process_lifetime(p)) },
}];

async fn process_lifetime(p: &mut Procedure<'_>) -> Result<(), Stop> {
    // Where only an administrator changes it, there is no change of its user's own to hold back.
    let own = p.rig().binding("change_own_password", p.name()).is_some();
    lifetime(p, own).await
}
