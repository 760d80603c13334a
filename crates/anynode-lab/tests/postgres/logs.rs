//! What a log is told when it takes everything.

use std::sync::{Mutex, PoisonError};

use anynode_core::{Cause, Payload, Revoke, Store};
use log::{LevelFilter, Log, Metadata, Record};

use crate::scene::{Scene, draft_of, next, user};

/// Keeps what any test of this program logs while one looks.
struct Journal(Mutex<String>);

static JOURNAL: Journal = Journal(Mutex::new(String::new()));

// === impl Journal ===

impl Journal {
    fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Log for Journal {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&format!("{} {}\n", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// The driver logs each statement with its parameters, which are all that there is to hide.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_everything_holds_nothing_of_a_session() {
    let scene = Scene::open().await;
    log::set_logger(&JOURNAL).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let name = "a-user-that-nobody-else-is";
    let mut secret = draft_of(0x5ec2_e701, name);
    secret.payload = Payload::new(*b"\xd1\xa2\xb3\xc4 is what the visitor keeps");
    let live = scene.created(&secret).await;
    let replaced = next(&live.record);
    scene
        .store
        .replace(&live.record.version, &replaced)
        .await
        .unwrap();
    scene.store.load(&secret.handle).await.unwrap();
    let revoke = Revoke::session(secret.handle, Cause::User);
    scene.store.revoke(&revoke).await.unwrap();
    let revoke = Revoke::user(user(name), Cause::User);
    scene.store.revoke(&revoke).await.unwrap();
    log::set_max_level(LevelFilter::Off);
    let text = JOURNAL.text();
    assert!(text.contains("executing statement"), "{text}");
    // As they are, and as the numbers of their bytes.
    let numbers = |bytes: &[u8]| {
        let numbers = format!("{bytes:?}");
        numbers.trim_matches(['[', ']']).to_owned()
    };
    for hidden in [
        name.to_owned(),
        numbers(name.as_bytes()),
        numbers(&secret.handle.as_bytes()[..6]),
        numbers(&secret.payload.as_bytes()[..6]),
        numbers(&secret.secret.as_bytes()[..]),
    ] {
        assert!(!text.contains(&hidden), "{hidden} in {text}");
    }
}
