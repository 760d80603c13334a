//! Mustering on the primary: telling where this node stands, and seeing when all do.

use std::{sync::Arc, time::Duration};

use anynode_core::{
    near::{Followed, Member, MemberId, Muster, Mustered},
    store::Reign,
};
use redis::{Cmd, cmd};

use super::{EVERY, Vigil};
use crate::{
    clock::boot_time,
    store::redis::{
        NAME,
        assert::missing::missing,
        connection::Connection,
        fault::{Fault, Refusal},
        fence::{self, Role},
        inspect,
        keys::Keys,
        link::Link,
        reply::Items,
    },
};

/// How often the list is looked at while the primary is not read, by few nodes; by many, so much
/// later for each: each answer names all.
const HURRY: Duration = Duration::from_millis(25);
const HURRY_EACH: Duration = Duration::from_millis(2);

/// How long after a round that failed the next one may begin.
const PAUSE: Duration = Duration::from_millis(100);

/// Who was heard of for the last time so much earlier than somebody else has gone.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// For how long the list is kept without being written. Nodes remember it as well.
const KEPT: Duration = Duration::from_secs(60);

/// Puts a node where it stands, if it is told where; strikes off the list who is named, and who
/// stands there and went silent long before the last one that was heard of; and answers who is
/// on the list, and where.
///
/// Only those go who stand here: a fail-over takes its time, and then all are silent.
const MUSTER: &str = "#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function strike(node)
  redis.call('ZREM', KEYS[1], node)
  redis.call('HDEL', KEYS[2], node)
end
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if newest[2] then
  local oldest = '(' .. string.format('%.0f', newest[2] - ARGV[3])
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', oldest)) do
    if redis.call('HGET', KEYS[2], node) == ARGV[2] then
      strike(node)
    end
  end
end
for at = 6, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[at]) ~= ARGV[2] then
    strike(ARGV[at])
  end
end
if ARGV[5] == 'stands' then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local told = {}
for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  told[#told + 1] = node
  told[#told + 1] = redis.call('HGET', KEYS[2], node) or ''
end
return told";

/// Whether a node is put on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attendance {
    Stands,
    /// It has just started, and may end as soon: nobody is to wait for a program that was called
    /// by hand.
    Looks,
}

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The primary is read.
    Done,
    /// So many are waited for.
    Awaits(usize),
}

/// Closes the gate before the primary, musters once, and from then on for as long as there is a
/// vigil.
pub(super) async fn start(vigil: &Arc<Vigil>) {
    let servers = vigil.servers.clone();
    servers.gate.close();
    let mut deposed = inspect::deposed(&servers, servers.until()).await.ok();
    // What comes of it shows when a call is let through.
    let _ = vigil
        .muster(Attendance::Looks, Muster::patience(deposed))
        .await;
    let (weak, started) = (Arc::downgrade(vigil), boot_time());
    tokio::spawn(async move {
        let mut last = Ok(Progress::Done);
        loop {
            let pause = match &last {
                Ok(Progress::Done) => HURRY,
                Ok(Progress::Awaits(nodes)) => {
                    let nodes = u32::try_from(*nodes).unwrap_or(u32::MAX);
                    HURRY.max(HURRY_EACH.saturating_mul(nodes))
                }
                Err(_) => PAUSE,
            };
            tokio::time::sleep(pause).await;
            if !matches!(last, Ok(Progress::Awaits(_))) {
                servers.gate.knocked(EVERY).await;
            }
            let Some(vigil) = weak.upgrade() else {
                return;
            };
            let attendance = match boot_time() < started + EVERY {
                true => Attendance::Looks,
                false => Attendance::Stands,
            };
            if deposed.is_none() {
                deposed = inspect::deposed(&servers, servers.until()).await.ok();
            }
            last = vigil.muster(attendance, Muster::patience(deposed)).await;
        }
    });
}

// === impl Vigil ===

impl Vigil {
    /// One round. There is one primary.
    async fn muster(&self, attendance: Attendance, patience: Duration) -> Result<Progress, Fault> {
        let servers = &self.servers;
        let primaries = servers.topology.primaries(servers.until()).await?;
        let primary = primaries.first().ok_or(Fault::Lost)?;
        let connected = primary.connection(servers.until()).await;
        let mustered = match &connected {
            Ok(connection) => {
                let mustered = self.muster_over(primary, connection, attendance, patience);
                mustered.await
            }
            Err(fault) => Err(fault.clone()),
        };
        match (&mustered, connected) {
            (Err(Fault::Refused(refusal)), Ok(connection)) if !connection.is_let() => {
                connection.refuse(Some(refusal.clone()));
            }
            (Err(Fault::Lost | Fault::Unreached(_)), _) => {
                servers.topology.distrust(Some(primary));
            }
            // One that is slow is not one that is gone.
            _ => {}
        }
        mustered
    }

