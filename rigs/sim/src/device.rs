//! A device with its ports: what is started, what is told about it, and how it stops.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::audit::{Category, Event, Source};
use crate::boundary::{self, Networks};
use crate::component::Component;
use crate::console::Console;
use crate::controller::{Controller, StartError};
use crate::flaw::{Defect, FlawSet};
use crate::password;
use crate::provisioning;
use crate::pty::Pty;
use crate::site::{self, Broker};
use crate::store::{Durability, Store};
use crate::{clock, code, loss, modbus, mqtt, purge, upstream};

const MODBUS_TCP: u16 = 1502;
const MODBUS_TLS: u16 = 1802;
const MQTT_TLS: u16 = 8883;
const DEBUG: u16 = 2323;

pub(crate) const ADDRESS: &str = "address.json";
/// Addresses tried for a new device before giving up.
const TRIES: usize = 50;
/// How often the audit log is brought to the disk.
const SYNC_PERIOD: Duration = Duration::from_millis(200);
/// How long the flaws that stall the control loop do so.
pub(crate) const STALL: Duration = Duration::from_secs(3);

/// How a device is started.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Folder that keeps the device's state; a temporary one, removed when the device stops, if `None`.
    pub store: Option<PathBuf>,
    /// Address of a new device in 127.0.0.0/8; a random free one if `None`. A store keeps its address.
    pub address: Option<Ipv4Addr>,
    /// What type of component it is.
    pub component: Component,
    /// The brokers that it comes to as a client.
    pub brokers: Vec<Broker>,
    /// The Modbus TCP server that it polls: `host:port`.
    pub upstream: Option<String>,
    /// The defects it has.
    pub flaws: FlawSet,
}

/// Where a running device is reached.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// The device's own loopback address.
    pub address: Ipv4Addr,
    /// TCP port of plain Modbus, which is read only.
    pub modbus_tcp: u16,
    /// TCP port of Modbus/TCP Security.
    pub modbus_tls: u16,
    /// TCP port of MQTT over TLS.
    pub mqtt_tls: u16,
    /// Link to the console's serial line.
    pub console: PathBuf,
    /// Link to the Modbus RTU serial line.
    pub rtu: PathBuf,
    /// Its two networks.
    #[serde(flatten)]
    pub networks: Networks,
    /// Firmware version.
    pub firmware: String,
    /// What type of component it is.
    pub component: Component,
    /// The sheet with the first passwords and the certificates.
    pub provisioning: PathBuf,
    /// Process id.
    pub pid: u32,
}

/// A running device; dropping it closes its ports.
#[derive(Debug)]
pub struct Device {
    ready: Ready,
    controller: Arc<Controller>,
    tasks: JoinSet<()>,
    _temporary: Option<TempDir>,
}

impl Device {
    /// Starts a device; when this returns, every port is served. Needs a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when the store is damaged or a port cannot be had.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        // Another provider may be there already, if the program around the device chose one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (store, temporary) = open_store(config.store)?;
        let address = choose_address(&store, config.address).await?;
        // The ports first: whoever cannot have them must not touch the store of the device that has.
        let plain = listen(address, MODBUS_TCP).await?;
        let tls = listen(address, MODBUS_TLS).await?;
        let networks = Networks::of(address);
        purge::carry_out(&store, &config.flaws)?;
        let flaws = config.flaws.clone();
        let delivered = |serial: &str| provisioning::provision(&store, &flaws, serial, address);
        let controller = Controller::open(store.clone(), config.flaws, delivered)?;
        let controller = Arc::new(controller);

        let mut tasks = JoinSet::new();
        let (console, rtu) = (line()?, line()?);
        let ready = Ready {
            address,
            modbus_tcp: MODBUS_TCP,
            modbus_tls: MODBUS_TLS,
            mqtt_tls: MQTT_TLS,
            console: store.link("console", console.name())?,
            rtu: store.link("rtu", rtu.name())?,
            networks,
            firmware: controller.firmware_version().to_string(),
            component: config.component,
            provisioning: store.path(provisioning::SHEET),
            pid: std::process::id(),
        };
        let acceptor = modbus::tls::acceptor(&controller)?;
        mqtt::start(
            &mut tasks,
            &controller,
            &store,
            SocketAddrV4::new(address, MQTT_TLS),
        )
        .await?;
        controller.rescue();
        controller.process.start().map_err(port("control loop"))?;

