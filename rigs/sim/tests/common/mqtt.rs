//! A client of MQTT 5.0 that others wrote.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5 as p5;
use rumqttc::{TlsConfiguration, Transport};
use tokio::time::timeout;

use super::{Bench, provider};

pub const TIME: Duration = Duration::from_secs(3);

/// A connection of MQTT 5.0.
pub struct V5 {
    client: rumqttc::v5::AsyncClient,
    events: rumqttc::v5::EventLoop,
}

impl V5 {
    pub async fn connect(
        bench: &Bench,
        id: &str,
        login: Option<(&str, &str)>,
    ) -> Result<Self, String> {
        let ready = bench.device.ready();
        let mut options =
            rumqttc::v5::MqttOptions::new(id, ready.address.to_string(), ready.mqtt_tls);
        options
            .set_transport(transport(bench))
            .set_keep_alive(Duration::from_secs(30));
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, mut events) = rumqttc::v5::AsyncClient::new(options, 16);
        match timeout(TIME, events.poll()).await.unwrap() {
            Ok(rumqttc::v5::Event::Incoming(p5::Packet::ConnAck(_))) => Ok(Self { client, events }),
            Ok(event) => panic!("{event:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The next packet for which the choice answers.
    pub async fn next<T>(&mut self, choose: impl Fn(p5::Packet) -> Option<T>) -> Result<T, String> {
        timeout(TIME, async {
            loop {
                match self.events.poll().await {
                    Ok(rumqttc::v5::Event::Incoming(packet)) => {
                        if let Some(chosen) = choose(packet) {
                            return Ok(chosen);
                        }
                    }
                    Ok(_) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
        })
        .await
        .expect("an answer in time")
    }

    pub async fn subscribe(&mut self, filter: &str) -> p5::SubscribeReasonCode {
        let qos = rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
        self.client.subscribe(filter, qos).await.unwrap();
        let code = |packet| match packet {
            p5::Packet::SubAck(ack) => Some(ack.return_codes[0]),
            _ => None,
        };
        self.next(code).await.unwrap()
    }

    pub async fn publish(&mut self, topic: &str, payload: &str) -> p5::PubAckReason {
        let qos = rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
        self.client
            .publish(topic, qos, true, payload.to_owned())
            .await
            .unwrap();
        let reason = |packet| match packet {
            p5::Packet::PubAck(ack) => Some(ack.reason),
            _ => None,
        };
        self.next(reason).await.unwrap()
    }

    pub async fn message(&mut self, topic: &str) -> String {
        let payload = |packet| match packet {
            p5::Packet::Publish(publish) if publish.topic == topic => {
                Some(String::from_utf8(publish.payload.to_vec()).unwrap())
            }
            _ => None,
        };
        self.next(payload).await.unwrap()
    }
}

pub fn transport(bench: &Bench) -> Transport {
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(bench.roots())
        .with_no_client_auth();
    Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config)))
}

pub async fn gateway(bench: &Bench, user: &str) -> V5 {
    V5::connect(
        bench,
        &format!("id-{user}"),
        Some((user, &bench.password(user))),
    )
    .await
    .unwrap()
}
