//! How old the knowledge behind answers is: never older than the bound.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Error, ensure};
use serde::Serialize;

use super::claim::Bound;
use super::plot;
use super::round::Work;
use super::row::{Order, time};
use super::situation::Situation;
use crate::checker::{self, Staleness as Found};
use crate::prove::frame::{self, Finding, short_of};

/// Sessions of a round, each written at one node and read at three.
const SESSIONS: u32 = 24;

/// The lowest share of answers that have to be from copies where nothing is done to anybody. Most
/// are, and on a machine that is busy with other things a third: few reads come between two writes.
const COPIES_PERCENT: u64 = 20;

/// Sessions that are written at one node and read at all: how far answers are behind what was
/// acknowledged, how old they say that they are, and that they are never behind by more than
/// L + D.
#[derive(Clone, Debug, clap::Args)]
pub struct Staleness {
    /// What the rows of the near cache have
    #[command(flatten)]
    pub order: Order,
    /// Draw the distributions there
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// How old the knowledge behind answers was.
#[derive(Clone, Debug, Serialize)]
pub struct StalenessFinding {
    store: String,
    seed: u64,
    bound: Bound,
    rows: Vec<Row>,
    total: Found,
}

/// How old it was in one situation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) situation: Situation,
    pub(super) found: Found,
}

// === impl Staleness ===

impl Staleness {
    /// Reads what is written elsewhere in every situation, and prints how old it was in each.
    ///
    /// # Errors
    /// When the store or the fleet cannot be started, broken or stopped, or the drawing cannot
    /// be written.
    pub fn prove(&self) -> Result<StalenessFinding, Error> {
        frame::run(self.run())
    }

    async fn run(&self) -> Result<StalenessFinding, Error> {
        let rounds = self.order.scale().choose(4, 1);
        let mut course = self.order.start().await?;
        let situations = self.order.situations(&course);
        ensure!(
            !situations.is_empty(),
            "no such situation makes sense for this store"
        );
        let (bound, mut rows, mut total) = (course.bound(), Vec::new(), Found::default());
        for situation in situations {
            let mut found = Found::default();
            for _ in 0..rounds {
                let mut witnessed = course.pass(situation, Work::Write, SESSIONS).await?;
                if situation.may_lose_writes(course.scene.store) {
                    // What was lost is unknown for ever; a revocation is not.
                    witnessed.writes.clear();
                }
                found.extend(&checker::staleness(&witnessed, bound.total()));
            }
            total.extend(&found);
            let row = Row { situation, found };
            if !self.order.json {
                println!("{row}\n{}", plot::lines(&row.found, bound.total()));
            }
            rows.push(row);
        }
        let finding = StalenessFinding {
            store: self.order.store.to_string(),
            seed: course.seed,
            bound,
            rows,
            total,
        };
        course.stop().await?;
        if let Some(path) = &self.svg {
            let svg = plot::svg(&finding.store, bound, &finding.rows);
            let written = fs::write(path, svg);
            written.with_context(|| format!("{} cannot be written", path.display()))?;
            eprintln!("wrote {}", path.display());
        }
        Ok(finding)
    }
}

// === impl Row ===

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        write!(
            f,
            "{}: {} answers, {} of them from copies; {} writes and revocations; \
             {} answers behind, by {} at most",
            self.situation,
            found.answers,
            found.copies.total(),
            found.acknowledged,
            found.behind.total() - found.behind.none,
            time(found.behind_max),
        )
    }
}

// === impl StalenessFinding ===

impl Finding for StalenessFinding {
    fn shortfalls(&self) -> Vec<String> {
        let total = &self.total;
        let mut healthy = self.rows.iter();
        let healthy = healthy.find(|row| row.situation == Situation::Healthy);
        let uses_copies = healthy.is_none_or(|Row { found, .. }| {
            let all = found.copies.total() + found.loads.total();
            found.copies.total() * 100 >= all * COPIES_PERCENT
        });
        short_of(&[
            (total.answers > 0, "there were no answers"),
            (total.acknowledged > 0, "nothing was written"),
            (uses_copies, "too few answers were from copies"),
            (
                total.beyond == 0,
                "answers were behind by more than the bound",
            ),
            (total.understated == 0, "answers were older than they said"),
        ])
    }
}

impl fmt::Display for StalenessFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.total;
        write!(
            f,
            "staleness {}: {} answers after {} writes and revocations in {} situations; \
             {} behind, by {} at most ({}), {} beyond it, {} older than they said; seed {}",
            self.store,
            total.answers,
            total.acknowledged,
            self.rows.len(),
            total.behind.total() - total.behind.none,
            time(total.behind_max),
            self.bound,
            total.beyond,
            total.understated,
            self.seed,
        )
    }
}
