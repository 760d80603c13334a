//! Lost updates: many writers of a few sessions in processes that are killed.

mod ledger;
mod updater;

use std::{fmt, path::PathBuf, sync::Arc, thread, time::Duration};

use anyhow::{Context, Error, bail};
use serde::Serialize;

use anynode_core::{
    Create, Device, Draft, Handle, Kind, Moment, Payload, SecretHash, Version, WriteId,
};

use self::ledger::Ledger;
pub use self::updater::Updater;
use super::{Ground, Terms, child::Part, random};
use crate::clock::boot_time;
use crate::prove::{Finding, at_least_one, short_of};

/// Processes whose writers each count up a number of their own in sessions that they share.
///
/// Every acknowledged step is reported before the next is begun, so that what a killed process
/// was told is known: the number in the session must not be below what was acknowledged, nor
/// above what was begun.
#[derive(Clone, Debug, clap::Args)]
pub struct LostUpdates {
    /// What these rows have
    #[command(flatten)]
    pub terms: Terms,
    /// Acknowledged updates to make [default: 100000; with --quick 10000]
    #[arg(long, value_parser = at_least_one::<u64>)]
    pub updates: Option<u64>,
    /// Processes that write at once
    #[arg(long, default_value_t = 3, value_parser = at_least_one::<usize>)]
    pub processes: usize,
    /// Writers of each session, spread over the processes
    #[arg(long, default_value_t = 64, value_parser = at_least_one::<usize>)]
    pub writers: usize,
    /// Sessions; more of them keep more writers from waiting for their turn, so more meet
    #[arg(long, default_value_t = 8, value_parser = at_least_one::<usize>)]
    pub sessions: usize,
    /// How many times a process is killed and replaced
    #[arg(long, default_value_t = 10)]
    pub kills: u64,
    /// The program whose children write; this one by default
    #[arg(long, hide = true)]
    pub program: Option<PathBuf>,
}

/// What became of the updates.
#[derive(Clone, Debug, Serialize)]
pub struct Updates {
    asked: u64,
    kills_asked: u64,
    /// Updates that were acknowledged.
    pub acknowledged: u64,
    /// Those that met another writer's update and were rebased on it.
    pub exposed: u64,
    /// Processes killed in the midst of their updates.
    pub kills: u64,
    /// Updates under way at a kill: each may have happened or not.
    pub unknown: u64,
    /// Acknowledged updates that are not in the session.
    pub lost: u64,
    /// Updates in a session that nobody began.
    pub doubled: u64,
    /// Calls that answered "database is locked".
    pub locked: u64,
    /// Calls that failed otherwise.
    pub errors: u64,
    /// How long the updates took.
    pub took: Duration,
}

/// The lowest share of updates that have to meet another.
const EXPOSED_PERCENT: u64 = 30;

// === impl LostUpdates ===

impl LostUpdates {
    /// Makes the updates and counts what became of them.
    ///
    /// # Errors
    /// When a process or the store cannot be started or asked.
    pub fn prove(&self) -> Result<Updates, Error> {
        let ground = Ground::open(&self.terms)?;
        let handles = ground.wait(self.create(&ground))?;
        let ledger = Arc::new(Ledger::new(self.sessions, self.writers));
        let started = boot_time();
        let kills = self.run(ground.url(), &handles, &ledger)?;
        let took = boot_time().saturating_sub(started);
        let mut updates = Updates {
            asked: self.asked(),
            kills_asked: self.kills,
            acknowledged: ledger.acknowledged(),
            exposed: ledger.exposed(),
            kills,
            unknown: 0,
            lost: 0,
            doubled: 0,
            locked: ledger.locked(),
            errors: ledger.errors(),
            took,
        };
        for (session, handle) in handles.iter().enumerate() {
            let live = ground.wait(ground.store().load(handle))?;
            let live = live.context("a session is gone")?;
            let counts = updater::counts(&live.record.payload);
            for (writer, count) in counts.into_iter().enumerate() {
                ledger.judge(session, writer, count, &mut updates);
            }
        }
        Ok(updates)
    }

