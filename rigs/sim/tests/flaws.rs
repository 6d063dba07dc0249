//! Every flaw can be seen from outside, and not on a sound device.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

#[path = "flaws/boundary.rs"]
mod boundary;
#[path = "flaws/certificates.rs"]
mod certificates;
mod common;
#[path = "flaws/factor.rs"]
mod factor;
#[path = "flaws/peer.rs"]
mod peer;

use std::time::Duration;

use common::{Bench, Console};

macro_rules! shown {
    ($($flaw:ident $name:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $flaw() {
            let flawed = Bench::flawed(&[$name]).await;
            assert!(shows::$flaw(&flawed).await, "a device with the flaw does not show it");
            flawed.device.stop().await;
            assert!(!shows::$flaw(&Bench::sound().await).await, "a sound device shows it");
        })*

        #[test]
        fn every_flaw_has_its_test() {
            // Those that only generated inputs find are shown by the suites' own qualification.
            let fixed = slcert_sim::flaws().iter().filter(|flaw| flaw.deep.is_none());
            let mut names: Vec<_> = fixed.map(|flaw| flaw.name).collect();
            names.sort_unstable();
            let mut shown = vec![$($name),*];
            shown.sort_unstable();
            assert_eq!(names, shown);
        }
    };
}

shown! {
    lockout_stalls_control "lockout-stalls-control";
    backup_stalls_control "backup-stalls-control";
    refused_certificate_falsifies "refused-certificate-falsifies";
    command_before_login "command-before-login";
    role_as_identity "role-as-identity";
    second_factor_ignored "second-factor-ignored";
    second_factor_not_by_mqtt "second-factor-not-by-mqtt";
    second_factor_forgotten "second-factor-forgotten";
    otp_unchecked "otp-unchecked";
    otp_used_again "otp-used-again";
    otp_last_alone "otp-last-alone";
    otp_stays_good "otp-stays-good";
    otp_is_enough "otp-is-enough";
    any_client_certificate "any-client-certificate";
    one_key_for_type "one-key-for-type";
    one_key_by_mqtt "one-key-by-mqtt";
    one_serial_for_all "one-serial-for-all";
    disabled_logs_in_by_mqtt "disabled-logs-in-by-mqtt";
    disable_ignored "disable-ignored";
    closed_account_goes_on "closed-account-goes-on";
    removed_account_returns "removed-account-returns";
    enabled_by_restart "enabled-by-restart";
    duplicate_overwrites "duplicate-overwrites";
    duplicate_refused_but_acts "duplicate-refused-but-acts";
    processes_not_listed "processes-not-listed";
    service_account "service-account";
    server_certificate_as_client "server-certificate-as-client";
    client_as_authority "client-as-authority";
    request_unproven "request-unproven";
    certificate_for_any_key "certificate-for-any-key";
    certificate_of_any_authority "certificate-of-any-authority";
    renewal_ignored "renewal-ignored";
    mqtt_keeps_certificate "mqtt-keeps-certificate";
    distrust_ignored "distrust-ignored";
    revocations_ignored "revocations-ignored";
    revocations_forgotten "revocations-forgotten";
    revocations_any_signer "revocations-any-signer";
    old_password_works "old-password-works";
    weak_passwords "weak-passwords";
    password_reuse "password-reuse";
    history_of_one "history-of-one";
    no_minimum_age "no-minimum-age";
    no_maximum_age "no-maximum-age";
    process_passwords_never_expire "process-passwords-never-expire";
    names_the_unknown "names-the-unknown";
    password_echo "password-echo";
    no_lockout "no-lockout";
    lockout_per_connection "lockout-per-connection";
    no_banner "no-banner";
    banner_fixed "banner-fixed";
    unsealed_taken "unsealed-taken";
    seal_cut_short "seal-cut-short";
    seal_replayed "seal-replayed";
    seal_replayed_after_restart "seal-replayed-after-restart";
    any_peers_key "any-peers-key";
    one_key_for_all "one-key-for-all";
    old_key_works "old-key-works";
    key_shown "key-shown";
    management_outside "management-outside";
    outside_unlogged "outside-unlogged";
    outside_unapproved "outside-unapproved";
    approval_for_ever "approval-for-ever";
    access_approved_by_anyone "access-approved-by-anyone";
    broadcast_crosses "broadcast-crosses";
    multicast_crosses "multicast-crosses";
    udp_bridged_out "udp-bridged-out";
    rule_both_ways "rule-both-ways";
    rule_off_by_one "rule-off-by-one";
    rule_for_any_protocol "rule-for-any-protocol";
    default_allow_after_restart "default-allow-after-restart";
    empty_table_allows_all "empty-table-allows-all";
    cleared_rules_go_on "cleared-rules-go-on";
    island_leaks_out "island-leaks-out";
    island_for_ever "island-for-ever";
    island_keeps_connections "island-keeps-connections";
    filter_fails_open "filter-fails-open";
    filter_fails_open_out "filter-fails-open-out";
    chat_crosses "chat-crosses";
    call_crosses "call-crosses";
    mail_on_any_port "mail-on-any-port";
    viewer_writes "viewer-writes";
    certificate_role_ignored "certificate-role-ignored";
    topic_acl_ignored "topic-acl-ignored";
    role_change_ignored "role-change-ignored";
    override_for_ever "override-for-ever";
    override_for_open_session "override-for-open-session";
    override_unlogged "override-unlogged";
    approves_own_request "approves-own-request";
    request_acts "request-acts";
    approved_by_anyone "approved-by-anyone";
    approval_used_again "approval-used-again";
    code_by_anyone "code-by-anyone";
    code_refused_but_runs "code-refused-but-runs";
    removed_code_returns "removed-code-returns";
    code_unchecked "code-unchecked";
    code_any_signer "code-any-signer";
    refused_code_stored "refused-code-stored";
    refused_code_unrecorded "refused-code-unrecorded";
    no_session_lock "no-session-lock";
    lock_keeps_going "lock-keeps-going";
    mqtt_idles_for_ever "mqtt-idles-for-ever";
    end_session_ignored "end-session-ignored";
    modbus_session_not_ended "modbus-session-not-ended";
    ended_session_still_writes "ended-session-still-writes";
    no_session_limit "no-session-limit";
    mqtt_sessions_unlimited "mqtt-sessions-unlimited";
    session_count_leaks "session-count-leaks";
    session_count_drifts "session-count-drifts";
    audit_without_configuration "audit-without-configuration";
    audit_without_result "audit-without-result";
    audit_full_dies "audit-full-dies";
    audit_full_stops "audit-full-stops";
    audit_full_stalls "audit-full-stalls";
    no_audit_warning "no-audit-warning";
    audit_warning_fixed "audit-warning-fixed";
    audit_failure_silent "audit-failure-silent";
    audit_failure_stops_control "audit-failure-stops-control";
    audit_failure_for_good "audit-failure-for-good";
    clock_off "clock-off";
    clock_resets "clock-resets";
    stamps_jump "stamps-jump";
    time_server_ignored "time-server-ignored";
    time_server_once "time-server-once";
    time_set_by_anyone "time-set-by-anyone";
    time_refusal_unlogged "time-refusal-unlogged";
    implausible_time_taken "implausible-time-taken";
    implausible_time_unlogged "implausible-time-unlogged";
    audit_names_the_role "audit-names-the-role";
    audit_names_the_client_id "audit-names-the-client-id";
    audit_without_subject "audit-without-subject";
    console_stale_line "console-stale-line";
    modbus_stale_registers "modbus-stale-registers";
    erasure_unreported "erasure-unreported";
    erasure_always_verified "erasure-always-verified";
    erasure_failure_hidden "erasure-failure-hidden";
    accepts_bad_crc "accepts-bad-crc";
    plain_write "plain-write";
    no_integrity_alert "no-integrity-alert";
    integrity_alert_always "integrity-alert-always";
    tampering_unrecorded "tampering-unrecorded";
    import_refused_but_applied "import-refused-but-applied";
    import_any_signer "import-any-signer";
    over_limit_read "over-limit-read";
    dies_on_long_line "dies-on-long-line";
    loop_stalls "loop-stalls";
    output_holds_on_loss "output-holds-on-loss";
    output_full_after_restart "output-full-after-restart";
    stack_trace "stack-trace";
    inherited_client_id "inherited-client-id";
    logout_keeps_session "logout-keeps-session";
    audit_clear_by_engineer "audit-clear-by-engineer";
    audit_cleared_anyway "audit-cleared-anyway";
    audit_clear_unlogged "audit-clear-unlogged";
    audit_volatile "audit-volatile";
    update_forgotten "update-forgotten";
    update_marker_first "update-marker-first";
    update_acknowledged_early "update-acknowledged-early";
    update_unchecked "update-unchecked";
    update_head_only "update-head-only";
    update_any_signer "update-any-signer";
    update_downgrade "update-downgrade";
    update_refused_but_stored "update-refused-but-stored";
    owner_root_ignored "owner-root-ignored";
    owner_root_by_anyone "owner-root-by-anyone";
    owner_root_forgotten "owner-root-forgotten";
    boots_altered "boots-altered";
    boots_foreign "boots-foreign";
    password_in_backup "password-in-backup";
    secret_in_notice "secret-in-notice";
    purge_keeps_accounts "purge-keeps-accounts";
    purge_keeps_log "purge-keeps-log";
    purge_leaves_traces "purge-leaves-traces";
    tls_1_0 "tls-1.0";
    expired_client_certificate "expired-client-certificate";
    audit_read_by_operator "audit-read-by-operator";
    audit_reading_consumes "audit-reading-consumes";
    export_leaves_out_failures "export-leaves-out-failures";
    export_without_time "export-without-time";
    export_cut_short "export-cut-short";
    no_lockout_alert "no-lockout-alert";
    alert_late "alert-late";
    alert_not_for_mqtt "alert-not-for-mqtt";
    handshakes_stall_control "handshakes-stall-control";
    flood_shuts_port "flood-shuts-port";
    restore_incomplete "restore-incomplete";
    restore_unchecked "restore-unchecked";
    restore_refused_but_applied "restore-refused-but-applied";
    settings_lost "settings-lost";
    accounts_lost "accounts-lost";
    passwords_reset "passwords-reset";
    settings_read_defaults "settings-read-defaults";
    report_stale "report-stale";
    debug_port "debug-port";
    debug_command "debug-command";
    wrong_revision "wrong-revision";
    no_identification "no-identification";
}

