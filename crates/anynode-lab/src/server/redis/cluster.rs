//! A Redis cluster of three primaries and their replicas.

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

const PRIMARIES: usize = 3;

const SLOTS: usize = 16_384;

/// The port that nodes tell each other at, counted from the one of clients.
const BUS: u16 = 10_000;

/// The first nodes are the primaries at the start; later any may be.
#[derive(Debug)]
pub(in crate::server) struct Cluster {
    group: Group,
    /// Of each primary.
    replicas: usize,
    _place: Place,
}

// === impl Cluster ===

impl Cluster {
    /// Starts the nodes and makes them a cluster.
    ///
    /// # Errors
    /// When one cannot be started, or the cluster does not become whole in time.
    pub(in crate::server) async fn start(setup: &Setup) -> Result<Self, Error> {
        let program = program::script("redis-server", "redis")?;
        let place = Place::new("redis-cluster")?;
        let replicas = setup.replicas.unwrap_or(1);
        let mut lines = super::lines(&Setup {
            settings: Vec::new(),
            ..setup.clone()
        });
        let ours = [
            "cluster-enabled yes",
            "cluster-node-timeout 1000",
            // A replica that lost its primary takes over however long ago it heard of it, and
            // stays with its own.
            "cluster-replica-validity-factor 0",
            "cluster-allow-replica-migration no",
        ];
        lines.extend(ours.map(str::to_owned));
        lines.push(format!("cluster-announce-ip {}", super::ADDRESS));
        lines.extend(super::own_lines(setup));
        let mut nodes = Vec::new();
        for number in 0..PRIMARIES * (1 + replicas) {
            let name = format!("node-{number}");
            let directory = place.make(&name)?;
            let access = Access::default();
            nodes.push(Node::start(&name, &program, &directory, access, &lines).await?);
        }
        let cluster = Self {
            group: Group { nodes },
            replicas,
            _place: place,
        };
        cluster.join().await?;
        wait_until(|| cluster.whole()).await?;
        Ok(cluster)
    }

    /// Gives each primary its slots, lets all nodes meet, and gives each replica its primary.
    async fn join(&self) -> Result<(), Error> {
        let nodes = &self.group.nodes;
        let (primaries, others) = nodes.split_at(PRIMARIES);
        for (number, node) in primaries.iter().enumerate() {
            let first = (number * SLOTS / PRIMARIES).to_string();
            let last = ((number + 1) * SLOTS / PRIMARIES - 1).to_string();
            node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])
                .await?;
        }
        // Epochs of their own, so that no time is lost with giving them different ones.
        for (number, node) in nodes.iter().enumerate() {
            let epoch = (number + 1).to_string();
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await?;
        }
        let port = primaries[0].address().port().to_string();
        for node in &nodes[1..] {
            node.ask(&["CLUSTER", "MEET", "127.0.0.1", &port]).await?;
        }
        wait_until(|| self.is_agreed()).await?;
        for (number, replica) in others.iter().enumerate() {
            let primary = primaries[number % PRIMARIES]
                .ask(&["CLUSTER", "MYID"])
                .await?;
            replica.ask(&["CLUSTER", "REPLICATE", &primary]).await?;
        }
        Ok(())
    }

    /// Whether every node that can answer knows all others, and who serves what.
    async fn is_agreed(&self) -> Result<(), Error> {
        let known = self.group.nodes.len().to_string();
        for node in self.group.awake() {
            let info = node.ask(&["CLUSTER", "INFO"]).await?;
            let field = |name| field_of(&info, name);
            let is_well = field("cluster_state") == "ok"
                && field("cluster_known_nodes") == known
                && field("cluster_slots_ok") == SLOTS.to_string();
            ensure!(is_well, "{} says {info}", node.address());
        }
        Ok(())
    }

    /// Whether there are as many primaries as there should be, and nodes agree on that.
    async fn is_served(&self) -> Result<(), Error> {
        self.is_agreed().await?;
        let primaries = self.group.primaries().await?.len();
        ensure!(primaries == PRIMARIES, "there are {primaries} primaries");
        Ok(())
    }

    /// Whether it is served and each primary has its replicas.
    async fn whole(&self) -> Result<(), Error> {
        self.is_served().await?;
        for node in self.group.awake() {
            let address = node.address();
            match role(node).await? {
                Role::Primary { replicas } => {
                    ensure!(
                        replicas == self.replicas,
                        "{address} has {replicas} replicas"
                    );
                }
                Role::Replica { is_linked } => ensure!(is_linked, "{address} has no primary"),
            }
        }
        self.is_known().await
    }

    /// Whether every node knows who is a replica. For a moment after it was made one, others take
    /// it for a primary without slots, and a channel that is opened then sees the primaries change.
    async fn is_known(&self) -> Result<(), Error> {
        for node in self.group.awake() {
            let known = node.ask(&["CLUSTER", "NODES"]).await?;
            let flags = known.lines().filter_map(|line| line.split(' ').nth(2));
            let primaries = flags.filter(|flags| flags.contains("master")).count();
            ensure!(
                primaries == PRIMARIES,
                "{} knows {primaries} primaries",
                node.address()
            );
        }
        Ok(())
    }

    /// Whether every node calls all by their names.
    async fn is_named(&self) -> Result<(), Error> {
        let names = self.group.nodes.iter().map(Node::name);
        let names: Vec<_> = names.map(|name| format!("{name}@")).collect();
        for node in self.group.awake() {
            let known = node.ask(&["CLUSTER", "NODES"]).await?;
            let is_known = names.iter().all(|name| known.contains(name));
            ensure!(is_known, "{} does not know all names", node.address());
        }
        Ok(())
    }

    async fn a_primary(&self) -> Result<SocketAddr, Error> {
        let primaries = self.group.primaries().await?;
        primaries.first().copied().context("there is no primary")
    }
}

