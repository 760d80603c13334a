//! Risen sessions: in three processes, one creates, one revokes, and one writes all the while.

mod racer;

use std::{
    fmt,
    path::PathBuf,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use anyhow::{Context, Error, bail};
use anynode_core::{
    Create, Device, Draft, Handle, Kind, Moment, Page, Payload, SecretHash, Store, UserId, Version,
    WriteId,
};
use serde::Serialize;

pub use self::racer::Racer;
use super::{Ground, Terms, child::Part, random};
use crate::prove::{Finding, at_least_one, short_of};

/// Races between a revocation in one process and a writer in another that does not give up
/// before it is told that the session is gone.
#[derive(Clone, Debug, clap::Args)]
pub struct RisenSessions {
    /// What these rows have
    #[command(flatten)]
    pub terms: Terms,
    /// Exposed races: the writer reached the store after the revocation [default: 100000; with
    /// --quick 10000]
    #[arg(long, value_parser = at_least_one::<u64>)]
    pub races: Option<u64>,
    /// The program whose children race; this one by default
    #[arg(long, hide = true)]
    pub program: Option<PathBuf>,
}

/// What became of the sessions.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Races {
    asked: u64,
    /// Sessions that were revoked while someone wrote to them.
    pub trials: u64,
    /// Those whose writer was answered that the session is gone.
    pub exposed: u64,
    /// Sessions that were alive, or whose handle was free, after their revocation.
    pub risen: u64,
    /// Calls that failed.
    pub errors: u64,
}

/// One session of a race. Handle and user follow from two numbers, so that the processes need
/// not tell each other.
#[derive(Clone, Copy, Debug)]
struct Race {
    batch: u64,
    number: u64,
}

/// Sessions that are raced for at a time.
const BATCH: u64 = 200;

/// The lowest share of races in which the writer came late.
const EXPOSED_PERCENT: u64 = 50;

// === impl RisenSessions ===

impl RisenSessions {
    /// Runs the races and counts what rose.
    ///
    /// # Errors
    /// When a process or the store cannot be started or asked.
    pub fn prove(&self) -> Result<Races, Error> {
        let ground = Ground::open(&self.terms)?;
        let asked = self.terms.choose(self.races, 100_000);
        let (said, heard) = channel();
        let mut revoker = self.start("revoke", ground.url(), said.clone())?;
        let mut writer = self.start("write", ground.url(), said)?;
        let mut races = Races {
            asked,
            ..Races::default()
        };
        while races.exposed < asked && races.trials < asked.saturating_mul(4) {
            let batch: Vec<_> = Race::batch(ground.random()).collect();
            for race in &batch {
                ground.wait(race.create(ground.store()))?;
            }
            let name = batch[0].batch;
            writer.say(&format!("load {name}"))?;
            races.hear(&heard, 1)?;
            revoker.say(&format!("go {name}"))?;
            writer.say(&format!("go {name}"))?;
            races.hear(&heard, 2)?;
            for race in &batch {
                races.trials += 1;
                races.risen += u64::from(ground.wait(race.has_risen(ground.store()))?);
            }
        }
        revoker.finish()?;
        writer.finish()?;
        Ok(races)
    }

    fn start(&self, part: &str, url: &str, said: Sender<String>) -> Result<Part, Error> {
        let arguments = [part.to_owned(), format!("--store={url}")];
        Ok(Part::start(
            self.program.as_deref(),
            &arguments,
            move |line| {
                // Nobody listens once the proof has failed.
                let _ = said.send(line.to_owned());
            },
        )?)
    }
}

// === impl Races ===

impl Races {
    /// Hears the children out: so many of them end what they were told to do.
    fn hear(&mut self, heard: &Receiver<String>, parts: usize) -> Result<(), Error> {
        let mut ended = 0;
        while ended < parts {
            let line = heard
                .recv_timeout(Duration::from_secs(60))
                .context("a child says nothing")?;
            match line.as_str() {
                "end" => ended += 1,
                "gone" => self.exposed += 1,
                "risen" => self.risen += 1,
                other => {
                    eprintln!("anynode-lab: {other}");
                    self.errors += 1;
                }
            }
        }
        Ok(())
    }
}

impl Finding for Races {
    fn shortfalls(&self) -> Vec<String> {
        short_of(&[
            (self.exposed >= self.asked, "too few exposed races"),
            (
                self.exposed * 100 >= self.trials * EXPOSED_PERCENT,
                "too few of the races were exposed",
            ),
            (self.risen == 0, "sessions have risen"),
            (self.errors == 0, "calls failed"),
        ])
    }
}

impl fmt::Display for Races {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "risen-sessions-in-store: {} races ({} exposed), {} risen, {} errors",
            self.trials, self.exposed, self.risen, self.errors
        )
    }
}

// === impl Race ===

impl Race {
    fn batch(batch: u64) -> impl Iterator<Item = Self> {
        (0..BATCH).map(move |number| Self { batch, number })
    }

    fn handle(self) -> Handle {
        let mut handle = [0; 16];
        handle[..8].copy_from_slice(&self.batch.to_be_bytes());
        handle[8..].copy_from_slice(&self.number.to_be_bytes());
        Handle::from_bytes(handle)
    }

    /// Every second session is bound, and revoked with all of its user's.
    fn user(self) -> Option<UserId> {
        let bound = self.number.is_multiple_of(2);
        bound.then(|| {
            UserId::new(format!("{}-{}", self.batch, self.number)).expect("is short enough")
        })
    }

    fn draft(self) -> Draft {
        Draft {
            handle: self.handle(),
            kind: Kind::Session,
            secret: SecretHash::from_bytes([0; 32]),
            secret_since: Moment::NOW,
            previous: None,
            version: Version::first(WriteId::from_bytes(random().to_be_bytes())),
            user: self.user(),
            created_at: Moment::NOW,
            authenticated_at: None,
            idle_timeout: Duration::from_secs(60 * 60),
            deadline: Moment::After(Duration::from_secs(60 * 60)),
            payload: Payload::new(vec![1; 64]),
            device: Device::default(),
        }
    }

    async fn create(self, store: &dyn Store) -> Result<(), Error> {
        match store.create(&self.draft()).await? {
            Create::Created(_) => Ok(()),
            Create::Duplicate => bail!("a random handle was taken"),
        }
    }

    /// Whether the session lives, is listed, or could be created anew.
    async fn has_risen(self, store: &dyn Store) -> Result<bool, Error> {
        let alive = store.load(&self.handle()).await?.is_some();
        let listed = match self.user() {
            Some(user) => !store.list(&user, &Page::FIRST).await?.sessions.is_empty(),
            None => false,
        };
        let free = matches!(store.create(&self.draft()).await?, Create::Created(_));
        Ok(alive || listed || free)
    }
}