const NEW: &str = "New-Password-42";
const SHORT: Duration = Duration::from_millis(600);

/// Whether a device shows a flaw.
mod shows {
    pub use super::boundary::{
        access_approved_by_anyone, approval_for_ever, broadcast_crosses, call_crosses,
        chat_crosses, cleared_rules_go_on, default_allow_after_restart, empty_table_allows_all,
        filter_fails_open, filter_fails_open_out, island_for_ever, island_keeps_connections,
        island_leaks_out, mail_on_any_port, management_outside, multicast_crosses,
        outside_unapproved, outside_unlogged, rule_both_ways, rule_for_any_protocol,
        rule_off_by_one, udp_bridged_out,
    };
    pub use super::certificates::{
        certificate_for_any_key, certificate_of_any_authority, distrust_ignored,
        mqtt_keeps_certificate, one_key_by_mqtt, one_key_for_type, one_serial_for_all,
        renewal_ignored, request_unproven, revocations_any_signer, revocations_forgotten,
        revocations_ignored,
    };
    use super::common::mqtt::{V5, gateway};
    pub use super::factor::{
        otp_is_enough, otp_last_alone, otp_stays_good, otp_unchecked, otp_used_again,
        second_factor_forgotten, second_factor_ignored, second_factor_not_by_mqtt,
    };
    pub use super::peer::{
        any_peers_key, key_shown, old_key_works, one_key_for_all, seal_cut_short, seal_replayed,
        seal_replayed_after_restart, unsealed_taken,
    };
    use super::*;
    use base64::Engine;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::{sleep, timeout};

    pub async fn command_before_login(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        console.send("set output 7").await;
        console.listen(SHORT).await;
        bench.tcp().await.ask(&[3, 0, 1, 0, 1]).await.unwrap() == [3, 2, 0, 7]
    }

    pub async fn role_as_identity(bench: &Bench) -> bool {
        bench
            .logged_in("otto")
            .await
            .answer("whoami")
            .await
            .contains("user=operator")
    }

    pub async fn any_client_certificate(bench: &Bench) -> bool {
        bench.tls("negatives", "self_signed").await.is_ok()
            && bench.tls("negatives", "foreign_ca").await.is_ok()
    }

    pub async fn server_certificate_as_client(bench: &Bench) -> bool {
        assert!(bench.tls("negatives", "self_signed").await.is_err());
        bench.tls("negatives", "server_only").await.is_ok()
    }

    pub async fn client_as_authority(bench: &Bench) -> bool {
        assert!(bench.tls("negatives", "foreign_ca").await.is_err());
        bench.tls("negatives", "client_issued").await.is_ok()
    }

    /// Lets the administrator do something; the console is at its login afterwards.
    pub async fn administered(bench: &Bench, commands: &[&str]) -> Console {
        let mut console = bench.logged_in("ada").await;
        for command in commands {
            assert_eq!(console.answer(command).await, "OK", "{command}");
        }
        console.log_out().await;
        console
    }

    async fn logs_in_by_mqtt(bench: &Bench, user: &str) -> bool {
        let password = bench.password(user);
        V5::connect(bench, "another", Some((user, &password)))
            .await
            .is_ok()
    }

    pub async fn disabled_logs_in_by_mqtt(bench: &Bench) -> bool {
        let mut console =
            administered(bench, &["user disable gw-control", "user disable vera"]).await;
        assert!(!console.try_login("vera", &bench.password("vera")).await);
        logs_in_by_mqtt(bench, "gw-control").await
    }

    pub async fn disable_ignored(bench: &Bench) -> bool {
        let mut console = administered(bench, &["user disable vera"]).await;
        console.try_login("vera", &bench.password("vera")).await
    }

    pub async fn closed_account_goes_on(bench: &Bench) -> bool {
        let mut client = gateway(bench, "gw-control").await;
        administered(bench, &["user disable gw-control"]).await;
        let over = async { while client.next(Some).await.is_ok() {} };
        timeout(SHORT, over).await.is_err()
    }

    pub async fn removed_account_returns(bench: &Bench) -> bool {
        let mut console = administered(bench, &["user del vera"]).await;
        assert!(!console.try_login("vera", &bench.password("vera")).await);
        let again = bench.again().await;
        let mut console = again.console().await;
        console.try_login("vera", &bench.password("vera")).await
    }

