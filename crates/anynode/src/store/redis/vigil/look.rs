//! Looking whether the primaries are still those that acknowledged the last revocations.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anynode_core::{
    Durability, expiry,
    near::Assertion,
    store::{Asked, Disk, Fence, History, Loss, Reign, Replicas},
};

use super::{Asserted, EVERY, Vigil};
use crate::{
    clock::boot_time,
    random,
    store::{
        net::Address,
        redis::{
            NAME, assert,
            fault::{Fault, Refusal},
            fence::{self, Role, Said},
            keys::Slot,
            link::Link,
            reply,
            servers::Servers,
            topology::Topology,
        },
    },
};

/// What the primaries last said of themselves.
#[derive(Debug, Default)]
pub(super) struct Fences {
    known: Vec<Fence>,
    /// How many replicas each of them has at this time.
    counts: Vec<(Address, usize)>,
    replicas: Replicas<Address>,
    /// Whether a server that could have told the name of its data did not in time.
    is_unmarked: bool,
}

/// How long the mark of a server is kept; no session lives longer.
const MARK_KEPT: Duration = expiry::ABSOLUTE_MAX;

/// How many owed revocations are written to one primary again in one look.
const OWED_AT_ONCE: usize = 1_000;

/// Looks again and again, for as long as there is a vigil.
pub(super) fn start(vigil: &Arc<Vigil>) {
    let (weak, woken) = (Arc::downgrade(vigil), vigil.woken.clone());
    tokio::spawn(async move {
        loop {
            // Woken by a revocation, or looking in any case.
            let _ = tokio::time::timeout(EVERY, woken.notified()).await;
            let Some(vigil) = weak.upgrade() else {
                return;
            };
            vigil.look().await;
            vigil.write_what_is_owed().await;
            vigil.memory().forget(boot_time());
        }
    });
}

/// Whether there are replicas: those that are connected now, what sentinels watch over, and
/// those of a cluster that are away.
///
/// # Errors
/// When a cluster does not tell.
pub(super) async fn has_replicas(
    servers: &Servers,
    fences: &Fences,
    until: Duration,
) -> Result<bool, Fault> {
    match &servers.topology {
        Topology::Sentinel(_) => Ok(true),
        _ if !fences.is_alone() => Ok(true),
        Topology::Single(_) => Ok(false),
        Topology::Cluster(_) => {
            let command = redis::cmd("CLUSTER").arg("NODES").take();
            let primaries = servers.topology.primaries(until).await?;
            let primary = primaries.first();
            let primary = primary.ok_or(Fault::Refused(Refusal::ClusterDown))?;
            let nodes = reply::text(primary.send(&command, until).await?)?;
            Ok(nodes.lines().any(|line| line.contains("slave")))
        }
    }
}

// === impl Vigil ===

impl Vigil {
    /// Asks the primaries what they are, and raises that acknowledged writes may be lost.
    async fn look(&self) {
        let asked = match self.unfenced.swap(false, Ordering::SeqCst) {
            true => Asked::Before,
            false => Asked::After,
        };
        let until = self.servers.until();
        // As of before they are asked: a revocation that is acknowledged meanwhile says more.
        let before = self.fences().known.clone();
        let Ok(now) = Fences::ask(&self.servers, until).await else {
            // A primary is away. Whoever takes over is judged by what is known of it.
            if asked == Asked::Before {
                self.unfenced.store(true, Ordering::SeqCst);
            }
            return;
        };
        let loss = Fence::judge_all(&before, &now.known, asked);
        if loss == Loss::PerhapsLost {
            // Also where one does not tell yet: it may be another one that lost something.
            let is_written = match self.servers.gate.is_closed() {
                true => self.has_mustered(&now),
                false => self.write_all_again().await,
            };
            if now.is_unmarked || !is_written {
                // Judged once more, by the same fences, at the next look.
                self.unfenced
                    .fetch_or(asked == Asked::Before, Ordering::SeqCst);
                return;
            }
            raise(self.class);
        }
        self.fences().replace(now);
    }

