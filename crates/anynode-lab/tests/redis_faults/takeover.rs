//! A primary that takes over while nodes do not find it at the same time.

use std::sync::Arc;
use std::time::Duration;

use anynode::store::open;
use anynode_core::{Draft, Durability, ErrorKind, Handle, Revoke, Store};
use anynode_lab::server::{Server, Setup};
use tokio::time::timeout;

use crate::led_back::{Clients, end};
use crate::meter::Meter;
use crate::pair::{Pair, address};
use crate::scene::{created, draft, draft_of, eventually, is_alive, logout, user};
use crate::switch::{Switch, Way};

/// Two nodes, each with its own way to the primary, of which one does not know what was revoked
/// last; and a replica that does not either, and takes over.
struct Scene {
    pair: Pair,
    /// It revoked, and goes on with the former primary.
    late: Arc<dyn Store>,
    /// It has found the new one.
    early: Arc<dyn Store>,
    _door: Switch,
    alive: Handle,
    revoked: Handle,
}

// === impl Scene ===

impl Scene {
    async fn set(setup: &Setup, revoke: impl FnOnce(&Draft) -> Revoke) -> Self {
        let pair = Pair::start(2, setup).await;
        let door = Switch::to(address(&pair.primary)).await;
        let (late, early) = (pair.node("").await, pair.node_behind(&door).await);
        let (alive, revoked) = (draft(), draft_of(&user("ada")));
        created(&late, &alive).await;
        created(&late, &revoked).await;
        // Nobody is waited for who has just started.
        let are_listed =
            || async { pair.primary.command(&["ZCARD", "an:v"]).await.unwrap() == "2" };
        eventually("both nodes are on the list", are_listed).await;
        pair.in_step().await;
        door.turn(Way::Cut);
        pair.replicas[1].way.turn(Way::Cut);
        let ended = late.revoke(&revoke(&revoked)).await.unwrap();
        assert_eq!(ended.durability, Durability::Reasserted);
        let new = &pair.replicas[1].server;
        new.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
        door.turn(Way::To(address(new)));
        Self {
            pair,
            late,
            early,
            _door: door,
            alive: alive.handle,
            revoked: revoked.handle,
        }
    }

    /// The other node finds the new primary as well.
    fn come(&self) {
        let new = address(&self.pair.replicas[1].server);
        self.pair.front().turn(Way::To(new));
    }

    /// Waits until the node that came early reads what is alive. Both have something to do.
    async fn is_read(&self) {
        eventually("the new primary is read", || async {
            let (_, read) = tokio::join!(self.late.load(&self.alive), self.early.load(&self.alive));
            matches!(read, Ok(Some(_)))
        })
        .await;
    }
}

async fn check_nobody_is_early(revoke: impl FnOnce(&Draft) -> Revoke) {
    // Others are waited for 13 s, longer than a machine stands still.
    let setup = Setup::default()
        .with("min-replicas-to-write", "1")
        .with("min-replicas-max-lag", "10");
    let scene = Scene::set(&setup, revoke).await;
    let new = draft();
    let (read, written) = tokio::join!(scene.early.load(&scene.alive), scene.early.create(&new));
    let refused = read.expect_err("it is not known yet who was revoked");
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(written.is_err(), "{written:?}");
    assert_eq!(scene.late.load(&scene.revoked).await.unwrap(), None);
    scene.come();
    scene.is_read().await;
    assert!(!is_alive(&scene.early, &scene.revoked).await);
    assert!(is_alive(&scene.late, &scene.alive).await);
}

/// Who found the new primary first accepted what another node had ended, for as long as that one
/// stayed with the former primary.
#[tokio::test]
async fn a_primary_that_took_over_is_read_when_all_nodes_have_written_again() {
    check_nobody_is_early(|it| logout(it.handle)).await;
}

#[tokio::test]
async fn the_same_holds_where_all_sessions_of_a_user_were_ended() {
    check_nobody_is_early(|_| Revoke::user(user("ada"), anynode_core::Cause::Admin)).await;
}