    fn asked(&self) -> u64 {
        self.terms.choose(self.updates, 100_000)
    }

    async fn create(&self, ground: &Ground) -> Result<Vec<Handle>, Error> {
        let mut handles = Vec::new();
        for session in 0..self.sessions {
            let draft = draft(ground.random(), session, self.writers);
            match ground.store().create(&draft).await? {
                Create::Created(_) => handles.push(draft.handle),
                Create::Duplicate => bail!("a random handle was taken"),
            }
        }
        Ok(handles)
    }

    /// Lets the processes write until enough is acknowledged, and kills some on the way.
    fn run(&self, url: &str, handles: &[Handle], ledger: &Arc<Ledger>) -> Result<u64, Error> {
        let start = |process: usize| self.start(process, url, handles, ledger);
        let mut parts = (0..self.processes)
            .map(start)
            .collect::<Result<Vec<_>, _>>()?;
        let mut kills = 0;
        let asked = self.asked();
        while ledger.acknowledged() < asked {
            thread::sleep(Duration::from_millis(1));
            let due = asked * (kills + 1) / (self.kills + 1);
            if kills < self.kills && ledger.acknowledged() >= due {
                let process = usize::try_from(kills).unwrap_or(0) % self.processes;
                std::mem::replace(&mut parts[process], start(process)?).kill()?;
                kills += 1;
            }
        }
        // All at once: who has to end its last update does not compete with who goes on.
        parts.iter_mut().for_each(Part::stop);
        for part in &mut parts {
            part.finish()?;
        }
        Ok(kills)
    }

    fn start(
        &self,
        process: usize,
        url: &str,
        handles: &[Handle],
        ledger: &Arc<Ledger>,
    ) -> Result<Part, Error> {
        let mut arguments = vec![
            "update".to_owned(),
            format!("--store={url}"),
            format!("--process={process}"),
            format!("--processes={}", self.processes),
            format!("--writers={}", self.writers),
        ];
        arguments.extend(handles.iter().map(|handle| format!("--session={handle}")));
        let ledger = ledger.clone();
        Ok(Part::start(
            self.program.as_deref(),
            &arguments,
            move |line| {
                ledger.enter(line);
            },
        )?)
    }
}

// === impl Updates ===

impl Finding for Updates {
    fn shortfalls(&self) -> Vec<String> {
        short_of(&[
            (self.acknowledged >= self.asked, "too few updates"),
            (
                self.exposed * 100 >= self.acknowledged * EXPOSED_PERCENT,
                "too few updates met another",
            ),
            (self.kills >= self.kills_asked, "too few kills"),
            (self.lost == 0, "updates were lost"),
            (self.doubled == 0, "updates were applied twice"),
            (self.locked == 0, "the database was locked"),
            (self.errors == 0, "calls failed"),
        ])
    }
}

impl fmt::Display for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lost-updates-in-store: {} acknowledged ({} exposed) in {:.1} s, {} kills, {} unknown; \
             {} lost, {} doubled, {} \"database is locked\", {} other errors",
            self.acknowledged,
            self.exposed,
            self.took.as_secs_f64(),
            self.kills,
            self.unknown,
            self.lost,
            self.doubled,
            self.locked,
            self.errors,
        )
    }
}

fn draft(name: u64, session: usize, writers: usize) -> Draft {
    let mut handle = [0; 16];
    handle[..8].copy_from_slice(&name.to_be_bytes());
    handle[8..].copy_from_slice(&session.to_be_bytes());
    Draft {
        handle: Handle::from_bytes(handle),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([0; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes(random().to_be_bytes())),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(24 * 60 * 60),
        deadline: Moment::After(Duration::from_secs(24 * 60 * 60)),
        payload: Payload::new(vec![0; writers * 8]),
        device: Device::default(),
    }
}
