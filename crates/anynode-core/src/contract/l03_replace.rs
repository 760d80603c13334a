//! L3: `replace` writes over the version it names, and over nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    World,
    scene::{DAY, HOUR, Scene, binding, next, task, user},
};
use crate::{
    Handle, Moment, Payload, Previous, Replace, SecretHash, Version, expiry::ABSOLUTE_MAX,
};

/// A replace over the version that is kept writes the whole draft, and the answer is what
/// `load` answers then.
pub async fn the_version_it_names_is_replaced(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let draft = scene.next(&live.record);
    let written = scene.node().replaced(&live.record, &draft).await;
    assert_eq!(written.record.version, draft.version);
    assert_eq!(written.record.payload, draft.payload);
    let loaded = scene.node().loaded(&draft.handle).await;
    assert_eq!(loaded.record, written.record);
    assert_eq!(loaded.idle_deadline, written.idle_deadline);
}

/// A replace over an older version is `Conflict`, carries the newer record and writes nothing.
pub async fn an_older_version_is_a_conflict(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let old = scene.session().await;
    let winner = scene.next(&old.record);
    let newer = scene.node().replaced(&old.record, &winner).await;
    let loser = scene.next(&old.record);
    match scene.node().replace(&old.record.version, &loser).await {
        Replace::Conflict(live) => assert_eq!(live.record, newer.record),
        other => panic!("{other:?}"),
    }
    let loaded = scene.node().loaded(&old.record.handle).await;
    assert_eq!(loaded.record, newer.record);
}

/// Versions are compared whole: the same counter with another write id is `Conflict`. A write
/// that was lost in a fail-over and its successor have the same counter.
pub async fn the_same_counter_of_another_write_is_a_conflict(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let lost = Version {
        counter: live.record.version.counter,
        write: scene.write_id(),
    };
    let draft = scene.next(&live.record);
    match scene.node().replace(&lost, &draft).await {
        Replace::Conflict(kept) => assert_eq!(kept.record, live.record),
        other => panic!("{other:?}"),
    }
}

/// The same write id with another counter is `Conflict`.
pub async fn the_same_write_under_another_counter_is_a_conflict(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let mut other = live.record.version;
    other.counter += 1;
    let draft = scene.next(&live.record);
    let answer = scene.node().replace(&other, &draft).await;
    assert!(matches!(answer, Replace::Conflict(_)), "{answer:?}");
}

/// A replace that is sent again after it was written is `Conflict` with its own version, by
/// which its author recognises it.
pub async fn a_replace_sent_twice_finds_itself(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    let draft = scene.next(&live.record);
    scene.node().replaced(&live.record, &draft).await;
    match scene.other().replace(&live.record.version, &draft).await {
        Replace::Conflict(kept) => assert_eq!(kept.record.version, draft.version),
        other => panic!("{other:?}"),
    }
}

/// What was never there is `Gone` and is not inserted.
pub async fn an_absent_session_is_gone(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let draft = scene.draft();
    let base = Version::first(scene.write_id());
    assert_eq!(scene.node().replace(&base, &draft).await, Replace::Gone);
    assert_eq!(scene.node().load(&draft.handle).await, None);
    assert_eq!(scene.node().scan(10).await, []);
}

/// An expired session is `Gone`, unused or past its absolute deadline, swept or not.
pub async fn an_expired_session_is_gone(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let (idle, absolute) = (scene.idle_soon(), scene.absolute_soon());
    let mut replaces = Vec::new();
    for draft in [idle, absolute] {
        let live = scene.node().created(&draft).await;
        let mut later = scene.next(&live.record);
        later.idle_timeout = HOUR;
        later.deadline = Moment::After(DAY);
        replaces.push((live.record.version, later));
    }
    scene.wait(2).await;
    for _ in 0..2 {
        for (base, draft) in &replaces {
            assert_eq!(scene.node().replace(base, draft).await, Replace::Gone);
            assert_eq!(scene.node().load(&draft.handle).await, None);
        }
        scene.node().sweep_all().await;
    }
}

