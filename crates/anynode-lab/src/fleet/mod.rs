//! A fleet of real processes: a gateway, nodes, and a store; started, broken, changed and stopped.

mod front;
mod process;
mod rank;
mod strategy;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Error, ensure};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::front::{Front, NOTICE};
use self::process::Launcher;
use self::rank::{Line, Rank, State};
pub use self::strategy::Strategy;
pub use self::usage::Usage;
use crate::clock::boot_time;
use crate::fault::WallClocks;
use crate::history::{Act, Change, Incident, What};

/// The most nodes of a fleet on one machine.
pub const NODES_MAX: usize = 64;

/// How long the place of a killed node stays empty: what a supervisor takes to notice.
const REPLACED_AFTER: Duration = Duration::from_millis(500);

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where sessions are and how a node is chosen.
    pub strategy: Strategy,
    /// How many nodes there are at first; 1 to [`NODES_MAX`].
    pub nodes: usize,
    /// The URL of the store of a strategy that has one; a new SQLite file if none is named.
    pub store: Option<String>,
    /// The processes of the server that this store is, for [`Usage::store_cpu`]; none where it
    /// has none, or they are on another machine.
    pub store_pids: Vec<u32>,
    /// The clocks that nodes go by, each under its name; the machine's if there are none.
    pub clocks: Option<WallClocks>,
    /// The program whose subcommand `role` is `anynode`; this one if none is named.
    pub program: Option<PathBuf>,
}

/// A running fleet. Dropping it kills its processes; [`stop`](Self::stop) ends them in order.
#[derive(Debug)]
pub struct Fleet {
    strategy: Strategy,
    launcher: Launcher,
    front: Front,
    ranks: Vec<Rank>,
    /// The last incarnation that was given away.
    incarnation: u64,
    store_pids: Vec<u32>,
    /// What the processes used that have ended.
    spent: Usage,
    incidents: Vec<Incident>,
    changes: Vec<Change>,
    /// Holds the configuration and, if none was named, the store.
    directory: TempDir,
}

// === impl Plan ===

impl Plan {
    /// A fleet of this program's roles, on a new SQLite file where it needs a store.
    #[must_use]
    pub fn new(strategy: Strategy, nodes: usize) -> Self {
        Self {
            strategy,
            nodes,
            store: None,
            store_pids: Vec::new(),
            clocks: None,
            program: None,
        }
    }
}

// === impl Fleet ===

