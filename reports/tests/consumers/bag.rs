//! What tools of others say of a bag and of its signature.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Completion, Failed};
use slcert_reports::bag::signature::{AllowedSigners, Key, NAMESPACE, Signature, check, sign};
use slcert_reports::bag::{SIGNATURE, STATEMENT, TAG_MANIFEST, seal};
use tempfile::TempDir;

use crate::{example, leave_out};

/// A bag with a file whose name wants care.
fn sealed() -> Result<TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    let evidence = folder.path().join("data/evidence");
    fs::create_dir_all(&evidence)?;
    fs::write(evidence.join("CR-1.11.lockout@console.txt"), "one")?;
    fs::write(evidence.join("two é.txt"), "two")?;
    example::record().write(&folder.path().join("data/result.json"))?;
    seal(folder.path(), &example::record())?;
    Ok(folder)
}

pub fn bagit() -> Result<Completion, Failed> {
    let Some(python) = std::env::var_os("SLCERT_PYTHON") else {
        return leave_out("SLCERT_PYTHON does not name a Python with the package bagit");
    };
    let script = "import bagit, sys; bagit.Bag(sys.argv[1]).validate()";
    let run = |folder: &Path| {
        Command::new(&python)
            .args(["-c", script])
            .arg(folder)
            .output()
    };
    let bag = sealed()?;
    let output = run(bag.path())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("No module named 'bagit'") {
        return leave_out("the Python of SLCERT_PYTHON has no package bagit");
    }
    if !output.status.success() {
        return Err(said.into());
    }
    for name in [
        "bag-info.txt",
        "data/result.json",
        "data/evidence/two é.txt",
    ] {
        let bag = sealed()?;
        let path = bag.path().join(name);
        let mut bytes = fs::read(&path)?;
        bytes[0] ^= 1;
        fs::write(&path, bytes)?;
        if run(bag.path())?.status.success() {
            return Err(format!("bagit takes a changed {name}").into());
        }
    }
    Ok(Completion::Completed)
}

pub fn sha256sum() -> Result<Completion, Failed> {
    let bag = sealed()?;
    for list in ["manifest-sha256.txt", TAG_MANIFEST] {
        let run = Command::new("sha256sum")
            .args(["--check", "--strict", list])
            .current_dir(bag.path())
            .output();
        match run {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
            Err(error) => return leave_out(&format!("sha256sum does not run: {error}")),
        }
    }
    Ok(Completion::Completed)
}

/// A key of each kind that ssh-keygen makes and we use; none where there is no ssh-keygen.
fn keys(folder: &Path) -> Option<Vec<std::path::PathBuf>> {
    let kinds = [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384")];
    let mut keys = Vec::new();
    for (kind, bits) in kinds {
        let key = folder.join(format!("{kind}{bits}"));
        let mut command = Command::new("ssh-keygen");
        command
            .args(["-q", "-N", "", "-C", "", "-t", kind, "-b", bits, "-f"])
            .arg(&key);
        command.status().ok().filter(|status| status.success())?;
        keys.push(key);
    }
    Some(keys)
}

fn allow(key: &Path) -> Result<std::path::PathBuf, Failed> {
    let path = key.with_extension("allowed");
    fs::write(
        &path,
        format!(
            "lab@example.org {}",
            fs::read_to_string(key.with_extension("pub"))?
        ),
    )?;
    Ok(path)
}

const NO_SSH_KEYGEN: &str = "ssh-keygen does not run: install openssh-client";

pub fn ssh_keygen_verifies() -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    let Some(keys) = keys(folder.path()) else {
        return leave_out(NO_SSH_KEYGEN);
    };
    for key in keys {
        let bag = sealed()?;
        let allowed = allow(&key)?;
        sign(bag.path(), &Key::read(&key)?, &example::record())?;
        let verify = || {
            Command::new("ssh-keygen")
                .args([
                    "-Y",
                    "verify",
                    "-I",
                    "lab@example.org",
                    "-n",
                    NAMESPACE,
                    "-f",
                ])
                .arg(&allowed)
                .arg("-s")
                .arg(bag.path().join(SIGNATURE))
                .stdin(File::open(bag.path().join(TAG_MANIFEST))?)
                .output()
        };
        let output = verify()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stdout).into_owned().into());
        }
        let mut changed = fs::read(bag.path().join(TAG_MANIFEST))?;
        changed[0] ^= 1;
        fs::write(bag.path().join(TAG_MANIFEST), changed)?;
        if verify()?.status.success() {
            return Err("ssh-keygen takes another tag manifest".into());
        }
    }
    Ok(Completion::Completed)
}

pub fn ssh_keygen_signs() -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    let Some(keys) = keys(folder.path()) else {
        return leave_out(NO_SSH_KEYGEN);
    };
    for key in keys {
        for (namespace, good) in [(NAMESPACE, true), ("git", false)] {
            let bag = sealed()?;
            let output = Command::new("ssh-keygen")
                .args(["-Y", "sign", "-n", namespace, "-f"])
                .arg(&key)
                .arg(bag.path().join(TAG_MANIFEST))
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            let allowed = AllowedSigners::read(&allow(&key)?)?;
            let found = check(bag.path(), Some(&allowed))?;
            let is_good =
                matches!(&found, Signature::Good { signer, .. } if signer == "lab@example.org");
            if is_good != good {
                return Err(format!("{} for {namespace}: {found:?}", key.display()).into());
            }
        }
    }
    Ok(Completion::Completed)
}

const CHECK_STATEMENT: &str = include_str!("statement.py");

pub fn in_toto() -> Result<Completion, Failed> {
    let Some(python) = std::env::var_os("SLCERT_PYTHON") else {
        return leave_out(
            "SLCERT_PYTHON does not name a Python with securesystemslib and in-toto-attestation",
        );
    };
    let folder = tempfile::tempdir()?;
    let Some(keys) = keys(folder.path()) else {
        return leave_out(NO_SSH_KEYGEN);
    };
    let bag = sealed()?;
    sign(bag.path(), &Key::read(&keys[0])?, &example::record())?;
    let output = Command::new(python)
        .args(["-c", CHECK_STATEMENT])
        .arg(bag.path().join(STATEMENT))
        .arg(keys[0].with_extension("pub"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("No module named") {
        return leave_out(
            "the Python of SLCERT_PYTHON lacks securesystemslib, cryptography or in-toto-attestation",
        );
    }
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() && found.trim() == "FAILED 5 2 2" {
        true => Ok(Completion::Completed),
        false => Err(format!("{found}{said}").into()),
    }
}
