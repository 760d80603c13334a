//! Runs a comparison: every strategy through the same steps, one after the other.

mod baseline;
mod cookies;
mod course;
mod machine;
mod progress;
mod size;
mod tally;
mod window;

#[cfg(test)]
mod tests;

use anyhow::{Context, Error};
use tokio::runtime::Builder;

use self::progress::Progress;
use self::size::NODES;
pub(super) use self::size::Size;
use crate::compare::report::{Report, Run, Step};
use crate::fleet::{Plan, Strategy};
use crate::server::{Server, Wanted};
use crate::user::Load;

/// What is compared, and how.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) strategies: Vec<Strategy>,
    /// The store of the strategies that have one.
    pub(super) store: Wanted,
    pub(super) size: Size,
    pub(super) seed: u64,
    /// The command line that repeats it.
    pub(super) command: String,
}

/// Takes every strategy through every step.
///
/// # Errors
/// When something could not be measured.
pub(super) fn run(order: Order) -> Result<Report, Error> {
    // Processes and users are waited for on a few threads.
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime
        .context("a runtime cannot be started")?
        .block_on(compare(order))
}

async fn compare(order: Order) -> Result<Report, Error> {
    let progress = Progress::begin();
    let size = &order.size;
    let load = Load {
        users: size.users,
        rate: size.rate,
        mix: course::mix(size.writes_percent),
        seed: order.seed,
    };
    let server = match &order.store {
        Wanted::Kind(kind) => Some(Server::start(*kind).await?),
        Wanted::File | Wanted::Url(_) => None,
    };
    let (mut alone, mut rows) = (Vec::new(), Vec::new());
    for &strategy in &order.strategies {
        let plan = Plan {
            store: match (&server, &order.store) {
                (Some(server), _) => Some(server.fresh_url()),
                (None, Wanted::Url(url)) => Some(url.clone()),
                (None, _) => None,
            },
            store_pids: server.as_ref().map(Server::pids).unwrap_or_default(),
            ..Plan::new(strategy, NODES)
        };
        // Before each, so that a machine that is busier now than then is so for both.
        progress.say("baseline", "one node without a gateway");
        alone.extend(
            baseline::measure(&plan, load, size)
                .await
                .context("baseline")?,
        );
        let course = course::take(&plan, load, size, progress).await?;
        rows.push(tally::row(strategy, &course, size.users_revoked()));
    }
    let run = describe(&order, progress)?;
    let baseline = tally::latency(alone.iter());
    Ok(Report::conclude(run, Step::ALL.to_vec(), baseline, rows))
}

fn describe(order: &Order, progress: Progress) -> Result<Run, Error> {
    let build = if cfg!(debug_assertions) {
        "development"
    } else {
        "release"
    };
    Ok(Run {
        command: order.command.clone(),
        seed: order.seed,
        users: order.size.users,
        rate_per_second: order.size.rate,
        writes_percent: order.size.writes_percent,
        took_ms: u32::try_from(progress.passed().as_millis())?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: build.to_owned(),
        store: order.store.to_string(),
        machine: machine::machine(),
    })
}
