//! Firmware, configurations and the output's master: what is taken, what is refused, and what outlives a restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::time::Duration;

use common::Bench;
use common::mqtt::gateway;
use tokio::time::sleep;

const BAD: &str = "error: bad image";

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_installed_by_who_may_and_can_be_rolled_back() {
    let bench = Bench::sound().await;
    let install = format!("update install {}", bench.vendor("next.img"));
    let mut console = bench.logged_in("erik").await;
    assert_eq!(console.answer(&install).await, "error: not permitted");
    console.send("logout").await;
    console.expect("login: ").await;
    console.login("ada", &bench.password("ada")).await;
    assert_eq!(console.answer(&install).await, "OK");
    assert!(
        console
            .answer("show version")
            .await
            .contains("firmware=1.5.0")
    );
    let again = console.answer(&install).await;
    assert!(again.starts_with(BAD), "the same version is no update");
    assert!(
        console
            .answer("update rollback 1.3.0")
            .await
            .starts_with(BAD)
    );
    assert_eq!(console.answer("update rollback 1.4.2").await, "OK");
    assert!(
        console
            .answer("show version")
            .await
            .contains("firmware=1.4.2")
    );
    let mut identity = gateway(&bench, "gw-control").await;
    identity.subscribe("plant/identity").await;
    let told = identity.message("plant/identity").await;
    assert!(told.contains(r#""firmware":"1.4.2""#), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_does_not_stop_the_loop() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    let mut modbus = bench.tcp().await;
    let before = modbus.ask(&[4, 0, 1, 0, 1]).await.unwrap();
    let install = format!("update install {}", bench.vendor("next.img"));
    assert_eq!(console.answer(&install).await, "OK");
    sleep(Duration::from_millis(250)).await;
    assert_ne!(modbus.ask(&[4, 0, 1, 0, 1]).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_are_wrong_are_refused_and_recorded() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    for (name, why) in [
        ("old.img", "version"),
        ("foreign.img", "signer"),
        ("other-product.img", "product"),
        ("site.cfg", "not an image"),
    ] {
        let said = console
            .answer(&format!("update install {}", bench.vendor(name)))
            .await;
        assert_eq!(said, format!("{BAD} ({why})"), "{name}");
    }
    assert_eq!(
        console.answer("update install =x=").await,
        "error: bad value"
    );
    let log = console.ask("show audit").await.join("\n");
    assert_eq!(log.matches("type=integrity user=ada").count(), 4, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_sound_image_does_not_start() {
    let bench = Bench::sound().await;
    for slot in ["firmware/a.img", "firmware/b.img"] {
        std::fs::write(bench.store().join(slot), b"nothing").unwrap();
    }
    let store = tempfile::tempdir().unwrap();
    common::copy_files(bench.store(), store.path());
    std::fs::remove_file(store.path().join("address.json")).unwrap();
    let config = slcert_sim::Config {
        store: Some(store.path().to_owned()),
        ..Default::default()
    };
    let error = slcert_sim::Device::start(config).await.unwrap_err();
    assert!(error.to_string().contains("no sound firmware"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_the_engineering_station_is_taken() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    let import = |name: &str| format!("config import {}", bench.vendor(name));
    assert_eq!(
        console.answer(&import("foreign.cfg")).await,
        "error: bad value"
    );
    assert_eq!(console.answer("show limit").await, "OK 900");
    assert_eq!(console.answer(&import("site.cfg")).await, "OK");
    assert_eq!(console.answer("show limit").await, "OK 850");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_the_settings_is_json() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(
        console.answer("config set output_on_loss 1001").await,
        "error: bad value (output_on_loss is hold or 0..1000)"
    );
    let report = console.ask("show settings json").await.remove(0);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["failed_logins"], "3");
    assert_eq!(report["output_on_loss"], "hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_follows_the_loss_of_its_master_alone() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(console.answer("config set output_on_loss 33").await, "OK");
    console.send("logout").await;
    console.expect("login: ").await;
    let mut witness = bench.tcp().await;
    let mut master = gateway(&bench, "gw-control").await;
    let other = gateway(&bench, "gw-telemetry").await;
    master
        .publish("plant/cmd", r#"{"id":"x","set_output":7}"#)
        .await;
    drop(other);
    sleep(Duration::from_millis(400)).await;
    assert_eq!(witness.ask(&[3, 0, 1, 0, 1]).await.unwrap(), [3, 2, 0, 7]);
    drop(master);
    sleep(Duration::from_millis(400)).await;
    assert_eq!(witness.ask(&[3, 0, 1, 0, 1]).await.unwrap(), [3, 2, 0, 33]);
    // Who writes at the console is nobody whose loss the device could tell.
    console.login("otto", &bench.password("otto")).await;
    assert_eq!(console.answer("set output 9").await, "OK");
    console.send("logout").await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(witness.ask(&[3, 0, 1, 0, 1]).await.unwrap(), [3, 2, 0, 9]);
}
