//! Flaws of the second factor.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::hmac;

use super::common::mqtt::V5;
use super::common::{Bench, Console};
use super::shows::administered;

const USER: &str = "olga";
/// How long a code stands, in milliseconds.
const PERIOD: u128 = 1000;

/// A console at its login, of a device that demands both factors.
async fn demanded(bench: &Bench) -> Console {
    administered(bench, &["user factor olga on"]).await
}

fn step() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_millis() / PERIOD) as u64
}

/// Waits until a step has just begun.
async fn next_step() -> u64 {
    let before = step();
    while step() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    step()
}

fn code(bench: &Bench, step: u64) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let secret = bench.sheet["accounts"][USER]["otp"].as_str().unwrap();
    let bits: String = secret
        .chars()
        .map(|letter| format!("{:05b}", LETTERS.find(letter).unwrap()))
        .collect();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Whether the console lets the user in.
async fn lets_in(console: &mut Console, password: &str, code: &str) -> bool {
    console.send(USER).await;
    console.expect("Password: ").await;
    console.send(password).await;
    console.expect("\r\n").await;
    // All prompts that may follow end in a blank.
    loop {
        let part = console.expect(" ").await;
        if part.ends_with("Code: ") {
            console.send(code).await;
        } else if part.ends_with("> ") {
            console.log_out().await;
            return true;
        } else if part.ends_with("login: ") {
            return false;
        }
    }
}

pub async fn second_factor_ignored(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    lets_in(&mut console, &bench.password(USER), "").await
}

pub async fn second_factor_not_by_mqtt(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    let password = bench.password(USER);
    assert!(!lets_in(&mut console, &password, "").await);
    let both = format!("{password}{}", code(bench, step()));
    let with = V5::connect(bench, "phone", Some((USER, &both)))
        .await
        .is_ok();
    let without = V5::connect(bench, "phone", Some((USER, &password)))
        .await
        .is_ok();
    assert!(with != without);
    without
}

pub async fn second_factor_forgotten(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    let password = bench.password(USER);
    assert!(!lets_in(&mut console, &password, "").await);
    let again = bench.again().await;
    let mut console = again.console().await;
    lets_in(&mut console, &password, "").await
}

pub async fn otp_unchecked(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    let password = bench.password(USER);
    assert!(!lets_in(&mut console, &password, "").await);
    let right: Vec<_> = (step() - 5..step() + 5).map(|it| code(bench, it)).collect();
    let wrong = ["000000", "000001"].into_iter();
    let mut wrong = wrong.filter(|code| !right.contains(&(*code).to_owned()));
    lets_in(&mut console, &password, wrong.next().unwrap()).await
}

pub async fn otp_used_again(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    let password = bench.password(USER);
    let code = code(bench, next_step().await);
    assert!(lets_in(&mut console, &password, &code).await);
    lets_in(&mut console, &password, &code).await
}

pub async fn otp_last_alone(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    let password = bench.password(USER);
    loop {
        let begun = next_step().await;
        let first = code(bench, begun);
        assert!(lets_in(&mut console, &password, &first).await);
        assert!(!lets_in(&mut console, &password, &first).await);
        let second = code(bench, next_step().await);
        assert!(lets_in(&mut console, &password, &second).await);
        let taken = lets_in(&mut console, &password, &first).await;
        // On a machine that is slow its time is over, and that says nothing.
        if taken || step() <= begun + 1 {
            return taken;
        }
    }
}

pub async fn otp_stays_good(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    let old = code(bench, step() - 8);
    lets_in(&mut console, &bench.password(USER), &old).await
}

pub async fn otp_is_enough(bench: &Bench) -> bool {
    let mut console = demanded(bench).await;
    let code = code(bench, next_step().await);
    lets_in(&mut console, "Not-The-Password-1", &code).await
}
