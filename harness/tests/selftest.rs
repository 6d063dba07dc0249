//! A bench tests itself before it judges a device: one that fails judges nothing, and says so.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use common::{record, slcert};
use slcert_reports::Verdict;
use slcert_reports::selftest::When;
use slcert_rigs::rig::SIMULATED;

/// The simulated device's rig file, changed.
fn rig(folder: &Path, change: impl Fn(String) -> String) -> PathBuf {
    let path = folder.join("rig.toml");
    std::fs::write(&path, change(SIMULATED.to_owned())).unwrap();
    path
}

#[test]
fn a_sound_bench_is_on_record_with_the_firmware_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("campaign");
    common::campaign(&out, &["--headless", "CR-7.8"]).unwrap();
    let record = record(&out);
    let when: Vec<_> = record.selftest.iter().map(|test| test.when).collect();
    assert_eq!(when, [When::Before, When::After]);
    assert!(record.selftest.iter().all(|test| test.fault().is_none()));
    let first = &record.selftest[0];
    for (name, observed) in [
        ("the line `rtu`", "the device answers"),
        ("the line `console`", "asks for a login"),
        ("a device that anybody may write on", "FAIL: "),
        ("a device that is what its label says", "PASS: "),
    ] {
        let check = first.checks.iter().find(|check| check.name == name);
        let check = check.unwrap_or_else(|| panic!("{name}: {:#?}", first.checks));
        assert!(check.observed.contains(observed), "{check:?}");
    }
    for test in &record.selftest {
        let firmware = test.firmware.as_ref().unwrap();
        assert!(firmware.as_stated && firmware.told.contains("1.4.2"));
    }
    assert!(record.firmware_notes().is_empty());
    let page = std::fs::read_to_string(out.join("data/report.html")).unwrap();
    assert!(page.contains("The bench&#39;s self-test") || page.contains("The bench's self-test"));
    let verified = slcert(&["verify", &out.display().to_string()]);
    assert!(verified.status.success(), "{}", common::said(&verified));
}

#[test]
fn a_bench_with_a_dead_line_judges_nothing_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let rig = rig(folder.path(), |text| {
        format!(
            "{text}\n[interface.spare]\nkind = \"modbus-tcp\"\naddress = \"127.0.0.1:{port}\"\nusers = [\"process\"]\n"
        )
    });
    let rig = rig.display().to_string();
    let alone = slcert(&["selftest", "--rig", &rig]);
    assert_eq!(alone.status.code(), Some(6), "{}", common::said(&alone));
    let out = folder.path().join("campaign");
    let (output, _) =
        common::campaign(&out, &["--headless", "--rig", &rig, "CR-1.12/banner"]).unwrap();
    let said = common::said(&output);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("Nothing was judged"), "{said}");
    let faulty = record(&out);
    assert!(!faulty.trials.is_empty());
    for trial in &faulty.trials {
        assert_eq!(trial.verdict, Verdict::Inconclusive);
        assert!(
            trial.reason.contains("the line `spare`"),
            "{}",
            trial.reason
        );
    }
    let page = std::fs::read_to_string(out.join("data/report.html")).unwrap();
    assert!(page.contains("Bench fault"));
    // The line is mended, and the campaign goes on: what judged nothing is judged.
    let _mended = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let resumed = slcert(&[
        "run",
        "--headless",
        "--resume",
        &out.display().to_string(),
        "CR-1.12/banner",
    ]);
    let said = common::said(&resumed);
    assert_ne!(resumed.status.code(), Some(6), "{said}");
    let mended = record(&out);
    assert_eq!(mended.bench_fault(), None);
    let judged = mended.trials.iter();
    assert!(
        judged
            .clone()
            .all(|trial| trial.verdict != Verdict::Inconclusive),
        "{said}"
    );
    let before = mended
        .selftest
        .iter()
        .filter(|test| test.when == When::Before);
    assert_eq!(before.count(), 2);
}

#[test]
fn another_firmware_than_the_one_stated_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path(), |text| {
        text.replacen("firmware = \"1.4.2\"", "firmware = \"1.4.3\"", 1)
    });
    let out = folder.path().join("campaign");
    let rig = rig.display().to_string();
    let (output, record) =
        common::campaign(&out, &["--headless", "--rig", &rig, "CR-1.12"]).unwrap();
    let said = common::said(&output);
    assert!(
        said.contains("told another firmware than the 1.4.3"),
        "{said}"
    );
    assert_eq!(record.unwrap().firmware_notes().len(), 1);
    for view in ["report.html", "summary.md"] {
        let text = std::fs::read_to_string(out.join("data").join(view)).unwrap();
        assert!(text.contains("told another firmware"), "{view}");
    }
}

#[test]
fn the_bench_can_be_tested_alone() {
    let output = slcert(&["selftest"]);
    let said = common::said(&output);
    assert!(
        output.status.success() && said.contains("the line `plc`: opens"),
        "{said}"
    );
}
