//! Lost sessions: users go on while nodes are killed, added and taken away.

use std::fmt;
use std::time::Duration;

use anyhow::Error;
use serde::Serialize;

use super::frame::{Claim, Finding, Latency, Terms, at_least_one, nodes, short_of};
use crate::checker::{self, Verdict};
use crate::fleet::Strategy;
use crate::history::{History, What};
use crate::prove::home::Home;
use crate::stage::{Stage, Step};
use crate::user::{Load, Mix};

/// The lowest share of sessions that have to be used before and after a fault.
const EXPOSED_PERCENT: usize = 50;

/// The highest share of all requests that may fail, those that may not be repeated included: a
/// kill ends what is under way, and more than that is another fault.
const FAILED_PERCENT_MAX: usize = 5;

/// Users who shop while a node is killed every few seconds, and while nodes are added and taken
/// away again: a session that was begun and not ended is accepted, and what may be repeated
/// does not fail.
#[derive(Clone, Debug, clap::Args)]
pub struct LostSessions {
    /// What all rows have
    #[command(flatten)]
    pub terms: Terms,
    /// Users [default: 2000; with --quick 200]
    #[arg(long, value_parser = at_least_one::<u32>)]
    pub users: Option<u32>,
    /// Requests to make at least [default: 200000; with --quick 8000]
    #[arg(long, value_parser = at_least_one::<usize>)]
    pub requests: Option<usize>,
    /// Requests per second, of all users together [default: 2000; with --quick 800]
    #[arg(long, value_parser = at_least_one::<u32>)]
    pub rate: Option<u32>,
    /// Nodes at first and in the end
    #[arg(long, default_value_t = 3, value_parser = nodes)]
    pub nodes: usize,
    /// Nodes in between
    #[arg(long, default_value_t = 13, value_parser = nodes)]
    pub nodes_between: usize,
    /// Let every client change its address once, and do nothing to the nodes
    #[arg(long)]
    pub change_addresses: bool,
}

/// What became of the sessions.
#[derive(Clone, Debug, Serialize)]
pub struct LostSessionsFinding {
    strategy: Strategy,
    claim: Claim,
    pins: Pins,
    seed: u64,
    users: u32,
    requests_asked: usize,
    kills: usize,
    kills_asked: usize,
    store_faults: usize,
    scalings: Vec<(usize, usize)>,
    address_changes: usize,
    /// What the checker found.
    pub verdict: Verdict,
    latency: Latency,
    lateness: Duration,
}

/// Whether each session has to stay on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Pins {
    Hold,
    NotAsked,
}

// === impl LostSessions ===

impl LostSessions {
    /// Lets users come to a fleet that is broken meanwhile, and counts what they lost.
    ///
    /// # Errors
    /// When the fleet cannot be started, changed or stopped.
    pub fn prove(&self) -> Result<LostSessionsFinding, Error> {
        self.terms.run(self.run())
    }

    async fn run(&self) -> Result<LostSessionsFinding, Error> {
        let scale = self.terms.scale();
        let requests = self.requests.unwrap_or(scale.choose(200_000, 8_000));
        let load = Load {
            users: self.users.unwrap_or(scale.choose(2_000, 200)),
            rate: self.rate.unwrap_or(scale.choose(2_000, 800)),
            mix: Mix::default(),
            seed: self.terms.seed(),
        };
        let mut home = self.terms.home().await?;
        let plan = self.terms.plan(self.nodes, home.as_ref());
        let mut stage = Stage::start(&plan, load, self.terms.history.as_ref()).await?;
        let kills_asked = if self.change_addresses {
            self.change_addresses(&mut stage, requests).await?;
            0
        } else {
            self.break_nodes(&mut stage, home.as_mut(), requests)
                .await?;
            scale.choose(10, 3)
        };
        let outcome = stage.finish().await?;
        let verdict = checker::check(&outcome.history);
        let latency = Latency::of(&outcome.history.calls)?;
        let mut finding = LostSessionsFinding {
            strategy: plan.strategy,
            claim: self.claim(),
            pins: match (plan.strategy, self.change_addresses) {
                (Strategy::StickyCookie, true) => Pins::Hold,
                _ => Pins::NotAsked,
            },
            seed: load.seed,
            users: load.users,
            requests_asked: requests,
            kills: 0,
            store_faults: 0,
            kills_asked,
            scalings: Vec::new(),
            address_changes: 0,
            verdict,
            latency,
            lateness: outcome.lateness,
        };
        finding.count(&outcome.history);
        Ok(finding)
    }

