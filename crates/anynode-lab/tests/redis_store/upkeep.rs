//! What is sent for each verb, and what is left in the server afterwards.

use anynode_core::{Effect, Page};
use anynode_lab::server::{Kind, Server};

use super::*;

/// How many calls of each command the server has performed, as `INFO commandstats` says.
async fn commands(server: &Server) -> Vec<(String, u64)> {
    let stats = server.command(&["INFO", "commandstats"]).await.unwrap();
    let lines = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((name.to_owned(), calls))
    });
    lines.collect()
}

async fn count(server: &Server, name: &str) -> u64 {
    let all = commands(server).await;
    let found = all.into_iter().find(|(command, _)| command == name);
    found.map_or(0, |(_, calls)| calls)
}

/// How many commands were performed but those by which a server is asked what it is, which every
/// store does each second.
async fn work(server: &Server) -> u64 {
    let all = commands(server).await;
    let asked = |name: &str| ["info", "config|get"].contains(&name);
    let work = all.iter().filter(|(name, _)| !asked(name));
    work.map(|(_, calls)| calls).sum()
}

/// On one server each verb on one session, of a user or of nobody, is one round trip.
#[tokio::test]
async fn a_verb_on_one_session_is_one_round_trip() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let ada = user("ada");
    created(&*store, &draft(9, 9)).await;
    let before = count(&server, "fcall").await;
    let live = created(&*store, &draft_of(&ada, 1, 1)).await;
    store.load(&live.record.handle).await.unwrap();
    let live = replaced(&*store, &live, &next(&live, 2)).await;
    revoked(&*store, live.record.handle).await;
    let everywhere = Revoke::user(ada.clone(), Cause::User);
    store.revoke(&everywhere).await.unwrap();
    assert_eq!(count(&server, "fcall").await - before, 5);
}

/// A list reads what belongs to its user: as many commands beside 2000 other sessions as alone.
#[tokio::test]
async fn a_list_reads_the_sessions_of_its_user_only() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let ada = user("ada");
    for last in 0..5 {
        created(&*store, &draft_of(&ada, last, last)).await;
    }
    let mut costs = Vec::new();
    for others in [0_u16, 2_000] {
        for number in 0..others {
            let [first, last] = number.to_be_bytes();
            let mut draft = draft_of(&user(&format!("user {number}")), first, last);
            let mut handle = *draft.handle.as_bytes();
            handle[1] = 0xee;
            draft.handle = Handle::from_bytes(handle);
            created(&*store, &draft).await;
        }
        let before = work(&server).await;
        let listing = store.list(&ada, &Page::FIRST).await.unwrap();
        assert_eq!(listing.sessions.len(), 5);
        costs.push(work(&server).await - before);
    }
    assert_eq!(costs[0], costs[1]);
}

/// Every key has an end, whatever was done to sessions and users.
#[tokio::test]
async fn nothing_lives_for_ever() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let ada = user("ada");
    for number in 0..20 {
        let live = created(&*store, &draft_of(&ada, number, number)).await;
        match number % 4 {
            0 => revoked(&*store, live.record.handle).await,
            1 => {
                replaced(&*store, &live, &next(&live, 2)).await;
            }
            2 => revoked(&*store, draft(number, 77).handle).await,
            _ => {}
        }
    }
    let spared = draft(3, 3).handle;
    let others = Revoke::user_except(ada.clone(), spared, Cause::User);
    store.revoke(&others).await.unwrap();
    let _channel = store
        .watch(&anynode_core::NodeId::new("n").unwrap())
        .await
        .unwrap();
    let keys = server.command(&["KEYS", "*"]).await.unwrap();
    assert!(keys.lines().count() >= 20, "{keys}");
    for key in keys.lines() {
        let left: i64 = server
            .command(&["PTTL", key])
            .await
            .unwrap()
            .parse()
            .unwrap();
        assert!(left > 0, "{key} has no end");
    }
}

/// What is dead gives back its memory: after sweeping no key is left of idle sessions, and of
/// revoked ones no more than a tombstone.
#[tokio::test]
async fn sweeping_gives_the_memory_back() {
    for kind in [Kind::Redis, Kind::RedisCluster] {
        let server = Server::start(kind).await.unwrap();
        let store = open(&server).await;
        let ada = user("ada");
        for number in 0..200 {
            let mut draft = match number % 2 {
                0 => draft_of(&ada, number, number),
                _ => draft(number, number),
            };
            draft.idle_timeout = Duration::from_millis(1);
            created(&*store, &draft).await;
        }
        let mut removed = 0;
        let end = now() + PATIENCE;
        while removed < 200 {
            removed += store.sweep(64).await.unwrap().removed;
            assert!(now() < end, "only {removed} of 200 were removed");
        }
        assert_eq!(store.scan(None, 10).await.unwrap(), []);
        assert_eq!(store.list(&ada, &Page::FIRST).await.unwrap().sessions, []);
        if kind == Kind::Redis {
            assert_eq!(server.command(&["DBSIZE"]).await.unwrap().trim(), "0");
        }
    }
}

/// A record that no anynode wrote is corrupt to who reads it, is kept by a sweep, and can still
/// be ended.
#[tokio::test]
async fn an_unreadable_record_is_kept_until_somebody_ends_it() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let url = format!("redis://{}/?prefix=an", server.addresses()[0]);
    let store = anynode::store::open(&url).await.unwrap();
    let live = created(&*store, &draft(1, 1)).await;
    let handle = live.record.handle;
    let key = format!("an:k:s:{{010}}:{handle}");
    server.command(&["SETRANGE", &key, "0", "?"]).await.unwrap();
    let load = store.load(&handle).await.unwrap_err();
    assert_eq!(load.kind(), anynode_core::ErrorKind::Corrupt);
    let replace = store.replace(&live.record.version, &next(&live, 2)).await;
    assert_eq!(
        replace.unwrap_err().kind(),
        anynode_core::ErrorKind::Corrupt
    );
    store.sweep(10).await.unwrap();
    assert_eq!(server.command(&["EXISTS", &key]).await.unwrap().trim(), "1");
    let revoke = Revoke::session(handle, Cause::Admin);
    let answer = store.revoke(&revoke).await.unwrap();
    assert_eq!(answer.effect, Effect::Session);
    assert_eq!(store.load(&handle).await.unwrap(), None);
}
