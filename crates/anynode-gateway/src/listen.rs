//! Starting and stopping: one thread accepts, and hands each connection to the worker that has fewest.
//!
//! Each worker is a thread with its own runtime and its own connections to the backends.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anynode_core::balance::Rules;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::affinity::Affinity;
use crate::backends::Backends;
use crate::checks::check_all;
use crate::clock::Clock;
use crate::config::{ConfigError, GatewayConfig};
use crate::counters::AffinityCounters;
use crate::proxy::Proxy;
use crate::upstream::Upstream;
use crate::worker::{Accepted, Phase, Worker, stopping};

/// How long accepting rests after it failed, for instance for want of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(20);

/// How many connections wait in the kernel until they are accepted; the system may allow fewer.
///
/// What the standard library asks for (128) is full after a few milliseconds of a burst, and whoever does not
/// fit tries again a second later.
const QUEUE_MAX: u32 = 4096;

/// A gateway that is not started yet.
#[derive(Debug)]
pub struct Gateway {
    config: GatewayConfig,
}

/// A gateway that serves until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    backends: Backends,
    phase: watch::Sender<Phase>,
    threads: Vec<JoinHandle<()>>,
}

/// Why a gateway did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on, most often because another process does.
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A thread or its runtime could not be started.
    Thread(io::Error),
    /// The configuration says what cannot be.
    Config(ConfigError),
}

/// A worker as the acceptor sees it.
#[derive(Debug)]
struct Inbox {
    // Its length is bounded by the permits, of which every accepted connection holds one.
    sender: UnboundedSender<Accepted>,
    share: Arc<()>,
}

// === impl Gateway ===

impl Gateway {
    /// Returns a gateway with this configuration; nothing happens before [`start`](Self::start).
    #[must_use]
    pub fn new(config: GatewayConfig) -> Self {
        Self { config }
    }

    /// Listens, and serves on threads of its own.
    ///
    /// Needs no runtime around it and may be called inside one.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the configuration cannot be, the address is taken, or the system gives no threads.
    pub fn start(self) -> Result<Running, StartError> {
        let Self { config } = self;
        let clock = Clock::start();
        config.check().map_err(StartError::Config)?;
        let backends = backends(&config, clock).map_err(StartError::Config)?;
        let affinity = Affinity::new(&config.affinity).map_err(ConfigError::Cookie);
        let affinity = Arc::new(affinity.map_err(StartError::Config)?);
        let outcomes = Arc::new(AffinityCounters::new());
        let keeper = runtime()?;
        let listening = {
            let _entered = keeper.enter();
            listen(config.listen)
        };
        let (listener, local_addr) = match listening {
            Ok(listening) => listening,
            Err(source) => {
                // Dropping it would panic where this is called inside a runtime.
                keeper.shutdown_background();
                let address = config.listen;
                return Err(StartError::Listen { address, source });
            }
        };

        let (phase, watching) = watch::channel(Phase::Serving);
        let mut running = Running {
            local_addr,
            backends: backends.clone(),
            phase,
            threads: Vec::new(),
        };
        let (serving, mut served) = mpsc::channel::<Infallible>(1);
        let mut inboxes = Vec::new();
        let trusted_proxies: Arc<[_]> = config.trusted_proxies.as_slice().into();
        for _ in 0..workers(&config) {
            let (sender, accepted) = mpsc::unbounded_channel();
            let share = Arc::default();
            inboxes.push(Inbox { sender, share });
            let worker = Worker {
                proxy: Proxy {
                    backends: backends.clone(),
                    upstream: Upstream::new(clock, config.limits),
                    after_silence: config.after_silence,
                    affinity: Arc::clone(&affinity),
                    outcomes: Arc::clone(&outcomes),
                    trusted_proxies: Arc::clone(&trusted_proxies),
                    limits: config.limits,
                },
                limits: config.limits,
                accepted,
                keeper: keeper.handle().clone(),
                phase: watching.clone(),
            };
            running.spawn(
                "gateway-worker",
                runtime()?,
                worker.serve(),
                serving.clone(),
            )?;
        }
        drop(serving);
        let checking = config.health.map(|check| check_all(backends, check));
        let accepting = accept(listener, inboxes, config.limits.connections_max, watching);
        let accepting = async move {
            // On the acceptor's runtime, which has time.
            if let Some(checking) = checking {
                tokio::spawn(checking);
            }
            accepting.await;
            // The workers have their timers here.
            let _ = served.recv().await;
        };
        running.spawn("gateway-accept", keeper, accepting, ())?;
        info!(address = %local_addr, "listening");
        Ok(running)
    }
}

