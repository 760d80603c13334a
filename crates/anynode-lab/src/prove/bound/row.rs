//! What the rows have in common: what they are told, and how they go through the situations.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error};

use super::claim::Bound;
use super::round::{self, Work};
use super::scene::{NODES, Scene};
use super::situation::Situation;
use crate::history::Witnessed;
use crate::prove::frame::{Format, Scale};
use crate::server::Wanted;

/// What the rows are told.
#[derive(Clone, Debug, clap::Args)]
pub struct Order {
    /// Take some seconds instead of minutes
    #[arg(long)]
    pub quick: bool,
    /// What clients do and when, and what is left to chance, follows from it; random by default
    #[arg(long)]
    pub seed: Option<u64>,
    /// The store: its URL, or what is to be started, such as `redis-cluster` or `postgres`, which
    /// is then also stopped, killed and failed over; `sqlite`, the default, is a new file
    #[arg(long, value_name = "URL|KIND", default_value_t)]
    pub store: Wanted,
    /// Only this situation; may be given several times
    #[arg(long, value_enum)]
    pub situation: Vec<Situation>,
    /// Print the summary as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Write what was witnessed there, as one line of JSON for each round
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}

/// A row on its way through the situations.
pub(super) struct Course {
    pub(super) scene: Scene,
    pub(super) seed: u64,
    /// The number of the next trial.
    next: u32,
    rounds: usize,
    history: Option<BufWriter<File>>,
}

// === impl Order ===

impl Order {
    /// How the summary is printed.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::of(self.json)
    }

    pub(super) fn scale(&self) -> Scale {
        match self.quick {
            true => Scale::Quick,
            false => Scale::Full,
        }
    }

    pub(super) async fn start(&self) -> Result<Course, Error> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        Ok(Course {
            history: self.history.as_deref().map(create).transpose()?,
            scene: Scene::start(&self.store, seed).await?,
            seed,
            next: 1,
            rounds: 0,
        })
    }

    /// The situations that were asked for and make sense.
    pub(super) fn situations(&self, course: &Course) -> Vec<Situation> {
        let all = match self.quick && self.situation.is_empty() {
            true => &Situation::QUICK[..],
            false => &Situation::ALL[..],
        };
        let is_asked = |of: &Situation| self.situation.is_empty() || self.situation.contains(of);
        let makes_sense = |of: &Situation| of.makes_sense(course.scene.store);
        let all = all.iter().copied();
        all.filter(is_asked).filter(makes_sense).collect()
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    let file = File::create(path);
    let file = file.with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(BufWriter::new(file))
}

// === impl Course ===

impl Course {
    pub(super) fn bound(&self) -> Bound {
        self.scene.bound
    }

    /// Lets so many trials pass in a situation.
    pub(super) async fn pass(
        &mut self,
        situation: Situation,
        work: Work,
        count: u32,
    ) -> Result<Witnessed, Error> {
        if situation == Situation::ClockMoved {
            self.scene.give_clocks().await?;
        }
        let hit: Vec<_> = (0..situation.nodes_hit())
            .map(|node| (node + self.rounds) % NODES)
            .collect();
        let trials = round::trials(
            situation,
            &self.scene,
            work,
            &hit,
            self.next,
            count,
            self.seed,
        );
        self.next += count;
        self.rounds += 1;
        let passed = round::pass(situation, &mut self.scene, work, &hit, trials).await;
        let witnessed = passed.with_context(|| format!("{situation}, seed {}", self.seed))?;
        if let Some(file) = &mut self.history {
            serde_json::to_writer(&mut *file, &(situation, &witnessed))?;
            file.write_all(b"\n")?;
        }
        Ok(witnessed)
    }

    /// Ends the nodes in order.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        if let Some(file) = &mut self.history {
            file.flush()?;
        }
        self.scene.fleet.stop().await
    }
}

/// In milliseconds, or seconds where these are many.
pub(super) fn time(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}