    pub async fn enabled_by_restart(bench: &Bench) -> bool {
        administered(bench, &["user disable vera"]).await;
        let again = bench.again().await;
        let mut console = again.console().await;
        console.try_login("vera", &bench.password("vera")).await
    }

    pub async fn duplicate_overwrites(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.send("user add vera operator").await;
        if console.expect(": ").await.contains("error") {
            return false;
        }
        console.send(NEW).await;
        console.expect("Again: ").await;
        console.send(NEW).await;
        console.expect("OK password changed").await;
        true
    }

    pub async fn duplicate_refused_but_acts(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.send("user add vera operator").await;
        if console.expect(": ").await.contains("error") {
            return false;
        }
        console.send(NEW).await;
        console.expect("Again: ").await;
        console.send(NEW).await;
        console.expect("error: bad value").await;
        console.log_out().await;
        console.try_login("vera", NEW).await
    }

    pub async fn processes_not_listed(bench: &Bench) -> bool {
        let list = bench.logged_in("ada").await.ask("user list").await;
        !list.join("\n").contains("gw-control")
    }

    pub async fn service_account(bench: &Bench) -> bool {
        let list = bench.logged_in("ada").await.ask("user list").await;
        list.join("\n").contains("service engineer enabled")
    }

    async fn set_again(bench: &Bench, password: &str) -> bool {
        let mut console = administered(bench, &["config set password_history 3"]).await;
        console.login("ada", &bench.password("ada")).await;
        for new in [NEW, "Newer-Password-43"] {
            let said = console.new_password("user passwd vera", new).await;
            assert_eq!(said, "OK password changed");
        }
        let said = console.new_password("user passwd vera", password).await;
        said == "OK password changed"
    }

    pub async fn password_reuse(bench: &Bench) -> bool {
        set_again(bench, "Newer-Password-43").await
    }

    pub async fn history_of_one(bench: &Bench) -> bool {
        set_again(bench, NEW).await
    }

    pub async fn no_minimum_age(bench: &Bench) -> bool {
        let mut console = administered(bench, &["config set password_min_age 3600"]).await;
        console.login("vera", &bench.password("vera")).await;
        console.send("passwd").await;
        console.expect("Old password: ").await;
        console.send(&bench.password("vera")).await;
        console.expect("New password: ").await;
        console.send(NEW).await;
        console.expect("Again: ").await;
        console.send(NEW).await;
        !console.expect("> ").await.contains("too recently")
    }

    pub async fn no_maximum_age(bench: &Bench) -> bool {
        let mut console = administered(bench, &["time set 2055-01-01T00:00:00Z"]).await;
        console.send("vera").await;
        console.expect("Password: ").await;
        console.send(&bench.password("vera")).await;
        let shown = console.listen(SHORT).await;
        assert!(
            shown.contains("expired") != shown.contains("vera@"),
            "{shown}"
        );
        shown.contains("vera@")
    }

    pub async fn process_passwords_never_expire(bench: &Bench) -> bool {
        administered(bench, &["time set 2055-01-01T00:00:00Z"]).await;
        logs_in_by_mqtt(bench, "gw-control").await
    }

    pub async fn mqtt_idles_for_ever(bench: &Bench) -> bool {
        administered(bench, &["config set remote_idle 1"]).await;
        let mut client = gateway(bench, "gw-control").await;
        let over = async { while client.next(Some).await.is_ok() {} };
        timeout(Duration::from_millis(1500), over).await.is_err()
    }

    /// Ends every session of a user, and says whether the console says that it did.
    async fn ended(bench: &Bench, user: &str) {
        let mut console = bench.logged_in("ada").await;
        for line in console.ask("session list").await {
            if line.contains(&format!("user={user} ")) {
                let id = line.split_once(' ').unwrap().0.replace("id=", "");
                let said = console.answer(&format!("session end {id}")).await;
                assert_eq!(said, "OK");
            }
        }
        console.log_out().await;
    }

    pub async fn end_session_ignored(bench: &Bench) -> bool {
        let mut client = gateway(bench, "gw-control").await;
        ended(bench, "gw-control").await;
        let over = async { while client.next(Some).await.is_ok() {} };
        timeout(SHORT, over).await.is_err()
    }

    pub async fn modbus_session_not_ended(bench: &Bench) -> bool {
        let mut client = bench.tls("clients", "scada-view").await.unwrap();
        ended(bench, "scada-view").await;
        client.ask(&[3, 0, 1, 0, 1]).await.is_ok()
    }

    pub async fn ended_session_still_writes(bench: &Bench) -> bool {
        let mut client = bench.tls("clients", "scada-oper").await.unwrap();
        ended(bench, "scada-oper").await;
        let answer = client.ask(&[6, 0, 1, 0, 7]).await.unwrap_or(vec![0x86]);
        assert_eq!(answer[0], 0x86);
        bench.tcp().await.ask(&[3, 0, 1, 0, 1]).await.unwrap() == [3, 2, 0, 7]
    }

    pub async fn no_session_limit(bench: &Bench) -> bool {
        administered(bench, &["config set sessions 1"]).await;
        let _one = bench.tls("clients", "scada-view").await.unwrap();
        bench.tls("clients", "scada-view").await.is_ok()
    }

    pub async fn mqtt_sessions_unlimited(bench: &Bench) -> bool {
        administered(bench, &["config set sessions 1"]).await;
        let _modbus = bench.tls("clients", "scada-view").await.unwrap();
        assert!(bench.tls("clients", "scada-view").await.is_err());
        let mut oldest = gateway(bench, "gw-control").await;
        assert!(logs_in_by_mqtt(bench, "gw-control").await);
        let over = async { while oldest.next(Some).await.is_ok() {} };
        timeout(SHORT, over).await.is_err()
    }

    pub async fn session_count_leaks(bench: &Bench) -> bool {
        administered(bench, &["config set sessions 1"]).await;
        drop(bench.tls("clients", "scada-view").await.unwrap());
        sleep(SHORT).await;
        bench.tls("clients", "scada-view").await.is_err()
    }

    pub async fn session_count_drifts(bench: &Bench) -> bool {
        administered(bench, &["config set sessions 1"]).await;
        drop(bench.tls("clients", "scada-view").await.unwrap());
        sleep(SHORT).await;
        let _one = bench.tls("clients", "scada-view").await.unwrap();
        bench.tls("clients", "scada-view").await.is_ok()
    }

    async fn audited(bench: &Bench) -> String {
        bench
            .logged_in("erik")
            .await
            .ask("show audit")
            .await
            .join("\n")
    }

    pub async fn audit_names_the_client_id(bench: &Bench) -> bool {
        let mut client = gateway(bench, "gw-control").await;
        let command = r#"{"id":"x","set_output":7}"#;
        client.publish("plant/cmd", command).await;
        audited(bench).await.contains("user=id-gw-control")
    }

    pub async fn audit_without_subject(bench: &Bench) -> bool {
        let mut client = bench.tls("clients", "scada-oper").await.unwrap();
        client.ask(&[6, 0, 1, 0, 7]).await.unwrap();
        audited(bench).await.contains("type=write_output user=- ")
    }

    pub async fn old_password_works(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        assert_eq!(
            console.new_password("user passwd vera", NEW).await,
            "OK password changed"
        );
        console.send("logout").await;
        console.expect("login: ").await;
        console.try_login("vera", &bench.password("vera")).await
    }

    pub async fn weak_passwords(bench: &Bench) -> bool {
        bench
            .logged_in("ada")
            .await
            .new_password("user passwd vera", "abc")
            .await
            .starts_with("OK")
    }

