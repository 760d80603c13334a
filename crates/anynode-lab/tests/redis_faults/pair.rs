//! A primary and replicas, with switches in between, so that a fail-over loses what it has to.

use std::net::SocketAddr;
use std::sync::Arc;

use anynode::store::open;
use anynode_core::Store;
use anynode_lab::server::{Kind, Server, Setup};

use crate::scene::{calls, eventually, looked_at};
use crate::switch::{Switch, Way};

/// A primary with replicas. Nodes reach it through a switch, and so does each replica.
pub(crate) struct Pair {
    pub(crate) primary: Server,
    pub(crate) replicas: Vec<Replica>,
    front: Switch,
}

/// A replica and its way to the primary.
pub(crate) struct Replica {
    pub(crate) server: Server,
    pub(crate) way: Switch,
}

// === impl Pair ===

impl Pair {
    pub(crate) async fn start(replicas: usize, setup: &Setup) -> Self {
        let primary = Server::start_with(Kind::Redis, setup).await.unwrap();
        let front = Switch::to(address(&primary)).await;
        let mut pair = Self {
            primary,
            replicas: Vec::new(),
            front,
        };
        for _ in 0..replicas {
            let server = Server::start(Kind::Redis).await.unwrap();
            let way = Switch::to(address(&pair.primary)).await;
            let port = way.address().port().to_string();
            let follow = ["REPLICAOF", "127.0.0.1", &port];
            server.command(&follow).await.unwrap();
            pair.replicas.push(Replica { server, way });
        }
        let primary = &pair.primary;
        eventually("all replicas are in step", || async {
            let info = info(primary).await;
            info.matches("state=online").count() == replicas
        })
        .await;
        pair.in_step().await;
        pair
    }

    /// A node's handle on the store.
    pub(crate) async fn node(&self, class: &str) -> Arc<dyn Store> {
        open(&self.url(class)).await.unwrap()
    }

    /// The way by which nodes reach the primary.
    pub(crate) fn front(&self) -> &Switch {
        &self.front
    }

    /// A handle of a node that reaches the primary by a way of its own.
    pub(crate) async fn node_behind(&self, door: &Switch) -> Arc<dyn Store> {
        open(&format!("redis://{}/", door.address())).await.unwrap()
    }

    fn url(&self, class: &str) -> String {
        let options = if class.is_empty() {
            String::new()
        } else {
            format!("?revoke={class}")
        };
        format!("redis://{}/{options}", self.front.address())
    }

    /// Waits until the replicas have everything.
    pub(crate) async fn in_step(&self) {
        for replica in &self.replicas {
            eventually("the replica has everything", || async {
                offset(&self.primary).await == offset(&replica.server).await
            })
            .await;
        }
    }

    /// Nodes no longer reach the primary.
    pub(crate) fn cut_nodes_off(&self) {
        self.front.turn(Way::Cut);
    }

    /// Nodes reach the primary again.
    pub(crate) fn let_nodes_in(&self) {
        self.front.turn(Way::To(address(&self.primary)));
    }

    /// Waits until what is revoked in all buckets has been read so many times, each time by a
    /// node that opened its channel.
    pub(crate) async fn has_been_read_by(&self, nodes: u64) {
        const BUCKETS: u64 = 4096;
        let primary = &self.primary;
        let read = || async { calls(primary, "hgetall").await >= nodes * BUCKETS };
        eventually("what is revoked is read", read).await;
        // The last replies are still on their way.
        looked_at(primary).await;
    }

    /// The primary ends, and this replica takes its place.
    pub(crate) async fn fail_over(&mut self, to: usize) {
        self.primary.kill().await.unwrap();
        let replica = &self.replicas[to].server;
        let promote = ["REPLICAOF", "NO", "ONE"];
        replica.command(&promote).await.unwrap();
        self.front.turn(Way::To(address(replica)));
    }

    /// This replica takes the place of the primary, which goes on as a replica of it. Connections
    /// of nodes lead there from now on, and those that there are stay.
    pub(crate) async fn hand_over(&self, to: usize) {
        let replica = &self.replicas[to].server;
        let promote = ["REPLICAOF", "NO", "ONE"];
        replica.command(&promote).await.unwrap();
        let port = address(replica).port().to_string();
        let follow = ["REPLICAOF", "127.0.0.1", &port];
        self.primary.command(&follow).await.unwrap();
        self.front.lead(address(replica));
    }
}

pub(crate) fn address(server: &Server) -> SocketAddr {
    server.addresses()[0]
}

async fn info(server: &Server) -> String {
    server.command(&["INFO", "replication"]).await.unwrap()
}

async fn offset(server: &Server) -> String {
    let info = info(server).await;
    let field = |line: &str| line.strip_prefix("master_repl_offset:").map(str::to_owned);
    info.lines().find_map(field).unwrap()
}
