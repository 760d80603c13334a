//! `anynode gateway`: the load balancer of a configuration, until somebody stops it.

mod changes;
mod files;
mod watch;

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Error};
use anynode_gateway::{Backend, Backends, Gateway, Running, StartError};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use self::changes::changes;
use self::watch::{Sight, Watch};
use crate::args::{self, Until};
use crate::config::{self, BackendsFile, Config, check};
use crate::lifeline;
use crate::misuse::Misuse;
use crate::node::Hello;
use crate::print::{Form, NobodyReads, say};
use crate::stop::{Asked, ServerSignals};

/// How often the file of the backends is looked at.
///
/// It is read and compared as a whole each time: a file of some kilobytes is in the system's memory, and no
/// change is missed, whether it was renamed into place, written in place, or reached by another symbolic link.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

/// How long after its parent a gateway may live beyond what it gives its requests.
const OUTLIVE_SPARE: Duration = Duration::from_secs(2);

/// The backends of a running gateway, and the file that they follow.
struct Follower {
    path: PathBuf,
    watch: Watch,
    applied: Vec<Backend>,
    backends: Backends,
}

/// Serves until a signal asks it to stop.
///
/// # Errors
/// [`Misuse`] when the configuration cannot be used, else when something could not be started.
pub(crate) async fn run(gateway: args::Gateway) -> Result<(), Error> {
    let mut signals = ServerSignals::catch().context("cannot catch signals")?;
    let Config {
        gateway: settings,
        backends_file,
    } = config::load(&gateway.config)?.map_err(|findings| check::refused(&findings))?;
    files::make_room(&settings.limits);
    let stop_timeout = settings.limits.stop_timeout;
    let applied = settings.backends.clone();
    let running = start(&gateway, settings)?;
    let lifeline = match gateway.until() {
        Until::Asked => None,
        Until::ParentEnds => {
            let held = lifeline::hold(stop_timeout + OUTLIVE_SPARE, |_line| {});
            Some(held.context("cannot watch stdin")?)
        }
    };
    announce(&gateway, &running, applied.len())?;
    let mut follower = backends_file.map(|file| Follower::new(file, applied, running.backends()));
    let mut parent_ended = pin!(async {
        match lifeline {
            Some(lifeline) => drop(lifeline.await),
            None => std::future::pending().await,
        }
    });
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => break,
                Asked::Reload => reload(follower.as_mut()).await,
            },
            () = &mut parent_ended => break,
            () = sleep(LOOK_PERIOD), if follower.is_some() => {
                if let Some(follower) = &mut follower {
                    follower.look().await;
                }
            }
        }
    }
    info!("stopping");
    tokio::select! {
        stopped = spawn_blocking(|| running.stop()) => {
            stopped.context("the gateway did not stop in order")
        }
        () = stop_again(&mut signals) => anyhow::bail!("stopped at once, as it was asked twice"),
    }
}

fn start(
    gateway: &args::Gateway,
    settings: anynode_gateway::GatewayConfig,
) -> Result<Running, Error> {
    let file = gateway.config.display();
    Gateway::new(settings).start().map_err(|error| match error {
        StartError::Listen { address, source } => Misuse(format!(
            "{file}: listen: cannot listen on {address}: {source}; choose another address, or \
             port 0 for a free port"
        ))
        .into(),
        other => Error::new(other).context("the gateway cannot be started"),
    })
}

fn announce(gateway: &args::Gateway, running: &Running, backends: usize) -> Result<(), Error> {
    let address = running.local_addr();
    match gateway.form() {
        Form::Json => Hello { address }.print().context("nobody reads stdout"),
        Form::Text => {
            let said = say(&format!("serving on http://{address}, {backends} backends"));
            // It serves all the same when nobody wants to know.
            said.or_else(|error| error.downcast::<NobodyReads>().map(drop))
        }
    }
}

async fn reload(follower: Option<&mut Follower>) {
    match follower {
        Some(follower) => follower.reload().await,
        None => info!("SIGHUP: the backends are in the configuration, so nothing is read again"),
    }
}

async fn stop_again(signals: &mut ServerSignals) {
    while signals.next().await != Asked::Stop {}
}

// === impl Follower ===

impl Follower {
    fn new(file: BackendsFile, applied: Vec<Backend>, backends: Backends) -> Self {
        Self {
            path: file.path,
            watch: Watch::new(file.bytes),
            applied,
            backends,
        }
    }

    /// Looks at the file, and follows it when it has changed and rests.
    async fn look(&mut self) {
        let sight = self.sight().await;
        if let Some(sight) = self.watch.look(sight) {
            self.follow(sight);
        }
    }

    /// Follows the file as it is now.
    async fn reload(&mut self) {
        info!(file = %self.path.display(), "SIGHUP: reading the backends again");
        let sight = self.sight().await;
        let sight = self.watch.judge(sight);
        self.follow(sight);
    }

    async fn sight(&self) -> Sight {
        let path = self.path.clone();
        // A file system that hangs holds up no signal: only this read waits.
        let read = spawn_blocking(move || config::read(&path)).await;
        read.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into()))
            .map_err(|error| error.kind())
    }

    fn follow(&mut self, sight: Sight) {
        let file = self.path.display();
        let bytes = match sight {
            Ok(bytes) => bytes,
            Err(kind) => {
                return error!(%file, error = %kind, "the backends stay as they are: their file cannot be read");
            }
        };
        match config::parse_backends(&self.path, bytes) {
            Ok(wanted) => self.apply(wanted),
            Err(findings) => {
                for finding in &findings.0 {
                    error!("the backends stay as they are: {finding}");
                }
            }
        }
    }

    fn apply(&mut self, wanted: Vec<Backend>) {
        let changes = changes(&self.applied, &wanted);
        let replaced = self.backends.replace_all(wanted.clone());
        replaced.expect("names and number were checked when the file was read");
        for change in &changes {
            info!("{change}");
        }
        let (backends, changes) = (wanted.len(), changes.len());
        info!(backends, changes, "the backends are as their file says");
        self.applied = wanted;
    }
}
