//! Affinity moves: how many clients a node that is added takes from the others, with source
//! affinity and with a remainder.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use anyhow::{Context, Error};
use anynode_core::balance::{BackendId, Incarnation, Pool, Rules, Source, SourceAffinity};
use serde::Serialize;
use tokio::task::JoinSet;

use super::frame::{self, Finding, Format, at_least_one, short_of};
use crate::fleet::{Fleet, Plan, Strategy};
use crate::user::{NODE, address_of};
use crate::wire;

/// How many clients the rule is asked about.
const ADDRESSES: u32 = 20_000;

/// How many clients ask the gateway at the same time.
const AT_ONCE: usize = 32;

/// The most that may move: one node of eleven has a share of 9.1 percent.
const MOVED_PERCENT_MAX: usize = 10;

/// The least that a remainder moves for the comparison to be one: ten of eleven clients.
const REMAINDER_PERCENT_LEAST: usize = 85;

/// Clients of ten nodes, each from its own address, and then of eleven: who was not taken over
/// by the eleventh stays where it was.
#[derive(Clone, Debug, clap::Args)]
pub struct AffinityMoves {
    /// Clients that ask a real gateway [default: 2000; with --quick 500]
    #[arg(long, value_parser = at_least_one::<u32>)]
    pub clients: Option<u32>,
    /// Take some seconds
    #[arg(long)]
    pub quick: bool,
    /// Print the summary as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// How many clients moved.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AffinityMovesFinding {
    by_rule: Moves,
    by_remainder: Moves,
    through_gateway: Moves,
}

/// How many clients are elsewhere after a node was added.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Moves {
    clients: usize,
    moved: usize,
    /// Those that went to a node that had been there before.
    between_old: usize,
}

// === impl AffinityMoves ===

impl AffinityMoves {
    /// How the summary is printed.
    #[must_use]
    pub fn format(&self) -> Format {
        if self.json {
            Format::Json
        } else {
            Format::Text
        }
    }

    /// Adds an eleventh node and counts who moved.
    ///
    /// # Errors
    /// When the fleet cannot be started, asked or stopped.
    pub fn prove(&self) -> Result<AffinityMovesFinding, Error> {
        let clients = self.clients.unwrap_or(if self.quick { 500 } else { 2_000 });
        Ok(AffinityMovesFinding {
            by_rule: Moves::between(&by_rule(10)?, &by_rule(11)?, "n11"),
            by_remainder: Moves::between(&by_remainder(10), &by_remainder(11), "n11"),
            through_gateway: frame::run(through_gateway(clients))?,
        })
    }
}

/// The node of each client by the rule of the gateway.
fn by_rule(nodes: u32) -> Result<Vec<String>, Error> {
    let names: Vec<String> = (1..=nodes).map(|number| format!("n{number}")).collect();
    let mut pool = Pool::new(Rules::default());
    for (name, port) in names.iter().zip(1..) {
        let incarnation = Incarnation::at(name, (Ipv4Addr::LOCALHOST, port).into());
        pool.insert(BackendId::of(name), incarnation, NonZeroU16::MIN)?;
    }
    let mut chosen = Vec::new();
    for user in 0..ADDRESSES {
        let source = Source::of(address_of(user, 0).into(), SourceAffinity::default());
        let choice = pool.choose_by_source(source, &[], Duration::ZERO);
        let id = choice.context("no backend is chosen")?.backend();
        let name = names.iter().find(|name| BackendId::of(name) == id);
        chosen.push(name.context("an unknown backend is chosen")?.clone());
    }
    Ok(chosen)
}

/// The node of each client by the remainder of a hash of its address.
fn by_remainder(nodes: u64) -> Vec<String> {
    let node = |user| {
        let bits = u64::from(u32::from(address_of(user, 0)));
        // Multiplication by an odd constant spreads neighbours over the upper half.
        let hash = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        format!("n{}", hash % nodes + 1)
    };
    (0..ADDRESSES).map(node).collect()
}

async fn through_gateway(clients: u32) -> Result<Moves, Error> {
    let mut fleet = Fleet::start(&Plan::new(Strategy::StickyIp, 10)).await?;
    let before = ask_all(&fleet, clients).await?;
    fleet.scale(11).await?;
    let after = ask_all(&fleet, clients).await?;
    fleet.stop().await?;
    Ok(Moves::between(&before, &after, "n11"))
}

/// Which node answers each client.
async fn ask_all(fleet: &Fleet, clients: u32) -> Result<Vec<String>, Error> {
    let gateway = fleet.address();
    let mut answers = Vec::new();
    let mut asking = JoinSet::new();
    for user in 0..clients {
        if asking.len() >= AT_ONCE {
            answers.extend(asking.join_next().await);
        }
        asking.spawn(async move {
            let answer = wire::get(gateway, Some(address_of(user, 0)), "/whoami").await?;
            let node = answer.headers().get(NODE);
            let node = node.context("an answer does not say which node it is from")?;
            Ok::<_, Error>((user, node.to_str()?.to_owned()))
        });
    }
    while let Some(answer) = asking.join_next().await {
        answers.push(answer);
    }
    let mut nodes = answers
        .into_iter()
        .map(|answer| answer.map_err(Error::from).flatten())
        .collect::<Result<Vec<_>, _>>()?;
    nodes.sort();
    Ok(nodes.into_iter().map(|(_, node)| node).collect())
}

// === impl Moves ===

impl Moves {
    fn between(before: &[String], after: &[String], added: &str) -> Self {
        let pairs = before.iter().zip(after);
        let moved = pairs.filter(|(before, after)| before != after);
        let mut moves = Self {
            clients: before.len(),
            ..Self::default()
        };
        for (_, after) in moved {
            moves.moved += 1;
            moves.between_old += usize::from(after != added);
        }
        moves
    }

    fn is_at_most(&self, percent: usize) -> bool {
        self.moved * 100 <= self.clients * percent
    }
}

impl fmt::Display for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permille = self.moved * 1000 / self.clients.max(1);
        let (whole, tenths) = (permille / 10, permille % 10);
        write!(f, "{whole}.{tenths} % of {} clients", self.clients)
    }
}

// === impl AffinityMovesFinding ===

impl Finding for AffinityMovesFinding {
    fn shortfalls(&self) -> Vec<String> {
        let between_old = self.by_rule.between_old + self.through_gateway.between_old;
        let compares = !self.by_remainder.is_at_most(REMAINDER_PERCENT_LEAST);
        short_of(&[
            (
                self.by_rule.is_at_most(MOVED_PERCENT_MAX),
                "too many clients moved",
            ),
            (
                self.through_gateway.is_at_most(MOVED_PERCENT_MAX),
                "too many clients of the gateway moved",
            ),
            (
                self.through_gateway.moved > 0,
                "no client of the gateway moved",
            ),
            (between_old == 0, "clients moved between nodes that stayed"),
            (compares, "a remainder moved fewer than it does"),
        ])
    }
}

impl fmt::Display for AffinityMovesFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "affinity-moves, 10 to 11 nodes: source affinity {}, a remainder {}; \
             through a gateway {}, {} of them between nodes that stayed",
            self.by_rule, self.by_remainder, self.through_gateway, self.through_gateway.between_old,
        )
    }
}
