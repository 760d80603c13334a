//! How a file is made, found fit, and refused.

use std::{sync::Barrier, thread};

use anynode::store::{self, sqlite::SqliteStore};
use anynode_core::{ErrorKind, Revoke, Store, Verdict};

use crate::scene::{Scene, created, draft, draft_of, user};

#[tokio::test]
async fn two_handles_on_one_file_see_each_other() {
    let scene = Scene::new();
    let (one, two) = (scene.store(), scene.store());
    let live = created(&one, &draft()).await;
    let seen = two.load(&live.record.handle).await.expect("answers");
    assert_eq!(seen, Some(live.clone()));
    let revoke = Revoke::session(live.record.handle, anynode_core::Cause::User);
    two.revoke(&revoke).await.expect("answers");
    let seen = one.load(&live.record.handle).await.expect("answers");
    assert_eq!(seen, None);
}

#[tokio::test]
async fn a_file_that_is_opened_again_has_everything() {
    let scene = Scene::new();
    let live = created(&scene.store(), &draft_of("ada")).await;
    let again = scene.store().load(&live.record.handle).await;
    assert_eq!(again.expect("answers"), Some(live));
}

#[tokio::test]
async fn a_tool_finds_a_store_and_makes_none() {
    let scene = Scene::new();
    let url = format!("sqlite:{}", scene.path().display());
    let error = store::open_existing(&url).await.expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!scene.path().exists(), "nothing was made");
    let path = scene.path();
    let directory = path.parent().expect("has one").display();
    let error = store::open_existing(&format!("sqlite:{directory}")).await;
    assert_eq!(error.expect_err("a directory").kind(), ErrorKind::Config);

    std::fs::write(scene.path(), "").expect("is written");
    let error = store::open_existing(&url).await.expect_err("empty");
    assert_eq!(error.kind(), ErrorKind::Config);
    let length = scene.path().metadata().expect("is there").len();
    assert_eq!(length, 0, "nothing was made in it");

    let live = created(&scene.store(), &draft_of("ada")).await;
    store::open_existing(&url).await.expect("is there");
    let found = scene.options().with_existing_file().open(scene.path());
    let found = found.expect("is there");
    let again = found.load(&live.record.handle).await;
    assert_eq!(again.expect("answers"), Some(live));
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let store = scene.store();
    created(&store, &draft()).await;
    let directory = scene.path().parent().expect("has one").to_owned();
    let mut names = Vec::new();
    for entry in directory.read_dir().expect("readable") {
        let entry = entry.expect("readable");
        let mode = entry.metadata().expect("readable").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().expect("ASCII"));
    }
    names.sort();
    let expected = ["", "-line", "-reserve", "-shm", "-wal"].map(|end| format!("sessions.db{end}"));
    assert_eq!(names, expected);
}

#[test]
fn eight_that_open_a_new_file_at_once_all_get_it() {
    for _ in 0..10 {
        let scene = Scene::new();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    scene.store();
                });
            }
        });
        assert_eq!(scene.number("PRAGMA user_version"), 1);
        assert_eq!(scene.number("PRAGMA application_id"), 0x616e_6f64);
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_both_versions_named() {
    let scene = Scene::new();
    drop(scene.store());
    let newer = scene.by_hand().pragma_update(None, "user_version", 7);
    newer.expect("writes");
    let error = SqliteStore::open(scene.path()).expect_err("is newer");
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(
        text.contains("version 7") && text.contains("knows 1"),
        "{text}"
    );
}

#[test]
fn the_file_of_another_application_is_refused_and_left_as_it_is() {
    let scene = Scene::new();
    let foreign = scene.by_hand().execute_batch("CREATE TABLE theirs (x)");
    foreign.expect("writes");
    let error = SqliteStore::open(scene.path()).expect_err("is theirs");
    assert_eq!(error.kind(), ErrorKind::Config);
    let journal = scene.by_hand();
    let journal: String = journal
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .expect("answers");
    assert_eq!(journal, "delete", "nobody changed it");
}

#[test]
fn what_is_no_database_is_refused() {
    let scene = Scene::new();
    std::fs::write(scene.path(), "x".repeat(8_192)).expect("writes");
    let error = SqliteStore::open(scene.path()).expect_err("is no database");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("no SQLite database"), "{error}");
}

#[test]
fn a_directory_in_place_of_the_file_is_a_matter_of_configuration() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path()).expect("makes");
    let error = SqliteStore::open(scene.path()).expect_err("is a directory");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("directory"), "{error}");
}

#[test]
fn a_missing_directory_is_a_matter_of_configuration() {
    let scene = Scene::new();
    let path = scene.path().join("missing").join("sessions.db");
    let error = SqliteStore::open(path).expect_err("no directory");
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_url_opens_its_store_and_an_unknown_one_says_what_is_known() {
    let scene = Scene::new();
    let url = format!("sqlite:{}", scene.path().display());
    let opened = store::open(&url).await.expect("opens");
    assert_eq!(opened.inspect().await.expect("answers").store, "sqlite");
    let error = store::open("ftp://ada:secret@host/").await;
    let error = error.expect_err("no such store");
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(
        text.contains("sqlite:") && !text.contains("secret"),
        "{text}"
    );
}

#[tokio::test]
async fn an_inspection_tells_version_journal_and_file_system() {
    let scene = Scene::new();
    let facts = scene.store().inspect().await.expect("answers");
    assert!(facts.version.starts_with("3."), "{}", facts.version);
    let found = |point: &str| {
        let note = facts.notes.iter().find(|note| note.point == point);
        note.unwrap_or_else(|| panic!("no note on {point}")).clone()
    };
    assert_eq!(found("journal mode").found, "wal");
    assert_eq!(found("integrity").verdict, Verdict::Safe);
    assert!(!found("file system").found.is_empty());
}

#[tokio::test]
async fn nothing_printed_holds_data_secrets_or_users() {
    let scene = Scene::new();
    let store = scene.store();
    let live = created(&store, &draft_of("ada@example.com")).await;
    let ada = user("ada@example.com");
    let list = store.list(&ada, &anynode_core::Page::FIRST);
    let printed = format!("{store:?} {live:?} {:?}", list.await.expect("answers"));
    for secret in ["the data", "ada@example.com", "171", "abab"] {
        assert!(!printed.contains(secret), "{secret} is printed");
    }
}
