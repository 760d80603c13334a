//! The nodes that have registered: their names, in the order of their last heartbeats; and the
//! roll that they are called by.
//!
//! Beside the names, whose key is `PREFIX:n`, lie `PREFIX:a:{PREFIX:n}`, what each node answered,
//! and `PREFIX:c:{PREFIX:n}`, the number of the last call: in the same slot, so that one script
//! may use them all. A call is announced as a revocation is, by a name under the tracked prefix.

use std::time::Duration;

use anynode_core::{NodeEntry, NodeId, RollId, store::Result};
use redis::{Cmd, Value, cmd};

use super::line::Line;
use crate::store::redis::{
    fault::{Fault, Nature},
    keys::{Keys, Slot},
    reply::{self, Items},
    servers::Servers,
};

/// How a node is known to the others.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    keys: Keys,
    node: NodeId,
}

/// A node is forgotten after this much silence. One that still follows a primary that was deposed
/// is heard of no more, and holds a lease for L + D at most: 16 s with the default timeout of a
/// cluster, 13 s with the default lag of replicas. Behind one address, too, another primary may
/// take over.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// What was answered is kept for so long after the last answer, and the number of the last call,
/// which is no less than the clock all the same, after the last call.
const ANSWERS_KEPT: Duration = Duration::from_secs(60);
const NUMBER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Registers a node and forgets those that have been silent.
const REGISTER: &str = "#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
for _, node in ipairs(silent) do
  redis.call('ZREM', KEYS[1], node)
  redis.call('HDEL', KEYS[2], node)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return now";

/// The nodes that were heard of lately, when that was, and which call they answered last.
const NODES: &str = "#!lua flags=no-writes
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nodes = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now - ARGV[1], '+inf', 'WITHSCORES')
local told = {}
for at = 1, #nodes, 2 do
  told[#told + 1] = nodes[at]
  told[#told + 1] = nodes[at + 1]
  told[#told + 1] = redis.call('HGET', KEYS[2], nodes[at]) or '0'
end
return told";

/// Gives a call its number and tells every node. A number is no less than the clock, so that none
/// comes twice where a fail-over lost the last one.
const CALL: &str = "#!lua flags=allow-oom
local time = redis.call('TIME')
local before = tonumber(redis.call('GET', KEYS[1]) or '0')
local number = math.max(before + 1, time[1] * 1000000 + time[2])
number = string.format('%.0f', number)
redis.call('SET', KEYS[1], number, 'PX', ARGV[2])
redis.call('SET', ARGV[1] .. number, '', 'PX', 1000)
redis.call('DEL', ARGV[1] .. number)
return number";

/// Notes which call a node answered, unless it answered a later one.
const ANSWER: &str = "#!lua flags=allow-oom
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) > before then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])";

/// Forgets a node that leaves.
const LEAVE: &str = "#!lua flags=allow-oom
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])";

/// The nodes that have registered and not been silent since.
///
/// # Errors
/// `Unavailable`.
pub(in crate::store::redis) async fn nodes(servers: &Servers) -> Result<Vec<NodeEntry>> {
    let reply = ask(servers, |keys| {
        let command = script(NODES, &[&registry(keys), &answers(keys)]);
        with_millis(command, SILENCE_MAX)
    });
    let nodes = async { read(Items::of(reply.await?)?) };
    let nodes = nodes.await;
    nodes.map_err(|fault| fault.error("nodes", Nature::Read, false))
}

/// Asks all nodes to answer under a number that is greater than any before.
///
/// # Errors
/// `Unavailable`, or `Indeterminate` when they may have been asked.
pub(in crate::store::redis) async fn call_roll(servers: &Servers) -> Result<RollId> {
    let reply = ask(servers, |keys| {
        let command = script(CALL, &[&number(keys)])
            .arg(format!("{}q:{{{}}}:", keys.tracked(), registry(keys)))
            .take();
        with_millis(command, NUMBER_KEPT)
    });
    let roll = async { reply::number(reply.await?).map(RollId) };
    let roll = roll.await;
    roll.map_err(|fault| fault.error("call_roll", Nature::Write, false))
}

/// Takes a node out of the registry.
///
/// # Errors
/// `Unavailable`, or `Indeterminate` when it may be out.
pub(in crate::store::redis) async fn leave(servers: &Servers, node: &NodeId) -> Result<()> {
    let left = ask(servers, |keys| {
        let mut command = script(LEAVE, &[&registry(keys), &answers(keys)]);
        command.arg(node.as_str()).take()
    });
    let left = left.await.map(drop);
    left.map_err(|fault| fault.error("leave", Nature::Write, false))
}

/// Asks the primary that has the registry.
async fn ask(servers: &Servers, command: impl Fn(&Keys) -> Cmd) -> Result<Value, Fault> {
    let until = servers.until();
    let slot = slot(&servers.keys);
    let primary = servers.topology.primary(slot, until).await?;
    let reply = primary.send(&command(&servers.keys), until).await;
    if reply.is_err() {
        servers.topology.distrust(Some(&primary));
    }
    reply
}

// === impl Registration ===

impl Registration {
    pub(super) fn new(servers: &Servers, node: &NodeId) -> Self {
        Self {
            keys: servers.keys.clone(),
            node: node.clone(),
        }
    }

    /// Where the registry is.
    pub(super) fn slot(&self) -> Slot {
        slot(&self.keys)
    }

    /// Registers the node, or tells that it lives.
    pub(super) async fn tell(&self, line: &Line, until: Duration) -> Result<(), Fault> {
        let keys = [&registry(&self.keys), &answers(&self.keys)];
        let command = script(REGISTER, &keys).arg(self.node.as_str()).take();
        let command = with_millis(command, SILENCE_MAX);
        line.send(&command, until).await.map(drop)
    }

    /// Tells which call of the roll the node answers.
    pub(super) async fn answer(
        &self,
        line: &Line,
        roll: RollId,
        until: Duration,
    ) -> Result<(), Fault> {
        let command = script(ANSWER, &[&answers(&self.keys)])
            .arg(self.node.as_str())
            .arg(roll.0)
            .take();
        let command = with_millis(command, ANSWERS_KEPT);
        line.send(&command, until).await.map(drop)
    }
}

/// The names of nodes in the order of their last heartbeats.
fn registry(keys: &Keys) -> String {
    format!("{}:n", keys.prefix())
}

/// What each node answered last.
fn answers(keys: &Keys) -> String {
    format!("{}:a:{{{}}}", keys.prefix(), registry(keys))
}

/// The number of the last call.
fn number(keys: &Keys) -> String {
    format!("{}:c:{{{}}}", keys.prefix(), registry(keys))
}

fn slot(keys: &Keys) -> Slot {
    Slot::of(registry(keys).as_bytes())
}

/// A command that runs a script on these keys.
fn script(script: &str, keys: &[&String]) -> Cmd {
    cmd("EVAL").arg(script).arg(keys.len()).arg(keys).take()
}

fn with_millis(mut command: Cmd, span: Duration) -> Cmd {
    command.arg(span.as_millis().to_string()).take()
}

fn read(mut items: Items) -> Result<Vec<NodeEntry>, Fault> {
    let mut nodes = Vec::new();
    while items.len() > 0 {
        let node = NodeId::new(items.text()?).map_err(|_| Fault::Corrupt("the name of a node"))?;
        nodes.push(NodeEntry {
            node,
            heartbeat_at: items.time()?,
            answered: Some(RollId(items.number()?)).filter(|roll| roll.0 > 0),
        });
    }
    Ok(nodes)
}
