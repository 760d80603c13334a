//! Risen sessions: users log out while their other tabs write, and somebody has their cookies.

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

/// The lowest share of ended sessions that somebody has to write to at that moment, too late.
const EXPOSED_PERCENT: usize = 30;

/// How many times a store that was started for the run breaks down.
const STORE_FAULTS: usize = 4;

/// Users who log out on one tab while the others write, and whose cookies are used afterwards:
/// a session whose end was acknowledged is never accepted again.
#[derive(Clone, Debug, clap::Args)]
pub struct RisenSessions {
    /// What all rows have
    #[command(flatten)]
    pub terms: Terms,
    /// Logouts to make at least [default: 5000; with --quick 300]
    #[arg(long, value_parser = at_least_one::<usize>)]
    pub logouts: Option<usize>,
    /// Users
    #[arg(long, default_value_t = 200, value_parser = at_least_one::<u32>)]
    pub users: u32,
    /// Requests per second, of all tabs together [default: 1200; with --quick 600]
    #[arg(long, value_parser = at_least_one::<u32>)]
    pub rate: Option<u32>,
    /// Nodes
    #[arg(long, default_value_t = 3, value_parser = nodes)]
    pub nodes: usize,
}

/// What became of ended sessions.
#[derive(Clone, Debug, Serialize)]
pub struct RisenSessionsFinding {
    strategy: Strategy,
    claim: Claim,
    seed: u64,
    logouts_asked: usize,
    store_faults: usize,
    /// What the checker found.
    pub verdict: Verdict,
    latency: Latency,
    lateness: Duration,
}

// === impl RisenSessions ===

impl RisenSessions {
    /// Lets users log out of a fleet, and counts what was accepted afterwards.
    ///
    /// # Errors
    /// When the fleet cannot be started or stopped.
    pub fn prove(&self) -> Result<RisenSessionsFinding, Error> {
        self.terms.run(self.run())
    }

    async fn run(&self) -> Result<RisenSessionsFinding, Error> {
        let scale = self.terms.scale();
        let asked = self.logouts.unwrap_or(scale.choose(5_000, 300));
        let load = Load {
            users: self.users,
            rate: self.rate.unwrap_or(scale.choose(1_200, 600)),
            mix: Mix {
                visits: 200,
                carts: 0,
                logouts: 600,
                late: 4,
                tabs: 4,
            },
            seed: self.terms.seed(),
        };
        let mut home = self.terms.home().await?;
        let plan = self.terms.plan(self.nodes, home.as_ref());
        let mut stage = Stage::start(&plan, load, self.terms.history.as_ref()).await?;
        let mut store_faults = 0;
        while stage.accepted(Kind::Logout) < asked {
            let pause = Duration::from_millis(200);
            stage.perform(Step::Steady(pause)).await?;
            let due = asked * (store_faults + 1) / (STORE_FAULTS + 1);
            if let Some(home) = &mut home
                && store_faults < STORE_FAULTS
                && stage.accepted(Kind::Logout) >= due
            {
                home.break_down(store_faults, &mut stage).await?;
                store_faults += 1;
            }
        }
        let outcome = stage.finish().await?;
        let is_of_the_store = |of: &&Incident| matches!(of.what, What::Fault { .. });
        Ok(RisenSessionsFinding {
            strategy: plan.strategy,
            claim: match plan.strategy {
                Strategy::Central => Claim::NoLoss,
                // A logout reaches whichever node is next, and the session stays where it is.
                Strategy::Memory => Claim::SomeLoss,
                // What it claims of an ended session is `revoked-accepted`.
                Strategy::NearCache => Claim::None,
                // A pinned client logs out where its session is.
                Strategy::StickyCookie | Strategy::StickyIp => Claim::None,
            },
            seed: load.seed,
            logouts_asked: asked,
            store_faults: outcome
                .history
                .incidents
                .iter()
                .filter(is_of_the_store)
                .count(),
            verdict: checker::check(&outcome.history),
            latency: Latency::of(&outcome.history.calls)?,
            lateness: outcome.lateness,
        })
    }
}

// === impl RisenSessionsFinding ===

impl Finding for RisenSessionsFinding {
    fn shortfalls(&self) -> Vec<String> {
        let Verdict {
            requests,
            revocations,
            ..
        } = &self.verdict;
        let is_exposed = revocations.exposed * 100 >= revocations.ended * EXPOSED_PERCENT;
        let mut conditions = vec![
            (requests.foreign == 0, "answers bore another user's data"),
            (
                requests.unmarked == 0,
                "answers did not say whose data they bear",
            ),
        ];
        match self.claim {
            Claim::NoLoss => conditions.extend([
                (revocations.ended >= self.logouts_asked, "too few logouts"),
                (
                    is_exposed,
                    "too few sessions were written to while they were ended",
                ),
                (revocations.risen.is_empty(), "ended sessions were accepted"),
                (
                    requests.idempotent_failed == 0 || self.store_faults > 0,
                    "requests failed that may be repeated",
                ),
            ]),
            Claim::SomeLoss => conditions.push((
                !revocations.risen.is_empty(),
                "no ended session was accepted, though this strategy accepts them",
            )),
            Claim::None => {}
        }
        short_of(&conditions)
    }
}

impl fmt::Display for RisenSessionsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revocations = &self.verdict.revocations;
        write!(
            f,
            "risen-sessions {}: {} faults of the store, {} sessions ended ({} exposed, {} asked for afterwards), ",
            self.strategy,
            self.store_faults,
            revocations.ended,
            revocations.exposed,
            revocations.asked_for,
        )?;
        write!(
            f,
            "{} risen; {} of {} requests accepted after the end, for {:.3} s at most; ",
            revocations.risen.len(),
            revocations.accepted,
            revocations.requests,
            revocations.lasted_max().as_secs_f64(),
        )?;
        write!(f, "{}; seed {}", self.latency, self.seed)
    }
}
