//! The trials of the simulated rig as tests: `cargo test` and `cargo nextest` list and run them one by one.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    slcert::campaign::as_tests(
        libtest_mimic::Arguments::from_args(),
        Path::new(env!("CARGO_BIN_EXE_slcert")),
    )
}