    /// Whether everything that is remembered was written on the primary that says this.
    fn has_mustered(&self, now: &Fences) -> bool {
        let muster = self.servers.gate.muster();
        let mut reigns = now.known.iter().map(Fence::reign);
        reigns.all(|reign| muster.stand() == Some(&reign))
    }

    /// Writes everything that is remembered, and says whether it could be. A primary that cannot
    /// take it keeps no other from it.
    async fn write_all_again(&self) -> bool {
        let all = self.memory().to_assert();
        let mut is_written = true;
        for (primary, group) in self.by_primary(all).await {
            is_written &= primary.is_some() && self.write_again(&group).await.is_ok();
        }
        is_written
    }

    /// Writes revocations of one primary, and answers the reigns of those that took them.
    ///
    /// # Errors
    /// When some could not be written.
    pub(super) async fn write_again(&self, group: &[Assertion]) -> Result<HashSet<Reign>, Fault> {
        let mut reigns = HashSet::new();
        for some in group.chunks(assert::TOGETHER_MAX) {
            let (until, quorum) = (self.servers.until(), 0);
            let written = self.asserter.write(&self.servers, some, quorum, until);
            reigns.insert(written.await?.said.fence.reign());
        }
        Ok(reigns)
    }

    /// Revocations by the primary that they are written to; none for slots that nobody serves.
    pub(super) async fn by_primary(
        &self,
        all: Vec<Assertion>,
    ) -> HashMap<Option<Address>, Vec<Assertion>> {
        let mut slots: HashMap<Slot, Vec<Assertion>> = HashMap::new();
        for assertion in all {
            let slot = assert::slot(&assertion);
            slots.entry(slot).or_default().push(assertion);
        }
        let mut groups: HashMap<_, Vec<Assertion>> = HashMap::new();
        let until = self.servers.until();
        for (slot, assertions) in slots {
            let primary = self.servers.topology.primary(slot, until).await;
            let address = primary.ok().map(|link| link.address().clone());
            groups.entry(address).or_default().extend(assertions);
        }
        groups
    }

    async fn write_what_is_owed(&self) {
        let owed = self.memory().owed();
        let groups = self.by_primary(owed).await;
        for (primary, group) in groups {
            if primary.is_some() {
                self.write_owed(&group).await;
            }
        }
    }

    /// Writes what is owed of one primary. After one that its replicas do not acknowledge the
    /// others would wait as long and as much in vain, and those of other primaries would not.
    async fn write_owed(&self, group: &[Assertion]) {
        for assertion in group.iter().take(OWED_AT_ONCE) {
            match self.assert(assertion, self.servers.until()).await {
                Ok(Asserted::ByAll(_, reign)) if self.servers.gate.muster().has_left(&reign) => {
                    self.asserter.leave_all();
                    return;
                }
                Ok(Asserted::ByAll(settled, _)) => self.memory().settle(&settled, boot_time()),
                Ok(Asserted::ByTooFew(..)) | Err(_) => return,
            }
        }
    }
}

// === impl Fences ===

impl Fences {
    /// Asks every primary what it is.
    ///
    /// # Errors
    /// When one does not answer, or is none.
    pub(super) async fn ask(servers: &Servers, until: Duration) -> Result<Self, Fault> {
        let mut fences = Self::default();
        for primary in servers.topology.primaries(until).await? {
            let said = ask(servers, &primary, until).await;
            match said {
                Ok(said) if said.role == Role::Primary => fences.add(primary.address(), said),
                other => {
                    servers.topology.distrust(Some(&primary));
                    other?;
                    return Err(Fault::Refused(Refusal::ReadOnly));
                }
            }
        }
        Ok(fences)
    }

    /// How many replicas of this primary have to acknowledge a revocation, so that it and they
    /// are the greater part of all: one at least.
    pub(super) fn quorum(&self, primary: &Address) -> usize {
        self.replicas.quorum(primary)
    }

