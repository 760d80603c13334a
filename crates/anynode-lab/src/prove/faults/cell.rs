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

/// Users who log out everywhere after the recovery: enough for a few of them to have a session
/// just then, whatever the others do. They are refused when they look at it for the last time.
const REVOKED: u32 = 6;

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
        stage.perform(Step::Revoke(REVOKED)).await?;
        let same_nodes = stage.fleet().node_pids() == pids;
        let outcome = stage.finish().await?;
        let last = last_updates(self.fault, &outcome.history.calls, begun, whole);
        Ok(judge(promise, begun, whole, same_nodes, last, &outcome))
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
    last_updates: usize,
    outcome: &Outcome,
) -> Found {
    let calls = &outcome.history.calls;
    let verdict = checker::check(&outcome.history);
    let lost = verdict.sessions.lost.iter();
    let last = begun.saturating_sub(LAST_WRITES);
    Found {
        promise,
        lasted: whole.saturating_sub(begun),
        failures: checker::failures(calls),
        recovery: checker::recovery(calls, whole),
        logouts_meanwhile: accepted(calls, Asked::Logout, begun, whole).count(),
        lost_of_old: lost.filter(|loss| loss.begun <= last).count(),
        last_updates,
        same_nodes,
        verdict,
    }
}

/// The calls of a kind that were accepted and under way between these times.
fn accepted(
    calls: &[Call],
    kind: Asked,
    since: Duration,
    until: Duration,
) -> impl Iterator<Item = &Call> {
    let is_meant = move |call: &&Call| {
        let is_meanwhile = call.ended >= since && call.invoked <= until;
        is_meanwhile && call.kind == kind && call.is_accepted()
    };
    calls.iter().filter(is_meant)
}

/// How many updates were acknowledged within the last second before a primary was gone: what is
/// acknowledged later is by the one that took over, which has it.
///
/// A server that is killed or stands still is gone when the fault begins. One that is cut off is
/// gone some time later, so that the busiest second counts; and twice, because a way is broken in
/// both directions one after the other, and each time another may take over.
fn last_updates(fault: Fault, calls: &[Call], begun: Duration, whole: Duration) -> usize {
    const BREAKS: usize = 2;
    let first = begun.saturating_sub(LAST_WRITES);
    if !fault.is_of_the_network() {
        return accepted(calls, Asked::Visit, first, begun).count();
    }
    let mut ends: Vec<_> = accepted(calls, Asked::Visit, first, whole)
        .map(|call| call.ended)
        .collect();
    ends.sort_unstable();
    let of_second = |(at, from): (usize, &Duration)| {
        let end = *from + LAST_WRITES;
        ends[at..].partition_point(|ended| *ended <= end)
    };
    let busiest = ends.iter().enumerate().map(of_second).max();
    BREAKS * busiest.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(millis: u64) -> Call {
        let at = Duration::from_millis(millis);
        Call {
            user: 1,
            session: 1,
            kind: Asked::Visit,
            due: at,
            invoked: at,
            ended: at,
            outcome: crate::history::Outcome::Ok,
            status: Some(200),
            says_when: false,
            node: None,
            owner: None,
            visits: None,
            cookie_bytes: 0,
            from_copy: false,
        }
    }

    /// All that was acknowledged while another took over passed for last writes.
    #[test]
    fn only_what_was_acknowledged_within_the_last_second_may_be_lost() {
        // Ten a second, and twenty from the fifth second on.
        let slow = (0..50).map(|number| visit(100 * number));
        let quick = (0..100).map(|number| visit(5_000 + 50 * number));
        let calls: Vec<_> = slow.chain(quick).collect();
        let (begun, whole) = (Duration::from_millis(4_050), Duration::from_secs(9));
        let count = |fault| last_updates(fault, &calls, begun, whole);
        assert_eq!(count(Fault::FailOver), 10);
        assert_eq!(count(Fault::BlackHole), 2 * 21);
    }
}