    /// Kills nodes and the store, first among a few, then among many, then among a few again.
    async fn break_nodes(
        &self,
        stage: &mut Stage,
        mut home: Option<&mut Home>,
        requests: usize,
    ) -> Result<(), Error> {
        let pause = self.terms.scale().choose(2_000, 700);
        let sizes = [self.nodes, self.nodes_between, self.nodes];
        for (nodes, part) in sizes.into_iter().zip(1..) {
            if let Some(home) = &mut home {
                home.break_down(part, stage).await?;
            }
            if stage.fleet().nodes() != nodes {
                stage.perform(Step::Scale(nodes)).await?;
            }
            loop {
                let pause = Step::Steady(Duration::from_millis(pause));
                stage.perform(pause).await?;
                stage.perform(Step::Crash).await?;
                if stage.calls() >= requests * part / sizes.len() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn change_addresses(&self, stage: &mut Stage, requests: usize) -> Result<(), Error> {
        const LOOK: Duration = Duration::from_millis(200);
        while stage.calls() < requests / 2 {
            stage.perform(Step::Steady(LOOK)).await?;
        }
        stage.perform(Step::ChangeAddresses).await?;
        while stage.calls() < requests {
            stage.perform(Step::Steady(LOOK)).await?;
        }
        Ok(())
    }

    fn claim(&self) -> Claim {
        match (self.terms.strategy, self.change_addresses) {
            (Strategy::Central | Strategy::NearCache, _) | (Strategy::StickyCookie, true) => {
                Claim::NoLoss
            }
            (Strategy::Memory | Strategy::StickyIp, _) | (Strategy::StickyCookie, false) => {
                Claim::SomeLoss
            }
        }
    }
}

// === impl LostSessionsFinding ===

impl LostSessionsFinding {
    fn count(&mut self, history: &History) {
        for incident in &history.incidents {
            match incident.what {
                What::Crash { .. } => self.kills += 1,
                What::Scale { from, to } => self.scalings.push((from, to)),
                What::ChangeAddresses => self.address_changes += 1,
                What::Steady | What::Pause { .. } | What::Deploy | What::Revoke { .. } => {}
                What::Fault { .. } => self.store_faults += 1,
            }
        }
    }
}

impl Finding for LostSessionsFinding {
    fn shortfalls(&self) -> Vec<String> {
        let Verdict {
            requests,
            sessions,
            updates,
            revocations,
        } = &self.verdict;
        let is_exposed = sessions.exposed * 100 >= sessions.begun * EXPOSED_PERCENT;
        let is_answered = requests.failed * 100 <= requests.all * FAILED_PERCENT_MAX;
        let mut conditions = vec![
            (requests.all >= self.requests_asked, "too few requests"),
            (self.kills >= self.kills_asked, "too few kills"),
            (requests.foreign == 0, "answers bore another user's data"),
            (
                requests.unmarked == 0,
                "answers did not say whose data they bear",
            ),
            (
                self.pins == Pins::NotAsked || sessions.moved == 0,
                "sessions went to another node",
            ),
        ];
        match self.claim {
            Claim::NoLoss => conditions.extend([
                (sessions.begun > 0, "no session was begun"),
                (
                    is_answered || self.store_faults > 0,
                    "too many requests failed",
                ),
                (
                    is_exposed || self.kills_asked == 0,
                    "too few sessions were used across a fault",
                ),
                (sessions.lost.is_empty(), "sessions were lost"),
                (
                    requests.idempotent_failed == 0 || self.store_faults > 0,
                    "requests failed that may be repeated",
                ),
                (updates.lost == 0, "updates were lost"),
                (updates.doubled == 0, "updates were made twice"),
                (updates.stale == 0, "answers knew less than earlier ones"),
                (revocations.risen.is_empty(), "ended sessions were accepted"),
            ]),
            Claim::SomeLoss => conditions.push((
                !sessions.lost.is_empty(),
                "no session was lost, though this strategy loses them",
            )),
            Claim::None => {}
        }
        short_of(&conditions)
    }
}

impl fmt::Display for LostSessionsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict {
            requests,
            sessions,
            updates,
            revocations,
        } = &self.verdict;
        write!(f, "lost-sessions {}: {} users, ", self.strategy, self.users)?;
        write!(f, "{} requests, {} kills, ", requests.all, self.kills)?;
        if self.store_faults > 0 {
            write!(f, "{} faults of the store, ", self.store_faults)?;
        }
        for (from, to) in &self.scalings {
            write!(f, "{from} to {to} nodes, ")?;
        }
        if self.address_changes > 0 {
            write!(f, "addresses changed, {} sessions moved, ", sessions.moved)?;
        }
        write!(
            f,
            "{} sessions ({} exposed): {} lost; {} of {} idempotent requests failed, \
             {} of {} others; ",
            sessions.begun,
            sessions.exposed,
            sessions.lost.len(),
            requests.idempotent_failed,
            requests.idempotent,
            requests.failed - requests.idempotent_failed,
            requests.all - requests.idempotent,
        )?;
        write!(
            f,
            "{} updates: {} lost, {} lost with sessions, {} doubled; {} risen, {} foreign; ",
            updates.acknowledged,
            updates.lost,
            updates.lost_with_sessions,
            updates.doubled,
            revocations.risen.len(),
            requests.foreign,
        )?;
        write!(f, "{}; seed {}", self.latency, self.seed)
    }
}

#[cfg(test)]
mod tests;
