//! The device as a process of its own: readiness, power cuts, and its end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_serial::{SerialPortBuilderExt, SerialStream};

struct Device {
    child: Child,
    ready: Value,
    took: Duration,
}

impl Device {
    async fn start(store: &Path, options: &[&str]) -> Self {
        let start = Instant::now();
        let mut child = Command::new(program())
            .arg("--store")
            .arg(store)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .await
            .unwrap();
        let took = start.elapsed();
        Self {
            child,
            ready: serde_json::from_str(&line).unwrap(),
            took,
        }
    }

    fn console(&self) -> SerialStream {
        tokio_serial::new(self.ready["console"].as_str().unwrap(), 9600)
            .open_native_async()
            .unwrap()
    }

    async fn read_output(&self) -> u8 {
        let address = self.ready["address"].as_str().unwrap();
        let mut stream = TcpStream::connect((address, 1502)).await.unwrap();
        stream
            .write_all(&[0, 1, 0, 0, 0, 6, 1, 3, 0, 1, 0, 1])
            .await
            .unwrap();
        let mut answer = [0; 11];
        stream.read_exact(&mut answer).await.unwrap();
        answer[10]
    }
}

/// The example beside the tests; `cargo test` builds both.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/device");
    assert!(
        program.exists(),
        "build it with: cargo build -p slcert-sim --example device"
    );
    program
}

/// Sends lines to a console, each when the text before it has come, and returns what came after the last.
async fn dialogue(console: &mut SerialStream, steps: &[(&str, &str)]) {
    let mut read = String::new();
    for (expected, line) in steps {
        let wait = async {
            let mut buffer = [0; 512];
            while !read.contains(expected) {
                let count = console.read(&mut buffer).await.unwrap();
                read.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            read.clear();
            console
                .write_all(format!("{line}\r").as_bytes())
                .await
                .unwrap();
        };
        let come = tokio::time::timeout(Duration::from_secs(3), wait).await;
        assert!(come.is_ok(), "no {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::start(folder.path(), &[]).await;
    assert!(
        device.took < Duration::from_millis(700),
        "first start took {:?}",
        device.took
    );
    let address = device.ready["address"].clone();
    let sheet: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("provisioning.json")).unwrap())
            .unwrap();
    let password = |user: &str| {
        sheet["accounts"][user]["password"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (otto, ada) = (password("otto"), password("ada"));
    let steps = [
        ("login: ", "otto"),
        ("Password: ", otto.as_str()),
        ("> ", "set output 77"),
        ("OK", "logout"),
        ("login: ", "ada"),
        ("Password: ", ada.as_str()),
        ("> ", "user add zoe viewer"),
        ("New password: ", "Zoes-Password1"),
        ("Again: ", "Zoes-Password1"),
        ("OK password changed", ""),
    ];
    dialogue(&mut device.console(), &steps).await;
    device.child.kill().await.unwrap();

    let device = Device::start(folder.path(), &[]).await;
    assert!(
        device.took < Duration::from_millis(300),
        "later start took {:?}",
        device.took
    );
    assert_eq!(device.ready["address"], address);
    assert_eq!(device.read_output().await, 77);
    let again = std::fs::read(folder.path().join("provisioning.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), sheet);
    let steps = [
        ("login: ", "zoe"),
        ("Password: ", "Zoes-Password1"),
        ("zoe@tc-100", "whoami"),
    ];
    dialogue(&mut device.console(), &steps).await;
    let log = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
    assert_eq!(log.matches("type=start").count(), 2);
    assert!(log.contains("type=user_add user=ada"));
    assert!(!log.contains("Zoes-Password1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockout_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::start(folder.path(), &[]).await;
    let sheet = std::fs::read(folder.path().join("provisioning.json")).unwrap();
    let sheet: Value = serde_json::from_slice(&sheet).unwrap();
    let wrong = [("login: ", "otto"), ("Password: ", "Wrong-Password1")].repeat(3);
    let wrong = [wrong, vec![("incorrect", "")]].concat();
    dialogue(&mut device.console(), &wrong).await;
    device.child.kill().await.unwrap();
    let device = Device::start(folder.path(), &[]).await;
    let right = sheet["accounts"]["otto"]["password"].as_str().unwrap();
    let steps = [
        ("login: ", "otto"),
        ("Password: ", right),
        ("Login incorrect", ""),
    ];
    dialogue(&mut device.console(), &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_and_a_signal_end_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::start(folder.path(), &["--stdin-guard"]).await;
    drop(device.child.stdin.take());
    let end = tokio::time::timeout(Duration::from_secs(2), device.child.wait()).await;
    assert!(end.expect("an end").unwrap().success());

    let mut device = Device::start(folder.path(), &[]).await;
    let pid = device.child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .arg(pid)
            .status()
            .await
            .unwrap()
            .success()
    );
    let end = tokio::time::timeout(Duration::from_secs(2), device.child.wait()).await;
    assert!(end.expect("an end").unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path(), &[]).await;
    let link = std::fs::read_link(folder.path().join("console")).unwrap();
    let second = Command::new(program())
        .arg("--store")
        .arg(folder.path())
        .output()
        .await
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("1502"));
    assert_eq!(
        std::fs::read_link(folder.path().join("console")).unwrap(),
        link
    );
    assert_eq!(device.read_output().await, 144);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_line_kills_a_flawed_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::start(folder.path(), &["--flaw", "dies-on-long-line"]).await;
    device
        .console()
        .write_all(&[&[b'A'; 1100][..], b"\r"].concat())
        .await
        .unwrap();
    let end = tokio::time::timeout(Duration::from_secs(2), device.child.wait()).await;
    assert_eq!(end.expect("an end").unwrap().code(), Some(101));
}

#[tokio::test(flavor = "multi_thread")]
async fn flaws_are_listed_and_unknown_ones_refused() {
    let list = Command::new(program())
        .arg("--list-flaws")
        .output()
        .await
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert_eq!(list.lines().count(), slcert_sim::flaws().len());
    assert!(list.contains("no-lockout"));
    let unknown = Command::new(program())
        .args(["--flaw", "nope"])
        .output()
        .await
        .unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stdout.is_empty());
}
