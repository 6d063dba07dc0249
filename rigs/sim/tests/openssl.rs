//! The device's certificates with the tools that everybody has: what it asks for is read and issued by the `openssl` command, and what it
//! shows then is verified by it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::Bench;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let trials = vec![Trial::ignorable_test(
        "openssl issues what the device asks for, and verifies what it shows",
        enrolled_by_openssl,
    )];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn enrolled_by_openssl() -> Result<Completion, Failed> {
    if Command::new("openssl").arg("version").output().is_err() {
        let reason = "openssl is not installed: apt-get install openssl";
        return match std::env::var_os("SLCERT_REQUIRE") {
            Some(_) => Err(Failed::from(format!(
                "left out, though everything has to be here: {reason}"
            ))),
            None => Ok(Completion::ignored_with(reason)),
        };
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(enrol())?;
    Ok(Completion::Completed)
}

async fn enrol() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -subj /CN=Plant -days 30",
    )?;
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    let ca = BASE64.encode(std::fs::read(folder.join("ca.pem"))?);
    let trust = format!("trust authority plant {ca}");
    assert_eq!(console.answer(&trust).await, "OK");

    let mut request = console.ask("certificate request").await;
    request.pop();
    std::fs::write(folder.join("device.csr"), request.join("\n") + "\n")?;
    let read = openssl(folder, "req -in device.csr -verify -noout -text")?;
    for expected in [
        "prime256v1",
        "CN = tc-100-",
        "IP Address:127.",
        "TLS Web Server",
    ] {
        if !read.contains(expected) {
            return Err(Failed::from(format!("no {expected:?} in\n{read}")));
        }
    }
    openssl(
        folder,
        "x509 -req -in device.csr -CA ca.pem -CAkey ca.key -copy_extensions copy -days 30 -out device.pem",
    )?;
    let chain = BASE64.encode(std::fs::read(folder.join("device.pem"))?);
    let install = format!("certificate install {chain}");
    assert_eq!(console.answer(&install).await, "OK");

    let ready = bench.device.ready();
    for port in [ready.modbus_tls, ready.mqtt_tls] {
        let address = ready.address;
        let arguments = format!(
            "s_client -connect {address}:{port} -CAfile ca.pem -verify_ip {address} -verify_return_error"
        );
        let folder = folder.to_owned();
        // Who has no certificate of a client's is sent away, once the device has shown its own.
        let (_, shown) = tokio::task::spawn_blocking(move || run(&folder, &arguments)).await??;
        if !shown.contains("Verify return code: 0 (ok)") {
            return Err(Failed::from(format!("port {port}:\n{shown}")));
        }
    }
    Ok(())
}

/// What openssl says, which has to end well.
fn openssl(folder: &Path, arguments: &str) -> Result<String, Failed> {
    match run(folder, arguments)? {
        (true, said) => Ok(said),
        (false, said) => Err(Failed::from(format!("openssl {arguments}:\n{said}"))),
    }
}

/// Whether openssl ends well, and what it says.
fn run(folder: &Path, arguments: &str) -> Result<(bool, String), Failed> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    Ok((status.success(), said))
}
