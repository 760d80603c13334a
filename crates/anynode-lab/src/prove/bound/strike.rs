//! How each thing is done, and undone.

use std::time::Duration;

use anyhow::{Context, Error, ensure};
use tokio::time::sleep;

use super::scene::{NODES, Scene};
use super::situation::{Script, Situation};
use crate::fault::{Fault as Wire, Proxy, WallClocks, Way};
use crate::fleet::Fleet;

/// How long a killed store is away.
const AWAY: Duration = Duration::from_millis(1_500);

/// How long a primary is cut off: until another has taken its place, which takes some three
/// seconds, and for longer than it may still answer.
const CUT_OFF: Duration = Duration::from_millis(7_500);

/// How long a file that is locked is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Does it to the store, or to the way there of all but these nodes, and undoes it.
pub(super) async fn on_store(
    situation: Situation,
    scene: &mut Scene,
    hit: &[usize],
) -> Result<(), Error> {
    match situation {
        Situation::StorePaused => pause(scene).await,
        Situation::Deposed => depose(scene, hit).await,
        Situation::FailOver => {
            let server = scene.home.server().context("it has no server")?;
            server.fail_over().await?;
            server.restart().await
        }
        _ => {
            let server = scene.home.server().context("it has no server")?;
            server.kill().await?;
            sleep(AWAY).await;
            server.restart().await
        }
    }
}

/// Does it to these nodes, or to their ways to the store, and undoes it.
pub(super) async fn on_nodes(
    situation: Situation,
    fleet: &mut Fleet,
    proxies: &[Proxy],
    clocks: Option<&WallClocks>,
    hit: &[usize],
) -> Result<(), Error> {
    match situation {
        Situation::Healthy => sleep(Situation::NODE_PAUSE).await,
        Situation::NodePaused => {
            let node = *hit.first().context("no node is hit")?;
            fleet.pause(node, Situation::NODE_PAUSE).await?;
        }
        Situation::ClockMoved => {
            move_clock(clocks.context("there is no clock to move")?).await?;
        }
        _ => {
            let pids = fleet.node_pids();
            let pids: Vec<_> = hit.iter().map(|node| pids[*node]).collect();
            play(proxies, &pids, situation.script()).await?;
        }
    }
    Ok(())
}

/// All proxies do it to the connections of these processes at the same time.
async fn play(proxies: &[Proxy], pids: &[u32], script: Script) -> Result<(), Error> {
    let hits = || proxies.iter().map(Proxy::hits).sum::<u64>();
    let before = hits();
    for (wire, lasting) in script {
        for proxy in proxies {
            pids.iter()
                .for_each(|pid| proxy.set_for(*pid, wire.clone()));
        }
        sleep(lasting).await;
    }
    proxies.iter().for_each(Proxy::heal);
    ensure!(hits() > before, "nothing was done to any connection");
    Ok(())
}

/// A file stands still for everybody who writes while somebody holds its lock.
async fn pause(scene: &mut Scene) -> Result<(), Error> {
    let lasting = Situation::pause(scene.store);
    if let Some(file) = scene.home.file()? {
        file.busy_timeout(BUSY)?;
        file.execute_batch("BEGIN EXCLUSIVE")?;
        sleep(lasting).await;
        file.execute_batch("ROLLBACK")?;
        return Ok(());
    }
    let server = scene.home.server().context("it has no server")?;
    server.pause().await?;
    sleep(lasting).await;
    server.resume().await?;
    // What was paused may have been replaced, and follows again.
    server.restart().await
}

/// The primary goes on with one node alone: nothing of it reaches anybody else.
async fn depose(scene: &mut Scene, hit: &[usize]) -> Result<(), Error> {
    let mut cut_off = Vec::new();
    for node in (0..NODES).filter(|node| !hit.contains(node)) {
        cut_off.push(scene.pid_of(node)?);
    }
    let server = scene.home.server().context("it has no server")?;
    cut_off.extend(server.pids());
    let mut primary = None;
    for (address, proxy) in server.addresses().into_iter().zip(&scene.proxies) {
        let role = server.command_at(address, &["ROLE"]).await?;
        if role.starts_with("master") {
            primary = Some(proxy);
        }
    }
    let primary = primary.context("none of its servers is the primary")?;
    for pid in cut_off {
        primary.set_for(pid, Wire::BlackHole(Way::Both));
    }
    sleep(CUT_OFF).await;
    scene.proxies.iter().for_each(Proxy::heal);
    // Until the former primary follows the new one.
    server.restart().await
}

/// The first node's clock is an hour ahead, and then an hour behind.
async fn move_clock(clocks: &WallClocks) -> Result<(), Error> {
    const HOUR: i64 = 3_600;
    const NODE: &str = "n1";
    for seconds in [HOUR, -HOUR, 0] {
        clocks.set(NODE, seconds)?;
        sleep(Situation::CLOCK_WRONG).await;
    }
    Ok(())
}