    pub async fn names_the_unknown(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        console.send("nobody").await;
        console.expect("Password: ").await;
        console.send(NEW).await;
        console.expect("login: ").await.contains("Unknown user")
    }

    pub async fn password_echo(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        console.send("vera").await;
        console.expect("Password: ").await;
        console.send(NEW).await;
        console.expect("login: ").await.contains(NEW)
    }

    pub async fn no_lockout(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        for _ in 0..4 {
            assert!(!console.try_login("otto", NEW).await);
        }
        console.try_login("otto", &bench.password("otto")).await
    }

    pub async fn lockout_per_connection(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        for _ in 0..3 {
            assert!(!console.try_login("gw-control", NEW).await);
            assert!(!console.try_login("otto", NEW).await);
        }
        assert!(!console.try_login("otto", &bench.password("otto")).await);
        let login = Some(("gw-control", bench.password("gw-control")));
        let login = login
            .as_ref()
            .map(|(user, password)| (*user, password.as_str()));
        V5::connect(bench, "x", login).await.is_ok()
    }

    pub async fn no_banner(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        console.send("").await;
        !console.expect("login: ").await.contains("Authorised")
    }

    pub async fn banner_fixed(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        assert_eq!(console.answer("config set banner Another text").await, "OK");
        console.send("logout").await;
        !console.expect("login: ").await.contains("Another text")
    }

    pub async fn viewer_writes(bench: &Bench) -> bool {
        bench.logged_in("vera").await.answer("set output 7").await == "OK"
    }

    pub async fn certificate_role_ignored(bench: &Bench) -> bool {
        let mut client = bench.tls("clients", "scada-view").await.unwrap();
        client.ask(&[6, 0, 1, 0, 7]).await.unwrap()[0] == 6
    }

