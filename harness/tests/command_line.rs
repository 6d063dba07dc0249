//! The command line as people meet it: exit codes, and what is said when something is wrong.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::path::Path;
use std::process::Command;

use common::slcert;

/// Runs slcert, which has to end with `code` and say all of `words`.
fn says(arguments: &[&str], code: i32, words: &[&str]) {
    let output = slcert(arguments);
    let said = common::said(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{said}");
    for word in words {
        assert!(
            said.contains(word),
            "{arguments:?} without {word:?}:\n{said}"
        );
    }
}

#[test]
fn a_misspelt_name_gets_a_suggestion_and_exit_code_2() {
    says(
        &["run", "--profile", "embeded-device-sl2"],
        2,
        &[
            "there is no profile `embeded-device-sl2`",
            "`embedded-device-sl2`",
        ],
    );
    says(&["run", "--flaw", "no-lokout"], 2, &["`no-lockout`"]);
    says(&["explain", "CR-1.99"], 2, &["no catalogue has CR 1.99"]);
    says(&["explain", "hello"], 2, &["is no requirement's id"]);
    says(&["run", "--rig", "nowhere.toml"], 2, &["nowhere.toml"]);
}

#[test]
fn every_fault_of_a_file_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rig.toml");
    let text =
        "[dut]\nproduct = \"X\"\nvendor = \"Y\"\nfirmwear = \"1\"\ncomponent = \"toaster\"\n";
    std::fs::write(&path, text).unwrap();
    says(
        &["check", &path.display().to_string()],
        2,
        &[
            "rig.toml:4",
            "firmwear",
            "firmware",
            "rig.toml:5",
            "toaster",
        ],
    );
}

#[test]
fn a_profile_for_another_type_of_component_is_refused() {
    // The simulated device becomes whatever the profile asks for; no other does.
    let folder = tempfile::tempdir().unwrap();
    let rig = folder.path().join("rig.toml");
    let text = "[dut]\nproduct = \"X\"\nvendor = \"Y\"\nfirmware = \"1\"\ncomponent = \"embedded-device\"\n\
                [interface.field]\nkind = \"modbus-tcp\"\naddress = \"127.0.0.1:9\"\nusers = [\"process\"]\n";
    std::fs::write(&rig, text).unwrap();
    let rig = rig.display().to_string();
    says(
        &["run", "--profile", "network-device-sl1", "--rig", &rig],
        2,
        &["network-device", "embedded-device", "--profile"],
    );
}

#[test]
fn a_filter_that_nothing_fits_is_exit_code_4() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("campaign").display().to_string();
    says(&["run", "--out", &out, "no-such-trial"], 4, &[]);
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let out = folder.path().display().to_string();
    says(&["run", "--out", &out], 2, &["is not empty", "--out"]);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("notes.txt")).unwrap(),
        "mine"
    );
}

#[test]
fn a_device_that_does_not_start_is_exit_code_6() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rig.toml");
    let text = "[dut]\nproduct = \"X\"\nvendor = \"Y\"\nfirmware = \"1\"\ncomponent = \"embedded-device\"\n\
                [start]\ncommand = [\"/nonexistent/device\"]\n\
                [interface.field]\nkind = \"modbus-tcp\"\naddress = \"127.0.0.1:9\"\nusers = [\"process\"]\n";
    std::fs::write(&path, text).unwrap();
    let out = folder.path().join("campaign").display().to_string();
    says(
        &["run", "--rig", &path.display().to_string(), "--out", &out],
        6,
        &["/nonexistent/device"],
    );
    assert!(!Path::new(&out).exists(), "nothing was recorded");
}

#[test]
fn what_there_is_can_be_listed_and_explained() {
    says(&["list"], 0, &["CR-1.11/lockout@console"]);
    says(&["list", "--profiles"], 0, &["network-device-sl4"]);
    says(
        &["explain", "CR-1.11"],
        0,
        &["CR 1.11", "lockout", "criterion"],
    );
    says(&["sim", "--list-flaws"], 0, &["no-lockout"]);
    says(
        &["check", "--live"],
        0,
        &[
            "write_output on console",
            "store_image on the bench: not tried: would run `cp {file} {work}/firmware/a.img`",
        ],
    );
}

#[test]
fn a_demonstrated_part_alone_demonstrates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("campaign").display().to_string();
    says(&["run", "--out", &out, "CR-7.8"], 5, &["Not demonstrated"]);
    let out = folder.path().join("allowed").display().to_string();
    says(&["run", "--out", &out, "--allow-review", "CR-7.8"], 0, &[]);
}

