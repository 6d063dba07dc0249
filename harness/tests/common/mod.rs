//! Running the program as a user would, and reading what it left.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use libtest_mimic::{Completion, Failed};
use slcert_reports::Record;

/// Runs the program to its end, as somebody who is no step of GitHub's.
#[allow(dead_code, clippy::unwrap_used)]
pub fn slcert(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slcert"))
        .args(arguments)
        .env_remove("GITHUB_ACTIONS")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Whether a campaign's folder is whole.
#[allow(dead_code)]
pub fn verify(campaign: &Path) -> Output {
    slcert(&["verify", &campaign.display().to_string()])
}

/// Every file of a folder, by its path in it.
#[allow(dead_code, clippy::unwrap_used)]
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(one) = folders.pop() {
        for entry in std::fs::read_dir(one).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

/// Copies a folder to a place that has nothing yet.
#[allow(dead_code, clippy::unwrap_used)]
pub fn copy(folder: &Path, to: &Path) {
    for (name, bytes) in files(folder) {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// The record of a campaign that has ended.
#[allow(dead_code, clippy::unwrap_used)]
pub fn record(campaign: &Path) -> Record {
    Record::read(&campaign.join("data/result.json")).unwrap()
}

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
