//! The stores that tests and proofs start: each answers, survives its faults, and leaves nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod faults;
mod proxies;
mod starts;

use anynode_lab::server::{Kind, Server};

/// Something that stays in the store, in its own language.
async fn keep(server: &Server, value: &str) {
    let kept = if is_postgres(server.kind()) {
        let sql = format!("CREATE TABLE IF NOT EXISTS kept AS SELECT '{value}' AS value");
        server.command(&[&sql]).await
    } else {
        server.command(&["SET", "kept", value]).await
    };
    kept.unwrap();
}

/// What stayed in the store.
async fn kept(server: &Server) -> String {
    let question: &[&str] = if is_postgres(server.kind()) {
        &["SELECT value FROM kept"]
    } else {
        &["GET", "kept"]
    };
    server.command(question).await.unwrap()
}

fn is_postgres(kind: Kind) -> bool {
    matches!(kind, Kind::Postgres | Kind::PgBouncer)
}

/// Whether a process is there and has not ended.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
