//! Whether a node goes on accepting sessions that were ended through another process.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use anynode_core::{Cause, Revoke, SessionId, near::Horizon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

use crate::{
    server::{Programs, Server},
    variant::{Program, Variant},
    visitors::{KNOWN, UNKNOWN},
};

/// What came of the sessions of one node.
pub(crate) struct Ended {
    pub(crate) sessions: usize,
    pub(crate) accepted_before: usize,
    pub(crate) accepted_after: usize,
}

/// The staleness bound of a lease of one second, by a clock that is a hundredth off.
pub(crate) fn bound() -> Duration {
    Horizon::TERM.mul_f64(1.0 / 0.99)
}

/// Asks the node for every session, ends all of them through another process, waits for the
/// bound to go by after the last was acknowledged, and asks again.
pub(crate) fn measure(
    runtime: &Runtime,
    programs: &Programs,
    variant: Variant,
    server: &Server,
) -> Ended {
    runtime.block_on(async {
        let accepted_before = accepted(server).await;
        match variant.program() {
            Program::Ours => end_ours(server).await,
            Program::Peers => end_theirs(programs, server),
        }
        tokio::time::sleep(bound()).await;
        Ended {
            sessions: server.cookies.len(),
            accepted_before,
            accepted_after: accepted(server).await,
        }
    })
}

/// How many of the node's sessions it accepts.
async fn accepted(server: &Server) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    let mut buffer = vec![0; 4_096];
    let mut accepted = 0;
    for cookie in &server.cookies {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        let answer = std::str::from_utf8(&buffer[..read]).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        match answer.rsplit("\r\n").next() {
            Some(KNOWN) => accepted += 1,
            Some(UNKNOWN) => {}
            _ => panic!("{answer}"),
        }
    }
    accepted
}

/// Revokes all through a store of this process.
async fn end_ours(server: &Server) {
    let store = anynode::store::open(&server.url).await.unwrap();
    for cookie in &server.cookies {
        let id = SessionId::parse(value(cookie).as_bytes()).unwrap();
        let revoke = Revoke::session(id.handle(), Cause::Admin);
        store.revoke(&revoke).await.unwrap();
    }
}

/// Deletes all through the same kind of store in a process of its own.
fn end_theirs(programs: &Programs, server: &Server) {
    let mut child = Command::new(programs.peers())
        .args(["end", &server.url])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ids = child.stdin.take().unwrap();
    for cookie in &server.cookies {
        writeln!(ids, "{}", value(cookie)).unwrap();
    }
    drop(ids);
    assert!(child.wait().unwrap().success(), "all are deleted");
}

fn value(cookie: &str) -> &str {
    cookie.split_once('=').expect("a cookie has a name").1
}