impl Fleet {
    /// Starts the nodes and the gateway, and waits until they serve.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(plan: &Plan) -> Result<Self, Error> {
        let directory = tempfile::tempdir().context("there is no place for a fleet's files")?;
        let store = plan.strategy.has_store().then(|| {
            plan.store.clone().unwrap_or_else(|| {
                let path: PathBuf = directory.path().join("sessions.db");
                format!("sqlite:{}", path.display())
            })
        });
        let launcher = Launcher::new(plan, store)?;
        let ranks = fill(&launcher, plan.strategy, 1..=plan.nodes, 0).await?;
        let lines: Vec<Line> = ranks.iter().map(Rank::line).collect();
        let front = Front::start(&launcher, directory.path(), plan.strategy, &lines).await?;
        Ok(Self {
            strategy: plan.strategy,
            launcher,
            front,
            incarnation: u64::try_from(plan.nodes)?,
            ranks,
            store_pids: plan.store_pids.clone(),
            spent: Usage::default(),
            incidents: Vec::new(),
            changes: Vec::new(),
            directory,
        })
    }

    /// Where the gateway listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// Where each node listens, for what goes around the gateway.
    #[must_use]
    pub fn node_addresses(&self) -> Vec<SocketAddr> {
        self.ranks
            .iter()
            .map(|rank| rank.process.address())
            .collect()
    }

    /// The id of the gateway's process.
    #[must_use]
    pub fn gateway_pid(&self) -> u32 {
        self.front.pid()
    }

    /// The ids of the nodes' processes.
    #[must_use]
    pub fn node_pids(&self) -> Vec<u32> {
        self.ranks.iter().map(|rank| rank.process.pid()).collect()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.ranks.len()
    }

    /// What all its processes have used so far.
    ///
    /// # Errors
    /// When one of them cannot be asked.
    pub async fn usage(&self) -> Result<Usage, Error> {
        let mut usage = self.spent;
        usage.gateway_cpu += self.front.cpu()?;
        if !self.store_pids.is_empty() {
            usage.store_cpu = Some(usage::cpu_of_families(&self.store_pids)?);
        }
        for rank in &self.ranks {
            usage += rank.usage().await?;
        }
        Ok(usage)
    }

    /// Takes out what was done so far.
    pub fn take_incidents(&mut self) -> Vec<Incident> {
        std::mem::take(&mut self.incidents)
    }

    /// Takes out what happened to each node so far, in the order of time.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Notes an incident that is not the fleet's own, such as one of its clients.
    pub fn note(&mut self, begun: Duration, what: What) {
        let ended = boot_time();
        self.incidents.push(Incident { begun, ended, what });
    }

    /// Kills a node with SIGKILL, in the midst of whatever it does. After a moment a successor
    /// of the same name takes its place, on another port and under a new incarnation.
    ///
    /// # Errors
    /// When there is no such node, or no successor starts.
    pub async fn crash(&mut self, index: usize) -> Result<(), Error> {
        let begun = boot_time();
        let rank = self.remove(index)?;
        // Not asked for its metrics if it is too busy to answer: it is about to be killed.
        self.spent += rank.usage().await.unwrap_or_default();
        let number = rank.number;
        self.mark(number, Act::Kill);
        rank.process.kill().await?;
        sleep(REPLACED_AFTER).await;
        self.succeed(index, number).await?;
        sleep(NOTICE).await;
        let node = rank::name(number);
        self.note(begun, What::Crash { node });
        Ok(())
    }

    /// Lets a node stand still for so long, its connections open.
    ///
    /// # Errors
    /// When there is no such node, or it has ended.
    pub async fn pause(&mut self, index: usize, lasting: Duration) -> Result<(), Error> {
        let begun = boot_time();
        let rank = self.ranks.get(index).context("there is no such node")?;
        rank.process.pause()?;
        sleep(lasting).await;
        rank.process.resume()?;
        let node = rank::name(rank.number);
        self.note(begun, What::Pause { node });
        Ok(())
    }

    /// Replaces every node, one after the other, as a deploy of a new version does: drained,
    /// asked to stop, and replaced by a successor on another port.
    ///
    /// # Errors
    /// When a node does not stop in order, or no successor starts.
    pub async fn deploy(&mut self) -> Result<(), Error> {
        let begun = boot_time();
        for index in 0..self.ranks.len() {
            self.drain(index..=index).await?;
            let rank = self.remove(index)?;
            let number = rank.number;
            self.retire(rank).await?;
            self.succeed(index, number).await?;
            sleep(NOTICE).await;
        }
        self.note(begun, What::Deploy);
        Ok(())
    }

    /// Adds nodes, or takes the last ones away: drained, and asked to stop.
    ///
    /// # Errors
    /// When that would be none or more than [`NODES_MAX`], or a node does not start or stop in
    /// order.
    pub async fn scale(&mut self, to: usize) -> Result<(), Error> {
        let (begun, from) = (boot_time(), self.ranks.len());
        ensure!(
            (1..=NODES_MAX).contains(&to),
            "a fleet of {to} nodes is none"
        );
        if to > from {
            let added = fill(
                &self.launcher,
                self.strategy,
                from + 1..=to,
                self.incarnation,
            )
            .await?;
            self.incarnation += u64::try_from(added.len())?;
            for rank in &added {
                self.mark(rank.number, Act::Start);
            }
            self.ranks.extend(added);
            self.tell()?;
        } else if to < from {
            self.drain(to..=from - 1).await?;
            for rank in self.ranks.split_off(to) {
                self.retire(rank).await?;
            }
            self.tell()?;
        }
        sleep(NOTICE).await;
        self.note(begun, What::Scale { from, to });
        Ok(())
    }

    /// Ends all processes in order.
    ///
    /// # Errors
    /// When one of them does not end well.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.front.stop().await?;
        for rank in self.ranks.drain(..) {
            rank.process.stop().await?;
        }
        self.directory.close().context("the fleet's files stay")
    }

    fn remove(&mut self, index: usize) -> Result<Rank, Error> {
        ensure!(index < self.ranks.len(), "there is no such node");
        Ok(self.ranks.remove(index))
    }

    /// Gives them nothing new, and waits until the gateway knows and what they had is done.
    async fn drain(&mut self, indices: std::ops::RangeInclusive<usize>) -> Result<(), Error> {
        for index in indices {
            self.ranks[index].state = State::Drain;
            self.mark(self.ranks[index].number, Act::Drain);
        }
        self.tell()?;
        sleep(NOTICE).await;
        Ok(())
    }

    async fn retire(&mut self, rank: Rank) -> Result<(), Error> {
        self.spent += rank.usage().await?;
        rank.process.stop().await
    }

    /// Puts a new process in the place of the one that was removed.
    async fn succeed(&mut self, index: usize, number: u64) -> Result<(), Error> {
        self.incarnation += 1;
        let rank = Rank::fill(&self.launcher, self.strategy, number, self.incarnation).await?;
        self.ranks.insert(index, rank);
        self.mark(number, Act::Start);
        self.tell()
    }

    fn mark(&mut self, number: u64, act: Act) {
        self.changes.push(Change {
            at: boot_time(),
            node: rank::name(number),
            act,
        });
    }

    fn tell(&mut self) -> Result<(), Error> {
        let lines: Vec<Line> = self.ranks.iter().map(Rank::line).collect();
        self.front.tell(&lines)
    }
}

/// Starts the nodes of these numbers, all at once.
async fn fill(
    launcher: &Launcher,
    strategy: Strategy,
    numbers: std::ops::RangeInclusive<usize>,
    incarnation: u64,
) -> Result<Vec<Rank>, Error> {
    let mut starting = JoinSet::new();
    for (number, incarnation) in numbers.zip(incarnation + 1..) {
        let (launcher, number) = (launcher.clone(), u64::try_from(number)?);
        starting.spawn(async move { Rank::fill(&launcher, strategy, number, incarnation).await });
    }
    let mut ranks = Vec::new();
    while let Some(started) = starting.join_next().await {
        ranks.push(started??);
    }
    ranks.sort_by_key(|rank| rank.number);
    Ok(ranks)
}