/// A session outdated by its user's entry is `Gone`, also for a draft that unbinds it or binds
/// it to somebody else.
pub async fn an_outdated_session_is_gone(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    scene.node().revoke_user(&user("ada")).await;
    for owner in [Some(user("ada")), None, Some(user("bob"))] {
        let mut draft = scene.next(&live.record);
        draft.user = owner;
        let answer = scene.node().replace(&live.record.version, &draft).await;
        assert_eq!(answer, Replace::Gone);
    }
    assert_eq!(scene.node().load(&live.record.handle).await, None);
}

/// Of 64 racing replaces of one version, through two nodes, exactly one succeeds and all others
/// are told the newer record.
pub async fn of_racing_replaces_exactly_one_succeeds(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let live = scene.session().await;
    let replaced = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for number in 0..64 {
        let draft = scene.next(&live.record);
        let (node, base) = (scene.nodes[number % 2].clone(), live.record.version);
        let replaced = replaced.clone();
        tasks.push(task(async move {
            match node.replace(&base, &draft).await {
                Replace::Replaced(_) => {
                    replaced.fetch_add(1, Ordering::SeqCst);
                }
                Replace::Conflict(newer) => assert_ne!(newer.record.version, base),
                Replace::Gone => panic!("nobody revoked it"),
            }
        }));
    }
    scene.parallel(tasks).await;
    assert_eq!(replaced.load(Ordering::SeqCst), 1);
    let counter = scene.node().loaded(&live.record.handle).await;
    assert_eq!(counter.record.version.counter, 2);
}

/// A counter that 16 writers increment through two nodes, each trying again on the record that
/// a `Conflict` brings, counts every increment once.
pub async fn no_increment_is_lost_or_counted_twice(world: &dyn World) {
    const WRITERS: usize = 16;
    const EACH: u64 = 8;
    let mut scene = Scene::open(world, 2).await;
    let mut draft = scene.draft();
    draft.payload = Payload::new(0_u64.to_be_bytes());
    scene.node().created(&draft).await;
    let mut tasks = Vec::new();
    for number in 0..WRITERS {
        let (node, mut random) = (scene.nodes[number % 2].clone(), scene.random.fork());
        let handle = draft.handle;
        tasks.push(task(async move {
            let mut base = node.loaded(&handle).await;
            for _ in 0..EACH {
                loop {
                    let mut draft = next(&base.record, &mut random);
                    draft.payload = Payload::new((count(&base.record.payload) + 1).to_be_bytes());
                    match node.replace(&base.record.version, &draft).await {
                        Replace::Replaced(live) => {
                            base = live;
                            break;
                        }
                        Replace::Conflict(newer) => base = newer,
                        Replace::Gone => panic!("nobody revoked it"),
                    }
                }
            }
        }));
    }
    scene.parallel(tasks).await;
    let kept = scene.node().loaded(&draft.handle).await.record;
    let all = u64::try_from(WRITERS).expect("small") * EACH;
    assert_eq!(count(&kept.payload), all);
    assert_eq!(kept.version.counter, all + 1);
}

fn count(payload: &Payload) -> u64 {
    let bytes = payload.as_bytes().try_into().expect("8 bytes");
    u64::from_be_bytes(bytes)
}

/// A replace counts as a use: the idle deadline is the idle timeout after it.
pub async fn replacing_is_using(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.wait(1).await;
    let draft = scene.next(&live.record);
    let written = scene.node().replaced(&live.record, &draft).await;
    assert!(written.idle_deadline > live.idle_deadline);
    assert_eq!(written.idle_deadline, written.now + HOUR);
}

/// A new idle timeout holds from the write on, be it longer or shorter.
pub async fn a_new_idle_timeout_holds_at_once(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut live = scene.session().await;
    for timeout in [HOUR * 2, HOUR / 2] {
        let mut draft = scene.next(&live.record);
        draft.idle_timeout = timeout;
        live = scene.node().replaced(&live.record, &draft).await;
        assert_eq!(live.idle_deadline, live.now + timeout);
        let loaded = scene.node().loaded(&draft.handle).await;
        assert_eq!(loaded.idle_deadline, live.idle_deadline);
    }
}