#[async_trait]
impl Deployment for Cluster {
    fn url(&self) -> Url {
        let addresses = self.addresses();
        let addresses = addresses
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        Url::new(
            format!("redis+cluster://{}/", addresses.join(",")),
            "prefix",
        )
    }

    fn secure_url(&self) -> Option<Url> {
        None
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.group.addresses()
    }

    /// Clients go through the doors, and so do replicas to their primaries. The nodes go on to
    /// tell each other directly who serves what.
    async fn announce(&mut self, doors: &Doors) -> Result<(), Error> {
        for node in &mut self.group.nodes {
            let (own, door) = (node.address().port(), doors.of(node.address())?);
            let settings = [
                ("cluster-announce-bus-port", (own + BUS).to_string()),
                ("cluster-announce-port", door.port().to_string()),
            ];
            node.rename(door, &settings).await?;
        }
        wait_until(|| self.is_named()).await
    }

    fn pids(&self) -> Vec<u32> {
        self.group.pids().collect()
    }

    async fn kill(&mut self) -> Result<(), Error> {
        let primary = self.a_primary().await?;
        self.group.at_mut(primary)?.kill();
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Error> {
        for node in &mut self.group.nodes {
            node.launch().await?;
        }
        wait_until(|| self.whole()).await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        let primary = self.a_primary().await?;
        self.group.at_mut(primary)?.pause();
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.group.resume();
        wait_until(|| self.is_served()).await
    }

    async fn fail_over(&mut self) -> Result<(), Error> {
        if self.replicas == 0 {
            bail!("a primary without replicas has none to fail over to");
        }
        self.kill().await?;
        wait_until(|| self.is_served()).await
    }

    async fn flush(&self) -> Result<(), Error> {
        for primary in self.group.primaries().await? {
            self.group.at(primary)?.ask(&["FLUSHALL"]).await?;
        }
        Ok(())
    }

    /// Goes to the primary that serves the key, which is the word after the command.
    async fn command(&self, words: &[&str]) -> Result<String, Error> {
        let mut at = self.a_primary().await?;
        // A second time only to where the first one pointed.
        for _ in 0..2 {
            match self.group.at(at)?.ask(words).await {
                Err(error) => at = moved_to(&error).ok_or(error)?,
                answer => return answer,
            }
        }
        bail!("two nodes each say that another one serves the key")
    }

    async fn command_at(&self, server: SocketAddr, words: &[&str]) -> Result<String, Error> {
        self.group.at(server)?.ask(words).await
    }

    /// It goes to whichever node serves a key.
    async fn tool(&self) -> Result<Tool, Error> {
        let mut awake = self.group.awake();
        let node = awake.next().context("none of its nodes can answer")?;
        let mut tool = node.tool()?;
        tool.arguments.push("-c".to_owned());
        Ok(tool)
    }
}

/// Where a node says that the key is served.
fn moved_to(error: &Error) -> Option<SocketAddr> {
    let error: &redis::RedisError = error.chain().find_map(|cause| cause.downcast_ref())?;
    let (address, _slot) = error.redirect_node()?;
    address.parse().ok()
}
