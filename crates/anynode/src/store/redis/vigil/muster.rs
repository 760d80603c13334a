//! Mustering on the primaries: telling where this node stands, and when all do.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anynode_core::{
    Deposed,
    near::{Followed, Member, MemberId, Mustered, Roster},
    store::Term,
};
use redis::{Cmd, cmd};
use tokio::task::JoinSet;

use super::{EVERY, Vigil};
use crate::store::redis::{
    NAME,
    connection::Connection,
    fault::{Fault, Refusal},
    fence::{self, Role},
    inspect,
    keys::{Keys, Tag},
    link::Link,
    reply::Items,
};

/// How often the list is looked at while a primary is not read.
const HURRY: Duration = Duration::from_millis(25);

/// How often in so many rounds the whole list is read, so as to know it if it is lost.
const LISTED_EVERY: u32 = 8;

/// Who was not heard of for so long while others were has gone.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// For how long the list is kept without being written.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// How long nodes are waited for where nothing says how long a deposed primary goes on: no bound
/// is claimed there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a node may take, beyond that bound, to find the primary that took over and to write
/// there what it remembers.
const COMING: Duration = Duration::from_secs(1);

/// Puts a node where it stands, strikes off the list who is silent or named, and answers where
/// the node stood before, followed by all others if these are asked for.
///
/// Only those are silent who stand here: all are after a fail-over that took its time.
const MUSTER: &str = "#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('HGET', KEYS[2], ARGV[1]) or ''
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local function strike(node)
  redis.call('ZREM', KEYS[1], node)
  redis.call('HDEL', KEYS[2], node)
end
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now - ARGV[3])
for _, node in ipairs(silent) do
  if redis.call('HGET', KEYS[2], node) == ARGV[2] then
    strike(node)
  end
end
for at = 6, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[at]) ~= ARGV[2] then
    strike(ARGV[at])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local told = { before }