#[test]
fn a_specimen_is_compared_unless_it_is_the_device_itself() {
    let folder = tempfile::tempdir().unwrap();
    let started = "[specimen.start]\ncommand = [\"{slcert}\", \"sim\", \"--store\", \"{work}\", \"--stdin-guard\"]\nready = \"10s\"\n";
    assert!(slcert_rigs::rig::SIMULATED.contains(started));
    let judged = |name: &str, specimen: &str, code: i32, words: &str| {
        let text = slcert_rigs::rig::SIMULATED.replace(started, specimen);
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (rig, out) = (path.display().to_string(), path.with_extension("out"));
        let out = out.display().to_string();
        let arguments = [
            "run",
            "--rig",
            &rig,
            "--out",
            &out,
            "--profile",
            "embedded-device-sl4",
            "distinct-devices",
        ];
        says(&arguments, code, &[words]);
    };
    judged("none.toml", "", 4, "add `specimen`");
    let itself = "[specimen.interfaces]\nplc = \"{start.address}:{start.modbus_tls}\"\n";
    judged(
        "itself.toml",
        itself,
        3,
        "the specimen is the device itself: `plc`",
    );
    let text = slcert_rigs::rig::SIMULATED.replace(started, &format!("{itself}{started}"));
    let path = folder.path().join("both.toml");
    std::fs::write(&path, text).unwrap();
    says(
        &["check", &path.display().to_string()],
        2,
        &["write one of `start` and `interfaces`"],
    );
}

#[test]
fn a_specimen_at_other_addresses_is_compared() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut other = Command::new(env!("CARGO_BIN_EXE_slcert"))
        .args(["sim", "--stdin-guard"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = other.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = ready["address"].as_str().unwrap();
    let text = slcert_rigs::rig::SIMULATED;
    let (from, to) = (
        text.find("[specimen.start]").unwrap(),
        text.find("# --- Interfaces").unwrap(),
    );
    let specimen = format!(
        "[specimen.interfaces]\nplc = \"{address}:1802\"\ngateway = \"{address}:8883\"\n\n"
    );
    let path = folder.path().join("rig.toml");
    std::fs::write(&path, [&text[..from], &specimen, &text[to..]].concat()).unwrap();
    let arguments = [
        "--rig",
        &path.display().to_string(),
        "--profile",
        "embedded-device-sl4",
        "distinct-devices",
    ];
    let (output, record) = common::campaign(&folder.path().join("out"), &arguments).unwrap();
    drop(other.stdin.take());
    other.wait().unwrap();
    let record = record.unwrap_or_else(|| panic!("{}", common::said(&output)));
    assert_eq!(
        record.trials[0].verdict,
        slcert_reports::Verdict::Pass,
        "{}",
        record.trials[0].reason
    );
    let names: Vec<_> = record.trials[0]
        .checks
        .iter()
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(names, ["the key on `gateway`", "the key on `plc`"]);
}

#[test]
fn a_specimen_at_another_address_may_be_the_device_itself() {
    // A way to the device by another address, as a router with port forwarding has it.
    let forwarder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = forwarder.local_addr().unwrap().port();
    let device = format!("127.91.{}.{}", port >> 8, (port & 0xFF).clamp(1, 254));
    let to = format!("{device}:1802");
    std::thread::spawn(move || {
        for near in forwarder.incoming().map_while(Result::ok) {
            let Ok(far) = std::net::TcpStream::connect(&to) else {
                continue;
            };
            for (mut from, mut to) in [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far, near),
            ] {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let text = slcert_rigs::rig::SIMULATED;
    let (from, to) = (
        text.find("[specimen.start]").unwrap(),
        text.find("# --- Interfaces").unwrap(),
    );
    let specimen = format!("[specimen.interfaces]\nplc = \"127.0.0.1:{port}\"\n\n");
    let text = [&text[..from], &specimen, &text[to..]].concat();
    let text = text.replacen(
        "\"--stdin-guard\",",
        &format!("\"--stdin-guard\", \"--address\", \"{device}\","),
        1,
    );
    let path = folder.path().join("rig.toml");
    std::fs::write(&path, text).unwrap();
    let rig = path.display().to_string();
    let out = folder.path().join("out").display().to_string();
    let profile = "embedded-device-sl4";
    says(
        &[
            "run",
            "--rig",
            &rig,
            "--out",
            &out,
            "--profile",
            profile,
            "distinct-devices",
        ],
        3,
        &["the specimen is the device itself: it reads "],
    );
}
