//! What the tests start from: sessions, and what a channel tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anynode_core::{
    BarrierId, Cause, Channel, Create, Device, Draft, Event, Handle, Kind, Live, Moment, Payload,
    Revoke, SecretHash, Store, UserId, Version, WriteId,
};
use anynode_lab::server::Server;
use tokio::time::{sleep, timeout};

/// Only failures take that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A session that outlives the test.
pub(crate) fn draft() -> Draft {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Spread over the buckets.
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut handle = [0; 16];
    handle[..8].copy_from_slice(&spread.to_be_bytes());
    handle[8..].copy_from_slice(&number.to_be_bytes());
    Draft {
        handle: Handle::from_bytes(handle),
        kind: Kind::Session,
        secret: SecretHash::from_bytes([0xab; 32]),
        secret_since: Moment::NOW,
        previous: None,
        version: Version::first(WriteId::from_bytes(number.to_be_bytes())),
        user: None,
        created_at: Moment::NOW,
        authenticated_at: None,
        idle_timeout: Duration::from_secs(3_600),
        deadline: Moment::After(Duration::from_secs(86_400)),
        payload: Payload::new(*b"the data of the session"),
        device: Device::default(),
    }
}

pub(crate) fn draft_of(user: &UserId) -> Draft {
    Draft {
        user: Some(user.clone()),
        ..draft()
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) async fn created(store: &Arc<dyn Store>, draft: &Draft) -> Live {
    match store.create(draft).await.unwrap() {
        Create::Created(live) => live,
        Create::Duplicate => panic!("the handle was free"),
    }
}

pub(crate) async fn session(store: &Arc<dyn Store>) -> Handle {
    created(store, &draft()).await.record.handle
}

pub(crate) async fn is_alive(store: &Arc<dyn Store>, handle: &Handle) -> bool {
    store.load(handle).await.unwrap().is_some()
}

pub(crate) fn logout(handle: Handle) -> Revoke {
    Revoke::session(handle, Cause::User)
}

/// Everything that is told before a barrier that begins now has passed.
pub(crate) async fn until_passed(channel: &mut dyn Channel) -> Vec<Event> {
    let barrier = channel.barrier().await.unwrap();
    read_until(channel, barrier).await
}

pub(crate) async fn read_until(channel: &mut dyn Channel, barrier: BarrierId) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let event = timeout(PATIENCE, channel.next()).await.unwrap().unwrap();
        if matches!(event, Event::Passed(id, _) if id == barrier) {
            return events;
        }
        events.push(event);
    }
}

pub(crate) fn tells_revoked(events: &[Event], handle: Handle) -> bool {
    let is_it = |event: &Event| matches!(event, Event::Revoked(stone) if stone.handle == handle);
    events.iter().any(is_it)
}

/// Waits for what has to happen.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, happened: impl FnMut() -> F) {
    within(PATIENCE, what, happened).await;
}

/// Waits until something is so, for no longer than `limit`.
pub(crate) async fn within<F: Future<Output = bool>>(
    limit: Duration,
    what: &str,
    mut happened: impl FnMut() -> F,
) {
    let waiting = async {
        while !happened().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(limit, waiting)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// Waits until the vigil of a store has looked at this server twice more: once may have been
/// under way.
pub(crate) async fn looked_at(server: &Server) {
    // Nobody else asks for settings.
    let looks = || calls(server, "config|get");
    let before = looks().await;
    eventually("the vigil looks", || async { looks().await >= before + 2 }).await;
}

/// How often a server was asked with this command; 0 where it does not answer.
pub(crate) async fn calls(server: &Server, command: &str) -> u64 {
    let stats = server.command(&["INFO", "commandstats"]).await;
    let stats = stats.unwrap_or_default();
    let name = format!("cmdstat_{command}:calls=");
    let mut lines = stats.lines();
    let calls = lines.find_map(|line| line.strip_prefix(&name));
    let calls = calls.and_then(|line| line.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}
