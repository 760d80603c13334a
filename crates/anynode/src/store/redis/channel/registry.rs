//! The nodes that have registered: their names, in the order of their last heartbeats.

use std::time::Duration;

use anynode_core::{NodeEntry, NodeId, Timestamp, store::Result};
use redis::Cmd;

use super::line::{Line, eval};
use crate::store::redis::{
    fault::{Fault, Nature},
    keys::{Keys, Slot},
    reply::Items,
    servers::Servers,
};

/// How a node is known to the others.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    key: String,
    node: NodeId,
}

/// A node is forgotten after this much silence: three times the default lease.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Registers a node and forgets those that have been silent.
const REGISTER: &str = "#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return now";

/// The nodes that were heard of lately.
const NODES: &str = "#!lua flags=no-writes
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now - ARGV[1], '+inf', 'WITHSCORES')";

/// The nodes that have registered and not been silent since.
///
/// # Errors
/// `Unavailable`.
pub(in crate::store::redis) async fn nodes(servers: &Servers) -> Result<Vec<NodeEntry>> {
    let until = servers.until();
    let reply = async {
        let key = key(&servers.keys);
        let primary = servers.topology.primary(slot(&key), until).await?;
        let reply = primary.send(&with_silence(eval(NODES, &key)), until).await;
        if reply.is_err() {
            servers.topology.distrust(Some(&primary));
        }
        read(Items::of(reply?)?)
    };
    let nodes = reply.await;
    nodes.map_err(|fault| fault.error("nodes", Nature::Read, false))
}

// === impl Registration ===

impl Registration {
    pub(super) fn new(keys: &Keys, node: &NodeId) -> Self {
        Self {
            key: key(keys),
            node: node.clone(),
        }
    }

    /// Where the registry is.
    pub(super) fn slot(&self) -> Slot {
        slot(&self.key)
    }

    /// Registers the node, or tells that it lives.
    pub(super) async fn tell(&self, line: &Line, until: Duration) -> Result<(), Fault> {
        let mut command = eval(REGISTER, &self.key);
        command.arg(self.node.as_str());
        line.send(&with_silence(command), until).await.map(drop)
    }
}

fn key(keys: &Keys) -> String {
    format!("{}:n", keys.prefix())
}

fn slot(key: &str) -> Slot {
    Slot::of(key.as_bytes())
}

fn with_silence(mut command: Cmd) -> Cmd {
    command.arg(SILENCE_MAX.as_millis().to_string()).take()
}

fn read(mut items: Items) -> Result<Vec<NodeEntry>, Fault> {
    let mut nodes = Vec::new();
    while items.len() > 0 {
        let node = NodeId::new(items.text()?).map_err(|_| Fault::Corrupt("the name of a node"))?;
        let heartbeat_at = Timestamp::from_millis(items.number()?);
        nodes.push(NodeEntry { node, heartbeat_at });
    }
    Ok(nodes)
}
