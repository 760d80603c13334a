//! `anynode up`: a gateway, nodes as child processes, and one session store, until somebody stops it.

mod board;
mod child;
mod keeper;
mod report;
mod state;

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Error};
use anynode_gateway::{Gateway, GatewayConfig, Running, StartError};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use self::board::Board;
use self::child::{Child, Launcher};
use self::keeper::Keeper;
use crate::args;
use crate::misuse::Misuse;
use crate::stop::StopSignals;
use crate::store;

/// How long the gateway lets what is under way finish once it is asked to stop. Pages leave an event stream open,
/// and whoever pressed Ctrl-C waits.
const FINISH_MAX: Duration = Duration::from_secs(2);

/// Whether nodes that ended are started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping,
}

/// The nodes, each with the task that keeps it running.
#[derive(Debug)]
struct Fleet {
    keepers: JoinSet<()>,
    phase: watch::Sender<Phase>,
}

/// Runs the fleet until a signal asks it to stop.
///
/// # Errors
/// [`Misuse`] when a flag cannot be used as it is, and else when something could not be started.
pub(crate) async fn run(up: args::Up) -> Result<(), Error> {
    let mut signals = StopSignals::catch().context("cannot catch signals")?;
    let url = match (up.store, up.state) {
        (Some(_), Some(_)) => return Err(two_places()),
        (Some(url), None) => url,
        (None, state) => state::default_store(state)?,
    };
    // Opened here and closed at once: whatever is wrong with it is said once, and a new file is
    // made by one process.
    drop(store::open(&url).await?);
    let gateway = start_gateway(up.listen)?;
    let board = Board::new();
    let launcher = Launcher::new(executable()?, url.clone(), up.strategy, board.clone());

    let starting = start_nodes(&launcher, up.nodes);
    let children = tokio::select! {
        children = starting => children?,
        // Children that were started end with the pipes that this process holds.
        () = signals.next() => return Ok(()),
    };
    // Nothing is announced before the gateway can pass requests to it.
    for child in &children {
        gateway.backends().insert(child.backend())?;
        board.serves(child);
    }
    report::started(gateway.local_addr(), &children, &url, up.strategy);
    let mut fleet = Fleet::new();
    for child in children {
        let keeper = Keeper::new(
            launcher.clone(),
            gateway.backends(),
            board.clone(),
            fleet.phase.subscribe(),
        );
        fleet.keepers.spawn(keeper.keep(child));
    }

    signals.next().await;
    report::stopping();
    tokio::select! {
        stopped = stop(gateway, fleet) => stopped?,
        () = signals.next() => anyhow::bail!("stopped at once, as it was asked twice"),
    }
    report::stopped();
    Ok(())
}

/// Neither wins: a store that was exported for something else would take the sessions unseen.
fn two_places() -> Error {
    Misuse(
        "--state is where the default store is kept, but --store or ANYNODE_STORE in the \
         environment names another store; leave one of them out"
            .to_owned(),
    )
    .into()
}

fn executable() -> Result<PathBuf, Error> {
    // Asked once: after a rebuild the system would name a file that is no longer there.
    env::current_exe().context("the executable of this process has no path")
}

/// Starts the gateway before the nodes, so that a taken port is found before anything else runs.
fn start_gateway(listen: SocketAddr) -> Result<Running, Error> {
    let mut config = GatewayConfig::new(listen, Vec::new());
    config.limits.stop_timeout = FINISH_MAX;
    Gateway::new(config).start().map_err(|error| match error {
        StartError::Listen { address, source } => Misuse(format!(
            "cannot listen on {address}: {source}; choose another address with --listen, such as \
             --listen 127.0.0.1:0 for a free port"
        ))
        .into(),
        other => Error::new(other).context("the gateway cannot be started"),
    })
}

/// Starts all nodes at once and returns them in their order.
async fn start_nodes(launcher: &Launcher, nodes: u8) -> Result<Vec<Child>, Error> {
    let mut starting = Vec::new();
    for number in 1..=u64::from(nodes) {
        let launcher = launcher.clone();
        starting.push(tokio::spawn(async move { launcher.launch(number).await }));
    }
    let mut children = Vec::new();
    for task in starting {
        children.push(task.await.context("starting a node was cut short")??);
    }
    Ok(children)
}

/// Stops the gateway first, so that no request meets a node that has gone.
async fn stop(gateway: Running, fleet: Fleet) -> Result<(), Error> {
    spawn_blocking(|| gateway.stop())
        .await
        .context("the gateway did not stop in order")?;
    fleet.stop().await;
    Ok(())
}

// === impl Fleet ===

impl Fleet {
    fn new() -> Self {
        Self {
            keepers: JoinSet::new(),
            phase: watch::Sender::new(Phase::Running),
        }
    }

    async fn stop(mut self) {
        // Without a keeper there is no node to stop.
        let _ = self.phase.send(Phase::Stopping);
        while self.keepers.join_next().await.is_some() {}
    }
}
