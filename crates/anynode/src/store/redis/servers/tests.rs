//! Calls on servers that break.

use anynode_core::ErrorKind;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::store::redis::{keys::Tag, options};

/// A sentinel that greets, and breaks off when it is asked who the primary is.
async fn broken_sentinel() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 1024];
                let _ = near.read(&mut asked).await;
                let _ = near.write_all(b"%1\r\n$5\r\nproto\r\n:3\r\n").await;
                let _ = near.read(&mut asked).await;
            });
        }
    });
    format!("redis+sentinel://{address}/mymaster")
}

/// Nobody said who the primary is, so no write went out. Its callers were told that it may have
/// happened, and one that is not repeated was lost for them.
#[tokio::test]
async fn a_write_whose_primary_was_not_found_did_not_happen() {
    let url = broken_sentinel().await;
    let target = options::parse(&url).expect("a URL");
    let servers = Servers::new(&target, Duration::from_millis(500));
    let tag = Tag::all_from(0).next().expect("there are some");
    let call = Call::new("create", Nature::Write, tag, &[]);
    let until = servers.until();
    let alone = servers.call("create", &call, until).await;
    let together = servers.call_all("touch", &[call], servers.until()).await;
    for error in [
        alone.expect_err("nobody to ask"),
        together.expect_err("nobody to ask"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
}