/// Relative moments are counted from the write by the store's clock; absolute ones are kept.
pub async fn relative_moments_are_counted_from_the_write(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    scene.wait(1).await;
    let mut draft = scene.next(&live.record);
    draft.secret_since = Moment::NOW;
    draft.previous = Some(Previous {
        secret: live.record.secret,
        until: Moment::After(HOUR),
    });
    draft.authenticated_at = Some(Moment::After(Duration::from_secs(3)));
    let written = scene.node().replaced(&live.record, &draft).await;
    let (record, now) = (written.record, written.now);
    assert_eq!(record.secret_since, now);
    assert_eq!(record.previous.expect("given").until, now + HOUR);
    assert_eq!(record.authenticated_at, Some(now + Duration::from_secs(3)));
    assert_eq!(record.created_at, live.record.created_at);
    assert_eq!(record.deadline, live.record.deadline);
}

/// No write sets a deadline further ahead than `ABSOLUTE_MAX`, and the idle deadline stays
/// within it: a user entry has to outlive every session it outdates.
pub async fn no_deadline_lies_beyond_the_longest_lifetime(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut draft = scene.draft();
    draft.deadline = Moment::After(ABSOLUTE_MAX * 2);
    draft.idle_timeout = ABSOLUTE_MAX * 2;
    let created = scene.node().created(&draft).await;
    let mut draft = scene.next(&created.record);
    draft.deadline = Moment::At(created.now + ABSOLUTE_MAX * 3);
    let replaced = scene.node().replaced(&created.record, &draft).await;
    for live in [created, replaced] {
        assert_eq!(live.record.deadline, live.now + ABSOLUTE_MAX);
        assert_eq!(live.idle_deadline, live.record.deadline);
    }
}

/// A replace may change everything but the handle: secret, user, data, device, lifetimes.
pub async fn everything_but_the_handle_may_change(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session().await;
    let mut draft = scene.draft_of(&user("ada"));
    draft.handle = live.record.handle;
    draft.version = live.record.version.next(scene.write_id());
    draft.deadline = Moment::After(DAY * 2);
    let written = scene.node().replaced(&live.record, &draft).await;
    assert_eq!(written.record.secret, draft.secret);
    assert_ne!(written.record.secret, live.record.secret);
    assert_eq!(written.record.user(), Some(&user("ada")));
    assert_eq!(written.record.deadline, written.now + DAY * 2);
    let loaded = scene.node().loaded(&draft.handle).await;
    assert_eq!(loaded.record, written.record);
}

/// Unbinding a session leaves neither user nor stamp, and no entry of that user outdates it.
pub async fn an_unbound_session_belongs_to_nobody(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let mut draft = scene.next(&live.record);
    draft.user = None;
    let unbound = scene.node().replaced(&live.record, &draft).await;
    assert_eq!(unbound.record.binding, None);
    scene.node().revoke_user(&user("ada")).await;
    assert!(scene.node().is_alive(&draft.handle).await);
}

/// Replacing a bound session stamps it with its user's epoch as it is then.
pub async fn replacing_stamps_anew(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let live = scene.session_of(&user("ada")).await;
    let handle = live.record.handle;
    let entry = scene.node().revoke_all_but(&user("ada"), handle).await;
    let draft = scene.next(&live.record);
    let written = scene.node().replaced(&live.record, &draft).await;
    assert_eq!(binding(&written.record).stamp, entry.epoch);
    assert_eq!(written.user, Some(entry));
}

/// Writers of different sessions do not disturb each other.
pub async fn writers_of_different_sessions_all_succeed(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut sessions: Vec<(Handle, SecretHash)> = Vec::new();
    let mut tasks = Vec::new();
    for number in 0..32 {
        let live = scene.session().await;
        sessions.push((live.record.handle, live.record.secret));
        let (node, mut random) = (scene.nodes[number % 2].clone(), scene.random.fork());
        tasks.push(task(async move {
            let mut live = live;
            for _ in 0..8 {
                let draft = next(&live.record, &mut random);
                live = node.replaced(&live.record, &draft).await;
            }
        }));
    }
    scene.parallel(tasks).await;
    for (handle, secret) in sessions {
        let live = scene.node().loaded(&handle).await;
        assert_eq!(live.record.version.counter, 9);
        assert_eq!(live.record.secret, secret);
    }
}