    pub async fn topic_acl_ignored(bench: &Bench) -> bool {
        let mut client = gateway(bench, "gw-telemetry").await;
        client
            .publish("plant/cmd", r#"{"id":"x","set_output":7}"#)
            .await;
        bench.tcp().await.ask(&[3, 0, 1, 0, 1]).await.unwrap() == [3, 2, 0, 7]
    }

    pub async fn role_change_ignored(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        assert_eq!(
            console.answer("role revoke administrator read_audit").await,
            "OK"
        );
        console.answer("show audit 1").await == "OK"
    }

    /// Lets otto set the limit for a second, and uses it; the console is otto's.
    async fn overridden(bench: &Bench) -> Console {
        let mut console = bench.logged_in("erik").await;
        assert_eq!(console.answer("override otto write_limit 1").await, "OK");
        console.log_out().await;
        console.login("otto", &bench.password("otto")).await;
        assert_eq!(console.answer("set limit 801").await, "OK");
        sleep(Duration::from_millis(1200)).await;
        console
    }

    pub async fn override_for_ever(bench: &Bench) -> bool {
        let mut console = overridden(bench).await;
        console.log_out().await;
        console.login("otto", &bench.password("otto")).await;
        console.answer("set limit 802").await == "OK"
    }

    pub async fn override_for_open_session(bench: &Bench) -> bool {
        let mut console = overridden(bench).await;
        console.answer("set limit 802").await == "OK"
    }

    pub async fn override_unlogged(bench: &Bench) -> bool {
        let mut console = overridden(bench).await;
        console.log_out().await;
        console.login("erik", &bench.password("erik")).await;
        let log = console.ask("show audit").await.join("\n");
        assert_eq!(
            log.contains("type=override user=erik"),
            log.contains("type=override_end user=erik")
        );
        !log.contains("type=override ")
    }

    /// Lets each user of a list give a command; the last answer.
    async fn one_by_one(bench: &Bench, commands: &[(&str, &str)]) -> String {
        let mut console = bench.console().await;
        let mut answer = String::new();
        for (user, command) in commands {
            console.login(user, &bench.password(user)).await;
            answer = console.answer(command).await;
            console.log_out().await;
        }
        answer
    }

    pub async fn approves_own_request(bench: &Bench) -> bool {
        let commands = [
            ("otto", "interlock request 1"),
            ("otto", "interlock approve 1"),
        ];
        one_by_one(bench, &commands).await == "OK"
    }

    pub async fn request_acts(bench: &Bench) -> bool {
        let commands = [("otto", "interlock request 1"), ("vera", "interlock show")];
        one_by_one(bench, &commands).await == "OK 1"
    }

    pub async fn approved_by_anyone(bench: &Bench) -> bool {
        let commands = [
            ("otto", "interlock request 1"),
            ("vera", "interlock approve 1"),
        ];
        one_by_one(bench, &commands).await == "OK"
    }

    pub async fn approval_used_again(bench: &Bench) -> bool {
        let commands = [
            ("otto", "interlock request 1"),
            ("olga", "interlock approve 1"),
            ("vera", "interlock show"),
        ];
        assert_eq!(one_by_one(bench, &commands).await, "OK 1");
        let mut console = bench.console().await;
        console.login("olga", &bench.password("olga")).await;
        console.answer("interlock approve 1").await == "OK"
    }

    pub async fn no_session_lock(bench: &Bench) -> bool {
        let mut console = bench.logged_in("otto").await;
        !console
            .listen(Duration::from_millis(5500))
            .await
            .contains("Session locked")
    }

    pub async fn lock_keeps_going(bench: &Bench) -> bool {
        let mut console = bench.logged_in("otto").await;
        console.send("lock").await;
        console.expect("Password: ").await;
        console.send("set output 7").await;
        console.listen(SHORT).await;
        bench.tcp().await.ask(&[3, 0, 1, 0, 1]).await.unwrap() == [3, 2, 0, 7]
    }

    pub async fn audit_without_configuration(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.answer("config set lockout 9").await;
        !console
            .ask("show audit")
            .await
            .join("\n")
            .contains("category=configuration")
    }

    pub async fn audit_without_result(bench: &Bench) -> bool {
        !bench
            .logged_in("erik")
            .await
            .ask("show audit")
            .await
            .join("\n")
            .contains("result=")
    }

    pub async fn audit_names_the_role(bench: &Bench) -> bool {
        let mut console = bench.logged_in("erik").await;
        console.answer("set output 7").await;
        let log = console.ask("show audit").await.join("\n");
        log.contains("type=write_output user=engineer")
            && !log.contains("type=write_output user=erik")
    }

    pub async fn console_stale_line(bench: &Bench) -> bool {
        let mut console = bench.logged_in("otto").await;
        console.answer("nothing-that-is-known").await;
        console.log_out().await;
        console.login("vera", &bench.password("vera")).await;
        console.answer("x").await.contains("that-is-known")
    }

    pub async fn modbus_stale_registers(bench: &Bench) -> bool {
        let request = [&[0x3c_u8][..], &[0x55; 60]].concat();
        bench.tcp().await.ask(&request).await.unwrap();
        let answer = bench.tcp().await.ask(&[4, 0, 4, 0, 4]).await.unwrap();
        answer == [&[4, 8][..], &[0x55; 8]].concat()
    }

    /// What the device tells after an erasure, of which a part fails where `worn` says so.
    async fn told_of_erasure(bench: &Bench, worn: bool) -> String {
        if worn {
            std::fs::write(bench.store().join("worn"), "audit.log").unwrap();
        }
        let again = purged(bench).await;
        again.logged_in("ada").await.answer("show erasure").await
    }

    pub async fn erasure_unreported(bench: &Bench) -> bool {
        !told_of_erasure(bench, false).await.contains("verified")
    }

    pub async fn erasure_always_verified(bench: &Bench) -> bool {
        let told = bench.logged_in("ada").await.answer("show erasure").await;
        told.contains("verified")
    }

    pub async fn erasure_failure_hidden(bench: &Bench) -> bool {
        told_of_erasure(bench, true).await.contains("verified")
    }

    pub async fn accepts_bad_crc(bench: &Bench) -> bool {
        use tokio_serial::SerialPortBuilderExt;
        let path = bench.device.ready().rtu.to_str().unwrap().to_owned();
        let mut line = tokio_serial::new(path, 19_200).open_native_async().unwrap();
        line.write_all(&[1, 3, 0, 0, 0, 1, 0, 0]).await.unwrap();
        timeout(SHORT, line.read(&mut [0; 16])).await.is_ok()
    }

    pub async fn plain_write(bench: &Bench) -> bool {
        bench.tcp().await.ask(&[6, 0, 1, 0, 7]).await.unwrap()[0] == 6
    }

    pub async fn over_limit_read(bench: &Bench) -> bool {
        let answer = bench.tcp().await.ask(&[3, 0, 0, 0, 126]).await.unwrap();
        answer.len() == 2 + 252 && answer[..4] == [3, 252, 1, 244]
    }

    pub async fn dies_on_long_line(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        console.stream_write(&[b'A'; 1025]).await;
        console.send("").await;
        timeout(SHORT, bench.device.crashed()).await.is_ok()
    }

    /// Whether the heartbeat stands still a little after now.
    async fn stands_still(bench: &Bench) -> bool {
        let mut client = bench.tcp().await;
        sleep(Duration::from_millis(150)).await;
        let before = client.ask(&[4, 0, 1, 0, 1]).await.unwrap();
        sleep(SHORT).await;
        client.ask(&[4, 0, 1, 0, 1]).await.unwrap() == before
    }

    pub async fn lockout_stalls_control(bench: &Bench) -> bool {
        let mut console = bench.console().await;
        for _ in 0..3 {
            assert!(!console.try_login("otto", NEW).await);
        }
        stands_still(bench).await
    }

    pub async fn backup_stalls_control(bench: &Bench) -> bool {
        bench.logged_in("ada").await.ask("backup").await;
        stands_still(bench).await
    }

    pub async fn refused_certificate_falsifies(bench: &Bench) -> bool {
        assert!(bench.tls("negatives", "self_signed").await.is_err());
        sleep(Duration::from_millis(150)).await;
        bench.tcp().await.ask(&[4, 0, 0, 0, 1]).await.unwrap() == [4, 2, 0, 0]
    }

    pub async fn handshakes_stall_control(bench: &Bench) -> bool {
        let ready = bench.device.ready();
        for _ in 0..15 {
            let port = (ready.address, ready.modbus_tls);
            drop(tokio::net::TcpStream::connect(port).await.unwrap());
        }
        stands_still(bench).await
    }

    pub async fn flood_shuts_port(bench: &Bench) -> bool {
        for _ in 0..45 {
            drop(bench.tcp().await);
        }
        sleep(Duration::from_millis(150)).await;
        bench.tcp().await.ask(&[4, 0, 1, 0, 1]).await.is_err()
    }

    pub async fn loop_stalls(bench: &Bench) -> bool {
        let mut client = bench.tcp().await;
        client.ask(&[99]).await.unwrap();
        sleep(Duration::from_millis(150)).await;
        let before = client.ask(&[4, 0, 1, 0, 1]).await.unwrap();
        sleep(SHORT).await;
        client.ask(&[4, 0, 1, 0, 1]).await.unwrap() == before
    }

    pub async fn stack_trace(bench: &Bench) -> bool {
        let mut console = bench.logged_in("vera").await;
        console.send("nonsense").await;
        console.expect("> ").await.contains(".c:")
    }

    pub async fn inherited_client_id(bench: &Bench) -> bool {
        let _owner = gateway(bench, "gw-control").await;
        let password = bench.password("gw-telemetry");
        let thief = V5::connect(bench, "id-gw-control", Some(("gw-telemetry", &password))).await;
        thief.is_ok()
    }

    pub async fn logout_keeps_session(bench: &Bench) -> bool {
        let mut console = bench.logged_in("otto").await;
        console.send("logout").await;
        console.expect("login: ").await;
        console.send("").await;
        let resumed = console.listen(SHORT).await.contains("otto@");
        if resumed {
            assert_eq!(console.answer("set output 7").await, "OK");
        }
        resumed
    }

    pub async fn password_in_backup(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.new_password("user passwd vera", NEW).await;
        let backup = console.ask("backup").await.remove(0);
        let backup = base64::engine::general_purpose::STANDARD
            .decode(backup)
            .unwrap();
        String::from_utf8(backup).unwrap().contains(NEW)
    }

    pub async fn secret_in_notice(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.answer("config set session_lock 60").await;
        console.new_password("user passwd vera", NEW).await;
        console
            .expect_within("*** level", Duration::from_secs(6))
            .await;
        console.listen(SHORT).await.contains(NEW)
    }

    /// The device after a purge that follows on an account added for nina.
    async fn purged(bench: &Bench) -> Bench {
        let mut console = bench.logged_in("ada").await;
        console.new_password("user add nina viewer", NEW).await;
        assert!(console.answer("purge ada").await.starts_with("OK"));
        drop(console);
        bench.again().await
    }

    pub async fn purge_keeps_accounts(bench: &Bench) -> bool {
        let again = purged(bench).await;
        let mut console = again.console().await;
        console.try_login("nina", NEW).await
    }

    pub async fn purge_keeps_log(bench: &Bench) -> bool {
        let again = purged(bench).await;
        answer_all(&again, "show audit").await.contains("nina")
    }

    pub async fn purge_leaves_traces(bench: &Bench) -> bool {
        let again = purged(bench).await;
        assert!(!answer_all(&again, "show audit").await.contains("nina"));
        let mut folders = vec![again.store().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                // Only files: the console's line would be waited for.
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file()
                    && std::fs::read(entry.path())
                        .unwrap()
                        .windows(4)
                        .any(|bytes| bytes == b"nina")
                {
                    return true;
                }
            }
        }
        false
    }

