//! A copy for others: nothing of what was cut is in any byte of it, it says what was cut, and it is whole by itself.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use common::{files, slcert};
use sha2::{Digest, Sha256};
use slcert_reports::record::Record;
use slcert_reports::redact::RedactionRecord;
use slcert_reports::{bag, sha256};
use slcert_rigs::rig::SIMULATED;

const SERIAL: &str = "TC-SN-0042";
const OPERATOR: &str = "Ada Tester";
const ADDRESS: &str = "127.9.8.7";
const VENDOR: &str = "Example Controls";

/// A campaign with a serial number, an operator and an address in it, run once for all tests of this file.
fn original() -> &'static Path {
    static CAMPAIGN: OnceLock<PathBuf> = OnceLock::new();
    CAMPAIGN.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("redact");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (rig, lab) = (folder.join("rig.toml"), folder.join("lab.toml"));
        let firmware = "firmware = \"1.4.2\"\n";
        let serial = format!("{firmware}serial = \"{SERIAL}\"\n");
        std::fs::write(&rig, SIMULATED.replacen(firmware, &serial, 1)).unwrap();
        let text = format!("operator = \"{OPERATOR}\"\nsite = \"bench {ADDRESS}\"\n");
        std::fs::write(&lab, text).unwrap();
        let out = folder.join("campaign");
        let (rig, lab) = (rig.display().to_string(), lab.display().to_string());
        let arguments = ["--headless", "--rig", &rig, "--lab", &lab, "CR-7.8"];
        let (output, record) = common::campaign(&out, &arguments).unwrap();
        assert!(record.is_some(), "{}", common::said(&output));
        out
    })
}

/// Redacts a campaign into a new folder, which has to end with a code.
fn redact(campaign: &Path, out: &Path, arguments: &[&str], code: i32) -> String {
    let (campaign, out) = (campaign.display().to_string(), out.display().to_string());
    let output = slcert(&[&["redact", &campaign, "--out", &out][..], arguments].concat());
    let said = common::said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// A copy of the original that a test may change.
fn changeable(folder: &Path) -> PathBuf {
    let copy = folder.join("changeable");
    common::copy(original(), &copy);
    copy
}

/// The files in whose name or bytes a text stands, however its letters are written.
fn with<'a>(files: &'a BTreeMap<String, Vec<u8>>, text: &str) -> Vec<&'a str> {
    let text = text.to_ascii_lowercase();
    let holds = |bytes: &[u8]| {
        let lower = bytes.to_ascii_lowercase();
        lower
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    let found = files
        .iter()
        .filter(|(name, bytes)| holds(name.as_bytes()) || holds(bytes));
    found.map(|(name, _)| name.as_str()).collect()
}

fn redaction(copy: &Path) -> RedactionRecord {
    let record = Record::read(&copy.join("data/result.json")).unwrap();
    record.redaction.unwrap()
}

fn verifies(campaign: &Path, code: i32) -> String {
    let output = slcert(&["verify", &campaign.display().to_string()]);
    let said = common::said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn nothing_of_what_was_cut_is_left_in_any_byte() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let before = files(original());
    let what = "addresses,serials,people";
    redact(original(), &copy, &["--what", what, "--text", VENDOR], 0);
    assert!(before == files(original()), "the original is as it was");
    let after = files(&copy);
    for text in [SERIAL, OPERATOR, ADDRESS, VENDOR, "127."] {
        assert!(with(&before, text).len() > 1, "{text} is in the original");
        assert_eq!(with(&after, text), [""; 0], "{text}");
    }
    let transcripts = with(&before, VENDOR);
    assert!(
        transcripts.iter().any(|name| name.contains("evidence/")),
        "{transcripts:?}"
    );
    let said = verifies(&copy, 0);
    assert!(said.contains("a redacted copy of the campaign"), "{said}");
    for (name, view) in [
        ("report.html", "What was cut"),
        ("summary.md", "a redacted copy"),
    ] {
        let text = String::from_utf8_lossy(&after[&format!("data/{name}")]);
        assert!(text.contains(view), "{name}");
    }
}

