//! MQTT 3.1.1 and 5.0 over TLS, served by the broker of the `mqtt5` crate inside the device.
//!
//! Why `mqtt5`: of the brokers that can be embedded it is the one that asks the program around it before every login, publication and
//! subscription ([`gate`]), takes publications away from the router ([`command`]), lets the program publish and close connections itself,
//! answers both protocol versions with the reason codes of each, and uses rustls with `ring` alone when its default features are off.
//! `rumqttd` 0.20 knows no rights on topics; `rmqtt` 0.24 cannot be built without aws-lc. What `mqtt5` 0.49 leaves to be wished: its TLS
//! settings are its own (TLS 1.2 and 1.3, resumption on), and 3.1.1 has no way to refuse a publication, so that one is acknowledged and
//! has no effect.

mod command;
mod gate;
mod publisher;

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use mqtt5::broker::config::TlsConfig;
use mqtt5::broker::{BrokerConfig, MqttBroker, StorageBackendType};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::controller::{Controller, StartError};
use crate::pki;
use crate::store::Store;
use gate::Gate;

/// Clients served at a time.
const CLIENTS: usize = 32;
/// Bytes of the longest packet.
const LONGEST_PACKET: usize = 64 * 1024;
const SESSION_EXPIRY: Duration = Duration::from_secs(3600);
/// Acknowledgements that wait to be published; those beyond are dropped.
const WAITING_REPLIES: usize = 256;

/// Starts the broker, and the task that publishes what the device has to tell.
pub(crate) async fn start(
    tasks: &mut JoinSet<()>,
    controller: &Arc<Controller>,
    store: &Store,
    address: SocketAddrV4,
) -> Result<(), StartError> {
    let (replies, waiting) = mpsc::channel(WAITING_REPLIES);
    let gate = Arc::new(Gate::new(Arc::clone(controller), replies));
    let broker = MqttBroker::with_config(config(store, address, &gate)).await;
    let mut broker = broker.map_err(failed)?.with_auth_provider(gate.clone());
    let router = broker.router();
    gate.attach(Arc::clone(&router));
    let mut ready = broker.ready_receiver();
    tasks.spawn(async move {
        if let Err(error) = broker.run().await {
            eprintln!("mqtt: {error}");
        }
    });
    ready.wait_for(|ready| *ready).await.map_err(failed)?;
    tasks.spawn(publisher::run(Arc::clone(controller), router, waiting));
    Ok(())
}

fn config(store: &Store, address: SocketAddrV4, gate: &Arc<Gate>) -> BrokerConfig {
    let tls = TlsConfig::new(store.path(pki::SERVER_CHAIN), store.path(pki::SERVER_KEY))
        .with_bind_address(SocketAddr::V4(address));
    let mut config = BrokerConfig {
        // No plain port.
        bind_addresses: Vec::new(),
        tls_config: Some(tls),
        max_clients: CLIENTS,
        max_packet_size: LONGEST_PACKET,
        session_expiry_interval: SESSION_EXPIRY,
        topic_alias_maximum: 16,
        max_subscriptions_per_client: 32,
        max_retained_messages: 64,
        max_retained_message_size: 4096,
        client_channel_capacity: 256,
        shared_subscription_available: false,
        sys_topics_enabled: false,
        event_handler: Some(gate.clone()),
        ..BrokerConfig::default()
    };
    config.storage_config.backend = StorageBackendType::Memory;
    config.storage_config.max_queued_messages_per_client = 1000;
    config.storage_config.max_queued_bytes_per_client = 1024 * 1024;
    config
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Broker(error.to_string())
}
