//! Flaws of the keys that peers share with the device.

use ring::hmac;

use super::common::Bench;
use super::common::mqtt::{V5, gateway};

/// A sealed command as the pump sends it; `cut` says how many characters of the seal are sent.
fn command(key: &str, n: u64, value: u16, cut: usize) -> String {
    let bytes: Vec<u8> = (0..key.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let seal = hmac::sign(&key, format!("pump x {n} {value}").as_bytes());
    let seal: String = seal.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    let seal = &seal[..cut];
    format!(r#"{{"id":"x","peer":"pump","n":{n},"set_output":{value},"seal":"{seal}"}}"#)
}

fn key(bench: &Bench, peer: &str) -> String {
    bench.sheet["keys"][peer].as_str().unwrap().to_owned()
}

async fn sends(bench: &Bench) -> V5 {
    let mut client = gateway(bench, "gw-control").await;
    client.subscribe("plant/ack").await;
    client
}

/// Whether a command is done.
async fn is_done(client: &mut V5, command: &str) -> bool {
    client.publish("plant/sealed", command).await;
    client.message("plant/ack").await.contains("\"ok\":true")
}

const WHOLE: usize = 64;

pub async fn unsealed_taken(bench: &Bench) -> bool {
    let (mut client, key) = (sends(bench).await, key(bench, "pump"));
    assert!(is_done(&mut client, &command(&key, 1, 5, WHOLE)).await);
    is_done(&mut client, &command(&key, 2, 6, 0)).await
}

pub async fn seal_cut_short(bench: &Bench) -> bool {
    let (mut client, key) = (sends(bench).await, key(bench, "pump"));
    assert!(!is_done(&mut client, &command(&key, 1, 5, 0)).await);
    is_done(&mut client, &command(&key, 2, 6, 8)).await
}

pub async fn seal_replayed(bench: &Bench) -> bool {
    let mut client = sends(bench).await;
    let command = command(&key(bench, "pump"), 1, 5, WHOLE);
    assert!(is_done(&mut client, &command).await);
    is_done(&mut client, &command).await
}

pub async fn seal_replayed_after_restart(bench: &Bench) -> bool {
    // At the same address, which its certificate names.
    let folder = tempfile::tempdir().unwrap();
    let before = bench.alike(folder.path()).await;
    let command = command(&key(&before, "pump"), 1, 5, WHOLE);
    let mut client = sends(&before).await;
    assert!(is_done(&mut client, &command).await);
    assert!(!is_done(&mut client, &command).await);
    drop(client);
    before.device.stop().await;
    let again = bench.alike(folder.path()).await;
    is_done(&mut sends(&again).await, &command).await
}

pub async fn any_peers_key(bench: &Bench) -> bool {
    let mut client = sends(bench).await;
    is_done(&mut client, &command(&key(bench, "valve"), 1, 5, WHOLE)).await
}

pub async fn one_key_for_all(bench: &Bench) -> bool {
    key(bench, "pump") == key(bench, "valve")
}

pub async fn old_key_works(bench: &Bench) -> bool {
    let new = "5a".repeat(32);
    let mut console = bench.logged_in("ada").await;
    console.send("peer key pump").await;
    console.expect("New key: ").await;
    console.send(&new).await;
    console.expect("Again: ").await;
    console.send(&new).await;
    console.expect("OK").await;
    let mut client = sends(bench).await;
    assert!(is_done(&mut client, &command(&new, 1, 5, WHOLE)).await);
    is_done(&mut client, &command(&key(bench, "pump"), 2, 6, WHOLE)).await
}

pub async fn key_shown(bench: &Bench) -> bool {
    let shown = bench.logged_in("ada").await.ask("show peers").await;
    shown.iter().any(|line| line.contains(&key(bench, "pump")))
}
