//! A primary, its replicas, and three sentinels that watch over them.

use std::net::SocketAddr;

use anyhow::{Context, Error, bail, ensure};
use async_trait::async_trait;

use super::ask::{Access, field_of};
use super::group::{Group, Role, role, wait_until};
use super::node::Node;
use crate::server::deployment::{Deployment, Doors, Url};
use crate::server::place::Place;
use crate::server::program;
use crate::server::setup::Setup;
use crate::server::tool::Tool;

const SENTINELS: usize = 3;

/// How many of them have to find the primary gone.
const QUORUM: usize = SENTINELS / 2 + 1;

/// What they are told of the primary.
const OPTIONS: [(&str, &str); 3] = [
    // Twice a round trip of a slow network, which is no reason to fail over.
    ("down-after-milliseconds", "1000"),
    ("failover-timeout", "3000"),
    ("parallel-syncs", "2"),
];

/// With two, a primary that took over has one left, without which it would refuse writes.
const REPLICAS: usize = 2;

/// The name of the primary, whichever it is.
const NAME: &str = "mymaster";

/// The first node is the primary at the start; later any may be.
#[derive(Debug)]
pub(in crate::server) struct Sentinel {
    group: Group,
    sentinels: Vec<Node>,
    _place: Place,
}

// === impl Sentinel ===

impl Sentinel {
    /// Starts the nodes, and the sentinels when the replicas follow.
    ///
    /// # Errors
    /// When one cannot be started, or they do not find each other in time.
    pub(in crate::server) async fn start(setup: &Setup) -> Result<Self, Error> {
        let place = Place::new("redis-sentinel")?;
        let nodes = start_nodes(&place, setup).await?;
        let mut sentinel = Self {
            group: Group { nodes },
            sentinels: Vec::new(),
            _place: place,
        };
        let primary = sentinel.group.nodes[0].name();
        wait_until(|| sentinel.is_followed(primary)).await?;
        sentinel.watch(primary).await?;
        wait_until(|| sentinel.whole()).await?;
        Ok(sentinel)
    }

    async fn watch(&mut self, primary: SocketAddr) -> Result<(), Error> {
        let program = program::script("redis-sentinel", "redis")?;
        let (ip, port) = (primary.ip(), primary.port());
        let mut lines = vec![
            format!("bind-source-addr {}", super::SOURCE),
            format!("sentinel announce-ip {}", super::ADDRESS),
            format!("sentinel monitor {NAME} {ip} {port} {QUORUM}"),
        ];
        let options = OPTIONS.iter();
        lines.extend(options.map(|(option, value)| format!("sentinel {option} {NAME} {value}")));
        for number in 0..SENTINELS {
            let name = format!("sentinel-{number}");
            let directory = self._place.make(&name)?;
            let access = Access::default();
            let node = Node::start(&name, &program, &directory, access, &lines).await?;
            self.sentinels.push(node);
        }
        Ok(())
    }

    /// The primary as the sentinels see it.
    async fn primary(&self) -> Result<SocketAddr, Error> {
        let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        let answer = self.sentinels[0].ask(&question).await?;
        let (ip, port) = answer.split_once('\n').context("no primary is known")?;
        Ok(SocketAddr::new(ip.parse()?, port.parse()?))
    }

    /// Whether all running nodes but the primary follow it.
    async fn is_followed(&self, primary: SocketAddr) -> Result<(), Error> {
        let expected = self.group.awake().count() - 1;
        let node = self.group.at(primary)?;
        ensure!(node.is_awake(), "the primary that is known is gone");
        match role(node).await? {
            Role::Primary { replicas } if replicas == expected => {}
            other => bail!("{primary}, which {expected} should follow, is {other:?}"),
        }
        // Not before this is a replica counted as one that a write can rely on. There is no such
        // key, but a server that takes no writes refuses the command all the same.
        node.ask(&["DEL", "an:is-writable"]).await.map(drop)
    }

    /// Whether the sentinels know each other and a primary that takes writes.
    async fn whole(&self) -> Result<(), Error> {
        let primary = self.primary().await?;
        self.is_followed(primary).await?;
        let replicas = self.group.nodes.len() - 1;
        let expected =
            format!("status=ok,address={primary},slaves={replicas},sentinels={SENTINELS}");
        for sentinel in &self.sentinels {
            let info = sentinel.ask(&["INFO", "sentinel"]).await?;
            let seen = field_of(&info, "master0");
            ensure!(seen.contains(&expected), "a sentinel sees {seen}");
        }
        Ok(())
    }

    /// Whether another than this one is the primary and takes writes.
    async fn is_replaced(&self, former: SocketAddr) -> Result<(), Error> {
        for sentinel in &self.sentinels {
            let info = sentinel.ask(&["INFO", "sentinel"]).await?;
            let seen = field_of(&info, "master0");
            let is_former = seen.contains(&format!("address={former},"));
            ensure!(!is_former, "a sentinel still sees {seen}");
        }
        self.is_followed(self.primary().await?).await
    }
}

