//! L12: `watch` is an ordered channel with a barrier that no acknowledged write passes.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    World,
    scene::{Scene, begin_and_drop, give_way, read_until_passed, task, user, within},
};
use crate::{Cause, Event, Handle, NodeId, Revoke, UserEntry, UserId};

/// A revocation of one session is delivered before a barrier that begins after its
/// acknowledgement has passed, also to the node that revoked.
pub async fn a_revocation_comes_before_the_barrier(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut mine = scene.watch(&scene.node(), "mine").await;
    let mut other = scene.watch(&scene.other(), "other").await;
    for cause in [Cause::User, Cause::Admin, Cause::Limit] {
        let handle = scene.session().await.record.handle;
        let revoke = Revoke::session(handle, cause);
        scene.node().revoke(&revoke).await;
        for watch in [&mut mine, &mut other] {
            let events = watch.until_passed().await;
            assert!(tells(&events, |event| matches!(
                event,
                Event::Revoked(stone) if stone.handle == handle && stone.cause == cause
            )));
        }
    }
}

/// A user-wide revocation is delivered with the entry it made, and so is one that spares.
pub async fn a_user_wide_revocation_comes_before_the_barrier(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut mine = scene.watch(&scene.node(), "mine").await;
    let mut other = scene.watch(&scene.other(), "other").await;
    let spared = scene.session_of(&user("ada")).await.record.handle;
    let all_but = scene.node().revoke_all_but(&user("ada"), spared).await;
    for watch in [&mut mine, &mut other] {
        assert!(tells_entry(
            &watch.until_passed().await,
            &user("ada"),
            all_but
        ));
    }
    let all = scene.other().revoke_user(&user("ada")).await;
    for watch in [&mut mine, &mut other] {
        assert!(tells_entry(&watch.until_passed().await, &user("ada"), all));
    }
}

/// A replaced record is `Changed` before the barrier passes, also for the node that wrote.
pub async fn a_write_comes_before_the_barrier(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut mine = scene.watch(&scene.node(), "mine").await;
    let mut other = scene.watch(&scene.other(), "other").await;
    let mut live = scene.session().await;
    for _ in 0..10 {
        let draft = scene.next(&live.record);
        live = scene.node().replaced(&live.record, &draft).await;
        for watch in [&mut mine, &mut other] {
            let events = watch.until_passed().await;
            assert!(tells(&events, |event| *event == Event::Changed(draft.handle)));
        }
    }
}

/// While other nodes write as fast as they can, every write that was acknowledged before a
/// barrier began is delivered before it passes.
pub async fn no_acknowledged_write_passes_a_barrier(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut channel = scene.watch(&scene.node(), "watcher").await.channel;
    let acknowledged: Arc<Mutex<HashSet<Handle>>> = Arc::default();
    let passed = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for number in 0..4 {
        let (node, done) = (scene.nodes[number % 2].clone(), acknowledged.clone());
        let (drafts, passed) = ((0..25).map(|_| scene.draft()), passed.clone());
        let drafts: Vec<_> = drafts.collect();
        tasks.push(task(async move {
            for (number, draft) in drafts.into_iter().enumerate() {
                // Barriers and writes keep step, so that many barriers meet a write.
                while passed.load(Ordering::SeqCst) < number / 4 {
                    give_way().await;
                }
                node.created(&draft).await;
                node.revoke_session(draft.handle).await;
                done.lock().expect("nobody panicked").insert(draft.handle);
                give_way().await;
            }
        }));
    }
    let (exposed, missing) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (met, late) = (exposed.clone(), missing.clone());
    tasks.push(task(async move {
        let (mut seen, mut before) = (HashSet::new(), HashSet::new());
        while before.len() < 4 * 25 {
            // A barrier that delivers whatever there is leaves nothing open behind it, so the
            // next one waits a while for a write that was acknowledged and not delivered.
            for _ in 0..10_000 {
                before.clone_from(&acknowledged.lock().expect("nobody panicked"));
                if !before.is_subset(&seen) {
                    break;
                }
                give_way().await;
            }
            met.fetch_add(before.difference(&seen).count().min(1), Ordering::SeqCst);
            for event in read_until_passed(channel.as_mut()).await {
                match event {
                    Event::Revoked(stone) => seen.extend([stone.handle]),
                    Event::Flush => seen.extend(&before),
                    _ => {}
                }
            }
            late.fetch_add(before.difference(&seen).count(), Ordering::SeqCst);
            passed.fetch_add(1, Ordering::SeqCst);
            give_way().await;
        }
    }));
    within(world, "end of the barriers", scene.parallel(tasks)).await;
    let (exposed, missing) = (
        exposed.load(Ordering::SeqCst),
        missing.load(Ordering::SeqCst),
    );
    assert_eq!(
        missing, 0,
        "acknowledged revocations come after the barrier"
    );
    assert!(exposed >= 3, "only {exposed} barriers met a write");
}

