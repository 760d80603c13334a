//! Revocations that one part of a cluster does not acknowledge.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Command;

use anynode::store::open;
use anynode_core::Handle;
use anynode_lab::server::{Kind, Server};

use crate::scene::{eventually, logout, session};

const SESSIONS: usize = 36;

/// A replica that can be made to stand still, and its primary.
struct Replica {
    primary: SocketAddr,
    pid: String,
}

async fn field(server: &Server, at: SocketAddr, name: &str) -> String {
    let info = server.command_at(at, &["INFO"]).await.unwrap();
    let mut lines = info.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

async fn replicas(server: &Server) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for at in server.addresses() {
        if field(server, at, "role").await == "slave" {
            let port = field(server, at, "master_port").await.parse().unwrap();
            replicas.push(Replica {
                primary: SocketAddr::new(at.ip(), port),
                pid: field(server, at, "process_id").await,
            });
        }
    }
    replicas
}

impl Replica {
    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid]).status();
        assert!(status.unwrap().success());
    }
}

async fn tombstones(server: &Server, at: SocketAddr) -> usize {
    let keys = server.command_at(at, &["KEYS", "*:d:*"]).await.unwrap();
    keys.lines().filter(|line| !line.is_empty()).count()
}

/// The first revocation that was not acknowledged kept all others from being written, those of
/// other primaries as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_primary_without_its_replica_holds_up_no_revocation_of_the_others() {
    let server = Server::start(Kind::RedisCluster).await.unwrap();
    let url = server.url();
    let joint = if url.contains('?') { '&' } else { '?' };
    let node = open(&format!("{url}{joint}revoke=r1")).await.unwrap();
    let mut handles: Vec<Handle> = Vec::new();
    for _ in 0..SESSIONS {
        handles.push(session(&node).await);
    }
    let replicas = replicas(&server).await;
    assert_eq!(replicas.len(), 3);
    let (held, freed) = (&replicas[0], &replicas[1]);
    held.signal("-STOP");
    freed.signal("-STOP");
    let mut revoking = tokio::task::JoinSet::new();
    for handle in handles {
        let node = node.clone();
        revoking.spawn(async move { node.revoke(&logout(handle)).await.is_ok() });
    }
    let acknowledged = revoking.join_all().await;
    let acknowledged = acknowledged.into_iter().filter(|is_ok| *is_ok).count();
    let mut lie = HashMap::new();
    for replica in &replicas {
        lie.insert(replica.primary, tombstones(&server, replica.primary).await);
    }
    assert!(lie.values().all(|count| *count > 3), "{lie:?}");
    assert!(acknowledged < SESSIONS - 6, "{acknowledged} acknowledged");
    // By hand, as a fail-over would: the primary forgets the revocations.
    let flush = server.command_at(freed.primary, &["FLUSHALL"]).await;
    flush.unwrap();
    freed.signal("-CONT");
    eventually("all that is owed is written again", || async {
        tombstones(&server, freed.primary).await == lie[&freed.primary]
    })
    .await;
    held.signal("-CONT");
}
