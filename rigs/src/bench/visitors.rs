//! The bench's own servers, to which the device comes as their client.
//!
//! As long as no suite asks for those who come, they are served as the protocol asks, so that the device finds nothing amiss.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::{Bench, BenchError};
use crate::line::{Carrier, Keep, Line, Recorded, Recorder};
use crate::modbus::serve::Held;
use crate::rig::{Name, Server, ServerKind, Values};
use crate::{modbus, mqtt};

/// The most connections that are served at a time, or wait for a suite.
const MOST: usize = 16;
/// The time before the next try where the operating system gives no connection.
const AGAIN: Duration = Duration::from_millis(50);

/// The servers, by their names. Dropping them ends them.
#[derive(Default)]
pub(super) struct Hosts(BTreeMap<Name, Host>);

struct Host {
    address: SocketAddr,
    door: Arc<Door>,
    task: JoinHandle<()>,
}

/// Where those who come are sent.
#[derive(Default)]
struct Door {
    taken: Mutex<Option<mpsc::Sender<(TcpStream, Instant)>>>,
    changed: Notify,
}

impl Door {
    fn set(&self, to: Option<mpsc::Sender<(TcpStream, Instant)>>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = to;
        self.changed.notify_one();
    }

    /// Who comes is served rightly again, unless another suite has taken them by now.
    fn leave(&self, suite: &mpsc::Sender<(TcpStream, Instant)>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.take_if(|it| it.same_channel(suite)).is_some() {
            self.changed.notify_one();
        }
    }

    fn taken(&self) -> Option<mpsc::Sender<(TcpStream, Instant)>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.clone()
    }
}

impl Hosts {
    /// Starts to listen.
    pub(super) async fn start(servers: &BTreeMap<Name, Server>) -> Result<Self, BenchError> {
        let mut hosts = Self::default();
        for (name, server) in servers {
            let cannot = |error: std::io::Error| {
                BenchError::Rig(format!(
                    "the bench's server cannot listen on {} (`server.{name}.listen`): {error}",
                    server.listen
                ))
            };
            let listener = TcpListener::bind(&server.listen).await.map_err(cannot)?;
            let address = listener.local_addr().map_err(cannot)?;
            let door = Arc::new(Door::default());
            let task = tokio::spawn(receive(listener, Arc::clone(&door), server.clone()));
            let host = Host {
                address,
                door,
                task,
            };
            hosts.0.insert(name.clone(), host);
        }
        Ok(hosts)
    }

    /// Where they listen, as placeholders.
    pub(super) fn addresses(&self) -> Values {
        let all = self.0.iter();
        all.map(|(name, host)| (format!("listen.{name}"), host.address.to_string()))
            .collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves somebody who comes as the protocol asks.
async fn serve(stream: TcpStream, server: Server) {
    match server.kind.value {
        ServerKind::Mqtt => mqtt::serve::serve(stream, server.version.into()).await,
        ServerKind::ModbusTcp => {
            let shown = server.shown.as_ref();
            let held = shown.map(|shown| Held::of(shown, shown.values.0));
            modbus::serve::serve(stream, held.unwrap_or_default()).await;
        }
    }
}

async fn receive(listener: TcpListener, door: Arc<Door>, server: Server) {
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match (accepted, door.taken()) {
                (Err(_), _) => sleep(AGAIN).await,
                (Ok((stream, _)), Some(suite)) => {
                    let _ = stream.set_nodelay(true);
                    // Dropping it resets it: thousands leave no ports behind that wait.
                    let _ = stream.set_zero_linger();
                    let _ = suite.try_send((stream, Instant::now()));
                }
                (Ok((stream, _)), None) if served.len() < MOST => {
                    let _ = stream.set_nodelay(true);
                    served.spawn(serve(stream, server.clone()));
                }
                (Ok(_), None) => {}
            },
            // A suite wants the device, or has done with it: it is to come anew.
            () = door.changed.notified() => served.abort_all(),
            Some(_) = served.join_next() => {}
        }
    }
}

/// Somebody who has come to a server of the bench's.
pub struct Visitor {
    /// The connection.
    pub line: Line,
    /// When it came.
    pub came: Instant,
}