        tasks.spawn(modbus::tcp::serve_plain(plain, Arc::clone(&controller)));
        boundary::start(&mut tasks, &controller, networks).await?;
        if config.component == Component::NetworkDevice {
            let outside = listen(networks.outside, MODBUS_TLS).await?;
            tasks.spawn(modbus::tls::serve_outside(
                outside,
                acceptor.clone(),
                Arc::clone(&controller),
            ));
            if controller.flaws.enabled(Defect::ManagementOutside) {
                tasks.spawn(debug_port(listen(networks.outside, DEBUG).await?));
            }
        }
        tasks.spawn(modbus::tls::serve(tls, acceptor, Arc::clone(&controller)));
        tasks.spawn(modbus::rtu::serve(rtu, Arc::clone(&controller)));
        let shell = Console::new(console, Arc::clone(&controller));
        tasks.spawn(async move {
            if let Err(error) = shell.run().await {
                eprintln!("console: {error}");
            }
        });
        for broker in config.brokers {
            tasks.spawn(site::run(Arc::clone(&controller), broker));
        }
        if let Some(address) = config.upstream {
            tasks.spawn(upstream::run(Arc::clone(&controller), address));
        }
        tasks.spawn(code::run(Arc::clone(&controller)));
        tasks.spawn(loss::watch(Arc::clone(&controller)));
        tasks.spawn(sync_audit(Arc::clone(&controller)));
        tasks.spawn(follow_time(Arc::clone(&controller)));
        if controller.flaws.enabled(Defect::DebugPort) {
            tasks.spawn(debug_port(listen(address, DEBUG).await?));
        }
        controller.audit.record(Event {
            source: Source::Device,
            category: Category::System,
            kind: "start",
            user: "",
            success: true,
            detail: &ready.firmware,
        });
        Ok(Self {
            ready,
            controller,
            tasks,
            _temporary: temporary,
        })
    }

    /// Where the device is reached.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Resolves when a flaw has killed the device; what is left to do is to drop it.
    pub async fn crashed(&self) {
        self.controller.crash.notified().await;
    }

    /// Closes every port and stops the control loop.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.controller.audit.sync();
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.controller.process.stop();
    }
}

fn open_store(folder: Option<PathBuf>) -> Result<(Store, Option<TempDir>), StartError> {
    let temporary = match folder {
        Some(_) => None,
        None => Some(TempDir::with_prefix("tc-100-").map_err(port("temporary folder"))?),
    };
    let folder = temporary
        .as_ref()
        .map(|temporary| temporary.path().to_owned())
        .or(folder);
    Ok((Store::open(&folder.unwrap_or_default())?, temporary))
}

/// The store's address, or a free one for a new store.
async fn choose_address(store: &Store, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, StartError> {
    if let Some(wanted) = wanted.filter(|wanted| wanted.octets()[0] != 127) {
        return Err(StartError::Address(wanted));
    }
    match (store.read::<Ipv4Addr>(ADDRESS)?, wanted) {
        (Some(kept), Some(wanted)) if kept != wanted => Err(StartError::Moved { kept, wanted }),
        (Some(kept), _) => Ok(kept),
        (None, wanted) => {
            let address = match wanted {
                Some(wanted) => wanted,
                None => free_address().await?,
            };
            store.write(ADDRESS, &address, Durability::Synced)?;
            Ok(address)
        }
    }
}

async fn free_address() -> Result<Ipv4Addr, StartError> {
    for _ in 0..TRIES {
        let mut bytes = [0; 3];
        password::random(&mut bytes)?;
        let address = Ipv4Addr::new(127, bytes[0] | 64, bytes[1], bytes[2].clamp(1, 254));
        let mut free = true;
        for port in [MODBUS_TCP, MODBUS_TLS, MQTT_TLS, DEBUG] {
            free &= TcpListener::bind((address, port)).await.is_ok();
        }
        if free {
            return Ok(address);
        }
    }
    Err(port("free loopback address")(
        std::io::ErrorKind::AddrInUse.into(),
    ))
}

async fn listen(address: Ipv4Addr, number: u16) -> Result<TcpListener, StartError> {
    let socket = SocketAddrV4::new(address, number);
    TcpListener::bind(socket)
        .await
        .map_err(port(&format!("TCP port {socket}")))
}

fn line() -> Result<Pty, StartError> {
    Pty::open().map_err(port("pseudo-terminal"))
}

fn port(what: &str) -> impl FnOnce(std::io::Error) -> StartError {
    let what = what.to_owned();
    move |cause| StartError::Port { what, cause }
}

async fn sync_audit(controller: Arc<Controller>) {
    loop {
        tokio::time::sleep(SYNC_PERIOD).await;
        controller.end_overrides(None);
        let controller = Arc::clone(&controller);
        if controller.audit.was_full() {
            if controller.flaws.enabled(Defect::AuditFullDies) {
                controller.crash.notify_one();
            }
            if controller.flaws.enabled(Defect::AuditFullStalls) {
                controller.process.stall(STALL);
            }
        }
        let _ = tokio::task::spawn_blocking(move || controller.audit.sync()).await;
    }
}

async fn follow_time(controller: Arc<Controller>) {
    loop {
        tokio::time::sleep(clock::POLL).await;
        let controller = Arc::clone(&controller);
        let _ = tokio::task::spawn_blocking(move || controller.follow_time()).await;
    }
}

/// The service of the flaws `debug-port` and `management-outside`.
async fn debug_port(listener: TcpListener) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = [0; 64];
            while stream.write_all(b"debug> ").await.is_ok() {
                let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut buffer));
                if !matches!(read.await, Ok(Ok(1..))) {
                    return;
                }
            }
        });
    }
}
