//! Every flaw of the simulated device makes the case of its requirement FAIL, and no unrelated one.
//!
//! With `SLCERT_FLAWS=all` each flaw gets a whole campaign, as `slcert qualify` gives it; that takes a quarter of an hour.

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use slcert::qualify;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The trials wait more than they work.
    arguments.test_threads = arguments.test_threads.or(Some(6));
    let quick = std::env::var_os("SLCERT_FLAWS").is_none_or(|value| value != "all");
    let program = Path::new(env!("CARGO_BIN_EXE_slcert"));
    let trials = slcert_sim::flaws()
        .iter()
        .map(|flaw| {
            Trial::test(format!("{} {}", flaw.requirement, flaw.name), move || {
                qualify::check(program, "embedded-device-sl4", flaw, quick).map_err(Failed::from)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
