//! Servers with standbys: what is acknowledged, who is believed, and for how long.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anynode::store::postgres::PostgresStore;
use anynode_core::{
    Cause, Deposed, Durability, ErrorKind, Revoke, Store,
    store::{Authority, Target},
};
use anynode_lab::server::{Setup, Standby};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::meter::Meter;
use crate::scene::{Scene, draft, draft_of, user};

/// How long a deposed primary may be believed at most.
const DEPOSED_MAX: Duration = Authority::LASTS_ELSEWHERE;

/// What everything that is waited for takes at most on a busy machine.
const LONG: Duration = Duration::from_secs(30);

pub(crate) fn with(standby: Standby) -> Setup {
    Setup {
        standby,
        ..Setup::default()
    }
    .with("fsync", "on")
}

/// The standby of a scene, with the child of it that receives the log.
pub(crate) struct Follower {
    pid: u32,
    children: Vec<u32>,
}

// === impl Follower ===

impl Follower {
    pub(crate) fn of(scene: &Scene) -> Self {
        let [_, pid] = scene.server.pids()[..] else {
            panic!("two servers");
        };
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap();
        let children = children.split(' ').filter_map(|pid| pid.parse().ok());
        Self {
            pid,
            children: children.collect(),
        }
    }

    /// Where it listens, as its command line says.
    fn address(&self) -> SocketAddr {
        let line = std::fs::read_to_string(format!("/proc/{}/cmdline", self.pid)).unwrap();
        let port = line.split('\0').find_map(|word| word.strip_prefix("port="));
        SocketAddr::from(([127, 0, 0, 1], port.unwrap().parse().unwrap()))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        for pid in self.children.iter().chain([&self.pid]) {
            let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
        }
    }
}

/// The first revocation of a session had reached the primary and not its standby, and said so;
/// the second found nothing to do, so that its commit waited for nobody, and was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_revocation_waits_for_the_standby_as_the_first_did() {
    let scene = Scene::open_with(&with(Standby::Synchronous)).await;
    let options = PostgresStore::options().with_deadline(Duration::from_millis(500));
    let store = options.open(&scene.url).await.unwrap();
    let ada = user("ada");
    for number in 1..=3 {
        scene.created(&draft_of(number, "ada")).await;
    }
    let standby = Follower::of(&scene);
    standby.signal(Signal::STOP);
    let handle = |number| draft(number).handle;
    for target in [
        Target::Session(handle(1)),
        Target::SessionOf(ada.clone(), handle(2)),
        Target::User(ada.clone()),
    ] {
        let cause = Cause::User;
        let revoke = Revoke { target, cause };
        for time in ["first", "second", "third"] {
            let error = store.revoke(&revoke).await.unwrap_err();
            // Where the connection was lost to the one before, none may be there in time.
            let is_open = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
            assert!(is_open.contains(&error.kind()), "{time}: {error:?}");
        }
    }
    standby.signal(Signal::CONT);
    let target = Target::SessionOf(ada, handle(2));
    let revoke = Revoke {
        target,
        cause: Cause::User,
    };
    let revoked = scene.store.revoke(&revoke).await.unwrap();
    assert_eq!(revoked.durability, Durability::Quorum);
}

/// A standby was promoted, the primary before it was left running, and its loads went on to
/// answer with a session that was revoked.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::disallowed_methods, reason = "measures what a visitor sees")]
async fn a_deposed_primary_is_not_believed() {
    let scene = Scene::open_with(&with(Standby::Synchronous)).await;
    let handle = draft(1).handle;
    scene.created(&draft(1)).await;
    let facts = scene.store.inspect().await.unwrap();
    assert_eq!(facts.deposed, Deposed::Within(DEPOSED_MAX));
    // As long as the standby acknowledges, everybody is answered.
    let begun = Instant::now();
    while begun.elapsed() < DEPOSED_MAX * 2 {
        assert!(scene.store.load(&handle).await.unwrap().is_some());
        sleep(Duration::from_millis(5)).await;
    }
    let standby = Follower::of(&scene).address();
    let promote = ["SELECT pg_promote()"];
    assert_eq!(
        scene.server.command_at(standby, &promote).await.unwrap(),
        "t"
    );
    let port = scene.server.addresses()[0].port();
    let url = scene
        .url
        .replace(&format!(":{port}/"), &format!(":{}/", standby.port()));
    let promoted = PostgresStore::open(&url).await.unwrap();
    promoted
        .revoke(&Revoke::session(handle, Cause::User))
        .await
        .unwrap();
    let revoked = Instant::now();
    let mut refused = 0;
    while refused < 3 {
        let asked = Instant::now();
        match scene.store.load(&handle).await {
            Ok(live) => {
                assert!(asked < revoked + DEPOSED_MAX, "believed after the bound");
                assert!(live.is_some());
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                refused += 1;
            }
        }
        assert!(revoked.elapsed() < LONG, "it is believed for ever");
    }
    assert_eq!(promoted.load(&handle).await.unwrap(), None);
}

