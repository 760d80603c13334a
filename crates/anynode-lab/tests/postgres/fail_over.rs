//! Standbys: what a revocation is worth with them, and what a fail-over loses.

use anynode_core::{Cause, Durability, ErrorKind, Event, Revoke, Store};
use anynode_lab::server::{Setup, Standby};
use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{Scene, draft, until_passed};

fn with(standby: Standby) -> Setup {
    Setup {
        standby,
        ..Setup::default()
    }
    .with("fsync", "on")
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_to_a_synchronous_standby() {
    let mut scene = Scene::open_with(&with(Standby::Synchronous)).await;
    for number in 1..=20 {
        scene.created(&draft(number)).await;
    }
    let mut channel = scene.watch().await;
    until_passed(channel.as_mut()).await;
    let revoked = scene
        .store
        .revoke(&Revoke::session(draft(1).handle, Cause::User))
        .await;
    assert_eq!(revoked.unwrap().durability, Durability::Quorum);
    scene.server.fail_over().await.unwrap();
    // The loss is reported, or the channel went on at once.
    let mut events: Vec<_> = channel.next().await.into_iter().collect();
    events.extend(until_passed(channel.as_mut()).await);
    assert!(events.contains(&Event::Flush), "{events:?}");
    for number in 1..=20 {
        let alive = scene
            .store
            .load(&draft(number).handle)
            .await
            .unwrap()
            .is_some();
        assert_eq!(alive, number > 1, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_with_an_asynchronous_standby_says_so() {
    let scene = Scene::open_with(&with(Standby::Asynchronous)).await;
    scene.created(&draft(1)).await;
    let revoked = scene
        .store
        .revoke(&Revoke::session(draft(1).handle, Cause::User))
        .await;
    assert_eq!(revoked.unwrap().durability, Durability::Asynchronous);
    let facts = scene.store.inspect().await.unwrap();
    assert_eq!(facts.durability, Durability::Asynchronous);
    let replication = facts
        .notes
        .iter()
        .find(|note| note.point == "replication")
        .unwrap();
    assert!(
        replication.found.contains("nothing waits for"),
        "{replication:?}"
    );
}

/// Also where ordinary writes do not wait, a revocation does, and one that its standby did not
/// take is not acknowledged; neither is a heartbeat.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_waits_for_the_standby_whatever_is_usual() {
    let setup = with(Standby::Synchronous).with("synchronous_commit", "off");
    let scene = Scene::open_with(&setup).await;
    scene.created(&draft(1)).await;
    let mut channel = scene.watch().await;
    let [_, standby] = scene.server.pids()[..] else {
        panic!("two servers");
    };
    // Its child that receives the log has to stand still.
    let children = format!("/proc/{standby}/task/{standby}/children");
    let children = std::fs::read_to_string(children).unwrap();
    let all: Vec<u32> = children
        .split(' ')
        .filter_map(|pid| pid.parse().ok())
        .collect();
    for pid in all.iter().chain([&standby]) {
        signal(*pid, Signal::STOP);
    }
    scene.created(&draft(2)).await;
    let revoke = Revoke::session(draft(1).handle, Cause::User);
    let error = scene.store.revoke(&revoke).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    let error = channel.barrier().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    for pid in all.iter().chain([&standby]) {
        signal(*pid, Signal::CONT);
    }
    let revoked = scene.store.revoke(&revoke).await.unwrap();
    assert_eq!(revoked.durability, Durability::Quorum);
}
