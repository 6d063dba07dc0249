//! What a person reads of a file that is not right: each `.toml` has the expected text beside it.
//!
//! `SLCERT_BLESS=1 cargo test -p slcert-profiles --test messages` writes the texts anew; read the difference before you
//! commit it.

// Helpers of tests may stop a test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use slcert_profiles::Profile;
use slcert_profiles::file::Source;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    files
}

/// The file under its bare name, so that messages are the same in every folder.
fn source(path: &Path) -> Source {
    let name = path.file_name().unwrap().to_string_lossy();
    Source::new(name, &fs::read_to_string(path).unwrap())
}

fn compare(path: &Path, found: &str) -> Result<(), String> {
    let found: String = found
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    let expected_at = path.with_extension("txt");
    if std::env::var_os("SLCERT_BLESS").is_some() {
        fs::write(&expected_at, &found).unwrap();
        return Ok(());
    }
    let expected = fs::read_to_string(&expected_at).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    let name = path.display();
    Err(format!(
        "{name}:\n--- expected\n{expected}\n+++ found\n{found}"
    ))
}

fn report(differences: Vec<String>) {
    let how = "SLCERT_BLESS=1 cargo test -p slcert-profiles --test messages";
    assert!(
        differences.is_empty(),
        "{}\nif the new texts are better, write them with `{how}`",
        differences.join("\n")
    );
}

#[test]
fn every_bad_profile_is_refused_with_the_expected_text() {
    let files = files("bad");
    assert!(files.len() >= 12, "{} files", files.len());
    let check = |path: &PathBuf| match Profile::load(&source(path)) {
        Ok(_) => Err(format!("{} was taken", path.display())),
        Err(faults) => compare(path, &faults.render(false)),
    };
    report(files.iter().filter_map(|path| check(path).err()).collect());
}

#[test]
fn every_doubtful_profile_is_taken_with_the_expected_warnings() {
    let files = files("warned");
    assert!(!files.is_empty());
    let check = |path: &PathBuf| match Profile::load(&source(path)) {
        Ok(profile) => compare(path, &profile.warnings().render(false)),
        Err(faults) => Err(format!("{} was refused:\n{faults}", path.display())),
    };
    report(files.iter().filter_map(|path| check(path).err()).collect());
}

#[test]
fn five_faults_are_told_at_once_each_where_it_stands() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad/five-at-once.toml");
    let faults = Profile::load(&source(&path)).unwrap_err();
    let lines: Vec<_> = faults
        .to_string()
        .lines()
        .map(|line| line.split(": ").next().unwrap().to_owned())
        .collect();
    let expected = ["3:1", "8:30", "16:9", "21:6", "25:17"];
    assert_eq!(lines, expected.map(|at| format!("five-at-once.toml:{at}")));
}
