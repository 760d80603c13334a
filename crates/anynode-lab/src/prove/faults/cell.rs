//! One cell of the matrix: one store, one fault, users before, during and after it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Error};
use tokio::time::sleep;

use super::fault::{Fault, Promise};
use super::row::{Found, LAST_WRITES, Row};
use super::strike::strike;
use crate::checker;
use crate::clock::boot_time;
use crate::fault::WallClocks;
use crate::fleet::{Plan, Strategy};
use crate::history::{Call, Kind as Asked};
use crate::prove::home::{Home, Store};
use crate::stage::{Outcome, Stage, Step};
use crate::user::{Load, Mix};

/// Users of each cell.
const USERS: u32 = 60;

/// Requests per second of each cell.
const RATE: u32 = 80;

/// Nodes of each cell.
const NODES: usize = 2;

/// How long there is load before the fault and after the recovery.
const STEADY: Duration = Duration::from_secs(2);

/// How long a store may take to be of use again.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

/// One store and one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) store: Store,
    pub(super) fault: Fault,
}

// === impl Cell ===

impl Cell {
    /// Lets users come to a fleet on this store while the fault is done.
    pub(super) async fn run(self, seed: u64, history: Option<PathBuf>) -> Row {
        let result = match self.fault.promise(self.store) {
            Err(reason) => return Row::senseless(self, reason),
            Ok(promise) => self.find(promise, seed, history).await,
        };
        Row::of(self, result)
    }

    async fn find(
        self,
        promise: Promise,
        seed: u64,
        history: Option<PathBuf>,
    ) -> Result<Found, Error> {
        let setup = self.fault.setup(self.store);
        let mut home = Home::start(self.store, &setup).await?;
        let proxies = match self.fault.is_of_the_network() {
            true => {
                home.go_behind_proxies(seed, self.fault.whom(self.store))
                    .await?
            }
            false => Vec::new(),
        };
        let clocks = match self.fault {
            Fault::ClockMoved => Some(WallClocks::new()?),
            _ => None,
        };
        let plan = Plan {
            store: Some(home.url().to_owned()),
            clocks: clocks.clone(),
            ..Plan::new(Strategy::Central, NODES)
        };
        let mut stage = Stage::start(&plan, load(seed), history.as_ref()).await?;
        stage.perform(Step::Steady(STEADY)).await?;
        let pids = stage.fleet().node_pids();
        let begun = boot_time();
        let clocks = clocks.as_ref();
        let struck = strike(self.fault, &mut home, &proxies, clocks, &mut stage).await;
        let whole = boot_time();
        struck.context("the fault could not be done")?;
        await_recovery(&stage, whole).await;
        // Until then users are refused and try the next thing at once, logouts among them.
        stage.note_fault(begun, self.fault.name(), false);
        stage.perform(Step::Steady(STEADY)).await?;
        let same_nodes = stage.fleet().node_pids() == pids;
        let outcome = stage.finish().await?;
        Ok(judge(promise, begun, whole, same_nodes, &outcome))
    }
}

fn load(seed: u64) -> Load {
    Load {
        users: USERS,
        rate: RATE,
        mix: Mix {
            visits: 500,
            carts: 50,
            logouts: 25,
            late: 2,
            tabs: 2,
        },
        seed,
    }
}

/// Waits until most users were answered after the fault was over; what that took is judged from
/// the history.
async fn await_recovery(stage: &Stage, whole: Duration) {
    let most = usize::try_from(USERS).expect("it is small") * 8 / 10;
    while boot_time() < whole + RECOVERY_MAX && stage.users_answered_since(whole) < most {
        sleep(Duration::from_millis(50)).await;
    }
}

fn judge(
    promise: Promise,
    begun: Duration,
    whole: Duration,
    same_nodes: bool,
    outcome: &Outcome,
) -> Found {
    let calls = &outcome.history.calls;
    let verdict = checker::check(&outcome.history);
    let done = |kind: Asked, since: Duration| {
        let is_meant = |call: &&Call| {
            let is_meanwhile = call.ended >= since && call.invoked <= whole;
            is_meanwhile && call.kind == kind && call.is_accepted()
        };
        calls.iter().filter(is_meant).count()
    };
    let lost = verdict.sessions.lost.iter();
    let last = begun.saturating_sub(LAST_WRITES);
    Found {
        promise,
        lasted: whole.saturating_sub(begun),
        failures: checker::failures(calls),
        recovery: checker::recovery(calls, whole),
        logouts_meanwhile: done(Asked::Logout, begun),
        lost_of_old: lost.filter(|loss| loss.begun <= last).count(),
        last_updates: done(Asked::Visit, last),
        same_nodes,
        verdict,
    }
}
