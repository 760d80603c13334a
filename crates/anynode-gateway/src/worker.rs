//! One worker: the connections it was handed, each served until it ends or the gateway stops.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::affinity::LastCookie;
use crate::config::Limits;
use crate::forwarded::Peer;
use crate::guard::Guard;
use crate::lazy_timer::{HeadTimer, LazyTimer};
use crate::proxy::Proxy;
use crate::wire_io::{BUFFER_BYTES_MAX, WireIo};

/// A worker as its own thread sees it.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) proxy: Proxy,
    pub(crate) limits: Limits,
    pub(crate) accepted: UnboundedReceiver<Accepted>,
    /// The runtime for what has to wait long; it outlives this worker.
    pub(crate) keeper: Handle,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// A client's connection on its way from the acceptor to a worker.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) client: SocketAddr,
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) share: Arc<()>,
}

/// A client's connection as long as anything of it is open, a WebSocket it became included.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    _permit: OwnedSemaphorePermit,
    /// Counts this worker's connections: the acceptor reads the count of clones.
    _share: Arc<()>,
    /// When the last of a worker's is dropped, the worker has nothing left to finish.
    _unfinished: mpsc::Sender<Infallible>,
    /// For the backend's answers, of which one is awaited at a time.
    pub(crate) answer_timer: LazyTimer,
    pub(crate) last_cookie: LastCookie,
}

/// Whether the gateway takes new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    Stopping,
}

/// Whether a connection knows of the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It has not asked.
    Unheard,
    /// It will be woken.
    Awaited,
    Heard,
}

/// One client's connection.
struct Connection {
    proxy: Arc<Proxy>,
    open: Arc<OpenConnection>,
    peer: Peer,
    phase: watch::Receiver<Phase>,
    head_timer: HeadTimer,
}

/// Waits until the gateway stops.
///
/// Dropping `Running` drops the sender of the phase, which counts as a stop.
pub(crate) async fn stopping(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
}

// === impl Worker ===

impl Worker {
    /// Serves what the acceptor hands over until it stops, then finishes what is open.
    pub(crate) async fn serve(mut self) {
        self.keeper.spawn(Arc::clone(&self.proxy.upstream).sweep());
        let proxy = Arc::new(self.proxy);
        let (unfinished, mut finished) = mpsc::channel(1);
        while let Some(accepted) = self.accepted.recv().await {
            let open = Arc::new(OpenConnection {
                _permit: accepted.permit,
                _share: accepted.share,
                _unfinished: unfinished.clone(),
                last_cookie: LastCookie::default(),
                answer_timer: LazyTimer::new(self.keeper.clone()),
            });
            let stream = accepted.stream;
            let serving = Connection {
                proxy: Arc::clone(&proxy),
                open,
                peer: Peer::new(accepted.client),
                phase: self.phase.clone(),
                head_timer: HeadTimer::new(self.keeper.clone()),
            };
            tokio::spawn(serving.serve(stream, self.limits));
        }
        drop(unfinished);
        let all_finished = timeout(self.limits.stop_timeout, finished.recv()).await;
        if all_finished.is_err() {
            warn!("requests still in flight are cut");
        }
    }
}

// === impl Connection ===

impl Connection {
    async fn serve(mut self, stream: TcpStream, limits: Limits) {
        let stream = match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => return warn!(%error, "cannot serve a connection"),
        };
        // Without it the end of an answer could wait for an acknowledgement.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let guard = Guard::new(limits.head_bytes_max);
        let io = WireIo::to_client(stream, guard, limits.write_timeout);
        let service = service_fn(|request| {
            let (proxy, open, peer) = (&self.proxy, &self.open, &self.peer);
            async move { Ok::<_, Infallible>(proxy.answer(peer, open, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(self.head_timer.clone())
            .header_read_timeout(limits.head_timeout)
            .max_header_size(limits.head_bytes_max)
            .max_buf_size(BUFFER_BYTES_MAX.max(limits.head_bytes_max))
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let phase = self.phase.clone();
        let mut stopped = pin!(stopping(&mut self.phase));
        let mut stop = Stop::Unheard;
        let ended = poll_fn(|context| {
            // To be woken by the stop it is enough to have asked once: a task keeps its waker.
            if stop == Stop::Unheard || stop == Stop::Awaited && phase.has_changed().unwrap_or(true)
            {
                stop = Stop::Awaited;
                if stopped.as_mut().poll(context).is_ready() {
                    stop = Stop::Heard;
                    connection.as_mut().graceful_shutdown();
                }
            }
            connection.as_mut().poll(context)
        })
        .await;
        if let Err(error) = ended {
            debug!(%error, "a client's connection ended");
        }
    }
}
