//! What the same requests take straight to one node.

use anyhow::{Context, Error};
use tokio::time::sleep;

use super::size::{SETTLING, Size};
use crate::clock::boot_time;
use crate::fleet::{Fleet, Plan, Strategy};
use crate::history::{Call, Recorder};
use crate::user::{Crowd, Load};

/// Lets users come straight to one node that keeps sessions in its memory, and returns what
/// they saw once they had settled.
///
/// # Errors
/// When a process does not start or stop.
pub(super) async fn measure(plan: &Plan, load: Load, size: &Size) -> Result<Vec<Call>, Error> {
    let plan = Plan {
        strategy: Strategy::Memory,
        nodes: 1,
        ..plan.clone()
    };
    let fleet = Fleet::start(&plan).await?;
    let node = fleet.node_addresses()[0];
    let recorder = Recorder::default();
    let crowd = Crowd::start(load, node, recorder.clone());
    sleep(SETTLING).await;
    let window = boot_time()..boot_time() + size.baseline();
    sleep(size.baseline()).await;
    crowd.finish().await;
    fleet.stop().await?;
    let mut calls = recorder.take().context("the history is not whole")?;
    calls.retain(|call| window.contains(&call.due));
    Ok(calls)
}
