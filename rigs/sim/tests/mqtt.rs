//! MQTT in both versions, with a client that others wrote.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is amiss"
)]

mod common;

use std::time::Duration;

use common::Bench;
use common::mqtt::{TIME, V5, gateway, transport};
use rumqttc::v5::mqttbytes::v5 as p5;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_the_right_credentials() {
    let bench = Bench::sound().await;
    let mut answers = Vec::new();
    let vera = bench.password("vera");
    for login in [
        None,
        Some(("nobody", "Wrong-Password1")),
        Some(("gw-control", "Wrong-Password1")),
        Some(("vera", vera.as_str())),
    ] {
        answers.push(
            V5::connect(&bench, "x", login)
                .await
                .err()
                .expect("refused"),
        );
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "all refused alike: {answers:?}");
    assert!(answers[0].contains("BadUserNamePassword"), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_sets_the_output_and_is_told_so() {
    let bench = Bench::sound().await;
    let mut client = gateway(&bench, "gw-control").await;
    for topic in ["plant/ack", "plant/output", "plant/identity"] {
        assert!(matches!(
            client.subscribe(topic).await,
            p5::SubscribeReasonCode::Success(_)
        ));
    }
    let identity = client.message("plant/identity").await;
    assert!(identity.contains(r#""firmware":"1.4.2""#), "{identity}");
    let command = r#"{"id":"a1","set_output":612}"#;
    assert_eq!(
        client.publish("plant/cmd", command).await,
        p5::PubAckReason::Success
    );
    assert_eq!(
        client.message("plant/ack").await,
        r#"{"id":"a1","ok":true}"#
    );
    client
        .publish("plant/cmd", r#"{"id":"a2","set_output":1001}"#)
        .await;
    assert_eq!(
        client.message("plant/ack").await,
        r#"{"id":"a2","ok":false,"error":"bad value"}"#
    );
    client.publish("plant/cmd", "}{").await;
    let answer = client.message("plant/ack").await;
    assert_eq!(answer, r#"{"id":null,"ok":false,"error":"bad request"}"#);
    let mut modbus = bench.tcp().await;
    assert_eq!(modbus.ask(&[3, 0, 1, 0, 1]).await.unwrap(), [3, 2, 2, 100]);
    let mut console = bench.logged_in("erik").await;
    let log = console.ask("show audit 50").await.join("\n");
    assert!(
        log.contains("source=mqtt category=system type=write_output user=gw-control"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_published_when_they_change_and_each_second() {
    let bench = Bench::sound().await;
    let mut client = gateway(&bench, "gw-telemetry").await;
    client.subscribe("plant/output").await;
    assert_eq!(
        client.message("plant/output").await,
        r#"{"output":400}"#,
        "retained"
    );
    client.subscribe("plant/level").await;
    assert!(
        client
            .message("plant/level")
            .await
            .starts_with(r#"{"level":"#)
    );
    let mut console = bench.logged_in("otto").await;
    console.answer("set output 55").await;
    assert_eq!(client.message("plant/output").await, r#"{"output":55}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_not_permitted_are_refused_in_version_5() {
    let bench = Bench::sound().await;
    let mut client = gateway(&bench, "gw-telemetry").await;
    for filter in ["#", "+/+", "plant/#", "plant/cmd", "$SYS/#", "other"] {
        let code = client.subscribe(filter).await;
        assert_eq!(code, p5::SubscribeReasonCode::NotAuthorized, "{filter}");
    }
    for topic in ["plant/cmd", "plant/level", "plant/ack", "other"] {
        let reason = client.publish(topic, r#"{"id":"x","set_output":1}"#).await;
        assert_eq!(reason, p5::PubAckReason::NotAuthorized, "{topic}");
    }
    let mut controller = gateway(&bench, "gw-control").await;
    assert_eq!(
        controller.publish("plant/level", "{}").await,
        p5::PubAckReason::NotAuthorized
    );
    let mut modbus = bench.tcp().await;
    assert_eq!(
        modbus.ask(&[3, 0, 1, 0, 1]).await.unwrap(),
        [3, 2, 1, 144],
        "nothing was written"
    );
    let mut console = bench.logged_in("erik").await;
    let log = console.ask("show audit 50").await.join("\n");
    let refused =
        "source=mqtt category=request_error type=refused user=gw-telemetry result=failure";
    assert_eq!(log.matches(refused).count(), 10, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn version_3_1_1_has_the_same_rights() {
    use rumqttc::{ConnectReturnCode, Event, Packet, SubscribeReasonCode};
    let bench = Bench::sound().await;
    let ready = bench.device.ready();
    let connect = |id: &str, user: &str, password: &str| {
        let mut options = rumqttc::MqttOptions::new(id, ready.address.to_string(), ready.mqtt_tls);
        options
            .set_transport(transport(&bench))
            .set_credentials(user, password);
        rumqttc::AsyncClient::new(options, 16)
    };
    let (_client, mut events) = connect("old", "gw-telemetry", "Wrong-Password1");
    match timeout(TIME, events.poll()).await.unwrap() {
        Err(rumqttc::ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword,
        )) => {}
        other => panic!("{other:?}"),
    }
    let (client, mut events) = connect("old", "gw-telemetry", &bench.password("gw-telemetry"));
    let qos = rumqttc::QoS::AtLeastOnce;
    client
        .subscribe_many(
            [("plant/#", qos), ("plant/setpoint", qos)]
                .map(|(filter, qos)| rumqttc::SubscribeFilter::new(filter.into(), qos)),
        )
        .await
        .unwrap();
    client
        .publish("plant/cmd", qos, false, r#"{"id":"x","set_output":1}"#)
        .await
        .unwrap();
    let (mut codes, mut acknowledged, mut setpoint) = (Vec::new(), false, false);
    while codes.is_empty() || !acknowledged || !setpoint {
        match timeout(TIME, events.poll()).await.unwrap().unwrap() {
            Event::Incoming(Packet::SubAck(ack)) => codes = ack.return_codes,
            Event::Incoming(Packet::PubAck(_)) => acknowledged = true,
            Event::Incoming(Packet::Publish(publish)) => {
                setpoint = publish.topic == "plant/setpoint"
            }
            _ => {}
        }
    }
    assert_eq!(
        codes,
        [
            SubscribeReasonCode::Failure,
            SubscribeReasonCode::Success(qos)
        ]
    );
    assert_eq!(
        bench.tcp().await.ask(&[3, 0, 1, 0, 1]).await.unwrap(),
        [3, 2, 1, 144]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_id_belongs_to_its_first_user() {
    let bench = Bench::sound().await;
    let owner = gateway(&bench, "gw-control").await;
    let telemetry = bench.password("gw-telemetry");
    let thief = V5::connect(&bench, "id-gw-control", Some(("gw-telemetry", &telemetry))).await;
    let answer = thief.err().expect("refused");
    assert!(answer.contains("NotAuthorized"), "{answer}");
    drop(owner);
    gateway(&bench, "gw-control").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_count_together_on_every_interface() {
    let bench = Bench::sound().await;
    let mut console = bench.console().await;
    assert!(!console.try_login("gw-control", "Wrong-Password1").await);
    for _ in 0..2 {
        let login = Some(("gw-control", "Wrong-Password1"));
        assert!(V5::connect(&bench, "x", login).await.is_err());
    }
    let password = bench.password("gw-control");
    assert!(
        V5::connect(&bench, "x", Some(("gw-control", &password)))
            .await
            .is_err(),
        "locked"
    );
    gateway(&bench, "gw-telemetry").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    gateway(&bench, "gw-control").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_an_account_ends_its_connection() {
    let bench = Bench::sound().await;
    let mut client = gateway(&bench, "gw-telemetry").await;
    client.subscribe("plant/level").await;
    let mut console = bench.logged_in("ada").await;
    assert!(
        console
            .ask("session list")
            .await
            .join("\n")
            .contains("user=gw-telemetry interface=mqtt")
    );
    assert_eq!(console.answer("user disable gw-telemetry").await, "OK");
    let ended = timeout(TIME, async { while client.next(Some).await.is_ok() {} }).await;
    assert!(ended.is_ok(), "the connection is open still");
    assert!(
        !console
            .ask("session list")
            .await
            .join("\n")
            .contains("gw-telemetry")
    );
    let password = bench.password("gw-telemetry");
    assert!(
        V5::connect(&bench, "y", Some(("gw-telemetry", &password)))
            .await
            .is_err()
    );
}
