//! Sockets in the network namespace of one of the bench's ports. A socket stays in the namespace that it was made in, so it
//! is made on a thread of its own, which enters the namespace and ends.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::End;
use crate::ports::{Goes, Scan};

/// Where `ip netns` keeps its namespaces.
const NAMESPACES: &str = "/run/netns";
/// How often a port that is in use is tried once more.
const TRIES: u32 = 5;
/// The time between two tries.
const BETWEEN: Duration = Duration::from_millis(60);
/// How many routers a group's packet may pass.
const HOPS: u32 = 16;
/// Connections that may wait for the listener.
const BACKLOG: u32 = 16;

/// Does something that makes sockets, in a namespace.
async fn within<T: Send + 'static>(
    namespace: Option<&str>,
    make: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let Some(name) = namespace else {
        return make();
    };
    let path = Path::new(NAMESPACES).join(name);
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name("namespace".into())
        .spawn(move || {
            let entered = File::open(&path)
                .and_then(|file| setns(file, CloneFlags::CLONE_NEWNET).map_err(io::Error::from));
            let entered = entered.map_err(|error| {
                let text = format!(
                    "the namespace {} cannot be entered: {error}",
                    path.display()
                );
                io::Error::new(error.kind(), text)
            });
            let _ = tell.send(entered.and_then(|()| make()));
        })?;
    told.await
        .unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace has ended")))
}

fn tcp(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
}

/// Listens in a network.
pub(super) async fn listen(end: &End, at: SocketAddr) -> io::Result<TcpListener> {
    let make = move || {
        let socket = tcp(at)?;
        // An earlier crossing's connection may still be in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        Ok(socket)
    };
    let socket = when_free(end, make).await?;
    socket.listen(BACKLOG)
}

/// Makes a socket as soon as its port is free, or not much later: another crossing may have had it just now.
async fn when_free<T: Send + 'static>(
    end: &End,
    make: impl Fn() -> io::Result<T> + Copy + Send + 'static,
) -> io::Result<T> {
    for _ in 0..TRIES {
        match within(end.namespace.as_deref(), make).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => sleep(BETWEEN).await,
            made => return made,
        }
    }
    within(end.namespace.as_deref(), make).await
}

/// Connects from the bench's address in a network.
pub(super) async fn dial(end: &End, target: SocketAddr) -> io::Result<TcpStream> {
    let from = SocketAddr::new(end.address, 0);
    let socket = within(end.namespace.as_deref(), move || {
        let socket = tcp(target)?;
        socket.bind(from)?;
        Ok(socket)
    });
    socket.await?.connect(target).await
}

/// The ports of an address that answer in a network.
pub(super) async fn answering(
    end: &End,
    address: IpAddr,
    ports: Vec<u16>,
    limit: Duration,
) -> io::Result<BTreeSet<u16>> {
    let scan = Scan {
        address,
        from: Some(end.address),
        ports,
        limit,
    };
    if end.namespace.is_none() {
        return scan.here().await;
    }
    let goes = Goes::default();
    within(end.namespace.as_deref(), scan.run(&goes)).await
}

/// A UDP socket that listens in a network; to a group, where the address is one.
pub(super) async fn udp(end: &End, at: SocketAddr) -> io::Result<UdpSocket> {
    let address = end.address;
    let make = move || {
        let socket = std::net::UdpSocket::bind(at)?;
        if let (IpAddr::V4(group), IpAddr::V4(here)) = (at.ip(), address)
            && group.is_multicast()
        {
            socket.join_multicast_v4(&group, &here)?;
        }
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    UdpSocket::from_std(when_free(end, make).await?)
}

/// A UDP socket that sends from the bench's address in a network: to one, to all, or to a group.
pub(super) async fn sender(end: &End) -> io::Result<UdpSocket> {
    let socket = udp(end, SocketAddr::new(end.address, 0)).await?;
    socket.set_broadcast(true)?;
    // By the address that it is bound to, a group's packets leave from there; by default they pass no router.
    if end.address.is_ipv4() {
        socket.set_multicast_ttl_v4(HOPS)?;
    }
    Ok(socket)
}

/// Connects to an interface that the device serves in a network.
pub(in crate::bench) async fn connect(
    namespace: Option<&str>,
    address: &str,
    limit: Duration,
) -> io::Result<TcpStream> {
    let target: SocketAddr = address
        .parse()
        .map_err(|_| io::Error::other(format!("`{address}` is no address and port")))?;
    let socket = within(namespace, move || tcp(target)).await?;
    let connected = timeout(limit, socket.connect(target)).await;
    let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}
