//! L7: `list` gives exactly the live sessions of a user, in bounded pages; `scan` everything.

use std::collections::BTreeSet;

use super::{
    World,
    node::handle_of,
    scene::{ROUNDS, Scene, give_way, task, user},
};
use crate::{Handle, Item, Page, UserId};

/// A user who is not known has no sessions.
pub async fn an_unknown_user_has_no_sessions(world: &dyn World) {
    let scene = Scene::open(world, 1).await;
    let listing = scene.node().0.list(&user("ada"), &Page::FIRST).await;
    let listing = listing.expect("list answers");
    assert_eq!(listing.sessions, []);
    assert_eq!(listing.next, None);
}

/// The list has every live session of the user, each as `load` answers it, in the order of the
/// handles' bytes, and none of anybody else.
pub async fn a_list_is_exact_and_in_order(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let mut handles = BTreeSet::new();
    for _ in 0..20 {
        handles.insert(scene.session_of(&user("ada")).await.record.handle);
        scene.session_of(&user("bob")).await;
        scene.session().await;
    }
    let list = scene.other().list(&user("ada"), Page::LIMIT_MAX).await;
    let listed: Vec<_> = list.iter().map(|live| live.record.handle).collect();
    assert_eq!(listed, Vec::from_iter(handles));
    for live in list {
        let loaded = scene.node().loaded(&live.record.handle).await;
        assert_eq!(loaded.record, live.record);
        assert_eq!(loaded.idle_deadline, live.idle_deadline);
        assert_eq!(loaded.user, live.user);
    }
}

/// Pages of any size join to the whole list, and the end is told.
pub async fn pages_join_to_the_whole_list(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for _ in 0..12 {
        scene.session_of(&user("ada")).await;
    }
    let whole = scene.node().handles(&user("ada")).await;
    for limit in [1, 2, 5, 6, 11, 12, 13] {
        let pages = scene.node().list(&user("ada"), limit).await;
        let pages: Vec<_> = pages.iter().map(|live| live.record.handle).collect();
        assert_eq!(pages, whole, "pages of {limit}");
    }
}

/// A limit of zero is taken as one, and none is taken as more than `Page::LIMIT_MAX`.
pub async fn a_page_has_at_least_one_and_at_most_the_limit(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for _ in 0..Page::LIMIT_MAX + 1 {
        scene.session_of(&user("ada")).await;
    }
    for (limit, expected) in [(0, 1), (1, 1), (usize::MAX, Page::LIMIT_MAX)] {
        let page = Page { after: None, limit };
        let listing = scene.node().0.list(&user("ada"), &page).await;
        let listing = listing.expect("list answers");
        assert_eq!(listing.sessions.len(), expected);
        let last = listing.sessions.last().expect("not empty").record.handle;
        assert_eq!(listing.next, Some(last));
    }
    let all = scene.node().handles(&user("ada")).await;
    assert_eq!(all.len(), Page::LIMIT_MAX + 1);
}

/// A page starts just after the handle it names, whether that is alive, dead or was never there:
/// sessions that are revoked between two pages neither hide nor repeat another.
pub async fn pages_stay_whole_while_sessions_are_revoked(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    for _ in 0..9 {
        scene.session_of(&user("ada")).await;
    }
    let whole = scene.node().handles(&user("ada")).await;
    let page = Page {
        after: None,
        limit: 4,
    };
    let first = scene.node().0.list(&user("ada"), &page).await;
    let first = first.expect("list answers");
    assert_eq!(first.next, Some(whole[3]));
    for revoked in [1, 3, 4] {
        scene.node().revoke_session(whole[revoked]).await;
    }
    let page = Page {
        after: first.next,
        limit: 100,
    };
    let second = scene.node().0.list(&user("ada"), &page).await;
    let second = second.expect("list answers").sessions;
    let second: Vec<_> = second.iter().map(|live| live.record.handle).collect();
    assert_eq!(second, whole[5..]);
}

