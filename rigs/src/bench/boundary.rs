//! What crosses the device from one network to another: the bench sends on one side, and listens on the other.
//!
//! Every crossing carries a mark of its own, so that nothing else is taken for it, and a listener that heard nothing has to
//! hear the bench on its own side: otherwise it says nothing about the device.

mod socket;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Bench, BenchError};
use crate::line::{Recorder, find};
use crate::rig::{Name, Network, Template, Transport};

pub(super) use socket::connect;

/// A group that no service has: of those that an organisation gives out for itself (RFC 2365 section 6.2).
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 192, 76, 68));
/// How long what is sent may take to the far side; also how long it is waited for before it counts as kept back.
const WINDOW: Duration = Duration::from_millis(700);
/// How long something that was refused may still show up.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);
/// The most that is read of one connection or packet while a mark is looked for.
const MOST: usize = 4096;
/// How long a port may take to answer a scan: what a boundary keeps back says nothing, and that may be nearly all of them.
const PORT_LIMIT: Duration = Duration::from_millis(300);

static NEXT: AtomicU32 = AtomicU32::new(1);

/// One attempt to cross: from where to where, with what.
#[derive(Clone, Debug)]
pub struct Way {
    /// What carries it.
    pub protocol: Transport,
    /// The port on the far side.
    pub port: u16,
    /// What is sent, with `{mark}` in it.
    pub says: &'static str,
    from: End,
    to: End,
    target: SocketAddr,
    listen: SocketAddr,
    words: String,
}

/// The bench's port in one network.
#[derive(Clone, Debug)]
struct End {
    address: IpAddr,
    namespace: Option<String>,
}

impl Way {
    /// The same with other words: a greeting of some protocol, with `{mark}` in it.
    pub fn saying(mut self, says: &'static str) -> Self {
        self.says = says;
        self
    }

    /// The way in words, for a report.
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// What came of an attempt to cross.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// The mark came to the far side.
    Arrived,
    /// A connection was opened on the far side, and the mark did not come.
    Opened,
    /// The sender was told that it does not go.
    Refused(String),
    /// Nothing came, and the sender was told nothing.
    Silent,
    /// This machine does not let the bench use the port.
    NotTried(String),
}

impl Crossing {
    /// Whether something came to the far side.
    pub fn crossed(&self) -> bool {
        matches!(self, Self::Arrived | Self::Opened)
    }

    /// The words for a report.
    pub fn words(&self) -> String {
        match self {
            Self::Arrived => "arrived".to_owned(),
            Self::Opened => "a connection came to the far side".to_owned(),
            Self::Refused(why) => format!("refused ({why})"),
            Self::Silent => "nothing came".to_owned(),
            Self::NotTried(why) => format!("not tried: {why}"),
        }
    }
}

/// A connection across the device that stays open.
pub struct Held {
    near: TcpStream,
    far: TcpStream,
    words: String,
    recorder: Recorder,
}

impl Held {
    /// Whether what is sent now comes to the far side.
    pub async fn passes(&mut self) -> bool {
        let mark = mark();
        let sent = self.near.write_all(mark.as_bytes()).await.is_ok();
        let passed = sent && hears(&mut self.far, &mark, Instant::now() + WINDOW).await;
        let word = if passed { "arrived" } else { "nothing came" };
        self.recorder.note(
            "boundary",
            &format!("{}, open connection: {word}", self.words),
        );
        passed
    }
}

impl Bench {
    /// A way across the device.
    ///
    /// # Errors
    /// The rig file has no such network, or its addresses are none.
    pub fn way(
        &self,
        from: &str,
        to: &str,
        protocol: Transport,
        port: u16,
    ) -> Result<Way, BenchError> {
        let (near, far) = (self.network(from)?, self.network(to)?);
        let (source, goal) = (self.end(near)?, self.end(far)?);
        let target = match &near.device {
            Some(device) if near.relays => self.ip(device)?,
            _ => goal.address,
        };
        Ok(Way {
            protocol,
            port,
            says: "{mark}\n",
            target: SocketAddr::new(target, port),
            listen: SocketAddr::new(goal.address, port),
            from: source,
            to: goal,
            words: format!("{} {port} from {from} to {to}", protocol.word()),
        })
    }

    /// The way of a flow that the rig file declares.
    ///
    /// # Errors
    /// As [`Bench::way`]; there is no such flow.
    pub fn flow(&self, name: &str) -> Result<Way, BenchError> {
        let flow =
            self.rig().flows.get(name).ok_or_else(|| {
                BenchError::Rig(format!("there is no flow `{name}` in the rig file"))
            })?;
        let mut way = self.way(
            flow.from.as_str(),
            flow.to.as_str(),
            flow.protocol,
            flow.port,
        )?;
        if let Some(via) = &flow.via {
            way.target = parse(&self.fill(via)?, "an address and a port")?;
        }
        Ok(way)
    }

