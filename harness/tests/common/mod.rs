//! Running the program as a user would, and reading what it left.

use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Completion, Failed};
use slcert_reports::Record;

/// Runs a campaign into a folder.
#[allow(dead_code)]
pub fn campaign(out: &Path, arguments: &[&str]) -> Result<(Output, Option<Record>), Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_slcert"))
        .arg("run")
        .arg("--out")
        .arg(out)
        .args(arguments)
        .env("RUST_BACKTRACE", "0")
        .output()?;
    Ok((output, Record::read(&out.join("data/result.json")).ok()))
}

/// What the program said, for a message.
#[allow(dead_code)]
pub fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Leaves a test out with its reason; where everything has to be there (`SLCERT_REQUIRE`), that is a failure.
#[allow(dead_code)]
pub fn leave_out(reason: &str) -> Result<Completion, Failed> {
    if std::env::var_os("SLCERT_REQUIRE").is_some() {
        return Err(Failed::from(format!(
            "left out, though everything has to be here: {reason}"
        )));
    }
    Ok(Completion::ignored_with(reason))
}