    async fn muster_over(
        &self,
        primary: &Arc<Link>,
        connection: &Arc<Connection>,
        attendance: Attendance,
        patience: Duration,
    ) -> Result<Progress, Fault> {
        let (servers, gate) = (&self.servers, &self.servers.gate);
        let asked = fence::command();
        let said = primary.ask(connection, &asked, servers.until());
        let said = fence::read(said.await?)?;
        if said.role != Role::Primary {
            connection.set_let(false);
            servers.topology.distrust(Some(primary));
            return Err(Fault::Refused(Refusal::ReadOnly));
        }
        let reign = said.fence.reign();
        if gate.muster().follow(&reign) == Followed::Another {
            connection.set_let(false);
            // They may lead to the former one, which may never answer again.
            self.asserter.leave_all();
        }
        let stands = gate.muster().stand() == Some(&reign);
        if !stands {
            self.write_again_on(connection, &reign).await?;
            gate.muster().wrote(&reign);
        }
        let listed = self
            .list(primary, connection, &reign, attendance, &[])
            .await?;
        let told = gate.muster().told(&reign, listed, patience, boot_time());
        gate.judge(connection, &reign);
        let gone = match told {
            Mustered::Awaits(nodes) => return Ok(Progress::Awaits(nodes)),
            Mustered::Whole => return Ok(Progress::Done),
            Mustered::Overdue(nodes) => nodes,
            Mustered::Without(nodes) => {
                metrics::counter!("anynode_takeovers_incomplete_total", "store" => NAME)
                    .increment(1);
                tracing::warn!(
                    store = NAME,
                    nodes = nodes.len(),
                    "another primary took over, and nodes that used the former one did not come \
                     in time: what only they know to be revoked and it lost is accepted"
                );
                nodes
            }
        };
        let struck = self.list(primary, connection, &reign, attendance, &gone);
        struck.await.map(|_| Progress::Done)
    }

    /// Writes what is remembered on this primary, as far as it is not there.
    ///
    /// # Errors
    /// When it could not be, or another one took it.
    async fn write_again_on(&self, connection: &Connection, reign: &Reign) -> Result<(), Fault> {
        let (servers, all) = (&self.servers, self.memory().to_assert());
        let missing = missing(&servers.keys, connection, all, || servers.until());
        let taken = self.write_again(&missing.await?).await?;
        if taken.iter().all(|taken| taken == reign) {
            return Ok(());
        }
        // Its address led elsewhere when the connections for revocations were made.
        self.asserter.leave_all();
        Err(Fault::Awaited)
    }

    /// Takes part, strikes nodes off the list, and answers who is on it.
    async fn list(
        &self,
        primary: &Link,
        connection: &Arc<Connection>,
        reign: &Reign,
        attendance: Attendance,
        struck: &[MemberId],
    ) -> Result<Vec<Member>, Fault> {
        let (keys, gate) = (&self.servers.keys, &self.servers.gate);
        let command = command(keys, gate.me(), reign, attendance, struck);
        let reply = primary.ask(connection, &command, self.servers.until());
        let mut items = Items::of(reply.await?)?;
        let mut listed = Vec::new();
        while items.len() > 1 {
            let (id, reign) = (MemberId::new(items.text()?), Reign::new(items.text()?));
            listed.push(Member { id, reign });
        }
        Ok(listed)
    }
}

fn command(
    keys: &Keys,
    me: &MemberId,
    reign: &Reign,
    attendance: Attendance,
    struck: &[MemberId],
) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(MUSTER).arg(2);
    command.arg(keys.mustered()).arg(keys.stands());
    command.arg(me.as_str()).arg(reign.as_str());
    command.arg(SILENCE_MAX.as_millis().to_string());
    command.arg(KEPT.as_millis().to_string());
    command.arg(match attendance {
        Attendance::Stands => "stands",
        Attendance::Looks => "looks",
    });
    for member in struck {
        command.arg(member.as_str());
    }
    command
}
