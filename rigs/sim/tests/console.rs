//! The console, over its pseudo-terminal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::time::{Duration, Instant};

use common::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn the_banner_comes_before_the_login() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    console.send("").await;
    let shown = console.expect("login: ").await;
    assert!(shown.contains("Authorised use only"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_echoed_before_the_line_ends() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    console.send("").await;
    console.expect("login: ").await;
    console.stream_write(b"ve").await;
    console.expect("ve").await;
    console.stream_write(b"x\x7fra").await;
    console.expect("x\x08 \x08ra").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_not_echoed() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    console.send("vera").await;
    console.expect("Password: ").await;
    console.send(&bench.password("vera")).await;
    let shown = console.expect("@tc-100\x1b[0m> ").await;
    assert!(!shown.contains(&bench.password("vera")[..4]), "{shown:?}");
    assert_eq!(console.answer("whoami").await, "OK user=vera role=viewer");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_user_and_wrong_password_look_alike() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    let mut seen = Vec::new();
    for user in ["nobody", "vera"] {
        console.send(user).await;
        console.expect("Password: ").await;
        let since = Instant::now();
        console.send("Wrong-Password1").await;
        let shown = console.expect("login: ").await;
        seen.push(shown);
        let taken = since.elapsed().as_millis();
        assert!((140..900).contains(&taken), "{user}: {taken} ms");
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].contains("Login incorrect"));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_may_what_they_may_and_nothing_else() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    let denied = "error: not permitted";
    for (user, command, answer) in [
        ("vera", "show output", "OK 400"),
        ("vera", "set output 1", denied),
        ("vera", "set setpoint 400", denied),
        ("vera", "show audit", denied),
        ("vera", "config show banner", denied),
        ("otto", "set output 401", "OK"),
        ("otto", "set output 1001", "error: bad value"),
        ("otto", "set setpoint 199", "error: bad value"),
        ("otto", "set limit 700", denied),
        ("otto", "backup", denied),
        ("erik", "set limit 901", "OK"),
        ("erik", "audit clear", denied),
        ("erik", "user list", denied),
        ("ada", "set output 1", denied),
        ("ada", "set limit 1", denied),
        ("ada", "config show failed_logins", "OK 3"),
        ("ada", "role list", "OK"),
        ("ada", "session list", "OK"),
        ("ada", "show output", "OK 401"),
        ("ada", "nonsense", "error: unknown command"),
    ] {
        console.login(user, &bench.password(user)).await;
        assert_eq!(console.answer(command).await, answer, "{user}: {command}");
        console.send("logout").await;
        console.expect("login: ").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_failures_lock_the_account_and_no_other() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    for _ in 0..3 {
        assert!(!console.try_login("otto", "Wrong-Password1").await);
    }
    let locked = Instant::now();
    assert!(
        !console.try_login("otto", &bench.password("otto")).await,
        "locked"
    );
    assert!(
        console.try_login("olga", &bench.password("olga")).await,
        "another account"
    );
    console.send("logout").await;
    console.expect("login: ").await;
    tokio::time::sleep(Duration::from_secs(4).saturating_sub(locked.elapsed())).await;
    assert!(
        console.try_login("otto", &bench.password("otto")).await,
        "the try has not prolonged it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_starts_the_count_anew() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    for _ in 0..2 {
        assert!(!console.try_login("otto", "Wrong-Password1").await);
        assert!(!console.try_login("otto", "Wrong-Password1").await);
        assert!(console.try_login("otto", &bench.password("otto")).await);
        console.send("logout").await;
        console.expect("login: ").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_unlocks_and_the_limit_can_be_changed() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(console.answer("config set lockout 600").await, "OK");
    assert_eq!(console.answer("config set failed_logins 1").await, "OK");
    let refused = console.answer("config set failed_logins 99").await;
    assert!(refused.starts_with("error: bad value ("), "{refused}");
    console.send("logout").await;
    console.expect("login: ").await;
    assert!(!console.try_login("otto", "Wrong-Password1").await);
    assert!(!console.try_login("otto", &bench.password("otto")).await);
    console.login("ada", &bench.password("ada")).await;
    assert_eq!(console.answer("user unlock otto").await, "OK");
    console.send("exit").await;
    console.expect("login: ").await;
    assert!(console.try_login("otto", &bench.password("otto")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_is_locked_until_its_own_password_comes() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("otto").await;
    console
        .expect_within("Session locked\r\nPassword: ", Duration::from_secs(6))
        .await;
    console.send("set output 77").await;
    console.expect("Login incorrect\r\nPassword: ").await;
    console.send(&bench.password("olga")).await;
    console.expect("Login incorrect\r\nPassword: ").await;
    console.send(&bench.password("otto")).await;
    console.expect("otto@tc-100\x1b[0m> ").await;
    assert_eq!(console.answer("show output").await, "OK 400");
    console.send("lock").await;
    console.expect("Password: ").await;
    console.stream_write(b"\x04").await;
    console.expect("login: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_changed_by_the_policy() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("vera").await;
    let old = bench.password("vera");
    for (new, answer) in [
        ("short", "error: password too weak"),
        ("Better-Pass-77", "OK password changed"),
    ] {
        console.send("passwd").await;
        console.expect("Old password: ").await;
        console.send(&old).await;
        for prompt in ["New password: ", "Again: "] {
            console.expect(prompt).await;
            console.send(new).await;
        }
        let shown = console.expect("> ").await;
        assert!(shown.contains(answer), "{shown:?}");
        assert!(!shown.contains(new), "{shown:?}");
    }
    console.send("logout").await;
    console.expect("login: ").await;
    assert!(!console.try_login("vera", &old).await);
    assert!(console.try_login("vera", "Better-Pass-77").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_managed() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(
        console.answer("user add vera viewer").await,
        "error: bad value"
    );
    assert_eq!(
        console.answer("user add Zoe viewer").await,
        "error: bad value"
    );
    assert_eq!(
        console.answer("user del ada").await,
        "error: bad value",
        "the last administrator"
    );
    let added = console
        .new_password("user add zoe operator", "Zoes-Password1")
        .await;
    assert_eq!(added, "OK password changed");
    assert!(
        console
            .ask("user list")
            .await
            .contains(&"zoe operator enabled".to_owned())
    );
    assert_eq!(console.answer("user disable vera").await, "OK");
    console.send("logout").await;
    console.expect("login: ").await;
    assert!(!console.try_login("vera", &bench.password("vera")).await);
    assert!(console.try_login("zoe", "Zoes-Password1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_have_a_history_and_a_least_age() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(console.answer("config set password_history 2").await, "OK");
    for (new, said) in [
        ("First-Password1", "OK password changed"),
        ("Second-Password2", "OK password changed"),
        ("First-Password1", "error: password was used before"),
        ("Second-Password2", "error: password was used before"),
        ("Third-Password3", "OK password changed"),
        ("First-Password1", "OK password changed"),
    ] {
        let answer = console.new_password("user passwd vera", new).await;
        assert_eq!(answer, said, "{new}");
    }
    let set = "config set password_min_age 3600";
    assert_eq!(console.answer(set).await, "OK");
    console.log_out().await;
    console.login("vera", "First-Password1").await;
    console.send("passwd").await;
    console.expect("Old password: ").await;
    console.send("First-Password1").await;
    for prompt in ["New password: ", "Again: "] {
        console.expect(prompt).await;
        console.send("Fourth-Password4").await;
    }
    let said = console.expect("> ").await;
    assert!(said.contains("error: password was changed too recently"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_password_opens_no_session_and_is_renewed_at_the_login() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    let set = "time set 2055-01-01T00:00:00Z";
    assert_eq!(console.answer(set).await, "OK");
    assert!(
        console
            .answer("time show")
            .await
            .starts_with("OK 2055-01-01T00:00:0")
    );
    assert_eq!(console.answer("time set noon").await, "error: bad value");
    console.log_out().await;
    for interrupted in [true, false] {
        console.send("vera").await;
        console.expect("Password: ").await;
        console.send(&bench.password("vera")).await;
        console.expect("Password expired").await;
        console.expect("New password: ").await;
        if interrupted {
            console.stream_write(b"\x03").await;
        } else {
            console.send("New-Password-42").await;
            console.expect("Again: ").await;
            console.send("New-Password-42").await;
        }
        console.expect("login: ").await;
    }
    console.login("vera", "New-Password-42").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_grants_no_more_than_the_own_role_permits() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("erik").await;
    for (command, answer) in [
        ("override vera write_output 1", "OK"),
        ("override vera manage_roles 1", "error: not permitted"),
        ("override nobody write_output 1", "error: bad value"),
        ("override vera fly 1", "error: bad value"),
        ("override vera write_output 0", "error: bad value"),
    ] {
        assert_eq!(console.answer(command).await, answer, "{command}");
    }
    console.log_out().await;
    console.login("otto", &bench.password("otto")).await;
    let denied = "error: not permitted";
    assert_eq!(console.answer("override vera write_limit 1").await, denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_has_effect_at_once() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(console.answer("show audit 1").await, "OK");
    assert_eq!(
        console.answer("role revoke administrator read_audit").await,
        "OK"
    );
    assert_eq!(console.answer("show audit 1").await, "error: not permitted");
    assert_eq!(
        console.answer("role grant administrator fly").await,
        "error: bad value"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_no_secrets_and_an_altered_one_is_refused() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    let backup = console.ask("backup").await.remove(0);
    let text = String::from_utf8(decode(&backup)).unwrap();
    assert!(text.contains("gw-control") && !text.contains("digest") && !text.contains("salt"));
    assert_eq!(console.answer("config set banner Changed").await, "OK");
    let mut altered = decode(&backup);
    let at = text.find("Authorised").unwrap();
    altered[at] = b'B';
    assert_eq!(
        console
            .answer(&format!("restore {}", encode(&altered)))
            .await,
        "error: bad value"
    );
    assert_eq!(console.answer("config show banner").await, "OK Changed");
    assert_eq!(console.answer(&format!("restore {backup}")).await, "OK");
    assert!(
        console
            .answer("config show banner")
            .await
            .contains("Authorised")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_names_who_did_what() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("otto").await;
    console.answer("set output 321").await;
    console.answer("set limit 3").await;
    console.send("logout").await;
    console.expect("login: ").await;
    assert!(
        !console
            .try_login("x\"y result=success", "Wrong-Password1")
            .await
    );
    console.login("ada", &bench.password("ada")).await;
    console.answer("config set password_min 12").await;
    console.ask("backup").await;
    let log = console.ask("show audit 50").await.join("\n");
    for part in [
        "source=device category=system type=start user=- result=success",
        "source=console category=access type=login user=otto result=success",
        "source=console category=system type=write_output user=otto result=success detail=\"output=321\"",
        "source=console category=request_error type=refused user=otto result=failure detail=\"write_limit\"",
        "source=console category=access type=logout user=otto result=success",
        "type=login user=\"x\\\"y result=success\" result=failure",
        "source=console category=configuration type=config user=ada result=success",
        "source=console category=backup type=backup user=ada result=success",
    ] {
        assert!(log.contains(part), "no {part} in\n{log}");
    }
    for user in ["otto", "ada"] {
        assert!(!log.contains(&bench.password(user)));
    }
    assert_eq!(console.answer("audit clear").await, "OK");
    let log = console.ask("show audit").await;
    assert!(
        log.len() == 2 && log[0].contains("category=audit type=clear user=ada"),
        "{log:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_and_long_lines_do_no_harm() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("vera").await;
    console.stream_write(&[b'A'; 5000]).await;
    console.send("").await;
    console.expect("error: line too long").await;
    console
        .stream_write(b"\x00\x01\x02\x1b[A\xff\xfe\xc3who")
        .await;
    console.stream_write(b"x\x7fami\r").await;
    console.expect("OK user=vera role=viewer").await;
    console.stream_write(b"garbage\x03").await;
    console.expect("> ").await;
    assert_eq!(console.answer("show output").await, "OK 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_come_in_between() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("ada").await;
    assert_eq!(console.answer("config set session_lock 30").await, "OK");
    console.stream_write(b"show out").await;
    console
        .expect_within("*** level ", Duration::from_secs(6))
        .await;
    console.expect("show out").await;
    console.stream_write(b"put\r").await;
    console.expect("OK 400").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_does_not_stop_the_device() {
    let bench = Bench::sound().await;
    let mut console = bench.logged_in("erik").await;
    for _ in 0..200 {
        console.send("help").await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut modbus = bench.tcp().await;
    assert_eq!(modbus.ask(&[4, 0, 0, 0, 1]).await.unwrap()[0], 4);
    console.listen(Duration::from_secs(1)).await;
    console.send("show output").await;
    console.expect("OK 400").await;
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