    /// How many replicas each primary has at this time.
    pub(super) fn counts(&self) -> &[(Address, usize)] {
        &self.counts
    }

    /// Whether no primary has replicas.
    pub(super) fn is_alone(&self) -> bool {
        self.replicas.is_empty()
    }

    /// Whether all primaries write to disk at this time.
    pub(super) fn all_write(&self, disk: Disk) -> bool {
        self.known.iter().all(|fence| fence.disk == disk)
    }

    /// Notes how far a primary has got by an acknowledged revocation.
    pub(super) fn note(&mut self, said: Said) {
        let known = self.known.iter_mut().find(|known| {
            known.history == said.fence.history && known.process == said.fence.process
        });
        // Another primary is judged before it is taken for known.
        if let Some(known) = known {
            known.position = known.position.max(said.fence.position);
        }
    }

    fn add(&mut self, primary: &Address, said: Said) {
        self.known.push(said.fence);
        self.counts.push((primary.clone(), said.replicas));
        self.replicas.see(&self.counts);
        self.is_unmarked |= said.is_unmarked;
    }

    fn replace(&mut self, now: Self) {
        self.known = Fence::further(&self.known, now.known);
        self.replicas.see(&now.counts);
        self.counts = now.counts;
    }
}

async fn ask(servers: &Servers, primary: &Link, until: Duration) -> Result<Said, Fault> {
    let mut together = redis::Pipeline::with_capacity(2);
    together.add_command(fence::command());
    if !servers.is_disk_secret.load(Ordering::Relaxed) {
        together.add_command(fence::disk_command());
    }
    let mut replies = primary.send_all(&together, until).await?.into_iter();
    let mut reply = || replies.next().unwrap_or(Err(Fault::Lost));
    let mut said = fence::read(reply()?)?;
    // Who may not ask has to reckon with the worst.
    match reply().and_then(fence::writes_first) {
        Ok(true) if said.appends => said.fence.disk = Disk::First,
        Err(Fault::Refused(Refusal::NotAllowed)) => {
            servers.is_disk_secret.store(true, Ordering::Relaxed);
        }
        Ok(_) | Err(_) => {}
    }
    if said.fence.disk == Disk::First && said.role == Role::Primary {
        match mark(servers, primary, until).await {
            Ok(mark) => said.fence.mark = mark,
            // It will never tell.
            Err(Fault::Refused(Refusal::NotAllowed) | Fault::Malformed) => {}
            // It is busy, or reads its data from disk.
            Err(_) => said.is_unmarked = true,
        }
    }
    Ok(said)
}

/// The name of the data that a primary has; it is given one where it has none. Empty where no
/// slot of it is known.
///
/// # Errors
/// When it refuses, as one does that reads its data from disk, or does not answer.
async fn mark(servers: &Servers, primary: &Link, until: Duration) -> Result<History, Fault> {
    let Some(tag) = servers.topology.tag_at(primary) else {
        return Ok(History::new(""));
    };
    let key = servers.keys.mark(tag);
    let mut put = redis::cmd("SET");
    put.arg(&key).arg(format!("{:016x}", random::number()));
    put.arg("NX")
        .arg("PX")
        .arg(MARK_KEPT.as_millis().to_string());
    let mut together = redis::Pipeline::with_capacity(2);
    together.add_command(put);
    together.add_command(redis::cmd("GET").arg(&key).take());
    let kept = primary.send_all(&together, until).await?.pop();
    let kept = kept.unwrap_or(Err(Fault::Lost))?;
    // A full server gives none a name.
    Ok(History::new(match kept {
        redis::Value::Nil => String::new(),
        kept => reply::text(kept)?,
    }))
}

fn raise(class: Durability) {
    metrics::counter!("anynode_possible_lost_writes_total", "store" => NAME).increment(1);
    let revocations = match class {
        Durability::Reasserted => "those that this node remembers were written again",
        _ => "they may have come back",
    };
    tracing::error!(
        store = NAME,
        revocations,
        "another primary took over, and acknowledged writes may be lost"
    );
}
