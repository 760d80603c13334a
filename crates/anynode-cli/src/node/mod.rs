//! The `node` role: one web server that serves the sample application as long as its parent lives.

mod app;
mod hello;
mod telemetry;

use std::future::IntoFuture;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error};
use anynode::core::{MemoryStore, NodeId, Store};
use anynode::{NearCache, SystemClock};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

pub(crate) use self::hello::Hello;
use self::telemetry::Telemetry;
use crate::args::{self, Strategy};
use crate::demo::{self, Siblings};
use crate::lifeline;
use crate::misuse::Misuse;
use crate::stop::{StopSignals, Stopping};
use crate::store;

/// How long requests in flight may take to finish once the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node may take to report the last uses of sessions and to leave the store's registry:
/// some milliseconds, but for a store that is slow or away.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// How long after its parent a node may live at most; a little more than it takes to stop in order.
pub(crate) const OUTLIVE_MAX: Duration = STOP_TIMEOUT
    .saturating_add(LEAVE_MAX)
    .saturating_add(Duration::from_secs(1));

/// Serves until stdin ends or a signal asks it to stop.
///
/// # Errors
/// [`Misuse`] when a flag cannot be used as it is; else when the store cannot be opened, there is no port, or nobody
/// reads where it serves.
pub(crate) async fn run(node: args::Node) -> Result<(), Error> {
    let mut signals = StopSignals::catch().context("cannot catch signals")?;
    let siblings = node.demo.then(Siblings::unknown);
    let heard = siblings.clone();
    let hear = move |line: &[u8]| heard.iter().for_each(|siblings| siblings.hear(line));
    let lifeline = lifeline::hold(OUTLIVE_MAX, hear).context("cannot watch stdin")?;
    let telemetry = Telemetry::start()?;
    let sessions = app::sessions(&node, open_store(&node).await?);
    let listener = listen(node.listen).await?;
    let address = listener.local_addr().context("the socket has no address")?;
    let stopping = Stopping::when(async move {
        tokio::select! {
            () = signals.next() => {}
            _ = lifeline => {}
        }
    });
    let routes = telemetry.routes();
    let app = app::app(&node, sessions.clone(), siblings, &stopping, routes);
    Hello { address }.print().context("nobody reads stdout")?;
    if node.demo && node.strategy == Strategy::NearCache {
        tokio::spawn(demo::tell_reads(node.name, move || telemetry.reads()));
    }

    let serving = axum::serve(listener, app)
        .with_graceful_shutdown(stopping.clone().begun())
        .into_future();
    let cut = async {
        stopping.begun().await;
        sleep(STOP_TIMEOUT).await;
    };
    let served = tokio::select! {
        served = serving => served.context("cannot serve"),
        () = cut => Ok(()),
    };
    // Receipts wait a little longer for it where this fails.
    let _ = timeout(LEAVE_MAX, sessions.close()).await;
    served
}

async fn open_store(node: &args::Node) -> Result<Arc<dyn Store>, Error> {
    match (node.strategy, &node.store) {
        (Strategy::Central, Some(_)) if anynode::core::planted("node_keeps_sessions_to_itself") => {
            Ok(memory())
        }
        (Strategy::Central, Some(url)) => store::open(url).await,
        (Strategy::NearCache, Some(url)) => {
            let mut options = NearCache::options();
            if let Some(id) = registered(&node.name) {
                options = options.with_node(id);
            }
            Ok(Arc::new(options.over_arc(store::open(url).await?)))
        }
        (Strategy::Central | Strategy::NearCache, None) => Err(Misuse(
            "--store has to name the session store, such as sqlite:sessions.db; or keep sessions \
             in this node's memory with --strategy memory"
                .to_owned(),
        )
        .into()),
        (Strategy::Memory, None) => Ok(memory()),
        // Else the sessions would not be where whoever named a store looks for them.
        (Strategy::Memory, Some(_)) => Err(Misuse(
            "--strategy memory keeps no session in a store, but --store or ANYNODE_STORE in the \
             environment names one; leave one of them out"
                .to_owned(),
        )
        .into()),
    }
}

/// The name by which receipts tell the node from others, and from another that had its name before
/// it; none where its name cannot be part of one.
fn registered(name: &str) -> Option<NodeId> {
    let random = RandomState::new().hash_one(name);
    NodeId::new(format!("{name}.{random:016x}")).ok()
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Arc::new(SystemClock)))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        Misuse(format!(
            "cannot listen on {address}: {error}; choose another address with --listen, or leave \
             it out for a free port"
        ))
        .into()
    })
}