/// Lets a sentinel forget all that it knows and watch over this primary.
async fn watch_anew(sentinel: &Node, ip: &str, port: &str) -> Result<(), Error> {
    sentinel.ask(&["SENTINEL", "REMOVE", NAME]).await?;
    let quorum = QUORUM.to_string();
    let monitor = ["SENTINEL", "MONITOR", NAME, ip, port, &quorum];
    sentinel.ask(&monitor).await?;
    for (option, value) in OPTIONS {
        let set = ["SENTINEL", "SET", NAME, option, value];
        sentinel.ask(&set).await?;
    }
    Ok(())
}

async fn start_nodes(place: &Place, setup: &Setup) -> Result<Vec<Node>, Error> {
    let program = program::script("redis-server", "redis")?;
    let plain = Setup {
        settings: Vec::new(),
        ..setup.clone()
    };
    let mut lines = super::lines(&plain);
    let ours = [
        "min-replicas-to-write 1",
        "min-replicas-max-lag 2",
        "repl-ping-replica-period 1",
        // A replica whose connection died without a word is back while its primary still waits.
        "repl-timeout 3",
    ];
    lines.extend(ours.map(str::to_owned));
    lines.push(format!("replica-announce-ip {}", super::ADDRESS));
    lines.extend(super::own_lines(setup));
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..=setup.replicas.unwrap_or(REPLICAS) {
        let name = format!("node-{number}");
        let directory = place.make(&name)?;
        let mut lines = lines.clone();
        lines.extend(nodes.first().map(|primary| replica_of(primary.address())));
        let access = Access::default();
        nodes.push(Node::start(&name, &program, &directory, access, &lines).await?);
    }
    Ok(nodes)
}

fn replica_of(primary: SocketAddr) -> String {
    format!("replicaof {} {}", primary.ip(), primary.port())
}

#[async_trait]
impl Deployment for Sentinel {
    fn url(&self) -> Url {
        let addresses = self.sentinels.iter().map(|node| node.address().to_string());
        let addresses = addresses.collect::<Vec<_>>().join(",");
        Url::new(format!("redis+sentinel://{addresses}/{NAME}"), "prefix")
    }

    fn secure_url(&self) -> Option<Url> {
        None
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.group.addresses()
    }

    fn entrances(&self) -> Vec<SocketAddr> {
        let sentinels = self.sentinels.iter().map(Node::address);
        self.addresses().into_iter().chain(sentinels).collect()
    }

    /// Replicas tell their names when they begin to follow, and sentinels learn them there, so
    /// both begin anew.
    async fn announce(&mut self, doors: &Doors) -> Result<(), Error> {
        let primary = self.primary().await?;
        for node in &mut self.group.nodes {
            let door = doors.of(node.address())?;
            let settings = [("replica-announce-port", door.port().to_string())];
            node.rename(door, &settings).await?;
        }
        let name = self.group.at(primary)?.name();
        let (ip, port) = (name.ip().to_string(), name.port().to_string());
        for node in self.group.nodes.iter().filter(|node| node.name() != name) {
            node.ask(&["REPLICAOF", &ip, &port]).await?;
        }
        for sentinel in &self.sentinels {
            watch_anew(sentinel, &ip, &port).await?;
        }
        wait_until(|| self.whole()).await
    }

    fn pids(&self) -> Vec<u32> {
        let sentinels = self.sentinels.iter().filter_map(Node::pid);
        self.group.pids().chain(sentinels).collect()
    }

    async fn kill(&mut self) -> Result<(), Error> {
        let primary = self.primary().await?;
        self.group.at_mut(primary)?.kill();
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Error> {
        let primary = self.primary().await?;
        for node in &mut self.group.nodes {
            // A sentinel would tell it as well, after eight seconds.
            if !node.is_running() && !node.is_at(primary) {
                node.configure(&replica_of(primary))?;
            }
            node.launch().await?;
        }
        wait_until(|| self.whole()).await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        let primary = self.primary().await?;
        self.group.at_mut(primary)?.pause();
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.group.resume();
        wait_until(|| self.whole()).await
    }

    async fn fail_over(&mut self) -> Result<(), Error> {
        let former = self.primary().await?;
        self.group.at_mut(former)?.kill();
        wait_until(|| self.is_replaced(former)).await
    }

    async fn flush(&self) -> Result<(), Error> {
        self.command(&["FLUSHALL"]).await.map(drop)
    }

    async fn command(&self, words: &[&str]) -> Result<String, Error> {
        let primary = self.primary().await?;
        self.group.at(primary)?.ask(words).await
    }

    async fn command_at(&self, server: SocketAddr, words: &[&str]) -> Result<String, Error> {
        let sentinels = self.sentinels.iter();
        let mut sentinels = sentinels.filter(|node| node.address() == server);
        match sentinels.next() {
            Some(sentinel) => sentinel.ask(words).await,
            None => self.group.at(server)?.ask(words).await,
        }
    }

    async fn tool(&self) -> Result<Tool, Error> {
        let primary = self.primary().await?;
        self.group.at(primary)?.tool()
    }
}
