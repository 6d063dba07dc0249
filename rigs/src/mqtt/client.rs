//! rumqttc, whose loop ends with the first error and never reconnects.

use std::sync::Arc;

use rumqttc::{NetworkOptions, Outgoing, v5};
use tokio::task::JoinHandle;

use super::relay::{Happening, MAX_INCOMING, Sent, Wire};
use super::settings::MqttSettings;

/// A handle to its loop.
pub(super) enum Client {
    V311(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V311(_) => "Client::V311",
            Self::V5(_) => "Client::V5",
        })
    }
}

/// How many seconds a session of 5.0 that is not clean is kept after its connection, as one of 3.1.1 is.
const KEPT: u32 = 60;
/// How many messages may wait for their acknowledgement: as many as by MQTT 3.1.1, where it is the package's own limit.
const IN_FLIGHT: u16 = 100;
/// How many requests wait for the loop.
pub(super) const MAX_REQUESTS: usize = 16;

pub(super) fn open_v311(
    settings: &MqttSettings,
    port: u16,
    wire: Arc<Wire>,
) -> (Client, JoinHandle<()>) {
    let mut options = rumqttc::MqttOptions::new(&settings.client_id, "127.0.0.1", port);
    options
        .set_keep_alive(settings.keep_alive)
        .set_clean_session(settings.clean)
        .set_max_packet_size(MAX_INCOMING, MAX_INCOMING);
    if let Some(user) = &settings.user {
        options.set_credentials(user, settings.password.as_deref().unwrap_or(""));
    }
    let (client, mut events) = rumqttc::AsyncClient::new(options, MAX_REQUESTS);
    events.set_network_options(at_once());
    let looping = tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(rumqttc::Event::Outgoing(outgoing)) => {
                    if !tell(&wire, &outgoing) {
                        return;
                    }
                }
                Ok(rumqttc::Event::Incoming(_)) => {}
                Err(error) => return wire.give_up(error.to_string()).await,
            }
        }
    });
    (Client::V311(client), looping)
}

pub(super) fn open_v5(
    settings: &MqttSettings,
    port: u16,
    wire: Arc<Wire>,
) -> (Client, JoinHandle<()>) {
    let mut options = v5::MqttOptions::new(&settings.client_id, "127.0.0.1", port);
    options
        .set_keep_alive(settings.keep_alive)
        .set_clean_start(settings.clean)
        // Else each client reserves several megabytes for messages that are not acknowledged.
        .set_outgoing_inflight_upper_limit(IN_FLIGHT)
        .set_max_packet_size(Some(MAX_INCOMING as u32));
    if !settings.clean {
        // Without it a session of 5.0 ends with its connection (MQTT 5.0 section 3.1.2.11.2).
        options.set_session_expiry_interval(Some(KEPT));
    }
    if let Some(user) = &settings.user {
        options.set_credentials(user, settings.password.as_deref().unwrap_or(""));
    }
    options.set_network_options(at_once());
    let (client, mut events) = v5::AsyncClient::new(options, MAX_REQUESTS);
    let looping = tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(v5::Event::Outgoing(outgoing)) => {
                    if !tell(&wire, &outgoing) {
                        return;
                    }
                }
                Ok(v5::Event::Incoming(_)) => {}
                Err(error) => return wire.give_up(error.to_string()).await,
            }
        }
    });
    (Client::V5(client), looping)
}

/// A request behind an acknowledgement is carried at once: without this it waits for 40 ms.
fn at_once() -> NetworkOptions {
    let mut options = NetworkOptions::new();
    options.set_tcp_nodelay(true);
    options
}

/// Passes on what the session waits for; says whether the loop goes on.
fn tell(wire: &Wire, outgoing: &Outgoing) -> bool {
    match outgoing {
        Outgoing::Publish(id) => wire.tell(Happening::Sent(Sent::Publish, *id)),
        Outgoing::Subscribe(id) => wire.tell(Happening::Sent(Sent::Subscribe, *id)),
        Outgoing::Disconnect => return false,
        _ => {}
    }
    true
}
