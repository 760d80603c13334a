//! The doctor on real SQLite files; network stores are examined by the tests of the lab.

use tempfile::TempDir;

use crate::program::{check, sqlite};

/// A store that a program has made.
async fn store(directory: &TempDir) -> String {
    let path = directory.path().join("sessions.db");
    anynode::store::open(&sqlite(&path)).await.unwrap();
    sqlite(&path)
}

#[tokio::test]
async fn a_sound_store_is_safe_and_its_channel_keeps_its_order() {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = store(&directory).await;
    let ran = check(&["doctor", &store], 0).await;
    for part in ["sqlite 3.", "ok      journal mode", "0 unsafe"] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    let told = "ok      channel order     144 of 144 writes";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    let looked = check(&["doctor", &store, "--look-only"], 0).await;
    assert!(!looked.stdout.contains("channel"), "{}", looked.stdout);
}

#[tokio::test]
async fn an_unsafe_store_is_told_with_what_to_change_and_exit_code_1() {
    let directory = TempDir::new_in("/dev/shm").unwrap();
    let store = store(&directory).await;
    let ran = check(&["doctor", &store, "--look-only", "--json"], 1).await;
    let report = &ran.json()[0];
    assert_eq!(report["unsafe"], 1);
    let points = report["points"].as_array().unwrap();
    let place = points
        .iter()
        .find(|point| point["point"] == "file system")
        .unwrap();
    assert_eq!(place["found"], "tmpfs");
    assert_eq!(place["verdict"], "unsafe");
    assert_eq!(place["change"], "move the file to a disk");
    assert!(ran.stderr.contains("1 point is unsafe"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_not_made() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("none.db");
    check(&["doctor", &sqlite(&path)], 2).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn no_command_sends_sessions_in_plain_text_to_another_machine() {
    // PostgreSQL on another machine is spoken to under TLS unless the URL says otherwise.
    for (scheme, options) in [
        ("redis", ""),
        ("redis+cluster", ""),
        ("redis+sentinel", ""),
        ("postgres", "?sslmode=disable"),
    ] {
        let url = format!("{scheme}://shop:hunter2@192.0.2.7/0{options}");
        for command in [
            &["doctor", &url][..],
            &["sessions", "list", "--user", "ada", "--store", &url],
            &["users", "revoke", "ada", "--store", &url],
            &["node", "--store", &url],
            &["up", "--store", &url],
        ] {
            let ran = check(command, 2).await;
            assert!(ran.stderr.contains("plaintext=allowed"), "{}", ran.stderr);
            assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        }
    }
}