/// Those who come to a server of the bench's, for as long as this lives.
pub struct Visitors {
    recorder: Recorder,
    /// The name of the line in the recording, and what it is to analysers.
    label: String,
    carrier: Carrier,
    door: Arc<Door>,
    own: mpsc::Sender<(TcpStream, Instant)>,
    coming: tokio::sync::Mutex<mpsc::Receiver<(TcpStream, Instant)>>,
}

impl Bench {
    /// Takes those who come to a server of the bench's, who are served by nobody else meanwhile.
    ///
    /// # Errors
    /// There is no such server in the rig file.
    pub fn visitors(&self, server: &str) -> Result<Visitors, BenchError> {
        let (host, described) = self
            .hosts
            .0
            .get(server)
            .zip(self.rig.server(server))
            .ok_or_else(|| {
                BenchError::Rig(format!("there is no server `{server}` in the rig file"))
            })?;
        let (sender, coming) = mpsc::channel(MOST);
        host.door.set(Some(sender.clone()));
        Ok(Visitors {
            recorder: self.recorder.clone(),
            label: format!("{}{server}", self.label),
            carrier: described.carrier(),
            door: Arc::clone(&host.door),
            own: sender,
            coming: tokio::sync::Mutex::new(coming),
        })
    }
}

impl Visitors {
    /// The next who comes; none within `limit`. Of the connection's bytes the last are kept when something comes of them.
    pub async fn next(&self, limit: Duration) -> Option<Visitor> {
        let mut coming = self.coming.lock().await;
        let (stream, came) = timeout(limit, coming.recv()).await.ok()??;
        let (recorder, label) = (&self.recorder, &self.label);
        let line = Recorded::new(stream, recorder, label, Some(self.carrier), Keep::Window);
        let line = Box::new(line);
        Some(Visitor { line, came })
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.door.leave(&self.own);
    }
}

#[cfg(test)]
mod tests {
    use slcert_profiles::file::Source;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::mqtt::wire::{Connect, Version};
    use crate::rig::{Rig, SIMULATED};

    const SOON: Duration = Duration::from_secs(5);

    async fn connect(address: &str, version: Version) -> TcpStream {
        let mut device = TcpStream::connect(address).await.unwrap();
        let bytes = Connect::new(version, "device").emit().unwrap();
        device.write_all(&bytes).await.unwrap();
        device
    }

    async fn says(device: &mut TcpStream) -> Vec<u8> {
        let mut bytes = [0; 64];
        let read = timeout(SOON, device.read(&mut bytes)).await.unwrap();
        bytes[..read.unwrap_or(0)].to_vec()
    }

    #[tokio::test]
    async fn who_comes_is_served_rightly_until_a_suite_takes_them() {
        let rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        let hosts = Hosts::start(&rig.servers).await.unwrap();
        let addresses = hosts.addresses();
        for (name, version, connack) in [
            ("site", Version::V5, &[0x20, 3, 0, 0, 0][..]),
            ("site311", Version::V311, &[0x20, 2, 0, 0]),
        ] {
            let address = &addresses[&format!("listen.{name}")];
            let mut device = connect(address, version).await;
            assert_eq!(says(&mut device).await, connack);
            let (suite, mut coming) = mpsc::channel(MOST);
            hosts.0[name].door.set(Some(suite));
            // It is to come anew.
            assert_eq!(says(&mut device).await, [0u8; 0]);
            let taken = connect(address, version).await;
            assert!(timeout(SOON, coming.recv()).await.unwrap().is_some());
            hosts.0[name].door.set(None);
            drop(taken);
            let mut device = connect(address, version).await;
            assert_eq!(says(&mut device).await, connack);
        }
    }

    #[tokio::test]
    async fn who_polls_is_answered_with_the_least_number() {
        let rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        let hosts = Hosts::start(&rig.servers).await.unwrap();
        let address = &hosts.addresses()["listen.upstream"];
        let mut device = TcpStream::connect(address).await.unwrap();
        let request = [0, 9, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1];
        device.write_all(&request).await.unwrap();
        let answer = [0, 9, 0, 0, 0, 5, 1, 4, 2, 0, 1];
        assert_eq!(says(&mut device).await, answer);
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_had_is_told_with_its_place() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rig = Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap();
        let mut servers = rig.servers;
        let site = servers.get_mut("site").unwrap();
        site.listen = taken.local_addr().unwrap().to_string();
        let told = Hosts::start(&servers).await.err().unwrap().to_string();
        assert!(told.contains("`server.site.listen`"), "{told}");
    }
}
