//! One cell of the matrix: one store, one fault, users before, during and after it.

use std::time::Duration;

use anyhow::{Context, Error};
use tokio::time::sleep;

use super::fault::{Fault, Promise};
use super::row::{Found, Row};
use super::strike::strike;
use crate::checker;
use crate::clock::boot_time;
use crate::fault::Proxy;
use crate::fleet::{Plan, Strategy};
use crate::history::{Call, Kind};
use crate::prove::home::{Home, Store};
use crate::stage::{Outcome, Stage, Step};
use crate::user::{Load, Mix};

/// Users of each cell.
const USERS: u32 = 40;

/// Requests per second of each cell.
const RATE: u32 = 80;

/// Nodes of each cell.
const NODES: usize = 2;

/// How long there is load before the fault and after the recovery.
const STEADY: Duration = Duration::from_secs(2);

/// How long a store may take to be of use again.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

/// One store and one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) store: Store,
    pub(super) fault: Fault,
}

// === impl Cell ===

impl Cell {
    /// Lets users come to a fleet on this store while the fault is done.
    pub(super) async fn run(self, seed: u64) -> Row {
        let result = match self.fault.promise(self.store) {
            Err(reason) => return Row::senseless(self, reason),
            Ok(promise) => self.find(promise, seed).await,
        };
        Row::of(self, result)
    }

    async fn find(self, promise: Promise, seed: u64) -> Result<Found, Error> {
        let setup = self.fault.setup(self.store);
        let mut home = Home::start(self.store, &setup).await?;
        let (proxy, url) = self.way_to(&mut home, seed).await?;
        let plan = Plan {
            store: Some(url),
            ..Plan::new(Strategy::Central, NODES)
        };
        let mut stage = Stage::start(&plan, load(seed), None).await?;
        stage.perform(Step::Steady(STEADY)).await?;
        let pids = stage.fleet().node_pids();
        let begun = boot_time();
        let struck = strike(self.fault, &mut home, proxy.as_ref(), &mut stage).await;
        let whole = boot_time();
        struck.context("the fault could not be done")?;
        stage.note_fault(begun, self.fault.name());
        await_recovery(&stage, whole).await;
        stage.perform(Step::Steady(STEADY)).await?;
        let same_nodes = stage.fleet().node_pids() == pids;
        let outcome = stage.finish().await?;
        Ok(judge(promise, begun, whole, same_nodes, &outcome))
    }

    /// The URL by which the nodes reach the store, and the proxy on the way, if one is needed.
    async fn way_to(self, home: &mut Home, seed: u64) -> Result<(Option<Proxy>, String), Error> {
        let url = home.url().to_owned();
        if !self.fault.is_of_the_network() {
            return Ok((None, url));
        }
        let server = home.server().context("a file has no address")?;
        let [address] = server.addresses()[..] else {
            anyhow::bail!("no proxy can be put in front of several servers yet");
        };
        let proxy = Proxy::start(address, seed).await?;
        let url = url.replace(&address.to_string(), &proxy.address().to_string());
        Ok((Some(proxy), url))
    }
}

fn load(seed: u64) -> Load {
    Load {
        users: USERS,
        rate: RATE,
        mix: Mix {
            visits: 500,
            carts: 50,
            logouts: 60,
            late: 2,
            tabs: 2,
        },
        seed,
    }
}

/// Waits until most users were answered after the fault was over; what that took is judged from
/// the history.
async fn await_recovery(stage: &Stage, whole: Duration) {
    let most = usize::try_from(USERS).expect("it is small") * 8 / 10;
    while boot_time() < whole + RECOVERY_MAX && stage.users_answered_since(whole) < most {
        sleep(Duration::from_millis(50)).await;
    }
}

fn judge(
    promise: Promise,
    begun: Duration,
    whole: Duration,
    same_nodes: bool,
    outcome: &Outcome,
) -> Found {
    let calls = &outcome.history.calls;
    let is_meanwhile = |call: &&Call| call.ended >= begun && call.invoked <= whole;
    let logouts = calls.iter().filter(is_meanwhile);
    let logouts = logouts.filter(|call| call.kind == Kind::Logout && call.is_accepted());
    Found {
        promise,
        lasted: whole.saturating_sub(begun),
        failures: checker::failures(calls),
        recovery: checker::recovery(calls, whole),
        logouts_meanwhile: logouts.count(),
        same_nodes,
        verdict: checker::check(&outcome.history),
    }
}