/// Barriers pass in the order in which they began, with the store's time, which goes on.
pub async fn barriers_pass_in_order(world: &dyn World) {
    let scene = Scene::open(world, 1).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    let mut begun = Vec::new();
    for _ in 0..5 {
        begun.push(watch.channel.barrier().await.expect("barrier answers"));
    }
    assert!(begun.is_sorted_by(|one, other| one < other));
    let (mut passed, mut last) = (Vec::new(), crate::Timestamp::from_millis(0));
    while passed.len() < begun.len() {
        let event = within(world, "event", watch.channel.next()).await;
        if let Event::Passed(id, at) = event.expect("the channel holds") {
            assert!(at >= last, "time went back");
            last = at;
            passed.push(id);
        }
    }
    assert_eq!(passed, begun);
}

/// What was written between two barriers is delivered before the second one passes, though
/// both began before anything was read.
pub async fn a_write_between_two_barriers_comes_before_the_second(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    let handle = scene.session().await.record.handle;
    watch.channel.barrier().await.expect("barrier answers");
    scene.other().revoke_session(handle).await;
    let events = watch.until_passed().await;
    assert!(tells_revoked(&events, handle));
}

/// A touch is told to nobody.
pub async fn a_touch_is_told_to_nobody(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let handle = scene.session().await.record.handle;
    let mut watch = scene.watch(&scene.node(), "a").await;
    watch.until_passed().await;
    scene.wait(1).await;
    scene.node().touch(handle, Duration::ZERO).await;
    scene.other().touch(handle, Duration::ZERO).await;
    assert_eq!(watch.until_passed().await, []);
}

/// Two channels do not take events from each other, and one that nobody reads holds none up.
pub async fn channels_are_independent(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut one = scene.watch(&scene.node(), "one").await;
    let mut two = scene.watch(&scene.node(), "two").await;
    let handles = [(); 3].map(|()| scene.draft().handle);
    for handle in handles {
        scene.node().revoke_session(handle).await;
    }
    let first = one.until_passed().await;
    let second = two.until_passed().await;
    for handle in handles {
        assert!(tells_revoked(&first, handle));
        assert!(tells_revoked(&second, handle));
    }
}

/// A `next` that is dropped while it waits, or just when its event comes, loses no event.
pub async fn a_dropped_next_loses_no_event(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut watch = scene.watch(&scene.node(), "a").await;
    watch.until_passed().await;
    for _ in 0..20 {
        let handle = scene.session().await.record.handle;
        watch.until_passed().await;
        let waiting = begin_and_drop(watch.channel.next());
        assert!(waiting.is_none(), "nothing was written: {waiting:?}");
        scene.other().revoke_session(handle).await;
        let mut events = Vec::new();
        for _ in 0..3 {
            let event = begin_and_drop(watch.channel.next());
            events.extend(event.map(|event| event.expect("the channel holds")));
        }
        events.extend(watch.until_passed().await);
        assert!(tells_revoked(&events, handle));
    }
}

/// A `next` that waits is woken by a write of another node.
pub async fn a_waiting_next_is_woken(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let handle = scene.session().await.record.handle;
    let id = NodeId::new("a").expect("a name of letters");
    let mut channel = scene.node().0.watch(&id).await.expect("watch answers");
    let revoker = scene.other();
    let tasks = vec![
        task(async move {
            loop {
                match channel.next().await.expect("the channel holds") {
                    Event::Revoked(stone) if stone.handle == handle => return,
                    Event::Flush => return,
                    _ => {}
                }
            }
        }),
        task(async move {
            for _ in 0..20 {
                give_way().await;
            }
            revoker.revoke_session(handle).await;
        }),
    ];
    within(world, "wake-up", scene.parallel(tasks)).await;
}

/// Whether one of the events is it, or a flush stands for it.
fn tells(events: &[Event], is_it: impl Fn(&Event) -> bool) -> bool {
    events
        .iter()
        .any(|event| is_it(event) || *event == Event::Flush)
}

fn tells_revoked(events: &[Event], handle: Handle) -> bool {
    tells(
        events,
        |event| matches!(event, Event::Revoked(stone) if stone.handle == handle),
    )
}

fn tells_entry(events: &[Event], user: &UserId, entry: UserEntry) -> bool {
    tells(events, |event| *event == Event::User(user.clone(), entry))
}
