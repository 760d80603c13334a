//! The proxy: where it listens, and what it is told.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::Fault;
use super::connection::serve;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A proxy in front of one server. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

/// What the connections are told.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    pub(super) fault: Fault,
    /// How many times something was said.
    pub(super) number: u64,
    /// What ended all connections last, if anything, and which order that was: one that was
    /// opened before that ends, even if it hears of a later order first.
    pub(super) ended: Option<(u64, Ending)>,
}

/// How connections are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Reset,
    Cut,
    HalfOpen,
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
        Self::start_sparing(upstream, seed, None).await
    }

    /// As [`Self::start`]; to connections from `spared` nothing is done.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start_sparing(
        upstream: SocketAddr,
        seed: u64,
        spared: Option<IpAddr>,
    ) -> io::Result<Self> {
        let (reserve, listener) = bind()?;
        let address = listener.local_addr()?;
        let (orders, ordered) = watch::channel(Orders::default());
        let counts = Arc::new(Counts::default());
        let door = Door {
            address,
            upstream,
            seed,
            ordered,
            spared,
            calm: watch::Sender::default(),
            counts: counts.clone(),
            _reserve: reserve,
        };
        Ok(Self {
            address,
            orders,
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
        self.orders.send_modify(|orders| {
            orders.number += 1;
            if let Some(ending) = fault.ending() {
                orders.ended = Some((orders.number, ending));
            }
            orders.fault = fault;
        });
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
    ordered: watch::Receiver<Orders>,
    /// Where connections come from that are left alone, and what those are told.
    spared: Option<IpAddr>,
    calm: watch::Sender<Orders>,
    counts: Arc<Counts>,
    _reserve: TcpSocket,
}

// === impl Fault ===

impl Fault {
    /// What it does to connections that are open.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self {
            Self::Reset => Some(Ending::Reset),
            Self::Cut => Some(Ending::Cut),
            Self::HalfOpen => Some(Ending::HalfOpen),
            _ => None,
        }
    }
}

// === impl Door ===

impl Door {
    /// Lets connections in until it is dropped, which ends them.
    async fn accept(mut self, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut connections = JoinSet::new();
        let mut number = 0;
        loop {
            let refuses = self.ordered.borrow_and_update().fault == Fault::Refuse;
            if refuses {
                listener = None;
            } else if listener.is_none() {
                listener = listen(self.address).ok();
            }
            let accepted = tokio::select! {
                changed = self.ordered.changed() => match changed {
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
            let ordered = match self.spared == Some(from.ip()) {
                true => self.calm.subscribe(),
                false => self.ordered.clone(),
            };
            let counts = self.counts.clone();
            connections.spawn(serve(client, self.upstream, seed, ordered, counts));
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
