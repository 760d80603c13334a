//! Many sessions at once, while something is done to the nodes or to their store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Error;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::hand::{Hand, hand};
use super::scene::{NODES, Scene};
use super::situation::Situation;
use super::strike;
use super::trial::{Held, Trial};
use super::watcher::Asking;
use crate::clock::boot_time;
use crate::history::{EndKind, Witnessed};

/// How many users log in at the same time.
const OPENING_MAX: usize = 24;

/// Of so many trials, in one there is a node that has not heard of its sessions.
const COLD_ONE_IN: u32 = 5;

/// Of so many trials, in one no node is asked from the end of the sessions until the bound.
const SILENT_ONE_IN: u32 = 3;

/// What all clients of a round know.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) nodes: Vec<SocketAddr>,
    pub(super) bound: Duration,
    /// When it began. Boot clock.
    pub(super) begin: Duration,
    /// Whether all is well again.
    pub(super) over: watch::Receiver<bool>,
}

/// What is done to the sessions of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// They end, each at some time.
    End,
    /// They are written and read, and some end at last.
    Write,
}

/// The trials of a round, numbered from `first` on.
pub(super) fn trials(
    situation: Situation,
    scene: &Scene,
    work: Work,
    hit: &[usize],
    first: u32,
    count: u32,
    seed: u64,
) -> Vec<Trial> {
    let mut rng = fastrand::Rng::with_seed(seed ^ u64::from(first));
    let store = scene.store;
    let spared: Vec<usize> = (0..NODES).filter(|node| !hit.contains(node)).collect();
    let spread = situation.spread(store);
    (first..first + count)
        .map(|number| {
            let by = *rng.choice(&spared).expect("a node is left alone");
            let others = (0..NODES).filter(|node| *node != by);
            let cold = rng.choice(others.collect::<Vec<_>>());
            let kind = match work {
                Work::End => kind(number, situation.has_hands(store)),
                Work::Write => EndKind::Session,
            };
            // Nothing reminds a node of what was removed by hand.
            let cold_one_in = match kind {
                EndKind::ByHand => 2,
                _ => COLD_ONE_IN,
            };
            let is_cold = work == Work::End && rng.u32(..cold_one_in) == 0;
            Trial {
                number,
                kind,
                by,
                at: match work {
                    Work::End => spread.mul_f64(rng.f64()),
                    Work::Write => spread + Duration::from_millis(rng.u64(..700)),
                },
                cold: cold.filter(|_| is_cold),
                asking: match rng.u32(..SILENT_ONE_IN) {
                    0 => Asking::Not,
                    _ => Asking::Often,
                },
                seed,
            }
        })
        .collect()
}

fn kind(number: u32, has_hands: bool) -> EndKind {
    let kinds = [
        EndKind::Session,
        EndKind::User,
        EndKind::UserButOne,
        EndKind::ByHand,
    ];
    let kinds = &kinds[..3 + usize::from(has_hands)];
    let count = u32::try_from(kinds.len()).expect("there are four");
    kinds[usize::try_from(number % count).expect("it is small")]
}

/// Lets these trials pass while it is done to these nodes, or to the store.
pub(super) async fn pass(
    situation: Situation,
    scene: &mut Scene,
    work: Work,
    hit: &[usize],
    trials: Vec<Trial>,
) -> Result<Witnessed, Error> {
    let nodes = scene.nodes();
    let held = open(trials, &nodes).await?;
    let (hand, orders) = hand();
    let (say_over, over) = watch::channel(false);
    let round = Arc::new(Round {
        nodes,
        bound: scene.bound.total(),
        begin: boot_time(),
        over,
    });
    let passing = all(held, work, round, hand);
    let head_start = situation.head_start(scene.store);
    let strike = async {
        sleep(head_start).await;
        if situation.is_of_the_store() {
            strike::on_store(situation, scene, hit).await?;
        } else {
            let Scene {
                home,
                proxies,
                fleet,
                clocks,
                ..
            } = scene;
            let by_hand = orders.carry_out(home);
            let done = async {
                let clocks = clocks.as_ref();
                strike::on_nodes(situation, fleet, proxies, clocks, hit).await?;
                say_over.send_replace(true);
                Ok::<_, Error>(())
            };
            let ((), done) = tokio::join!(by_hand, done);
            done?;
        }
        say_over.send_replace(true);
        Ok::<_, Error>(())
    };
    let (witnessed, ()) = tokio::try_join!(passing, strike)?;
    Ok(witnessed)
}

async fn open(trials: Vec<Trial>, nodes: &[SocketAddr]) -> Result<Vec<Held>, Error> {
    let gate = Arc::new(Semaphore::new(OPENING_MAX));
    let mut opening = JoinSet::new();
    for trial in trials {
        let (gate, nodes) = (gate.clone(), nodes.to_vec());
        opening.spawn(async move {
            let _turn = gate.acquire().await?;
            trial.open(&nodes).await
        });
    }
    let mut all = Vec::new();
    while let Some(held) = opening.join_next().await {
        all.push(held??);
    }
    Ok(all)
}

async fn all(
    held: Vec<Held>,
    work: Work,
    round: Arc<Round>,
    hand: Hand,
) -> Result<Witnessed, Error> {
    let mut passing = JoinSet::new();
    for held in held {
        let (round, hand) = (round.clone(), hand.clone());
        passing.spawn(async move {
            match work {
                Work::End => held.pass(round, hand).await,
                Work::Write => held.read(round, hand).await,
            }
        });
    }
    // When the last of them is done, nobody asks for anything by hand any more.
    drop(hand);
    let mut witnessed = Witnessed::default();
    while let Some(seen) = passing.join_next().await {
        witnessed.extend(seen??);
    }
    Ok(witnessed)
}