    /// The way of what is sent to everybody in one network, and heard by everybody in another; none where the rig file does
    /// not say what means everybody.
    ///
    /// # Errors
    /// As [`Bench::way`].
    pub fn to_all(&self, from: &str, to: &str, port: u16) -> Result<Option<Way>, BenchError> {
        let (near, far) = (self.network(from)?, self.network(to)?);
        let (Some(all_near), Some(all_far)) = (&near.broadcast, &far.broadcast) else {
            return Ok(None);
        };
        let mut way = self.way(from, to, Transport::Udp, port)?;
        way.target = SocketAddr::new(self.ip(all_near)?, port);
        way.listen = SocketAddr::new(self.ip(all_far)?, port);
        way.words = format!("broadcast to UDP {port} from {from} to {to}");
        Ok(Some(way))
    }

    /// The way of what is sent to a group in one network, and heard by whoever is of it in another; none on this machine's own
    /// addresses, which have no groups, where the rig file does not say what stands for one.
    ///
    /// # Errors
    /// As [`Bench::way`].
    pub fn to_group(&self, from: &str, to: &str, port: u16) -> Result<Option<Way>, BenchError> {
        let mut way = self.way(from, to, Transport::Udp, port)?;
        let group = |name: &str, end: &End| match &self.network(name)?.multicast {
            Some(group) => self.ip(group).map(Some),
            None => Ok((!end.address.is_loopback() && end.address.is_ipv4()).then_some(GROUP)),
        };
        let (Some(near), Some(far)) = (group(from, &way.from)?, group(to, &way.to)?) else {
            return Ok(None);
        };
        way.target = SocketAddr::new(near, port);
        way.listen = SocketAddr::new(far, port);
        way.words = format!("multicast to {} from {from} to {to}", way.target);
        Ok(Some(way))
    }

    /// Attempts to cross on all of these ways at once.
    ///
    /// # Errors
    /// A listener of the bench does not hear its own side, or a port cannot be had.
    pub async fn cross(&self, ways: Vec<Way>) -> Result<Vec<(Way, Crossing)>, BenchError> {
        let mut tries = JoinSet::new();
        for (place, way) in ways.into_iter().enumerate() {
            let recorder = self.recorder().clone();
            tries.spawn(async move {
                let crossing = attempt(&way).await;
                let told = match &crossing {
                    Ok(crossing) => crossing.words(),
                    Err(error) => error.to_string(),
                };
                recorder.note("boundary", &format!("{}: {told}", way.words));
                (place, way, crossing)
            });
        }
        let mut found = Vec::new();
        while let Some(tried) = tries.join_next().await {
            let (place, way, crossing) =
                tried.map_err(|error| BenchError::Rig(format!("the bench failed: {error}")))?;
            let crossing =
                crossing.map_err(|error| BenchError::Rig(format!("{}: {error}", way.words)))?;
            found.push((place, way, crossing));
        }
        found.sort_by_key(|(place, ..)| *place);
        Ok(found
            .into_iter()
            .map(|(_, way, crossing)| (way, crossing))
            .collect())
    }

    /// Opens a connection across the device, and keeps it; none where nothing arrives.
    ///
    /// # Errors
    /// A port cannot be had.
    pub async fn hold(&self, way: &Way) -> Result<Option<Held>, BenchError> {
        let failed = |error: io::Error| BenchError::Rig(format!("{}: {error}", way.words));
        let listener = socket::listen(&way.to, way.listen).await.map_err(failed)?;
        let deadline = Instant::now() + WINDOW;
        let near = timeout_at(deadline, socket::dial(&way.from, way.target)).await;
        let Ok(Ok(mut near)) = near else {
            return Ok(None);
        };
        let mark = mark();
        if near.write_all(mark.as_bytes()).await.is_err() {
            return Ok(None);
        }
        while let Ok(Ok((mut far, _))) = timeout_at(deadline, listener.accept()).await {
            if hears(&mut far, &mark, deadline).await {
                return Ok(Some(Held {
                    near,
                    far,
                    words: way.words.clone(),
                    recorder: self.recorder().clone(),
                }));
            }
        }
        Ok(None)
    }

    /// Whether the address that the rig file says answers in a network does; none where it says none.
    ///
    /// # Errors
    /// The address is none.
    pub async fn network_answers(&self, network: &str) -> Result<Option<bool>, BenchError> {
        let described = self.network(network)?;
        let Some(answers) = &described.answers else {
            return Ok(None);
        };
        let target = parse(&self.fill(answers)?, "an address and a port")?;
        let end = self.end(described)?;
        let connected = timeout(WINDOW, socket::dial(&end, target)).await;
        let answered = matches!(connected, Ok(Ok(_)));
        let word = if answered {
            "answers"
        } else {
            "does not answer"
        };
        self.recorder()
            .note("boundary", &format!("{target} in {network}: {word}"));
        Ok(Some(answered))
    }

