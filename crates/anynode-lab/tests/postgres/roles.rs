//! A schema made by hand, and a role that may do no more than it has to.

use anynode::store::{open, open_existing, postgres::PostgresStore};
use anynode_core::{Cause, ErrorKind, Page, Revoke, Store, Verdict};
use anynode_lab::server::{Kind, Server};

use crate::scene::{Scene, draft, draft_of, next, until_passed, user};

const STEP: &str = include_str!("../../../anynode/src/store/postgres/version_1.sql");

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_uses_a_schema_made_by_hand() {
    let server = Server::start(Kind::Postgres).await.unwrap();
    server
        .command(&["CREATE ROLE app LOGIN PASSWORD 'anynode-lab'"])
        .await
        .unwrap();
    let url = server.url().replace("//anynode:", "//app:");
    let error = open(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    server.command(&[STEP]).await.unwrap();
    let grant = "GRANT USAGE ON SCHEMA anynode TO app; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA anynode TO app";
    server.command(&[grant]).await.unwrap();
    let store = PostgresStore::open(&url).await.unwrap();
    let scene = Scene { server, url, store };
    let mut channel = scene.watch().await;
    let live = scene.created(&draft_of(1, "ada")).await;
    let store = &scene.store;
    store
        .replace(&live.record.version, &next(&live.record))
        .await
        .unwrap();
    assert_eq!(until_passed(channel.as_mut()).await.len(), 1);
    assert_eq!(
        store
            .list(&user("ada"), &Page::FIRST)
            .await
            .unwrap()
            .sessions
            .len(),
        1
    );
    store
        .revoke(&Revoke::user(user("ada"), Cause::User))
        .await
        .unwrap();
    store.sweep(10).await.unwrap();
    assert_eq!(store.scan(None, 10).await.unwrap().len(), 1);
    channel.snapshot().await.unwrap();
    store.inspect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused() {
    let scene = Scene::open().await;
    scene
        .sql(
            "CREATE OR REPLACE FUNCTION {s}.schema_version() RETURNS integer \
             LANGUAGE sql IMMUTABLE AS 'SELECT 99'",
        )
        .await;
    let error = open(&scene.url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("version 99"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_makes_no_schema() {
    let server = Server::start(Kind::Postgres).await.unwrap();
    let url = server.fresh_url();
    let error = open_existing(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'an%'";
    assert_eq!(server.command(&[schemas]).await.unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_one_schema() {
    let server = Server::start(Kind::Postgres).await.unwrap();
    let url = server.fresh_url();
    let opening = (0..12).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await })
    });
    for opened in opening.collect::<Vec<_>>() {
        let store = opened.await.unwrap().unwrap();
        assert_eq!(store.load(&draft(1).handle).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_are_those_of_the_server() {
    let scene = Scene::open().await;
    let facts = scene.store.inspect().await.unwrap();
    assert!(facts.version.starts_with("15."), "{}", facts.version);
    let verdict = |point| {
        let note = facts.notes.iter().find(|note| note.point == point);
        note.unwrap().verdict.clone()
    };
    // The server of the tests does not wait for the disk.
    assert!(matches!(verdict("persistence"), Verdict::Unsafe { .. }));
    for safe in [
        "version",
        "transport",
        "authentication",
        "role",
        "replication",
        "full disk",
        "pooler",
    ] {
        assert_eq!(verdict(safe), Verdict::Safe, "{safe}");
    }
}
