//! What a session and the end of one cost in memory or on disk.

use std::sync::Arc;

use anynode_core::{Cause, Revoke, Store};

use crate::arguments::{Arguments, Backend};
use crate::fill;
use crate::gauge::{Bytes, Place};
use crate::session;

pub(crate) async fn run(arguments: &Arguments) {
    let count = (arguments.sessions / 10).max(1_000);
    println!(
        "\n# Bytes\n\n\
         Of each of {count} sessions of 8 keys and 500 bytes, with a label and an address; and \
         of what stays when one\nis logged out, until the session's absolute deadline, or when a \
         user is logged out everywhere.\nSQLite: pages after VACUUM; Redis: used_memory; \
         PostgreSQL: tables and indexes after VACUUM FULL, to\nwhich a running one adds what is \
         free in its pages. Added: what channels read, kept for 10 minutes.\n"
    );
    println!(
        "| store | anonymous session | bound session | per logout | per user logged out everywhere \
         |\n|---|--:|--:|--:|--:|"
    );
    for backend in &arguments.stores {
        measure(*backend, count).await;
    }
}

async fn measure(backend: Backend, count: u32) {
    let place = Place::start(backend).await;
    let (store, url, empty) = open(&place, "anonymous").await;
    let anonymous = |number| session::draft(number + 1, None);
    fill::create(&store, count, anonymous).await;
    let anonymous = place.bytes(&url).await;
    let of_anonymous = each(anonymous, empty, count);

    let (store, url, empty) = open(&place, "bound").await;
    let bound = |number| session::draft(number + 1, Some(session::user(number)));
    fill::create(&store, count, bound).await;
    let bound = place.bytes(&url).await;
    let of_bound = each(bound, empty, count);
    revoke(&store, count, |number| {
        Revoke::session(session::handle(number + 1), Cause::User)
    })
    .await;
    let of_logout = each(place.bytes(&url).await, empty, count);

    let (store, url, empty) = open(&place, "users").await;
    revoke(&store, count, |number| {
        Revoke::user(session::user(number), Cause::User)
    })
    .await;
    let of_user = each(place.bytes(&url).await, empty, count);
    println!(
        "| {} | {of_anonymous} | {of_bound} | {of_logout} | {of_user} |",
        backend.name()
    );
}

/// A store of its own that has done each thing once, and what it takes.
async fn open(place: &Place, name: &str) -> (Arc<dyn Store>, String, Bytes) {
    let url = place.fresh_url(name);
    let store = anynode::store::open(&url).await.unwrap();
    let one = session::draft(0, Some(session::user(u32::MAX)));
    store.create(&one).await.unwrap();
    let out = Revoke::session(one.handle, Cause::User);
    store.revoke(&out).await.unwrap();
    let empty = place.bytes(&url).await;
    (store, url, empty)
}

async fn revoke(
    store: &Arc<dyn Store>,
    count: u32,
    which: impl Fn(u32) -> Revoke + Clone + Send + Sync + 'static,
) {
    let store = store.clone();
    fill::each(count, move |number| {
        let (store, revoke) = (store.clone(), which(number));
        async move {
            store.revoke(&revoke).await.unwrap();
        }
    })
    .await;
}

fn each(full: Bytes, empty: Bytes, count: u32) -> String {
    let of = |full: f64, empty: f64| (full - empty) / f64::from(count);
    let kept = of(full.kept, empty.kept);
    let changes = of(full.changes, empty.changes);
    if changes < 1.0 {
        format!("{kept:.0}")
    } else {
        format!("{kept:.0} + {changes:.0}")
    }
}
