//! The proxy: where it listens, and what it is told.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::Fault;
use super::connection::serve;
use super::orders::{Callers, Desk};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A proxy in front of one server. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    desk: Desk,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    accepted: AtomicU64,
    /// How many replies have come since the last order.
    replies: AtomicU64,
    hits: AtomicU64,
}

// === impl Proxy ===

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `upstream`.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(upstream: SocketAddr, seed: u64) -> io::Result<Self> {
        Self::start_for(upstream, seed, Callers::default()).await
    }

    /// As [`Self::start`], with callers of whom some are spared or all told apart.
    ///
    /// # Errors
    /// When there is no free port.
    pub(crate) async fn start_for(
        upstream: SocketAddr,
        seed: u64,
        callers: Callers,
    ) -> io::Result<Self> {
        let (reserve, listener) = bind()?;
        let address = listener.local_addr()?;
        let desk = Desk::new(callers);
        let counts = Arc::new(Counts::default());
        let door = Door {
            address,
            upstream,
            seed,
            desk: desk.clone(),
            counts: counts.clone(),
            _reserve: reserve,
        };
        Ok(Self {
            address,
            desk,
            counts,
            accepting: tokio::spawn(door.accept(listener)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this, and no longer what was done before.
    pub fn set(&self, fault: Fault) {
        self.counts.replies.store(0, Ordering::Relaxed);
        self.desk.say(fault);
    }

    /// Does this to the connections of one process, a child of this one, and to those of others
    /// what was done before; only where processes are told apart.
    pub(crate) fn set_for(&self, process: u32, fault: Fault) {
        self.counts.replies.store(0, Ordering::Relaxed);
        self.desk.say_to(process, fault);
    }

    /// Does nothing any more.
    pub fn heal(&self) {
        self.set(Fault::None);
    }

    /// Does each in turn for so long, and then nothing any more.
    pub async fn play(&self, script: &[(Fault, Duration)]) {
        for (fault, lasting) in script {
            self.set(fault.clone());
            sleep(*lasting).await;
        }
        self.heal();
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// How many connections and pieces of traffic something was done to.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.counts.hits.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A socket that keeps a free port, and a listener on it: who asks while there is no listener is
/// refused, and nobody else gets the port meanwhile.
fn bind() -> io::Result<(TcpSocket, TcpListener)> {
    let reserve = socket()?;
    reserve.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = listen(reserve.local_addr()?)?;
    Ok((reserve, listener))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket()?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

/// Who lets connections in.
struct Door {
    address: SocketAddr,
    upstream: SocketAddr,
    seed: u64,
    desk: Desk,
    counts: Arc<Counts>,
    _reserve: TcpSocket,
}

// === impl Door ===

impl Door {
    /// Lets connections in until it is dropped, which ends them.
    async fn accept(self, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut connections = JoinSet::new();
        let mut ordered = self.desk.ordered();
        let mut number = 0;
        loop {
            let refuses = ordered.borrow_and_update().fault == Fault::Refuse;
            if refuses {
                listener = None;
            } else if listener.is_none() {
                listener = listen(self.address).ok();
            }
            let accepted = tokio::select! {
                changed = ordered.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                accepted = accept(listener.as_ref()) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let Ok((client, from)) = accepted else {
                continue;
            };
            number += 1;
            self.counts.accepted.fetch_add(1, Ordering::Relaxed);
            // Any two connections draw from generators that have nothing in common.
            let seed = self.seed ^ u64::wrapping_mul(number, 0x9e37_79b9_7f4a_7c15);
            let (desk, counts) = (self.desk.clone(), self.counts.clone());
            let (at, upstream) = (self.address, self.upstream);
            connections.spawn(async move {
                let ordered = desk.ordered_for(from, at).await;
                serve(client, upstream, seed, ordered, counts).await;
            });
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

// === impl Counts ===

impl Counts {
    pub(super) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of a reply, from 1.
    pub(super) fn next_reply(&self) -> u64 {
        self.replies.fetch_add(1, Ordering::Relaxed) + 1
    }
}
