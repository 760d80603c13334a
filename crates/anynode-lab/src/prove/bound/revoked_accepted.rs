//! Revoked sessions that are accepted: never by a request that is sent after the bound.

use std::fmt;
use std::time::Duration;

use anyhow::{Error, ensure};
use serde::Serialize;

use super::claim::Bound;
use super::hand;
use super::round::Work;
use super::row::{Order, time};
use super::situation::Situation;
use crate::checker::{self, Ends};
use crate::prove::frame::{self, Finding, at_least_one, short_of};

/// Trials of a round: as many as the nodes of one machine answer for within a lease.
const ROUND: u32 = 200;

/// The lowest share of ended sessions that have to be exposed.
const EXPOSED_PERCENT: usize = 90;

/// How many more rounds there may be than there would be if all revocations were acknowledged.
const MORE_ROUNDS: usize = 3;

/// Sessions that nodes with near caches hold copies of, and that are revoked elsewhere or
/// removed by hand while connections, nodes and the store break: after L + D none is accepted.
#[derive(Clone, Debug, clap::Args)]
pub struct RevokedAccepted {
    /// What the rows of the near cache have
    #[command(flatten)]
    pub order: Order,
    /// Revocations to make at least [default: 20000; with --quick 200]
    #[arg(long, value_parser = at_least_one::<usize>)]
    pub revocations: Option<usize>,
}

/// What became of revoked sessions.
#[derive(Clone, Debug, Serialize)]
pub struct RevokedAcceptedFinding {
    store: String,
    seed: u64,
    bound: Bound,
    revocations_asked: usize,
    /// By what sessions were removed by hand, where they are.
    tool: Option<&'static str>,
    rows: Vec<Row>,
    /// Of all situations together.
    pub total: Ends,
    latency: Refusal,
}

/// How soon after their acknowledgement revoked sessions were refused.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Refusal {
    p50: Duration,
    p99: Duration,
    /// When the last request was sent that was accepted.
    last_accepted: Duration,
}

/// What became of sessions that were revoked in one situation.
#[derive(Clone, Debug, Serialize)]
struct Row {
    situation: Situation,
    bound: Bound,
    /// Whether the last writes may be lost.
    may_lose_writes: bool,
    found: Ends,
    latency: Refusal,
}

// === impl RevokedAccepted ===

impl RevokedAccepted {
    /// Revokes sessions in every situation, and prints what became of them in each.
    ///
    /// # Errors
    /// When the store or the fleet cannot be started, broken or stopped.
    pub fn prove(&self) -> Result<RevokedAcceptedFinding, Error> {
        frame::run(self.run())
    }

    async fn run(&self) -> Result<RevokedAcceptedFinding, Error> {
        let asked = self
            .revocations
            .unwrap_or(self.order.scale().choose(20_000, 200));
        let mut course = self.order.start().await?;
        let situations = self.order.situations(&course);
        ensure!(
            !situations.is_empty(),
            "no such situation makes sense for this store"
        );
        let each = asked.div_ceil(situations.len());
        let store = course.scene.store;
        let has_hands = situations.iter().any(|of| of.has_hands(store));
        let tool = hand::tool(store).filter(|_| has_hands);
        let (bound, mut rows, mut total) = (course.bound(), Vec::new(), Ends::default());
        for situation in situations {
            let mut row = Row {
                situation,
                bound,
                may_lose_writes: situation.may_lose_writes(course.scene.store),
                found: Ends::default(),
                latency: Refusal::default(),
            };
            let count = ROUND.min(u32::try_from(each)?);
            let rounds_max = each.div_ceil(usize::try_from(count)?) + MORE_ROUNDS;
            for _ in 0..rounds_max {
                let witnessed = course.pass(situation, Work::End, count).await?;
                row.found.extend(checker::ends(&witnessed, bound.total()));
                if row.found.revocations >= each {
                    break;
                }
            }
            row.latency = Refusal::of(&row.found);
            if !self.order.json {
                println!("{row}");
            }
            total.extend(row.found.clone());
            rows.push(row);
        }
        let seed = course.seed;
        course.stop().await?;
        Ok(RevokedAcceptedFinding {
            store: self.order.store.to_string(),
            seed,
            bound,
            revocations_asked: asked,
            tool,
            rows,
            latency: Refusal::of(&total),
            total,
        })
    }
}

// === impl Row ===

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        write!(
            f,
            "{:<16} {} revocations ({} not acknowledged) of {} sessions, {} exposed; \
             {} of {} asked for after the bound accepted; {}; {} refused falsely",
            self.situation.name(),
            found.revocations,
            found.unacknowledged,
            found.sessions,
            found.exposed,
            found.accepted.len(),
            found.late,
            self.latency.beside(self.bound),
            found.falsely_refused,
        )?;
        for late in found.accepted.iter().take(3) {
            write!(
                f,
                "\n  node {} accepted session {} of a request that was sent {} after its end ({:?}), ",
                late.node + 1,
                late.session,
                time(late.after),
                late.kind,
            )?;
            match late.age {
                Some(age) => write!(f, "by what its {:?} was {} before", age.from, time(age.old))?,
                None => f.write_str("and did not say by what")?,
            }
        }
        Ok(())
    }
}

// === impl Refusal ===

impl Refusal {
    fn of(found: &Ends) -> Self {
        Self {
            p50: found.refused_within(500),
            p99: found.refused_within(990),
            last_accepted: found.accepted_for,
        }
    }

    fn beside(self, bound: Bound) -> String {
        let [p50, p99, last] = [self.p50, self.p99, self.last_accepted].map(time);
        format!("refused after p50 {p50}, p99 {p99}, last accepted after {last} ({bound})")
    }
}

// === impl RevokedAcceptedFinding ===

impl Finding for RevokedAcceptedFinding {
    fn shortfalls(&self) -> Vec<String> {
        let total = &self.total;
        // In each situation: one in which nobody held a copy would show nothing.
        let is_exposed = self
            .rows
            .iter()
            .all(|row| row.found.is_exposed(EXPOSED_PERCENT));
        let sure = self.rows.iter().filter(|row| !row.may_lose_writes);
        let falsely: usize = sure.map(|row| row.found.falsely_refused).sum();
        short_of(&[
            (
                total.revocations >= self.revocations_asked,
                "too few revocations",
            ),
            (
                self.tool.is_none() || total.by_hand > 0,
                "no session was removed by hand",
            ),
            (is_exposed, "too few revoked sessions were exposed"),
            (
                total.accepted.is_empty(),
                "revoked sessions were accepted after the bound",
            ),
            (
                falsely == 0,
                "sessions were refused that nobody had revoked",
            ),
            (total.foreign == 0, "answers bore another user's session"),
        ])
    }
}

impl fmt::Display for RevokedAcceptedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.total;
        let by_hand = self
            .tool
            .map(|tool| format!(" ({} by {tool})", total.by_hand));
        let by_hand = by_hand.unwrap_or_default();
        write!(
            f,
            "revoked-accepted {}: {} revocations{by_hand} of {} sessions, {} exposed, in {} \
             situations; {} of {} requests after the bound accepted; {}; {} spared, {} refused \
             falsely; seed {}",
            self.store,
            total.revocations,
            total.sessions,
            total.exposed,
            self.rows.len(),
            total.accepted.len(),
            total.late,
            self.latency.beside(self.bound),
            total.spared,
            total.falsely_refused,
            self.seed,
        )
    }
}