/// What is dead is not listed: revoked, idle, past its absolute deadline, or outdated; and a
/// page is as full as the live sessions allow.
pub async fn the_dead_are_not_listed(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let ada = user("ada");
    let outdated = scene.session_of(&ada).await.record.handle;
    scene.node().revoke_user(&ada).await;
    let revoked = scene.session_of(&ada).await.record.handle;
    scene.node().revoke_session(revoked).await;
    for mut draft in [scene.idle_soon(), scene.absolute_soon()] {
        draft.user = Some(ada.clone());
        scene.node().created(&draft).await;
    }
    let mut living = BTreeSet::new();
    for _ in 0..3 {
        living.insert(scene.session_of(&ada).await.record.handle);
    }
    scene.wait(2).await;
    assert!(!living.contains(&outdated));
    let page = Page {
        after: None,
        limit: 3,
    };
    let listing = scene.node().0.list(&ada, &page).await;
    let listing = listing.expect("list answers");
    let listed: Vec<_> = listing
        .sessions
        .iter()
        .map(|live| live.record.handle)
        .collect();
    assert_eq!(listed, Vec::from_iter(living));
    assert_eq!(listing.next, None);
}

/// A session is listed from the moment it is bound, under its present user only, and no longer
/// once it is unbound.
pub async fn a_list_follows_the_binding(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut live = scene.session().await;
    let handle = live.record.handle;
    let owners = [Some("ada"), Some("bob"), None, Some("ada")];
    for owner in owners {
        let mut draft = scene.next(&live.record);
        draft.user = owner.map(user);
        live = scene.node().replaced(&live.record, &draft).await;
        for name in ["ada", "bob"] {
            let listed = scene.node().handles(&user(name)).await;
            let expected: &[Handle] = if owner == Some(name) { &[handle] } else { &[] };
            assert_eq!(listed, expected);
        }
    }
}

/// While sessions of a user come and go, a list read page by page has every session that was
/// there all the time exactly once, and none twice.
pub async fn a_list_is_whole_under_traffic(world: &dyn World) {
    let mut scene = Scene::open(world, 2).await;
    let ada = user("ada");
    let mut steady = Vec::new();
    for _ in 0..15 {
        steady.push(scene.session_of(&ada).await.record.handle);
    }
    let drafts: Vec<_> = (0..ROUNDS).map(|_| scene.draft_of(&ada)).collect();
    let (writer, reader) = (scene.node(), scene.other());
    let tasks = vec![
        task(async move {
            for draft in drafts {
                writer.created(&draft).await;
                give_way().await;
                writer.revoke_session(draft.handle).await;
            }
        }),
        task(async move {
            for _ in 0..ROUNDS / 4 {
                let list = reader.list(&ada, 4).await;
                let listed: Vec<_> = list.iter().map(|live| live.record.handle).collect();
                assert!(listed.is_sorted_by(|one, other| one < other));
                for handle in &steady {
                    assert!(listed.contains(handle), "a steady session is missing");
                }
                give_way().await;
            }
        }),
    ];
    scene.parallel(tasks).await;
}

/// `scan` gives all that the store keeps, alive, expired or revoked, once each, in the order of
/// the handles, whatever the limit; records with data and idle deadline.
pub async fn a_scan_gives_everything(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let mut kept = BTreeSet::new();
    for number in 0..9 {
        let live = match number % 3 {
            0 => scene.session().await,
            _ => scene.session_of(&user("ada")).await,
        };
        kept.insert(live.record.handle);
        if number % 3 == 2 {
            scene.node().revoke_session(live.record.handle).await;
        }
    }
    for limit in [1, 2, 4, 9, 10, 1000] {
        let items = scene.node().scan(limit).await;
        let handles: Vec<_> = items.iter().map(handle_of).collect();
        assert_eq!(handles, Vec::from_iter(kept.clone()));
        for item in items {
            let Item::Record(record, idle_deadline) = item else {
                continue;
            };
            let live = scene.node().loaded(&record.handle).await;
            assert_eq!(live.record, record);
            assert_eq!(live.idle_deadline, idle_deadline);
        }
    }
}

/// A user of the longest name has as exact a list as any other.
pub async fn the_longest_user_name_is_listed(world: &dyn World) {
    let mut scene = Scene::open(world, 1).await;
    let long = user(&"x".repeat(UserId::BYTES_MAX));
    let handle = scene.session_of(&long).await.record.handle;
    assert_eq!(scene.node().handles(&long).await, [handle]);
}
