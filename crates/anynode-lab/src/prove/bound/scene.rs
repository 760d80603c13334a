//! What a row works on: a store behind proxies, and nodes with near caches.

use std::net::SocketAddr;

use anyhow::{Context, Error};

use super::claim::Bound;
use crate::fault::{Proxy, WallClocks};
use crate::fleet::{Fleet, Plan, Strategy};
use crate::prove::home::{Home, Store};
use crate::server::{Kind, Persistence, Setup, Standby, Wanted, Whom};

/// Nodes of each row: one to write and revoke, and two that something is done to.
pub(super) const NODES: usize = 3;

/// A store behind proxies, and nodes with near caches.
pub(super) struct Scene {
    pub(super) home: Home,
    /// The kind of the store, if it was started here.
    pub(super) store: Option<Store>,
    /// One before each server, in the order of the servers.
    pub(super) proxies: Vec<Proxy>,
    pub(super) fleet: Fleet,
    pub(super) clocks: Option<WallClocks>,
    pub(super) bound: Bound,
}

// === impl Scene ===

impl Scene {
    /// Starts a store of this kind, or takes the one of this URL, and nodes on it.
    pub(super) async fn start(wanted: &Wanted, seed: u64) -> Result<Self, Error> {
        let store = match wanted {
            Wanted::File => Some(Store::Sqlite),
            Wanted::Kind(kind) => Some(Store::Servers(*kind)),
            Wanted::Url(_) => None,
        };
        let mut home = match store {
            Some(store) => Home::start(store, &setup(store)).await?,
            None => Home::open(wanted).await?,
        };
        let proxies = match home.server() {
            Some(_) => home.go_behind_proxies(seed, Whom::EachProcess).await?,
            None => Vec::new(),
        };
        let bound = Bound::of(home.url()).await?;
        let fleet = Fleet::start(&plan(&home, None)).await?;
        Ok(Self {
            home,
            store,
            proxies,
            fleet,
            clocks: None,
            bound,
        })
    }

    /// Replaces the nodes by others, each with a clock of its own.
    pub(super) async fn give_clocks(&mut self) -> Result<(), Error> {
        if self.clocks.is_some() {
            return Ok(());
        }
        let clocks = WallClocks::new()?;
        let others = Fleet::start(&plan(&self.home, Some(clocks.clone()))).await?;
        self.clocks = Some(clocks);
        let former = std::mem::replace(&mut self.fleet, others);
        former.stop().await
    }

    /// Where each node is asked.
    pub(super) fn nodes(&self) -> Vec<SocketAddr> {
        self.fleet.node_addresses()
    }

    /// The process of this node.
    pub(super) fn pid_of(&self, node: usize) -> Result<u32, Error> {
        let pids = self.fleet.node_pids();
        pids.get(node).copied().context("there is no such node")
    }
}

fn plan(home: &Home, clocks: Option<WallClocks>) -> Plan {
    Plan {
        store: Some(home.url().to_owned()),
        clocks,
        ..Plan::new(Strategy::NearCache, NODES)
    }
}

/// A store that loses nothing that it acknowledged, as far as its kind can promise that.
fn setup(store: Store) -> Setup {
    Setup {
        persistence: Persistence::Always,
        standby: Standby::Synchronous,
        // With one, a primary that took over has none, and acknowledges no revocation.
        replicas: (store == Store::Servers(Kind::RedisCluster)).then_some(2),
        ..Setup::default()
    }
}
