//! L6: `revoke` of a user is linearizable with binding: each session is wholly before or after.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    Task, World,
    node::Node,
    scene::{ROUNDS, Random, Scene, give_way, next, task, user},
};
use crate::{Cause, Draft, Handle, Live, Moment, Replace, Revoke, UserId};

/// Sessions created for a user while all of theirs are revoked: what was acknowledged before
/// the revocation began is dead, what began after its acknowledgement lives, and of none do
/// `load`, `list` and `replace` say different things.
pub async fn creating_is_wholly_before_or_after_a_revocation(world: &dyn World) {
    race(world, Bind::Create).await;
}

/// The same for anonymous sessions that are bound by `replace`.
pub async fn binding_is_wholly_before_or_after_a_revocation(world: &dyn World) {
    race(world, Bind::Replace).await;
}

/// A session that is written while "all but this one" is said of it lives on, and the others
/// of its user are dead, however the writes fall.
pub async fn a_spared_session_lives_through_racing_writes(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    for round in 0..ROUNDS {
        let owner = user(&format!("user {round}"));
        let spared = scene.session_of(&owner).await;
        let other = scene.session_of(&owner).await.record.handle;
        let (writer, revoker, handle) = (scene.node(), scene.other(), spared.record.handle);
        let (mut random, name) = (scene.random.fork(), owner.clone());
        let tasks = vec![
            task(async move {
                let mut live = spared;
                for _ in 0..6 {
                    let draft = next(&live.record, &mut random);
                    live = writer.replaced(&live.record, &draft).await;
                    give_way().await;
                }
            }),
            task(async move {
                for _ in 0..3 {
                    revoker.revoke_all_but(&name, handle).await;
                    give_way().await;
                }
            }),
        ];
        scene.parallel(tasks).await;
        assert_eq!(scene.node().handles(&owner).await, [handle]);
        assert!(!scene.node().is_alive(&other).await);
    }
}

/// A session that logs in anew as the user it has, with a new deadline, while all sessions of
/// that user are revoked: it was bound before either way, so it is dead after both.
pub async fn a_new_login_of_the_same_user_does_not_undo_a_revocation(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    for round in 0..ROUNDS {
        let owner = user(&format!("user {round}"));
        let live = scene.session_of(&owner).await;
        let (writer, revoker, handle) = (scene.node(), scene.other(), live.record.handle);
        let (mut random, begins_late) = (scene.random.fork(), scene.random.below(8));
        let tasks = vec![
            task(async move {
                let mut login = next(&live.record, &mut random);
                login.deadline = Moment::After(Duration::from_secs(9 * 60 * 60));
                let _: Replace = writer.replace(&live.record.version, &login).await;
            }),
            task(async move {
                for _ in 0..begins_late {
                    give_way().await;
                }
                revoker.revoke(&Revoke::user(owner, Cause::Admin)).await;
            }),
        ];
        scene.parallel(tasks).await;
        assert!(!scene.node().is_alive(&handle).await, "round {round}");
    }
}

#[derive(Clone, Copy)]
enum Bind {
    Create,
    Replace,
}

/// One bind with the ticks at which it began and was acknowledged.
#[derive(Clone)]
struct Bound {
    live: Live,
    began: u64,
    ended: u64,
}

#[derive(Clone, Default)]
struct Trial {
    ticks: Arc<AtomicU64>,
    binds: Arc<Mutex<Vec<Bound>>>,
    count: Arc<AtomicUsize>,
    revoked: Arc<Mutex<Option<(u64, u64)>>>,
}

/// Binds after which a task waits for the revocation before it makes its last one.
const BINDS_MAX: usize = 30;

