//! Nodes that replicate among each other.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use tokio::time::sleep;

use super::ask::field_of;
use super::node::Node;
use crate::clock::boot_time;

/// How long a cluster or its like may take to become whole, elections included. Sentinels that did
/// not run for two seconds, as on a machine that is overloaded, do nothing for the next thirty.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(90);

const PAUSE: Duration = Duration::from_millis(20);

/// The nodes of one store that hold data.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) nodes: Vec<Node>,
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It has so many replicas that are up to date or nearly so.
    Primary { replicas: usize },
    /// It follows a primary, which it reaches or not.
    Replica { is_linked: bool },
}

// === impl Group ===

impl Group {
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }

    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().filter_map(Node::pid)
    }

    /// The nodes that can answer.
    pub(super) fn awake(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_awake())
    }

    /// The node at this address.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn at(&self, address: SocketAddr) -> Result<&Node, Error> {
        let mut nodes = self.nodes.iter();
        let node = nodes.find(|node| node.is_at(address));
        node.with_context(|| format!("none of its servers is at {address}"))
    }

    /// The node at this address.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn at_mut(&mut self, address: SocketAddr) -> Result<&mut Node, Error> {
        let mut nodes = self.nodes.iter_mut();
        let node = nodes.find(|node| node.is_at(address));
        node.with_context(|| format!("none of its servers is at {address}"))
    }

    /// The nodes that can answer and say that they are primaries.
    ///
    /// # Errors
    /// When one does not answer.
    pub(super) async fn primaries(&self) -> Result<Vec<SocketAddr>, Error> {
        let mut primaries = Vec::new();
        for node in self.awake() {
            if matches!(role(node).await?, Role::Primary { .. }) {
                primaries.push(node.address());
            }
        }
        Ok(primaries)
    }

    pub(super) fn resume(&mut self) {
        self.nodes.iter_mut().for_each(Node::resume);
    }
}

/// What a node says of itself.
///
/// # Errors
/// When it does not answer.
pub(super) async fn role(node: &Node) -> Result<Role, Error> {
    let info = node.ask(&["INFO", "replication"]).await?;
    if field_of(&info, "role") == "master" {
        let is_online = |line: &&str| line.starts_with("slave") && line.contains("state=online");
        let replicas = info.lines().filter(is_online).count();
        return Ok(Role::Primary { replicas });
    }
    let is_linked = field_of(&info, "master_link_status") == "up";
    Ok(Role::Replica { is_linked })
}

/// Waits until a condition holds; what it says is why it does not yet.
///
/// # Errors
/// When it does not in time.
pub(super) async fn wait_until<F>(mut condition: impl FnMut() -> F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let begun = boot_time();
    while let Err(reason) = condition().await {
        if boot_time() - begun > WHOLE_TIMEOUT {
            bail!("it is not whole after {WHOLE_TIMEOUT:?}: {reason:#}");
        }
        sleep(PAUSE).await;
    }
    Ok(())
}
