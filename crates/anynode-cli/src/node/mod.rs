//! The `node` role: one web server that serves the sample application as long as its parent lives.

mod hello;
mod lifeline;

use std::future::IntoFuture;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Error};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

pub(crate) use self::hello::Hello;
use crate::args;
use crate::sample;
use crate::stop::StopSignals;
use crate::store;

/// How long requests in flight may take to finish once the node stops.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Stopping,
}

/// Serves until stdin ends or a signal asks it to stop.
///
/// # Errors
/// When the store cannot be opened, there is no port, or nobody reads where it serves.
pub(crate) async fn run(node: args::Node) -> Result<(), Error> {
    let mut signals = StopSignals::catch().context("cannot catch signals")?;
    let lifeline = lifeline::hold().context("cannot watch stdin")?;
    let store = store::open(&node.store).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("cannot listen on a loopback port")?;
    let address = listener.local_addr().context("the socket has no address")?;
    let app = sample::app(&node.name, store);
    Hello { address }.print().context("nobody reads stdout")?;

    let (stop, stopping) = watch::channel(Phase::Serving);
    tokio::spawn(async move {
        tokio::select! {
            () = signals.next() => {}
            _ = lifeline => {}
        }
        // Nobody waits for it once the server has failed.
        let _ = stop.send(Phase::Stopping);
    });
    let serving = axum::serve(listener, app)
        .with_graceful_shutdown(stopped(stopping.clone()))
        .into_future();
    let cut = async {
        stopped(stopping).await;
        sleep(STOP_TIMEOUT).await;
    };
    tokio::select! {
        served = serving => served.context("cannot serve"),
        () = cut => Ok(()),
    }
}

async fn stopped(mut phase: watch::Receiver<Phase>) {
    // A sender that is gone has sent the phase before.
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
}
