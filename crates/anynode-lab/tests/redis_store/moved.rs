//! Slots that move between the primaries of a cluster while sessions are used.

use std::net::SocketAddr;

use anynode_lab::server::{Kind, Server};

use super::*;

/// The bucket of the handles that begin with 0x42 0x42: its slot and its two ends.
struct Move<'a> {
    server: &'a Server,
    slot: String,
    from: SocketAddr,
    to: SocketAddr,
    from_id: String,
    to_id: String,
}

impl<'a> Move<'a> {
    async fn of(server: &'a Server, key: &str) -> Self {
        let slot = server.command(&["CLUSTER", "KEYSLOT", key]).await.unwrap();
        let slot = slot.trim().to_owned();
        let number: u16 = slot.parse().unwrap();
        let (mut from, mut to) = (None, None);
        for address in server.addresses() {
            let nodes = server
                .command_at(address, &["CLUSTER", "NODES"])
                .await
                .unwrap();
            let line = nodes.lines().find(|line| line.contains("myself,")).unwrap();
            let words: Vec<_> = line.split(' ').collect();
            if !words[2].contains("master") {
                continue;
            }
            let has = words[8..].iter().any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let bound = |text: &str| text.parse::<u16>().unwrap_or(u16::MAX);
                (bound(first)..=bound(last)).contains(&number)
            });
            let place = if has { &mut from } else { &mut to };
            *place = Some((address, words[0].to_owned()));
        }
        let ((from, from_id), (to, to_id)) = (from.unwrap(), to.unwrap());
        Self {
            server,
            slot,
            from,
            to,
            from_id,
            to_id,
        }
    }

    async fn at(&self, address: SocketAddr, words: &[&str]) -> String {
        self.server.command_at(address, words).await.unwrap()
    }

    async fn begin(&self) {
        let slot = self.slot.as_str();
        let words = ["CLUSTER", "SETSLOT", slot, "IMPORTING", &self.from_id];
        self.at(self.to, &words).await;
        let words = ["CLUSTER", "SETSLOT", slot, "MIGRATING", &self.to_id];
        self.at(self.from, &words).await;
    }

    async fn keys(&self) {
        let words = ["CLUSTER", "GETKEYSINSLOT", &self.slot, "1000"];
        let keys = self.at(self.from, &words).await;
        let (host, port) = (self.to.ip().to_string(), self.to.port().to_string());
        for key in keys.lines() {
            self.at(self.from, &["MIGRATE", &host, &port, key, "0", "5000"])
                .await;
        }
    }

    async fn end(&self) {
        for address in [self.to, self.from] {
            let words = ["CLUSTER", "SETSLOT", &self.slot, "NODE", &self.to_id];
            self.at(address, &words).await;
        }
    }
}

fn in_bucket(last: u8) -> Draft {
    let mut draft = draft(0x42, last);
    let mut handle = *draft.handle.as_bytes();
    handle[1] = 0x42;
    draft.handle = Handle::from_bytes(handle);
    draft
}

/// While a slot is on its way its sessions are read where they are (`ASK`), writes wait or are
/// refused and nothing is half done, and afterwards everything is at its new place (`MOVED`).
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_found_while_and_after_their_slot_moves() {
    let server = Server::start(Kind::RedisCluster).await.unwrap();
    let store = open(&server).await;
    let (kept, ended) = (in_bucket(1), in_bucket(2));
    let live = created(&*store, &kept).await;
    created(&*store, &ended).await;
    revoked(&*store, ended.handle).await;
    let moving = Move::of(&server, "{424}").await;
    moving.begin().await;
    assert!(is_alive(&*store, &kept.handle).await, "not moved yet");
    let write = store.replace(&live.record.version, &next(&live, 2)).await;
    let refused = write.unwrap_err();
    assert_eq!(refused.kind(), anynode_core::ErrorKind::Unavailable);
    moving.keys().await;
    assert!(
        is_alive(&*store, &kept.handle).await,
        "asked for at its new place"
    );
    let again = store.create(&ended).await;
    assert!(
        again.is_err(),
        "the tombstone may be here or there: {again:?}"
    );
    moving.end().await;
    assert!(is_alive(&*store, &kept.handle).await, "moved");
    replaced(&*store, &live, &next(&live, 3)).await;
    assert!(matches!(
        store.create(&ended).await.unwrap(),
        Create::Duplicate
    ));
    assert!(!is_alive(&*store, &ended.handle).await);
}
