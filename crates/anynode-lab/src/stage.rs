//! A fleet under load, and what is done to it step by step.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Error};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::clock::boot_time;
use crate::fleet::{Fleet, Plan, Usage};
use crate::history::{Change, History, Kind, Recorder, What};
use crate::user::{Crowd, Load};

/// A fleet under load.
#[derive(Debug)]
pub struct Stage {
    fleet: Fleet,
    crowd: Crowd,
    recorder: Recorder,
    samples: Vec<Sample>,
    rng: fastrand::Rng,
    /// The first user who has not been revoked yet.
    unrevoked: u32,
    users: u32,
}

/// One thing to do to a fleet under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, for so long.
    Steady(Duration),
    /// Kill a node, chosen at random, with SIGKILL; a successor takes its place.
    Crash,
    /// Let a node, chosen at random, stand still for so long.
    Pause(Duration),
    /// Replace every node, one after the other.
    Deploy,
    /// Add or take away nodes until there are so many.
    Scale(usize),
    /// Let every client go on from another address.
    ChangeAddresses,
    /// Let so many users, each of them once, end all their sessions from another device.
    Revoke(u32),
}

/// What a fleet had used by some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When. Boot clock.
    pub at: Duration,
    /// How many calls had ended.
    pub calls: usize,
    /// How many nodes there were.
    pub nodes: usize,
    /// What the fleet had used since its start.
    pub usage: Usage,
}

/// What came of it all.
#[derive(Debug)]
pub struct Outcome {
    /// What the clients saw, and what was done meanwhile.
    pub history: History,
    /// What happened to each node, in the order of time.
    pub changes: Vec<Change>,
    /// What the fleet had used before the first step and after each.
    pub samples: Vec<Sample>,
    /// How late the latest request was begun for want of time of this program itself.
    pub lateness: Duration,
}

// === impl Stage ===

impl Stage {
    /// Starts a fleet and lets users come to it; with a path, the calls are also written there,
    /// as lines of JSON.
    ///
    /// # Errors
    /// When a process does not start, or the file cannot be made.
    pub async fn start(plan: &Plan, load: Load, file: Option<&PathBuf>) -> Result<Self, Error> {
        let recorder = match file {
            Some(path) => Recorder::with_file(path)
                .with_context(|| format!("{} cannot be made", path.display()))?,
            None => Recorder::default(),
        };
        let fleet = Fleet::start(plan).await?;
        let crowd = Crowd::start(load, fleet.address(), recorder.clone());
        let mut stage = Self {
            fleet,
            crowd,
            recorder,
            samples: Vec::new(),
            rng: fastrand::Rng::with_seed(load.seed),
            unrevoked: 0,
            users: load.users,
        };
        stage.sample().await?;
        Ok(stage)
    }

    /// How many calls have ended so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.crowd.calls()
    }

    /// How many calls of this kind were done for sure so far.
    #[must_use]
    pub fn accepted(&self, kind: Kind) -> usize {
        self.recorder.accepted(kind)
    }

    /// How many users were answered what they asked after `since`. Boot clock.
    #[must_use]
    pub fn users_answered_since(&self, since: Duration) -> usize {
        self.recorder.users_answered_since(since)
    }

    /// What the fleet had used after the last step.
    #[must_use]
    pub fn latest(&self) -> &Sample {
        self.samples.last().expect("one is taken at the start")
    }

    /// The fleet, to look at.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Notes what was done to the store or to the way there, from `begun` until now. Boot clock.
    /// Whether the last acknowledged writes may be gone is what the store promises, see
    /// [`What::Fault`].
    pub fn note_fault(&mut self, begun: Duration, name: &str, takes_back: bool) {
        let name = name.to_owned();
        self.fleet.note(begun, What::Fault { name, takes_back });
    }

    /// Takes a step and returns when it is done.
    ///
    /// # Errors
    /// When a process does not start, stop or answer as it should.
    pub async fn perform(&mut self, step: Step) -> Result<(), Error> {
        let begun = boot_time();
        match step {
            Step::Steady(lasting) => {
                sleep(lasting).await;
                self.fleet.note(begun, What::Steady);
            }
            Step::Crash => {
                let index = self.rng.usize(..self.fleet.nodes());
                self.fleet.crash(index).await?;
            }
            Step::Pause(lasting) => {
                let index = self.rng.usize(..self.fleet.nodes());
                self.fleet.pause(index, lasting).await?;
            }
            Step::Deploy => self.fleet.deploy().await?,
            Step::Scale(nodes) => self.fleet.scale(nodes).await?,
            Step::ChangeAddresses => {
                self.crowd.change_addresses();
                self.fleet.note(begun, What::ChangeAddresses);
            }
            Step::Revoke(users) => {
                let end = self.unrevoked.saturating_add(users).min(self.users);
                let users = self.unrevoked..end;
                self.unrevoked = end;
                let count = users.len();
                self.crowd.revoke(users).await;
                self.fleet.note(begun, What::Revoke { users: count });
            }
        }
        self.sample().await
    }

    /// Lets every user look once more at its session, and ends all processes in order.
    ///
    /// # Errors
    /// When a process does not end well, or the history could not be written.
    pub async fn finish(mut self) -> Result<Outcome, Error> {
        let lateness = self.crowd.lateness();
        self.crowd.finish().await;
        let incidents = self.fleet.take_incidents();
        let changes = self.fleet.take_changes();
        self.fleet.stop().await?;
        let calls = self.recorder.take().context("the history is not whole")?;
        Ok(Outcome {
            history: History { calls, incidents },
            changes,
            samples: self.samples,
            lateness,
        })
    }

    async fn sample(&mut self) -> Result<(), Error> {
        let usage = self.fleet.usage().await?;
        self.samples.push(Sample {
            at: boot_time(),
            calls: self.crowd.calls(),
            nodes: self.fleet.nodes(),
            usage,
        });
        Ok(())
    }
}
