//! Which TCP ports of an address answer.
//!
//! A whole scan is 65,535 connections. They are made on one thread that looks at many sockets at once: a task for each of
//! them would take several times the processor time, and the essential functions are read meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::os::fd::AsFd;

/// How many ports are tried at the same time: a program may have 1024 files by default.
const AT_ONCE: usize = 400;
/// How long a port may take to answer. A port that is closed answers at once.
const LIMIT: Duration = Duration::from_millis(600);

/// Ports to be tried.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The address that has them.
    pub address: IpAddr,
    /// The address to come from; any one where left out.
    pub from: Option<IpAddr>,
    /// The ports.
    pub ports: Vec<u16>,
    /// How long one may take to answer.
    pub limit: Duration,
}

/// Ends a scan when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Goes(Arc<AtomicBool>);

impl Drop for Goes {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The ports that answer, of those that are named. The scan ends when it is no longer waited for.
///
/// # Errors
/// This machine makes no socket.
pub async fn answering(address: IpAddr, ports: Vec<u16>) -> io::Result<BTreeSet<u16>> {
    let scan = Scan {
        address,
        from: None,
        ports,
        limit: LIMIT,
    };
    scan.here().await
}

impl Scan {
    /// Tries them from this machine's own network.
    pub async fn here(self) -> io::Result<BTreeSet<u16>> {
        let goes = Goes::default();
        let run = tokio::task::spawn_blocking(self.run(&goes));
        run.await.map_err(io::Error::other)?
    }

    /// What tries them, for a thread that may wait; it ends early once the guard is gone.
    pub fn run(
        self,
        goes: &Goes,
    ) -> impl FnOnce() -> io::Result<BTreeSet<u16>> + Send + 'static + use<> {
        let gone = Arc::clone(&goes.0);
        move || {
            let mut open = BTreeSet::new();
            for some in self.ports.chunks(AT_ONCE) {
                if gone.load(Ordering::Relaxed) {
                    break;
                }
                self.some(some, &mut open)?;
            }
            Ok(open)
        }
    }

    /// Tries some ports at the same time.
    fn some(&self, ports: &[u16], open: &mut BTreeSet<u16>) -> io::Result<()> {
        let mut waiting = Vec::with_capacity(ports.len());
        for &port in ports {
            let socket = self.socket()?;
            match socket.connect(&SockAddr::from(SocketAddr::new(self.address, port))) {
                Ok(()) => {
                    open.insert(port);
                }
                Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {
                    waiting.push((port, socket));
                }
                // It was refused.
                Err(_) => {}
            }
        }
        let until = Instant::now() + self.limit;
        while !waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let mut sockets: Vec<_> = waiting
                .iter()
                .map(|(_, socket)| PollFd::new(socket.as_fd(), PollFlags::POLLOUT))
                .collect();
            let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            match poll(&mut sockets, wait) {
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            let done: Vec<bool> = sockets
                .iter()
                .map(|one| one.any().unwrap_or(true))
                .collect();
            if left.is_zero() && !done.contains(&true) {
                break;
            }
            let mut done = done.into_iter();
            waiting.retain(|(port, socket)| {
                let done = done.next().unwrap_or(true);
                if done && matches!(socket.take_error(), Ok(None)) {
                    open.insert(*port);
                }
                !done
            });
        }
        Ok(())
    }

    fn socket(&self) -> io::Result<Socket> {
        let domain = Domain::for_address(SocketAddr::new(self.address, 0));
        let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if let Some(from) = self.from {
            socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
        }
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_ports_that_answer_are_found_among_all() {
        let address = IpAddr::from([127, 83, 19, 7]);
        let listeners: Vec<_> = (0..3)
            .map(|_| TcpListener::bind((address, 0)).unwrap())
            .collect();
        let ports: BTreeSet<u16> = listeners
            .iter()
            .map(|one| one.local_addr().unwrap().port())
            .collect();
        let found = answering(address, (1..=u16::MAX).collect()).await.unwrap();
        assert!(found.is_superset(&ports), "{found:?} {ports:?}");
        drop(listeners);
        let found = answering(address, ports.into_iter().collect()).await;
        assert_eq!(found.unwrap(), BTreeSet::new());
    }

    #[tokio::test]
    async fn a_port_that_says_nothing_is_not_waited_for_without_an_end() {
        // Its queue is full, so that the next connection gets no answer.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = IpAddr::from([127, 83, 19, 8]);
        socket
            .bind(&SockAddr::from(SocketAddr::new(address, 0)))
            .unwrap();
        socket.listen(0).unwrap();
        let at = socket.local_addr().unwrap().as_socket().unwrap();
        let full: Vec<_> = (0..4)
            .map(|_| {
                let one = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
                let _ = one.connect(&SockAddr::from(at));
                one
            })
            .collect();
        let found = tokio::time::timeout(LIMIT * 5, answering(address, vec![at.port()])).await;
        assert_eq!(found.unwrap().unwrap(), BTreeSet::new());
        drop(full);
    }

    #[test]
    fn a_scan_that_nobody_waits_for_ends() {
        let goes = Goes::default();
        let scan = Scan {
            address: IpAddr::from([127, 83, 19, 9]),
            from: None,
            ports: (1..=u16::MAX).collect(),
            limit: LIMIT,
        };
        let run = scan.run(&goes);
        drop(goes);
        let began = Instant::now();
        assert!(run().unwrap().is_empty() && began.elapsed() < LIMIT);
    }
}
