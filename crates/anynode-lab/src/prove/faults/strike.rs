//! How each fault is done, and undone.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Error, ensure};
use hyper::header::DATE;
use tokio::time::sleep;

use super::fault::Fault;
use crate::fault::{Act, Fault as Wire, Proxy, WallClocks, Way, Which};
use crate::fleet::Fleet;
use crate::prove::home::Home;
use crate::stage::{Stage, Step};
use crate::wire;

/// How long a killed store is away.
const AWAY: Duration = Duration::from_secs(2);

/// How long a store stands still: longer than any deadline.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// How long a connection is broken in one way.
const BREAK: Duration = Duration::from_secs(5);

/// How long a node stands still.
pub(super) const NODE_PAUSE: Duration = Duration::from_secs(5);

/// The name of the node whose clock is moved.
const FIRST_NODE: &str = "n1";

/// How many times connections are cut, and the time from one to the next.
const CUTS: u32 = 8;
const CUT_EVERY: Duration = Duration::from_millis(400);

/// One answer of so many is garbage.
const GARBLED: u64 = 25;

/// Does the fault and undoes it.
pub(super) async fn strike(
    fault: Fault,
    home: &mut Home,
    proxies: &[Proxy],
    clocks: Option<&WallClocks>,
    stage: &mut Stage,
) -> Result<(), Error> {
    match fault {
        Fault::Killed => kill(home, stage).await,
        Fault::Paused => pause(home).await,
        Fault::FailOver => {
            let server = home.server().context("a file does not fail over")?;
            server.fail_over().await
        }
        Fault::Full => fill(home).await,
        Fault::Flush => flush(home).await,
        Fault::NodePaused => stage.perform(Step::Pause(NODE_PAUSE)).await,
        Fault::ClockMoved => {
            move_clock(clocks.context("there is no clock to move")?, stage.fleet()).await
        }
        Fault::Cut | Fault::HalfOpen | Fault::BlackHole | Fault::Slow | Fault::Malformed => {
            play(proxies, &script(fault)).await;
            let is_hit = proxies.iter().any(|proxy| proxy.hits() > 0);
            ensure!(is_hit, "the fault hit no connection");
            Ok(())
        }
    }
}

/// All proxies do the same at the same time.
async fn play(proxies: &[Proxy], script: &[(Wire, Duration)]) {
    for (wire, lasting) in script {
        proxies.iter().for_each(|proxy| proxy.set(wire.clone()));
        sleep(*lasting).await;
    }
    proxies.iter().for_each(Proxy::heal);
}

/// One node's clock is an hour ahead, and then an hour behind.
async fn move_clock(clocks: &WallClocks, fleet: &Fleet) -> Result<(), Error> {
    const HOUR: i64 = 3600;
    let node = *fleet.node_addresses().first().context("there is no node")?;
    let right = second_of_day(node).await?;
    clocks.set(FIRST_NODE, HOUR)?;
    sleep(BREAK).await;
    let moved = (second_of_day(node).await? - right).rem_euclid(24 * HOUR);
    ensure!(
        (HOUR..=HOUR + 60).contains(&moved),
        "the clock moved by {moved} s"
    );
    // That it goes back cannot be seen in this way: the server makes no earlier date again.
    clocks.set(FIRST_NODE, -HOUR)?;
    sleep(BREAK).await;
    clocks.set(FIRST_NODE, 0)
}

/// The time of day as the node has it in the `Date` of its answers.
async fn second_of_day(node: SocketAddr) -> Result<i64, Error> {
    let answer = wire::get(node, None, "/healthz").await?;
    let date = answer.headers().get(DATE).context("it has no date")?;
    let time = date.to_str()?.split(' ').nth(4).context("it has no time")?;
    let mut seconds = 0;
    for part in time.split(':') {
        seconds = seconds * 60 + part.parse::<i64>()?;
    }
    Ok(seconds)
}

/// What a proxy does, and for how long.
fn script(fault: Fault) -> Vec<(Wire, Duration)> {
    let garbage = Wire::Reply {
        which: Which::Every(GARBLED),
        act: Act::Garble,
    };
    let late = Wire::Delay {
        way: Way::Both,
        by: Duration::from_millis(250),
        jitter: Duration::ZERO,
    };
    match fault {
        Fault::Cut => {
            let moment = Duration::from_millis(20);
            let cut = |number| match number % 2 {
                0 => Wire::Cut,
                _ => Wire::Reset,
            };
            let cuts = (0..CUTS).map(cut);
            cuts.flat_map(|cut| [(cut, moment), (Wire::None, CUT_EVERY)])
                .collect()
        }
        Fault::HalfOpen => vec![(Wire::HalfOpen, BREAK)],
        Fault::BlackHole => vec![
            (Wire::BlackHole(Way::ToServer), BREAK),
            (Wire::None, BREAK),
            (Wire::BlackHole(Way::ToClient), BREAK),
        ],
        Fault::Slow => vec![(late, BREAK)],
        Fault::Malformed => vec![(garbage, BREAK)],
        _ => Vec::new(),
    }
}

/// Where the store is a part of the nodes, a node is killed.
async fn kill(home: &mut Home, stage: &mut Stage) -> Result<(), Error> {
    let Some(server) = home.server() else {
        return stage.perform(Step::Crash).await;
    };
    server.kill().await?;
    sleep(AWAY).await;
    server.restart().await
}

/// A file stands still for everybody while somebody holds its lock.
async fn pause(home: &mut Home) -> Result<(), Error> {
    if let Some(file) = home.file()? {
        file.busy_timeout(BREAK)?;
        file.execute_batch("BEGIN EXCLUSIVE")?;
        sleep(PAUSE).await;
        file.execute_batch("ROLLBACK")?;
        return Ok(());
    }
    let server = home.server().context("it cannot be made to stand still")?;
    server.pause().await?;
    sleep(PAUSE).await;
    server.resume().await
}

/// A disk is filled with ballast; Redis is given no more memory than it uses.
async fn fill(home: &mut Home) -> Result<(), Error> {
    if let Some(disk) = home.disk() {
        disk.fill()?;
        sleep(BREAK).await;
        disk.free()?;
        // A PostgreSQL whose log had no room has stopped, and somebody starts it again.
        return match home.server() {
            Some(server) => server.restart().await,
            None => Ok(()),
        };
    }
    let server = home.server().context("it has no disk of its own")?;
    for address in server.addresses() {
        let limit = ["CONFIG", "SET", "maxmemory", "1mb"];
        server.command_at(address, &limit).await?;
    }
    sleep(BREAK).await;
    for address in server.addresses() {
        let limit = ["CONFIG", "SET", "maxmemory", "0"];
        server.command_at(address, &limit).await?;
    }
    Ok(())
}

async fn flush(home: &mut Home) -> Result<(), Error> {
    if let Some(file) = home.file()? {
        file.busy_timeout(BREAK)?;
        let by_hand = "DELETE FROM record; DELETE FROM tombstone; DELETE FROM user_entry";
        file.execute_batch(&format!("BEGIN IMMEDIATE; {by_hand}; COMMIT"))?;
        return Ok(());
    }
    let server = home.server().context("it cannot be flushed")?;
    server.flush().await
}
