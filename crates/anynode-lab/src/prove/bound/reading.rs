//! Sessions that are written at one node and read at all, and that end at last, some of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Error;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Client, Opened};
use super::hand::Hand;
use super::round::Round;
use super::trial::{Held, Trial, end};
use super::watcher::until;
use crate::clock::boot_time;
use crate::history::{Ask, End, EndKind, Witnessed, Write};

/// The shortest and the longest time from one question to the next, in milliseconds.
const READ_EVERY: std::ops::Range<u64> = 15..90;

/// The same of writes.
const WRITE_EVERY: std::ops::Range<u64> = 60..300;

/// For how long an ended session is still asked for, beyond the bound.
const AFTER_THE_END: Duration = Duration::from_millis(500);

// === impl Held ===

impl Held {
    /// Writes at one node and reads at all of them until the session ends.
    pub(super) async fn read(mut self, round: Arc<Round>, hand: Hand) -> Result<Witnessed, Error> {
        let session = self.sessions[0].clone();
        let mut rng = fastrand::Rng::with_seed(self.trial.seed ^ u64::from(self.trial.number));
        let stop = round.begin + self.trial.at;
        let mut reading = JoinSet::new();
        for client in self.clients.drain(..) {
            let until = stop + round.bound + AFTER_THE_END;
            reading.spawn(read(client, session.clone(), until, rng.fork()));
        }
        let mut witnessed = Witnessed {
            asks: self.asks,
            writes: write(&self.trial, &session, &round, stop, &mut rng).await,
            ..Witnessed::default()
        };
        if rng.bool() {
            let asked = boot_time();
            let acknowledged = end(&self.trial, &session, &round, &hand, asked).await;
            witnessed.ends.push(End {
                kind: EndKind::Session,
                sessions: vec![session.number],
                by: u8::try_from(self.trial.by).ok(),
                spared: None,
                asked,
                acknowledged,
            });
        }
        drop(hand);
        while let Some(asks) = reading.join_next().await {
            witnessed.asks.extend(asks?);
        }
        Ok(witnessed)
    }
}

async fn read(
    mut client: Client,
    session: Opened,
    until: Duration,
    mut rng: fastrand::Rng,
) -> Vec<Ask> {
    let mut asks = Vec::new();
    while boot_time() < until {
        asks.push(client.ask(&session).await);
        sleep(Duration::from_millis(rng.u64(READ_EVERY))).await;
    }
    asks
}

async fn write(
    trial: &Trial,
    session: &Opened,
    round: &Round,
    stop: Duration,
    rng: &mut fastrand::Rng,
) -> Vec<Write> {
    let mut client = Client::new(trial.by, round.nodes[trial.by]);
    let mut writes = Vec::new();
    until(round.begin).await;
    while boot_time() < stop {
        let visits = client.visit(session).await.ok();
        writes.push(Write {
            session: session.number,
            visits,
            acknowledged: visits.map(|_| boot_time()),
        });
        sleep(Duration::from_millis(rng.u64(WRITE_EVERY))).await;
    }
    writes
}
