//! The server hangs, dies and comes back.

use std::time::{Duration, Instant};

use anynode::store::postgres::{PostgresOptions, PostgresStore};
use anynode_core::{Cause, ErrorKind, Page, Replace, Revoke, Store, expiry::Touch};
use anynode_lab::fault::{Fault, Proxy, Way};
use tokio::time::{sleep, timeout};

use crate::meter::Meter;
use crate::scene::{Scene, draft, next, until_passed, user};

/// The deadline of a call, and what a busy machine may add to it.
const SOON: Duration = Duration::from_secs(4);

#[allow(clippy::disallowed_methods, reason = "measures what a caller waits")]
async fn timed<T>(
    call: impl Future<Output = Result<T, anynode_core::Error>>,
) -> (ErrorKind, Duration) {
    let begun = Instant::now();
    let kind = call.await.err().expect("the server does not answer").kind();
    (kind, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_a_server_that_hangs_ends_by_its_deadline() {
    let mut scene = Scene::open().await;
    let live = scene.created(&draft(1)).await;
    let mut channel = scene.watch().await;
    until_passed(channel.as_mut()).await;
    let store = scene.store.clone();
    scene.server.pause().await.unwrap();
    let (touch, replaced) = (
        [Touch {
            handle: live.record.handle,
            age: Duration::ZERO,
        }],
        next(&live.record),
    );
    let (new, handle) = (draft(2), live.record.handle);
    let revoke = Revoke::session(handle, Cause::User);
    let ada = user("ada");
    let results = tokio::join!(
        timed(store.load(&handle)),
        timed(store.list(&ada, &Page::FIRST)),
        timed(store.create(&new)),
        timed(store.replace(&live.record.version, &replaced)),
        timed(store.touch(&touch)),
        timed(store.revoke(&revoke)),
        timed(channel.barrier()),
    );
    let (load, list, create, replace, touch, revoke, barrier) = results;
    for (verb, (kind, took)) in [("load", load), ("list", list), ("barrier", barrier)] {
        assert_eq!(kind, ErrorKind::Unavailable, "{verb}");
        assert!(took < SOON, "{verb}: {took:?}");
    }
    for (verb, (kind, took)) in [("create", create), ("replace", replace), ("touch", touch)] {
        let open = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
        assert!(open.contains(&kind), "{verb}: {kind}");
        assert!(took < SOON, "{verb}: {took:?}");
    }
    assert_eq!(revoke.0, ErrorKind::Indeterminate);
    scene.server.resume().await.unwrap();
    store
        .revoke(&Revoke::session(handle, Cause::User))
        .await
        .unwrap();
    // Attempts to connect that were under way end by their own limits first.
    let mut loaded = store.load(&handle).await;
    for _ in 0..100 {
        if loaded.is_ok() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        loaded = store.load(&handle).await;
    }
    assert_eq!(loaded.unwrap(), None);
    until_passed(channel.as_mut()).await;
}

/// What the server acknowledged before it was killed is there when it is back, and the store
/// finds it again without help.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_end_of_the_server() {
    let mut scene = Scene::open().await;
    let store = scene.store.clone();
    let mut channel = scene.watch().await;
    let writer = tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for number in 1.. {
            match store.create(&draft(number)).await {
                Ok(_) => acknowledged.push(number),
                Err(error) => {
                    let open = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
                    assert!(open.contains(&error.kind()), "{error:?}");
                    return acknowledged;
                }
            }
            if number % 2 == 0 {
                let revoke = Revoke::session(draft(number).handle, Cause::User);
                if store.revoke(&revoke).await.is_err() {
                    acknowledged.pop();
                    return acknowledged;
                }
            }
        }
        unreachable!("the server was killed");
    });
    let mut told = 0;
    while told < 20 {
        assert!(!writer.is_finished(), "it was refused before the kill");
        told += until_passed(channel.as_mut()).await.len();
    }
    scene.server.kill().await.unwrap();
    let acknowledged = writer.await.unwrap();
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    assert_eq!(
        scene.store.load(&draft(1).handle).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    scene.server.restart().await.unwrap();
    // For a moment whoever comes is told that the last attempt to connect failed.
    for _ in 0..100 {
        if scene.store.load(&draft(1).handle).await.is_ok() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    for number in acknowledged {
        let alive = scene
            .store
            .load(&draft(number).handle)
            .await
            .unwrap()
            .is_some();
        assert_eq!(alive, number % 2 == 1, "{number}");
    }
    let _lost = channel.next().await;
    until_passed(channel.as_mut()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_tells_who_or_where() {
    let mut scene = Scene::open().await;
    let password = "anynode-lab";
    let wrong = scene.url.replace(password, "hunter2");
    let error = PostgresStore::open(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(!format!("{error:?} {error:#?}").contains("hunter2"));
    let nowhere = scene.url.replace("/anynode?", "/no_such_database?");
    let error = PostgresStore::open(&nowhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(!format!("{error:?}").contains("no_such"), "{error:?}");
    scene.sql("DROP SCHEMA {s} CASCADE").await;
    let error = scene.store.create(&draft(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    scene.server.kill().await.unwrap();
    let error = PostgresStore::open(&scene.url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(!format!("{error:?} {:?}", scene.store).contains(password));
}

/// Somebody ended connections while the server wrote: the answers of new ones passed each other,
/// and one that was older was taken for that of a server which had lost something.
#[tokio::test]
async fn connections_that_are_ended_are_no_fail_over() {
    let meter = Meter::default();
    let _guard = meter.install();
    let scene = Scene::open().await;
    let mut channel = scene.watch().await;
    let ending = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                  WHERE usename = 'anynode'";
    let mut ended = 0;
    for round in 0..60 {
        let writes = (0..24).map(|number| {
            let store = scene.store.clone();
            let draft = draft(round * 24 + number);
            tokio::spawn(async move {
                let _ = store.create(&draft).await;
                let _ = store.load(&draft.handle).await;
                let _ = store
                    .revoke(&Revoke::session(draft.handle, Cause::User))
                    .await;
            })
        });
        let writes: Vec<_> = writes.collect();
        ended += scene.sql(ending).await.parse::<u32>().unwrap();
        let _ = channel.barrier().await;
        for write in writes {
            write.await.unwrap();
        }
    }
    assert!(ended > 60, "{ended}");
    assert_eq!(meter.possible_losses(), 0);
}

/// A connection died in silence, and every caller stopped waiting before the store did: so nobody
/// found out, and not one call was answered for as long as that was so.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_left_also_by_callers_who_are_less_patient_than_the_store() {
    let scene = Scene::open().await;
    let (proxy, url) = proxied(&scene).await;
    let store = PostgresStore::open(&url).await.unwrap();
    let handle = draft(1).handle;
    store.create(&draft(1)).await.unwrap();
    assert!(store.load(&handle).await.unwrap().is_some());
    // What is open by then is swallowed for ever.
    proxy.set(Fault::BlackHole(Way::Both));
    let brief = Duration::from_millis(100);
    assert!(timeout(brief, store.load(&handle)).await.is_err());
    assert!(timeout(brief, store.create(&draft(2))).await.is_err());
    proxy.heal();
    let patience = PostgresOptions::DEADLINE / 2;
    let (mut loads, mut creates) = (1, 1);
    while !matches!(timeout(patience, store.load(&handle)).await, Ok(Ok(_))) {
        loads += 1;
        assert!(loads < 10, "it is asked for ever");
    }
    while !matches!(timeout(patience, store.create(&draft(3))).await, Ok(Ok(_))) {
        creates += 1;
        assert!(creates < 10, "it is asked for ever");
    }
}

/// A write that meets another one takes two statements, and each had the whole time for itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_two_statements_has_one_deadline() {
    let scene = Scene::open().await;
    let (proxy, url) = proxied(&scene).await;
    let answer = Duration::from_secs(2);
    let options = PostgresOptions::default().with_deadline(answer + answer / 2);
    let store = options.open(&url).await.unwrap();
    let live = scene.created(&draft(1)).await;
    let (base, newer) = (&live.record.version, next(&live.record));
    assert!(matches!(
        store.replace(base, &newer).await,
        Ok(Replace::Replaced(_))
    ));
    // Connections are there and statements prepared.
    assert!(store.load(&draft(1).handle).await.unwrap().is_some());
    assert!(matches!(
        store.replace(base, &newer).await,
        Ok(Replace::Conflict(_))
    ));
    proxy.set(Fault::Delay {
        way: Way::ToClient,
        by: answer,
        jitter: Duration::ZERO,
    });
    assert!(store.load(&draft(1).handle).await.unwrap().is_some());
    let error = store.replace(base, &newer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
}

/// A proxy in front of the server, and the URL of the store through it.
async fn proxied(scene: &Scene) -> (Proxy, String) {
    let old = scene.server.addresses()[0];
    let proxy = Proxy::start(old, 1).await.unwrap();
    let url = scene
        .url
        .replace(&format!("{old}/"), &format!("{}/", proxy.address()));
    (proxy, url)
}
