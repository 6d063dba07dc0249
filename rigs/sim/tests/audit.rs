//! The audit log, the clock and the alerts, as they are seen from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use common::Bench;
use common::mqtt::gateway;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_export_has_the_fields_of_the_listing() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("erik").await;
    console.answer("set output 7").await;
    assert_eq!(console.answer("audit clear").await, "error: not permitted");
    let listing = console.ask("show audit 50").await;
    let export = console.ask("show audit json 50").await;
    assert_eq!(listing.len(), export.len());
    for (line, object) in listing
        .iter()
        .zip(&export)
        .filter(|(line, _)| *line != "OK")
    {
        let object: Value = serde_json::from_str(object).unwrap();
        for field in ["id", "source", "category", "type", "user", "result"] {
            let pair = format!("{field}={}", object[field].as_str().unwrap());
            assert!(line.contains(&pair), "{pair} is not in {line}");
        }
        assert!(line.starts_with(object["time"].as_str().unwrap()));
    }
    assert!(export.iter().any(|object| object.contains("failure")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_the_log_gets_no_export() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("otto").await;
    for command in ["show audit json", "show audit json 5", "show audit 5"] {
        assert_eq!(console.ask(command).await, ["error: not permitted"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_of_a_lockout_names_the_user() {
    let bench = Bench::sound().await;
    let mut ear = gateway(&bench, "gw-telemetry").await;
    ear.subscribe("plant/alert").await;
    let mut console = bench.console().await;
    for _ in 0..3 {
        assert!(!console.try_login("vera", "Wrong-Password1").await);
    }
    let alert: Value = serde_json::from_str(&ear.message("plant/alert").await).unwrap();
    assert_eq!(
        (&alert["type"], &alert["user"]),
        (&"lockout".into(), &"vera".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_set_by_who_may_and_by_nobody_else() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("erik").await;
    for command in ["time set 2030-01-01T00:00:00Z", "time source 127.0.0.1:123"] {
        assert_eq!(console.answer(command).await, "error: not permitted");
    }
    console.send("logout").await;
    console.expect("login: ").await;
    console.login("ada", &bench.password("ada")).await;
    for command in ["time set tomorrow", "time source time.example:123"] {
        assert!(
            console
                .answer(command)
                .await
                .starts_with("error: bad value"),
            "{command}"
        );
    }
    assert_eq!(console.answer("time set 2030-01-01T00:00:00Z").await, "OK");
    assert!(
        console
            .answer("time show")
            .await
            .starts_with("OK 2030-01-01T00:00:0")
    );
    let log = console.ask("show audit 3").await.join("\n");
    assert!(log.contains("2030-01-01T00:00:0"), "{log}");
    assert!(log.contains("type=time_set user=ada"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_kept_to_its_capacity() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(console.answer("config set audit_capacity 40").await, "OK");
    for at in 0..45 {
        console
            .answer(&format!("config set lockout {}", 2 + at % 2))
            .await;
    }
    let log = console.ask("show audit 100").await;
    assert_eq!(log.len(), 41);
    assert!(log[39].contains("type=config"));
    assert!(
        console
            .answer("config set audit_capacity 10")
            .await
            .starts_with("error: bad value (audit_capacity is 40..10000)")
    );
}
