//! Revocations that are made, or arrive, more than once.

use std::sync::{Arc, Mutex};

use anynode::store::open;
use anynode_core::{Cause, Draft, Durability, ErrorKind, Handle, Record, Revoke, Target};
use anynode_lab::server::{Kind, Server, Setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::pair::{Pair, address};
use crate::scene::{created, draft_of, eventually, is_alive, user};
use crate::switch::Way;

/// The user's own log out of a session was indeterminate, and the second try was acknowledged
/// because there was no session left to end: no replica had the first.
#[tokio::test]
async fn a_repeated_revocation_is_acknowledged_when_replicas_have_the_first() {
    let pair = Pair::start(1, &Setup::default()).await;
    let (node, ada) = (pair.node("r1").await, user("ada"));
    let handle = created(&node, &draft_of(&ada)).await.record.handle;
    pair.in_step().await;
    let primary = address(&pair.primary);
    pair.replicas[0].way.turn(Way::Cut);
    let revoke = Revoke {
        target: Target::SessionOf(ada, handle),
        cause: Cause::User,
    };
    for _ in 0..3 {
        let refused = node.revoke(&revoke).await.expect_err("no replica has it");
        assert_eq!(refused.kind(), ErrorKind::Indeterminate);
    }
    pair.replicas[0].way.turn(Way::To(primary));
    eventually("the replica is back", || async {
        node.revoke(&revoke).await.is_ok_and(|revoked| {
            assert_eq!(revoked.durability, Durability::Quorum);
            true
        })
    })
    .await;
    let stones = pair.replicas[0].server.command(&["KEYS", "an:d:*"]).await;
    assert!(!stones.unwrap().is_empty());
}

/// A relay that keeps what it carried to the server.
struct Recorder {
    address: std::net::SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

// === impl Recorder ===

impl Recorder {
    async fn start(server: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let all = heard.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(server).await.unwrap();
                let (mut from, mut back) = near.into_split();
                let (mut answers, mut to) = far.into_split();
                let heard = all.clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(read @ 1..) = from.read(&mut buffer).await {
                        heard.lock().unwrap().extend(&buffer[..read]);
                        if to.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                });
                tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
            }
        });
        Self { address, heard }
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// A first try lay in the socket of a server that stood still, and ran after the second one was
/// acknowledged and its user had logged in again.
#[tokio::test]
async fn a_revocation_of_a_user_that_arrives_again_ends_no_later_login() {
    let server = Server::start(Kind::Redis).await.unwrap();
    let recorder = Recorder::start(address(&server)).await;
    let node = open(&format!("redis://{}/?revoke=r0", recorder.address)).await;
    let (node, ada) = (node.unwrap(), user("ada"));
    let before = created(&node, &draft_of(&ada)).await.record.handle;
    let revoke = Revoke::user(ada.clone(), Cause::Admin);
    recorder.take();
    node.revoke(&revoke).await.unwrap();
    let sent = recorder.take();
    let text = String::from_utf8_lossy(&sent).into_owned();
    assert!(text.contains("anynode_1_outdate"), "{text}");
    let login = created(&node, &draft_of(&ada)).await.record.handle;
    let mut late = TcpStream::connect(address(&server)).await.unwrap();
    late.write_all(&sent).await.unwrap();
    late.write_all(b"*1\r\n$4\r\nQUIT\r\n").await.unwrap();
    let mut replies = Vec::new();
    late.read_to_end(&mut replies).await.unwrap();
    let replies = String::from_utf8_lossy(&replies).into_owned();
    assert!(!replies.starts_with('-'), "{replies}");
    assert!(is_alive(&node, &login).await, "it logged in after both");
    assert!(!is_alive(&node, &before).await);
    // Another revocation is not taken for the same one.
    node.revoke(&revoke).await.unwrap();
    assert!(!is_alive(&node, &login).await);
}

/// A deposed primary had spared a session; that is written again on its successor, which had
/// ended all of them meanwhile, a little earlier by its clock.
#[tokio::test]
async fn an_entry_that_is_written_again_undoes_no_other_revocation() {
    const AGAIN: &str = include_str!("../../../anynode/src/store/redis/assert/user.lua");
    let server = Server::start(Kind::Redis).await.unwrap();
    let (node, ada) = (open(&server.url()).await.unwrap(), user("ada"));
    let draft = |handle: &[u8; 16]| Draft {
        handle: Handle::from_bytes(*handle),
        ..draft_of(&ada)
    };
    let spared = created(&node, &draft(b"0123456789abcdef")).await.record;
    node.revoke(&Revoke::user(ada.clone(), Cause::Admin))
        .await
        .unwrap();
    let later = created(&node, &draft(b"fedcba9876543210")).await.record;
    let keys = server.command(&["KEYS", "an:*"]).await.unwrap();
    let users = keys.lines().find(|key| key.starts_with("an:u:")).unwrap();
    let lowest = |of: &Record| of.binding.as_ref().unwrap().stamp.as_micros().to_string();
    let again = |epoch: u64, handle, from: String| {
        let epoch = epoch.to_string();
        let (server, users) = (&server, users);
        async move {
            let words = ["EVAL", AGAIN, "3", users, "guard", "proof"];
            let words = [&words[..], &["ada", &epoch, handle, &from, "event"]].concat();
            server.command(&words).await.unwrap()
        }
    };
    let next = later.binding.as_ref().unwrap().stamp.as_micros() + 1;
    again(next, "0123456789abcdef", lowest(&spared)).await;
    assert!(!is_alive(&node, &spared.handle).await, "all had been ended");
    assert!(!is_alive(&node, &later.handle).await, "it was not spared");
    // The other way round: what is there spares more than what is written again does.
    let last = created(&node, &draft(b"aaaaaaaaaaaaaaaa")).await.record;
    node.revoke(&Revoke {
        target: Target::UserExcept(ada.clone(), last.handle),
        cause: Cause::User,
    })
    .await
    .unwrap();
    assert!(is_alive(&node, &last.handle).await);
    again(next + 1, "", String::new()).await;
    assert!(
        !is_alive(&node, &last.handle).await,
        "a later one ended all"
    );
}
