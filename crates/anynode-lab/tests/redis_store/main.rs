//! What the laws cannot ask of the Redis store: servers that hang, are full, forget, move their
//! slots and fail over; what is sent and what is left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod full;
mod moved;
mod opened;
mod refusals;
mod upkeep;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anynode_core::{
    Cause, Create, Device, Draft, Handle, Kind, Live, Moment, Payload, Replace, Revoke, SecretHash,
    Store, UserId, Version, WriteId,
};
use anynode_lab::server::Server;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The deadline of a call, with room for a busy machine.
const DEADLINE: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(2);

/// How long a server may take for what it does by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store in a namespace of its own.
async fn open(server: &Server) -> Arc<dyn Store> {
    anynode::store::open(&server.fresh_url()).await.unwrap()
}

/// A session with the handle that begins with this byte and ends with that.
fn draft(first: u8, last: u8) -> Draft {
    let mut handle = [last; 16];
    handle[0] = first;
    Draft {
        handle: Handle::from_bytes(handle),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([9; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes([1; 8])),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: HOUR,
        deadline: Moment::After(HOUR * 24),
        payload: Payload::new(*b"the data of the session"),
        device: Device::default(),
    }
}

fn draft_of(user: &UserId, first: u8, last: u8) -> Draft {
    Draft {
        user: Some(user.clone()),
        ..draft(first, last)
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// The next version of a session.
fn next(live: &Live, write: u8) -> Draft {
    let version = live.record.version.next(WriteId::from_bytes([write; 8]));
    live.record.draft(version)
}

async fn created(store: &dyn Store, draft: &Draft) -> Live {
    match store.create(draft).await.unwrap() {
        Create::Created(live) => live,
        Create::Duplicate => panic!("the handle was free"),
    }
}

async fn replaced(store: &dyn Store, base: &Live, draft: &Draft) -> Live {
    match store.replace(&base.record.version, draft).await.unwrap() {
        Replace::Replaced(live) => live,
        other => panic!("nobody else wrote: {other:?}"),
    }
}

async fn revoked(store: &dyn Store, handle: Handle) {
    let revoke = Revoke::session(handle, Cause::User);
    store.revoke(&revoke).await.unwrap();
}

/// Whether a session is alive, asked until the store answers.
async fn is_alive(store: &dyn Store, handle: &Handle) -> bool {
    let end = now() + PATIENCE;
    loop {
        match store.load(handle).await {
            Ok(live) => return live.is_some(),
            Err(error) => assert!(now() < end, "{error:?}"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test measures how long a call took"
)]
fn now() -> Instant {
    Instant::now()
}
