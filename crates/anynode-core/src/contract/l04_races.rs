//! L4: no interleaving of writers with a revocation revives the session.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    Task, World,
    node::{Node, assert_dead},
    scene::{ROUNDS, Random, Scene, give_way, next, task, user},
};
use crate::{Create, Draft, Live, Replace, SecretHash, UserId};

/// Attempts after which a writer of a race waits for the revocation before its last one.
const ATTEMPTS_MAX: usize = 100;

/// While a session is revoked through one node, writers that read it before replace, rotate,
/// touch, bind and create it through two: after the acknowledgement each of their writes is
/// `Gone` or `Duplicate`, and the session is dead when all have ended.
pub async fn no_interleaving_revives_a_revoked_session(world: &dyn World) {
    race_writers_with_a_revocation(world, Victim::OfNobody).await;
}

/// The same while all sessions of its user are revoked.
pub async fn no_interleaving_revives_an_outdated_session(world: &dyn World) {
    race_writers_with_a_revocation(world, Victim::OfUser).await;
}

/// A `create` races with the revocation of its handle: whichever comes first, the session is
/// dead when both have been answered.
pub async fn a_create_racing_with_its_revocation_ends_dead(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    for _ in 0..ROUNDS {
        let draft = scene.draft();
        let handle = draft.handle;
        let (creator, revoker) = (scene.node(), scene.other());
        let pause = scene.random.below(4);
        let tasks = vec![
            task(async move {
                creator.create(&draft).await;
            }),
            task(async move {
                for _ in 0..pause {
                    give_way().await;
                }
                revoker.revoke_session(handle).await;
            }),
        ];
        scene.parallel(tasks).await;
        assert_dead(&scene.nodes, &handle).await;
    }
}

#[derive(Clone, Copy)]
enum Victim {
    OfNobody,
    OfUser,
}

struct Race {
    live: Live,
    owner: Option<UserId>,
    acknowledged: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

async fn race_writers_with_a_revocation(world: &dyn World, victim: Victim) {
    let mut scene = Scene::open(world, 2).await;
    let mut exposed = 0;
    for round in 0..ROUNDS {
        let owner = match victim {
            Victim::OfNobody => None,
            Victim::OfUser => Some(user(&format!("user {round}"))),
        };
        let mut first = scene.draft();
        first.user = owner.clone();
        let race = Race {
            live: scene.node().created(&first).await,
            owner,
            acknowledged: Arc::default(),
            refused: Arc::default(),
        };
        let mut tasks = vec![race.revoker(scene.node(), scene.random.below(40))];
        for node in &scene.nodes {
            tasks.push(race.writer(node.clone(), scene.random.fork()));
            tasks.push(race.toucher(node.clone()));
            tasks.push(race.creator(node.clone(), first.clone()));
        }
        scene.parallel(tasks).await;
        assert_dead(&scene.nodes, &first.handle).await;
        exposed += usize::from(race.refused.load(Ordering::SeqCst) > 0);
    }
    assert!(
        exposed * 2 >= ROUNDS,
        "a writer met the revocation in only {exposed} of {ROUNDS} rounds"
    );
}

impl Race {
    fn revoker(&self, node: Node, pause: u64) -> Task {
        let (handle, owner) = (self.live.record.handle, self.owner.clone());
        let acknowledged = self.acknowledged.clone();
        task(async move {
            for _ in 0..pause {
                give_way().await;
            }
            match owner {
                Some(owner) => {
                    node.revoke_user(&owner).await;
                }
                None => {
                    node.revoke_session(handle).await;
                }
            }
            acknowledged.store(true, Ordering::SeqCst);
        })
    }

    /// Writes on and on over what it read last, until it is refused; then once more each way.
    fn writer(&self, node: Node, mut random: Random) -> Task {
        let (mut base, acknowledged) = (self.live.clone(), self.acknowledged.clone());
        let refused = self.refused.clone();
        task(async move {
            for attempt in 0.. {
                while attempt >= ATTEMPTS_MAX && !acknowledged.load(Ordering::SeqCst) {
                    give_way().await;
                }
                let mut draft = next(&base.record, &mut random);
                if attempt % 3 == 1 {
                    draft.replace_secret(SecretHash::from_bytes(random.bytes()));
                }
                if attempt % 5 == 4 && draft.user.is_none() {
                    draft.user = Some(user("the one who logs in"));
                }
                let late = acknowledged.load(Ordering::SeqCst);
                let answer = node.replace(&base.record.version, &draft).await;
                match answer {
                    Replace::Gone => {
                        refused.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    _ if late => panic!("a dead session answered {answer:?}"),
                    Replace::Replaced(live) | Replace::Conflict(live) => base = live,
                }
                give_way().await;
            }
        })
    }

    fn toucher(&self, node: Node) -> Task {
        let handle = self.live.record.handle;
        self.until_late(move || {
            let node = node.clone();
            async move { node.touch(handle, Duration::ZERO).await }
        })
    }

    fn creator(&self, node: Node, draft: Draft) -> Task {
        self.until_late(move || {
            let (node, draft) = (node.clone(), draft.clone());
            async move { assert_eq!(node.create(&draft).await, Create::Duplicate) }
        })
    }

    /// Does it on and on, the last time after the acknowledgement.
    fn until_late<F>(&self, act: impl Fn() -> F + Send + 'static) -> Task
    where
        F: Future<Output = ()> + Send,
    {
        let acknowledged = self.acknowledged.clone();
        task(async move {
            for attempt in 0.. {
                while attempt >= ATTEMPTS_MAX && !acknowledged.load(Ordering::SeqCst) {
                    give_way().await;
                }
                let late = acknowledged.load(Ordering::SeqCst);
                act().await;
                if late {
                    return;
                }
                give_way().await;
            }
        })
    }
}
