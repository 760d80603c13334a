//! L4: after an acknowledged revoke nothing revives the session.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    Task, World,
    scene::{Node, ROUNDS, Random, Scene, give_way, next, task, user},
};
use crate::{Create, Draft, Handle, Item, Live, Moment, Replace, SecretHash, UserId};

/// Attempts after which a writer of a race waits for the revocation before its last one.
const ATTEMPTS_MAX: usize = 100;

/// A revoked session is not loaded, on no node.
pub async fn a_revoked_session_is_not_loaded(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    assert_dead(&scene.nodes, &live.record.handle).await;
}

/// A revoked session is `Gone` to the writer that read it before, on every node, and is not
/// there afterwards.
pub async fn a_revoked_session_is_not_revived_by_replace(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    for node in scene.nodes.clone() {
        let draft = scene.next(&live.record);
        let answer = node.replace(&live.record.version, &draft).await;
        assert_eq!(answer, Replace::Gone);
    }
    assert_dead(&scene.nodes, &live.record.handle).await;
}

/// A rotation that was under way when its session was revoked is `Gone`.
pub async fn a_revoked_session_is_not_revived_by_rotation(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let mut draft = scene.next(&live.record);
    draft.replace_secret(SecretHash::from_bytes([5; 32]));
    scene.node().revoke_session(draft.handle).await;
    let answer = scene.node().replace(&live.record.version, &draft).await;
    assert_eq!(answer, Replace::Gone);
    assert_dead(&scene.nodes, &draft.handle).await;
}

/// A login that was under way when its anonymous session was revoked is `Gone`.
pub async fn a_revoked_session_is_not_revived_by_a_login(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    let mut draft = scene.next(&live.record);
    draft.user = Some(user("ada"));
    draft.deadline = Moment::After(Duration::from_secs(90_000));
    let answer = scene.node().replace(&live.record.version, &draft).await;
    assert_eq!(answer, Replace::Gone);
    assert_eq!(scene.node().handles(&user("ada")).await, []);
}

/// A touch that arrives after the revocation revives nothing.
pub async fn a_revoked_session_is_not_revived_by_touch(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    scene
        .other()
        .touch(live.record.handle, Duration::ZERO)
        .await;
    assert_dead(&scene.nodes, &live.record.handle).await;
}

/// Its handle cannot be created again, with the same draft or another.
pub async fn a_revoked_handle_is_not_created_again(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let first = scene.draft();
    scene.node().created(&first).await;
    scene.node().revoke_session(first.handle).await;
    let mut second = scene.draft_of(&user("ada"));
    second.handle = first.handle;
    for draft in [&first, &second] {
        assert_eq!(scene.other().create(draft).await, Create::Duplicate);
    }
    assert_dead(&scene.nodes, &first.handle).await;
}

/// A handle that was revoked before the store ever saw it cannot be created: its `create` may
/// have been on its way.
pub async fn a_handle_revoked_before_it_was_seen_is_dead(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let draft = scene.draft();
    scene.node().revoke_session(draft.handle).await;
    assert_eq!(scene.other().create(&draft).await, Create::Duplicate);
    scene.node().sweep_all().await;
    assert_eq!(scene.other().create(&draft).await, Create::Duplicate);
    assert_dead(&scene.nodes, &draft.handle).await;
}

/// Sweeping does not forget a revocation before the absolute deadline of the session: its
/// handle stays taken and its late writers stay `Gone`.
pub async fn a_revoked_session_stays_dead_when_it_is_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let first = scene.draft();
    let live = scene.node().created(&first).await;
    scene.node().revoke_session(first.handle).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&first).await, Create::Duplicate);
    let draft = scene.next(&live.record);
    let answer = scene.node().replace(&live.record.version, &draft).await;
    assert_eq!(answer, Replace::Gone);
}

/// The revocation outlives the idle timeout of the session, because only its absolute deadline
/// bounds what a late writer may ask for.
pub async fn a_revocation_outlives_the_idle_timeout(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.idle_soon();
    scene.node().created(&draft).await;
    scene.node().revoke_session(draft.handle).await;
    scene.wait(3).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

/// A session that its user's entry outdated stays dead when it is swept: until its absolute
/// deadline its handle is not created anew, whoever asks and for whomever.
pub async fn an_outdated_session_stays_dead_when_it_is_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let draft = scene.draft_of(&user("ada"));
    let live = scene.node().created(&draft).await;
    scene.node().revoke_user(&user("ada")).await;
    scene.node().sweep_all().await;
    for owner in [Some(user("ada")), Some(user("bob")), None] {
        let mut again = draft.clone();
        again.user = owner;
        assert_eq!(scene.other().create(&again).await, Create::Duplicate);
    }
    let late = scene.next(&live.record);
    let answer = scene.node().replace(&live.record.version, &late).await;
    assert_eq!(answer, Replace::Gone);
    assert_dead(&scene.nodes, &draft.handle).await;
}

/// A session that went idle and was outdated as well stays dead when it is swept, like one that
/// was only outdated.
pub async fn an_outdated_and_idle_session_stays_dead_when_it_is_swept(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft_of(&user("ada"));
    draft.idle_timeout = scene.world.unit();
    scene.node().created(&draft).await;
    scene.node().revoke_user(&user("ada")).await;
    scene.wait(2).await;
    scene.node().sweep_all().await;
    assert_eq!(scene.node().create(&draft).await, Create::Duplicate);
}

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

/// Every revocation leaves at most a tombstone of 64 bytes, so no data of the session: `scan`
/// shows a tombstone with the cause.
pub async fn nothing_but_a_tombstone_is_left(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.node().revoke_session(live.record.handle).await;
    match scene.node().scan(10).await.as_slice() {
        [Item::Tombstone(tombstone)] => {
            assert_eq!(tombstone.handle, live.record.handle);
            assert_eq!(tombstone.cause, crate::Cause::User);
            assert!(tombstone.until >= live.record.deadline);
        }
        other => panic!("{other:?}"),
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

/// The session is dead to every verb that could tell, on every node.
async fn assert_dead(nodes: &[Node], handle: &Handle) {
    for node in nodes {
        assert_eq!(node.load(handle).await, None, "a dead session is loaded");
    }
}
