//! What readers make of `junit.xml` and of the files beside it.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Completion, Failed};
use slcert_reports::{Flavour, JunitOptions, Record, assess, junit_with};
use tempfile::TempDir;

use crate::{example, expected, hostile, leave_out, xmllint_with};

/// The least that a JUnit file may be, as Ant's schema has it.
const STRICT_XSD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/consumers/strict.xsd");

/// Prints each case's status and name, as Allure's own importer reads them.
const ALLURE: &str = r#"
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const [folder, file] = process.argv.slice(-2);
const from = (name) => import(pathToFileURL(createRequire(folder + "/").resolve(name)));
const { junitXml } = await from("@allurereport/reader");
const { PathResultFile } = await from("@allurereport/reader-api");
const nothing = async () => {};
const visitor = {
  visitTestResult: async (one) => console.log(one.status, one.name),
  visitAttachmentFile: nothing, visitMetadata: nothing, visitGlobals: nothing,
};
if (!(await junitXml.read(visitor, new PathResultFile(file, "junit.xml")))) process.exit(1);
"#;

/// Every way to write the report, the usual one first.
const ALL: [Option<Flavour>; 3] = [None, Some(Flavour::Rich), Some(Flavour::Strict)];

/// Writes a report into a folder of its own, and says where.
fn written(record: &Record, flavour: Option<Flavour>) -> Result<(TempDir, String), Failed> {
    let options = JunitOptions {
        flavour,
        ..JunitOptions::default()
    };
    let xml = junit_with(record, &assess(record), &options)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("junit.xml");
    std::fs::write(&path, xml)?;
    Ok((folder, path.display().to_string()))
}

/// The strict file is valid by both schemas; each schema refuses what it should.
pub fn strict() -> Result<Completion, Failed> {
    let ant = Path::new(STRICT_XSD);
    for record in [example::record(), example::bare([0; 7]), hostile()] {
        let (_folder, file) = written(&record, Some(Flavour::Strict))?;
        for schema in [Some(ant), None] {
            let output = match xmllint_with(schema, Path::new(&file))? {
                Ok(output) => output,
                Err(ignored) => return Ok(ignored),
            };
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
        }
    }
    for (schema, flavour) in [
        (Some(ant), None),
        (Some(ant), Some(Flavour::Rich)),
        (None, Some(Flavour::Rich)),
    ] {
        let (_folder, file) = written(&example::record(), flavour)?;
        match xmllint_with(schema, Path::new(&file))? {
            Ok(output) if output.status.success() => {
                return Err(format!("{flavour:?} was found valid by {schema:?}").into());
            }
            Ok(_) => {}
            Err(ignored) => return Ok(ignored),
        }
    }
    Ok(Completion::Completed)
}

/// A page with each case of the report on it, and nothing on it that a device forged.
pub fn junit2html() -> Result<Completion, Failed> {
    let Some(python) = std::env::var_os("SLCERT_PYTHON") else {
        return leave_out("SLCERT_PYTHON does not name a Python with the package junit2html");
    };
    for record in [example::record(), hostile()] {
        for flavour in ALL {
            let (folder, file) = written(&record, flavour)?;
            let page = folder.path().join("junit.html");
            let output = Command::new(&python)
                .args(["-m", "junit2htmlreport", &file])
                .arg(&page)
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            let page = std::fs::read_to_string(page)?;
            let count = |word: &str| {
                page.matches(&format!("test outcome outcome-{word}"))
                    .count()
            };
            let [pass, fail, error, skipped] = expected(&record);
            // What could not be judged is shown as failed.
            let wanted = [pass, fail + error, skipped];
            let seen = ["passed", "failed", "skipped"].map(count);
            if seen != wanted || page.contains("<b>CR 3.5 forged</b>") {
                return Err(format!("{flavour:?}: {seen:?} of {wanted:?} are on the page").into());
            }
        }
    }
    Ok(Completion::Completed)
}

/// Allure sees each outcome: what could not be judged is `broken`, and no pass.
pub fn allure() -> Result<Completion, Failed> {
    let Some(folder) = std::env::var_os("SLCERT_ALLURE") else {
        return leave_out(
            "SLCERT_ALLURE does not name a folder with the npm package @allurereport/reader",
        );
    };
    for record in [example::record(), hostile()] {
        for flavour in ALL {
            let (_folder, file) = written(&record, flavour)?;
            let output = Command::new("node")
                .args(["--input-type=module", "--eval", ALLURE, "--"])
                .arg(&folder)
                .arg(&file)
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            let text = String::from_utf8(output.stdout)?;
            let count = |word: &str| {
                let lines = text.lines();
                lines
                    .filter(|line| line.split(' ').next() == Some(word))
                    .count()
            };
            let seen = ["passed", "failed", "broken", "skipped"].map(count);
            if seen != expected(&record) {
                return Err(format!(
                    "{flavour:?}: {seen:?} of {:?} (passed, failed, broken, skipped)\n{text}",
                    expected(&record)
                )
                .into());
            }
        }
    }
    Ok(Completion::Completed)
}
