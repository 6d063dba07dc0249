//! What tests against foreign software share.

use libtest_mimic::{Completion, Failed};

/// Leaves a test out with its reason; where everything has to be there (`SLCERT_REQUIRE`), that is a failure.
pub fn leave_out(why: &str) -> Result<Completion, Failed> {
    match std::env::var_os("SLCERT_REQUIRE") {
        Some(_) => Err(format!("left out, though everything has to be here: {why}").into()),
        None => Ok(Completion::ignored_with(why)),
    }
}
