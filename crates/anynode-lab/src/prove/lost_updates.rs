//! Lost updates: the tabs of a few users write to the same sessions while nodes are killed.

use std::fmt;
use std::time::Duration;

use anyhow::Error;
use serde::Serialize;

use super::frame::{Claim, Finding, Latency, Terms, at_least_one, nodes, short_of};
use crate::checker::{self, Verdict};
use crate::fleet::Strategy;
use crate::history::{Incident, Kind, What};
use crate::stage::{Stage, Step};
use crate::user::{Load, Mix};

/// The lowest share of updates that have to meet another of their session.
const EXPOSED_PERCENT: u64 = 50;

/// Users whose tabs count visits at the same moment, on different nodes, while nodes are killed:
/// each acknowledged visit is counted once, and each of unknown outcome at most once.
#[derive(Clone, Debug, clap::Args)]
pub struct LostUpdates {
    /// What all rows have
    #[command(flatten)]
    pub terms: Terms,
    /// Acknowledged updates to make at least [default: 50000; with --quick 4000]
    #[arg(long, value_parser = at_least_one::<u64>)]
    pub updates: Option<u64>,
    /// Users, each with one session
    #[arg(long, default_value_t = 40, value_parser = at_least_one::<u32>)]
    pub users: u32,
    /// Tabs of each user, which count at the same moment
    #[arg(long, default_value_t = 4, value_parser = at_least_one::<u8>)]
    pub tabs: u8,
    /// Requests per second, of all tabs together [default: 1000; with --quick 600]
    #[arg(long, value_parser = at_least_one::<u32>)]
    pub rate: Option<u32>,
    /// Nodes
    #[arg(long, default_value_t = 3, value_parser = nodes)]
    pub nodes: usize,
}

/// What became of the updates.
#[derive(Clone, Debug, Serialize)]
pub struct LostUpdatesFinding {
    strategy: Strategy,
    claim: Claim,
    seed: u64,
    updates_asked: u64,
    kills: usize,
    kills_asked: usize,
    store_faults: usize,
    /// What the checker found.
    pub verdict: Verdict,
    latency: Latency,
    lateness: Duration,
}

// === impl LostUpdates ===

impl LostUpdates {
    /// Lets users come to a fleet whose nodes are killed, and counts what they counted.
    ///
    /// # Errors
    /// When the fleet cannot be started, changed or stopped.
    pub fn prove(&self) -> Result<LostUpdatesFinding, Error> {
        self.terms.run(self.run())
    }

    async fn run(&self) -> Result<LostUpdatesFinding, Error> {
        let scale = self.terms.scale();
        let asked = self.updates.unwrap_or(scale.choose(50_000, 4_000));
        let load = Load {
            users: self.users,
            rate: self.rate.unwrap_or(scale.choose(1_000, 600)),
            mix: Mix {
                visits: 900,
                carts: 0,
                logouts: 0,
                late: 0,
                tabs: self.tabs,
            },
            seed: self.terms.seed(),
        };
        let mut home = self.terms.home().await?;
        let plan = self.terms.plan(self.nodes, home.as_ref());
        let mut stage = Stage::start(&plan, load, self.terms.history.as_ref()).await?;
        let mut turns = 0;
        let kills_asked = scale.choose(10, 1);
        while turns < kills_asked || u64::try_from(stage.accepted(Kind::Visit))? < asked {
            let pause = Duration::from_millis(scale.choose(2_000, 700));
            stage.perform(Step::Steady(pause)).await?;
            stage.perform(Step::Crash).await?;
            if let Some(home) = &mut home {
                home.break_down(turns, &mut stage).await?;
            }
            turns += 1;
        }
        let outcome = stage.finish().await?;
        let is_of_the_store = |of: &&Incident| matches!(of.what, What::Fault { .. });
        let crashes = outcome.history.incidents.iter();
        let crashes = crashes.filter(|incident| matches!(incident.what, What::Crash { .. }));
        Ok(LostUpdatesFinding {
            strategy: plan.strategy,
            claim: match plan.strategy {
                Strategy::Central | Strategy::NearCache => Claim::NoLoss,
                Strategy::Memory | Strategy::StickyCookie | Strategy::StickyIp => Claim::SomeLoss,
            },
            seed: load.seed,
            updates_asked: asked,
            kills: crashes.count(),
            store_faults: outcome
                .history
                .incidents
                .iter()
                .filter(is_of_the_store)
                .count(),
            kills_asked,
            verdict: checker::check(&outcome.history),
            latency: Latency::of(&outcome.history.calls)?,
            lateness: outcome.lateness,
        })
    }
}

// === impl LostUpdatesFinding ===

impl Finding for LostUpdatesFinding {
    fn shortfalls(&self) -> Vec<String> {
        let Verdict {
            requests, updates, ..
        } = &self.verdict;
        let missing = updates.lost + updates.lost_with_sessions;
        let is_exposed = updates.exposed * 100 >= updates.acknowledged * EXPOSED_PERCENT;
        let mut conditions = vec![
            (self.kills >= self.kills_asked, "too few kills"),
            (requests.foreign == 0, "answers bore another user's data"),
            (
                requests.unmarked == 0,
                "answers did not say whose data they bear",
            ),
        ];
        match self.claim {
            Claim::NoLoss => conditions.extend([
                (
                    updates.acknowledged + updates.at_the_last >= self.updates_asked,
                    "too few updates",
                ),
                (is_exposed, "too few updates met another"),
                (missing == 0, "updates were lost"),
                (updates.doubled == 0, "updates were made twice"),
                (
                    // For how long a copy may is the row `staleness`.
                    updates.stale == 0 || self.strategy == Strategy::NearCache,
                    "answers knew less than earlier ones",
                ),
            ]),
            Claim::SomeLoss => conditions.push((
                missing > 0,
                "no update was lost, though this strategy loses them",
            )),
            Claim::None => {}
        }
        short_of(&conditions)
    }
}

impl fmt::Display for LostUpdatesFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let updates = &self.verdict.updates;
        write!(
            f,
            "lost-updates {}: {} acknowledged ({} exposed), {} kills, {} faults of the store, \
             {} at the last before one or in it, {} unknown; ",
            self.strategy,
            updates.acknowledged,
            updates.exposed,
            self.kills,
            self.store_faults,
            updates.at_the_last,
            updates.unknown,
        )?;
        write!(
            f,
            "{} lost, {} lost with sessions, {} doubled, {} stale; ",
            updates.lost, updates.lost_with_sessions, updates.doubled, updates.stale,
        )?;
        write!(f, "{}; seed {}", self.latency, self.seed)
    }
}