/// A node that reaches both goes over to the one that was promoted, and does not come back.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::disallowed_methods, reason = "measures what a visitor sees")]
async fn a_node_that_reaches_both_finds_the_one_that_was_promoted() {
    let scene = Scene::open_with(&with(Standby::Synchronous)).await;
    let standby = Follower::of(&scene).address();
    let old = scene.server.addresses()[0];
    let both = format!("{old},{standby}/");
    let store = PostgresStore::open(&scene.url.replace(&format!("{old}/"), &both)).await;
    let store = store.unwrap();
    for number in 1..=2 {
        scene.created(&draft(number)).await;
        assert!(store.load(&draft(number).handle).await.unwrap().is_some());
    }
    let promote = ["SELECT pg_promote()"];
    assert_eq!(
        scene.server.command_at(standby, &promote).await.unwrap(),
        "t"
    );
    let url = scene
        .url
        .replace(&format!("{old}/"), &format!("{standby}/"));
    let promoted = PostgresStore::open(&url).await.unwrap();
    let revoke = Revoke::session(draft(1).handle, Cause::User);
    promoted.revoke(&revoke).await.unwrap();
    let begun = Instant::now();
    while !matches!(store.load(&draft(1).handle).await, Ok(None)) {
        assert!(begun.elapsed() < LONG, "it does not find the new primary");
        sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..10 {
        assert_eq!(store.load(&draft(1).handle).await.unwrap(), None);
        assert!(store.load(&draft(2).handle).await.unwrap().is_some());
    }
    let revoke = Revoke::session(draft(2).handle, Cause::User);
    store.revoke(&revoke).await.unwrap();
    assert_eq!(promoted.load(&draft(2).handle).await.unwrap(), None);
}

/// The standby that would lose a revocation is the one that is away.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_away_is_one_all_the_same() {
    let scene = Scene::open_with(&with(Standby::Asynchronous)).await;
    scene.created(&draft(1)).await;
    let revoke = Revoke::session(draft(1).handle, Cause::User);
    let durability = async || scene.store.revoke(&revoke).await.unwrap().durability;
    assert_eq!(durability().await, Durability::Asynchronous);
    Follower::of(&scene).signal(Signal::KILL);
    scene
        .wait("SELECT count(*) = 0 FROM pg_stat_replication")
        .await;
    assert_eq!(durability().await, Durability::Asynchronous);
    let facts = scene.store.inspect().await.unwrap();
    assert_eq!(facts.durability, Durability::Asynchronous);
    assert_eq!(facts.deposed, Deposed::Unbounded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_kept_for_a_standby() {
    let scene = Scene::open_with(&with(Standby::None)).await;
    let revoke = Revoke::session(draft(1).handle, Cause::User);
    let durability = async || scene.store.revoke(&revoke).await.unwrap().durability;
    assert_eq!(durability().await, Durability::Majority);
    scene
        .sql("SELECT pg_create_physical_replication_slot('away')")
        .await;
    assert_eq!(durability().await, Durability::Asynchronous);
}

/// One standby had every revocation, another was promoted, and nothing was said: that commits
/// wait for somebody was taken to mean that they wait for everybody.
#[tokio::test]
async fn a_fail_over_is_raised_unless_commits_waited_for_every_standby() {
    for others in [0, 1] {
        let meter = Meter::default();
        let _guard = meter.install();
        let mut scene = Scene::open_with(&with(Standby::Synchronous)).await;
        if others == 1 {
            scene
                .sql("SELECT pg_create_physical_replication_slot('another')")
                .await;
        }
        scene.created(&draft(1)).await;
        let revoke = Revoke::session(draft(1).handle, Cause::User);
        scene.store.revoke(&revoke).await.unwrap();
        let facts = scene.store.inspect().await.unwrap();
        let expected = match others {
            0 => Deposed::Within(DEPOSED_MAX),
            _ => Deposed::Unbounded,
        };
        assert_eq!(facts.deposed, expected);
        scene.server.fail_over().await.unwrap();
        let mut tries = 0;
        while !matches!(scene.store.load(&draft(1).handle).await, Ok(None)) {
            tries += 1;
            assert!(tries < 100, "the new primary is not found");
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(meter.possible_losses(), others);
    }
}