if ARGV[5] == 'all' then
  for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    told[#told + 1] = node
    told[#told + 1] = redis.call('HGET', KEYS[2], node) or ''
  end
end
return told";

/// Whether the others are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Listed,
    Left,
}

/// Closes the gate before the primaries, musters once, and from then on for as long as there is a
/// vigil.
pub(super) async fn start(vigil: &Arc<Vigil>) {
    let servers = &vigil.servers;
    let patience = match inspect::deposed(servers, servers.until()).await {
        Deposed::Within(bound) => bound + COMING,
        Deposed::Never | Deposed::Unbounded => PATIENCE,
    };
    servers.gate.close(patience);
    muster(vigil).await;
    let (weak, servers) = (Arc::downgrade(vigil), vigil.servers.clone());
    tokio::spawn(async move {
        let mut hurries = false;
        loop {
            match hurries {
                true => tokio::time::sleep(HURRY).await,
                false => servers.gate.knocked(EVERY).await,
            }
            let Some(vigil) = weak.upgrade() else {
                return;
            };
            hurries = muster(&vigil).await == Progress::Awaits;
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Whatever can be read is.
    Done,
    /// Others are waited for.
    Awaits,
}

/// Musters on every primary at the same time: one that is away keeps no other from being read.
async fn muster(vigil: &Arc<Vigil>) -> Progress {
    let until = vigil.servers.until();
    let Ok(primaries) = vigil.servers.topology.primaries(until).await else {
        return Progress::Done;
    };
    let mut all = JoinSet::new();
    for primary in primaries {
        let vigil = vigil.clone();
        all.spawn(async move { vigil.muster_at(&primary, until).await });
    }
    let mut progress = Progress::Done;
    while let Some(ended) = all.join_next().await {
        if ended.is_ok_and(|ended| ended.is_ok_and(|one| one == Progress::Awaits)) {
            progress = Progress::Awaits;
        }
    }
    progress
}

// === impl Vigil ===

impl Vigil {
    async fn muster_at(&self, primary: &Arc<Link>, until: Duration) -> Result<Progress, Fault> {
        let connection = primary.connection(until).await?;
        let mustered = self.muster_over(primary, &connection, until).await;
        match &mustered {
            Err(Fault::Refused(refusal)) if !connection.is_let() => {
                connection.refuse(Some(refusal.clone()));
            }
            Err(Fault::Lost) => self.servers.topology.distrust(Some(primary)),
            _ => {}
        }
        mustered
    }

    async fn muster_over(
        &self,
        primary: &Arc<Link>,
        connection: &Connection,
        until: Duration,
    ) -> Result<Progress, Fault> {
        let (servers, gate) = (&self.servers, &self.servers.gate);
        let said = fence::read(connection.send(&fence::command(), until).await?)?;
        if said.role != Role::Primary {
            connection.set_let(false);
            servers.topology.distrust(Some(primary));
            return Err(Fault::Refused(Refusal::ReadOnly));
        }
        let Some(tag) = servers.topology.tag_at(primary) else {
            // It has no slots.
            return Ok(Progress::Done);
        };
        let term = said.fence.term();
        if gate.follow(tag, &term) == Followed::Another {
            connection.set_let(false);
        }
        if !gate.stands_at(tag, &term) {
            self.write_again_on(primary, &term).await?;
            gate.wrote(tag, &term);
        }
        let (mut missing, mut progress) = (Vec::new(), Progress::Done);
        let others = self.asks_for_others(tag);
        let roster = self.stand(connection, tag, &term, others, &[], until);
        if let Some(roster) = roster.await? {
            match gate.told(tag, &term, roster) {
                Mustered::Awaits(_) => progress = Progress::Awaits,
                Mustered::Whole => {}
                Mustered::Without(away) => missing = away,
            }
        }
        gate.judge(connection, tag, &term);
        if !missing.is_empty() {
            tracing::warn!(
                store = NAME,
                nodes = missing.len(),
                "another primary took over, and nodes that used the former one did not come in \
                 time: what only they know to be revoked and it lost is accepted"
            );
            metrics::counter!("anynode_takeovers_incomplete_total", "store" => NAME).increment(1);
            let struck = self.stand(connection, tag, &term, Others::Left, &missing, until);
            struck.await?;
        }
        Ok(progress)
    }

    /// Writes all that is remembered and belongs on this primary.
    ///
    /// # Errors
    /// When it could not be, or another one took it.
    async fn write_again_on(&self, primary: &Link, term: &Term) -> Result<(), Fault> {
        let all = self.memory().to_assert();
        let mut groups = self.by_primary(all).await;
        let group = groups.remove(&Some(primary.address().clone()));
        let taken = self.write_again(&group.unwrap_or_default()).await?;
        match taken.iter().all(|taken| taken == term) {
            true => Ok(()),
            false => Err(Fault::Awaited),
        }
    }

    /// Whether this round asks for the whole list.
    fn asks_for_others(&self, tag: Tag) -> Others {
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        match self.servers.gate.is_open(tag) && !round.is_multiple_of(LISTED_EVERY) {
            true => Others::Left,
            false => Others::Listed,
        }
    }

    /// Tells that this node stands at this term, strikes nodes off the list, and answers it if it
    /// is asked for.
    async fn stand(
        &self,
        connection: &Connection,
        tag: Tag,
        term: &Term,
        others: Others,
        struck: &[MemberId],
        until: Duration,
    ) -> Result<Option<Roster>, Fault> {
        let servers = &self.servers;
        let command = command(&servers.keys, tag, &servers.gate.me(), term, others, struck);
        let mut items = Items::of(connection.send(&command, until).await?)?;
        let before = items.text()?;
        if others == Others::Left {
            return Ok(None);
        }
        let mut listed = Vec::new();
        while items.len() > 1 {
            let (id, term) = (MemberId::new(items.text()?), Term::new(items.text()?));
            listed.push(Member { id, term });
        }
        Ok(Some(match before.is_empty() {
            true => Roster::Lost(listed),
            false => Roster::Kept(listed),
        }))
    }
}

fn command(
    keys: &Keys,
    tag: Tag,
    me: &MemberId,
    term: &Term,
    others: Others,
    struck: &[MemberId],
) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(MUSTER).arg(2);
    command.arg(keys.mustered(tag)).arg(keys.stands(tag));
    command.arg(me.as_str()).arg(term.as_str());
    command.arg(SILENCE_MAX.as_millis().to_string());
    command.arg(KEPT.as_millis().to_string());
    command.arg(match others {
        Others::Listed => "all",
        Others::Left => "none",
    });
    for member in struck {
        command.arg(member.as_str());
    }
    command
}