async fn race(world: &dyn World, bind: Bind) {
    let mut scene = Scene::open(world, 2).await;
    let (mut before, mut after) = (0, 0);
    for round in 0..ROUNDS / 2 {
        let owner = user(&format!("user {round}"));
        let trial = Trial::default();
        let wait_for = usize::try_from(1 + scene.random.below(6)).expect("small");
        let mut tasks = vec![trial.revoker(scene.other(), owner.clone(), wait_for)];
        for number in 0..4 {
            let mut template = scene.draft();
            template.user = Some(owner.clone());
            let node = scene.nodes[number % 2].clone();
            tasks.push(trial.binder(node, template, bind, scene.random.fork()));
        }
        scene.parallel(tasks).await;
        let (dead, living) = trial.judge(&mut scene, &owner).await;
        before += usize::from(dead > 0);
        after += usize::from(living > 0);
    }
    let rounds = ROUNDS / 2;
    assert!(
        before * 2 >= rounds && after * 2 >= rounds,
        "of {rounds} rounds only {before} had binds before the revocation and {after} after it"
    );
}

impl Trial {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    fn is_revoked(&self) -> bool {
        self.revoked.lock().expect("nobody panicked").is_some()
    }

    /// Revokes the user once so many binds have been acknowledged.
    fn revoker(&self, node: Node, owner: UserId, wait_for: usize) -> Task {
        let trial = self.clone();
        task(async move {
            while trial.count.load(Ordering::SeqCst) < wait_for {
                give_way().await;
            }
            let began = trial.tick();
            node.revoke(&Revoke::user(owner, Cause::Admin)).await;
            let ended = trial.tick();
            *trial.revoked.lock().expect("nobody panicked") = Some((began, ended));
        })
    }

    /// Binds one session after the other; the last one begins after the acknowledgement.
    fn binder(&self, node: Node, template: Draft, bind: Bind, mut random: Random) -> Task {
        let trial = self.clone();
        task(async move {
            for number in 0.. {
                while number >= BINDS_MAX && !trial.is_revoked() {
                    give_way().await;
                }
                let last = trial.is_revoked();
                let mut draft = template.clone();
                draft.handle = Handle::from_bytes(random.bytes());
                let bound = trial.bind(&node, draft, bind, &mut random).await;
                trial.binds.lock().expect("nobody panicked").push(bound);
                trial.count.fetch_add(1, Ordering::SeqCst);
                if last {
                    return;
                }
                give_way().await;
            }
        })
    }

    async fn bind(&self, node: &Node, draft: Draft, bind: Bind, random: &mut Random) -> Bound {
        match bind {
            Bind::Create => {
                let began = self.tick();
                let live = node.created(&draft).await;
                let ended = self.tick();
                Bound { live, began, ended }
            }
            Bind::Replace => {
                let mut anonymous = draft.clone();
                anonymous.user = None;
                let base = node.created(&anonymous).await;
                let mut login = next(&base.record, random);
                login.user = draft.user;
                let began = self.tick();
                let live = node.replaced(&base.record, &login).await;
                let ended = self.tick();
                Bound { live, began, ended }
            }
        }
    }

    /// How many binds were surely before the revocation and how many surely after it; panics
    /// when one of them is not as dead or alive as that.
    async fn judge(&self, scene: &mut Scene<'_>, owner: &UserId) -> (usize, usize) {
        let binds = self.binds.lock().expect("nobody panicked").clone();
        let revoked = *self.revoked.lock().expect("nobody panicked");
        let (began, ended) = revoked.expect("the revoker was answered");
        let listed: HashSet<_> = scene.node().handles(owner).await.into_iter().collect();
        let (mut before, mut after) = (0, 0);
        for bound in binds {
            let handle = bound.live.record.handle;
            let alive = scene.other().is_alive(&handle).await;
            assert_eq!(alive, listed.contains(&handle), "half dead: list and load");
            if bound.ended < began {
                before += 1;
                assert!(!alive, "bound before the revocation and alive");
            }
            if bound.began > ended {
                after += 1;
                assert!(alive, "bound after the revocation and dead");
            }
            let draft = scene.next(&bound.live.record);
            let base = &bound.live.record.version;
            match scene.node().replace(base, &draft).await {
                Replace::Replaced(_) => assert!(alive, "half dead: dead and replaced"),
                Replace::Gone => assert!(!alive, "half dead: alive and gone"),
                Replace::Conflict(live) => panic!("nobody else wrote: {live:?}"),
            }
        }
        (before, after)
    }
}