    /// The TCP ports of the device that answer in a network.
    ///
    /// # Errors
    /// The rig file does not say where the device is in it.
    pub async fn ports_in(&self, network: &str) -> Result<BTreeSet<u16>, BenchError> {
        let described = self.network(network)?;
        let device = described.device.as_ref().ok_or_else(|| {
            BenchError::Rig(format!(
                "the rig file does not say where the device is in `{network}` (`device`)"
            ))
        })?;
        let (address, end) = (self.ip(device)?, self.end(described)?);
        let scan = async |address, ports| {
            let found = socket::answering(&end, address, ports, PORT_LIMIT).await;
            found.map_err(|error| {
                BenchError::Rig(format!("the ports of {address} cannot be tried: {error}"))
            })
        };
        let mut open = scan(address, (1..=u16::MAX).collect()).await?;
        // Servers of this machine that listen on all its addresses are not the device's.
        let loopback = IpAddr::from([127, 255, 255, 253]);
        if end.namespace.is_none() && address.is_loopback() {
            for port in scan(loopback, open.iter().copied().collect()).await? {
                open.remove(&port);
            }
        }
        Ok(open)
    }

    /// Comes to the interfaces that the device serves in a network from there, for as long as what is handed back lives.
    ///
    /// # Errors
    /// The rig file has no such network.
    pub fn come_from(&self, network: &str) -> Result<Visit<'_>, BenchError> {
        self.network(network)?;
        self.recorder()
            .note("bench", &format!("comes from `{network}` from now on"));
        *self
            .comes_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(network.to_owned());
        Ok(Visit(self))
    }

    /// Where an interface is in the network that the bench comes from now, where the device serves it there.
    pub(super) fn elsewhere(&self, interface: &str) -> Option<(&Template, &Network)> {
        let from = self
            .comes_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let network = self.rig().networks.get(from.as_deref()?)?;
        Some((&network.interfaces.get(interface)?.value, network))
    }

    fn network(&self, name: &str) -> Result<&Network, BenchError> {
        self.rig()
            .networks
            .get(name)
            .ok_or_else(|| BenchError::Rig(format!("there is no network `{name}` in the rig file")))
    }

    fn end(&self, network: &Network) -> Result<End, BenchError> {
        Ok(End {
            address: self.ip(&network.address)?,
            namespace: self.namespace(network)?,
        })
    }

    /// The namespace of a network's port; its name becomes part of a path.
    pub(super) fn namespace(&self, network: &Network) -> Result<Option<String>, BenchError> {
        let Some(template) = &network.namespace else {
            return Ok(None);
        };
        let name = self.fill(template)?;
        match Name::new(&name) {
            Some(_) => Ok(Some(name)),
            None => Err(BenchError::Rig(format!(
                "`{name}` is no name of a network namespace (`network.NAME.namespace`)"
            ))),
        }
    }

    fn ip(&self, template: &Template) -> Result<IpAddr, BenchError> {
        parse(&self.fill(template)?, "an address without a port")
    }
}

/// The bench comes from another network.
pub struct Visit<'b>(&'b Bench);

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let mut from = self
            .0
            .comes_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *from = None;
    }
}

fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, BenchError> {
    text.parse()
        .map_err(|_| BenchError::Rig(format!("`{text}` is not {what} (`network`, `flow`)")))
}

/// A text that nothing else sends.
fn mark() -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("slcert-{}-{number}-crossing", std::process::id())
}

async fn attempt(way: &Way) -> io::Result<Crossing> {
    let mark = mark();
    let says = way.says.replace("{mark}", &mark);
    let mut heard = match Ears::open(way, &mark).await {
        Ok(heard) => heard,
        Err(error) => return not_tried(error),
    };
    let crossing = send(way.protocol, &way.from, way.target, &says, &mut heard).await?;
    if !crossing.crossed() {
        let own = send(way.protocol, &way.to, way.listen, &mark, &mut heard).await?;
        proven(&own)?;
    }
    heard.end().await;
    Ok(crossing)
}

fn not_tried(error: io::Error) -> io::Result<Crossing> {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::AddrInUse => {
            Ok(Crossing::NotTried(error.to_string()))
        }
        _ => Err(error),
    }
}

fn proven(own: &Crossing) -> io::Result<()> {
    if *own == Crossing::Arrived {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the bench's listener does not hear the bench on its own side ({}); is its port, or the namespace's `lo`, up?",
        own.words()
    )))
}

