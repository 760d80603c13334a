//! A primary that takes over while nodes do not find it at the same time.

use std::sync::Arc;
use std::time::Duration;

use anynode_core::{Draft, Durability, ErrorKind, Handle, Revoke, Store};
use anynode_lab::server::Setup;
use tokio::time::timeout;

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
    async fn set(revoke: impl FnOnce(&Draft) -> Revoke) -> Self {
        let pair = Pair::start(2, &Setup::default()).await;
        let door = Switch::to(address(&pair.primary)).await;
        let (late, early) = (pair.node("").await, pair.node_behind(&door).await);
        let (alive, revoked) = (draft(), draft_of(&user("ada")));
        created(&late, &alive).await;
        created(&late, &revoked).await;
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

    /// Waits until the node that came early reads what is alive.
    async fn is_read(&self) {
        eventually("the new primary is read", || async {
            matches!(self.early.load(&self.alive).await, Ok(Some(_)))
        })
        .await;
    }
}

async fn check_nobody_is_early(revoke: impl FnOnce(&Draft) -> Revoke) {
    let scene = Scene::set(revoke).await;
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
    let scene = Scene::set(|it| logout(it.handle)).await;
    scene.pair.front().turn(Way::Cut);
    scene.is_read().await;
    let later = scene.pair.replicas[1].server.url();
    let later = anynode::store::open(&format!("{later}?revoke=r2"))
        .await
        .unwrap();
    let read = timeout(Duration::from_secs(1), later.load(&scene.alive)).await;
    assert!(read.unwrap().unwrap().is_some());
}
