//! MQTT 3.1.1 and 5.0 over TLS, served by the broker of the `mqtt5` crate inside the device.
//!
//! Why `mqtt5`: of the brokers that can be embedded it is the one that asks the program around it before every login, publication and
//! subscription ([`gate`]), takes publications away from the router ([`command`]), lets the program publish and close connections itself,
//! and answers both protocol versions. `rumqttd` 0.20 knows no rights on topics; `rmqtt` 0.24 cannot be built without aws-lc. What `mqtt5`
//! 0.49 leaves to be wished is put right before it, in [`screen`], which also ends TLS; the broker itself listens on 127.0.0.1 alone, where
//! it asks for the same logins.

mod command;
mod deep;
mod gate;
mod publisher;
mod screen;

pub(crate) use deep::Deep;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use mqtt5::broker::{BrokerConfig, MqttBroker, StorageBackendType};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::controller::{Controller, StartError};
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
    let acceptor = acceptor(store, controller)?;
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let broker = MqttBroker::with_config(config(&gate)).await;
    let mut broker = broker.map_err(failed)?.with_auth_provider(gate.clone());
    let router = broker.router();
    gate.attach(Arc::clone(&router));
    let inside = broker
        .local_addr()
        .ok_or_else(|| failed("the broker has no address"))?;
    let mut ready = broker.ready_receiver();
    tasks.spawn(async move {
        if let Err(error) = broker.run().await {
            eprintln!("mqtt: {error}");
        }
    });
    ready.wait_for(|ready| *ready).await.map_err(failed)?;
    tasks.spawn(screen::run(
        listener,
        acceptor,
        Arc::clone(controller),
        inside,
        CLIENTS,
        LONGEST_PACKET,
    ));
    tasks.spawn(publisher::run(Arc::clone(controller), router, waiting));
    Ok(())
}

/// TLS 1.2 and 1.3 with the device's certificate; clients log in with MQTT's own means.
fn acceptor(store: &Store, controller: &Controller) -> Result<TlsAcceptor, StartError> {
    let (serial, flaws) = (&controller.plate.serial, &controller.flaws);
    let shown = controller.certificate.by_mqtt(store, serial, flaws)?;
    let mut config = ServerConfig::builder_with_provider(crate::handshake::provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(failed)?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    // A session that has ended stays ended.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn config(gate: &Arc<Gate>) -> BrokerConfig {
    let mut config = BrokerConfig {
        // No port of the device's own address: the screen stands before it.
        bind_addresses: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
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
