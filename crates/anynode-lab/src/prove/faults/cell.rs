//! One cell of the matrix: one store, one fault, users before, during and after it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Error, ensure};
use tokio::time::sleep;

use super::fault::{Fault, Promise};
use super::row::{Found, Row};
use super::strike::strike;
use crate::checker;
use crate::clock::boot_time;
use crate::fault::{Proxy, WallClocks};
use crate::fleet::{Plan, Strategy};
use crate::history::{Call, Kind as Asked};
use crate::prove::home::{Home, Store};
use crate::server::{Kind, Server};
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
        let (proxies, url) = self.way_to(&mut home, seed).await?;
        let clocks = match self.fault {
            Fault::ClockMoved => Some(WallClocks::new()?),
            _ => None,
        };
        let plan = Plan {
            store: Some(url),
            clocks: clocks.clone(),
            ..Plan::new(Strategy::Central, NODES)
        };
        let mut stage = Stage::start(&plan, load(seed), None).await?;
        stage.perform(Step::Steady(STEADY)).await?;
        let pids = stage.fleet().node_pids();
        let begun = boot_time();
        let clocks = clocks.as_ref();
        let struck = strike(self.fault, &mut home, &proxies, clocks, &mut stage).await;
        let whole = boot_time();
        struck.context("the fault could not be done")?;
        stage.note_fault(begun, self.fault.name());
        await_recovery(&stage, whole).await;
        stage.perform(Step::Steady(STEADY)).await?;
        let same_nodes = stage.fleet().node_pids() == pids;
        let outcome = stage.finish().await?;
        Ok(judge(promise, begun, whole, same_nodes, &outcome))
    }

    /// The URL by which the nodes reach the store, and the proxies on the way, if they are needed.
    async fn way_to(self, home: &mut Home, seed: u64) -> Result<(Vec<Proxy>, String), Error> {
        let mut url = home.url().to_owned();
        let mut proxies = Vec::new();
        if !self.fault.is_of_the_network() {
            return Ok((proxies, url));
        }
        let server = home.server().context("a file has no address")?;
        for (address, number) in server.addresses().into_iter().zip(seed..) {
            let proxy = Proxy::start(address, number).await?;
            if server.kind() == Kind::RedisCluster {
                announce(server, address, proxy.address()).await?;
            }
            // Its host may be a name, for which there is a certificate.
            let port = |of: SocketAddr| format!(":{}", of.port());
            url = url.replace(&port(address), &port(proxy.address()));
            proxies.push(proxy);
        }
        if server.kind() == Kind::RedisCluster {
            await_announced(server, &proxies).await?;
        }
        Ok((proxies, url))
    }
}

/// Lets a node of a cluster name the proxy as its address; the nodes among themselves go on to
/// tell each other directly who serves what.
async fn announce(server: &Server, node: SocketAddr, proxy: SocketAddr) -> Result<(), Error> {
    /// The port that nodes of a cluster tell each other at, counted from the clients' port.
    const BUS: u16 = 10_000;
    let bus = (node.port() + BUS).to_string();
    let port = proxy.port().to_string();
    let set = ["CONFIG", "SET", "cluster-announce-bus-port", &bus];
    server.command_at(node, &set).await?;
    let set = ["CONFIG", "SET", "cluster-announce-port", &port];
    server.command_at(node, &set).await.map(drop)
}

/// Waits until every node of a cluster names all others by their proxies.
async fn await_announced(server: &Server, proxies: &[Proxy]) -> Result<(), Error> {
    let ports = proxies.iter().map(|proxy| proxy.address().port());
    let ports: Vec<_> = ports.map(|port| format!(":{port}@")).collect();
    let until = boot_time() + RECOVERY_MAX;
    for node in server.addresses() {
        loop {
            let known = server.command_at(node, &["CLUSTER", "NODES"]).await?;
            if ports.iter().all(|port| known.contains(port)) {
                break;
            }
            ensure!(boot_time() < until, "a node does not name all proxies");
            sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

fn load(seed: u64) -> Load {
    Load {
        users: USERS,
        rate: RATE,
        mix: Mix {
            visits: 500,
            carts: 50,
            logouts: 25,
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
    let logouts = logouts.filter(|call| call.kind == Asked::Logout && call.is_accepted());
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
