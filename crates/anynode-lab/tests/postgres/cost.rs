//! What the verbs cost the server: statements, and pages of a table with many sessions.

use std::time::Duration;

use anynode_core::{Cause, Page, Replace, Revoke, Store, expiry::Touch};
use anynode_lab::server::Setup;

use crate::scene::{Scene, draft, draft_of, next, until_passed, user};

/// Statements on the schema since the last question, and the pages that they asked for.
async fn since_last(scene: &Scene) -> (u64, u64) {
    let sums = "SELECT coalesce(sum(calls), 0), coalesce(sum(shared_blks_hit + shared_blks_read \
                + shared_blks_dirtied), 0) FROM pg_stat_statements \
                WHERE query LIKE '%\"{s}\".%' AND toplevel";
    let answer = scene.sql(sums).await;
    scene.sql("SELECT pg_stat_statements_reset()").await;
    let (calls, pages) = answer.split_once('|').unwrap();
    (calls.parse().unwrap(), pages.parse().unwrap())
}

async fn measured() -> Scene {
    let setup = Setup::default().with("shared_preload_libraries", "pg_stat_statements");
    let scene = Scene::open_with(&setup).await;
    scene.sql("CREATE EXTENSION pg_stat_statements").await;
    since_last(&scene).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verb_is_one_statement() {
    let scene = measured().await;
    let store = &scene.store;
    let live = scene.created(&draft_of(1, "ada")).await;
    assert_eq!(since_last(&scene).await.0, 1, "create");
    store.load(&live.record.handle).await.unwrap();
    assert_eq!(since_last(&scene).await.0, 1, "load");
    let draft = next(&live.record);
    store.replace(&live.record.version, &draft).await.unwrap();
    assert_eq!(since_last(&scene).await.0, 1, "replace");
    let conflict = store.replace(&live.record.version, &draft).await.unwrap();
    assert!(matches!(conflict, Replace::Conflict(_)));
    assert_eq!(since_last(&scene).await.0, 2, "a replace that conflicts");
    let touch = Touch {
        handle: draft.handle,
        age: Duration::ZERO,
    };
    store.touch(&[touch]).await.unwrap();
    assert_eq!(since_last(&scene).await.0, 1, "touch");
    store.list(&user("ada"), &Page::FIRST).await.unwrap();
    assert_eq!(since_last(&scene).await.0, 1, "list");
    let revoke = Revoke::user_except(user("ada"), draft.handle, Cause::User);
    store.revoke(&revoke).await.unwrap();
    assert_eq!(since_last(&scene).await.0, 1, "revoke all but one");
    store
        .revoke(&Revoke::session(draft.handle, Cause::User))
        .await
        .unwrap();
    assert_eq!(since_last(&scene).await.0, 1, "revoke");
    let mut channel = scene.watch().await;
    since_last(&scene).await;
    until_passed(channel.as_mut()).await;
    assert_eq!(since_last(&scene).await.0, 1, "barrier");
}

/// Thirty thousand sessions of ten thousand users take some three thousand pages.
async fn crowded() -> Scene {
    let scene = measured().await;
    let now = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let fill = format!(
        "INSERT INTO {{s}}.record (handle, deadline, sweep_at, idle_deadline, kind, stamp, counter, \
         write, secret, secret_since, created_at, idle_timeout, user_id, payload) \
         SELECT decode(md5(i::text), 'hex'), {now} + 86400000, {now} + 3600000, {now} + 3600000, 1, \
         0, 1, '\\x0101010101010101', sha256('x'), {now}, {now}, 3600000, \
         convert_to('user ' || i / 3, 'UTF8'), decode(repeat(md5(i::text), 30), 'hex') \
         FROM generate_series(1, 30000) i"
    );
    scene.sql(&fill).await;
    scene.sql("VACUUM ANALYZE {s}.record").await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_of_one_session_do_not_depend_on_the_others() {
    let scene = crowded().await;
    let store = &scene.store;
    let live = scene.created(&draft_of(1, "user 7")).await;
    since_last(&scene).await;
    for _ in 0..20 {
        store.load(&live.record.handle).await.unwrap();
    }
    let (_, pages) = since_last(&scene).await;
    assert!(pages < 20 * 20, "20 loads asked for {pages} pages");
    for _ in 0..20 {
        let listing = store.list(&user("user 7"), &Page::FIRST).await.unwrap();
        assert_eq!(listing.sessions.len(), 4);
    }
    let (_, pages) = since_last(&scene).await;
    assert!(pages < 20 * 60, "20 lists asked for {pages} pages");
    let touches = (0..50).map(|number| Touch {
        handle: draft(number).handle,
        age: Duration::ZERO,
    });
    let touches: Vec<_> = touches.collect();
    store.touch(&touches).await.unwrap();
    let (_, pages) = since_last(&scene).await;
    assert!(pages < 50 * 20, "50 touches asked for {pages} pages");
    // The first one reads what the server has to know of the tables.
    store
        .revoke(&Revoke::user(user("user 8"), Cause::Admin))
        .await
        .unwrap();
    since_last(&scene).await;
    store
        .revoke(&Revoke::user(user("user 7"), Cause::Admin))
        .await
        .unwrap();
    let (_, pages) = since_last(&scene).await;
    assert!(
        pages < 60,
        "the revocation of a user asked for {pages} pages"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_reads_what_it_removes() {
    let scene = crowded().await;
    scene
        .sql(
            "UPDATE {s}.record SET idle_deadline = 1, sweep_at = 1 WHERE get_byte(handle, 0) < 128",
        )
        .await;
    scene.sql("VACUUM ANALYZE {s}.record").await;
    since_last(&scene).await;
    let swept = scene.store.sweep(100).await.unwrap();
    assert_eq!((swept.removed, swept.more), (100, true));
    let (statements, pages) = since_last(&scene).await;
    assert!(statements <= 2, "{statements} statements");
    assert!(
        pages < 100 * 25,
        "100 of 15000 dead records took {pages} pages"
    );
    let told = scene.sql("SELECT count(*) FROM {s}.change").await;
    assert_eq!(told, "0", "every node knows by itself what has expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_writes_no_index() {
    let scene = Scene::open().await;
    scene.created(&draft(1)).await;
    let touch = Touch {
        handle: draft(1).handle,
        age: Duration::ZERO,
    };
    for _ in 0..30 {
        scene.store.touch(&[touch]).await.unwrap();
    }
    // The counters arrive within a second or so.
    let counters = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables \
                    WHERE schemaname = '{s}' AND relname = 'record'";
    for _ in 0..100 {
        let answer = scene.sql(counters).await;
        let (all, hot) = answer.split_once('|').unwrap();
        if all.parse::<u32>().unwrap() >= 20 {
            assert_eq!(all, hot);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.store.touch(&[touch]).await.unwrap();
    }
    panic!("the server did not count the touches");
}