    pub async fn tls_1_0(bench: &Bench) -> bool {
        let ready = bench.device.ready();
        let mut stream = TcpStream::connect((ready.address, ready.modbus_tls))
            .await
            .unwrap();
        let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0x00, 0x2f, 1, 0]);
        stream.write_all(&hello).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(SHORT, stream.read_to_end(&mut answer)).await;
        answer.len() == 47 && answer[..6] == [0x16, 3, 1, 0, 42, 2] && answer[9..11] == [3, 1]
    }

    pub async fn expired_client_certificate(bench: &Bench) -> bool {
        assert!(bench.tls("negatives", "self_signed").await.is_err());
        bench.tls("negatives", "expired").await.is_ok()
    }

    pub async fn debug_port(bench: &Bench) -> bool {
        let stream = TcpStream::connect((bench.device.ready().address, 2323)).await;
        let mut prompt = [0; 7];
        match stream {
            Ok(mut stream) => stream.read_exact(&mut prompt).await.is_ok() && &prompt == b"debug> ",
            Err(_) => false,
        }
    }

    pub async fn debug_command(bench: &Bench) -> bool {
        let mut console = bench.logged_in("vera").await;
        console.ask("help").await.contains(&"factory".to_owned())
            && console.answer("factory").await.starts_with("OK")
    }

    pub async fn wrong_revision(bench: &Bench) -> bool {
        let answer = bench.tcp().await.ask(&[43, 14, 4, 2]).await.unwrap();
        !answer.ends_with(b"1.4.2")
    }

    pub async fn no_identification(bench: &Bench) -> bool {
        bench.tcp().await.ask(&[43, 14, 1, 0]).await.unwrap() == [0xab, 1]
    }

    /// A console of the administrator, with a log of 40 entries.
    async fn small_log(bench: &Bench) -> super::common::Console {
        let mut console = bench.logged_in("ada").await;
        console.answer("config set audit_capacity 40").await;
        console
    }

    async fn fill_log(bench: &Bench, entries: usize) {
        let mut plc = bench.tls("clients", "scada-oper").await.unwrap();
        for at in 0..entries {
            plc.ask(&[6, 0, 1, 0, at as u8]).await.unwrap();
        }
    }

    async fn log(console: &mut super::common::Console) -> String {
        console.ask("show audit 100").await.join("\n")
    }

    /// Takes the log's file away, or brings it back.
    fn store(bench: &Bench, works: bool) {
        let folder = bench.device.ready().provisioning.parent().unwrap();
        let (file, away) = (folder.join("audit.log"), folder.join("away"));
        if works {
            std::fs::remove_dir(&file).unwrap();
            std::fs::rename(&away, &file).unwrap();
        } else {
            std::fs::rename(&file, &away).unwrap();
            std::fs::create_dir(&file).unwrap();
        }
    }

    pub async fn audit_full_dies(bench: &Bench) -> bool {
        let _console = small_log(bench).await;
        fill_log(bench, 50).await;
        timeout(SHORT, bench.device.crashed()).await.is_ok()
    }

    pub async fn audit_full_stops(bench: &Bench) -> bool {
        let mut console = small_log(bench).await;
        fill_log(bench, 50).await;
        !log(&mut console).await.contains("output=49")
    }

    pub async fn audit_full_stalls(bench: &Bench) -> bool {
        let _console = small_log(bench).await;
        fill_log(bench, 50).await;
        sleep(Duration::from_millis(400)).await;
        let mut client = bench.tcp().await;
        let before = client.ask(&[4, 0, 1, 0, 1]).await.unwrap();
        sleep(SHORT).await;
        client.ask(&[4, 0, 1, 0, 1]).await.unwrap() == before
    }

    pub async fn no_audit_warning(bench: &Bench) -> bool {
        let mut console = small_log(bench).await;
        fill_log(bench, 38).await;
        !log(&mut console).await.contains("type=log_nearly_full")
    }

    pub async fn audit_warning_fixed(bench: &Bench) -> bool {
        let mut console = small_log(bench).await;
        console.answer("config set audit_warning 90").await;
        fill_log(bench, 25).await;
        log(&mut console).await.contains("type=log_nearly_full")
    }

    pub async fn audit_failure_silent(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        store(bench, false);
        fill_log(bench, 3).await;
        store(bench, true);
        sleep(SHORT).await;
        let log = log(&mut console).await;
        !log.contains("type=log_failed") && !log.contains("output=2")
    }

    pub async fn audit_failure_stops_control(bench: &Bench) -> bool {
        let mut console = bench.logged_in("otto").await;
        store(bench, false);
        console.answer("set output 7").await;
        console.answer("set output 8").await != "OK"
    }

    pub async fn audit_failure_for_good(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        store(bench, false);
        fill_log(bench, 3).await;
        store(bench, true);
        sleep(SHORT).await;
        fill_log(bench, 3).await;
        !log(&mut console).await.contains("output=2")
    }

    /// The stamps of the log, in milliseconds since 1970.
    async fn stamps(bench: &Bench) -> Vec<i64> {
        let mut console = bench.logged_in("ada").await;
        let log = console.ask("show audit 100").await;
        let stamp = |line: &String| line.split(' ').next()?.parse::<jiff::Timestamp>().ok();
        log.iter()
            .filter_map(stamp)
            .map(jiff::Timestamp::as_millisecond)
            .collect()
    }

    fn now() -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }

    pub async fn clock_off(bench: &Bench) -> bool {
        stamps(bench).await[0] - now() > 3_000_000
    }

    pub async fn clock_resets(bench: &Bench) -> bool {
        let (again, _folder) = bench.again_with("clock.json").await;
        now() - stamps(&again).await[0] > 86_400_000
    }

    pub async fn stamps_jump(bench: &Bench) -> bool {
        !stamps(bench).await.is_sorted()
    }

    /// A time server that is so many milliseconds ahead, and answers for as long as the device is there.
    async fn time_server(ahead: std::sync::Arc<std::sync::atomic::AtomicI64>) -> String {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let mut packet = [0; 48];
            while let Ok((_, client)) = socket.recv_from(&mut packet).await {
                let time = now() + ahead.load(std::sync::atomic::Ordering::Relaxed);
                let seconds = (time / 1000 + 2_208_988_800) as u32;
                packet.copy_within(40..48, 24);
                (packet[0], packet[1]) = (0x24, 1);
                for at in [32, 40] {
                    packet[at..at + 4].copy_from_slice(&seconds.to_be_bytes());
                    packet[at + 4..at + 8].fill(0);
                }
                let _ = socket.send_to(&packet, client).await;
            }
        });
        address
    }

    /// How far ahead the device is in the end, of a time server that makes these steps, in seconds; and its log.
    async fn followed(bench: &Bench, steps: &[i64]) -> (i64, String) {
        let ahead = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
        let address = time_server(ahead.clone()).await;
        let mut console = bench.logged_in("ada").await;
        console.answer(&format!("time source {address}")).await;
        for step in steps {
            ahead.store(step * 1000, std::sync::atomic::Ordering::Relaxed);
            sleep(Duration::from_millis(350)).await;
        }
        let time = console.answer("time show").await;
        let time: jiff::Timestamp = time.strip_prefix("OK ").unwrap().parse().unwrap();
        let ahead = (time.as_millisecond() - now() + 500) / 1000;
        console.answer("time source none").await;
        (ahead, log(&mut console).await)
    }

    pub async fn time_server_ignored(bench: &Bench) -> bool {
        followed(bench, &[120]).await.0 < 100
    }

    pub async fn time_server_once(bench: &Bench) -> bool {
        followed(bench, &[120, 1000]).await.0 < 500
    }

    pub async fn time_set_by_anyone(bench: &Bench) -> bool {
        let mut console = bench.logged_in("vera").await;
        console.answer("time set 2027-01-01T00:00:00Z").await == "OK"
    }

    pub async fn time_refusal_unlogged(bench: &Bench) -> bool {
        let mut console = bench.logged_in("erik").await;
        assert_eq!(
            console.answer("time source none").await,
            "error: not permitted"
        );
        !log(&mut console).await.contains("detail=\"set_time\"")
    }

    pub async fn implausible_time_taken(bench: &Bench) -> bool {
        followed(bench, &[7200]).await.0 > 7000
    }

    pub async fn implausible_time_unlogged(bench: &Bench) -> bool {
        let (ahead, log) = followed(bench, &[7200]).await;
        assert!(ahead < 100);
        !log.contains("type=time_rejected")
    }

    pub async fn audit_clear_by_engineer(bench: &Bench) -> bool {
        bench.logged_in("erik").await.answer("audit clear").await == "OK"
    }

    pub async fn audit_cleared_anyway(bench: &Bench) -> bool {
        let mut console = bench.logged_in("erik").await;
        assert_eq!(console.answer("audit clear").await, "error: not permitted");
        !log(&mut console).await.contains("type=start")
    }

    pub async fn audit_clear_unlogged(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.answer("audit clear").await;
        !log(&mut console).await.contains("type=clear")
    }

    pub async fn audit_volatile(bench: &Bench) -> bool {
        let (again, _folder) = bench.again_with("audit.log").await;
        let log = log(&mut again.logged_in("ada").await).await;
        log.matches("type=start").count() < 2
    }

    pub async fn audit_read_by_operator(bench: &Bench) -> bool {
        let mut console = bench.logged_in("otto").await;
        log(&mut console).await.contains("type=login user=otto")
    }

    pub async fn audit_reading_consumes(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        log(&mut console).await;
        !log(&mut console).await.contains("type=start")
    }

    async fn export(bench: &Bench) -> Vec<String> {
        let mut console = bench.logged_in("erik").await;
        console.answer("audit clear").await;
        let mut lines = console.ask("show audit json 50").await;
        assert_eq!(lines.pop().as_deref(), Some("OK"));
        lines
    }

    pub async fn export_leaves_out_failures(bench: &Bench) -> bool {
        !export(bench)
            .await
            .join("\n")
            .contains(r#""result":"failure""#)
    }

    pub async fn export_without_time(bench: &Bench) -> bool {
        !export(bench).await.join("\n").contains(r#""time":"#)
    }

    pub async fn export_cut_short(bench: &Bench) -> bool {
        let last = export(bench).await.pop().unwrap();
        serde_json::from_str::<serde_json::Value>(&last).is_err()
    }

    /// Whether a restore is told of.
    async fn restore_told(bench: &Bench, altered: bool) -> bool {
        let mut ear = gateway(bench, "gw-telemetry").await;
        ear.subscribe("plant/alert").await;
        let mut console = bench.logged_in("ada").await;
        let mut backup = console.ask("backup").await.remove(0);
        if altered {
            backup.replace_range(40..41, if &backup[40..41] == "A" { "B" } else { "A" });
        }
        let answer = console.answer(&format!("restore {backup}")).await;
        assert_eq!(answer == "OK", !altered);
        timeout(SHORT, ear.message("plant/alert")).await.is_ok()
    }

    pub async fn no_integrity_alert(bench: &Bench) -> bool {
        !restore_told(bench, true).await
    }

    pub async fn integrity_alert_always(bench: &Bench) -> bool {
        restore_told(bench, false).await
    }

    /// Whether a lockout is told within so many milliseconds, by MQTT or on the console.
    async fn lockout_told(bench: &Bench, by_mqtt: bool, millis: u64) -> bool {
        let mut ear = gateway(bench, "gw-telemetry").await;
        ear.subscribe("plant/alert").await;
        if by_mqtt {
            for _ in 0..3 {
                let wrong = Some(("gw-control", "Wrong-Password1"));
                assert!(V5::connect(bench, "id-wrong", wrong).await.is_err());
            }
        } else {
            let mut console = bench.console().await;
            for _ in 0..3 {
                assert!(!console.try_login("vera", "Wrong-Password1").await);
            }
        }
        let told = ear.message("plant/alert");
        timeout(Duration::from_millis(millis), told)
            .await
            .is_ok_and(|alert| alert.contains("lockout"))
    }

    pub async fn no_lockout_alert(bench: &Bench) -> bool {
        !lockout_told(bench, false, 1000).await
    }

    pub async fn alert_late(bench: &Bench) -> bool {
        !lockout_told(bench, false, 1000).await
    }

    pub async fn alert_not_for_mqtt(bench: &Bench) -> bool {
        !lockout_told(bench, true, 1000).await
    }

    /// A file of the vendor's with one byte altered, in base64.
    fn altered(bench: &Bench, name: &str, at: usize) -> String {
        let engine = base64::engine::general_purpose::STANDARD;
        let mut bytes = engine.decode(bench.vendor(name)).unwrap();
        bytes[at] ^= 0x10;
        engine.encode(bytes)
    }

    async fn answer(bench: &Bench, user: &str, command: &str) -> String {
        let mut console = bench.logged_in(user).await;
        let answer = console.answer(command).await;
        leave(console).await;
        answer
    }

    async fn leave(mut console: super::common::Console) {
        console.send("logout").await;
        console.expect("login: ").await;
    }

    async fn version(bench: &Bench) -> String {
        let answer = answer(bench, "vera", "show version").await;
        let version = answer
            .split_once("firmware=")
            .and_then(|(_, rest)| rest.split(' ').next());
        version.unwrap().to_owned()
    }

    /// What a console that is asked for an image of these bytes says, and the version after it.
    async fn installs(bench: &Bench, data: &str) -> bool {
        let said = answer(bench, "ada", &format!("update install {data}")).await;
        let done = said == "OK";
        assert_eq!(done, version(bench).await != "1.4.2", "{said}");
        done
    }

    pub async fn tampering_unrecorded(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        let data = altered(bench, "site.cfg", 90);
        assert_eq!(
            console.answer(&format!("config import {data}")).await,
            "error: bad value"
        );
        let log = console.ask("show audit").await.join("\n");
        !log.contains("type=integrity user=ada result=failure")
    }

    pub async fn import_refused_but_applied(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        let end = "TC-100 configuration\nlimit=850\nlockout=2s\nsigner=".len() + 60;
        let data = altered(bench, "site.cfg", end);
        assert_eq!(
            console.answer(&format!("config import {data}")).await,
            "error: bad value"
        );
        console.answer("show limit").await == "OK 850"
    }

    pub async fn import_any_signer(bench: &Bench) -> bool {
        let data = bench.vendor("foreign.cfg");
        answer(bench, "ada", &format!("config import {data}")).await == "OK"
    }

    pub async fn output_holds_on_loss(bench: &Bench) -> bool {
        answer(bench, "ada", "config set output_on_loss 0").await;
        let mut master = gateway(bench, "gw-control").await;
        master
            .publish("plant/cmd", r#"{"id":"x","set_output":7}"#)
            .await;
        let mut witness = bench.tcp().await;
        sleep(SHORT).await;
        assert_eq!(witness.ask(&[3, 0, 1, 0, 1]).await.unwrap(), [3, 2, 0, 7]);
        drop(master);
        sleep(SHORT).await;
        witness.ask(&[3, 0, 1, 0, 1]).await.unwrap() != [3, 2, 0, 0]
    }

    pub async fn output_full_after_restart(bench: &Bench) -> bool {
        assert_eq!(answer(bench, "otto", "set output 7").await, "OK");
        answer(&bench.again().await, "vera", "show output").await != "OK 7"
    }

    /// Loads a program and runs it; what runs then.
    async fn program(bench: &Bench, user: &str, program: &str) -> String {
        answer(bench, user, &format!("code load {program}")).await;
        answer(bench, user, "code run").await;
        runs_now(bench).await
    }

    async fn runs_now(bench: &Bench) -> String {
        answer(bench, "vera", "code show").await
    }

    pub async fn code_by_anyone(bench: &Bench) -> bool {
        program(bench, "vera", &bench.vendor("guard-1.prg")).await == "OK program=1.0"
    }

    pub async fn code_refused_but_runs(bench: &Bench) -> bool {
        program(bench, "vera", &bench.vendor("guard-1.prg")).await == "OK program=1.0"
    }

    pub async fn removed_code_returns(bench: &Bench) -> bool {
        let runs = program(bench, "erik", &bench.vendor("guard-1.prg")).await;
        assert_eq!(runs, "OK program=1.0");
        assert_eq!(answer(bench, "erik", "code remove").await, "OK");
        runs_now(&bench.again().await).await != "OK program=none"
    }

    pub async fn code_unchecked(bench: &Bench) -> bool {
        program(bench, "erik", &bench.vendor("guard-unsigned.prg")).await == "OK program=1.3"
    }

    pub async fn code_any_signer(bench: &Bench) -> bool {
        program(bench, "erik", &bench.vendor("guard-foreign.prg")).await == "OK program=1.2"
    }

    pub async fn refused_code_stored(bench: &Bench) -> bool {
        let runs = program(bench, "erik", &bench.vendor("guard-foreign.prg")).await;
        assert_eq!(runs, "OK program=none");
        runs_now(&bench.again().await).await != "OK program=none"
    }

    pub async fn refused_code_unrecorded(bench: &Bench) -> bool {
        program(bench, "erik", &bench.vendor("guard-unsigned.prg")).await;
        let log = std::fs::read_to_string(bench.store().join("audit.log")).unwrap();
        !log.contains("program refused")
    }

    pub async fn update_forgotten(bench: &Bench) -> bool {
        assert!(installs(bench, &bench.vendor("next.img")).await);
        version(&bench.again().await).await != "1.5.0"
    }

    pub async fn update_marker_first(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        let install = format!("update install {}", bench.vendor("next.img"));
        console.send(&install).await;
        sleep(Duration::from_millis(150)).await;
        version(&bench.again().await).await == "0.0.0"
    }

    pub async fn update_acknowledged_early(bench: &Bench) -> bool {
        assert!(installs(bench, &bench.vendor("next.img")).await);
        version(&bench.again().await).await == "1.4.2"
    }

    pub async fn update_unchecked(bench: &Bench) -> bool {
        installs(bench, &altered(bench, "next.img", 100)).await
    }

    pub async fn update_head_only(bench: &Bench) -> bool {
        assert!(!installs(bench, &altered(bench, "next.img", 100)).await);
        installs(bench, &altered(bench, "next.img", 700)).await
    }

    pub async fn update_any_signer(bench: &Bench) -> bool {
        assert!(!installs(bench, &altered(bench, "foreign.img", 100)).await);
        installs(bench, &bench.vendor("foreign.img")).await
    }

    pub async fn update_downgrade(bench: &Bench) -> bool {
        installs(bench, &bench.vendor("old.img")).await
    }

    pub async fn update_refused_but_stored(bench: &Bench) -> bool {
        assert!(!installs(bench, &bench.vendor("old.img")).await);
        version(&bench.again().await).await == "1.3.0"
    }

    /// Adds the owner's root, and tells whether the owner's configuration is taken.
    async fn owner_is_trusted(bench: &Bench, by: &str) -> bool {
        let root = format!("trust add plant {}", bench.vendor("owner.key"));
        let said = answer(bench, by, &root).await;
        let import = format!("config import {}", bench.vendor("owner.cfg"));
        let taken = answer(bench, "ada", &import).await == "OK";
        assert!(said == "OK" || !taken);
        taken
    }

    pub async fn owner_root_ignored(bench: &Bench) -> bool {
        !owner_is_trusted(bench, "ada").await
    }

    pub async fn owner_root_by_anyone(bench: &Bench) -> bool {
        owner_is_trusted(bench, "otto").await
    }

    pub async fn owner_root_forgotten(bench: &Bench) -> bool {
        assert!(owner_is_trusted(bench, "ada").await);
        let again = bench.again().await;
        let import = format!("config import {}", bench.vendor("owner.cfg"));
        answer(&again, "ada", &import).await != "OK"
    }

    pub async fn boots_altered(bench: &Bench) -> bool {
        let path = bench.store().join("firmware/a.img");
        let mut image = std::fs::read(&path).unwrap();
        image[700] ^= 1;
        std::fs::write(&path, image).unwrap();
        let again = bench.again().await;
        let log = answer_all(&again, "show audit").await;
        let told = log.contains("type=integrity user=- result=failure");
        assert_eq!(told, version(&again).await == "1.4.1");
        !told
    }

    pub async fn boots_foreign(bench: &Bench) -> bool {
        let image = bench.store().join("vendor/foreign.img");
        std::fs::copy(image, bench.store().join("firmware/a.img")).unwrap();
        version(&bench.again().await).await == "1.6.0"
    }

    async fn answer_all(bench: &Bench, command: &str) -> String {
        let mut console = bench.logged_in("ada").await;
        let lines = console.ask(command).await;
        leave(console).await;
        lines.join("\n")
    }

    /// The device's backup, and what `restore` says to it after the limit was changed to 700, with the limit then.
    async fn restored(bench: &Bench, alter: impl Fn(&mut [u8])) -> (String, String) {
        let engine = base64::engine::general_purpose::STANDARD;
        let mut console = bench.logged_in("erik").await;
        let backup = console.ask("backup").await.remove(0);
        assert_eq!(console.answer("set limit 700").await, "OK");
        leave(console).await;
        let mut bytes = engine.decode(backup).unwrap();
        alter(&mut bytes);
        let mut console = bench.logged_in("ada").await;
        let said = console
            .answer(&format!("restore {}", engine.encode(bytes)))
            .await;
        (said, console.answer("show limit").await)
    }

    /// Alters the seal of a backup, which is at its end.
    fn break_seal(bytes: &mut [u8]) {
        let at = bytes.len() - 12;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    }

    pub async fn restore_incomplete(bench: &Bench) -> bool {
        let (said, limit) = restored(bench, |_| {}).await;
        assert_eq!(said, "OK");
        limit == "OK 700"
    }

    pub async fn restore_unchecked(bench: &Bench) -> bool {
        restored(bench, break_seal).await.0 == "OK"
    }

    pub async fn restore_refused_but_applied(bench: &Bench) -> bool {
        let (said, limit) = restored(bench, break_seal).await;
        assert_eq!(said, "error: bad value");
        limit == "OK 900"
    }

    pub async fn settings_lost(bench: &Bench) -> bool {
        assert_eq!(
            answer(bench, "ada", "config set failed_logins 5").await,
            "OK"
        );
        answer(&bench.again().await, "ada", "config show failed_logins").await == "OK 3"
    }

    pub async fn accounts_lost(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.new_password("user add nina viewer", NEW).await;
        drop(console);
        let again = bench.again().await;
        let mut console = again.console().await;
        !console.try_login("nina", NEW).await
    }

    pub async fn passwords_reset(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        console.new_password("user passwd vera", NEW).await;
        drop(console);
        let again = bench.again().await;
        let mut console = again.console().await;
        console.try_login("vera", &bench.password("vera")).await
    }

    pub async fn settings_read_defaults(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        assert_eq!(console.answer("config set lockout 5").await, "OK");
        console.answer("config show lockout").await == "OK 2s"
    }

    pub async fn report_stale(bench: &Bench) -> bool {
        let mut console = bench.logged_in("ada").await;
        assert_eq!(console.answer("config set lockout 5").await, "OK");
        let report = console.ask("show settings json").await.remove(0);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        report["lockout"] == "2s"
    }
}