fn backends(config: &GatewayConfig, clock: Clock) -> Result<Backends, ConfigError> {
    let rules = Rules {
        balance: config.balance,
        thresholds: config
            .health
            .as_ref()
            .map(|check| check.thresholds)
            .unwrap_or_default(),
        ejection: config.ejection,
    };
    let backends = config.backends.clone();
    Backends::new(backends, rules, config.limits.queue_max, clock).map_err(ConfigError::Backends)
}

fn workers(config: &GatewayConfig) -> usize {
    let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    config.workers.unwrap_or_else(cores).get()
}

/// Binds without `SO_REUSEPORT`, so that a second program on the same port is an error and not a share of its requests.
///
/// It has to be called inside a runtime.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A gateway that restarts finds the connections of its predecessor in their last minute.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(QUEUE_MAX)?;
    let local_addr = listener.local_addr()?;
    Ok((listener, local_addr))
}

// === impl Running ===

impl Running {
    /// Returns the address listened on, with the port the system chose if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Returns the pool, to change while the gateway runs; the handle may outlive the gateway.
    #[must_use]
    pub fn backends(&self) -> Backends {
        self.backends.clone()
    }

    /// Begins to stop and returns at once.
    ///
    /// No further connection is accepted, idle ones are closed, and requests in flight may
    /// finish within [`stop_timeout`](crate::Limits::stop_timeout); what is open then, WebSockets too, is cut.
    pub fn begin_stop(&self) {
        // The workers may all be gone; then there is nobody to tell.
        let _ = self.phase.send(Phase::Stopping);
    }

    /// Stops and waits until it is done, at most a little more than [`stop_timeout`](crate::Limits::stop_timeout).
    ///
    /// It blocks the thread: inside a runtime call it from a blocking task.
    pub fn stop(mut self) {
        self.begin_stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a thread of the gateway ended with a panic");
            }
        }
    }

    /// Runs `work` on a thread of its own, and drops `serving` when nothing of it is left.
    fn spawn(
        &mut self,
        name: &str,
        runtime: Runtime,
        work: impl Future<Output = ()> + Send + 'static,
        serving: impl Send + 'static,
    ) -> Result<(), StartError> {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(work);
                drop(runtime);
                drop(serving);
            })
            .map_err(StartError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }
}

fn runtime() -> Result<Runtime, StartError> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_io().enable_time().build();
    runtime.map_err(StartError::Thread)
}

// === accepting ===

async fn accept(
    listener: TcpListener,
    inboxes: Vec<Inbox>,
    connections_max: usize,
    mut phase: watch::Receiver<Phase>,
) {
    let permits = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
    loop {
        // The permit comes first, so that clients beyond the limit wait in the kernel's queue.
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            () = stopping(&mut phase) => return,
            next = next => next,
        };
        let handed = accepted.and_then(|(stream, client)| {
            let stream = stream.into_std()?;
            hand_out(&inboxes, stream, client, permit);
            Ok(())
        });
        if let Err(error) = handed {
            warn!(%error, "cannot accept a connection");
            sleep(ACCEPT_REST).await;
        }
    }
}

/// Gives a connection to the worker that has fewest.
fn hand_out(
    inboxes: &[Inbox],
    stream: TcpStream,
    client: SocketAddr,
    permit: OwnedSemaphorePermit,
) {
    let fewest = inboxes
        .iter()
        .min_by_key(|inbox| Arc::strong_count(&inbox.share));
    let inbox = fewest.expect("there is at least one worker");
    let accepted = Accepted {
        stream,
        client,
        permit,
        share: Arc::clone(&inbox.share),
    };
    if inbox.sender.send(accepted).is_err() {
        warn!("a worker is gone; its connection is closed");
    }
}

// === impl StartError ===

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, .. } => write!(formatter, "cannot listen on {address}"),
            Self::Thread(_) => formatter.write_str("cannot start a thread of the gateway"),
            Self::Config(error) => error.fmt(formatter),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Thread(source) => Some(source),
            Self::Config(source) => source.source(),
        }
    }
}
