//! A fail-over that loses an acknowledged revocation, by durability class.

use anynode_core::{Cause, Durability, ErrorKind, Revoke};
use anynode_lab::server::{Persistence, Setup};

use crate::meter::Meter;
use crate::pair::Pair;
use crate::scene::{created, draft_of, eventually, is_alive, logout, session, user};
use crate::switch::Way;

#[tokio::test]
async fn under_r0_the_session_comes_back_and_that_is_raised() {
    let meter = Meter::default();
    let _guard = meter.install();
    let mut pair = Pair::start(1, &Setup::default()).await;
    let node = pair.node("r0").await;
    let handle = session(&node).await;
    pair.in_step().await;
    pair.replicas[0].way.turn(Way::Cut);
    let revoked = node.revoke(&logout(handle)).await.unwrap();
    assert_eq!(revoked.durability, Durability::Asynchronous);
    assert!(!is_alive(&node, &handle).await);
    assert_eq!(meter.possible_losses(), 0);
    pair.fail_over(0).await;
    eventually("the loss is raised", || async {
        meter.possible_losses() == 1
    })
    .await;
    assert!(is_alive(&node, &handle).await, "R0 promises no more");
}

#[tokio::test]
async fn under_r1_the_revocation_is_indeterminate_and_the_session_refused() {
    let meter = Meter::default();
    let _guard = meter.install();
    let mut pair = Pair::start(1, &Setup::default()).await;
    let node = pair.node("r1").await;
    let (kept, lost) = (session(&node).await, session(&node).await);
    let revoked = node.revoke(&logout(kept)).await.unwrap();
    assert_eq!(revoked.durability, Durability::Quorum);
    pair.in_step().await;
    pair.replicas[0].way.turn(Way::Cut);
    let refused = node
        .revoke(&logout(lost))
        .await
        .expect_err("no replica has it");
    assert_eq!(refused.kind(), ErrorKind::Indeterminate);
    pair.fail_over(0).await;
    eventually("the loss is raised", || async {
        assert!(
            !matches!(node.load(&lost).await, Ok(Some(_))),
            "it came back"
        );
        meter.possible_losses() == 1
    })
    .await;
    assert!(!is_alive(&node, &lost).await && !is_alive(&node, &kept).await);
}

#[tokio::test]
async fn an_indeterminate_revocation_is_written_again_until_replicas_have_it() {
    let pair = Pair::start(1, &Setup::default()).await;
    let node = pair.node("r1").await;
    let handle = session(&node).await;
    pair.in_step().await;
    let primary = crate::pair::address(&pair.primary);
    pair.replicas[0].way.turn(Way::Cut);
    node.revoke(&logout(handle))
        .await
        .expect_err("no replica has it");
    // By hand, as a fail-over would: the primary forgets the revocation.
    pair.primary.command(&["FLUSHALL"]).await.unwrap();
    pair.replicas[0].way.turn(Way::To(primary));
    let dead = || async {
        let dead = pair.replicas[0].server.command(&["KEYS", "an:d:*"]).await;
        !dead.unwrap().is_empty()
    };
    eventually("the replica has the tombstone", dead).await;
}

#[tokio::test]
async fn under_r2_an_acknowledged_revocation_that_was_lost_is_written_again() {
    let meter = Meter::default();
    let _guard = meter.install();
    let mut pair = Pair::start(2, &Setup::default()).await;
    let (node, other) = (pair.node("").await, pair.node("").await);
    let ada = user("ada");
    let (handle, hers) = (session(&node).await, created(&node, &draft_of(&ada)).await);
    let hers = hers.record.handle;
    pair.in_step().await;
    // The replica that does not have the revocation is the one that takes over.
    pair.replicas[1].way.turn(Way::Cut);
    let everywhere = Revoke::user(ada, Cause::User);
    for revoke in [logout(handle), everywhere] {
        let revoked = node.revoke(&revoke).await.unwrap();
        assert_eq!(revoked.durability, Durability::Reasserted);
    }
    pair.fail_over(1).await;
    eventually("both nodes raise the loss", || async {
        for node in [&node, &other] {
            for session in [&handle, &hers] {
                assert!(
                    !matches!(node.load(session).await, Ok(Some(_))),
                    "it came back"
                );
            }
        }
        meter.possible_losses() == 2
    })
    .await;
    // It is in the store again, not only in the memory of those nodes.
    let later = pair.node("r0").await;
    assert!(!is_alive(&later, &handle).await && !is_alive(&later, &hers).await);
}

#[tokio::test]
async fn a_fail_over_that_lost_nothing_is_not_raised() {
    let meter = Meter::default();
    let _guard = meter.install();
    let mut pair = Pair::start(1, &Setup::default()).await;
    let node = pair.node("r1").await;
    let (revoked, alive) = (session(&node).await, session(&node).await);
    node.revoke(&logout(revoked)).await.unwrap();
    pair.in_step().await;
    pair.fail_over(0).await;
    eventually("the session is served again", || async {
        matches!(node.load(&alive).await, Ok(Some(_)))
    })
    .await;
    // Later than a look at the new primary: a revocation asks it what it is.
    node.revoke(&logout(alive))
        .await
        .expect_err("it has no replica");
    crate::scene::looked_at(&pair.replicas[0].server).await;
    assert!(!is_alive(&node, &revoked).await);
    assert_eq!(meter.possible_losses(), 0);
}

#[tokio::test]
async fn a_restart_without_persistence_is_raised_and_one_with_it_is_not() {
    for (persistence, losses) in [(Persistence::None, 1), (Persistence::Always, 0)] {
        let meter = Meter::default();
        let _guard = meter.install();
        let setup = Setup {
            persistence,
            ..Setup::default()
        };
        let mut pair = Pair::start(0, &setup).await;
        let node = pair.node("").await;
        let handle = session(&node).await;
        let revoked = node.revoke(&logout(handle)).await.unwrap();
        let expected = match persistence {
            Persistence::Always => Durability::Majority,
            _ => Durability::Asynchronous,
        };
        assert_eq!(revoked.durability, expected);
        crate::scene::looked_at(&pair.primary).await;
        pair.primary.kill().await.unwrap();
        pair.primary.restart().await.unwrap();
        crate::scene::looked_at(&pair.primary).await;
        eventually("the look has been judged", || async {
            meter.possible_losses() == losses
        })
        .await;
    }
}

/// While it loads it says what it is, and not yet that its data is what it was.
#[tokio::test]
async fn a_primary_that_reads_all_from_its_disk_is_not_judged_before_it_has() {
    let meter = Meter::default();
    let _guard = meter.install();
    // 0.3 ms for each key, and after every 1,024 the server looks at its connections.
    let setup = Setup {
        persistence: Persistence::Always,
        ..Setup::default()
    };
    let setup = setup
        .with("key-load-delay", "300")
        .with("loading-process-events-interval-bytes", "1024");
    let mut pair = Pair::start(0, &setup).await;
    let node = pair.node("").await;
    let handle = session(&node).await;
    node.revoke(&logout(handle)).await.unwrap();
    let fill = "for n = 1, 16384 do redis.call('SET', 'other:' .. n, string.rep('x', 100)) end";
    let filled = pair.primary.command(&["EVAL", fill, "0"]).await;
    filled.unwrap();
    crate::scene::looked_at(&pair.primary).await;
    pair.primary.kill().await.unwrap();
    pair.primary.restart().await.unwrap();
    crate::scene::looked_at(&pair.primary).await;
    assert!(!is_alive(&node, &handle).await);
    assert_eq!(meter.possible_losses(), 0);
}
