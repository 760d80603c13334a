//! What real servers refuse, each for its own reason: the call ends in time, says which reason
//! it was, and works again once the reason is gone.

use anynode_core::ErrorKind;
use anynode_lab::server::{Kind, Server, Setup};

use super::*;

/// Sees that load and replace are refused in time, as what did not happen, and with this advice.
async fn check_refused(store: &dyn Store, live: &Live, advice: &str) {
    let began = now();
    let load = store.load(&live.record.handle).await.unwrap_err();
    let replace = store.replace(&live.record.version, &next(live, 7)).await;
    for error in [load, replace.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(advice), "{error}");
    }
    assert!(now() - began < 2 * (DEADLINE + SLACK));
}

/// A server that reads its data from disk after a start says so, and is waited for.
#[tokio::test]
async fn a_server_that_loads_is_waited_for() {
    // 2 ms for each key, and the server looks at its connections meanwhile.
    let setup = Setup::default()
        .with("save", "3600 1000000")
        .with("key-load-delay", "2000")
        .with("loading-process-events-interval-bytes", "1024");
    let mut server = Server::start_with(Kind::Redis, &setup).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    let fill = "for n = 1, 2000 do redis.call('SET', 'other:' .. n, string.rep('x', 100)) end";
    server.command(&["EVAL", fill, "0"]).await.unwrap();
    server.command(&["SAVE"]).await.unwrap();
    server.kill().await.unwrap();
    let mut said_so = false;
    let asking = async {
        loop {
            match store.load(&live.record.handle).await {
                Ok(found) => break assert_eq!(found.unwrap().record, live.record),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    said_so |= error.to_string().contains("reading its data from disk");
                }
            }
        }
    };
    let both = async { tokio::join!(server.restart(), asking) };
    let (restarted, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    restarted.unwrap();
    assert!(said_so, "nobody was told that the server loads");
}

/// A script of somebody else that never ends.
#[tokio::test]
async fn a_server_that_is_busy_with_a_script_is_waited_for() {
    let setup = Setup::default().with("busy-reply-threshold", "100");
    let server = Server::start_with(Kind::Redis, &setup).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    let script = server.command(&["EVAL", "while true do end", "0"]);
    let asking = async {
        // Until the script has run for so long, calls wait for it and say no more than that.
        while !matches!(server.command(&["PING"]).await, Err(error)
            if format!("{error:#}").contains("BUSY"))
        {}
        check_refused(&*store, &live, "SCRIPT KILL").await;
        server.command(&["SCRIPT", "KILL"]).await.unwrap();
    };
    let (killed, ()) = tokio::join!(script, asking);
    assert!(killed.is_err(), "it was killed");
    assert!(is_alive(&*store, &live.record.handle).await);
}

/// A server that cannot save, and was told to refuse writes then.
#[tokio::test]
async fn a_server_that_cannot_save_says_what_to_do() {
    let setup = Setup::default().with("save", "3600 1000000");
    let server = Server::start_with(Kind::Redis, &setup).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    let settings = server.command(&["CONFIG", "GET", "dir"]).await.unwrap();
    let directory = settings.lines().last().unwrap();
    // It writes another file and gives it the name of this one.
    let in_the_way = format!("{directory}/dump.rdb");
    std::fs::create_dir(&in_the_way).unwrap();
    server.command(&["SAVE"]).await.unwrap_err();
    server.command(&["BGSAVE"]).await.unwrap();
    saved(&server, "err").await;
    check_refused(&*store, &live, "free the disk, then BGSAVE").await;
    std::fs::remove_dir(&in_the_way).unwrap();
    server.command(&["BGSAVE"]).await.unwrap();
    saved(&server, "ok").await;
    assert!(is_alive(&*store, &live.record.handle).await);
}

/// Waits until the last attempt to save ended so.
async fn saved(server: &Server, how: &str) {
    let end = now() + PATIENCE;
    let wanted = format!("rdb_last_bgsave_status:{how}");
    while !server
        .command(&["INFO", "persistence"])
        .await
        .unwrap()
        .contains(&wanted)
    {
        assert!(now() < end, "{wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A replica that lost its primary and gives no stale answers.
#[tokio::test]
async fn a_replica_that_lost_its_primary_says_so() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    let stale = ["CONFIG", "SET", "replica-serve-stale-data", "no"];
    server.command(&stale).await.unwrap();
    // Nobody listens at the port of discarded bytes.
    server
        .command(&["REPLICAOF", "127.0.0.1", "9"])
        .await
        .unwrap();
    check_refused(&*store, &live, "is a fail-over under way?").await;
    server.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    assert!(is_alive(&*store, &live.record.handle).await);
}

/// A cluster in which some slots have no primary, and whose other primaries refuse as well.
#[tokio::test]
async fn a_cluster_that_is_down_says_so() {
    let server = Server::start(Kind::RedisCluster).await.unwrap();
    let store = open(&server).await;
    let live = created(&*store, &draft(1, 1)).await;
    let slots = "16383";
    let owner = owner_of(&server, slots).await;
    server
        .command_at(owner, &["CLUSTER", "DELSLOTS", slots])
        .await
        .unwrap();
    for node in server.addresses() {
        down(&server, node, "fail").await;
    }
    check_refused(&*store, &live, "the cluster is down").await;
    server
        .command_at(owner, &["CLUSTER", "ADDSLOTS", slots])
        .await
        .unwrap();
    assert!(is_alive(&*store, &live.record.handle).await);
}

/// The primary that has a slot.
async fn owner_of(server: &Server, slot: &str) -> std::net::SocketAddr {
    for node in server.addresses() {
        let nodes = server
            .command_at(node, &["CLUSTER", "NODES"])
            .await
            .unwrap();
        let mine = nodes.lines().find(|line| line.contains("myself"));
        if mine
            .unwrap()
            .split_whitespace()
            .any(|word| word.ends_with(&format!("-{slot}")))
        {
            return node;
        }
    }
    panic!("nobody has slot {slot}");
}

/// Waits until a node says so of its cluster, or no more knows who has the slot.
async fn down(server: &Server, node: std::net::SocketAddr, state: &str) {
    let end = now() + PATIENCE;
    let wanted = format!("cluster_state:{state}");
    while !server
        .command_at(node, &["CLUSTER", "INFO"])
        .await
        .unwrap()
        .contains(&wanted)
    {
        // What the others heard of the owner before has to be forgotten as well.
        let _ = server
            .command_at(node, &["CLUSTER", "DELSLOTS", "16383"])
            .await;
        assert!(now() < end, "{wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
