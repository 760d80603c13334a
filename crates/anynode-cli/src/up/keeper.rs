//! Keeps one node running: what ends is reported, taken out of the gateway's pool, and started again.

use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use anynode_gateway::Backends;
use tokio::sync::watch;
use tokio::time::sleep;

use super::board::Board;
use super::child::{Child, Launcher};
use super::{Phase, report};

/// How long the first restart waits; each further one twice as long.
const REST_LEAST: Duration = Duration::from_millis(100);

/// The longest wait between two restarts of a node that keeps ending.
const REST_MOST: Duration = Duration::from_secs(5);

/// A node that ran this long was sound, and its restart need not wait for long.
const SOUND_AFTER: Duration = Duration::from_secs(10);

/// The keeper of one node.
#[derive(Debug)]
pub(super) struct Keeper {
    launcher: Launcher,
    backends: Backends,
    board: Board,
    phase: watch::Receiver<Phase>,
    rest: Duration,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(
        launcher: Launcher,
        backends: Backends,
        board: Board,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            launcher,
            backends,
            board,
            phase,
            rest: REST_LEAST,
        }
    }

    /// Keeps the node running until the fleet stops, and then stops it.
    pub(super) async fn keep(mut self, mut child: Child) {
        loop {
            let mut phase = self.phase.clone();
            let ended = tokio::select! {
                ended = self.ended(&mut child) => ended,
                () = stopping(&mut phase) => return child.stop().await,
            };
            self.backends.remove(child.backend().id());
            self.board.ended(&child.name());
            let death = report::Death::new(child.name(), ended);
            child = tokio::select! {
                successor = self.successor(child.number(), &death) => successor,
                // What was being started is killed with the handle on it.
                () = stopping(&mut phase) => return,
            };
        }
    }

    /// Waits until the node has ended, by itself or because somebody asked for it to be killed.
    async fn ended(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut kills = self.board.kills(child.name(), child.pid());
        let mut sound = pin!(sleep(SOUND_AFTER));
        loop {
            tokio::select! {
                ended = child.ended() => return ended,
                () = kills.next() => child.kill(),
                () = &mut sound, if !sound.is_elapsed() => self.rest = REST_LEAST,
            }
        }
    }

    async fn successor(&mut self, number: u64, death: &report::Death) -> Child {
        loop {
            sleep(self.rest).await;
            self.rest = (self.rest * 2).min(REST_MOST);
            let child = match self.launcher.launch(number).await {
                Ok(child) => child,
                Err(error) => {
                    report::not_restarted(death, &error, self.rest);
                    continue;
                }
            };
            let inserted = self.backends.insert(child.backend());
            inserted.expect("its predecessor left a place in the pool");
            self.board.serves(&child);
            report::restarted(death, &child);
            return child;
        }
    }
}

async fn stopping(phase: &mut watch::Receiver<Phase>) {
    // A sender that is gone means that the fleet is, too.
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
}
