//! The channel's cursor: no commit is lost or told twice, in whatever order transactions that
//! wrote end.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anynode_core::{Event, Handle, Store};
use tokio_postgres::Client;

use crate::scene::{Scene, bytea, connected, draft, until_passed};

/// Writers at once, and how many transactions each of them makes.
const WRITERS: u32 = 6;
const TRANSACTIONS: u32 = 40;

/// Updates sessions in transactions that stay open for a while, and takes every third back.
/// Answers what it committed.
async fn write(client: Client, schema: String, writer: u32) -> BTreeSet<Handle> {
    let mut committed = BTreeSet::new();
    for turn in 0..TRANSACTIONS {
        let handle = draft(writer * TRANSACTIONS + turn).handle;
        let update = format!(
            "BEGIN; UPDATE {schema}.record SET counter = 2 WHERE handle = {}; \
             SELECT pg_sleep({})",
            bytea(&handle),
            f64::from(fastrand::u32(0..12)) / 1_000.0
        );
        client.batch_execute(&update).await.unwrap();
        if turn % 3 == 2 {
            client.batch_execute("ROLLBACK").await.unwrap();
            continue;
        }
        client.batch_execute("COMMIT").await.unwrap();
        committed.insert(handle);
    }
    committed
}

#[tokio::test(flavor = "multi_thread")]
async fn no_commit_is_lost_or_told_twice_while_transactions_overlap() {
    let scene = Scene::open().await;
    let schema = scene.url.rsplit_once("schema=").unwrap().1.to_owned();
    for number in 0..(WRITERS + 1) * TRANSACTIONS {
        scene.created(&draft(number)).await;
    }
    let mut channel = scene.watch().await;
    // One that began before all others, and ends after them.
    let long = connected(&scene).await;
    let first = bytea(&draft(0).handle);
    let begin = format!("BEGIN; DELETE FROM {schema}.record WHERE handle = {first}");
    long.batch_execute(&begin).await.unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (client, schema, running) = (connected(&scene).await, schema.clone(), running.clone());
        running.fetch_add(1, Ordering::SeqCst);
        writers.push(tokio::spawn(async move {
            // The long transaction has the first row.
            let committed = write(client, schema, writer + u32::from(writer == 0) * WRITERS).await;
            running.fetch_sub(1, Ordering::SeqCst);
            committed
        }));
    }
    let (mut told, mut polls) = (Vec::new(), 0);
    while running.load(Ordering::SeqCst) > 0 {
        told.extend(until_passed(channel.as_mut()).await);
        polls += 1;
    }
    let mut committed = BTreeSet::new();
    for writer in writers {
        committed.extend(writer.await.unwrap());
    }
    told.extend(until_passed(channel.as_mut()).await);
    long.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        until_passed(channel.as_mut()).await,
        [Event::Changed(draft(0).handle)]
    );
    let handles = told.iter().map(|event| match event {
        Event::Changed(handle) => *handle,
        other => panic!("{other:?}"),
    });
    let handles: Vec<_> = handles.collect();
    let distinct: BTreeSet<_> = handles.iter().copied().collect();
    assert_eq!(handles.len(), distinct.len(), "told twice");
    let missing = committed.difference(&distinct).count();
    assert_eq!(
        missing,
        0,
        "of {} commits, {missing} were not told",
        committed.len()
    );
    assert_eq!(
        distinct.difference(&committed).count(),
        0,
        "told and taken back"
    );
    assert!(polls > 20, "only {polls} polls met the writers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_whose_connection_was_cut_goes_on_without_a_gap() {
    let scene = Scene::open().await;
    let live = scene.created(&draft(1)).await;
    let mut channel = scene.watch().await;
    until_passed(channel.as_mut()).await;
    scene
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anynode'")
        .await;
    let gone = draft(1).handle;
    let delete = format!("DELETE FROM {{s}}.record WHERE handle = {}", bytea(&gone));
    scene.sql(&delete).await;
    // The loss is reported before anything after it, unless it was noticed at once.
    let mut events = Vec::new();
    while !events.contains(&Event::Changed(gone)) {
        if let Ok(event) = channel.next().await {
            events.push(event);
        }
    }
    assert!(!events.contains(&Event::Flush), "{events:?}");
    assert_eq!(scene.store.load(&live.record.handle).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_older_than_what_is_kept_flushes() {
    let scene = Scene::open().await;
    scene.created(&draft(1)).await;
    let mut channel = scene.watch().await;
    until_passed(channel.as_mut()).await;
    // As if this node had slept while the others swept for hours.
    scene
        .sql("UPDATE {s}.horizon SET removed_until = next_at + 3600000")
        .await;
    assert_eq!(until_passed(channel.as_mut()).await, [Event::Flush]);
}

#[tokio::test(flavor = "multi_thread")]
async fn swept_changes_are_those_that_every_channel_has_seen_for_long() {
    let scene = Scene::open().await;
    let kept = "SELECT count(*) FROM {s}.change";
    scene.created(&draft(1)).await;
    scene.sql("UPDATE {s}.record SET payload = 'x'").await;
    scene.store.sweep(10).await.unwrap();
    assert_eq!(scene.sql(kept).await, "1");
    // Ten minutes go by; what was written after the snapshot of then stays.
    scene
        .sql("UPDATE {s}.horizon SET next = pg_current_snapshot()")
        .await;
    scene.sql("UPDATE {s}.record SET payload = 'y'").await;
    scene
        .sql("UPDATE {s}.horizon SET next_at = next_at - 600001")
        .await;
    scene.store.sweep(10).await.unwrap();
    assert_eq!(scene.sql(kept).await, "1");
}