#[test]
fn what_was_cut_is_listed_so_that_the_original_explains_it() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    redact(
        original(),
        &copy,
        &["--what", "serials", "--text", VENDOR],
        0,
    );
    let before = files(original());
    let cut = redaction(&copy);
    assert_eq!(cut.what, ["keys", "serials", "texts"]);
    // By the words of the schema, without a function of ours.
    let key = std::fs::read_to_string(folder.path().join("copy.key")).unwrap();
    let key: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&key[2 * at..][..2], 16).unwrap())
        .collect();
    let hash = |value: &str| {
        sha256::hex(
            &Sha256::new()
                .chain_update(&key)
                .chain_update(value)
                .finalize(),
        )
    };
    for value in [SERIAL, VENDOR] {
        assert!(
            cut.values.iter().any(|one| one.sha256 == hash(value)),
            "{value}"
        );
    }
    assert!(!cut.files.is_empty());
    for file in &cut.files {
        let name = format!("data/{}", file.path);
        let own = sha256::of_bytes(&before[&name]);
        assert_eq!(file.sha256, hash(&own), "{name}");
    }
    let sealed = sha256::of_bytes(&before["tagmanifest-sha256.txt"]);
    assert_eq!(cut.original, hash(&sealed));
    // Nothing of it is in the copy, and no copy has the key of another.
    let written = std::fs::read_to_string(folder.path().join("copy.key")).unwrap();
    let holds = |bytes: &[u8]| {
        bytes
            .windows(64)
            .any(|part| part == written.trim().as_bytes())
    };
    assert!(!files(&copy).values().any(|bytes| holds(bytes)));
    let another = folder.path().join("another");
    redact(original(), &another, &["--what", "serials"], 0);
    let other = std::fs::read_to_string(folder.path().join("another.key")).unwrap();
    assert_ne!(written, other);
}

#[test]
fn a_flipped_byte_of_a_copy_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    redact(original(), &copy, &["--what", "serials"], 0);
    for name in files(&copy).into_keys() {
        let path = copy.join(&name);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        verifies(&copy, 7);
        std::fs::write(&path, whole).unwrap();
    }
    verifies(&copy, 0);
}

#[test]
fn keys_are_in_no_copy_and_evidence_in_none_without() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = changeable(folder.path());
    let record = Record::read(&campaign.join("data/result.json")).unwrap();
    std::fs::create_dir(campaign.join("data/keys")).unwrap();
    let keys = [
        ("keys/one.pcapng", "any"),
        ("evidence/two.txt", "CLIENT_RANDOM 00 11"),
    ];
    for (name, text) in keys {
        std::fs::write(campaign.join("data").join(name), text).unwrap();
    }
    bag::seal(&campaign, &record).unwrap();
    let copy = folder.path().join("copy");
    redact(&campaign, &copy, &[], 0);
    let left_out: Vec<_> = redaction(&copy).files;
    let names: Vec<_> = left_out.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["evidence/two.txt", "keys/one.pcapng"]);
    assert!(left_out.iter().all(|file| file.left_out));
    verifies(&copy, 0);
    let bare = folder.path().join("bare");
    redact(&campaign, &bare, &["--what", "evidence"], 0);
    assert!(files(&bare).keys().all(|name| !name.contains("evidence/")));
    let record = Record::read(&bare.join("data/result.json")).unwrap();
    assert!(
        !record.trials.is_empty() && record.trials.iter().all(|trial| trial.evidence.is_empty())
    );
    verifies(&bare, 0);
}

#[test]
fn what_cannot_be_redacted_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    assert!(redact(original(), &copy, &["--text", "abc"], 2).contains("too short"));
    // What stands in the words of the record itself cannot be cut from it.
    redact(original(), &copy, &["--text", "PASS"], 2);
    assert!(!copy.exists() && std::fs::read_dir(folder.path()).unwrap().next().is_none());
    redact(original(), &copy, &[], 0);
    assert!(redact(original(), &copy, &[], 2).contains("is not empty"));
    let again = folder.path().join("again");
    assert!(redact(&copy, &again, &[], 2).contains("redacted copy itself"));
    let campaign = changeable(folder.path());
    std::fs::write(campaign.join("data/evidence/mine.txt"), "mine").unwrap();
    redact(&campaign, &again, &[], 7);
    assert!(!again.exists());
}
