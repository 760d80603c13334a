//! Who asks one node for some sessions: before they end, often until they are refused, after
//! the bound, and once more when all is well again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, bail};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::client::{Client, Opened};
use super::round::Round;
use crate::clock::boot_time;
use crate::history::{Ask, Told};

/// How long an answer is waited for that has to come when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before asking again for what has to come.
const AGAIN: Duration = Duration::from_millis(50);

/// The time from one question to the next: short at first, so that a healthy node is timed, and
/// then longer and longer.
const PACE_FIRST: Duration = Duration::from_millis(1);
const PACE_LAST: Duration = Duration::from_millis(120);

/// As often a session is refused before it is believed.
const REFUSALS: u8 = 2;

/// How long before its end a node first hears of a session that it held no copy of, at most.
const COLD: Duration = Duration::from_millis(20);

/// How far a revocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It will be asked for.
    Due,
    /// It was asked for.
    Asked,
    /// It was acknowledged then.
    Acknowledged(Duration),
    /// It was not, and is not asked for any more.
    GivenUp,
}

/// Whether a node was asked for the sessions before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copies {
    /// It holds copies of them.
    Held,
    /// It has not heard of them.
    None,
}

/// How often a node is asked for sessions from their end until the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Until it refuses them, which is timed.
    Often,
    /// Not at all: who asks lets a node that has lost its lease learn what it missed, and a copy
    /// that nobody looked at meanwhile is the one that is trusted again.
    Not,
}

/// Who asks one node for some sessions.
pub(super) struct Watcher {
    pub(super) client: Client,
    pub(super) ending: Vec<Opened>,
    pub(super) spared: Option<Opened>,
    pub(super) copies: Copies,
    pub(super) asking: Asking,
    /// When they are going to end.
    pub(super) due: Duration,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) round: Arc<Round>,
    pub(super) rng: fastrand::Rng,
    pub(super) asks: Vec<Ask>,
}

/// Waits until this time of the boot clock.
pub(super) async fn until(time: Duration) {
    sleep(time.saturating_sub(boot_time())).await;
}

/// Asks until a node answers from a copy.
///
/// # Errors
/// When it does not in time.
pub(super) async fn hold(client: &mut Client, session: &Opened) -> Result<Vec<Ask>, Error> {
    let mut asks = Vec::new();
    let holding = async {
        loop {
            let ask = client.ask(session).await;
            asks.push(ask);
            if ask.is_from_copy() {
                return;
            }
            if asks.len() > 1 {
                sleep(AGAIN).await;
            }
        }
    };
    if timeout(PATIENCE, holding).await.is_err() {
        let last = asks.last().map(|ask| ask.told);
        bail!(
            "node {} keeps no copy of a session; its last answer: {last:?}",
            client.node + 1
        );
    }
    Ok(asks)
}

// === impl Stage ===

impl Stage {
    fn is_over(self) -> bool {
        matches!(self, Self::Acknowledged(_) | Self::GivenUp)
    }
}

// === impl Watcher ===

impl Watcher {
    pub(super) async fn watch(mut self) -> Vec<Ask> {
        self.before().await;
        match self.asking {
            Asking::Often => self.meanwhile().await,
            Asking::Not => drop(self.stage.wait_for(|stage| stage.is_over()).await),
        }
        self.after_the_bound().await;
        self.at_last().await;
        self.asks
    }

    async fn before(&mut self) {
        let left = self.due.saturating_sub(boot_time());
        let pause = match self.copies {
            Copies::Held => left.mul_f64(self.rng.f64()),
            Copies::None => left.saturating_sub(COLD.mul_f64(self.rng.f64())),
        };
        sleep(pause).await;
        self.ask_for_all().await;
        let _ = self.stage.wait_for(|stage| *stage != Stage::Due).await;
    }

    async fn meanwhile(&mut self) {
        let mut left: Vec<_> = self
            .ending
            .iter()
            .map(|session| (session.clone(), 0))
            .collect();
        let mut pace = PACE_FIRST;
        loop {
            match *self.stage.borrow_and_update() {
                Stage::GivenUp => return,
                Stage::Acknowledged(at) if boot_time() > at + self.round.bound => return,
                _ => {}
            }
            for (session, refusals) in &mut left {
                let ask = self.client.ask(session).await;
                *refusals += u8::from(ask.told == Told::Refused);
                self.asks.push(ask);
            }
            left.retain(|(_, refusals)| *refusals < REFUSALS);
            if left.is_empty() {
                let _ = self.stage.wait_for(|stage| stage.is_over()).await;
                return;
            }
            tokio::select! {
                () = sleep(pace) => pace = (pace * 8 / 5).min(PACE_LAST),
                _ = self.stage.changed() => pace = PACE_FIRST,
            }
        }
    }

    async fn after_the_bound(&mut self) {
        let Stage::Acknowledged(at) = *self.stage.borrow() else {
            return;
        };
        for later in [0, 20, 150] {
            let later = Duration::from_millis(self.rng.u64(..=later));
            until(at + self.round.bound + later).await;
            self.ask_for_all().await;
        }
    }

    async fn at_last(&mut self) {
        let mut over = self.round.over.clone();
        let _ = over.wait_for(|is_over| *is_over).await;
        sleep(AGAIN.mul_f64(4.0 * self.rng.f64())).await;
        let sessions: Vec<_> = self.ending.iter().chain(&self.spared).cloned().collect();
        let until = boot_time() + PATIENCE;
        for session in sessions {
            loop {
                let ask = self.client.ask(&session).await;
                self.asks.push(ask);
                if ask.is_answered() || boot_time() > until {
                    break;
                }
                sleep(AGAIN).await;
            }
        }
    }

    async fn ask_for_all(&mut self) {
        for session in self.ending.iter().chain(&self.spared) {
            let ask = self.client.ask(session).await;
            self.asks.push(ask);
        }
    }
}