/// A node that is gone for good makes the others wait once, and whoever starts later not at all.
#[tokio::test]
async fn a_node_that_is_gone_is_not_waited_for_without_end() {
    let meter = Meter::default();
    let _guard = meter.install();
    let scene = Scene::set(&Setup::default(), |it| logout(it.handle)).await;
    scene.pair.front().turn(Way::Cut);
    scene.is_read().await;
    assert_eq!(meter.count("anynode_takeovers_incomplete_total"), 1);
    let later = scene.pair.replicas[1].server.url();
    let later = open(&format!("{later}?revoke=r2")).await.unwrap();
    let read = timeout(Duration::from_secs(1), later.load(&scene.alive)).await;
    assert!(read.unwrap().unwrap().is_some());
    assert_eq!(meter.count("anynode_takeovers_incomplete_total"), 1, "once");
}

/// As behind a name: nobody ends the connections to the former primary, and all those for
/// revocations lead to it still.
#[tokio::test]
async fn what_an_address_that_moves_has_lost_is_written_where_it_leads() {
    let pair = Pair::start(2, &Setup::default()).await;
    let node = pair.node("").await;
    let (alive, revoked) = (draft(), draft());
    created(&node, &alive).await;
    created(&node, &revoked).await;
    for _ in 0..5 {
        let other = crate::scene::session(&node).await;
        node.revoke(&logout(other)).await.unwrap();
    }
    pair.in_step().await;
    pair.replicas[1].way.turn(Way::Cut);
    node.revoke(&logout(revoked.handle)).await.unwrap();
    pair.hand_over(1).await;
    let new = &pair.replicas[1].server;
    eventually("it is read", || async {
        let is_there = node.load(&alive.handle).await.is_ok();
        is_there && has_tombstone(new, &revoked.handle).await
    })
    .await;
}

/// A revocation waits for replicas of the former primary, while the node writes all others on the
/// new one. It hears of none by itself, so that it remembers this one only when it is acknowledged.
#[tokio::test]
async fn what_a_former_primary_acknowledges_late_is_not_done_before_the_new_one_has_it() {
    let pair = Pair::start(2, &Setup::default()).await;
    let (slow, new) = (&pair.replicas[0], &pair.replicas[1]);
    let deaf = "ACL SETUSER deaf on >secret ~an* &* +@all -client|tracking";
    for server in [&pair.primary, &new.server] {
        let words: Vec<_> = deaf.split(' ').collect();
        server.command(&words).await.unwrap();
    }
    let node = open(&format!("redis://deaf:secret@{}/", pair.front().address())).await;
    let node = node.unwrap();
    let (alive, revoked) = (draft(), draft());
    created(&node, &alive).await;
    created(&node, &revoked).await;
    pair.in_step().await;
    new.way.turn(Way::Cut);
    slow.way.freeze();
    let revoking = tokio::spawn({
        let node = node.clone();
        async move { node.revoke(&logout(revoked.handle)).await }
    });
    eventually("the revocation waits", || async {
        let clients = pair.primary.command(&["INFO", "clients"]).await.unwrap();
        clients.contains("blocked_clients:1")
    })
    .await;
    new.server
        .command(&["REPLICAOF", "NO", "ONE"])
        .await
        .unwrap();
    pair.front().lead(address(&new.server));
    // But for the one that waits for replicas.
    end(&pair.primary, Clients::Calls).await;
    eventually("the new one is read", || async {
        node.load(&alive.handle)
            .await
            .is_ok_and(|live| live.is_some())
    })
    .await;
    slow.way.thaw();
    let told = revoking.await.unwrap();
    let is_there = has_tombstone(&new.server, &revoked.handle).await;
    assert!(is_there || told.is_err(), "acknowledged, and not there");
    eventually("the new one has it", || {
        has_tombstone(&new.server, &revoked.handle)
    })
    .await;
}

/// Whether a server has the tombstone of a session.
async fn has_tombstone(server: &Server, handle: &Handle) -> bool {
    let handle: String = handle
        .as_bytes()
        .iter()
        .map(|byte| format!("\\{byte}"))
        .collect();
    let script = format!(
        "for _, key in ipairs(redis.call('KEYS', 'an:d:*')) do
           if redis.call('ZSCORE', key, '{handle}') then return 1 end
         end
         return 0"
    );
    server.command(&["EVAL", &script, "0"]).await.unwrap() == "1"
}