/// What a listener hears, until it is dropped.
struct Ears {
    heard: mpsc::Receiver<Crossing>,
    tasks: JoinSet<()>,
}

impl Ears {
    async fn open(way: &Way, mark: &str) -> io::Result<Self> {
        Ok(match way.protocol {
            Transport::Tcp => Self::tcp(socket::listen(&way.to, way.listen).await?, mark),
            Transport::Udp => Self::udp(socket::udp(&way.to, way.listen).await?, mark),
        })
    }

    fn tcp(listener: TcpListener, mark: &str) -> Self {
        let (tell, heard) = mpsc::channel(64);
        let (mark, mut tasks) = (mark.to_owned(), JoinSet::new());
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (tell, mark) = (tell.clone(), mark.clone());
                open.spawn(async move {
                    let _ = tell.try_send(Crossing::Opened);
                    if hears(&mut stream, &mark, Instant::now() + WINDOW * 2).await {
                        let _ = tell.try_send(Crossing::Arrived);
                    }
                });
            }
        });
        Self { heard, tasks }
    }

    fn udp(socket: UdpSocket, mark: &str) -> Self {
        let (tell, heard) = mpsc::channel(64);
        let (mark, mut tasks) = (mark.to_owned(), JoinSet::new());
        tasks.spawn(async move {
            let mut packet = [0; MOST];
            loop {
                match socket.recv_from(&mut packet).await {
                    Ok((count, _)) if find(&packet[..count], mark.as_bytes()).is_some() => {
                        let _ = tell.try_send(Crossing::Arrived);
                    }
                    Ok(_) => {}
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Self { heard, tasks }
    }

    /// Ends the listener: its port is free afterwards.
    async fn end(mut self) {
        self.tasks.shutdown().await;
    }

    /// The best of what is heard until a moment.
    async fn until(&mut self, deadline: Instant) -> Option<Crossing> {
        let mut best = None;
        while let Ok(Some(heard)) = timeout_at(deadline, self.heard.recv()).await {
            if heard == Crossing::Arrived {
                return Some(heard);
            }
            best = Some(heard);
        }
        best
    }
}

async fn send(
    protocol: Transport,
    from: &End,
    target: SocketAddr,
    says: &str,
    heard: &mut Ears,
) -> io::Result<Crossing> {
    match protocol {
        Transport::Tcp => send_tcp(from, target, says, heard).await,
        Transport::Udp => send_udp(from, target, says, heard).await,
    }
}

async fn send_tcp(
    from: &End,
    target: SocketAddr,
    says: &str,
    heard: &mut Ears,
) -> io::Result<Crossing> {
    let connected = timeout(WINDOW, socket::dial(from, target)).await;
    let mut stream = match connected {
        Err(_late) => {
            let heard = heard.until(Instant::now() + AFTER_REFUSAL).await;
            return Ok(heard.unwrap_or(Crossing::Silent));
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::AddrNotAvailable => return Err(error),
        Ok(Err(error)) => {
            let heard = heard.until(Instant::now() + AFTER_REFUSAL).await;
            return Ok(heard.unwrap_or_else(|| Crossing::Refused(error.to_string())));
        }
        Ok(Ok(stream)) => stream,
    };
    let _ = stream.write_all(says.as_bytes()).await;
    let crossing = heard.until(Instant::now() + WINDOW).await;
    Ok(crossing.unwrap_or(Crossing::Silent))
}

async fn send_udp(
    from: &End,
    target: SocketAddr,
    says: &str,
    heard: &mut Ears,
) -> io::Result<Crossing> {
    let socket = socket::sender(from).await?;
    let deadline = Instant::now() + WINDOW;
    let mut refused = None;
    // One packet may be lost without anybody's fault.
    for _ in 0..2 {
        if let Err(error) = socket.send_to(says.as_bytes(), target).await {
            refused = Some(error.to_string());
        }
        let soon = Instant::now() + AFTER_REFUSAL;
        if let Some(crossing) = heard.until(soon.min(deadline)).await {
            return Ok(crossing);
        }
    }
    let crossing = heard.until(deadline).await;
    Ok(crossing.unwrap_or_else(|| refused.map_or(Crossing::Silent, Crossing::Refused)))
}

/// Whether a mark comes on a connection until a moment.
async fn hears(stream: &mut TcpStream, mark: &str, deadline: Instant) -> bool {
    let mut read = Vec::new();
    let mut buffer = [0; 512];
    while read.len() < MOST {
        match timeout_at(deadline, stream.read(&mut buffer)).await {
            Ok(Ok(count @ 1..)) => read.extend_from_slice(&buffer[..count]),
            _ => return false,
        }
        if find(&read, mark.as_bytes()).is_some() {
            return true;
        }
    }
    false
}
